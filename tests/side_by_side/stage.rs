//! Where a scenario is played: the messages of one call, and the words in which scenarios are told.

use crate::ends::{Ends, Received};
use crate::normal::{BRANCH, TAG};
use crate::place::{CALLER, PROXY, Place};
use crate::transcript::{Repeats, Transcript};
use crate::wire::{BODY, header, headers, kind, method, reply, uri};

/// How a scenario ends: early if something that it waits for does not come.
pub type Played = Result<(), String>;

/// One scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name, which is part of its Call-ID.
    pub name: &'static str,
    /// What is counted of it.
    pub repeats: Repeats,
    /// What the ends do.
    pub play: fn(&mut Stage<'_>) -> Played,
}

/// A scenario by its function, repeats ignored.
pub const fn scenario(name: &'static str, play: fn(&mut Stage<'_>) -> Played) -> Scenario {
    Scenario {
        name,
        repeats: Repeats::Ignored,
        play,
    }
}

/// Plays scenarios one after another against the proxy of a place.
pub fn play(place: &Place, hosts: &[u8], scenarios: &[Scenario]) -> Vec<Transcript> {
    let mut ends = Ends::start(place, hosts);
    let mut missed = Vec::new();
    for scenario in scenarios {
        let mut stage = Stage {
            call: format!("{}@ends", scenario.name),
            proxy: place.address(PROXY).to_string(),
            caller: place.address(CALLER).to_string(),
            name: scenario.name,
            branches: 0,
            ends: &mut ends,
        };
        missed.push((scenario.play)(&mut stage).err());
    }
    let log = ends.finish();
    let prefix = place.prefix();
    let told = scenarios.iter().zip(missed).map(|(scenario, missed)| {
        let call = format!("{}@ends", scenario.name);
        let of_it = |one: &&Received| header(&one.text, "Call-ID") == call;
        let received: Vec<Received> = log.iter().filter(of_it).cloned().collect();
        Transcript::new(scenario.name, scenario.repeats, &received, missed, &prefix)
    });
    told.collect()
}

/// The ends as one scenario sees them.
pub struct Stage<'a> {
    call: String,
    /// The proxy's address.
    pub proxy: String,
    /// The caller's address.
    pub caller: String,
    name: &'static str,
    branches: u32,
    ends: &'a mut Ends,
}

/// What both sides of a call know of each other.
pub struct Dialog {
    /// The last INVITE as the caller sent it.
    pub invite: String,
    /// The INVITE as the gateway got it.
    pub at_gateway: Received,
    /// The 200 as the caller got it.
    pub answer: String,
    /// The caller's route set, as header lines.
    routes: String,
}

/// The route set that a 200 to the first INVITE gives to the caller. The caller plays all hops before the
/// proxy, so their routes are done with.
fn route_set(answer: &str) -> String {
    let mut routes: Vec<&str> = headers(answer, "Record-Route").collect();
    routes.retain(|route| !route.contains(FAR));
    routes.reverse();
    let lines = routes.into_iter();
    lines.flat_map(|route| ["Route: ", route, "\r\n"]).collect()
}

/// A hop before the proxy that the caller plays too.
const FAR: &str = "192.0.2.7";

