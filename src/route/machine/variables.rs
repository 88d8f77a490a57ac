//! Reading and setting variables.

use super::Machine;
use crate::route::date::{part_of, write_date};
use crate::route::host::{Host, Inner, ListIndex};
use crate::route::program::{Index, InnerSource, Name, Source, Time, VariableId};
use crate::route::value::{TextRef, Value, digits_of};

impl Machine {
    /// Reads a variable as it stands in the script, transformations included.
    pub fn get<H: Host>(&mut self, host: &mut H, id: VariableId) -> Value {
        let variable = self.program.variables[id.0 as usize];
        let value = match variable.source {
            Source::Host {
                variable: number,
                inner,
            } => {
                let inner = self.inner(host, inner);
                let index = self.index(host, variable.index);
                host.get(number, inner, index, self)
            }
            Source::Slot(slot) => self.slot(slot),
            Source::Avp(name) => {
                let name = self.name(host, name);
                let index = self.index(host, variable.index);
                self.avp(name, index)
            }
            Source::Field(field) => self.field(host, field),
            Source::Code => Value::Number(self.code),
            other => self.simple(host, other),
        };
        if variable.steps.length == 0 {
            return value;
        }
        self.transform(host, value, variable.steps)
    }

    fn simple<H: Host>(&mut self, host: &mut H, source: Source) -> Value {
        match source {
            Source::Shared(shared) => self.shared(shared),
            Source::ScriptFlags { is_hex: false } => Value::Number(i64::from(self.script_flags)),
            Source::ScriptFlags { is_hex: true } => {
                let flags = self.script_flags;
                Value::Text(self.push_text(|out| write_hex(out, flags)))
            }
            Source::Format(format) => Value::Text(self.format(host, format)),
            Source::Constant(value) => value,
            Source::Count(of) => Value::Number(self.count(host, of)),
            Source::Time(time) => self.time(host, time),
            // The others are in `get`.
            _ => Value::Null,
        }
    }

    /// Sets a variable. False if it cannot be.
    pub fn set<H: Host>(&mut self, host: &mut H, id: VariableId, value: Value) -> bool {
        let variable = self.program.variables[id.0 as usize];
        match variable.source {
            Source::Host {
                variable: number,
                inner,
            } => {
                let inner = self.inner(host, inner);
                let index = self.index(host, variable.index);
                return host.set(number, inner, index, value, self);
            }
            Source::Slot(slot) => self.set_slot(slot, value),
            Source::Shared(shared) => match value {
                Value::Text(text) => {
                    let bytes = self.text.get(text.range()).unwrap_or_default();
                    self.program.shared.set_text(shared, bytes);
                }
                Value::Number(number) => self.program.shared.set_number(shared, number),
                Value::Null => self.program.shared.set_text(shared, b""),
            },
            Source::Avp(name) => {
                let name = self.name(host, name);
                let index = self.index(host, variable.index);
                self.set_avp(name, index, value);
            }
            // Kamailio does not tell a field that is not there.
            Source::Field(field) => {
                self.set_field(host, field, value);
            }
            Source::ScriptFlags { .. } => self.script_flags = self.to_number(value) as u32,
            _ => return false,
        }
        true
    }

    /// How many values a variable has.
    fn count<H: Host>(&mut self, host: &mut H, of: VariableId) -> i64 {
        let variable = self.program.variables[of.0 as usize];
        match variable.source {
            Source::Host {
                variable: number,
                inner,
            } => {
                let inner = self.inner(host, inner);
                host.count(number, inner, self)
            }
            Source::Avp(name) => {
                let name = self.name(host, name);
                self.store.count_avps(name)
            }
            Source::Field(field) => self.count_fields(host, field),
            _ => i64::from(!self.get(host, of).is_null()),
        }
    }

    pub(super) fn inner<H: Host>(&mut self, host: &mut H, inner: InnerSource) -> Inner {
        match inner {
            InnerSource::None => Inner::None,
            InnerSource::Word(word) => Inner::Word(word),
            InnerSource::Text { text, key } => Inner::Text { text, key },
            InnerSource::Format(format) => Inner::Text {
                text: self.format(host, format),
                key: 0,
            },
            InnerSource::WordOf(format, words) => {
                let text = self.format(host, format);
                let found = words
                    .iter()
                    .position(|word| word.as_bytes() == self.bytes(text));
                found.map_or(Inner::None, |at| Inner::Word(at as u16))
            }
            InnerSource::Variable(variable) => Inner::Variable(variable),
        }
    }

