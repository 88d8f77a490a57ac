//! Parameters and modules.

use super::Checker;
use crate::probe::ReplyCodes;
use crate::route::ast::{Item, Listen, Text, Value, Word};
use crate::route::diagnostic::Diagnostic;
use crate::route::nearest::nearest;
use crate::route::source::Span;
use crate::route::table::{
    self, CORE_PARAMETERS, CoreParameter, Effect, MODULES, ModuleParameter, Support, ValueKind,
    module, module_name,
};
use crate::route::variable::Variable;
use crate::sip::Uri;

impl<'a> Checker<'a> {
    pub(super) fn item(&mut self, item: &'a Item) {
        match item {
            Item::Setting { name, value } => self.setting(name, value),
            Item::Custom { name, .. } => {
                let message = "parameters of one's own are not supported";
                let error = Diagnostic::error(name.span, message).help(format!(
                    "a define does it: #!define {} ...",
                    upper(&name.text)
                ));
                self.report.push(error);
            }
            Item::Listen(listen) => self.listen(listen),
            Item::ModulePath(_) => {}
            Item::LoadModule(path) => self.load(path),
            Item::ModParam {
                modules,
                name,
                value,
            } => self.modparam(modules, name, value),
            Item::Flags(flags) => {
                for (name, number) in flags {
                    if number.is_some_and(|number| !(0..=31).contains(&number)) {
                        self.error(name.span, "flags have numbers from 0 to 31");
                    }
                    self.flags.insert(&name.text);
                }
            }
        }
    }

    fn setting(&mut self, name: &Word, value: &Value) {
        let Some(row) = CoreParameter::find(&name.text) else {
            let known = CORE_PARAMETERS.iter().map(|row| row.name);
            let message = format!("no such parameter: {}", name.text);
            let meant = nearest(&name.text, known);
            let error = Diagnostic::error(name.span, message).meant(meant);
            return self.report.push(error);
        };
        if self.has_kind(row.kind, value, (i64::MIN, i64::MAX)) {
            self.effect(row.effect, &name.text, row.help, name.span, value);
            self.header_line(row.name, value);
        }
    }

    /// What is sent as a header line must be one.
    fn header_line(&mut self, name: &str, value: &Value) {
        let Value::Text(text) = value else { return };
        let line = text.value.split_once(':');
        let is_good = |(header, value): (&str, &str)| {
            let is_of_token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
            let is_named = !header.is_empty() && header.chars().all(is_of_token);
            is_named && !value.contains(char::is_control)
        };
        let is_agent = |(header, _): (&str, &str)| header.eq_ignore_ascii_case("User-Agent");
        match name {
            "server_header" if !line.is_some_and(is_good) => {
                self.error(text.span, "a header line expected, such as \"Server: me\"");
            }
            "user_agent_header" if !line.is_some_and(|line| is_good(line) && is_agent(line)) => {
                self.error(
                    text.span,
                    "a header line expected, such as \"User-Agent: me\"",
                );
            }
            _ => {}
        }
    }

    /// Whether the value is of the kind; if not, it is said.
    fn has_kind(&mut self, kind: ValueKind, value: &Value, range: (i64, i64)) -> bool {
        let expected = match (kind, value) {
            (ValueKind::Number | ValueKind::Truth, Value::Number(number, span)) => {
                if (range.0..=range.1).contains(number) {
                    return true;
                }
                let message = format!("{number} is not in {}..{}", range.0, range.1);
                self.error(*span, message);
                return false;
            }
            (ValueKind::Text | ValueKind::Address, Value::Text(_) | Value::Word(_)) => return true,
            (ValueKind::Address, Value::Number(..)) => "an address expected",
            (ValueKind::Number, _) => "a number expected",
            (ValueKind::Truth, _) => "yes or no expected",
            (ValueKind::Text, Value::Number(..)) => "a text expected, in quotes",
        };
        let error = Diagnostic::error(value.span(), expected);
        let error = match value {
            Value::Text(text) if text.value.trim().parse::<i64>().is_ok() => {
                error.help("numbers stand without quotes")
            }
            Value::Word(word) => error.help(format!("is a #!define {} missing?", word.text)),
            _ => error,
        };
        self.report.push(error);
        false
    }

    fn effect(&mut self, effect: Effect, name: &str, help: &str, at: Span, value: &Value) {
        match effect {
            Effect::Used => {}
            Effect::Accepted(why) => {
                let message = format!("{name} means nothing here: {why}");
                self.report.push(Diagnostic::note(at, message));
            }
            Effect::MustBe(only) => {
                let is_so = match value {
                    Value::Number(number, _) => *number == only,
                    Value::Text(text) => text.value.trim() == only.to_string(),
                    Value::Word(_) => false,
                };
                if !is_so {
                    let message = format!("{name} can only be {only} here");
                    let error = Diagnostic::error(value.span(), message);
                    self.report
                        .push(error.label("not supported").help(format!("{name}: {help}")));
                }
            }
            Effect::Unsupported => {
                let message = format!("{name} is not supported");
                let error = Diagnostic::error(at, message).help(format!("{name}: {help}"));
                self.report.push(error);
            }
        }
    }

    fn listen(&mut self, listen: &Listen) {
        self.socket_address(&listen.address, false);
        if let Some(advertise) = &listen.advertise {
            self.socket_address(advertise, true);
        }
    }

