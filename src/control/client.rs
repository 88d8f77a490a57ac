//! The client of the control socket: what `sipshard rpc` is made of.
//!
//! Owns: one connection, blocking. May touch: that connection only.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::binrpc::{
    FrameError, MAX_REPLY_BYTES, PacketKind, RecordError, decode_fault, decode_values,
    encode_request, split,
};
use super::socket_path;
use super::value::{Fault, Value};

/// How long an answer may take: a reload may wait for a name server.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection to a running sipshard.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    cookie: u32,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The method was refused or failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The connection broke.
    #[error("control socket: {0}")]
    Io(#[from] io::Error),
    /// The answer is not BINRPC.
    #[error("control socket: {0}")]
    Frame(#[from] FrameError),
    /// The answer's records are broken.
    #[error("control socket: {0}")]
    Record(#[from] RecordError),
    /// The answer is none to what was asked.
    #[error("control socket: an answer to something else")]
    Mismatch,
}

/// Nobody answers.
#[derive(Debug, thiserror::Error)]
#[error("no sipshard answers on {}: {cause}", paths(.tried))]
pub struct ConnectError {
    /// Where it was looked for.
    pub tried: Vec<PathBuf>,
    /// What the system says of the last.
    pub cause: io::Error,
}

fn paths(tried: &[PathBuf]) -> String {
    let tried: Vec<_> = tried
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    tried.join(", ")
}

impl Client {
    /// Connects to the socket at `path`.
    pub fn connect(path: &Path) -> Result<Self, ConnectError> {
        Self::connect_to_first(vec![path.to_owned()])
    }

    /// Connects to the first default place where somebody answers.
    pub fn connect_to_default() -> Result<Self, ConnectError> {
        Self::connect_to_first(socket_path::candidates())
    }

    fn connect_to_first(tried: Vec<PathBuf>) -> Result<Self, ConnectError> {
        let mut cause = io::Error::from(io::ErrorKind::NotFound);
        for path in &tried {
            let connected = UnixStream::connect(path).and_then(|stream| {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Ok(Self { stream, cookie: 0 })
            });
            match connected {
                Ok(client) => return Ok(client),
                // A socket that is there and refuses tells more than one that is not there.
                Err(error) if cause.kind() == io::ErrorKind::NotFound => cause = error,
                Err(_) => {}
            }
        }
        Err(ConnectError { tried, cause })
    }

    /// Calls a method and waits for its answer.
    pub fn call(&mut self, method: &str, parameters: &[Value]) -> Result<Vec<Value>, CallError> {
        self.cookie = self.cookie.wrapping_add(1);
        let mut bytes = Vec::new();
        encode_request(self.cookie, method, parameters, &mut bytes);
        self.stream.write_all(&bytes)?;
        bytes.clear();
        let mut piece = [0; 16 * 1024];
        loop {
            if let Some(packet) = split(&bytes, MAX_REPLY_BYTES)? {
                if packet.kind == PacketKind::Fault {
                    return Err(decode_fault(packet.body)?.into());
                }
                if packet.kind != PacketKind::Reply || packet.cookie != self.cookie {
                    return Err(CallError::Mismatch);
                }
                return Ok(decode_values(packet.body)?);
            }
            match self.stream.read(&mut piece)? {
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                size => bytes.extend_from_slice(&piece[..size]),
            }
        }
    }
}

/// What a word of the command line is sent as, by kamcmd's rules: a whole number if it is one, else a
/// fraction if it is one, else text. `s:` before it makes it text whatever it is.
pub fn argument(word: &str) -> Value {
    if let Some(text) = word.strip_prefix("s:") {
        return Value::text(text);
    }
    if let Ok(number) = word.parse::<i32>() {
        return Value::Int(i64::from(number));
    }
    match word.parse::<f64>() {
        // `inf` and `nan` are words here.
        Ok(number) if number.is_finite() && !word.ends_with(char::is_alphabetic) => {
            Value::Double(number)
        }
        _ => Value::text(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_typed_as_kamcmd_types_them() {
        let cases = [
            ("5", Value::Int(5)),
            ("-7", Value::Int(-7)),
            ("010", Value::Int(10)),
            ("1.5", Value::Double(1.5)),
            ("1e3", Value::Double(1000.0)),
            ("s:9", Value::text("9")),
            ("s:s:9", Value::text("s:9")),
            ("abc", Value::text("abc")),
            ("sip:127.0.0.1:5060", Value::text("sip:127.0.0.1:5060")),
            ("", Value::text("")),
            ("inf", Value::text("inf")),
            ("nan", Value::text("nan")),
        ];
        for (word, value) in cases {
            assert_eq!(argument(word), value, "{word}");
        }
    }

    #[test]
    fn where_nobody_answers_is_said() {
        let path = Path::new("/nonexistent/sipshard_ctl");
        let error = Client::connect(path).map(|_| ()).expect_err("nobody there");
        let text = error.to_string();
        let start = "no sipshard answers on /nonexistent/sipshard_ctl: No such file";
        assert!(text.starts_with(start), "{text}");
    }
}
