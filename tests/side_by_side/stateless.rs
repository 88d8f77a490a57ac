//! Scenarios for configurations that relay without transactions.

use crate::stage::{Scenario, scenario};
use crate::transcript::Repeats;

/// In the order in which they are played.
pub const ALL: &[Scenario] = &[
    scenario("plain", |stage| {
        let invite = stage.request("INVITE");
        let dialog = stage.call(invite, false, &[])?;
        stage.hang_up(&dialog)
    }),
    scenario("behind-nat", |stage| {
        let caller = format!("UDP {};", stage.caller);
        let invite = stage
            .request("INVITE")
            .replace(&caller, "UDP 192.0.2.9:5062;rport;");
        let dialog = stage.call(invite, false, &[])?;
        stage.hang_up(&dialog)
    }),
    scenario("call-changes", |stage| {
        let invite = stage.request("INVITE");
        let mut dialog = stage.call(invite, false, &[])?;
        let info = stage.within(&dialog, "INFO");
        stage.asks(&info, &["200 OK"])?;
        dialog.invite = stage.within(&dialog, "INVITE");
        stage.call_again(&mut dialog)?;
        stage.hang_up(&dialog)
    }),
    scenario("server-error", |stage| {
        let invite = stage.request("INVITE");
        stage.fails(&invite, false, &["500 Server Internal Error"], "500")
    }),
    scenario("unavailable", |stage| {
        let invite = stage.request("INVITE");
        stage.fails(&invite, false, &["503 Service Unavailable"], "503")
    }),
    Scenario {
        name: "silent",
        repeats: Repeats::OfTheCaller,
        play: |stage| {
            let invite = stage.request("INVITE");
            stage.send(&invite);
            let first = stage.arrives("INVITE")?;
            // Nobody answers, the caller repeats: the proxy sends the same to the same gateway.
            stage.send(&invite);
            stage.repeated(&first)
        },
    },
    scenario("cancelled", |stage| {
        let invite = stage.request("INVITE");
        stage.send(&invite);
        let ringing = stage.arrives("INVITE")?;
        stage.answer(&ringing, "180 Ringing");
        stage.comes_back("180", "INVITE")?;
        stage.cancel(&invite);
        let cancel = stage.arrives("CANCEL")?;
        stage.answer(&cancel, "200 OK");
        stage.comes_back("200", "CANCEL")?;
        stage.answer(&ringing, "487 Request Terminated");
        let answer = stage.comes_back("487", "INVITE")?;
        stage.acknowledge(&invite, &answer);
        stage.arrives("ACK")?;
        Ok(())
    }),
    scenario("options", |stage| {
        let options = stage.request("OPTIONS");
        stage.asks(&options, &["200 OK"])
    }),
    scenario("options-to-us", |stage| {
        let us = format!("sip:{}", stage.proxy);
        let options = stage.request_to("OPTIONS", &us);
        stage.asks(&options, &["200 OK"])
    }),
    scenario("register", |stage| {
        let register = stage.request("REGISTER");
        stage.asks(&register, &["403 Forbidden"])
    }),
    scenario("last-hop", |stage| {
        let invite = stage
            .request("INVITE")
            .replace("Forwards: 70", "Forwards: 0");
        stage.refused(&invite, "483")
    }),
    scenario("without-max-forwards", |stage| {
        let invite = stage.request("INVITE").replace("Max-Forwards: 70\r\n", "");
        let dialog = stage.call(invite, false, &[])?;
        stage.hang_up(&dialog)
    }),
    scenario("with-routes", |stage| {
        // The file has no loose_route(): a Route is neither followed nor taken away.
        let route = "Route: <sip:192.0.2.5;lr>\r\nFrom:";
        let options = stage.request("OPTIONS").replace("From:", route);
        stage.asks(&options, &["200 OK"])
    }),
    scenario("two-hops", |stage| {
        let via = "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK-end-far;received=192.0.2.8\r\n\
                   Record-Route: <sip:192.0.2.7;lr>\r\nMax";
        let invite = stage.request("INVITE").replace("Max", via);
        let dialog = stage.call(invite, false, &[])?;
        stage.hang_up(&dialog)
    }),
];

/// With every gateway out: the file does not look at what `ds_select_dst()` returns, so the request
/// goes where its URI leads.
pub const ALL_OUT: &[Scenario] = &[scenario("nobody-to-call", |stage| {
    let gateway = stage.caller.replace(".2:", ".12:");
    let options = stage.request_to("OPTIONS", &format!("sip:service@{gateway}"));
    stage.asks(&options, &["200 OK"])
})];
