//! Scenarios for the tutorial: one destination, all at once, or one after the other.

use crate::stage::{Played, Scenario, Stage, scenario};
use crate::stateful::cancelled;

/// One destination for each call, no failover.
pub const ONE: &[Scenario] = &[
    scenario("plain", plain),
    scenario("hung-up", |stage| {
        let invite = stage.request("INVITE");
        let dialog = stage.call(invite, true, &[])?;
        stage.is_hung_up(&dialog)
    }),
    scenario("refused", |stage| {
        let invite = stage.request("INVITE");
        stage.fails(&invite, true, &["404 Not Found"], "404")
    }),
    scenario("silent", |stage| {
        let invite = stage.request("INVITE");
        stage.send(&invite);
        stage.comes_back("100", "INVITE")?;
        stage.arrives("INVITE")?;
        let answer = stage.comes_back("408", "INVITE")?;
        stage.acknowledge(&invite, &answer);
        Ok(())
    }),
    scenario("cancelled", |stage| {
        let invite = stage.request("INVITE");
        cancelled(stage, &invite, &[])
    }),
    scenario("options", |stage| {
        let options = stage.request("OPTIONS");
        stage.refused(&options, "405")
    }),
];

/// One after the other, on any failure.
pub const SERIAL: &[Scenario] = &[
    scenario("plain", plain),
    scenario("not-found-then-answered", |stage| {
        let invite = stage.request("INVITE");
        let dialog = stage.call(invite, true, &["404 Not Found"])?;
        stage.hang_up(&dialog)
    }),
    scenario("two-failures", |stage| {
        // The handler is not armed again: nobody comes after the second.
        let invite = stage.request("INVITE");
        let answers = ["404 Not Found", "503 Service Unavailable"];
        stage.fails(&invite, true, &answers, "500")
    }),
];

