//! Known traps: configurations that run, and not as they were meant.

use std::collections::BTreeSet;

use super::Checker;
use crate::dispatch::SetId;
use crate::dispatch::list::{List, parse};
use crate::route::ast::{
    Call, CaseLabel, Expression, ExpressionKind, RouteKind, Statement, StatementKind, Value,
};
use crate::route::diagnostic::Diagnostic;
use crate::route::source::ReadFile;

/// Slots of the table by which algorithms 9 and 11 choose.
const WEIGHT_SLOTS: u32 = 100;

/// A choice of a destination, as far as it is constant.
struct Choice<'a> {
    call: &'a Call,
    set: Option<SetId>,
    algorithm: Option<i64>,
}

impl<'a> Checker<'a> {
    pub(super) fn lints(&mut self, read: ReadFile<'_>) {
        let config = self.config;
        let mut calls = Vec::new();
        for (index, route) in config.routes.iter().enumerate() {
            walk(&route.body, &mut |expression| {
                if let ExpressionKind::Call(call) = &expression.kind {
                    calls.push((index, call));
                }
            });
        }
        let choices: Vec<_> = calls.iter().filter_map(|(_, call)| choice(call)).collect();
        let list = self.list(read);
        for choice in &choices {
            self.uncounted(choice, list.as_ref());
            self.weights(choice, list.as_ref());
        }
        let next: Vec<_> = calls
            .iter()
            .filter(|(_, call)| matches!(call.name.text.as_str(), "ds_next_dst" | "ds_next_domain"))
            .collect();
        for (_, call) in &next {
            self.no_failover_list(call, &choices);
        }
        if !next.is_empty() && choices.iter().any(|one| one.algorithm == Some(10)) {
            self.load_unset_before_failover(&calls);
        }
    }

    /// The number of a dispatcher parameter that was set.
    fn number(&self, name: &'static str) -> Option<i64> {
        match self.parameters.get(&("dispatcher", name))? {
            Value::Number(number, _) => Some(*number),
            Value::Text(_) | Value::Word(_) => None,
        }
    }

    /// The destinations, if their file is there.
    fn list(&mut self, read: ReadFile<'_>) -> Option<List> {
        let Some(Value::Text(path)) = self.parameters.get(&("dispatcher", "list_file")) else {
            return None;
        };
        match read(&path.value).map(|bytes| parse(&bytes)) {
            Ok(Ok(list)) => Some(list),
            Ok(Err(error)) => {
                let message = format!("the list of destinations is broken: {error}");
                self.report.push(Diagnostic::warning(path.span, message));
                None
            }
            Err(error) => {
                let message = format!("destinations are not looked at: {error}");
                self.report.push(Diagnostic::note(path.span, message));
                None
            }
        }
    }

    /// Algorithm 10 counts calls of destinations with a duid, in a table.
    fn uncounted(&mut self, choice: &Choice<'_>, list: Option<&List>) {
        if choice.algorithm != Some(10) {
            return;
        }
        let span = choice.call.name.span;
        if self.number("ds_hash_size").unwrap_or(0) == 0 {
            let message = "ds_hash_size is 0: Kamailio counts no calls for algorithm 10 then";
            let warning = Diagnostic::warning(span, message)
                .label("here calls are counted, and maxload holds")
                .help("say so for both: modparam(\"dispatcher\", \"ds_hash_size\", 8)");
            self.report.push(warning);
        }
        let Some((set, list)) = choice.set.zip(list) else {
            return;
        };
        let in_set = || list.entries.iter().filter(|one| one.entry.set == set);
        let lacking: Vec<_> = in_set()
            .filter(|one| one.entry.attributes.duid.is_none())
            .map(|one| format!("line {}: {}", one.line, one.entry.uri))
            .collect();
        if !lacking.is_empty() {
            let all = in_set().count();
            let message = format!(
                "algorithm 10: {} of {all} destinations of set {set} have no duid; their calls are not counted",
                lacking.len()
            );
            let warning = Diagnostic::warning(span, message).help(lacking.join("; "));
            self.report.push(warning);
        }
    }

    /// Algorithms 9 and 11 choose by a table of 100 slots.
    fn weights(&mut self, choice: &Choice<'_>, list: Option<&List>) {
        let Some((set, list)) = choice.set.zip(list) else {
            return;
        };
        let in_set = list.entries.iter().filter(|one| one.entry.set == set);
        let attributes = in_set.map(|one| &one.entry.attributes);
        let span = choice.call.name.span;
        let weights: Vec<u32> = match choice.algorithm {
            Some(9) => attributes.map(|one| one.weight).collect(),
            Some(11) => attributes.map(|one| one.rweight).collect(),
            _ => return,
        };
        let (sum, count) = (
            weights.iter().sum::<u32>(),
            weights.iter().filter(|one| **one > 0).count(),
        );
        let message = if choice.algorithm == Some(9) && sum != WEIGHT_SLOTS && sum > 0 {
            let what = if sum > WEIGHT_SLOTS {
                "what is above 100 gets no calls"
            } else {
                "the last destination gets the rest"
            };
            format!("the weights of set {set} are {sum} in sum, not 100: {what}")
        } else if count > WEIGHT_SLOTS as usize {
            format!("{count} destinations of set {set} have a weight, and only 100 slots are there")
        } else if sum == 0 && !weights.is_empty() {
            format!("no destination of set {set} has a weight: the first gets all calls")
        } else {
            return;
        };
        self.report.push(Diagnostic::warning(span, message));
    }

