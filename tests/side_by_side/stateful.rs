//! Scenarios for configurations that relay by transactions and fail over on 500 and on silence.

use crate::stage::{Played, Scenario, Stage, scenario};
use crate::transcript::Repeats;

/// In the order in which they are played: the gateways are taken in turn.
pub const ALL: &[Scenario] = &[
    scenario("plain", |stage| {
        let invite = stage.request("INVITE");
        let dialog = stage.call(invite, true, &[])?;
        stage.hang_up(&dialog)
    }),
    scenario("behind-nat", |stage| {
        let caller = format!("UDP {};", stage.caller);
        let invite = stage
            .request("INVITE")
            .replace(&caller, "UDP 192.0.2.9:5062;rport;");
        let dialog = stage.call(invite, true, &[])?;
        stage.hang_up(&dialog)
    }),
    scenario("gateway-hangs-up", |stage| {
        let invite = stage.request("INVITE");
        let dialog = stage.call(invite, true, &[])?;
        stage.is_hung_up(&dialog)
    }),
    scenario("call-changes", |stage| {
        let invite = stage.request("INVITE");
        let mut dialog = stage.call(invite, true, &[])?;
        let info = stage.within(&dialog, "INFO");
        stage.asks(&info, &["200 OK"])?;
        dialog.invite = stage.within(&dialog, "INVITE");
        stage.call_again(&mut dialog)?;
        stage.hang_up(&dialog)
    }),
    scenario("first-500", |stage| {
        let invite = stage.request("INVITE");
        let dialog = stage.call(invite, true, &["500 Server Internal Error"])?;
        stage.hang_up(&dialog)
    }),
    scenario("two-500", |stage| {
        let invite = stage.request("INVITE");
        let dialog = stage.call(invite, true, &["500 One", "500 Two"])?;
        stage.hang_up(&dialog)
    }),
    scenario("all-500", |stage| {
        let invite = stage.request("INVITE");
        stage.fails(&invite, true, &["500 One", "500 Two", "500 Three"], "500")
    }),
    scenario("500-then-busy", |stage| {
        let invite = stage.request("INVITE");
        stage.fails(&invite, true, &["500 One", "486 Busy Here"], "486")
    }),
    scenario("unavailable", |stage| {
        let invite = stage.request("INVITE");
        // A proxy passes 503 on as 500: it is this gateway that is overloaded (RFC 3261 16.7).
        stage.fails(&invite, true, &["503 Service Unavailable"], "500")
    }),
    scenario("not-found", |stage| {
        let invite = stage.request("INVITE");
        stage.fails(&invite, true, &["404 Not Found"], "404")
    }),
    scenario("moved", |stage| {
        let invite = stage.request("INVITE");
        stage.fails(&invite, true, &["302 Moved Temporarily"], "302")
    }),
    scenario("declined", |stage| {
        let invite = stage.request("INVITE");
        stage.fails(&invite, true, &["603 Decline"], "603")
    }),
    scenario("ringing-then-500", ringing_then_500),
    scenario("cancelled", |stage| {
        let invite = stage.request("INVITE");
        cancelled(stage, &invite, &[])
    }),
    scenario("cancelled-after-500", |stage| {
        let invite = stage.request("INVITE");
        cancelled(stage, &invite, &["500 One"])
    }),
    scenario("cancel-of-nothing", |stage| {
        let invite = stage.request("INVITE");
        stage.cancel(&invite);
        // It is dropped: what comes next shows that nothing was answered.
        let invite = stage.request("INVITE");
        stage.fails(&invite, true, &["404 Not Found"], "404")
    }),
    Scenario {
        name: "repeated",
        repeats: Repeats::OfTheCaller,
        play: repeated,
    },
    scenario("options", |stage| {
        let options = stage.request("OPTIONS");
        stage.asks(&options, &["200 OK"])
    }),
    scenario("options-500", |stage| {
        let options = stage.request("OPTIONS");
        stage.asks(&options, &["500 One", "200 OK"])
    }),
    scenario("options-to-us", |stage| {
        let us = format!("sip:{}", stage.proxy);
        let options = stage.request_to("OPTIONS", &us);
        stage.refused(&options, "484")
    }),
    scenario("message", |stage| {
        let message = stage.request("MESSAGE");
        stage.asks(&message, &["404 Not Found"])
    }),
    scenario("register", |stage| {
        let register = stage.request("REGISTER");
        stage.refused(&register, "404")
    }),
    scenario("publish", |stage| {
        let publish = stage.request("PUBLISH");
        stage.refused(&publish, "404")
    }),
    scenario("no-user", |stage| {
        let us = format!("sip:{}", stage.proxy);
        let invite = stage.request_to("INVITE", &us);
        stage.refused(&invite, "484")
    }),
    scenario("last-hop", |stage| {
        let invite = stage
            .request("INVITE")
            .replace("Forwards: 70", "Forwards: 0");
        stage.refused(&invite, "483")
    }),
    scenario("without-max-forwards", |stage| {
        let invite = stage.request("INVITE").replace("Max-Forwards: 70\r\n", "");
        let dialog = stage.call(invite, true, &[])?;
        stage.hang_up(&dialog)
    }),
    scenario("wrong-cseq", |stage| {
        let invite = stage.request("INVITE").replace("1 INVITE", "1 OPTIONS");
        stage.send(&invite);
        stage.comes_back("400", "OPTIONS")?;
        Ok(())
    }),
    scenario("preloaded-route", |stage| {
        let route = "Route: <sip:192.0.2.5;lr>\r\nFrom:";
        let invite = stage.request("INVITE").replace("From:", route);
        let dialog = stage.call(invite, true, &["500 One"])?;
        stage.hang_up(&dialog)
    }),
    scenario("two-hops", |stage| {
        let via = "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK-end-far;received=192.0.2.8\r\n\
                   Record-Route: <sip:192.0.2.7;lr>\r\nMax";
        let invite = stage.request("INVITE").replace("Max", via);
        let dialog = stage.call(invite, true, &[])?;
        stage.hang_up(&dialog)
    }),
    scenario("within-nothing", |stage| {
        let to = format!("To: <sip:service@{}>", stage.proxy);
        let bye = stage
            .request("BYE")
            .replace(&to, &format!("{to};tag=end-gone"));
        stage.refused(&bye, "404")
    }),
    scenario("ack-of-nothing", |stage| {
        let to = format!("To: <sip:service@{}>", stage.proxy);
        let ack = stage
            .request("ACK")
            .replace(&to, &format!("{to};tag=end-gone"));
        stage.send(&ack);
        // It is dropped: the next call finds no trace of it.
        let options = stage.request("OPTIONS");
        stage.asks(&options, &["200 OK"])
    }),
];

