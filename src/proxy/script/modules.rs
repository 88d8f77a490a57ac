//! What `modparam` says of modules other than the dispatcher.

use std::time::Duration;

use super::acc::AccountingSettings;
use crate::route::settings::ScriptSettings;
use crate::sip::{Message, Name};

/// The parameters that the host goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleSettings {
    /// The header line that names us in our answers, with its line end; empty: there is none.
    pub server: Vec<u8>,
    /// `dispatcher`: a destination is chosen also for a request that has a next hop (`force_dst`).
    pub overrides_next_hop: bool,
    /// `maxfwd`: Max-Forwards is lowered to this.
    pub max_forwards_limit: u32,
    /// `rr`: `lr=on` instead of `lr`.
    pub has_full_lr: bool,
    /// `rr`: the From tag is in our Record-Route.
    pub appends_from_tag: bool,
    /// `rr`: two Record-Routes where a request changes its socket.
    pub has_double_rr: bool,
    /// `tm`: how long nothing may come back; `None`: 64 T1.
    pub fr_timer: Option<Duration>,
    /// `tm`: how long an INVITE may ring; `None`: timer C.
    pub fr_inv_timer: Option<Duration>,
    /// `tm`: how long the transaction of an INVITE may last before it is answered.
    pub max_inv_lifetime: Option<Duration>,
    /// `tm`: how long other transactions may.
    pub max_noninv_lifetime: Option<Duration>,
    /// `tm`: how long an answered transaction absorbs what is repeated; `None`: as the settings say.
    pub wt_timer: Option<Duration>,
    /// `tm`: an INVITE is answered with 100 at once.
    pub has_trying: bool,
    /// `tm`: the reason of that.
    pub trying_reason: String,
    /// `tm`: a 503 of the last branch is answered as 500.
    pub remaps_503: bool,
    /// `tm`: a CANCEL says which answer of another branch it is for.
    pub gives_reasons: bool,
    /// `tm`: the Reason of the caller's CANCEL goes on.
    pub copies_reasons: bool,
    /// `siputils`: Accept of `options_reply()`.
    pub options_accept: String,
    /// `siputils`: its Accept-Encoding.
    pub options_accept_encoding: String,
    /// `siputils`: its Accept-Language.
    pub options_accept_language: String,
    /// `siputils`: its Supported.
    pub options_support: String,
    /// `sanity`: checks of `sanity_check()` without argument, as bits.
    pub sanity_checks: i64,
    /// `sanity`: URIs that it checks, as bits.
    pub sanity_uris: i64,
    /// `sanity`: the script ends where a check fails.
    pub sanity_drops: bool,
    /// `sanity`: failed checks are not answered.
    pub sanity_is_silent: bool,
    /// `sanity`: what Proxy-Require may ask for.
    pub known_options: Vec<String>,
    /// `acc`: what is accounted for.
    pub accounting: AccountingSettings,
}

impl ModuleSettings {
    /// What a configuration says, and for the rest Kamailio's defaults.
    pub fn of(script: &ScriptSettings) -> Self {
        let is_on = |module, name| script.number(module, name) != 0;
        let span = |module, name| match script.number(module, name) {
            ..=0 => None,
            milliseconds => Some(Duration::from_millis(milliseconds.unsigned_abs())),
        };
        Self {
            server: server_line(script),
            overrides_next_hop: is_on("dispatcher", "force_dst"),
            max_forwards_limit: script.number("maxfwd", "max_limit").clamp(1, 255) as u32,
            has_full_lr: is_on("rr", "enable_full_lr"),
            appends_from_tag: is_on("rr", "append_fromtag"),
            has_double_rr: is_on("rr", "enable_double_rr"),
            fr_timer: span("tm", "fr_timer"),
            fr_inv_timer: span("tm", "fr_inv_timer"),
            max_inv_lifetime: span("tm", "max_inv_lifetime"),
            max_noninv_lifetime: span("tm", "max_noninv_lifetime"),
            wt_timer: span("tm", "wt_timer").filter(|_| script.is_set("tm", "wt_timer")),
            has_trying: is_on("tm", "auto_inv_100"),
            trying_reason: script.text("tm", "auto_inv_100_reason"),
            remaps_503: is_on("tm", "remap_503_500"),
            gives_reasons: is_on("tm", "local_cancel_reason"),
            copies_reasons: is_on("tm", "e2e_cancel_reason"),
            options_accept: script.text("siputils", "options_accept"),
            options_accept_encoding: script.text("siputils", "options_accept_encoding"),
            options_accept_language: script.text("siputils", "options_accept_language"),
            options_support: script.text("siputils", "options_support"),
            sanity_checks: script.number("sanity", "default_checks"),
            sanity_uris: script.number("sanity", "uri_checks"),
            sanity_drops: is_on("sanity", "autodrop"),
            sanity_is_silent: is_on("sanity", "noreply"),
            known_options: items(&script.text("sanity", "proxy_require")),
            accounting: AccountingSettings::of(script),
        }
    }

    /// The first option of a Proxy-Require that nobody knows.
    pub fn unknown_option<'a>(&self, request: Message<'a>) -> Option<&'a [u8]> {
        let is_known = |option: &[u8]| {
            let mut known = self.known_options.iter();
            known.any(|known| known.as_bytes().eq_ignore_ascii_case(option))
        };
        request
            .values(Name::ProxyRequire)
            .map(|(option, _)| option)
            .find(|option| !is_known(option))
    }
}

/// What `server_signature` and `server_header` say. Kamailio names itself unless it is told not to; we
/// do if we are told to, by one of the two.
fn server_line(script: &ScriptSettings) -> Vec<u8> {
    let line = match (script.names_server(), script.core_text("server_header")) {
        (Some(false), _) | (None, None) => return Vec::new(),
        (_, Some(line)) => line,
        (Some(true), None) => concat!("Server: sipshard/", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    format!("{}\r\n", line.trim_end()).into_bytes()
}

/// The items of a list with commas.
fn items(list: &str) -> Vec<String> {
    let items = list.split(',').map(str::trim);
    items
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}
