//! AVPs and the trees of fields (XAVPs): what lives with a message or its transaction.
//!
//! Owns: their values and how they are kept as bytes. The newest value of a name is its first.

use super::Machine;
use crate::route::host::ListIndex;
use crate::route::program::{Class, Names};
use crate::route::value::{TextRef, Value};

/// Numbers from here on are names that were made while the script ran.
const MADE: u32 = 1 << 31;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Store {
    avps: Vec<Avp>,
    pub(super) roots: Vec<Root>,
    pub(super) fields: Vec<FieldValue>,
    /// Names that were made while the script ran.
    made: Vec<TextRef>,
    next_root: u32,
}

#[derive(Clone, Copy, Debug)]
struct Avp {
    name: u32,
    value: Value,
}

/// `$xavp(name)`: one of perhaps several of this name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    /// Which one; its fields say it too.
    pub id: u32,
    pub class: Class,
    pub name: u32,
    /// If it has one instead of fields.
    pub value: Value,
}

/// `=>field`
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldValue {
    pub root: u32,
    pub name: u32,
    pub value: Value,
}

impl Store {
    pub fn clear(&mut self) {
        self.avps.clear();
        self.roots.clear();
        self.fields.clear();
        self.made.clear();
        self.next_root = 0;
    }

    /// The number of a name.
    pub fn number(&mut self, names: &Names, text: &[u8], name: TextRef) -> u32 {
        let bytes = text.get(name.range()).unwrap_or_default();
        if let Some(number) = names.number(bytes) {
            return number;
        }
        let found = self
            .made
            .iter()
            .position(|made| text.get(made.range()) == Some(bytes));
        let at = found.unwrap_or_else(|| {
            self.made.push(name);
            self.made.len() - 1
        });
        MADE | at as u32
    }

    pub fn count_avps(&self, name: u32) -> i64 {
        self.avps.iter().filter(|avp| avp.name == name).count() as i64
    }

    /// A new root, the first of its name.
    pub fn add_root(&mut self, class: Class, name: u32, value: Value) -> u32 {
        self.next_root += 1;
        self.roots.push(Root {
            id: self.next_root,
            class,
            name,
            value,
        });
        self.next_root
    }

    pub fn remove_root(&mut self, id: u32) {
        self.roots.retain(|root| root.id != id);
        self.fields.retain(|field| field.root != id);
    }

    pub fn name<'a>(&self, names: &'a Names, text: &'a [u8], number: u32) -> &'a [u8] {
        if number & MADE == 0 {
            return &names.by_number[number as usize];
        }
        let made = self.made[(number & !MADE) as usize];
        text.get(made.range()).unwrap_or_default()
    }

    pub fn save(&self, names: &Names, text: &[u8], out: &mut Vec<u8>) {
        for avp in &self.avps {
            out.push(0);
            self.save_value(names, text, avp.name, avp.value, out);
        }
        for root in &self.roots {
            out.push(1 + root.class as u8);
            self.save_value(names, text, root.name, root.value, out);
            for field in self.fields.iter().filter(|field| field.root == root.id) {
                out.push(FIELD);
                self.save_value(names, text, field.name, field.value, out);
            }
        }
    }

