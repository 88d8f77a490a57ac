//! Messages with keywords: compiled once, written for each call.

use std::io::Write as _;

use super::call::{Call, Setting, Value};
use super::credentials::{KEYWORD, closing, of_field, parameters};
use super::digest::Request;

/// Text with keywords.
#[derive(Clone, Debug, Default)]
pub struct Text {
    lines: Vec<Line>,
    /// Whether lines end in CRLF and a blank one ends the headers.
    is_message: bool,
    has_body: bool,
    authenticates: bool,
}

#[derive(Clone, Debug, Default)]
struct Line {
    pieces: Vec<Piece>,
    /// A line of nothing but a keyword that comes to nothing is left out.
    drops: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Bytes(Vec<u8>),
    Word(Word),
}

/// A keyword.
#[derive(Clone, Debug, PartialEq)]
enum Word {
    Service,
    RemoteIp,
    RemotePort,
    Transport,
    LocalIp,
    LocalIpType,
    LocalPort(i64),
    MediaIp,
    MediaIpType,
    MediaPort(i64),
    Length(i64),
    CallNumber,
    Cseq(i64),
    CallId,
    Pid,
    Branch(i64),
    MessageIndex,
    LastLines(Vec<u8>),
    LastValue(Vec<u8>),
    LastMessage,
    LastUri,
    LastCseq(i64),
    PeerTag,
    Routes,
    NextUrl,
    Field(usize, usize),
    Variable(usize),
    Users,
    UserId,
    ClockTick,
    Timestamp,
    Version,
    /// Username and password.
    Authentication(Vec<Piece>, Vec<Piece>),
}

/// What names a keyword may use, and what they mean.
pub struct Names<'a> {
    /// Makes a number of a variable's name.
    pub variable: &'a mut dyn FnMut(&str) -> usize,
    /// The files of fields, by their names without folders.
    pub files: &'a [(String, usize)],
    /// Words of the user's own (`-key`).
    pub keys: &'a [(String, String)],
    /// User and password for `[authentication]` that names none (`-au`, `-ap`).
    pub credentials: (&'a str, &'a str),
}

/// A keyword that cannot be used: as it stands there, and why.
pub type Unusable = (String, String);

