//! Callers with manners of their own: what the standard allows and few do, what it forbids and some
//! do, and callers who simply go away.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt as _;

use super::config::SimConfig;
use super::network::Wire;
use super::peers::caller_host;
use super::scripts::{Form, Manner};
use crate::rng::Rng;
use crate::sip::{HeaderIndex, Message, Method, Name, build, scan};
use crate::time::Timestamp;

/// Where the rogues live, among the callers' hosts.
const HOST: u16 = 200;
/// How often a request without any answer is sent.
const MOST_SENDINGS: u32 = 7;

/// One call, or one single request.
#[derive(Debug)]
struct Call {
    manner: Manner,
    form: Form,
    target: SocketAddr,
    name: String,
    tag: String,
    cseq: u32,
    /// The method that awaits its answer, if one does, and how often it was sent.
    pending: Option<(&'static str, u32)>,
    /// What is sent again.
    request: Vec<u8>,
    /// Once there is one: the To of the answer, its Contact, its route set.
    to: Option<String>,
    contact: String,
    routes: Vec<String>,
    answered: bool,
    cancelled: bool,
    retried: bool,
    /// How many of the later requests were sent.
    step: usize,
    /// The alarm that counts: others are out of date.
    alarm: u64,
}

/// All rogues; they share one address.
#[derive(Debug)]
pub(super) struct Rogues {
    pub address: SocketAddr,
    rng: Rng,
    index: HeaderIndex,
    calls: Vec<Call>,
    by_call_id: BTreeMap<Vec<u8>, usize>,
    /// (when, number of the alarm) to call.
    alarms: BTreeMap<(Timestamp, u64), usize>,
    last_alarm: u64,
    at_home: bool,
    pub seen_finals: u64,
}

impl Rogues {
    pub fn new(config: &SimConfig, rng: &mut Rng) -> Self {
        let mut rogues = Self {
            address: SocketAddr::new(caller_host(config.listeners[0], HOST), 5_060),
            rng: Rng::from_seed(rng.next()),
            index: HeaderIndex::new(),
            calls: Vec::new(),
            by_call_id: BTreeMap::new(),
            alarms: BTreeMap::new(),
            last_alarm: 0,
            at_home: false,
            seen_finals: 0,
        };
        if config.faults.rogues {
            for _ in 0..config.calls {
                rogues.add_call(config);
            }
        }
        rogues
    }

    fn add_call(&mut self, config: &SimConfig) {
        let number = self.calls.len();
        let rng = &mut self.rng;
        let same_family = |it: &&SocketAddr| it.is_ipv4() == self.address.is_ipv4();
        let targets: Vec<SocketAddr> = config
            .listeners
            .iter()
            .filter(same_family)
            .copied()
            .collect();
        let form = Form::draw(rng);
        let mut call_id = format!("rogue{number}-{:x}@somewhere", rng.next());
        if form == Form::Long {
            call_id.push_str(&"-long".repeat(60));
        }
        let begin = rng.random_range(0..config.duration.as_millis() as u64);
        let call = Call {
            manner: Manner::draw(rng),
            form,
            target: targets[rng.random_range(0..targets.len())],
            tag: format!("r{number}"),
            cseq: rng.random_range(1..1_000),
            pending: None,
            request: Vec::new(),
            to: None,
            contact: String::new(),
            routes: Vec::new(),
            answered: false,
            cancelled: false,
            retried: false,
            step: 0,
            alarm: 0,
            name: call_id,
        };
        self.by_call_id
            .insert(call.name.clone().into_bytes(), number);
        self.calls.push(call);
        let begin = Timestamp::ZERO + Duration::from_millis(begin);
        self.set_alarm(number, begin);
    }

    /// They begin nothing new and hang up.
    pub fn go_home(&mut self) {
        self.at_home = true;
    }

    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.alarms.keys().next().map(|&(at, _)| at)
    }

    fn set_alarm(&mut self, number: usize, at: Timestamp) {
        self.last_alarm += 1;
        self.calls[number].alarm = self.last_alarm;
        self.alarms.insert((at, self.last_alarm), number);
    }

    pub fn tick(&mut self, now: Timestamp, sent: &mut Vec<Wire>) {
        while let Some((&(at, alarm), &number)) = self.alarms.iter().next()
            && at <= now
        {
            self.alarms.remove(&(at, alarm));
            if self.calls[number].alarm == alarm {
                self.act(now, number, sent);
            }
        }
    }