impl Stage<'_> {
    /// A request of the caller outside of a dialog.
    pub fn request_to(&mut self, method: &str, target: &str) -> String {
        self.branches += 1;
        let (name, caller, call) = (self.name, &self.caller, &self.call);
        let body = if method == "INVITE" { BODY } else { "" };
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        format!(
            "{method} {target} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {caller};branch={BRANCH}{name}-{}\r\n\
             Max-Forwards: 70\r\nFrom: \"A caller\" <sip:caller@{caller}>;tag={TAG}caller\r\n\
             To: <sip:service@{}>\r\nCall-ID: {call}\r\nCSeq: {} {method}\r\n\
             Contact: <sip:caller@{caller}>\r\n{kind}X-Last: yes\r\nContent-Length: {}\r\n\r\n{body}",
            self.branches,
            self.proxy,
            self.branches,
            body.len()
        )
    }

    /// A request to a user of the proxy.
    pub fn request(&mut self, method: &str) -> String {
        let target = format!("sip:service@{}", self.proxy);
        self.request_to(method, &target)
    }

    /// Sends from the caller.
    pub fn send(&mut self, text: &str) {
        self.ends.send(CALLER, text);
    }

    /// Waits for a request at a gateway.
    pub fn arrives(&mut self, wanted: &str) -> Result<Received, String> {
        let found = self.ends.take(&self.call, |one| {
            one.host != CALLER && kind(&one.text) == wanted
        });
        found.ok_or_else(|| format!("!!! no {wanted} came to a gateway"))
    }

    /// Waits for a message at the caller: a request by its method, or a reply to `to` by its code.
    pub fn comes_back(&mut self, wanted: &str, to: &str) -> Result<Received, String> {
        let found = self.ends.take(&self.call, |one| {
            one.host == CALLER && kind(&one.text) == wanted && method(&one.text) == to
        });
        found.ok_or_else(|| format!("!!! no {wanted} for {to} came to the caller"))
    }

    /// Waits until this message has come once more.
    pub fn repeated(&mut self, message: &Received) -> Played {
        let start = message.text.lines().next().unwrap_or_default();
        let came = self.ends.wait_for_repeat(message);
        came.then_some(())
            .ok_or_else(|| format!("!!! not repeated: {start}"))
    }

    /// A gateway (or the caller) answers a request.
    pub fn answer(&mut self, request: &Received, status: &str) {
        let (host, caller) = (request.host, &self.caller);
        let address = caller.replace(".2:", &format!(".{host}:"));
        let contact = match kind(&request.text) {
            "INVITE" => format!("Contact: <sip:gateway-{host}@{address}>\r\n"),
            _ => String::new(),
        };
        let tag = format!("{TAG}{host}");
        let text = reply(&request.text, status, &tag, &contact);
        self.ends.send(host, &text);
    }

    /// The ACK of the caller to a negative answer.
    pub fn acknowledge(&mut self, invite: &str, answer: &Received) {
        let mut text = String::new();
        for line in invite.lines().take_while(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default();
            let line = match name {
                "To" => &format!("To: {}", header(&answer.text, "To")),
                "Via" | "Max-Forwards" | "Route" | "From" | "Call-ID" => line,
                "CSeq" => &line.replace("INVITE", "ACK"),
                _ if text.is_empty() => &line.replacen("INVITE", "ACK", 1),
                _ => continue,
            };
            text.push_str(line);
            text.push_str("\r\n");
        }
        self.send(&(text + "Content-Length: 0\r\n\r\n"));
    }

    /// The CANCEL of the caller.
    pub fn cancel(&mut self, invite: &str) {
        self.cancel_for(invite, "");
    }

    /// The same with further header lines.
    pub fn cancel_for(&mut self, invite: &str, more: &str) {
        let head = invite.split("\r\n\r\n").next().unwrap_or_default();
        let kept = head
            .lines()
            .filter(|line| !line.starts_with("Cont") && !line.starts_with("X-"));
        let lines: Vec<String> = kept.map(|line| line.replace("INVITE", "CANCEL")).collect();
        self.send(&(lines.join("\r\n") + "\r\n" + more + "Content-Length: 0\r\n\r\n"));
    }

    /// A call from the INVITE to its ACK; the gateways that get it first give these answers.
    pub fn call(
        &mut self,
        invite: String,
        is_stateful: bool,
        failures: &[&str],
    ) -> Result<Dialog, String> {
        self.send(&invite);
        if is_stateful {
            self.comes_back("100", "INVITE")?;
        }
        for status in failures {
            let request = self.arrives("INVITE")?;
            self.answer(&request, status);
            self.arrives("ACK")?;
        }
        let at_gateway = self.arrives("INVITE")?;
        self.answer(&at_gateway, "180 Ringing");
        self.comes_back("180", "INVITE")?;
        self.answer(&at_gateway, "200 OK");
        let answer = self.comes_back("200", "INVITE")?.text;
        let routes = route_set(&answer);
        let dialog = Dialog {
            invite,
            at_gateway,
            answer,
            routes,
        };
        let ack = self.within(&dialog, "ACK");
        self.send(&ack);
        self.arrives("ACK")?;
        Ok(dialog)
    }

    /// The INVITE of a dialog that stands, once more.
    pub fn call_again(&mut self, dialog: &mut Dialog) -> Played {
        self.send(&dialog.invite.clone());
        dialog.at_gateway = self.arrives("INVITE")?;
        self.answer(&dialog.at_gateway.clone(), "200 OK");
        dialog.answer = self.comes_back("200", "INVITE")?.text;
        let ack = self.within(dialog, "ACK");
        self.send(&ack);
        self.arrives("ACK")?;
        Ok(())
    }

    /// A request of the caller within a dialog, by its route set.
    pub fn within(&mut self, dialog: &Dialog, method: &str) -> String {
        let target = uri(header(&dialog.answer, "Contact")).to_owned();
        let request = self.request_to(method, &target);
        let to = format!("To: {}\r\n", header(&dialog.answer, "To"));
        let from = format!("To: {}\r\n", header(&request, "To"));
        let request = request.replace(&from, &to);
        let request = request.replace("From:", &format!("{}From:", dialog.routes));
        if method != "ACK" {
            return request;
        }
        let number = header(&dialog.invite, "CSeq")
            .split(' ')
            .next()
            .unwrap_or_default();
        let sequence = format!("CSeq: {}", header(&request, "CSeq"));
        request.replace(&sequence, &format!("CSeq: {number} ACK"))
    }

    /// The caller hangs up.
    pub fn hang_up(&mut self, dialog: &Dialog) -> Played {
        let bye = self.within(dialog, "BYE");
        self.send(&bye);
        let at_gateway = self.arrives("BYE")?;
        self.answer(&at_gateway, "200 OK");
        self.comes_back("200", "BYE")?;
        Ok(())
    }

    /// The gateway hangs up: a request against the direction of the call.
    pub fn is_hung_up(&mut self, dialog: &Dialog) -> Played {
        self.branches += 1;
        let invite = &dialog.at_gateway;
        let routes = headers(&invite.text, "Record-Route");
        let routes = routes.flat_map(|route| ["Route: ", route, "\r\n"]);
        let host = invite.host;
        let gateway = self.caller.replace(".2:", &format!(".{host}:"));
        let bye = format!(
            "BYE {} SIP/2.0\r\nVia: SIP/2.0/UDP {gateway};branch={BRANCH}{}-{}\r\n{}\
             Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\n\
             Content-Length: 0\r\n\r\n",
            uri(header(&invite.text, "Contact")),
            self.name,
            self.branches,
            routes.collect::<String>(),
            header(&dialog.answer, "To"),
            header(&invite.text, "From"),
            self.call,
        );
        self.ends.send(host, &bye);
        let at_caller = self.comes_back("BYE", "BYE")?;
        self.answer(&at_caller, "200 OK");
        let found = self.ends.take(&self.call, |one| {
            one.host == host && kind(&one.text) == "200"
        });
        found
            .map(drop)
            .ok_or_else(|| "!!! no 200 for BYE came to the gateway".to_owned())
    }

    /// A call that comes to a negative answer: each gateway that gets it gives its own of these, and
    /// the caller gets `code`.
    pub fn fails(
        &mut self,
        invite: &str,
        is_stateful: bool,
        answers: &[&str],
        code: &str,
    ) -> Played {
        self.send(invite);
        if is_stateful {
            self.comes_back("100", "INVITE")?;
        }
        for status in answers {
            let request = self.arrives("INVITE")?;
            self.answer(&request, status);
            if is_stateful {
                self.arrives("ACK")?;
            }
        }
        let answer = self.comes_back(code, "INVITE")?;
        self.acknowledge(invite, &answer);
        if !is_stateful && !answers.is_empty() {
            self.arrives("ACK")?;
        }
        Ok(())
    }

    /// A request that the proxy answers by itself.
    pub fn refused(&mut self, request: &str, code: &str) -> Played {
        let method = kind(request).to_owned();
        self.send(request);
        let answer = self.comes_back(code, &method)?;
        if method == "INVITE" {
            self.acknowledge(request, &answer);
        }
        Ok(())
    }

    /// A request that is no INVITE, answered by the gateways that get it one after another; the last
    /// answer reaches the caller.
    pub fn asks(&mut self, request: &str, answers: &[&str]) -> Played {
        let method = kind(request).to_owned();
        self.send(request);
        for status in answers {
            let at_gateway = self.arrives(&method)?;
            self.answer(&at_gateway, status);
        }
        let code = answers
            .last()
            .and_then(|status| status.split(' ').next())
            .unwrap_or_default();
        self.comes_back(code, &method)?;
        Ok(())
    }
}
