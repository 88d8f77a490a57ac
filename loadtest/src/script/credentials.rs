//! The keyword `[authentication username=.. password=..]`: in messages, and in the fields of files.

/// How the keyword begins.
pub const KEYWORD: &str = "authentication";

/// The values of `username` and `password`, as far as they are given, of what follows the keyword's name.
/// They may be in quotes, and hold other keywords.
///
/// # Errors
/// If anything else stands there.
pub fn parameters(text: &str) -> Result<(Option<&str>, Option<&str>), String> {
    let (mut username, mut password) = (None, None);
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest
            .split_once('=')
            .ok_or_else(|| format!("`{rest}` is not username=NAME or password=WORD"))?;
        let (value, after) = value(after)?;
        match name.trim() {
            "username" => username = Some(value),
            "password" => password = Some(value),
            other => {
                return Err(format!(
                    "`{other}`: only username and password can be given"
                ));
            }
        }
        rest = after.trim_start();
    }
    Ok((username, password))
}

/// The value at the begin of a text, and what follows it.
fn value(text: &str) -> Result<(&str, &str), String> {
    if let Some(inner) = text.strip_prefix('"') {
        return inner
            .split_once('"')
            .ok_or_else(|| "a quote is not closed".to_owned());
    }
    let mut depth = 0_u32;
    let end = text.find(|c: char| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && c.is_whitespace()
    });
    Ok(text.split_at(end.unwrap_or(text.len())))
}

/// Where the bracket that closes a keyword stands, in what follows the opening one.
pub fn closing(inner: &str) -> Option<usize> {
    if !inner.starts_with(KEYWORD) {
        return inner.find(']');
    }
    let mut depth = 0_u32;
    for (at, c) in inner.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 0 => return Some(at),
            ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Username and password of a field that is such a keyword; `None` if the field is anything else.
///
/// # Errors
/// If one of them is missing, or anything else stands there.
pub fn of_field(field: &[u8]) -> Option<Result<(&str, &str), String>> {
    let inner = field.strip_prefix(b"[")?.strip_prefix(KEYWORD.as_bytes())?;
    let read = || {
        let text = std::str::from_utf8(inner).map_err(|_| "is not UTF-8".to_owned())?;
        let text = text.trim_end().strip_suffix(']');
        let (username, password) = parameters(text.ok_or("the bracket is not closed")?)?;
        let both = username.zip(password);
        both.ok_or_else(|| "needs username and password".to_owned())
    };
    Some(read())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_found() {
        for (text, username, password) in [
            ("", None, None),
            (" username=joe", Some("joe"), None),
            (" username=joe password=\"a b\"", Some("joe"), Some("a b")),
            (
                "\tpassword=[field1 file=\"x y.csv\"] username=u[field0] ",
                Some("u[field0]"),
                Some("[field1 file=\"x y.csv\"]"),
            ),
        ] {
            assert_eq!(parameters(text), Ok((username, password)), "{text}");
        }
        for text in [" joe", " user=joe", " username=\"joe", " aka_OP=0"] {
            assert!(parameters(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_field_may_be_the_keyword() {
        assert_eq!(of_field(b"joe"), None);
        assert_eq!(of_field(b"[field0]"), None);
        let joe = of_field(b"[authentication username=joe password=schmo]");
        assert_eq!(joe, Some(Ok(("joe", "schmo"))));
        for text in [
            "[authentication username=joe]",
            "[authentication username=joe password=x",
            "[authentication]",
        ] {
            assert!(of_field(text.as_bytes()).unwrap().is_err(), "{text}");
        }
    }
}