impl Text {
    /// Compiles a message: indentation goes, headers and body are told apart by a blank line.
    ///
    /// # Errors
    /// The first keyword that cannot be used.
    pub fn message(text: &str, names: &mut Names<'_>) -> Result<Self, Unusable> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let is_blank = |line: &&str| line.is_empty();
        let first = lines.iter().take_while(|line| is_blank(line)).count();
        let last = lines.iter().rev().take_while(|line| is_blank(line)).count();
        let lines = &lines[first..lines.len().saturating_sub(last).max(first)];
        let has_body = lines.iter().any(is_blank);
        let lines: Vec<Line> = lines
            .iter()
            .map(|line| compile_line(line, names))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            is_message: true,
            has_body,
            authenticates: lines.iter().any(authenticates),
            lines,
        })
    }

    /// Compiles one line of text.
    ///
    /// # Errors
    /// The first keyword that cannot be used.
    pub fn line(text: &str, names: &mut Names<'_>) -> Result<Self, Unusable> {
        let line = compile_line(text, names)?;
        if authenticates(&line) {
            let why = "only a message can answer a challenge";
            return Err((format!("[{KEYWORD}"), why.to_owned()));
        }
        Ok(Self {
            lines: vec![line],
            is_message: false,
            has_body: false,
            authenticates: false,
        })
    }

    /// Whether it has the keyword that answers a challenge.
    pub fn authenticates(&self) -> bool {
        self.authenticates
    }

    /// The fixed bytes at its begin.
    pub fn head(&self) -> &[u8] {
        match self.lines.first().and_then(|line| line.pieces.first()) {
            Some(Piece::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    /// Writes it for a call, at a step.
    pub fn write(&self, call: &Call, setting: &Setting<'_>, out: &mut Vec<u8>) {
        let mut lengths = Vec::new();
        let mut body = None;
        for line in &self.lines {
            let at = out.len();
            for piece in &line.pieces {
                match piece {
                    Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                    Piece::Word(Word::Length(offset)) => lengths.push((out.len(), *offset)),
                    Piece::Word(word) => word.write(call, setting, out),
                }
            }
            if line.drops && out.len() == at {
                continue;
            }
            if self.is_message {
                out.extend_from_slice(b"\r\n");
                if line.pieces.is_empty() && body.is_none() {
                    body = Some(out.len());
                }
            }
        }
        if self.is_message && !self.has_body {
            out.extend_from_slice(b"\r\n");
        }
        let length = body.map_or(0, |body| out.len() - body);
        // From the last on, so that the places before stay where they are.
        for (at, offset) in lengths.into_iter().rev() {
            let digits = (length as i64 + offset).max(0).to_string();
            out.splice(at..at, digits.into_bytes());
        }
    }
}

fn authenticates(line: &Line) -> bool {
    let is_answer = |piece: &Piece| matches!(piece, Piece::Word(Word::Authentication(..)));
    line.pieces.iter().any(is_answer)
}

fn compile_line(line: &str, names: &mut Names<'_>) -> Result<Line, Unusable> {
    let mut pieces = Vec::new();
    let mut fixed = String::new();
    let mut rest = line;
    while let Some(open) = rest.find('[') {
        fixed.push_str(&rest[..open]);
        let inner = &rest[open + 1..];
        let starts_word = inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$');
        if !starts_word {
            fixed.push('[');
            rest = inner;
            continue;
        }
        let Some(close) = closing(inner) else {
            let word = inner.split_whitespace().next().unwrap_or(inner);
            return Err((format!("[{word}"), "the bracket is not closed".to_owned()));
        };
        let word = &inner[..close];
        rest = &inner[close + 1..];
        if let Some((_, value)) = names.keys.iter().find(|(key, _)| key == word) {
            fixed.push_str(value);
            continue;
        }
        let compiled = compile_word(word, names).map_err(|why| (format!("[{word}]"), why))?;
        if !fixed.is_empty() {
            pieces.push(Piece::Bytes(std::mem::take(&mut fixed).into_bytes()));
        }
        pieces.push(Piece::Word(compiled));
    }
    fixed.push_str(rest);
    let drops = fixed.is_empty() && matches!(pieces[..], [Piece::Word(_)]);
    if !fixed.is_empty() {
        pieces.push(Piece::Bytes(fixed.into_bytes()));
    }
    Ok(Line { pieces, drops })
}

fn compile_word(word: &str, names: &mut Names<'_>) -> Result<Word, String> {
    if let Some(variable) = word.strip_prefix('$') {
        return Ok(Word::Variable((names.variable)(variable)));
    }
    if let Some(field) = word.strip_prefix("field") {
        return compile_field(field, names);
    }
    if let Some(rest) = word.strip_prefix(KEYWORD)
        && !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    {
        return compile_credentials(rest, names);
    }
    let sign = word.rfind(['+', '-']).filter(|at| *at > 0);
    let (name, offset) = match sign.map(|at| word.split_at(at)) {
        Some((name, offset))
            if offset.len() > 1 && offset[1..].bytes().all(|b| b.is_ascii_digit()) =>
        {
            (
                name,
                offset
                    .parse()
                    .map_err(|_| "too large a number".to_owned())?,
            )
        }
        _ => (word, 0),
    };
    let with_offset = match name {
        "local_port" => Some(Word::LocalPort(offset)),
        "media_port" | "auto_media_port" => Some(Word::MediaPort(offset)),
        "len" => Some(Word::Length(offset)),
        "cseq" => Some(Word::Cseq(offset)),
        "branch" => Some(Word::Branch(offset)),
        "last_cseq_number" => Some(Word::LastCseq(offset)),
        _ => None,
    };
    if let Some(found) = with_offset {
        return Ok(found);
    }
    Ok(match word {
        "service" => Word::Service,
        "remote_ip" | "remote_host" => Word::RemoteIp,
        "remote_port" => Word::RemotePort,
        "transport" => Word::Transport,
        "local_ip" | "server_ip" => Word::LocalIp,
        "local_ip_type" => Word::LocalIpType,
        "media_ip" => Word::MediaIp,
        "media_ip_type" => Word::MediaIpType,
        "call_number" => Word::CallNumber,
        "call_id" => Word::CallId,
        "pid" => Word::Pid,
        "msg_index" => Word::MessageIndex,
        "last_message" => Word::LastMessage,
        "last_Request_URI" => Word::LastUri,
        "peer_tag_param" => Word::PeerTag,
        "routes" => Word::Routes,
        "next_url" => Word::NextUrl,
        "users" => Word::Users,
        "userid" => Word::UserId,
        "clock_tick" => Word::ClockTick,
        "timestamp" => Word::Timestamp,
        "sipp_version" => Word::Version,
        _ => {
            let header = word
                .strip_prefix("last_")
                .ok_or("no such keyword; words of your own are given by -key")?;
            match header.strip_suffix(':') {
                Some(name) => Word::LastLines(name.as_bytes().to_vec()),
                None => Word::LastValue(header.as_bytes().to_vec()),
            }
        }
    })
}

/// What follows `authentication`; what is not given there is what `-au` and `-ap` say.
fn compile_credentials(rest: &str, names: &mut Names<'_>) -> Result<Word, String> {
    let (username, password) = parameters(rest)?;
    let (default_username, default_password) = names.credentials;
    let mut pieces = |text: Option<&str>, default: &str| {
        let Some(text) = text else {
            return Ok(vec![Piece::Bytes(default.as_bytes().to_vec())]);
        };
        let line = compile_line(text, names).map_err(|(word, why)| format!("{word}: {why}"))?;
        if authenticates(&line) {
            return Err("it cannot stand within itself".to_owned());
        }
        Ok(line.pieces)
    };
    let username = pieces(username, default_username)?;
    let password = pieces(password, default_password)?;
    Ok(Word::Authentication(username, password))
}

/// `field0`, or `field0 file="users.csv"`.
fn compile_field(field: &str, names: &Names<'_>) -> Result<Word, String> {
    let (number, file) = match field.split_once(char::is_whitespace) {
        None => (field, None),
        Some((number, rest)) => {
            let file = rest.trim().strip_prefix("file=");
            let file = file.ok_or("only file=\"NAME\" may follow the number")?;
            (number, Some(file.trim_matches('"')))
        }
    };
    let number: usize = number
        .parse()
        .map_err(|_| "not a field's number".to_owned())?;
    let found = match file {
        None => names.files.first().map(|first| (0, first)),
        Some(file) => names
            .files
            .iter()
            .enumerate()
            .find(|(_, (name, _))| name == file),
    };
    let (index, (name, fields)) = found.ok_or_else(|| match file {
        None => "needs -inf FILE".to_owned(),
        Some(file) => format!("needs -inf {file}"),
    })?;
    if number >= *fields {
        return Err(format!("{name} has lines with only {fields} fields"));
    }
    Ok(Word::Field(index, number))
}

impl Word {
    fn write(&self, call: &Call, setting: &Setting<'_>, out: &mut Vec<u8>) {
        let fixed = setting.fixed;
        let local = fixed.local[usize::from(call.socket) - usize::from(fixed.first_socket)];
        // Writing to a vector cannot fail.
        let _ = match self {
            Self::Service => out.write_all(fixed.service.as_bytes()),
            Self::RemoteIp => write_ip(out, call.peer.ip()),
            Self::RemotePort => write!(out, "{}", call.peer.port()),
            Self::Transport => out.write_all(b"UDP"),
            Self::LocalIp => write_ip(out, local.ip()),
            Self::LocalIpType => write!(out, "{}", if local.is_ipv4() { 4 } else { 6 }),
            Self::LocalPort(offset) => write!(out, "{}", i64::from(local.port()) + offset),
            Self::MediaIp => write!(out, "{}", fixed.media_ip.unwrap_or(local.ip())),
            Self::MediaIpType => {
                let ip = fixed.media_ip.unwrap_or(local.ip());
                write!(out, "{}", if ip.is_ipv4() { 4 } else { 6 })
            }
            Self::MediaPort(offset) => write!(out, "{}", i64::from(fixed.media_port) + offset),
            Self::CallNumber | Self::UserId => write!(out, "{}", call.number),
            Self::Cseq(offset) => write!(out, "{}", i64::from(call.cseq) + offset),
            Self::CallId => out.write_all(&call.id),
            Self::Pid => write!(out, "{}", fixed.pid),
            Self::Branch(offset) => match setting.branch {
                Some(branch) => out.write_all(branch),
                None => call.write_branch(fixed.pid, setting.step as i64 + offset, out),
            },
            Self::MessageIndex => write!(out, "{}", setting.step),
            Self::LastLines(name) => {
                call.last_lines(name, out);
                Ok(())
            }
            Self::LastValue(name) => out.write_all(call.last_value(name)),
            Self::LastMessage => out.write_all(&call.last),
            Self::LastUri => out.write_all(call.last_uri()),
            Self::LastCseq(offset) => write!(out, "{}", last_cseq(call) + offset),
            Self::PeerTag if call.peer_tag.is_empty() => Ok(()),
            Self::PeerTag => out
                .write_all(b";tag=")
                .and_then(|()| out.write_all(&call.peer_tag)),
            Self::Routes if call.routes.is_empty() => Ok(()),
            Self::Routes => out
                .write_all(b"Route: ")
                .and_then(|()| out.write_all(&call.routes)),
            Self::NextUrl => out.write_all(&call.next_url),
            Self::Field(file, field) => {
                let row = call.rows.get(*file).copied().unwrap_or(0);
                let field = fixed.injections[*file].field(row, *field);
                write_field(field, call, setting, out)
            }
            Self::Authentication(username, password) => {
                let username = text_of(username, call, setting);
                let password = text_of(password, call, setting);
                answer(call, setting, (&username, &password), out)
            }
            Self::Variable(index) => write_value(&call.variables[*index], out),
            Self::Users => write!(out, "{}", fixed.users),
            Self::ClockTick | Self::Timestamp => write!(out, "{}", setting.now.as_millis()),
            Self::Version => out.write_all(env!("CARGO_PKG_VERSION").as_bytes()),
            // Its digits are put in when the body is known.
            Self::Length(_) => Ok(()),
        };
    }
}

/// The number in the last message's CSeq; 0 without one.
fn last_cseq(call: &Call) -> i64 {
    let value = call.last_value(b"CSeq");
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
    let number = std::str::from_utf8(&value[..digits.count()]).ok();
    number.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A field of a file: as it stands there, unless it is `[authentication ...]`.
fn write_field(
    field: &[u8],
    call: &Call,
    setting: &Setting<'_>,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    match of_field(field) {
        Some(Ok((username, password))) => {
            let credentials = (username.as_bytes(), password.as_bytes());
            answer(call, setting, credentials, out)
        }
        _ => out.write_all(field),
    }
}

/// What pieces come to.
fn text_of(pieces: &[Piece], call: &Call, setting: &Setting<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => text.extend_from_slice(bytes),
            Piece::Word(word) => word.write(call, setting, &mut text),
        }
    }
    text
}

/// The answer to the call's challenge, for the request that stands in `out` so far; nothing without one.
fn answer(
    call: &Call,
    setting: &Setting<'_>,
    (username, password): (&[u8], &[u8]),
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let Some(challenge) = &call.challenge else {
        return Ok(());
    };
    let (method, uri) = {
        let mut words = out.split(|byte| matches!(byte, b' ' | b'\r'));
        let mut word = || words.next().unwrap_or_default().to_vec();
        (word(), word())
    };
    let request = Request {
        username,
        password,
        method: &method,
        uri: &uri,
    };
    challenge.answer(request, setting.chance, out)
}

/// An address as it stands in a URI.
fn write_ip(out: &mut Vec<u8>, ip: std::net::IpAddr) -> std::io::Result<()> {
    if ip.is_ipv4() {
        write!(out, "{ip}")
    } else {
        write!(out, "[{ip}]")
    }
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> std::io::Result<()> {
    match value {
        Value::Unset => Ok(()),
        Value::Text(text) => out.write_all(text),
        Value::Number(number) => write!(out, "{number}"),
        Value::Truth(truth) => write!(out, "{truth}"),
    }
}
