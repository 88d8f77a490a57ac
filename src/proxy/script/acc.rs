//! Module `acc`: accounting lines in the log.
//!
//! Owns: when there is one and what it says. A request that is relayed is accounted for when its
//! transaction is answered; one that the script answers, when the script has run.

use std::io::Write as _;
use std::time::Duration;

use super::{Function, function, text};
use crate::arena::Bytes;
use crate::proxy::act::Act;
use crate::proxy::core::Core;
use crate::proxy::draft::Options;
use crate::proxy::outbox::Outbox;
use crate::route::host::{Argument, Host as _, Level, Outcome};
use crate::route::machine::Machine;
use crate::route::settings::ScriptSettings;
use crate::route::value::write_number;
use crate::route::write_time;
use crate::sip::build::reason_phrase;
use crate::sip::{Identity, Message, Method, Name, StartLine, scan};
use crate::time::Timestamp;

pub(super) const FUNCTIONS: &[Function] = &[function("acc_log_request", acc_log_request)];

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A transaction has its final answer.
    Answered,
    /// A call was not taken.
    Missed,
    /// An ACK went through.
    Acknowledged,
    /// A script says so.
    Requested,
}

impl Event {
    fn words(self) -> &'static [u8] {
        match self {
            Self::Answered => b"ACC: transaction answered: ",
            Self::Missed => b"ACC: call missed: ",
            Self::Acknowledged => b"ACC: request acknowledged: ",
            Self::Requested => b"ACC: request accounted: ",
        }
    }
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told<'a> {
    /// Its code; 0: none.
    code: u16,
    /// Its reason.
    reason: &'a [u8],
    /// Its To tag.
    to_tag: &'a [u8],
}

impl<'a> Told<'a> {
    /// What a reply says.
    fn by(reply: Message<'a>) -> Self {
        let (code, reason) = match reply.start() {
            StartLine::Reply { code, reason } => (code, reason),
            StartLine::Request { .. } => (0, &b""[..]),
        };
        Self {
            code,
            reason,
            to_tag: reply.to_tag().unwrap_or_default(),
        }
    }
}

/// What a line says of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Subject<'a> {
    method: &'a [u8],
    from_tag: &'a [u8],
    call_id: &'a [u8],
    /// The callee sent it, and it belongs to a dialog.
    is_upstream: bool,
    /// The value of its Reason.
    reason: Option<&'a [u8]>,
}

impl<'a> Subject<'a> {
    /// Of a request, with whether the callee sent it and accounting wants to know.
    fn of(request: Message<'a>, is_upstream: bool) -> Self {
        Self {
            method: match request.start() {
                StartLine::Request { token, .. } => token,
                StartLine::Reply { .. } => b"",
            },
            from_tag: request.from_tag().unwrap_or_default(),
            call_id: request.call_id().unwrap_or_default(),
            is_upstream: is_upstream && request.to_tag().is_some(),
            reason: request.first(Name::Reason).map(|line| line.value),
        }
    }
}

/// What is accounted for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountingSettings {
    /// The bit of transactions that get a line; 0: none do.
    logs: u32,
    /// The bit of calls that get a line if they are missed.
    missed: u32,
    /// The bit of transactions that get a line even if they fail.
    failed: u32,
    /// Codes of failures that get no line.
    ignored: Vec<u16>,
    level: i64,
    /// Provisional answers with a body get a line.
    pub early_media: bool,
    /// ACKs get a line.
    pub acks: bool,
    /// CANCELs get a line.
    pub cancels: bool,
    pub(super) finds_direction: bool,
    reads_reason: bool,
    time: TimeField,
    time_name: String,
    time_form: String,
}

/// A finer time in the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum TimeField {
    #[default]
    None,
    Microseconds,
    Milliseconds,
    Text,
}