    fn save_value(&self, names: &Names, text: &[u8], name: u32, value: Value, out: &mut Vec<u8>) {
        if name & MADE == 0 {
            out.extend_from_slice(&name.to_le_bytes());
        } else {
            out.extend_from_slice(&MADE.to_le_bytes());
            save_bytes(self.name(names, text, name), out);
        }
        match value {
            Value::Null => out.push(0),
            Value::Number(number) => {
                out.push(1);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Value::Text(value) => {
                out.push(2);
                save_bytes(text.get(value.range()).unwrap_or_default(), out);
            }
        }
    }

    /// Takes in what [`Store::save`] wrote. What is not of it is left out.
    pub fn load(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        self.clear();
        let mut saved = Saved { bytes, text };
        while let Some(kind) = saved.byte() {
            let Some((name, value)) = saved.named_value(&mut self.made) else {
                return;
            };
            match kind {
                0 => self.avps.push(Avp { name, value }),
                FIELD => self.fields.push(FieldValue {
                    root: self.next_root,
                    name,
                    value,
                }),
                1 => _ = self.add_root(Class::Xavp, name, value),
                2 => _ = self.add_root(Class::Xavu, name, value),
                _ => _ = self.add_root(Class::Xavi, name, value),
            }
        }
    }
}

/// What begins a field in saved bytes; below are AVPs and the classes of roots.
const FIELD: u8 = 9;

fn save_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Reads saved bytes.
struct Saved<'a> {
    bytes: &'a [u8],
    text: &'a mut Vec<u8>,
}

impl Saved<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*first)
    }

    fn text(&mut self) -> Option<TextRef> {
        let length = u32::from_le_bytes(self.array()?);
        let (first, rest) = self.bytes.split_at_checked(length as usize)?;
        self.bytes = rest;
        let start = self.text.len() as u32;
        self.text.extend_from_slice(first);
        Some(TextRef { start, length })
    }

    fn named_value(&mut self, made: &mut Vec<TextRef>) -> Option<(u32, Value)> {
        let mut name = u32::from_le_bytes(self.array()?);
        if name == MADE {
            let text = self.text()?;
            let same = |one: &TextRef| self.text.get(one.range()) == self.text.get(text.range());
            let at = made.iter().position(same).unwrap_or_else(|| {
                made.push(text);
                made.len() - 1
            });
            name |= at as u32;
        }
        let value = match self.byte()? {
            0 => Value::Null,
            1 => Value::Number(i64::from_le_bytes(self.array()?)),
            _ => Value::Text(self.text()?),
        };
        Some((name, value))
    }
}

impl Machine {
    pub(super) fn avp(&mut self, name: u32, index: ListIndex) -> Value {
        let mut values = self.store.avps.iter().rev().filter(|avp| avp.name == name);
        match index {
            ListIndex::None => values.next().map_or(Value::Null, |avp| avp.value),
            ListIndex::At(at) => {
                let found = usize::try_from(at).ok().and_then(|at| values.nth(at));
                found.map_or(Value::Null, |avp| avp.value)
            }
            ListIndex::All => {
                let count = self.store.avps.len();
                self.join(count, |machine, at| {
                    let avp = machine.store.avps[count - 1 - at];
                    (avp.name == name).then_some(avp.value)
                })
            }
        }
    }

    /// Several values as one text with commas; null if there are none.
    pub(super) fn join(
        &mut self,
        count: usize,
        value: impl Fn(&Self, usize) -> Option<Value>,
    ) -> Value {
        let start = self.text.len();
        let mut is_first = true;
        for at in 0..count {
            let Some(value) = value(self, at) else {
                continue;
            };
            // Empty values at the begin leave no comma.
            if self.text.len() > start {
                self.text.extend_from_slice(b", ");
            }
            is_first = false;
            match value {
                Value::Null => {}
                Value::Number(number) => crate::route::value::write_number(&mut self.text, number),
                Value::Text(text) => self.append(text),
            }
        }
        if is_first {
            return Value::Null;
        }
        Value::Text(self.since(start))
    }

    /// A value more, before the others; with `[*]` instead of them. Null takes the first away, or all.
    pub(super) fn set_avp(&mut self, name: u32, index: ListIndex, value: Value) {
        let avps = &mut self.store.avps;
        if index == ListIndex::All {
            avps.retain(|avp| avp.name != name);
        } else if value.is_null()
            && let Some(first) = avps.iter().rposition(|avp| avp.name == name)
        {
            avps.remove(first);
        }
        if !value.is_null() {
            avps.push(Avp { name, value });
        }
    }
}
