//! Configurations of our own: what the manuals' examples leave out. Functions, pseudo-variables and routes
//! of all kinds, as far as the ends can see what they do.

use crate::configurations::{Configuration, EQUAL};
use crate::known::{Known, NOTHING};
use crate::server::peers_are_installed;
use crate::stage::{Played, Scenario, Stage, scenario};
use crate::stateful::cancelled;
use crate::stateless;

const COMMON: &str = include_str!("files/common.cfg");

/// Runs one of the files on both servers.
pub fn compare(file: &str, scenarios: &[Scenario], known: Known) {
    if peers_are_installed() {
        let whole = format!("{COMMON}\n{file}");
        Configuration::same(whole, 1).plays(EQUAL, scenarios, known);
    }
}

/// An INVITE to a user.
pub fn invite_to(stage: &mut Stage<'_>, user: &str) -> String {
    let target = format!("sip:{user}@{}", stage.proxy);
    stage.request_to("INVITE", &target)
}

/// A call to a user that a gateway takes.
fn carried(stage: &mut Stage<'_>, user: &str) -> Played {
    let invite = invite_to(stage, user);
    let dialog = stage.call(invite, true, &[])?;
    stage.hang_up(&dialog)
}

/// A call to a user that one gateway refuses.
pub fn busy(stage: &mut Stage<'_>, user: &str) -> Played {
    let invite = invite_to(stage, user);
    stage.fails(&invite, true, &["486 Busy Here"], "486")
}

#[test]
fn routes_of_branches_replies_and_failures() {
    const ALL: &[Scenario] = &[
        scenario("carried", |stage| carried(stage, "service")),
        scenario("second-carries", |stage| {
            let invite = stage.request("INVITE");
            let dialog = stage.call(invite, true, &["500 One"])?;
            stage.hang_up(&dialog)
        }),
        scenario("third-refuses", |stage| {
            let invite = stage.request("INVITE");
            let answers = ["500 One", "486 Two", "488 Three"];
            stage.fails(&invite, true, &answers, "488")
        }),
        scenario("all-refuse", |stage| {
            let invite = stage.request("INVITE");
            // The answer of the last attempt counts, not the best of all.
            let answers = ["486 One", "503 Two", "599 Three"];
            stage.fails(&invite, true, &answers, "599")
        }),
        scenario("told-by-the-script", |stage| {
            let invite = stage.request("INVITE");
            stage.fails(&invite, true, &["404 Not Found"], "480")
        }),
        scenario("silence-then-told", |stage| {
            let invite = stage.request("INVITE");
            stage.send(&invite);
            stage.comes_back("100", "INVITE")?;
            stage.arrives("INVITE")?;
            let second = stage.arrives("INVITE")?;
            stage.answer(&second, "404 Not Found");
            stage.arrives("ACK")?;
            let answer = stage.comes_back("480", "INVITE")?;
            stage.acknowledge(&invite, &answer);
            Ok(())
        }),
        scenario("progress-is-dropped", |stage| {
            let invite = stage.request("INVITE");
            stage.send(&invite);
            stage.comes_back("100", "INVITE")?;
            let at_gateway = stage.arrives("INVITE")?;
            stage.answer(&at_gateway, "183 Session Progress");
            stage.answer(&at_gateway, "180 Ringing");
            stage.comes_back("180", "INVITE")?;
            stage.answer(&at_gateway, "603 Decline");
            stage.arrives("ACK")?;
            let answer = stage.comes_back("603", "INVITE")?;
            stage.acknowledge(&invite, &answer);
            Ok(())
        }),
        scenario("cancelled", |stage| {
            let invite = stage.request("INVITE");
            cancelled(stage, &invite, &["500 One"])
        }),
        scenario("options", |stage| {
            let options = stage.request("OPTIONS");
            stage.asks(&options, &["500 One", "200 OK"])
        }),
    ];
    compare(include_str!("files/branches.cfg"), ALL, NOTHING);
}

