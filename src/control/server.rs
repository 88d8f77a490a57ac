//! The control socket: BINRPC over a unix stream socket.
//!
//! Owns: the socket file, from [`Server::bind`] until drop. May touch: that file and its connections.
//!
//! Everything is bounded: connections, the size of a request, the time that a client may idle or
//! leave an answer unread. One answer is written before the next request is looked at.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::{debug, warn};

use super::binrpc::{
    FrameError, MAX_REQUEST_BYTES, Packet, PacketKind, decode_request, decode_values, encode_fault,
    encode_reply, split,
};
use super::director::Director;
use super::methods;
use super::value::{Fault, Value};

/// Connections at once; more are closed at once.
const MAX_CONNECTIONS: usize = 64;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;
/// How long a client may say nothing.
const IDLE: Duration = Duration::from_secs(120);
/// How long a client may leave an answer unread.
const UNREAD: Duration = Duration::from_secs(30);
/// How much is read at once.
const READ_BYTES: usize = 8 * 1024;

/// The control socket, bound.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    /// Dropped after the listener.
    file: SocketFile,
}

/// Why the control socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody answers there.
    #[error("{0}: another process answers on this control socket; give --ctl PATH")]
    InUse(PathBuf),
    /// There is a file that is no socket.
    #[error("{0}: is not a socket; give --ctl PATH")]
    NotASocket(PathBuf),
    /// The system refuses.
    #[error("{path}: cannot make the control socket: {cause}")]
    System {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl Server {
    /// Binds the socket, for its owner alone (mode 0600). A socket file that a dead process has left
    /// is replaced. Must be called in a tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let listener = match listen(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path)?;
                listen(path)
            }
            other => other,
        };
        let bound = listener.and_then(|listener| {
            let file = SocketFile::of(path)?;
            Ok(Self { listener, file })
        });
        bound.map_err(|cause| BindError::System {
            path: path.to_owned(),
            cause,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Serves clients for ever.
    pub async fn serve(self, director: Arc<Director>) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                        warn!(
                            "control socket: more than {MAX_CONNECTIONS} connections; one closed"
                        );
                        continue;
                    };
                    tokio::spawn(converse(stream, Arc::clone(&director), slot));
                }
                Err(error) => {
                    // Usually out of file descriptors: wait for some to be given back.
                    warn!("control socket: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// Nobody can connect before the mode is set: until `listen` they are refused.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)
}

fn remove_stale(path: &Path) -> Result<(), BindError> {
    let system = |cause| BindError::System {
        path: path.to_owned(),
        cause,
    };
    let metadata = std::fs::symlink_metadata(path).map_err(system)?;
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(system)
        }
        Ok(_) => Err(BindError::InUse(path.to_owned())),
        Err(cause) => Err(system(cause)),
    }
}

/// The socket file: removed when dropped, if it is still ours.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Device and inode.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Serves one client until it hangs up, idles, or says what is not BINRPC.
async fn converse(mut stream: UnixStream, director: Arc<Director>, _slot: OwnedSemaphorePermit) {
    let mut input = Vec::with_capacity(READ_BYTES);
    let mut output = Vec::new();
    loop {
        let next = answer_first(&director, &mut input, &mut output);
        if !output.is_empty() {
            match timeout(UNREAD, stream.write_all(&output)).await {
                Ok(Ok(())) => output.clear(),
                Ok(Err(error)) => return debug!("control socket: client left: {error}"),
                Err(_) => return debug!("control socket: answer left unread"),
            }
        }
        match next {
            Next::Request => {}
            Next::Close => return,
            Next::Read => {
                input.reserve(READ_BYTES);
                match timeout(IDLE, stream.read_buf(&mut input)).await {
                    Ok(Ok(1..)) => {}
                    Ok(Ok(0)) | Err(_) => return,
                    Ok(Err(error)) => return debug!("control socket: client left: {error}"),
                }
            }
        }
    }
}

/// What to do after an answer.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Look for another request in what was read.
    Request,
    /// Read on.
    Read,
    /// Hang up: the stream cannot be understood any more.
    Close,
}

