//! Functions that need no message: variables, fields, and lines of the log.
//!
//! Owns: what they do. The table says how they are called.

use super::host::{Argument, Host, Level, Outcome};
use super::machine::Machine;
use super::value::TextRef;

/// A function of the machine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnFunction {
    /// `xlog` and its like, at a level if none is given.
    Log(Level),
}

/// The machine's function of a name.
pub(super) fn own_function(name: &str) -> Option<OwnFunction> {
    Some(match name {
        "xlog" | "xerr" => OwnFunction::Log(Level::Error),
        "xinfo" => OwnFunction::Log(Level::Info),
        _ => return None,
    })
}

impl Machine {
    pub(super) fn own<H: Host>(
        &mut self,
        host: &mut H,
        function: OwnFunction,
        arguments: &[Argument],
        _line: u32,
    ) -> Outcome {
        match function {
            OwnFunction::Log(level) => self.log(host, level, arguments),
        }
    }

    /// The text is the last argument; a level may stand before it.
    fn log<H: Host>(&mut self, host: &mut H, level: Level, arguments: &[Argument]) -> Outcome {
        let level = arguments
            .iter()
            .find_map(|argument| match argument {
                Argument::Level(level) => Some(*level),
                _ => None,
            })
            .unwrap_or(level);
        let Some(text) = arguments.last().and_then(|text| text.text()) else {
            return Outcome::FALSE;
        };
        let prefix = self.program().log_prefix;
        let prefix = prefix.map_or(TextRef::EMPTY, |prefix| self.format(host, prefix));
        let mut line = self.take_scratch();
        line.extend_from_slice(self.bytes(prefix));
        line.extend_from_slice(self.bytes(text));
        host.log(level, &line);
        self.give_scratch(line);
        Outcome::TRUE
    }
}
