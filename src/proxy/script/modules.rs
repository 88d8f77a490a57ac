//! What `modparam` says of modules other than the dispatcher.

use std::time::Duration;

use crate::route::ast::{Config, Item, Value};

/// The parameters that the host goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleSettings {
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

impl Default for ModuleSettings {
    /// As Kamailio has them.
    fn default() -> Self {
        Self {
            max_forwards_limit: 70,
            has_full_lr: false,
            appends_from_tag: true,
            has_double_rr: true,
            fr_timer: Some(Duration::from_secs(30)),
            fr_inv_timer: Some(Duration::from_secs(120)),
            has_trying: true,
            trying_reason: "trying -- your call is important to us".to_owned(),
            remaps_503: true,
            error_code: 500,
            error_reason: "Internal Server Error".to_owned(),
        }
    }
}

impl ModuleSettings {
    /// What a checked configuration says.
    pub fn of(config: &Config) -> Self {
        let mut settings = Self::default();
        for item in &config.items {
            if let Item::ModParam {
                modules,
                name,
                value,
            } = item
            {
                for module in modules.value.split('|') {
                    settings.set(module.trim(), &name.value, value);
                }
            }
        }
        settings
    }

    fn set(&mut self, module: &str, name: &str, value: &Value) {
        let number = match value {
            Value::Number(number, _) => *number,
            Value::Text(text) => text.value.trim().parse().unwrap_or(0),
            Value::Word(word) => word.text.parse().unwrap_or(0),
        };
        let text = || match value {
            Value::Text(text) => text.value.clone(),
            Value::Word(word) => word.text.clone(),
            Value::Number(number, _) => number.to_string(),
        };
        let is_on = number != 0;
        let span = (number > 0).then(|| Duration::from_millis(number.unsigned_abs()));
        match (module, name) {
            ("maxfwd", "max_limit") => self.max_forwards_limit = number.clamp(1, 255) as u32,
            ("rr", "enable_full_lr") => self.has_full_lr = is_on,
            ("rr", "append_fromtag") => self.appends_from_tag = is_on,
            ("rr", "enable_double_rr") => self.has_double_rr = is_on,
            ("tm", "fr_timer") => self.fr_timer = span,
            ("tm", "fr_inv_timer") => self.fr_inv_timer = span,
            ("tm", "auto_inv_100") => self.has_trying = is_on,
            ("tm", "auto_inv_100_reason") => self.trying_reason = text(),
            ("tm", "remap_503_500") => self.remaps_503 = is_on,
            ("sl", "default_code") => self.error_code = number.clamp(400, 699) as u16,
            ("sl", "default_reason") => self.error_reason = text(),
            _ => {}
        }
    }
}
