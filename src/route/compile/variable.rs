//! Variables: whose they are, and by which number.

use super::Compiler;
use super::settings::avp_key;
use crate::route::diagnostic::Diagnostic;
use crate::route::host::{CHOSEN, CHOSEN_AVP, CHOSEN_COUNT, CHOSEN_FIELDS};
use crate::route::program::{
    self, Class, Field, Index, InnerSource, Name, Slot, Source, Stretch, Time, VariableId,
};
use crate::route::source::Span;
use crate::route::table::{self, InnerKind};
use crate::route::transform::{Change, Given, Step, change};
use crate::route::value::{Value, number_of};
use crate::route::variable::{self, Transformation, Variable};

impl Compiler<'_> {
    pub(super) fn variable(&mut self, variable: &Variable, span: Span) -> VariableId {
        let (source, index) = match variable.name.as_str() {
            "xavp" => self.field(Class::Xavp, variable.inner().unwrap_or_default(), span),
            "xavu" => self.field(Class::Xavu, variable.inner().unwrap_or_default(), span),
            "xavi" => self.field(Class::Xavi, variable.inner().unwrap_or_default(), span),
            _ => (self.source(variable, span), Index::None),
        };
        let index = match &variable.index {
            None => index,
            Some(variable::Index::At(at)) => Index::At(*at),
            Some(variable::Index::All) => Index::All,
            Some(variable::Index::Of(of)) => Index::Of(self.variable(of, span)),
        };
        let steps: Vec<Step> = variable
            .transformations
            .iter()
            .filter_map(|one| self.step(one, span))
            .collect();
        let stretch = Stretch {
            start: self.program.steps.len() as u32,
            length: steps.len() as u32,
        };
        self.program.steps.extend(steps);
        self.program.variables.push(program::Variable {
            source,
            index,
            steps: stretch,
        });
        VariableId(self.program.variables.len() as u32 - 1)
    }

    fn source(&mut self, variable: &Variable, span: Span) -> Source {
        let inner = variable.inner().unwrap_or_default();
        match variable.name.as_str() {
            "null" => Source::Null,
            "rc" | "retcode" | "?" => Source::Code,
            class @ ("var" | "vn" | "vz") => Source::Slot(self.slot(class, inner)),
            "shv" => Source::Shared(self.shared(inner)),
            "avp" => self.avp(inner, span),
            "sf" => Source::ScriptFlags { is_hex: false },
            "sF" => Source::ScriptFlags { is_hex: true },
            "_s" => Source::Format(self.format(inner, span)),
            "cnt" => match Variable::parse(inner) {
                Ok(of) => Source::Count(self.variable(&of, span)),
                Err(_) => Source::Null,
            },
            "Ts" | "TS" => Source::Time(Time::Seconds),
            "Tf" | "TF" => Source::Time(Time::Text),
            "TV" => Source::Time(match inner {
                "s" => Time::Seconds,
                "u" => Time::Microseconds,
                _ => Time::Both,
            }),
            "time" | "utime" => date(variable, inner),
            "def" | "defn" => self.define(&variable.name, inner),
            "pp" => Source::Constant(Value::Number(0)),
            "version" => Source::Constant(match inner {
                "num" => Value::Text(self.text(env!("CARGO_PKG_VERSION").as_bytes())),
                "full" => {
                    let full = concat!("sipshard ", env!("CARGO_PKG_VERSION"));
                    Value::Text(self.text(full.as_bytes()))
                }
                _ => Value::Null,
            }),
            _ => self.of_host(variable, span),
        }
    }

    /// The value of a `#!define`, as a text or a number.
    fn define(&mut self, name: &str, inner: &str) -> Source {
        let Some(value) = self.defines.get(inner).cloned() else {
            return Source::Null;
        };
        Source::Constant(if name == "defn" {
            Value::Number(number_of(value.trim().as_bytes()).unwrap_or(0))
        } else {
            Value::Text(self.text(value.as_bytes()))
        })
    }

    fn of_host(&mut self, variable: &Variable, span: Span) -> Source {
        let Some(number) = self.host_variable(&variable.name) else {
            let message = format!("${} cannot be used yet", variable.name);
            let help = table::variable(&variable.name).map_or("", |row| row.help);
            self.report
                .push(Diagnostic::error(span, message).help(help));
            return Source::Null;
        };
        let row = table::variable(&variable.name);
        let inner = match (row.map(|row| row.inner), variable.inner()) {
            (None | Some(InnerKind::None), _) | (_, None) => InnerSource::None,
            (Some(InnerKind::OneOf(words)), Some(inner)) => {
                if inner.contains('$') {
                    InnerSource::WordOf(self.format(inner, span), words)
                } else {
                    let word = words.iter().position(|word| *word == inner);
                    word.map_or(InnerSource::None, |word| InnerSource::Word(word as u16))
                }
            }
            (Some(InnerKind::Variable), Some(inner)) => match Variable::parse(inner) {
                Ok(of) => InnerSource::Variable(self.variable(&of, span)),
                Err(_) => InnerSource::None,
            },
            (Some(_), Some(inner)) if inner.contains('$') => {
                InnerSource::Format(self.format(inner, span))
            }
            (Some(_), Some(inner)) => InnerSource::Text {
                text: self.text(inner.as_bytes()),
                key: (self.prepare)(number, inner.as_bytes()),
            },
        };
        Source::Host {
            variable: number,
            inner,
        }
    }

    pub(super) fn slot(&mut self, class: &str, name: &str) -> u16 {
        let key = (class.to_owned(), name.to_owned());
        let slots = &mut self.program.slots;
        *self.slots.entry(key).or_insert_with(|| {
            let can_be_null = class == "vn";
            slots.push(Slot {
                can_be_null,
                first: if can_be_null {
                    Value::Null
                } else {
                    Value::Number(0)
                },
            });
            (slots.len() - 1) as u16
        })
    }

    pub(super) fn shared(&mut self, name: &str) -> u16 {
        let shared = &mut self.program.shared;
        let entry = self.shared.entry(name.to_owned());
        *entry.or_insert_with(|| shared.add())
    }

    /// `name`, `s:name` and `i:5`; case does not matter.
    fn avp(&mut self, inner: &str, span: Span) -> Source {
        if inner.contains('$') {
            return Source::Avp(Name::Of {
                format: self.format(inner, span),
                ignores_case: true,
            });
        }
        let name = avp_key(inner);
        if let Some(word) = self.chosen_avps.get(&name)
            && let Some(variable) = self.host_variable(CHOSEN_AVP)
        {
            return Source::Host {
                variable,
                inner: InnerSource::Word(*word),
            };
        }
        Source::Avp(Name::Known(self.program.names.add(name.as_bytes())))
    }

    fn host_variable(&self, name: &str) -> Option<u16> {
        let found = self.host_variables.iter().position(|one| *one == name);
        found.map(|at| at as u16)
    }

    fn name(&mut self, class: Class, name: &str, span: Span) -> Name {
        if name.contains('$') {
            return Name::Of {
                format: self.format(name, span),
                ignores_case: class == Class::Xavi,
            };
        }
        let name = if class == Class::Xavi {
            name.to_ascii_lowercase()
        } else {
            name.to_owned()
        };
        Name::Known(self.program.names.add(name.as_bytes()))
    }

    /// `name[index]=>field[index]`
    fn field(&mut self, class: Class, inner: &str, span: Span) -> (Source, Index) {
        let (root, field) = match inner.split_once("=>") {
            Some((root, field)) => (root, Some(field)),
            None => (inner, None),
        };
        let (root, index) = self.indexed(root, span);
        if class == Class::Xavp
            && let Some(source) = self.chosen(root, field)
        {
            return (source, index);
        }
        let name = self.name(class, root, span);
        let (field, field_index) = match field.map(|field| self.indexed(field, span)) {
            Some((field, index)) => (Some(self.name(class, field, span)), index),
            None => (None, Index::None),
        };
        self.program.fields.push(Field {
            class,
            name,
            index,
            member: field,
            member_index: field_index,
        });
        let field = Source::Field(self.program.fields.len() as u32 - 1);
        (field, Index::None)
    }

    /// What the host answers for: the chosen destinations, and how many there are.
    fn chosen(&self, root: &str, field: Option<&str>) -> Option<Source> {
        let field = field.map(str::trim);
        if self.is_chosen_count(root, field) {
            let variable = self.host_variable(CHOSEN_COUNT)?;
            let inner = InnerSource::None;
            return Some(Source::Host { variable, inner });
        }
        if root != self.chosen {
            return None;
        }
        let variable = self.host_variable(CHOSEN)?;
        let name = field.map(|field| field.split('[').next().unwrap_or(field));
        let word = name.and_then(|name| CHOSEN_FIELDS.iter().position(|one| *one == name));
        let inner = match (name, word) {
            (None, _) => InnerSource::None,
            (_, Some(word)) => InnerSource::Word(word as u16),
            // There is no such field.
            (Some(_), None) => InnerSource::Word(u16::MAX),
        };
        Some(Source::Host { variable, inner })
    }

    /// A name and the index behind it.
    fn indexed<'t>(&mut self, text: &'t str, span: Span) -> (&'t str, Index) {
        let text = text.trim();
        let Some((name, index)) = text.strip_suffix(']').and_then(|text| text.split_once('['))
        else {
            return (text, Index::None);
        };
        let index = match index.trim() {
            "*" => Index::All,
            of if of.starts_with('$') => match Variable::parse(of) {
                Ok(of) => Index::Of(self.variable(&of, span)),
                Err((_, message)) => {
                    self.error(span, message);
                    Index::None
                }
            },
            number => {
                if let Ok(number) = number.parse() {
                    Index::At(number)
                } else {
                    self.error(span, "an index is a number, * or a pseudo-variable");
                    Index::None
                }
            }
        };
        (name.trim_end(), index)
    }

    fn step(&mut self, one: &Transformation, span: Span) -> Option<Step> {
        if (one.class.as_str(), one.name.as_str()) == ("re", "subst") {
            let text = one.arguments.join(",");
            let substitution = self.substitution(&text, span)?;
            return Some(Step {
                change: Change::Substitute(substitution),
                arguments: [Given::Missing; 2],
            });
        }
        let Some(change) = change(&one.class, &one.name) else {
            let message = format!("{{{}.{}}} cannot be used yet", one.class, one.name);
            self.error(span, message);
            return None;
        };
        let mut arguments = [Given::Missing; 2];
        for (given, text) in arguments.iter_mut().zip(&one.arguments) {
            *given = if text.starts_with('$') {
                match Variable::parse(text.trim_end()) {
                    Ok(variable) => Given::Variable(self.variable(&variable, span)),
                    Err((_, message)) => {
                        self.error(span, message);
                        return None;
                    }
                }
            } else {
                Given::Text(self.text(text.as_bytes()))
            };
        }
        Some(Step { change, arguments })
    }
}

fn date(variable: &Variable, inner: &str) -> Source {
    let words = match table::variable(&variable.name).map(|row| row.inner) {
        Some(InnerKind::OneOf(words)) => words,
        _ => &[],
    };
    let part = words.iter().position(|word| *word == inner).unwrap_or(0);
    Source::Time(Time::Part {
        is_utc: variable.name == "utime",
        part: part as u8,
    })
}
