//! A configuration of our own for what transactions do: failover by the Request-URI, requests that cannot
//! be sent, answers in reply routes, CANCELs, and the directions of a call.

use crate::forking::forked_of;
use crate::functions::{busy, compare, invite_to, refused};
use crate::known::{NOTHING, TRANSACTIONS};
use crate::stage::{Played, Scenario, Stage, scenario};
use crate::stateful::cancelled;

const FILE: &str = include_str!("files/transactions.cfg");

#[test]
fn what_goes_elsewhere_or_nowhere() {
    const ALL: &[Scenario] = &[
        scenario("moves", |stage| {
            let invite = invite_to(stage, "moves");
            let dialog = stage.call(invite, true, &["500 One", "500 Two"])?;
            stage.hang_up(&dialog)
        }),
        scenario("goes-by-its-uri", |stage| {
            let invite = invite_to(stage, "goes-by-its-uri");
            let answers = ["500 One", "486 Two", "480 Three"];
            stage.fails(&invite, true, &answers, "480")
        }),
        scenario("branches", |stage| {
            let invite = invite_to(stage, "branches");
            stage.fails(&invite, true, &["500 One", "404 Two"], "404")
        }),
        scenario("redirected", |stage| {
            let invite = invite_to(stage, "redirected");
            stage.fails(&invite, true, &["503 Full"], "302")
        }),
        scenario("redirected-with-more", |stage| {
            let invite = invite_to(stage, "redirected");
            stage.fails(&invite, true, &["404 Not Found"], "302")
        }),
        scenario("redirected-late", |stage| {
            let invite = invite_to(stage, "redirected");
            stage.fails(&invite, true, &["486 Busy Here"], "302")
        }),
        scenario("nowhere", |stage| {
            let invite = invite_to(stage, "nowhere");
            stage.fails(&invite, true, &[], "478")
        }),
        scenario("nowhere-for-options", |stage| {
            let target = format!("sip:nowhere@{}", stage.proxy);
            let options = stage.request_to("OPTIONS", &target);
            stage.refused(&options, "478")
        }),
        scenario("nowhere-told", |stage| {
            refused(stage, "nowhere-told", "478")
        }),
        scenario("nowhere-after-all", |stage| {
            let invite = invite_to(stage, "nowhere-after-all");
            stage.fails(&invite, true, &["404 Not Found"], "404")
        }),
        scenario("again", |stage| {
            let invite = invite_to(stage, "again");
            stage.fails(&invite, true, &["486 Busy Here"], "486")
        }),
        scenario("again-told", |stage| {
            let invite = invite_to(stage, "again");
            stage.fails(&invite, true, &["404 Not Found"], "500")
        }),
        scenario("dropped", |stage| {
            let invite = invite_to(stage, "dropped");
            stage.fails(&invite, true, &[], "500")
        }),
        scenario("sorry", |stage| refused(stage, "sorry", "500")),
    ];
    compare(FILE, ALL, TRANSACTIONS);
}

#[test]
fn answers_in_reply_routes() {
    const ALL: &[Scenario] = &[
        scenario("answered-by-the-script", |stage| {
            answered(stage, "183 Session Progress", "486")
        }),
        scenario("redirected-by-the-script", |stage| {
            answered(stage, "184 Elsewhere", "302")
        }),
        scenario("answered-otherwise", |stage| {
            answered(stage, "404 Not Found", "480")
        }),
        scenario("told-to-wait", |stage| {
            let invite = invite_to(stage, "all");
            let all = forked_of(stage, &invite)?;
            stage.answer(&all[0], "181 Forwarded");
            stage.comes_back("185", "INVITE")?;
            stage.comes_back("181", "INVITE")?;
            stage.answer(&all[0], "600 Busy Everywhere");
            stage.arrives("ACK")?;
            for request in &all[1..] {
                stage.answer(request, "486 Busy Here");
                stage.arrives("ACK")?;
            }
            let answer = stage.comes_back("600", "INVITE")?;
            stage.acknowledge(&invite, &answer);
            Ok(())
        }),
        scenario("not-in-the-core-route", |stage| {
            let invite = invite_to(stage, "service");
            stage.send(&invite);
            stage.comes_back("100", "INVITE")?;
            let at_gateway = stage.arrives("INVITE")?;
            stage.answer(&at_gateway, "182 Queued");
            stage.comes_back("182", "INVITE")?;
            stage.answer(&at_gateway, "486 Busy Here");
            stage.arrives("ACK")?;
            let answer = stage.comes_back("486", "INVITE")?;
            stage.acknowledge(&invite, &answer);
            Ok(())
        }),
    ];
    compare(FILE, ALL, NOTHING);
}

#[test]
fn cancels_and_directions() {
    const ALL: &[Scenario] = &[
        scenario("cancelled", |stage| {
            let invite = invite_to(stage, "service");
            cancelled(stage, &invite, &[])
        }),
        scenario("cancel-of-nothing", |stage| {
            let invite = invite_to(stage, "service");
            stage.cancel(&invite);
            stage.comes_back("481", "CANCEL")?;
            Ok(())
        }),
        scenario("cancel-of-what-is-over", |stage| {
            let invite = invite_to(stage, "service");
            stage.fails(&invite, true, &["486 Busy Here"], "486")?;
            stage.cancel(&invite);
            stage.comes_back("200", "CANCEL")?;
            Ok(())
        }),
        scenario("directions", |stage| {
            let invite = invite_to(stage, "service");
            let dialog = stage.call(invite, true, &[])?;
            let info = stage.within(&dialog, "INFO");
            stage.asks(&info, &["200 OK"])?;
            stage.is_hung_up(&dialog)
        }),
        scenario("refused", |stage| busy(stage, "service")),
    ];
    compare(FILE, ALL, NOTHING);
}

/// A call to three gateways: the second rings, and the first says something to which the script answers.
fn answered(stage: &mut Stage<'_>, status: &str, code: &str) -> Played {
    let invite = invite_to(stage, "all");
    let [one, two, three] = forked_of(stage, &invite)?;
    stage.answer(&two, "180 Ringing");
    stage.comes_back("180", "INVITE")?;
    stage.answer(&one, status);
    if status.starts_with('4') {
        stage.arrives("ACK")?;
    } else {
        let cancel = stage.arrives("CANCEL")?;
        stage.answer(&cancel, "200 OK");
    }
    let answer = stage.comes_back(code, "INVITE")?;
    stage.acknowledge(&invite, &answer);
    let cancel = stage.arrives("CANCEL")?;
    stage.answer(&cancel, "200 OK");
    stage.answer(&two, "487 Request Terminated");
    stage.arrives("ACK")?;
    stage.answer(&three, "486 Busy Here");
    stage.arrives("ACK")?;
    if !status.starts_with('4') {
        stage.answer(&one, "487 Request Terminated");
        stage.arrives("ACK")?;
    }
    Ok(())
}
