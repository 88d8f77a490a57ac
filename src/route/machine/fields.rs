//! `$xavp`, `$xavu` and `$xavi`: values with fields.

use super::Machine;
use super::store::FieldValue;
use crate::route::host::{Host, Level, ListIndex};
use crate::route::program::{Class, Field};
use crate::route::value::{TextRef, Value, write_number};

/// A field's place in the script, with all that is known only now.
#[derive(Clone, Copy, Debug)]
pub(in crate::route) struct Place {
    pub class: Class,
    pub name: u32,
    pub index: ListIndex,
    pub field: Option<u32>,
    pub field_index: ListIndex,
}

impl Machine {
    fn place<H: Host>(&mut self, host: &mut H, field: u32) -> Place {
        let Field {
            class,
            name,
            index,
            member,
            member_index,
        } = self.program.fields[field as usize];
        Place {
            class,
            name: self.name(host, name),
            index: self.index(host, index),
            field: member.map(|member| self.name(host, member)),
            field_index: self.index(host, member_index),
        }
    }

    /// The n-th root of a name, the newest first; from the oldest if the index is negative.
    fn root(&self, class: Class, name: u32, index: ListIndex) -> Option<usize> {
        let roots = &self.store.roots;
        let is_it = |at: &usize| roots[*at].class == class && roots[*at].name == name;
        match index {
            ListIndex::None | ListIndex::All => (0..roots.len()).rev().find(is_it),
            ListIndex::At(at @ 0..) => (0..roots.len()).rev().filter(is_it).nth(at as usize),
            ListIndex::At(at) => (0..roots.len()).filter(is_it).nth((-1 - at) as usize),
        }
    }

    fn field_at(&self, root: u32, name: u32, index: ListIndex) -> Option<usize> {
        let fields = &self.store.fields;
        let is_it = |at: &usize| fields[*at].root == root && fields[*at].name == name;
        match index {
            ListIndex::None | ListIndex::All => (0..fields.len()).rev().find(is_it),
            ListIndex::At(at @ 0..) => (0..fields.len()).rev().filter(is_it).nth(at as usize),
            ListIndex::At(at) => (0..fields.len()).filter(is_it).nth((-1 - at) as usize),
        }
    }

    pub(super) fn field<H: Host>(&mut self, host: &mut H, field: u32) -> Value {
        let place = self.place(host, field);
        let Some(root) = self.root(place.class, place.name, place.index) else {
            return Value::Null;
        };
        let root = self.store.roots[root];
        let Some(name) = place.field else {
            return root.value;
        };
        if place.field_index == ListIndex::All {
            let count = self.store.fields.len();
            return self.join(count, |machine, at| {
                let field = machine.store.fields[count - 1 - at];
                (field.root == root.id && field.name == name).then_some(field.value)
            });
        }
        let found = self.field_at(root.id, name, place.field_index);
        found.map_or(Value::Null, |at| self.store.fields[at].value)
    }

    pub(super) fn count_fields<H: Host>(&mut self, host: &mut H, field: u32) -> i64 {
        let place = self.place(host, field);
        let Some(name) = place.field else {
            let is_it =
                |one: &&super::store::Root| one.class == place.class && one.name == place.name;
            return self.store.roots.iter().filter(is_it).count() as i64;
        };
        let Some(root) = self.root(place.class, place.name, place.index) else {
            return 0;
        };
        let root = self.store.roots[root].id;
        let is_it = |one: &&FieldValue| one.root == root && one.name == name;
        self.store.fields.iter().filter(is_it).count() as i64
    }

    pub(super) fn set_field<H: Host>(&mut self, host: &mut H, field: u32, value: Value) -> bool {
        let place = self.place(host, field);
        self.set_place(place, value)
    }