    pub(super) fn index<H: Host>(&mut self, host: &mut H, index: Index) -> ListIndex {
        match index {
            Index::None => ListIndex::None,
            Index::At(at) => ListIndex::At(at),
            Index::All => ListIndex::All,
            Index::Of(variable) => {
                let value = self.get(host, variable);
                ListIndex::At(self.to_number(value))
            }
        }
    }

    /// The number of an AVP's name. Names that are made while it runs get numbers of their own.
    pub(super) fn name<H: Host>(&mut self, host: &mut H, name: Name) -> u32 {
        match name {
            Name::Known(number) => number,
            Name::Of {
                format,
                ignores_case,
            } => {
                let mut name = self.format(host, format);
                if ignores_case {
                    let start = self.text.len();
                    self.append(name);
                    self.text[start..].make_ascii_lowercase();
                    name = self.since(start);
                }
                self.number_of_name(name)
            }
        }
    }

    pub(in crate::route) fn number_of_name(&mut self, name: TextRef) -> u32 {
        self.store.number(&self.program.names, &self.text, name)
    }

    pub(in crate::route) fn set_script_flag(&mut self, flag: u8, is_set: bool) {
        let bit = 1_u32 << (flag & 31);
        self.script_flags = if is_set {
            self.script_flags | bit
        } else {
            self.script_flags & !bit
        };
    }

    pub(in crate::route) fn has_script_flag(&self, flag: u8) -> bool {
        self.script_flags & 1 << (flag & 31) != 0
    }

    pub(super) fn slot(&mut self, slot: u16) -> Value {
        let stored = &self.slots[usize::from(slot)];
        match stored.value {
            Value::Text(_) => {
                let start = self.text.len();
                self.text.extend_from_slice(&stored.text);
                Value::Text(self.since(start))
            }
            value => value,
        }
    }

    pub(super) fn set_slot(&mut self, slot: u16, value: Value) {
        let stored = &mut self.slots[usize::from(slot)];
        stored.value = match value {
            Value::Null if !self.program.slots[usize::from(slot)].can_be_null => Value::Number(0),
            Value::Text(text) => {
                stored.text.clear();
                let bytes = self.text.get(text.range()).unwrap_or_default();
                stored.text.extend_from_slice(bytes);
                value
            }
            value => value,
        };
    }

    fn shared(&mut self, shared: u16) -> Value {
        if let Some(number) = self.program.shared.number(shared) {
            return Value::Number(number);
        }
        let start = self.text.len();
        let text = &mut self.text;
        self.program
            .shared
            .with_text(shared, |bytes| text.extend_from_slice(bytes));
        Value::Text(self.since(start))
    }

    fn time<H: Host>(&mut self, host: &mut H, time: Time) -> Value {
        let now = host.unix_time();
        let seconds = now.as_secs() as i64;
        match time {
            Time::Seconds => Value::Number(seconds),
            Time::Microseconds => Value::Number(i64::from(now.subsec_micros())),
            Time::Both => {
                let micros = i64::from(now.subsec_micros());
                Value::Text(self.push_text(|out| {
                    out.extend_from_slice(&digits_of(seconds));
                    out.push(b'.');
                    // A leading 1 keeps the zeros.
                    out.extend_from_slice(&digits_of(1_000_000 + micros)[1..]);
                }))
            }
            Time::Text => {
                let local = seconds + host.utc_offset_seconds();
                Value::Text(self.push_text(|out| write_date(out, local)))
            }
            Time::Part { is_utc, part } => {
                let offset = if is_utc { 0 } else { host.utc_offset_seconds() };
                Value::Number(part_of(seconds + offset, part))
            }
        }
    }
}

/// `0000001F`
fn write_hex(out: &mut Vec<u8>, number: u32) {
    let digit = |place: u32| char::from_digit(number >> (4 * place) & 15, 16).unwrap_or('0');
    out.extend(
        (0..8)
            .rev()
            .map(|place| digit(place).to_ascii_uppercase() as u8),
    );
}
