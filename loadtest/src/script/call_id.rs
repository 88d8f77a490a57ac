//! Call-IDs of the user's own form: SIPp's `-cid_str`.

use std::net::IpAddr;

/// The form of Call-IDs: text, with what differs between calls, addresses and processes in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallIdForm(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The number of the call.
    Number,
    /// The number of the process.
    Process,
    /// The own address.
    Address,
}

impl CallIdForm {
    /// Reads a form: `%u` is the number of the call, `%p` that of the process, `%s` the own address, `%%` a
    /// percent sign.
    ///
    /// # Errors
    /// What is wrong, for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a Call-ID is not empty".to_owned());
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a Call-ID has neither blanks nor letters beyond ASCII".to_owned());
        }
        let mut parts = Vec::new();
        let mut fixed = String::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                fixed.push(letter);
                continue;
            }
            let part = match letters.next() {
                Some('%') => {
                    fixed.push('%');
                    continue;
                }
                Some('u') => Part::Number,
                Some('p') => Part::Process,
                Some('s') => Part::Address,
                other => {
                    let other = other.map_or_else(String::new, String::from);
                    return Err(format!("%{other} is not one of %u, %p, %s and %%"));
                }
            };
            if !fixed.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut fixed)));
            }
            parts.push(part);
        }
        if !fixed.is_empty() {
            parts.push(Part::Text(fixed));
        }
        // What stands before it in a Call-ID that comes is left out, as SIPp does: such a call would hear nothing.
        if text.contains("///") {
            return Err("what comes before /// is no part of a call's own Call-ID".to_owned());
        }
        Ok(Self(parts))
    }

    /// The Call-ID of a call.
    pub fn write(&self, number: u64, process: u32, address: IpAddr) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Number => number.to_string(),
            Part::Process => process.to_string(),
            Part::Address => address.to_string(),
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_filled_in_for_each_call() {
        let address = "192.0.2.1".parse().unwrap();
        for (form, id) in [
            ("%u-%p@%s", "5-77@192.0.2.1"),
            ("100%%-%u", "100%-5"),
            ("%s%u%u%p", "192.0.2.15577"),
            ("fixed", "fixed"),
        ] {
            let form = CallIdForm::parse(form).unwrap();
            assert_eq!(form.write(5, 77, address), id);
        }
    }

    #[test]
    fn what_can_be_no_call_id_is_refused() {
        for (form, why) in [
            ("", "not empty"),
            ("a b", "blanks"),
            ("a\r\nX: %u", "blanks"),
            ("%u%", "% is not one of"),
            ("%x", "%x is not one of"),
            ("1///%u", "///"),
        ] {
            let error = CallIdForm::parse(form).unwrap_err();
            assert!(error.contains(why), "{form:?}: {error}");
        }
    }
}
