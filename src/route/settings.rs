//! What a configuration says outside of its routes.
//!
//! Owns: the values of core parameters and modparams, with the defaults of the tables. They are read by
//! name when the proxy is set up, never for a message.

use std::collections::BTreeMap;

use super::ast::{Config, Item, Value};
use super::parameters::{PARAMETERS, Parameter, ParameterError, Parameters};
use super::table::{MODULES, ModuleParameter, module};

/// The settings of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptSettings {
    /// Where to listen, in the order of the configuration.
    pub listen: Vec<ListenLine>,
    /// Names of our own beside the addresses: `alias`, and `alias_subdomains` of corex with a dot
    /// before it.
    pub aliases: Vec<String>,
    core: BTreeMap<String, Setting>,
    modules: BTreeMap<(&'static str, &'static str), Vec<Setting>>,
}

/// A `listen` line, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenLine {
    /// `udp:127.0.0.1:5060`
    pub address: String,
    /// What Via and Record-Route name instead.
    pub advertise: Option<String>,
    /// Its name for scripts.
    pub name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Setting {
    Number(i64),
    Text(String),
}

impl Setting {
    fn of(value: &Value) -> Self {
        match value {
            Value::Number(number, _) => Self::Number(*number),
            Value::Text(text) => Self::Text(text.value.clone()),
            Value::Word(word) => Self::Text(word.text.clone()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl ScriptSettings {
    /// Those of a configuration.
    pub(super) fn of(config: &Config) -> Self {
        let mut settings = Self::default();
        for item in &config.items {
            match item {
                Item::Listen(listen) => settings.listen.push(ListenLine {
                    address: listen.address.text.clone(),
                    advertise: listen.advertise.as_ref().map(|word| word.text.clone()),
                    name: listen.name.as_ref().map(|text| text.value.clone()),
                }),
                Item::Setting { name, value } if name.text == "alias" => {
                    settings.aliases.push(Setting::of(value).text());
                }
                Item::Setting { name, value } => {
                    settings.core.insert(name.text.clone(), Setting::of(value));
                }
                Item::ModParam {
                    modules,
                    name,
                    value,
                } => settings.modparam(&modules.value, &name.value, value),
                _ => {}
            }
        }
        let subdomains = settings.texts("corex", "alias_subdomains");
        let subdomains = subdomains.iter().map(|name| format!(".{name}"));
        settings.aliases.extend(subdomains);
        settings
    }

    fn modparam(&mut self, modules: &str, name: &str, value: &Value) {
        for of in modules.split('|').map(str::trim) {
            let Some(row) = module(of) else {
                continue;
            };
            if let Some(parameter) = row.parameter(name) {
                let values = self.modules.entry((row.name, parameter.name)).or_default();
                values.push(Setting::of(value));
            }
        }
    }

    /// The number of a core parameter, if it is set.
    pub fn core_number(&self, name: &str) -> Option<i64> {
        match self.core.get(name)? {
            Setting::Number(number) => Some(*number),
            Setting::Text(text) => text.trim().parse().ok(),
        }
    }

    /// Whether messages of our own name the program (`server_signature`), if that is said.
    pub fn names_server(&self) -> Option<bool> {
        self.core_number("server_signature").map(|said| said != 0)
    }

    /// What `User-Agent` of our keepalives says: nothing if nothing is to be said; `None`: what it says
    /// by itself.
    pub fn user_agent(&self) -> Option<String> {
        if self.names_server() == Some(false) {
            return Some(String::new());
        }
        let line = self.core_text("user_agent_header")?;
        let value = line.split_once(':').map_or("", |(_, value)| value);
        Some(value.trim().to_owned())
    }

    /// The text of a core parameter, if it is set.
    pub fn core_text(&self, name: &str) -> Option<String> {
        self.core.get(name).map(Setting::text)
    }

    /// The number of a module's parameter: what is set last, or the table's default.
    pub fn number(&self, module: &str, name: &str) -> i64 {
        self.text(module, name).trim().parse().unwrap_or(0)
    }

    /// The text of a module's parameter: what is set last, or the table's default.
    pub fn text(&self, module: &str, name: &str) -> String {
        let Some((module, row)) = row(module, name) else {
            return String::new();
        };
        let set = self.modules.get(&(module, row.name));
        let last = set.and_then(|values| values.last());
        last.map_or_else(|| row.default.to_owned(), Setting::text)
    }

    /// All that a parameter was set to, if it may be set several times.
    pub fn texts(&self, module: &str, name: &str) -> Vec<String> {
        let found =
            row(module, name).and_then(|(module, row)| self.modules.get(&(module, row.name)));
        found.map_or_else(Vec::new, |values| {
            values.iter().map(Setting::text).collect()
        })
    }

    /// Whether a module's parameter is set at all.
    pub fn is_set(&self, module: &str, name: &str) -> bool {
        row(module, name)
            .is_some_and(|(module, row)| self.modules.contains_key(&(module, row.name)))
    }

    /// `base` with what the configuration says of the dispatcher. Where it says nothing Kamailio's
    /// defaults hold: so there are no keepalives unless they are asked for.
    pub fn parameters(&self, base: &Parameters) -> Result<Parameters, ParameterError> {
        let mut parameters = base.clone();
        for row in PARAMETERS
            .iter()
            .filter(|row| row_of_dispatcher(row).is_some())
        {
            let value = self.text("dispatcher", row.name);
            // Calls are always counted: what is not asked for costs nothing.
            if row.name == "ds_hash_size" && value == "0" {
                continue;
            }
            row.set(&value, &mut parameters)?;
        }
        Ok(parameters)
    }
}

fn row(of: &str, name: &str) -> Option<(&'static str, &'static ModuleParameter)> {
    let module = MODULES.iter().find(|row| row.name == of)?;
    Some((module.name, module.parameter(name)?))
}

fn row_of_dispatcher(row: &Parameter) -> Option<&'static ModuleParameter> {
    module("dispatcher")?.parameter(row.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::Settings;
    use crate::route::check;

    fn settings(text: &str) -> ScriptSettings {
        let read = |_: &str| Ok(text.as_bytes().to_vec());
        let checked = check("test.cfg", &[], &read).expect("readable");
        let shown = checked.report.render(&checked.sources, false);
        assert!(!checked.report.has_errors(), "{shown}");
        ScriptSettings::of(&checked.config)
    }

    #[test]
    fn what_is_said_is_known_and_all_else_is_as_the_table_says() {
        let settings = settings(
            r#"listen=udp:127.0.0.1:5060 advertise 192.0.2.1:5070 name "inside"
listen=127.0.0.2
alias="example.com"
server_header="Server: me"
max_branches=3
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "corex.so"
modparam("tm", "fr_timer", 5000)
modparam("corex", "alias_subdomains", "example.org")
request_route { exit; }
"#,
        );
        assert_eq!(settings.listen.len(), 2);
        assert_eq!(settings.listen[0].address, "udp:127.0.0.1:5060");
        assert_eq!(
            settings.listen[0].advertise.as_deref(),
            Some("192.0.2.1:5070")
        );
        assert_eq!(settings.listen[0].name.as_deref(), Some("inside"));
        assert_eq!(settings.aliases, ["example.com", ".example.org"]);
        assert_eq!(
            settings.core_text("server_header").as_deref(),
            Some("Server: me")
        );
        assert_eq!(settings.core_number("max_branches"), Some(3));
        assert_eq!(settings.core_number("force_rport"), None);
        assert_eq!(settings.number("tm", "fr_timer"), 5000);
        assert_eq!(settings.number("tm", "fr_inv_timer"), 120_000);
        assert_eq!(
            settings.text("tm", "default_reason"),
            "Server Internal Error"
        );
        assert!(settings.is_set("tm", "fr_timer") && !settings.is_set("rr", "append_fromtag"));
    }

    #[test]
    fn dispatcher_parameters_are_those_of_the_configuration() {
        let settings = settings(
            r#"loadmodule "tm.so"
loadmodule "dispatcher.so"
modparam("dispatcher", "list_file", "/tmp/x.list")
modparam("dispatcher", "ds_probing_threshhold", 3)
modparam("dispatcher", "ds_ping_method", "INFO")
modparam("dispatcher", "ds_hash_size", 9)
request_route { exit; }
"#,
        );
        let parameters = settings.parameters(&Parameters::default()).expect("good");
        assert_eq!(parameters.list_file().to_str(), Some("/tmp/x.list"));
        let probing = parameters.probing();
        assert_eq!(probing.thresholds.down, 3);
        assert_eq!(probing.method, "INFO");
        assert!(probing.interval.is_zero(), "Kamailio's default");
    }

    #[test]
    fn calls_are_counted_without_a_hash_size() {
        let hash_size = |line: &str| {
            let settings = settings(&format!(
                "loadmodule \"dispatcher.so\"\n{line}\nrequest_route {{ exit; }}\n"
            ));
            let parameters = settings.parameters(&Parameters::default()).expect("good");
            parameters.settings(Settings::default()).call_load.hash_size
        };
        let line = |value: u32| format!("modparam(\"dispatcher\", \"ds_hash_size\", {value})");
        assert_eq!(hash_size(""), 16);
        assert_eq!(hash_size(&line(0)), 16);
        assert_eq!(hash_size(&line(9)), 9);
    }

    #[test]
    fn wrong_names_are_nothing() {
        let settings = ScriptSettings::default();
        assert_eq!(settings.number("tm", "nope"), 0);
        assert_eq!(settings.text("nope", "nope"), "");
    }
}