    fn socket_address(&mut self, address: &Word, may_be_name: bool) {
        let text = address.text.as_str();
        let (transport, rest) = match text.split_once(':') {
            Some((transport, rest)) if !transport.contains(['.', '[']) => (transport, rest),
            _ => ("udp", text),
        };
        let host = rest.strip_prefix('[').and_then(|v6| v6.split_once(']'));
        let (host, port) = match host {
            Some((host, after)) => (host, after.strip_prefix(':')),
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let message = if !may_be_name && !transport.eq_ignore_ascii_case("udp") {
            format!("{transport} is not supported, only udp is")
        } else if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            "a port from 0 to 65535 expected".to_owned()
        } else if !may_be_name && host.parse::<std::net::IpAddr>().is_err() {
            format!("an IP address expected, found {host}")
        } else {
            return;
        };
        self.error(address.span, message);
    }

    fn load(&mut self, path: &'a Text) {
        let name = module_name(&path.value);
        self.modules.insert(name, path.span);
        match module(name).map(|row| row.support) {
            Some(Support::BuiltIn) => {}
            Some(Support::Accepted(why)) => {
                let message = format!("module {name} does nothing here: {why}");
                self.report.push(Diagnostic::note(path.span, message));
            }
            None => {
                let message = format!("sipshard has no module {name}");
                let error = Diagnostic::error(path.span, message);
                let meant = nearest(name, MODULES.iter().map(|row| row.name));
                let error = error.meant(meant.filter(|_| !table::is_elsewhere(name)));
                self.report.push(error);
            }
        }
    }

    fn modparam(&mut self, modules: &'a Text, name: &'a Text, value: &'a Value) {
        for of in modules.value.split('|').map(str::trim) {
            if !self.modules.contains_key(of) {
                let error = Diagnostic::error(modules.span, format!("{of} is not loaded"));
                let error = if module(of).is_some() {
                    error.help(format!("before this: loadmodule \"{of}.so\""))
                } else {
                    error.meant(nearest(of, MODULES.iter().map(|row| row.name)))
                };
                self.report.push(error);
                continue;
            }
            // What is not there is reported where it is loaded.
            let Some(row) = module(of).filter(|row| row.support == Support::BuiltIn) else {
                continue;
            };
            let Some(parameter) = row.parameter(&name.value) else {
                let message = format!("module {of} has no parameter {}", name.value);
                let meant = nearest(&name.value, row.parameters.iter().map(|row| row.name));
                let error = Diagnostic::error(name.span, message).meant(meant);
                self.report.push(error);
                continue;
            };
            self.parameters.insert((row.name, parameter.name), value);
            if self.has_kind(parameter.kind, value, parameter.range) && self.is_known(value) {
                let shown = &name.value;
                self.effect(parameter.effect, shown, parameter.help, name.span, value);
                self.good_value(parameter, value);
            }
        }
    }

    /// A word in a modparam can only be a define that is missing.
    fn is_known(&mut self, value: &Value) -> bool {
        let Value::Word(word) = value else {
            return true;
        };
        let error = Diagnostic::error(word.span, format!("{} is not defined", word.text))
            .help(format!("#!define {} \"...\", or -A {0}=...", word.text));
        self.report.push(error);
        false
    }

    /// What the kind alone does not say.
    fn good_value(&mut self, parameter: &ModuleParameter, value: &Value) {
        let Value::Text(text) = value else {
            return;
        };
        let whole = 0..text.value.len();
        match parameter.name {
            "dst_avp" | "grp_avp" | "cnt_avp" | "dstid_avp" | "attrs_avp" | "sock_avp" => {
                let is_avp = Variable::parse(&text.value).is_ok_and(|one| one.name == "avp");
                if !is_avp {
                    self.error(text.span, "an AVP expected, such as \"$avp(dsdst)\"");
                }
            }
            "setid_pvname" | "attrs_pvname" => self.variable_text(text, true),
            "hash_pvar" => self.format(text, whole),
            "log_extra" => self.log_extra(text),
            "ds_ping_reply_codes" => {
                if let Err(error) = ReplyCodes::parse(&text.value) {
                    let end = text.value.len();
                    let span = self.within(text, error.offset.min(end)..end);
                    self.error(span, error.message);
                }
            }
            "ds_ping_from" => {
                if let Err(error) = Uri::parse(text.value.as_bytes()) {
                    self.error(text.span, format!("not a URI: {error}"));
                }
            }
            _ => {}
        }
    }

    /// `name=$variable;name=$variable`
    fn log_extra(&mut self, text: &Text) {
        let mut at = 0;
        for field in text.value.split(';') {
            let range = at..at + field.len();
            at = range.end + 1;
            if field.trim().is_empty() {
                continue;
            }
            let equals = field.find('=').unwrap_or(0);
            let name = field[..equals].trim();
            if name.is_empty() || name.contains(char::is_whitespace) {
                let span = self.within(text, range);
                let message = "a field of accounting is NAME=VALUE";
                let error = Diagnostic::error(span, message);
                let error = if field.contains('\n') {
                    error.help("a hard line wrap seems to have broken it: join the lines")
                } else {
                    error
                };
                self.report.push(error);
                continue;
            }
            let value = &field[equals + 1..];
            let is_variable =
                value.trim().starts_with('$') && Variable::parse(value.trim()).is_ok();
            if !is_variable {
                let span = self.within(text, range);
                let message = "a field of accounting is NAME=$VARIABLE";
                self.report.push(Diagnostic::error(span, message));
                continue;
            }
            self.format(text, range.start + equals + 1..range.end);
        }
    }
}

fn upper(name: &str) -> String {
    name.replace('.', "_").to_ascii_uppercase()
}
