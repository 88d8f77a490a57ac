//! Just enough SIP text for the callers and gateways that the tests play themselves.

/// The value of the first header line of this name.
pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message
        .lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
}

/// A received datagram as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The answer to a request; `tag` goes into To if that has none.
pub fn reply(request: &str, status: &str, tag: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default();
        if !["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"].contains(&name) {
            continue;
        }
        text.push_str(line);
        if name == "To" && !line.contains(";tag=") {
            text.push_str(";tag=");
            text.push_str(tag);
        }
        text.push_str("\r\n");
    }
    text + "Content-Length: 0\r\n\r\n"
}
