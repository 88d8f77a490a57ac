//! The RPC methods: one table, served over every transport.
//!
//! Owns: names, help and answers of methods. To add one: a row in [`METHODS`] and its function. May
//! touch: the [`Director`]. Texts of answers and faults, names and order of members are the peers',
//! because scripts read them.

mod core;
mod dispatcher;
mod sipshard;
#[cfg(test)]
mod tests;

use super::director::Director;
use super::value::{Fault, Value};

/// The values of a reply, or why there are none.
pub type Answer = Result<Vec<Value>, Fault>;

/// One method.
pub struct Method {
    /// Its name: `group.method`.
    pub name: &'static str,
    /// Its parameters, for people.
    pub parameters: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    run: fn(&Director, Arguments<'_>) -> Answer,
}

/// All methods, by name.
pub const METHODS: &[Method] = &[
    Method {
        name: "core.uptime",
        parameters: "",
        help: "Returns uptime of SIP server.",
        run: core::uptime,
    },
    Method {
        name: "core.version",
        parameters: "",
        help: "Returns the version string of the server.",
        run: core::version,
    },
    Method {
        name: "dispatcher.list",
        parameters: "[short|full]",
        help: "Return the content of dispatcher sets",
        run: dispatcher::list,
    },
    Method {
        name: "dispatcher.ping_active",
        parameters: "[0|1]",
        help: "Manage setting on/off the pinging (keepalive) of destinations",
        run: dispatcher::ping_active,
    },
    Method {
        name: "dispatcher.reload",
        parameters: "",
        help: "Reload dispatcher destination sets",
        run: dispatcher::reload,
    },
    Method {
        name: "dispatcher.set_state",
        parameters: "STATE GROUP ADDRESS|all",
        help: "Set the state of a destination by address",
        run: dispatcher::set_state,
    },
    Method {
        name: "sipshard.counters",
        parameters: "",
        help: "What was counted since the start: messages, answers, failovers, scripts that were stopped",
        run: sipshard::counters,
    },
    Method {
        name: "sipshard.latency",
        parameters: "[reset]",
        help: "How long messages were in each stage, by kind, in microseconds; reset begins anew",
        run: sipshard::latency,
    },
    Method {
        name: "sipshard.steering",
        parameters: "",
        help: "How the kernel brings datagrams to the shards, and what had to be handed over",
        run: sipshard::steering,
    },
    Method {
        name: "system.listMethods",
        parameters: "",
        help: "Lists all RPC methods supported by the server.",
        run: core::list_methods,
    },
    Method {
        name: "system.methodHelp",
        parameters: "METHOD",
        help: "Print the help string for given method.",
        run: core::method_help,
    },
];

impl Method {
    /// The method of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.name == name)
    }
}

/// Calls a method by its name. More arguments than it takes are ignored, as the peers do.
pub fn call(director: &Director, name: &str, arguments: &[Value]) -> Answer {
    let Some(method) = Method::find(name) else {
        return Err(Fault::failed(format!("command {name} not found")));
    };
    (method.run)(director, Arguments(arguments))
}

/// The arguments of a call, by their position from 0.
#[derive(Clone, Copy)]
struct Arguments<'a>(&'a [Value]);

impl<'a> Arguments<'a> {
    fn get(self, index: usize) -> Option<&'a Value> {
        self.0.get(index)
    }

    fn text(self, index: usize) -> Option<&'a str> {
        match self.get(index)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number, or a text that is one: not every client can send numbers.
    fn number(self, index: usize) -> Option<i64> {
        match self.get(index)? {
            Value::Int(number) => Some(*number),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}