impl AccountingSettings {
    /// What a configuration says.
    pub(super) fn of(script: &ScriptSettings) -> Self {
        let number = |name| script.number("acc", name);
        let bit = |name| match number(name) {
            flag @ 0..=31 => 1_u32 << flag,
            _ => 0,
        };
        let codes = script.text("acc", "failed_filter");
        let time = match number("time_mode") {
            1 => TimeField::Microseconds,
            2 => TimeField::Milliseconds,
            3 | 4 => TimeField::Text,
            _ => TimeField::None,
        };
        let name = match time {
            TimeField::Microseconds => "time_exten",
            _ => "time_attr",
        };
        let time_name = script.text("acc", name);
        Self {
            logs: bit("log_flag"),
            missed: bit("log_missed_flag"),
            failed: bit("failed_transaction_flag"),
            ignored: codes
                .split(',')
                .filter_map(|code| code.trim().parse().ok())
                .collect(),
            level: number("log_level"),
            early_media: number("early_media") != 0,
            acks: number("report_ack") != 0,
            cancels: number("report_cancels") != 0,
            finds_direction: number("detect_direction") != 0,
            reads_reason: number("reason_from_hf") != 0,
            time: if time_name.is_empty() {
                TimeField::None
            } else {
                time
            },
            time_name,
            time_form: script.text("acc", "time_format"),
        }
    }

    /// Whether an event of a request with these flags gets a line.
    fn wants(&self, event: Event, flags: u32, method: Method, code: u16) -> bool {
        let has = |bit| flags & bit != 0;
        match event {
            Event::Requested => true,
            Event::Missed => method == Method::Invite && code >= 300 && has(self.missed),
            Event::Answered if code >= 300 => {
                has(self.logs) && has(self.failed) && !self.ignored.contains(&code)
            }
            Event::Answered | Event::Acknowledged => has(self.logs),
        }
    }

    /// Whether any transaction gets a line by its flags.
    pub fn is_on(&self) -> bool {
        self.logs | self.missed != 0
    }

    /// Writes the fields of every line.
    fn write_fixed(
        &self,
        now: Duration,
        event: Event,
        told: Told<'_>,
        request: Subject<'_>,
        line: &mut Vec<u8>,
    ) {
        line.extend_from_slice(event.words());
        line.extend_from_slice(b"timestamp=");
        write_number(line, now.as_secs() as i64);
        self.write_time(now, line);
        let mut tags = [request.from_tag, told.to_tag];
        if request.is_upstream {
            tags.reverse();
        }
        let fields: [(&[u8], &[u8]); 4] = [
            (b";method=", request.method),
            (b";from_tag=", tags[0]),
            (b";to_tag=", tags[1]),
            (b";call_id=", request.call_id),
        ];
        for (name, value) in fields {
            line.extend_from_slice(name);
            write_value(value, line);
        }
        line.extend_from_slice(b";code=");
        if told.code != 0 {
            // Three digits, as every code has.
            line.extend_from_slice(if told.code < 100 { b"0" } else { b"" });
            line.extend_from_slice(if told.code < 10 { b"0" } else { b"" });
            write_number(line, i64::from(told.code));
        }
        let reason = request.reason.filter(|_| self.reads_reason);
        line.extend_from_slice(b";reason=");
        write_value(reason.unwrap_or(told.reason), line);
    }

    /// The finer time, if one is asked for.
    fn write_time(&self, now: Duration, line: &mut Vec<u8>) {
        let (name, seconds) = (&self.time_name, now.as_secs());
        // Writing to a vector cannot fail.
        match self.time {
            TimeField::None => {}
            TimeField::Microseconds => {
                write!(line, ";{name}={}", now.subsec_micros()).ok();
            }
            TimeField::Milliseconds => {
                write!(line, ";{name}={seconds}.{:03}", now.subsec_millis()).ok();
            }
            TimeField::Text => {
                write!(line, ";{name}=").ok();
                write_time(self.time_form.as_bytes(), seconds as i64, line);
            }
        }
    }
}

