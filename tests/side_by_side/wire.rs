//! Just enough SIP text for the ends that the tests play themselves.

/// A body that names no address, so that it is the same at every place.
pub const BODY: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";

/// What an answer has from its request.
const COPIED: [&str; 10] = [
    "Via",
    "v",
    "Record-Route",
    "From",
    "f",
    "To",
    "t",
    "Call-ID",
    "i",
    "CSeq",
];

/// The values of all header lines of this name, in order.
pub fn headers<'a>(message: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    message
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(move |line| {
            let (found, value) = line.split_once(':')?;
            found
                .trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim())
        })
}

/// The value of the first of them.
pub fn header<'a>(message: &'a str, name: &'a str) -> &'a str {
    headers(message, name).next().unwrap_or_default()
}

/// The URI of a Contact, From or To, without the brackets.
pub fn uri(value: &str) -> &str {
    let from = value.find('<').map_or(0, |at| at + 1);
    let to = value.find('>').unwrap_or(value.len());
    &value[from..to]
}

/// The method of a request, or the code of a reply.
pub fn kind(message: &str) -> &str {
    let mut words = message.split(' ');
    match words.next() {
        Some("SIP/2.0") => words.next().unwrap_or_default(),
        word => word.unwrap_or_default(),
    }
}

/// The method of the CSeq.
pub fn method(message: &str) -> &str {
    header(message, "CSeq")
        .split(' ')
        .nth(1)
        .unwrap_or_default()
}

/// The answer to a request, with header lines of its own; `tag` goes into To if that has none.
pub fn reply(request: &str, status: &str, tag: &str, more: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().skip(1).take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default().trim();
        if !COPIED.contains(&name) {
            continue;
        }
        text.push_str(line);
        if ["To", "t"].contains(&name) && !line.contains(";tag=") {
            text.push_str(";tag=");
            text.push_str(tag);
        }
        text.push_str("\r\n");
    }
    text + more + "Content-Length: 0\r\n\r\n"
}
