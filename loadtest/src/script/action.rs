//! What actions do.

use sipshard::time::Timestamp;

use super::actor::Core;
use super::call::{Call, Setting, Value, header};
use super::digest::is_right;
use super::program::{Action, Comparison, Operand, SearchIn, Sum};
use super::report::Cause;
use super::text::Text;

impl Core {
    /// Does the actions of a step; the call has failed if one says so.
    pub fn act(&mut self, slot: usize, index: usize, now: Timestamp) -> Result<(), Cause> {
        let program = self.program.clone();
        for action in &program.steps[index].actions {
            match action {
                Action::Log { text, warns } => {
                    let line = self.text(slot, index, now, text);
                    let line = String::from_utf8_lossy(&line);
                    eprintln!("{line}");
                    if *warns {
                        self.errors.add(now, || line.into_owned(), b"");
                    }
                }
                Action::Assign(variable, text) => {
                    let value = Value::Text(self.text(slot, index, now, text));
                    self.calls[slot].variables[*variable] = value;
                }
                Action::CompareText(to, variable, text) => {
                    let other = self.text(slot, index, now, text);
                    let variables = &mut self.calls[slot].variables;
                    let order = text_of(&variables[*variable]).cmp(&other) as i8;
                    variables[*to] = Value::Number(f64::from(order));
                }
                Action::Verify(to, username, password) => {
                    let username = self.text(slot, index, now, username);
                    let password = self.text(slot, index, now, password);
                    let call = &mut self.calls[slot];
                    let holds = is_sent_by(call, &username, &password);
                    call.variables[*to] = Value::Truth(holds);
                }
                Action::StopCall => return Err(Cause::Stopped),
                Action::StopAll => self.stop_all(),
                Action::Search {
                    regex,
                    within,
                    check,
                    assign,
                } => search(&mut self.calls[slot], regex, within, *check, assign)?,
                other => calculate(&mut self.calls[slot].variables, other, now)?,
            }
        }
        Ok(())
    }

    fn text(&self, slot: usize, step: usize, now: Timestamp, text: &Text) -> Vec<u8> {
        let setting = Setting {
            fixed: &self.config.fixed,
            step,
            now,
            branch: None,
            chance: 0,
        };
        let mut out = Vec::new();
        text.write(&self.calls[slot], &setting, &mut out);
        out
    }
}

/// Whether the last message, a request, has credentials that prove who sent it.
fn is_sent_by(call: &Call, username: &[u8], password: &[u8]) -> bool {
    let method = call.last.split(|byte| *byte == b' ').next();
    [&b"Authorization"[..], b"Proxy-Authorization"]
        .into_iter()
        .filter_map(|name| header(&call.last, name, 1))
        .any(|value| is_right(value, username, password, method.unwrap_or_default()))
}

/// Actions that only concern variables.
fn calculate(variables: &mut [Value], action: &Action, now: Timestamp) -> Result<(), Cause> {
    match action {
        Action::Calculate(to, sum, operand) => {
            let own = variables[*to].number();
            let other = value_of(variables, *operand);
            variables[*to] = Value::Number(match sum {
                Sum::Set => other,
                Sum::Add => own + other,
                Sum::Subtract => own - other,
                Sum::Multiply => own * other,
                Sum::Divide if other == 0.0 => return Err(Cause::TestFailed),
                Sum::Divide => own / other,
            });
        }
        Action::ToNumber(to, from) => {
            variables[*to] = Value::Number(variables[*from].number());
        }
        Action::Test(to, left, comparison, right, check) => {
            let (left, right) = (value_of(variables, *left), value_of(variables, *right));
            let holds = compares(left, *comparison, right);
            variables[*to] = Value::Truth(holds);
            match check {
                Some(true) if !holds => return Err(Cause::TestFailed),
                Some(false) if holds => return Err(Cause::TestHeld),
                _ => {}
            }
        }
        Action::Trim(variable) => {
            if let Value::Text(text) = &mut variables[*variable] {
                *text = text.trim_ascii().to_vec();
            }
        }
        Action::Time(seconds, micros) => {
            let nanos = now.as_nanos();
            variables[*seconds] = Value::Number((nanos / 1_000_000_000) as f64);
            variables[*micros] = Value::Number((nanos / 1_000 % 1_000_000) as f64);
        }
        // The others need more than variables.
        _ => {}
    }
    Ok(())
}

/// The value of a variable as text.
fn text_of(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(text) => text.clone(),
        Value::Unset => Vec::new(),
        value => value.number().to_string().into_bytes(),
    }
}

fn value_of(variables: &[Value], operand: Operand) -> f64 {
    match operand {
        Operand::Number(number) => number,
        Operand::Variable(variable) => variables[variable].number(),
    }
}

/// Numbers that differ by less than this are equal: they may come from a division.
const SAME: f64 = 1e-9;

fn compares(left: f64, comparison: Comparison, right: f64) -> bool {
    let equal = (left - right).abs() < SAME;
    match comparison {
        Comparison::Equal => equal,
        Comparison::NotEqual => !equal,
        Comparison::Greater => left > right && !equal,
        Comparison::Less => left < right && !equal,
        Comparison::GreaterEqual => left > right || equal,
        Comparison::LessEqual => left < right || equal,
    }
}

fn search(
    call: &mut Call,
    regex: &regex::bytes::Regex,
    within: &SearchIn,
    check: Option<bool>,
    assign: &[usize],
) -> Result<(), Cause> {
    let found: Option<Vec<Option<Vec<u8>>>> = {
        let variable;
        let text = match within {
            SearchIn::Message => call.last.as_slice(),
            SearchIn::Body => {
                let end = call
                    .last
                    .windows(4)
                    .position(|window| window == b"\r\n\r\n");
                end.map_or(&[][..], |end| &call.last[end + 4..])
            }
            SearchIn::Header(name, number) => match header(&call.last, name, *number) {
                Some(value) => value,
                None if check == Some(true) => return Err(Cause::RegexpNoHeader),
                None => return Ok(()),
            },
            SearchIn::Variable(index) => {
                variable = text_of(&call.variables[*index]);
                &variable
            }
        };
        regex.captures(text).map(|found| {
            let groups = found.iter();
            groups
                .map(|group| group.map(|group| group.as_bytes().to_vec()))
                .collect()
        })
    };
    match (&found, check) {
        (None, Some(true)) => return Err(Cause::RegexpNoMatch),
        (Some(_), Some(false)) => return Err(Cause::RegexpMatch),
        _ => {}
    }
    if let Some(groups) = found {
        for (variable, group) in assign.iter().zip(groups) {
            call.variables[*variable] = group.map_or(Value::Unset, Value::Text);
        }
    }
    Ok(())
}
