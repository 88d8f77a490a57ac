//! Each lint, with a configuration that it is for and one that it leaves alone.

use super::*;

/// A configuration that dispatches, with parameters and a list.
fn dispatching(parameters: &str, routes: &str, list: &str) -> Vec<String> {
    let text = format!("{FRAME}{parameters}\n{routes}");
    lines(&checked_with(&[("a.cfg", &text), ("list", list)]))
}

fn parameters(rows: &[(&str, &str)]) -> String {
    let line =
        |(name, value): &(&str, &str)| format!("modparam(\"dispatcher\", \"{name}\", {value})");
    rows.iter().map(line).collect::<Vec<_>>().join(" ")
}

const FAILOVER: &str = "route {\nds_select_dst(\"1\", \"ALG\");\nt_on_failure(\"F\");\nt_relay();\n}\n\
     failure_route[F] {\nif (ds_next_dst()) {\nt_on_failure(\"F\");\nt_relay();\n}\n}\n";

fn failover(algorithm: u32) -> String {
    FAILOVER.replace("ALG", &algorithm.to_string())
}

#[test]
fn what_is_sound_is_not_talked_about() {
    let parameters = parameters(&[
        ("list_file", "\"list\""),
        ("flags", "2"),
        ("ds_hash_size", "9"),
    ]);
    let list = "1 sip:127.0.0.1:1 0 0 duid=a\n2 sip:127.0.0.1:2\n";
    assert_eq!(
        dispatching(&parameters, &failover(10), list),
        Vec::<String>::new()
    );
}

#[test]
fn algorithm_10_needs_a_table_and_duids() {
    let parameters = parameters(&[("list_file", "\"list\""), ("flags", "2")]);
    let list = "1 sip:127.0.0.1:1 0 0 duid=a\n1 sip:127.0.0.1:2\n";
    assert_eq!(
        dispatching(&parameters, &failover(10), list),
        [
            "4:1: ds_hash_size is 0: Kamailio counts no calls for algorithm 10 then (say so for both: modparam(\"dispatcher\", \"ds_hash_size\", 8))",
            "4:1: algorithm 10: 1 of 2 destinations of set 1 have no duid; their calls are not counted (line 2: sip:127.0.0.1:2)",
        ]
    );
}

#[test]
fn a_failover_without_flag_2_finds_nothing() {
    assert_eq!(
        dispatching("", &failover(4), ""),
        [
            "9:5: ds_next_dst finds nothing: no destinations are kept for failover (flag 2 keeps them: modparam(\"dispatcher\", \"flags\", 2))"
        ]
    );
}

#[test]
fn a_failover_after_algorithm_12_finds_nothing() {
    assert_eq!(
        dispatching(&parameters(&[("flags", "2")]), &failover(12), ""),
        [
            "9:5: ds_next_dst finds nothing: algorithm 12 calls all destinations at once (algorithm 4 or 8 tries one after the other)"
        ]
    );
}

#[test]
fn a_reply_route_must_not_forget_a_call_that_fails_over() {
    let parameters = parameters(&[("flags", "2"), ("ds_hash_size", "9")]);
    let routes = failover(10) + "onreply_route {\nroute(R);\n}\nroute[R] {\nds_load_unset();\n}\n";
    let said = dispatching(&parameters, &routes, "");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("18:1: the failover after this reply is not counted any more"));
    let elsewhere = failover(10) + "route[R] {\nds_load_unset();\n}\n";
    assert_eq!(
        dispatching(&parameters, &elsewhere, ""),
        Vec::<String>::new()
    );
}

#[test]
fn weights_have_a_hundred_slots() {
    let parameters = parameters(&[("list_file", "\"list\""), ("flags", "2")]);
    let list = |weights: &[u32]| {
        let line =
            |weight: &u32| format!("1 sip:127.0.0.1:1 0 0 weight={weight};rweight={weight}\n");
        weights.iter().map(line).collect::<Vec<_>>().concat()
    };
    let said =
        |algorithm, weights: &[u32]| dispatching(&parameters, &failover(algorithm), &list(weights));
    assert_eq!(said(9, &[50, 50]), Vec::<String>::new());
    assert_eq!(
        said(9, &[50, 51]),
        ["4:1: the weights of set 1 are 101 in sum, not 100: what is above 100 gets no calls"]
    );
    assert_eq!(
        said(9, &[50, 30]),
        ["4:1: the weights of set 1 are 80 in sum, not 100: the last destination gets the rest"]
    );
    assert_eq!(
        said(11, &[1; 101]),
        ["4:1: 101 destinations of set 1 have a weight, and only 100 slots are there"]
    );
    let none = "1 sip:127.0.0.1:1\n";
    assert_eq!(
        dispatching(&parameters, &failover(9), none),
        ["4:1: no destination of set 1 has a weight: the first gets all calls"]
    );
}

#[test]
fn a_broken_list_is_named_and_a_missing_one_noted() {
    let parameters = parameters(&[("list_file", "\"list\""), ("flags", "2")]);
    let said = dispatching(&parameters, &failover(4), "1\n");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("2:37: the list of destinations is broken: 1:"),
        "{said:?}"
    );
    let text = format!("{FRAME}{parameters}\nroute {{ exit; }}");
    let checked = checked(&text);
    let notes: Vec<_> = checked
        .report
        .iter()
        .map(|one| one.message.as_str())
        .collect();
    assert_eq!(notes, ["destinations are not looked at: no such file"]);
}

#[test]
fn a_hard_line_wrap_in_a_comment_or_text_is_suspected() {
    let text = format!(
        "{FRAME}route {{\n# ACK without matching transaction ... i\ngnore and discard.\nexit;\n}}"
    );
    assert_eq!(
        said(&text),
        [
            "4:18: no operator of this language (a hard line wrap seems to have broken a comment: join the two lines)"
        ]
    );
    let text = format!(
        "{FRAME}modparam(\"acc\", \"log_extra\",\n\"a=$ru;s\nrc_ip=$si\")\nroute {{ exit; }}"
    );
    assert_eq!(
        said(&text),
        [
            "3:1: a line break inside of a text (if a hard line wrap broke the text, join the lines) (texts in a row are one: \"first \" \"second\")",
            "3:8: a field of accounting is NAME=VALUE (a hard line wrap seems to have broken it: join the lines)",
        ]
    );
}
