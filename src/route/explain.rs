//! What the tables say of a name: `sipshard check --explain NAME`.

use std::fmt::Write as _;

use super::nearest::nearest;
use super::table::{
    CORE_PARAMETERS, CoreParameter, Effect, MODULES, ModuleParameter, Support, TRANSFORMATIONS,
    VARIABLES, ValueKind, function, functions, module, module_of, variable,
};
use super::{PARAMETERS, Parameter};

/// All that is known of a name; the error says what may have been meant. A `$` before it leaves
/// pseudo-variables only; `{s.len}` is a transformation.
pub fn explain(name: &str) -> Result<String, String> {
    let mut out = String::new();
    let bare = name.trim_matches(|c| matches!(c, '$' | '{' | '}' | '(' | ')'));
    if !name.starts_with(['$', '{']) {
        explain_functions(bare, &mut out);
        explain_modules(bare, &mut out);
        explain_parameters(bare, &mut out);
    }
    if let Some(row) = variable(bare) {
        let access = if row.is_writable {
            "read and set"
        } else {
            "read"
        };
        let _ = writeln!(out, "${bare}: pseudo-variable, {access}\n    {}", row.help);
    }
    for row in TRANSFORMATIONS {
        if format!("{}.{}", row.class, row.name) == bare {
            let _ = writeln!(out, "{{{bare}}}: transformation\n    {}", row.help);
        }
    }
    if out.is_empty() {
        return Err(unknown(name, bare));
    }
    Ok(out)
}

fn explain_functions(name: &str, out: &mut String) {
    for row in function(name) {
        let of = match row.modules {
            [] => "the core".to_owned(),
            modules => modules.join(" or "),
        };
        let _ = writeln!(out, "{row}: function of {of}\n    {}", row.help);
        for argument in row.required.iter().chain(row.optional) {
            let _ = writeln!(out, "    {}: {}", argument.name, argument.kind.expected());
        }
        let _ = writeln!(out, "    can be called in {}", row.routes);
    }
}

fn explain_modules(name: &str, out: &mut String) {
    let Some(row) = module(name) else {
        return;
    };
    let _ = writeln!(out, "{name}: module\n    {}", row.help);
    match row.support {
        Support::BuiltIn => {
            let parameters: Vec<_> = row.parameters.iter().map(|row| row.name).collect();
            let of_module = functions().filter(|function| function.modules.contains(&name));
            let functions: Vec<_> = of_module.map(|function| function.name).collect();
            for (what, names) in [("parameters", parameters), ("functions", functions)] {
                if !names.is_empty() {
                    let _ = writeln!(out, "    {what}: {}", names.join(", "));
                }
            }
        }
        Support::Accepted(why) => {
            let _ = writeln!(out, "    does nothing here: {why}");
        }
    }
}

fn explain_parameters(name: &str, out: &mut String) {
    if let Some(row) = CoreParameter::find(name) {
        let _ = writeln!(out, "{name}: core parameter\n    {}", row.help);
        explain_effect(row.effect, out);
    }
    for of in MODULES {
        if let Some(row) = of.parameter(name) {
            explain_module_parameter(of.name, row, out);
        }
    }
    if let Ok(row) = Parameter::find(name) {
        let default = row.default_value();
        let _ = writeln!(
            out,
            "-P {}={}: parameter of the command line\n    {}\n    default: {}",
            row.name,
            row.form(),
            row.help,
            if default.is_empty() { "none" } else { &default },
        );
    }
}

fn explain_module_parameter(module: &str, row: &ModuleParameter, out: &mut String) {
    let value = match row.kind {
        ValueKind::Number | ValueKind::Truth => "NUMBER",
        ValueKind::Text | ValueKind::Address => "\"TEXT\"",
    };
    let name = row.name;
    let _ = writeln!(
        out,
        "modparam(\"{module}\", \"{name}\", {value})\n    {}",
        row.help
    );
    if value == "NUMBER" && row.range.0 != i64::from(i32::MIN) {
        let _ = writeln!(out, "    from {} to {}", row.range.0, row.range.1);
    }
    let default = if row.default.is_empty() {
        "none"
    } else {
        row.default
    };
    let _ = writeln!(out, "    default: {default}");
    for (when, what) in row.once {
        let _ = writeln!(out, "    in {when}: {what}");
    }
    for alias in row.aliases {
        let _ = writeln!(out, "    also: {alias}");
    }
    explain_effect(row.effect, out);
}

fn explain_effect(effect: Effect, out: &mut String) {
    let _ = match effect {
        Effect::Used => Ok(()),
        Effect::Accepted(why) => writeln!(out, "    means nothing here: {why}"),
        Effect::MustBe(only) => writeln!(out, "    can only be {only} here"),
        Effect::Unsupported => writeln!(out, "    not supported"),
    };
}

fn unknown(name: &str, bare: &str) -> String {
    if let Some(module) = module_of(bare) {
        let of = if module.is_empty() {
            "the core"
        } else {
            module
        };
        return format!("{name} is a function of Kamailio's {of} that sipshard does not have");
    }
    let known = functions().map(|row| row.name);
    let known = known.chain(CORE_PARAMETERS.iter().map(|row| row.name));
    let of_modules = MODULES.iter().flat_map(|row| row.parameters);
    let known = known.chain(of_modules.map(|row| row.name));
    let known = known.chain(PARAMETERS.iter().map(|row| row.name));
    let known = known.chain(MODULES.iter().map(|row| row.name));
    let known = known.chain(
        VARIABLES
            .iter()
            .map(|row| row.name)
            .filter(|one| one.len() > 3),
    );
    match nearest(bare, known) {
        Some(nearest) => format!("nothing is called {name}; did you mean {nearest}?"),
        None => format!("nothing is called {name}"),
    }
}