#[test]
fn variables_of_requests_and_replies() {
    const ALL: &[Scenario] = &[
        scenario("carried", |stage| carried(stage, "service")),
        scenario("rich", |stage| {
            let more = "User-Agent: The \"agent\"/1.0\r\nX-List: one,two,three\r\n\
                        X-Param: a=1;b=two;c=3\r\nX-Number: 12\r\nX-Last";
            let via = "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK-end-far;received=192.0.2.8\r\nMax";
            let invite = stage.request_to("INVITE", "sip:service@example.com:5070;x=1");
            let invite = invite.replace("X-Last", more).replace("Max", via);
            stage.fails(&invite, true, &["404 Not Found"], "404")
        }),
        scenario("bare", |stage| {
            let options = stage.request_to("OPTIONS", "sip:example.com");
            let contact = format!("Contact: <sip:caller@{}>\r\n", stage.caller);
            let options = options.replace("\"A caller\" <", "<").replace(&contact, "");
            stage.asks(&options, &["200 OK"])
        }),
        scenario("telephone", |stage| {
            let target = "sip:+1234;phone-context=x@example.com;user=phone";
            let options = stage.request_to("OPTIONS", target);
            stage.asks(&options, &["200 OK"])
        }),
        scenario("compact", |stage| {
            let options = stage.request("OPTIONS");
            let options = options
                .replace("\r\nVia:", "\r\nv:")
                .replace("\r\nFrom:", "\r\nf  :");
            let options = options
                .replace("\r\nTo:", "\r\nt:")
                .replace("Content-Length:", "l:");
            stage.asks(&options, &["404 Not Found"])
        }),
    ];
    compare(include_str!("files/variables.cfg"), ALL, NOTHING);
}

#[test]
fn changes_of_uris_and_header_lines() {
    const ALL: &[Scenario] = &[
        scenario("prefix", |stage| busy(stage, "prefix")),
        scenario("strip", |stage| busy(stage, "strip")),
        scenario("tail", |stage| busy(stage, "tail")),
        scenario("user", |stage| busy(stage, "user")),
        scenario("host", |stage| busy(stage, "host")),
        scenario("hostport", |stage| busy(stage, "hostport")),
        scenario("uri", |stage| busy(stage, "uri")),
        scenario("revert", |stage| busy(stage, "revert")),
        scenario("headers", |stage| busy(stage, "headers")),
        scenario("user-agent", |stage| busy(stage, "user-agent")),
        scenario("domain", |stage| busy(stage, "domain")),
        scenario("parameter", |stage| carried(stage, "parameter")),
        scenario("host-with-parameters", |stage| {
            let target = format!("sip:host:secret@{};user=phone", stage.proxy);
            let invite = stage.request_to("INVITE", &target);
            stage.fails(&invite, true, &["486 Busy Here"], "486")
        }),
    ];
    compare(include_str!("files/uris.cfg"), ALL, NOTHING);
}

#[test]
fn lists_of_destinations() {
    const ALL: &[Scenario] = &[
        scenario("all", |stage| carried(stage, "service")),
        scenario("limit", |stage| {
            let invite = invite_to(stage, "limit");
            stage.fails(&invite, true, &["500 One", "501 Two"], "501")
        }),
        scenario("none", |stage| {
            let invite = invite_to(stage, "none");
            stage.refused(&invite, "404")
        }),
        scenario("set", |stage| busy_of_all(stage, "set", 2)),
        scenario("only", |stage| busy_of_all(stage, "only", 3)),
        scenario("routes", |stage| busy_of_all(stage, "routes", 2)),
        scenario("from-a-gateway", |stage| {
            let options = stage.request("OPTIONS");
            stage.asks(&options, &["404 Not Found", "503 Full", "480 Gone"])
        }),
        scenario("mark", |stage| {
            let invite = invite_to(stage, "mark");
            let dialog = stage.call(invite, true, &["500 One"])?;
            stage.hang_up(&dialog)
        }),
        // The marked one is out now.
        scenario("after-mark", |stage| carried(stage, "service")),
    ];
    compare(include_str!("files/lists.cfg"), ALL, NOTHING);
}