/// Takes the first request out of `input`, if it is there as a whole, and appends its answer.
fn answer_first(director: &Director, input: &mut Vec<u8>, output: &mut Vec<u8>) -> Next {
    match split(input, MAX_REQUEST_BYTES) {
        Ok(None) => Next::Read,
        Ok(Some(packet)) => {
            let next = answer(director, packet, output);
            let bytes = packet.bytes;
            input.drain(..bytes);
            next
        }
        Err(error) => {
            let cookie = match error {
                FrameError::TooLong { cookie, .. } => cookie,
                FrameError::Corrupted => 0,
            };
            let fault = Fault::bad_request(format!("bad request: {error}"));
            encode_fault(cookie, &fault, output);
            Next::Close
        }
    }
}

fn answer(director: &Director, packet: Packet<'_>, output: &mut Vec<u8>) -> Next {
    let cookie = packet.cookie;
    if packet.kind != PacketKind::Request {
        let error = FrameError::Corrupted;
        let fault = Fault::bad_request(format!("bad request: {error}"));
        encode_fault(cookie, &fault, output);
        return Next::Close;
    }
    let (method, rest) = match decode_request(packet.body) {
        Ok(request) => request,
        Err(error) => {
            let fault = Fault::bad_request(format!("bad request method: {error}"));
            encode_fault(cookie, &fault, output);
            return Next::Close;
        }
    };
    let parameters = decode_values(rest)
        .map_err(|error| Fault::bad_request(format!("bad request: parameters: {error}")));
    match parameters.and_then(|parameters| call(director, &method, &parameters)) {
        Ok(values) => encode_reply(cookie, &values, output),
        Err(fault) => encode_fault(cookie, &fault, output),
    }
    Next::Request
}