/// Gateways that do not answer, which takes as long as the timers of the file say.
pub const SILENT: &[Scenario] = &[
    scenario("first-silent", |stage| {
        let invite = stage.request("INVITE");
        stage.send(&invite);
        stage.comes_back("100", "INVITE")?;
        stage.arrives("INVITE")?;
        let second = stage.arrives("INVITE")?;
        stage.answer(&second, "486 Busy Here");
        stage.arrives("ACK")?;
        let answer = stage.comes_back("486", "INVITE")?;
        stage.acknowledge(&invite, &answer);
        Ok(())
    }),
    scenario("all-silent", |stage| {
        let invite = stage.request("INVITE");
        stage.send(&invite);
        stage.comes_back("100", "INVITE")?;
        for _ in 0..3 {
            stage.arrives("INVITE")?;
        }
        let answer = stage.comes_back("408", "INVITE")?;
        stage.acknowledge(&invite, &answer);
        Ok(())
    }),
];

/// With every gateway out.
pub const ALL_OUT: &[Scenario] = &[
    scenario("nobody-to-call", |stage| {
        let invite = stage.request("INVITE");
        stage.refused(&invite, "404")
    }),
    scenario("nobody-to-ask", |stage| {
        let options = stage.request("OPTIONS");
        stage.refused(&options, "404")
    }),
];

fn ringing_then_500(stage: &mut Stage<'_>) -> Played {
    let invite = stage.request("INVITE");
    stage.send(&invite);
    stage.comes_back("100", "INVITE")?;
    let first = stage.arrives("INVITE")?;
    stage.answer(&first, "100 Trying");
    stage.answer(&first, "180 Ringing");
    stage.comes_back("180", "INVITE")?;
    stage.answer(&first, "500 One");
    stage.arrives("ACK")?;
    let second = stage.arrives("INVITE")?;
    stage.answer(&second, "183 Session Progress");
    stage.comes_back("183", "INVITE")?;
    stage.answer(&second, "480 Temporarily Unavailable");
    stage.arrives("ACK")?;
    let answer = stage.comes_back("480", "INVITE")?;
    stage.acknowledge(&invite, &answer);
    Ok(())
}

/// A caller who gives up while it rings, after these answers of other gateways.
pub fn cancelled(stage: &mut Stage<'_>, invite: &str, failures: &[&str]) -> Played {
    stage.send(invite);
    stage.comes_back("100", "INVITE")?;
    for status in failures {
        let request = stage.arrives("INVITE")?;
        stage.answer(&request, status);
        stage.arrives("ACK")?;
    }
    let ringing = stage.arrives("INVITE")?;
    stage.answer(&ringing, "180 Ringing");
    stage.comes_back("180", "INVITE")?;
    stage.cancel(invite);
    stage.comes_back("200", "CANCEL")?;
    let cancel = stage.arrives("CANCEL")?;
    stage.answer(&cancel, "200 OK");
    stage.answer(&ringing, "487 Request Terminated");
    stage.arrives("ACK")?;
    let answer = stage.comes_back("487", "INVITE")?;
    stage.acknowledge(invite, &answer);
    Ok(())
}

/// The caller sends its INVITE again while it rings, and once it was refused.
fn repeated(stage: &mut Stage<'_>) -> Played {
    let invite = stage.request("INVITE");
    stage.send(&invite);
    stage.comes_back("100", "INVITE")?;
    let at_gateway = stage.arrives("INVITE")?;
    stage.answer(&at_gateway, "180 Ringing");
    let ringing = stage.comes_back("180", "INVITE")?;
    stage.send(&invite);
    stage.repeated(&ringing)?;
    stage.answer(&at_gateway, "486 Busy Here");
    stage.arrives("ACK")?;
    let busy = stage.comes_back("486", "INVITE")?;
    stage.acknowledge(&invite, &busy);
    Ok(())
}
