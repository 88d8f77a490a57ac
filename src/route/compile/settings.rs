//! What stands outside of routes, as far as scripts read or set it.

use super::Compiler;
use crate::route::ast::{Config, Item, Text, Value as Setting};
use crate::route::host::{CHOSEN_AVPS, CHOSEN_COUNT};
use crate::route::program::{FormatId, Piece, Stretch, VariableId};
use crate::route::settings::ScriptSettings;
use crate::route::source::Span;
use crate::route::value::{Value, number_of};
use crate::route::variable::Variable;

impl Compiler<'_> {
    pub(super) fn settings(&mut self, config: &Config) {
        let settings = ScriptSettings::of(config);
        if let Some(rounds) = settings.core_number("max_while_loops") {
            self.program.max_while_loops = rounds;
        }
        self.chosen = settings.text("dispatcher", "xavp_dst");
        self.chosen_count = settings.text("dispatcher", "xavp_ctx");
        for (at, name) in CHOSEN_AVPS.iter().enumerate() {
            let avp = Variable::parse(&settings.text("dispatcher", name));
            if let Some(inner) = avp.as_ref().ok().and_then(Variable::inner) {
                self.chosen_avps.insert(avp_key(inner), at as u16);
            }
        }
        let prefix = settings.text("xlog", "prefix");
        let reads_prefix = settings.number("xlog", "prefix_mode") == 1;
        self.program.settings = settings;
        for item in &config.items {
            if let Item::ModParam {
                name,
                value: Setting::Text(value),
                ..
            } = item
            {
                self.modparam(&name.value, value);
            }
        }
        let span = config.routes.first().map(|route| route.span);
        self.program.log_prefix = span.map(|span| self.prefix(&prefix, reads_prefix, span));
    }

    fn prefix(&mut self, prefix: &str, is_format: bool, span: Span) -> FormatId {
        if is_format {
            return self.format(prefix, span);
        }
        let text = self.text(prefix.as_bytes());
        let start = self.program.pieces.len() as u32;
        self.program.pieces.push(Piece::Text(text));
        self.program.formats.push(Stretch { start, length: 1 });
        FormatId(self.program.formats.len() as u32 - 1)
    }

    fn modparam(&mut self, name: &str, value: &Text) {
        match name {
            "hash_pvar" => {
                self.program.hash_pvar = Some(self.format(&value.value, value.span));
            }
            "setid_pvname" | "setid_pvar" => self.program.set_out = self.out(value),
            "attrs_pvname" => self.program.attributes_out = self.out(value),
            "log_extra" => {
                for field in value.value.split(';') {
                    if let Some((name, of)) = field.split_once('=') {
                        let Ok(of) = Variable::parse(of.trim()) else {
                            continue;
                        };
                        let of = self.variable(&of, value.span);
                        let name = name.trim().to_owned();
                        self.program.log_extra.push((name, of));
                    }
                }
            }
            "varset" => self.first_value(&value.value, false),
            "shvset" => self.first_value(&value.value, true),
            _ => {}
        }
    }

    fn out(&mut self, value: &Text) -> Option<VariableId> {
        let variable = Variable::parse(&value.value).ok()?;
        Some(self.variable(&variable, value.span))
    }

    /// `name=i:1` or `name=s:text`
    fn first_value(&mut self, text: &str, is_shared: bool) {
        let Some((name, value)) = text.split_once('=') else {
            return;
        };
        let text = value.strip_prefix("s:").unwrap_or(value);
        let number = value.strip_prefix("i:");
        let number = number.map(|number| number_of(number.trim().as_bytes()).unwrap_or(0));
        if is_shared {
            let shared = self.shared(name.trim());
            match number {
                Some(number) => self.program.shared.set_number(shared, number),
                None => self.program.shared.set_text(shared, text.as_bytes()),
            }
            return;
        }
        let slot = self.slot("var", name.trim());
        self.program.slots[usize::from(slot)].first = match number {
            Some(number) => Value::Number(number),
            None => Value::Text(self.text(text.as_bytes())),
        };
    }

    /// Whether a field is the host's count of chosen destinations.
    pub(super) fn is_chosen_count(&self, root: &str, field: Option<&str>) -> bool {
        root == self.chosen_count
            && field == Some("cnt")
            && self.host_variables.contains(&CHOSEN_COUNT)
    }
}

/// By which an AVP is found: `s:` means nothing, nor does case.
pub(super) fn avp_key(inner: &str) -> String {
    let inner = inner.strip_prefix("s:").unwrap_or(inner);
    inner.trim().to_ascii_lowercase()
}