    /// A call's time has come: to begin, to send again, or to go on.
    fn act(&mut self, now: Timestamp, number: usize, sent: &mut Vec<Wire>) {
        let call = &mut self.calls[number];
        if call.request.is_empty() {
            if !self.at_home {
                self.begin(now, number, sent);
            }
            return;
        }
        if let Some((method, times)) = call.pending {
            if times >= MOST_SENDINGS {
                call.pending = None;
                return;
            }
            call.pending = Some((method, times + 1));
            let wire = wire(self.address, call.target, call.request.clone());
            sent.push(wire);
            let pause = Duration::from_millis(500) * (1 << times.min(3));
            if call.manner.cancels_early() && method == "INVITE" && !call.cancelled {
                return self.cancel(now, number, sent);
            }
            return self.set_alarm(number, now + pause);
        }
        if call.answered {
            self.next_request(now, number, sent);
        } else if call.manner.cancels() && !call.cancelled {
            self.cancel(now, number, sent);
        }
    }

    fn begin(&mut self, now: Timestamp, number: usize, sent: &mut Vec<Wire>) {
        let call = &mut self.calls[number];
        let method = call.manner.first_method();
        let uri = match call.manner {
            Manner::AskProxy => format!("sip:{}", call.target),
            _ => format!("sip:someone@{}", call.target),
        };
        call.request = call.form.write(self.address, method, &uri, &call.outline());
        call.pending = Some((method, 0));
        if call.manner == Manner::CancelFirst {
            let cancel = call.outline_cancel(self.address, &uri);
            sent.push(wire(self.address, call.target, cancel));
        }
        if call.manner == Manner::Twice {
            // The same call by another way: another branch.
            let mut outline = call.outline();
            outline.branch.push_str("-other");
            let other = call.form.write(self.address, method, &uri, &outline);
            sent.push(wire(self.address, call.target, other));
        }
        self.act(now, number, sent);
    }

    fn cancel(&mut self, now: Timestamp, number: usize, sent: &mut Vec<Wire>) {
        let call = &mut self.calls[number];
        call.cancelled = true;
        let uri = format!("sip:someone@{}", call.target);
        let cancel = call.outline_cancel(self.address, &uri);
        // Once is all that they do: it may be lost.
        sent.push(wire(self.address, call.target, cancel));
        self.set_alarm(number, now + Duration::from_millis(700));
    }

    /// After the answer: the requests of this manner, one after the other.
    fn next_request(&mut self, now: Timestamp, number: usize, sent: &mut Vec<Wire>) {
        let call = &mut self.calls[number];
        let Some(&method) = call.manner.later_methods().get(call.step) else {
            return;
        };
        call.step += 1;
        call.cseq += 1;
        call.request = call.in_dialog(self.address, method, call.cseq);
        call.pending = Some((method, 1));
        sent.push(wire(self.address, call.target, call.request.clone()));
        let pause = Duration::from_millis(self.rng.random_range(300..2_500));
        self.set_alarm(number, now + pause);
    }

    pub fn receive(&mut self, now: Timestamp, wire_in: &Wire, sent: &mut Vec<Wire>) {
        let mut index = std::mem::take(&mut self.index);
        if let Ok(message) = scan(&wire_in.bytes, &mut index) {
            match message.reply_code() {
                Some(code) => self.reply(now, code, message, sent),
                None => self.request(wire_in, message, sent),
            }
        }
        self.index = index;
    }

    /// A gateway hangs up.
    fn request(&mut self, wire_in: &Wire, message: Message<'_>, sent: &mut Vec<Wire>) {
        if message.method() == Some(Method::Ack) {
            return;
        }
        let mut bytes = Vec::new();
        build::reply(message, wire_in.from, 200, "OK", b"", b"", &mut bytes);
        sent.push(wire(self.address, wire_in.from, bytes));
        let call_id = message.call_id().unwrap_or_default();
        if let Some(&number) = self.by_call_id.get(call_id) {
            let call = &mut self.calls[number];
            call.pending = None;
            call.answered = false;
            call.cancelled = true;
        }
    }

    fn reply(&mut self, now: Timestamp, code: u16, message: Message<'_>, sent: &mut Vec<Wire>) {
        let call_id = message.call_id().unwrap_or_default();
        let (Some(&number), Ok(cseq)) = (self.by_call_id.get(call_id), message.cseq()) else {
            return;
        };
        let call = &mut self.calls[number];
        if cseq.method == Method::Invite {
            return self.invite_reply(now, number, code, message, sent);
        }
        let awaited = call
            .pending
            .is_some_and(|(method, _)| method.as_bytes() == cseq.token && call.cseq == cseq.number);
        if awaited && code >= 200 {
            call.pending = None;
            self.seen_finals += 1;
            self.set_alarm(number, now + Duration::from_millis(200));
        }
    }