fn call(director: &Director, method: &str, parameters: &[Value]) -> methods::Answer {
    let answer = methods::call(director, method, parameters);
    match &answer {
        Ok(_) => debug!("control socket: {method}"),
        Err(fault) => debug!("control socket: {method}: {fault}"),
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::control::binrpc::{decode_fault, encode_request};
    use crate::control::client::Client;
    use crate::control::director::tests::director;

    const LIST: &str = "1 sip:127.0.0.1:7001\n";

    fn request(method: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_request(7, method, &[], &mut bytes);
        bytes
    }

    /// What a stream of bytes is answered with: the faults' texts and the number of replies.
    fn answers(stream: &[u8]) -> (Vec<String>, usize, Next) {
        let (director, _file, _) = director(LIST);
        let (mut input, mut output) = (stream.to_vec(), Vec::new());
        let next = loop {
            match answer_first(&director, &mut input, &mut output) {
                Next::Request => {}
                next => break next,
            }
        };
        let (mut faults, mut replies, mut rest) = (Vec::new(), 0, &output[..]);
        while let Some(packet) = split(rest, usize::MAX).expect("BINRPC") {
            match packet.kind {
                PacketKind::Fault => {
                    faults.push(decode_fault(packet.body).expect("a fault").to_string());
                }
                _ => replies += 1,
            }
            rest = &rest[packet.bytes..];
        }
        (faults, replies, next)
    }

    #[test]
    fn requests_in_a_row_are_answered_in_a_row() {
        let mut stream = request("core.version").repeat(3);
        stream.truncate(stream.len() - 1);
        assert_eq!(answers(&stream), (vec![], 2, Next::Read));
    }

    #[test]
    fn a_failed_method_leaves_the_stream_open() {
        let stream = [request("no.such"), request("core.version")].concat();
        let fault = "500 - command no.such not found".to_owned();
        assert_eq!(answers(&stream), (vec![fault], 1, Next::Read));
    }

    #[test]
    fn broken_parameters_are_told_and_the_stream_goes_on() {
        let mut broken = request("core.version");
        broken.push(0x31);
        broken[2] += 1;
        let stream = [broken, request("core.version")].concat();
        let fault = "400 - bad request: parameters: more data needed".to_owned();
        assert_eq!(answers(&stream), (vec![fault], 1, Next::Read));
    }

    #[test]
    fn what_is_not_understood_is_told_and_hung_up_on() {
        let cases: [(&[u8], &str); 5] = [
            (b"GET / HTTP/1.1\r\n", "400 - bad request: corrupted packet"),
            (
                b"\xa1\x11\x00\x12\x34",
                "400 - bad request: corrupted packet",
            ),
            (
                b"\xa1\x01\x00\x12\x34",
                "400 - bad request method: end of packet encountered",
            ),
            (
                b"\xa1\x01\x02\x12\x34\x10\x05",
                "400 - bad request method: record doesn't match type",
            ),
            (
                b"\xa1\x09\x01\x00\x00\x12\x34",
                "400 - bad request: packet too long: 65536 bytes, at most 65535 are taken",
            ),
        ];
        for (stream, fault) in cases {
            let expected = (vec![fault.to_owned()], 0, Next::Close);
            assert_eq!(answers(stream), expected, "{stream:x?}");
        }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    }

    #[test]
    fn a_client_is_served_and_the_file_is_removed_at_the_end() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("ctl");
        let (director, _file, _) = director(LIST);
        let runtime = runtime();
        runtime.block_on(async {
            let server = Server::bind(&path).expect("bound");
            let mode = std::fs::metadata(&path).expect("a socket").mode();
            assert_eq!(mode & 0o777, 0o600);
            let client_path = path.clone();
            let client = tokio::task::spawn_blocking(move || {
                let mut client = Client::connect(&client_path).expect("connected");
                let listed = client.call("dispatcher.list", &[Value::text("short")]);
                let version = client.call("core.version", &[]);
                (listed.expect("a list"), version.expect("a version"))
            });
            tokio::select! {
                () = server.serve(Arc::new(director)) => unreachable!("it serves for ever"),
                done = client => {
                    let (listed, version) = done.expect("no panic");
                    assert!(listed[0].to_string().contains("sip:127.0.0.1:7001"));
                    assert!(version[0].to_string().starts_with("sipshard"));
                }
            }
        });
        assert!(!path.exists());
    }

    #[test]
    fn more_connections_than_allowed_are_closed_at_once() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("ctl");
        let (director, _file, _) = director(LIST);
        runtime().block_on(async {
            let server = Server::bind(&path).expect("bound");
            let clients = async {
                let mut open = Vec::new();
                for _ in 0..MAX_CONNECTIONS {
                    open.push(UnixStream::connect(&path).await.expect("connected"));
                }
                let mut one_more = UnixStream::connect(&path).await.expect("connected");
                let mut bytes = Vec::new();
                let read = one_more.read_to_end(&mut bytes).await;
                assert_eq!(read.expect("closed in order"), 0);
                // The others are still served.
                open[0]
                    .write_all(&request("core.version"))
                    .await
                    .expect("sent");
                assert_eq!(open[0].read_u8().await.expect("an answer"), 0xa1);
            };
            tokio::select! {
                () = server.serve(Arc::new(director)) => unreachable!("it serves for ever"),
                () = clients => {}
            }
        });
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("ctl");
        let runtime = runtime();
        let _entered = runtime.enter();
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
        let first = Server::bind(&path).expect("the stale one is replaced");
        let second = Server::bind(&path).map(|_| ()).expect_err("it is in use");
        assert!(matches!(second, BindError::InUse(_)), "{second}");
        drop(first);

        std::fs::write(&path, "precious").expect("written");
        let error = Server::bind(&path).map(|_| ()).expect_err("a file");
        assert!(matches!(error, BindError::NotASocket(_)), "{error}");
        assert_eq!(std::fs::read(&path).expect("still there"), b"precious");
    }

    #[test]
    fn a_socket_that_another_has_put_there_is_not_removed() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("ctl");
        let runtime = runtime();
        let _entered = runtime.enter();
        let server = Server::bind(&path).expect("bound");
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "of another").expect("written");
        drop(server);
        assert!(path.exists());
    }
}