/// A comment that begins with a code says what is accounted for: `404 lost`.
fn acc_log_request(act: &mut Act<'_>, arguments: &[Argument], machine: &mut Machine) -> Outcome {
    let Some(comment) = text(arguments, 0) else {
        return Outcome::FALSE;
    };
    let mut reason = std::mem::take(&mut act.core.bench.extra);
    reason.clear();
    reason.extend_from_slice(machine.bytes(comment));
    let told = match reason.split_at_checked(3) {
        Some((code, rest)) if code.iter().all(u8::is_ascii_digit) => Told {
            code: code
                .iter()
                .fold(0, |code, digit| code * 10 + u16::from(digit - b'0')),
            reason: rest.trim_ascii_start(),
            to_tag: act.message.to_tag().unwrap_or_default(),
        },
        _ => Told {
            code: 0,
            reason: &reason,
            to_tag: act.message.to_tag().unwrap_or_default(),
        },
    };
    act.account(Event::Requested, told, machine);
    act.core.bench.extra = reason;
    Outcome::TRUE
}

impl Act<'_> {
    /// Accounts for what we did with the request ourselves.
    pub fn account_own(&mut self, event: Event, code: u16, machine: &mut Machine) {
        let accounting = &self.core.modules.accounting;
        let Some(request) = self.request else { return };
        let events = [Event::Missed, event];
        let (flags, method) = (self.draft.flags, request.method);
        if !events
            .iter()
            .any(|event| accounting.wants(*event, flags, method, code))
        {
            return;
        }
        let tag = self.core.branch_keys.tag(request.identity());
        let told = Told {
            code,
            reason: reason_phrase(code).as_bytes(),
            to_tag: match request.to_tag {
                b"" if method == Method::Cancel => b"",
                b"" => tag.as_slice(),
                tag => tag,
            },
        };
        for event in events {
            self.account(event, told, machine);
        }
    }

    /// Writes the line of an event, if there is to be one.
    fn account(&mut self, event: Event, told: Told<'_>, machine: &mut Machine) {
        let Some(request) = self.request else { return };
        let accounting = &self.core.modules.accounting;
        if !accounting.wants(event, self.draft.flags, request.method, told.code) {
            return;
        }
        if event == Event::Missed {
            // One line for each time that a call is missed: a script may ask for the next.
            self.draft.flags &= !accounting.missed;
        }
        let level = Level::of_number(accounting.level);
        if !self.is_logged(level) {
            return;
        }
        let of_transaction = self.transaction().map(|context| context.options);
        let options = [Some(self.draft.options), of_transaction];
        let mut options = options.into_iter().flatten();
        let is_upstream = options.any(|one| one.has(Options::UPSTREAM));
        let now = self.unix_time();
        let mut line = std::mem::take(&mut self.core.bench.line);
        line.clear();
        let accounting = &self.core.modules.accounting;
        let request = Subject::of(self.message, is_upstream);
        accounting.write_fixed(now, event, told, request, &mut line);
        self.write_further(machine, &mut line);
        self.log(level, &line);
        self.core.bench.line = line;
    }

    /// The fields of `log_extra`.
    fn write_further(&mut self, machine: &mut Machine, line: &mut Vec<u8>) {
        let mut at = 0;
        while let Some((name, variable)) = machine.program().log_extra().get(at) {
            line.push(b';');
            line.extend_from_slice(name.as_bytes());
            line.push(b'=');
            let value = machine.get(self, *variable);
            let value = machine.to_text(value);
            write_value(machine.bytes(value), line);
            at += 1;
        }
    }
}