    /// `ds_next_dst` goes through what a choice kept, and flag 2 says that it keeps.
    fn no_failover_list(&mut self, call: &Call, choices: &[Choice<'_>]) {
        let name = &call.name.text;
        if self.number("flags").unwrap_or(0) & 2 == 0 {
            let message = format!("{name} finds nothing: no destinations are kept for failover");
            let warning = Diagnostic::warning(call.name.span, message)
                .help("flag 2 keeps them: modparam(\"dispatcher\", \"flags\", 2)");
            self.report.push(warning);
        }
        if let Some(all) = choices.iter().find(|one| one.algorithm == Some(12)) {
            let message =
                format!("{name} finds nothing: algorithm 12 calls all destinations at once");
            let warning = Diagnostic::warning(call.name.span, message)
                .related(all.call.name.span, "chosen here")
                .help("algorithm 4 or 8 tries one after the other");
            self.report.push(warning);
        }
    }

    /// A failure is a reply first: what the reply route forgets, the failure route cannot move.
    fn load_unset_before_failover(&mut self, calls: &[(usize, &'a Call)]) {
        let in_replies = self.reached_from_replies();
        for (route, call) in calls {
            if call.name.text == "ds_load_unset" && in_replies.contains(route) {
                let message = "the failover after this reply is not counted any more";
                let warning = Diagnostic::warning(call.name.span, message)
                    .label("the call is forgotten before ds_next_dst moves it")
                    .help("in Kamailio, ds_next_dst fails then: \"cannot find load\"")
                    .help("unset it in the failure_route, where no destination is left");
                self.report.push(warning);
            }
        }
    }

    /// The routes that run for replies: reply routes and what they call.
    fn reached_from_replies(&self) -> BTreeSet<usize> {
        let routes = &self.config.routes;
        let by_kind = routes.iter().enumerate();
        let mut open: Vec<usize> = by_kind
            .filter(|(_, route)| route.kind == RouteKind::Reply)
            .map(|(index, _)| index)
            .collect();
        let mut reached = BTreeSet::new();
        while let Some(index) = open.pop() {
            if !reached.insert(index) {
                continue;
            }
            walk(&routes[index].body, &mut |expression| {
                if let Some(name) = called_route(expression) {
                    open.extend(routes.iter().position(|route| {
                        route.kind == RouteKind::Request
                            && route.name.as_ref().is_some_and(|one| one.text == name)
                    }));
                }
            });
        }
        reached
    }
}

fn called_route(expression: &Expression) -> Option<&str> {
    let ExpressionKind::Route(name) = &expression.kind else {
        return None;
    };
    match &name.kind {
        ExpressionKind::Word(word) => Some(word),
        ExpressionKind::Text(text) => Some(&text.value),
        _ => None,
    }
}

fn choice(call: &Call) -> Option<Choice<'_>> {
    let is_choice = matches!(
        call.name.text.as_str(),
        "ds_select_dst" | "ds_select_domain" | "ds_select"
    );
    let constant = |index: usize| match &call.arguments.get(index)?.kind {
        ExpressionKind::Number(number) => Some(*number),
        ExpressionKind::Text(text) => text.value.trim().parse().ok(),
        _ => None,
    };
    is_choice.then(|| Choice {
        call,
        set: constant(0).and_then(|set| SetId::try_from(set).ok()),
        algorithm: constant(1),
    })
}

/// Shows every expression to `visit`, with what is inside of it.
fn walk<'t>(statements: &'t [Statement], visit: &mut dyn FnMut(&'t Expression)) {
    for statement in statements {
        match &statement.kind {
            StatementKind::Empty | StatementKind::Break => {}
            StatementKind::Block(inside) => walk(inside, visit),
            StatementKind::If {
                condition,
                then,
                otherwise,
            } => {
                walk_expression(condition, visit);
                walk(std::slice::from_ref(then), visit);
                if let Some(otherwise) = otherwise {
                    walk(std::slice::from_ref(otherwise), visit);
                }
            }
            StatementKind::While { condition, body } => {
                walk_expression(condition, visit);
                walk(std::slice::from_ref(body), visit);
            }
            StatementKind::Switch { subject, cases } => {
                walk_expression(subject, visit);
                for case in cases {
                    if let CaseLabel::Value(value) = &case.label {
                        walk_expression(value, visit);
                    }
                    walk(&case.body, visit);
                }
            }
            StatementKind::Assign { value, .. } => walk_expression(value, visit),
            StatementKind::Call(call) => walk_expression(call, visit),
            StatementKind::Return(code) | StatementKind::Exit(code) | StatementKind::Drop(code) => {
                if let Some(code) = code {
                    walk_expression(code, visit);
                }
            }
        }
    }
}

fn walk_expression<'t>(expression: &'t Expression, visit: &mut dyn FnMut(&'t Expression)) {
    visit(expression);
    match &expression.kind {
        ExpressionKind::Call(call) => {
            for argument in &call.arguments {
                walk_expression(argument, visit);
            }
        }
        ExpressionKind::Unary(_, of) | ExpressionKind::Route(of) => walk_expression(of, visit),
        ExpressionKind::Binary(_, left, right) => {
            walk_expression(left, visit);
            walk_expression(right, visit);
        }
        _ => {}
    }
}