/// All destinations at once.
pub const ALL: &[Scenario] = &[
    scenario("one-answers", |stage| {
        let invite = stage.request("INVITE");
        let [one, two, three] = forked_of(stage, &invite)?;
        stage.answer(&one, "180 Ringing");
        stage.comes_back("180", "INVITE")?;
        stage.answer(&two, "183 Session Progress");
        stage.comes_back("183", "INVITE")?;
        stage.answer(&three, "404 Not Found");
        stage.arrives("ACK")?;
        stage.answer(&two, "200 OK");
        let cancel = stage.arrives("CANCEL")?;
        stage.answer(&cancel, "200 OK");
        stage.answer(&one, "487 Request Terminated");
        stage.arrives("ACK")?;
        stage.comes_back("200", "INVITE")?;
        Ok(())
    }),
    scenario("all-refuse", |stage| {
        all_refuse(stage, ["486 One", "404 Two", "503 Three"], "404")
    }),
    scenario("all-busy", |stage| {
        all_refuse(stage, ["486 One", "486 Two", "486 Three"], "486")
    }),
    scenario("an-incomplete-number", |stage| {
        // What the caller can mend goes before lower codes.
        all_refuse(stage, ["404 One", "480 Two", "484 Three"], "484")
    }),
    scenario("a-server-error", |stage| {
        all_refuse(stage, ["503 One", "502 Two", "501 Three"], "501")
    }),
    scenario("a-redirect", |stage| {
        all_refuse(stage, ["404 One", "302 Two", "301 Three"], "301")
    }),
    scenario("one-is-silent", |stage| {
        let invite = stage.request("INVITE");
        let [_, two, three] = forked_of(stage, &invite)?;
        for request in [&two, &three] {
            stage.answer(request, "486 Busy Here");
            stage.arrives("ACK")?;
        }
        let answer = stage.comes_back("408", "INVITE")?;
        stage.acknowledge(&invite, &answer);
        Ok(())
    }),
    scenario("all-busy-backwards", |stage| {
        let invite = stage.request("INVITE");
        let all = forked_of(stage, &invite)?;
        for request in all.iter().rev() {
            stage.answer(request, "486 Busy Here");
            stage.arrives("ACK")?;
        }
        let answer = stage.comes_back("486", "INVITE")?;
        stage.acknowledge(&invite, &answer);
        Ok(())
    }),
    scenario("one-declines-for-all", |stage| {
        let invite = stage.request("INVITE");
        let [one, two, three] = forked_of(stage, &invite)?;
        for request in [&one, &two] {
            stage.answer(request, "180 Ringing");
        }
        stage.comes_back("180", "INVITE")?;
        stage.comes_back("180", "INVITE")?;
        stage.answer(&three, "603 Decline");
        stage.arrives("ACK")?;
        for request in [&one, &two] {
            let cancel = stage.arrives("CANCEL")?;
            stage.answer(&cancel, "200 OK");
            stage.answer(request, "487 Request Terminated");
        }
        let answer = stage.comes_back("603", "INVITE")?;
        stage.acknowledge(&invite, &answer);
        Ok(())
    }),
    scenario("one-answers-and-another-rings-late", |stage| {
        let invite = stage.request("INVITE");
        let [one, two, three] = forked_of(stage, &invite)?;
        stage.answer(&one, "486 Busy Here");
        stage.arrives("ACK")?;
        stage.answer(&three, "200 OK");
        stage.comes_back("200", "INVITE")?;
        stage.answer(&two, "180 Ringing");
        let cancel = stage.arrives("CANCEL")?;
        stage.answer(&cancel, "200 OK");
        stage.answer(&two, "487 Request Terminated");
        stage.arrives("ACK")?;
        Ok(())
    }),
    scenario("cancelled-for-reasons", |stage| {
        let invite = stage.request("INVITE");
        let invite = invite.replace("X-Last", "Reason: Q.850;cause=1\r\nX-Last");
        let [one, two, three] = forked_of(stage, &invite)?;
        stage.answer(&one, "180 Ringing");
        stage.comes_back("180", "INVITE")?;
        stage.answer(&two, "486 Busy Here");
        stage.arrives("ACK")?;
        let reasons = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n\
                       reason :Q.850 ;cause=16\r\n ;text=\"b\", other\r\n";
        stage.cancel_for(&invite, reasons);
        stage.comes_back("200", "CANCEL")?;
        let cancel = stage.arrives("CANCEL")?;
        stage.answer(&cancel, "200 OK");
        stage.answer(&one, "487 Request Terminated");
        stage.arrives("ACK")?;
        stage.answer(&three, "180 Ringing");
        let cancel = stage.arrives("CANCEL")?;
        stage.answer(&cancel, "200 OK");
        stage.answer(&three, "487 Request Terminated");
        stage.arrives("ACK")?;
        let answer = stage.comes_back("486", "INVITE")?;
        stage.acknowledge(&invite, &answer);
        Ok(())
    }),
    scenario("cancelled", |stage| {
        let invite = stage.request("INVITE");
        let all = forked_of(stage, &invite)?;
        for request in &all {
            stage.answer(request, "180 Ringing");
            stage.comes_back("180", "INVITE")?;
        }
        stage.cancel(&invite);
        stage.comes_back("200", "CANCEL")?;
        for request in &all {
            let cancel = stage.arrives("CANCEL")?;
            stage.answer(&cancel, "200 OK");
            stage.answer(request, "487 Request Terminated");
            stage.arrives("ACK")?;
        }
        let answer = stage.comes_back("487", "INVITE")?;
        stage.acknowledge(&invite, &answer);
        Ok(())
    }),
];

/// The gateways refuse, and the caller gets `code`.
fn all_refuse(stage: &mut Stage<'_>, statuses: [&str; 3], code: &str) -> Played {
    let invite = stage.request("INVITE");
    let all = forked_of(stage, &invite)?;
    for (request, status) in all.iter().zip(statuses) {
        stage.answer(request, status);
        stage.arrives("ACK")?;
    }
    let answer = stage.comes_back(code, "INVITE")?;
    stage.acknowledge(&invite, &answer);
    Ok(())
}

fn plain(stage: &mut Stage<'_>) -> Played {
    let invite = stage.request("INVITE");
    let dialog = stage.call(invite, true, &[])?;
    stage.hang_up(&dialog)
}

/// The INVITE as each gateway got it, in the order of the gateways.
pub fn forked_of(
    stage: &mut Stage<'_>,
    invite: &str,
) -> Result<[crate::ends::Received; 3], String> {
    stage.send(invite);
    stage.comes_back("100", "INVITE")?;
    let mut all = [
        stage.arrives("INVITE")?,
        stage.arrives("INVITE")?,
        stage.arrives("INVITE")?,
    ];
    all.sort_by_key(|one| one.host);
    Ok(all)
}