    fn invite_reply(
        &mut self,
        now: Timestamp,
        number: usize,
        code: u16,
        message: Message<'_>,
        sent: &mut Vec<Wire>,
    ) {
        let address = self.address;
        let call = &mut self.calls[number];
        let was_pending = call.pending.is_some_and(|(method, _)| method == "INVITE");
        let is_first = call.to.is_none();
        let to = message.first(Name::To).map_or(&b""[..], |line| line.value);
        let to = String::from_utf8_lossy(to).into_owned();
        if code < 200 {
            if call.manner == Manner::ByeEarly && code > 100 && !call.cancelled {
                call.cancelled = true;
                call.learn(message, to);
                let bye = call.in_dialog(address, "BYE", call.cseq + 1);
                call.to = None;
                sent.push(wire(address, call.target, bye));
            }
            if was_pending {
                call.pending = None;
                let wait = Duration::from_millis(self.rng.random_range(0..2_000));
                self.set_alarm(number, now + wait);
            }
            return;
        }
        self.seen_finals += 1;
        if code >= 300 {
            call.pending = None;
            if call.manner != Manner::NeverAck {
                let ack = call.ack_refusal(address, &to, message);
                sent.push(wire(address, call.target, ack));
            }
            if call.manner == Manner::TryAgain && !call.retried && is_first && !call.answered {
                call.retried = true;
                call.cseq += 1;
                let uri = format!("sip:someone@{}", call.target);
                call.request = call.form.write(address, "INVITE", &uri, &call.outline());
                call.pending = Some(("INVITE", 0));
                self.set_alarm(number, now + Duration::from_millis(100));
            }
            return;
        }
        let is_awaited = was_pending && message.cseq().is_ok_and(|it| it.number == call.cseq);
        if is_first {
            call.learn(message, to);
        }
        let never_acks = call.manner == Manner::NeverAck;
        if is_first || is_awaited {
            call.pending = None;
            call.answered = true;
            let wait = Duration::from_millis(self.rng.random_range(100..1_500));
            self.set_alarm(number, now + wait);
        }
        if !never_acks {
            let call = &self.calls[number];
            let cseq = message.cseq().map_or(call.cseq, |cseq| cseq.number);
            let ack = call.in_dialog(address, "ACK", cseq);
            sent.push(wire(address, call.target, ack));
        }
    }
}

impl Call {
    fn outline(&self) -> super::scripts::Outline {
        super::scripts::Outline {
            branch: format!("z9hG4bKr{}x{}", self.tag, self.cseq),
            call_id: self.name.clone(),
            tag: self.tag.clone(),
            cseq: self.cseq,
            max_forwards: self.manner.max_forwards(),
        }
    }

    fn outline_cancel(&self, address: SocketAddr, uri: &str) -> Vec<u8> {
        self.form.write(address, "CANCEL", uri, &self.outline())
    }

    fn learn(&mut self, message: Message<'_>, to: String) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.to = Some(to);
        let contact = message.addresses(Name::Contact).next();
        self.contact = match contact {
            Some(Ok(contact)) => text(contact.uri),
            _ => format!("sip:someone@{}", self.target),
        };
        let routes = message.record_routes().filter_map(Result::ok);
        self.routes = routes.map(|route| text(route.uri)).collect();
        self.routes.reverse();
    }

    /// A request of the dialog, along its route set; in one manner as a strict router would send it.
    fn in_dialog(&self, address: SocketAddr, method: &str, cseq: u32) -> Vec<u8> {
        let mut routes = self.routes.clone();
        let mut uri = self.contact.clone();
        if self.manner == Manner::StrictRouter && !routes.is_empty() {
            let first = routes.remove(0);
            routes.push(std::mem::replace(&mut uri, first));
        }
        let mut text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bKr{}x{cseq}{method}{};rport\r\n",
            self.tag, self.step,
        );
        for route in routes {
            let _ = write!(text, "Route: <{route}>\r\n");
        }
        let to = self.to.as_deref().unwrap_or("<sip:nobody@nowhere>");
        let _ = write!(
            text,
            "Max-Forwards: 70\r\nFrom: <sip:rogue@{address}>;tag={}\r\nTo: {to}\r\nCall-ID: {}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:rogue@{address}>\r\nContent-Length: 0\r\n\r\n",
            self.tag, self.name,
        );
        text.into_bytes()
    }

    /// The ACK to a refusal: the branch of the INVITE, which its answer names.
    fn ack_refusal(&self, address: SocketAddr, to: &str, reply: Message<'_>) -> Vec<u8> {
        let cseq = reply.cseq().map_or(self.cseq, |cseq| cseq.number);
        let branch = reply.top_via().ok().and_then(|via| via.branch);
        let branch = branch.map_or(String::new(), |branch| {
            format!(";branch={}", String::from_utf8_lossy(branch))
        });
        format!(
            "ACK sip:someone@{} SIP/2.0\r\nVia: SIP/2.0/UDP {address}{branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:rogue@{address}>;tag={}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} ACK\r\n\
             Content-Length: 0\r\n\r\n",
            self.target, self.tag, self.name,
        )
        .into_bytes()
    }
}

fn wire(from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) -> Wire {
    Wire {
        from,
        to,
        bytes: bytes.into(),
    }
}
