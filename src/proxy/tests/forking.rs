//! Several branches at once: which answer goes up, and what the others are told.

use super::support::*;

const THREE: &str = r#"request_route {
    if (is_method("CANCEL")) { t_relay(); exit; }
    ds_select_dst("1", "12");
    t_relay();
}"#;

/// The INVITE as each gateway got it, in the order in which they were sent.
fn forked(bench: &mut Bench, call: &str, extra: &str) -> Vec<Sent> {
    let sent = bench.call(&request("INVITE", call, "", extra));
    let invites: Vec<Sent> = all(&sent, "INVITE");
    assert_eq!(invites.len(), 3);
    invites
}

fn all(sent: &[Sent], start: &str) -> Vec<Sent> {
    let found = sent.iter().filter(|sent| sent.start().starts_with(start));
    found.cloned().collect()
}

/// What goes up when the branches give these answers in this order.
fn chosen(answers: [(usize, u16); 3]) -> (String, String) {
    let mut bench = Bench::script(THREE, 3);
    let invites = forked(&mut bench, "a", "");
    let mut sent = Vec::new();
    for (branch, code) in answers {
        let by = format!("X-By: {branch}\r\n");
        sent = bench.answer(&invites[branch], code, &by);
    }
    let up = all(&sent, "SIP/2.0 ");
    assert_eq!(up.len(), 1);
    (up[0].start().to_owned(), up[0].value("X-By").to_owned())
}

#[test]
fn of_equal_answers_that_of_the_first_branch_goes_up() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let (start, by) = chosen(order.map(|branch| (branch, 486)));
        assert_eq!((&start[..11], &by[..]), ("SIP/2.0 486", "0"), "{order:?}");
    }
}

#[test]
fn answers_rank_as_in_kamailio() {
    for (codes, best) in [
        ([486, 404, 503], 404),
        ([404, 480, 484], 484),
        ([480, 420, 415], 415),
        ([404, 302, 301], 301),
        ([503, 502, 501], 501),
        ([600, 486, 302], 600),
        ([603, 604, 606], 603),
    ] {
        let [a, b, c] = codes;
        for order in [[(0, a), (1, b), (2, c)], [(2, c), (1, b), (0, a)]] {
            let (start, _) = chosen(order);
            assert!(
                start.starts_with(&format!("SIP/2.0 {best} ")),
                "{order:?}: {start}"
            );
        }
    }
}

#[test]
fn challenges_of_several_branches_go_up_one_at_a_time() {
    let (start, by) = chosen([(0, 407), (1, 401), (2, 401)]);
    assert_eq!((&start[..11], &by[..]), ("SIP/2.0 401", "1"));
}

#[test]
fn a_503_is_worse_than_a_500_though_it_goes_up_as_one() {
    let (start, by) = chosen([(0, 503), (1, 500), (2, 500)]);
    assert_eq!(
        (&start[..], &by[..]),
        ("SIP/2.0 500 Reason", "1"),
        "{start}"
    );
}

#[test]
fn a_cancel_says_which_answer_it_is_for() {
    for (code, reason) in [
        (200, "SIP;cause=200;text=\"Call completed elsewhere\""),
        (202, "SIP;cause=202"),
        (603, "SIP;cause=603"),
    ] {
        let mut bench = Bench::script(THREE, 3);
        let invites = forked(&mut bench, "a", "Reason: Q.850;cause=1\r\n");
        bench.answer(&invites[0], 180, "");
        let cancels = all(&bench.answer(&invites[2], code, ""), "CANCEL");
        assert_eq!(cancels.len(), 1, "only what rings is cancelled");
        assert_eq!(cancels[0].values("Reason"), [reason]);
        let again = all(&bench.wait(std::time::Duration::from_millis(600)), "CANCEL");
        assert_eq!(again[0].text, cancels[0].text, "a repeat says the same");
    }
    let mut bench = Bench::script(THREE, 3);
    let invites = forked(&mut bench, "a", "");
    bench.answer(&invites[2], 200, "");
    let cancels = all(&bench.answer(&invites[1], 180, ""), "CANCEL");
    assert_eq!(cancels[0].values("Reason"), ["SIP;cause=200"]);
}

#[test]
fn a_cancel_of_the_caller_says_what_the_caller_says() {
    let mut bench = Bench::script(THREE, 3);
    let invites = forked(&mut bench, "a", "Reason: Q.850;cause=1\r\n");
    bench.answer(&invites[0], 180, "");
    let reasons = "Reason: SIP;cause=487\r\nreason:  Q.850\r\n ;cause=16\r\nX-Other: 1\r\n";
    let sent = bench.call(&request("CANCEL", "a", "", reasons));
    let cancels = all(&sent, "CANCEL");
    assert_eq!(cancels.len(), 1);
    let lines = "Content-Length: 0\r\nReason: SIP;cause=487\r\n\
                 reason:  Q.850\r\n ;cause=16\r\n\r\n";
    assert!(cancels[0].text.ends_with(lines), "{}", cancels[0].text);
    let late = all(&bench.answer(&invites[1], 180, ""), "CANCEL");
    assert!(late[0].text.ends_with(lines), "{}", late[0].text);
    bench.answer(&invites[0], 487, "");
    bench.answer(&invites[1], 487, "");
    bench.answer(&invites[2], 487, "");
    bench.call(&ack_negative("a", &gateway_tag(1)));
    bench.wait(std::time::Duration::from_mins(3));
    assert_eq!(bench.shard.load().stored_messages, 0, "nothing is left");
}

#[test]
fn cancels_are_silent_if_parameters_say_so() {
    let routes = format!(
        "modparam(\"tm\", \"local_cancel_reason\", 0)\nmodparam(\"tm\", \"e2e_cancel_reason\", 0)\n{THREE}"
    );
    for is_cancelled in [false, true] {
        let mut bench = Bench::script(&routes, 3);
        let invites = forked(&mut bench, "a", "");
        bench.answer(&invites[0], 180, "");
        let sent = if is_cancelled {
            bench.call(&request("CANCEL", "a", "", "Reason: SIP;cause=487\r\n"))
        } else {
            bench.answer(&invites[2], 200, "")
        };
        let cancels = all(&sent, "CANCEL");
        assert_eq!(cancels.len(), 1);
        assert!(cancels[0].values("Reason").is_empty());
    }
}
