//! What `modparam` says of modules other than the dispatcher.

use std::time::Duration;

use crate::route::settings::ScriptSettings;

/// The parameters that the host goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleSettings {
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
    /// `tm`: an INVITE is answered with 100 at once.
    pub has_trying: bool,
    /// `tm`: the reason of that.
    pub trying_reason: String,
    /// `tm`: a 503 of the last branch is answered as 500.
    pub remaps_503: bool,
    /// `sl`: what `sl_reply_error()` answers when nothing went wrong.
    pub error_code: u16,
    /// `sl`: its reason.
    pub error_reason: String,
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
            overrides_next_hop: is_on("dispatcher", "force_dst"),
            max_forwards_limit: script.number("maxfwd", "max_limit").clamp(1, 255) as u32,
            has_full_lr: is_on("rr", "enable_full_lr"),
            appends_from_tag: is_on("rr", "append_fromtag"),
            has_double_rr: is_on("rr", "enable_double_rr"),
            fr_timer: span("tm", "fr_timer"),
            fr_inv_timer: span("tm", "fr_inv_timer"),
            has_trying: is_on("tm", "auto_inv_100"),
            trying_reason: script.text("tm", "auto_inv_100_reason"),
            remaps_503: is_on("tm", "remap_503_500"),
            error_code: script.number("sl", "default_code").clamp(400, 699) as u16,
            error_reason: script.text("sl", "default_reason"),
        }
    }
}