    pub(in crate::route) fn set_place(&mut self, place: Place, value: Value) -> bool {
        let found = self.root(place.class, place.name, place.index);
        let Some(name) = place.field else {
            return self.set_root(place, found, value);
        };
        // Without an index a new root is made for each value, so that lists of them grow.
        let makes_root = place.index == ListIndex::None && place.class != Class::Xavu;
        let root = match found {
            Some(at) if !makes_root || value.is_null() => self.store.roots[at].id,
            None if place.index != ListIndex::None && place.class != Class::Xavu => return false,
            None if value.is_null() => return false,
            _ => self.store.add_root(place.class, place.name, Value::Null),
        };
        if value.is_null() && place.field_index == ListIndex::All {
            self.store
                .fields
                .retain(|field| field.root != root || field.name != name);
            return true;
        }
        let at = self.field_at(root, name, place.field_index);
        let new = FieldValue { root, name, value };
        match at {
            Some(at) if value.is_null() => {
                self.store.fields.remove(at);
            }
            Some(at) if place.field_index != ListIndex::None || place.class == Class::Xavu => {
                self.store.fields[at] = new;
            }
            None if value.is_null() || is_index(place.field_index) && !makes_root => return false,
            _ => self.store.fields.push(new),
        }
        true
    }

    /// The fields of the first of a name as `a=1;b=2;`, the oldest first.
    pub(in crate::route) fn implode(&mut self, name: TextRef) -> Option<TextRef> {
        let name = self.number_of_name(name);
        let root = self.root(Class::Xavp, name, ListIndex::None)?;
        let root = self.store.roots[root].id;
        let start = self.text.len();
        for at in 0..self.store.fields.len() {
            let FieldValue {
                root: of,
                name,
                value,
            } = self.store.fields[at];
            if of != root {
                continue;
            }
            self.append_name(name);
            self.text.push(b'=');
            self.append_value(value);
            self.text.push(b';');
        }
        Some(self.since(start))
    }

    /// The n-th of a name once more, by another.
    pub(in crate::route) fn copy_fields(&mut self, from: TextRef, index: i64, to: TextRef) -> bool {
        let (from, to) = (self.number_of_name(from), self.number_of_name(to));
        let Some(at) = self.root(Class::Xavp, from, ListIndex::At(index)) else {
            return false;
        };
        let old = self.store.roots[at];
        let new = self.store.add_root(Class::Xavp, to, old.value);
        for at in 0..self.store.fields.len() {
            let field = self.store.fields[at];
            if field.root == old.id {
                self.store.fields.push(FieldValue { root: new, ..field });
            }
        }
        true
    }

    /// Writes all XAVPs to the log.
    pub(in crate::route) fn show_fields<H: Host>(&mut self, host: &mut H) {
        for at in 0..self.store.roots.len() {
            let root = self.store.roots[at];
            let start = self.text.len();
            self.append_name(root.name);
            self.text.push(b'=');
            self.append_value(root.value);
            for at in 0..self.store.fields.len() {
                let field = self.store.fields[at];
                if field.root == root.id {
                    self.text.push(b' ');
                    self.append_name(field.name);
                    self.text.push(b'=');
                    self.append_value(field.value);
                }
            }
            let line = self.since(start);
            host.log(Level::Info, self.bytes(line));
        }
    }

    fn append_name(&mut self, name: u32) {
        let mut shown = self.take_scratch();
        shown.extend_from_slice(self.store.name(&self.program.names, &self.text, name));
        self.text.extend_from_slice(&shown);
        self.give_scratch(shown);
    }

    fn append_value(&mut self, value: Value) {
        match value {
            Value::Null => {}
            Value::Number(number) => write_number(&mut self.text, number),
            Value::Text(text) => self.append(text),
        }
    }

    fn set_root(&mut self, place: Place, found: Option<usize>, value: Value) -> bool {
        let is_replaced = place.index != ListIndex::None || place.class == Class::Xavu;
        match found {
            Some(_) if value.is_null() && place.index == ListIndex::All => {
                while let Some(at) = self.root(place.class, place.name, ListIndex::None) {
                    let id = self.store.roots[at].id;
                    self.store.remove_root(id);
                }
            }
            Some(at) if value.is_null() => {
                let id = self.store.roots[at].id;
                self.store.remove_root(id);
            }
            Some(at) if is_replaced => {
                let id = self.store.roots[at].id;
                self.store.fields.retain(|field| field.root != id);
                self.store.roots[at].value = value;
            }
            None if value.is_null() || place.index != ListIndex::None => return false,
            _ => {
                self.store.add_root(place.class, place.name, value);
            }
        }
        true
    }
}

fn is_index(index: ListIndex) -> bool {
    index != ListIndex::None
}