/// A value in a line: no stranger's text ends the line.
fn write_value(value: &[u8], line: &mut Vec<u8>) {
    let start = line.len();
    line.extend_from_slice(value);
    for byte in &mut line[start..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
}

impl Core {
    /// Accounts for a transaction, if it has a flag that asks for it.
    pub(in crate::proxy) fn account(
        &mut self,
        now: Timestamp,
        index: u32,
        event: Event,
        reply: Message<'_>,
        out: &mut Outbox,
    ) {
        let events = [Event::Missed, event];
        if !self.is_accounted(index, events, reply.reply_code().unwrap_or(0)) {
            return;
        }
        // Only now: nearly no transaction is accounted for, and this reads the To.
        let told = Told::by(reply);
        if self.script.program.log_extra().is_empty() {
            if let Some(request) = self.subject_as_told(index, reply) {
                return self.account_plainly(now, index, events, (request, told), out);
            }
            // No variable has to be read, and so the request need not be decoded as a whole.
            return self.with_base_text(index, |core, request, _| {
                let options = core.contexts.get(index).options;
                let request = Subject::of(request, options.has(Options::UPSTREAM));
                core.account_plainly(now, index, events, (request, told), out);
            });
        }
        self.with_base(index, |core, request, _| {
            let mut act = Act::on_failure(core, now, request, index, out);
            act.with_machine(|act, machine| {
                for event in events {
                    act.account(event, told, machine);
                }
            });
            act.finish();
        });
    }

    /// What the lines of a transaction say of its request, by an answer to it, if that tells all of it:
    /// an answer has the Call-ID and the From of its request. So the request is not read again.
    fn subject_as_told<'a>(&self, index: u32, reply: Message<'a>) -> Option<Subject<'a>> {
        let context = self.contexts.get(index);
        let identity = Identity {
            call_id: reply.call_id()?,
            from_tag: reply.from_tag()?,
            cseq: context.cseq,
        };
        let is_all = context.method != Method::Other
            && !context.options.has(Options::UPSTREAM)
            && !self.modules.accounting.reads_reason
            && context.identity == Some(self.branch_keys.identity(identity));
        is_all.then(|| Subject {
            method: context.method.as_str().as_bytes(),
            from_tag: identity.from_tag,
            call_id: identity.call_id,
            is_upstream: false,
            reason: None,
        })
    }

    /// Writes the lines without fields of `log_extra`.
    fn account_plainly(
        &mut self,
        now: Timestamp,
        index: u32,
        events: [Event; 2],
        (request, told): (Subject<'_>, Told<'_>),
        out: &mut Outbox,
    ) {
        let unix_time = self.unix_time(now);
        let accounting = &self.modules.accounting;
        let level = Level::of_number(accounting.level);
        for event in events {
            let context = self.contexts.get_mut(index);
            if !accounting.wants(event, context.flags, context.method, told.code) {
                continue;
            }
            if event == Event::Missed {
                context.flags &= !accounting.missed;
            }
            if level > self.settings.log_level {
                continue;
            }
            let line = &mut self.bench.line;
            line.clear();
            accounting.write_fixed(unix_time, event, told, request, line);
            out.log(level, line);
        }
    }

    /// The same by a stored answer with this code.
    pub(in crate::proxy) fn account_stored(
        &mut self,
        now: Timestamp,
        index: u32,
        event: Event,
        (code, stored): (u16, Bytes),
        out: &mut Outbox,
    ) {
        if !self.is_accounted(index, [Event::Missed, event], code) {
            return;
        }
        let mut bytes = std::mem::take(&mut self.bench.answer);
        bytes.clear();
        bytes.extend_from_slice(self.arena.get(stored));
        let mut header_index = self.bench.sent_index.take().unwrap_or_default();
        if let Ok(reply) = scan(&bytes, &mut header_index) {
            self.account(now, index, event, reply, out);
        }
        self.bench.sent_index = Some(header_index);
        self.bench.answer = bytes;
    }

    fn is_accounted(&self, index: u32, events: [Event; 2], code: u16) -> bool {
        let context = self.contexts.get(index);
        let accounting = &self.modules.accounting;
        events
            .into_iter()
            .any(|event| accounting.wants(event, context.flags, context.method, code))
    }
}