/// A call that this many gateways refuse.
fn busy_of_all(stage: &mut Stage<'_>, user: &str, gateways: usize) -> Played {
    let invite = invite_to(stage, user);
    let answers = ["486 One", "486 Two", "486 Three"];
    stage.fails(&invite, true, &answers[..gateways], "486")
}

#[test]
fn answers_and_branches_of_the_script() {
    const ALL: &[Scenario] = &[
        scenario("stateless", |stage| refused(stage, "stateless", "488")),
        scenario("stateful", |stage| refused(stage, "stateful", "503")),
        scenario("both", |stage| refused(stage, "both", "486")),
        scenario("redirect", |stage| refused(stage, "redirect", "302")),
        scenario("branches", |stage| refused(stage, "branches", "300")),
        scenario("silence", |stage| unanswered(stage, "silence")),
        scenario("dropped", |stage| unanswered(stage, "dropped")),
        scenario("fork", |stage| {
            let invite = invite_to(stage, "fork");
            stage.send(&invite);
            stage.comes_back("100", "INVITE")?;
            let mut both = [stage.arrives("INVITE")?, stage.arrives("INVITE")?];
            both.sort_by_key(|one| one.host);
            let [one, two] = both;
            stage.answer(&one, "180 Ringing");
            stage.comes_back("180", "INVITE")?;
            stage.answer(&two, "200 OK");
            stage.comes_back("200", "INVITE")?;
            let cancel = stage.arrives("CANCEL")?;
            stage.answer(&cancel, "200 OK");
            stage.answer(&one, "487 Request Terminated");
            stage.arrives("ACK")?;
            Ok(())
        }),
        scenario("quick", |stage| {
            let invite = invite_to(stage, "quick");
            stage.send(&invite);
            stage.comes_back("100", "INVITE")?;
            stage.arrives("INVITE")?;
            let answer = stage.comes_back("504", "INVITE")?;
            stage.acknowledge(&invite, &answer);
            Ok(())
        }),
        scenario("longer", |stage| {
            let invite = invite_to(stage, "longer");
            stage.send(&invite);
            stage.comes_back("100", "INVITE")?;
            let ringing = stage.arrives("INVITE")?;
            stage.answer(&ringing, "182 Queued");
            stage.answer(&ringing, "180 Ringing");
            stage.comes_back("180", "INVITE")?;
            let cancel = stage.arrives("CANCEL")?;
            stage.answer(&cancel, "200 OK");
            stage.answer(&ringing, "487 Request Terminated");
            stage.arrives("ACK")?;
            let answer = stage.comes_back("480", "INVITE")?;
            stage.acknowledge(&invite, &answer);
            Ok(())
        }),
        scenario("own-answer", |stage| {
            let options = stage.request("OPTIONS");
            stage.refused(&options, "200")
        }),
        scenario("bad-message", |stage| {
            let options = stage
                .request("OPTIONS")
                .replace("Content-Length: 0", "Content-Length: 9");
            stage.refused(&options, "400")
        }),
    ];
    compare(include_str!("files/answers.cfg"), ALL, NOTHING);
}

/// A call that the script itself refuses.
pub fn refused(stage: &mut Stage<'_>, user: &str, code: &str) -> Played {
    let invite = invite_to(stage, user);
    stage.refused(&invite, code)
}

/// A call that nobody answers, and then one that the script refuses: nothing came in between.
fn unanswered(stage: &mut Stage<'_>, user: &str) -> Played {
    let invite = invite_to(stage, user);
    stage.send(&invite);
    refused(stage, "stateless", "488")
}

#[test]
fn calls_without_transactions_by_their_route_sets() {
    let names = [
        "plain",
        "behind-nat",
        "call-changes",
        "server-error",
        "two-hops",
        "last-hop",
    ];
    let of_it = |one: &&Scenario| names.contains(&one.name);
    let mut scenarios: Vec<Scenario> = stateless::ALL.iter().filter(of_it).copied().collect();
    scenarios.push(scenario("gateway-hangs-up", |stage| {
        let invite = stage.request("INVITE");
        let dialog = stage.call(invite, false, &[])?;
        stage.is_hung_up(&dialog)
    }));
    compare(include_str!("files/stateless.cfg"), &scenarios, NOTHING);
}
