//! The torture messages of RFC 4475 and RFC 5118 against the scanner.
//!
//! `SIPSHARD_TORTURE_DIR` names a folder with the subfolders `rfc4475`, `rfc5118` and `rfc5118-wire`,
//! one file a message. Without it nothing is tested, and the tests say so.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sipshard::sip::{Fault, HeaderIndex, Message, Name, ScanError, Uri, build, scan};

use Expect::{Accepted, Dropped, Refused, Unreadable};

/// What must become of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expect {
    /// A proxy may pass it on.
    Accepted,
    /// A request that is answered with this code, for this reason.
    Refused(u16, Fault),
    /// A reply that is dropped for this reason.
    Dropped(Fault),
    /// Not even a start line.
    Unreadable(ScanError),
}

/// Where the RFC leaves a choice between 400 and generosity, this is what sipshard does.
const RFC4475: [(&str, Expect); 50] = [
    // 3.1.1, valid messages.
    ("wsinv.dat", Accepted),
    ("intmeth.dat", Accepted),
    ("esc01.dat", Accepted),
    ("escnull.dat", Accepted),
    ("esc02.dat", Accepted),
    ("lwsdisp.dat", Accepted),
    ("longreq.dat", Accepted),
    ("dblreq.dat", Accepted),
    ("semiuri.dat", Accepted),
    ("transports.dat", Accepted),
    ("mpart01.dat", Accepted),
    ("unreason.dat", Accepted),
    ("noreason.dat", Accepted),
    // 3.1.2, invalid messages.
    ("badinv01.dat", Refused(400, Fault::Via)),
    ("clerr.dat", Refused(400, Fault::BodyTruncated)),
    ("ncl.dat", Refused(400, Fault::ContentLength)),
    ("scalar02.dat", Refused(400, Fault::CSeq)),
    ("scalarlg.dat", Dropped(Fault::CSeq)),
    ("quotbal.dat", Refused(400, Fault::To)),
    ("ltgtruri.dat", Refused(400, Fault::RequestUri)),
    ("lwsruri.dat", Refused(400, Fault::RequestUri)),
    ("lwsstart.dat", Refused(400, Fault::StartLine)),
    ("trws.dat", Refused(400, Fault::StartLine)),
    ("escruri.dat", Refused(400, Fault::RequestUriHeaders)),
    // A proxy does not read Date, nor a Contact of REGISTER.
    ("baddate.dat", Accepted),
    ("regbadct.dat", Accepted),
    // The spaces and the missing quotes are understood, as 3.1.2.14 and 3.1.2.15 allow.
    ("badaspec.dat", Accepted),
    ("baddn.dat", Accepted),
    ("badvers.dat", Refused(505, Fault::Version)),
    ("mismatch01.dat", Refused(400, Fault::CSeqMethod)),
    ("mismatch02.dat", Refused(400, Fault::CSeqMethod)),
    ("bigcode.dat", Dropped(Fault::StatusCode)),
    // 3.2, transaction layer.
    ("badbranch.dat", Accepted),
    // 3.3, application layer. What the routing decides (420, 483, broadcast) is no fault of syntax.
    ("insuf.dat", Refused(400, Fault::Missing(Name::From))),
    ("unkscm.dat", Refused(416, Fault::Scheme)),
    ("novelsc.dat", Refused(416, Fault::Scheme)),
    ("unksm2.dat", Accepted),
    ("bext01.dat", Accepted),
    ("invut.dat", Accepted),
    ("regaut01.dat", Accepted),
    ("multi01.dat", Refused(400, Fault::Repeated(Name::From))),
    ("mcl01.dat", Refused(400, Fault::ContentLengths)),
    ("bcast.dat", Accepted),
    ("zeromf.dat", Accepted),
    ("cparam01.dat", Accepted),
    ("cparam02.dat", Accepted),
    ("regescrt.dat", Accepted),
    ("sdp01.dat", Accepted),
    // 3.4, backward compatibility.
    ("inv2543.dat", Accepted),
    // A stray file of the archive, whose request line has no version.
    ("test.dat", Unreadable(ScanError::StartLine)),
];

const RFC5118: [(&str, Expect); 12] = [
    ("ipv6-good", Accepted),
    ("ipv6-bad", Refused(400, Fault::RequestUri)),
    ("port-ambiguous", Accepted),
    ("port-unambiguous", Accepted),
    ("via-received-param-with-delim", Accepted),
    ("via-received-param-no-delim", Accepted),
    // The RFC's own message announces 268 bytes of body and has 251.
    ("ipv6-in-sdp", Refused(400, Fault::BodyTruncated)),
    ("mult-ip-in-header", Accepted),
    ("mult-ip-in-sdp", Accepted),
    ("ipv4-mapped-ipv6", Accepted),
    ("ipv6-bug-abnf-3-colons", Accepted),
    ("ipv6-correct-abnf-2-colons", Accepted),
];

/// The folder of the messages, or a word on why nothing is tested.
fn folder(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SIPSHARD_TORTURE_DIR").map(PathBuf::from);
    if folder.is_none() {
        // Straight to the stream: the test harness keeps what the macros print of a passed test.
        let word = "SIPSHARD_TORTURE_DIR does not name the torture messages";
        let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {word}");
    }
    folder
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Scans one message and hands it over.
fn with<T>(path: &Path, look: impl FnOnce(Message<'_>) -> T) -> T {
    let bytes = read(path);
    let mut index = HeaderIndex::new();
    let message = scan(&bytes, &mut index);
    look(message.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn judge(bytes: &[u8]) -> Expect {
    let mut index = HeaderIndex::new();
    match scan(bytes, &mut index) {
        Err(error) => Unreadable(error),
        Ok(message) => match message.fault() {
            None => Accepted,
            Some(fault) if message.method().is_some() => Refused(fault.code(), fault),
            Some(fault) => Dropped(fault),
        },
    }
}

/// Every file of the folder is in the table and fares as the table says.
fn check(folder: &Path, table: &[(&str, Expect)]) {
    let files = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").file_name());
    let files: BTreeSet<_> = files
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let named: BTreeSet<_> = table.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, named, "{}", folder.display());
    let wrong: Vec<_> = table
        .iter()
        .map(|&(name, expected)| (name, expected, judge(&read(&folder.join(name)))))
        .filter(|(_, expected, found)| expected != found)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn rfc_4475_messages_fare_as_the_rfc_says() {
    if let Some(folder) = folder("RFC 4475") {
        check(&folder.join("rfc4475"), &RFC4475);
    }
}

#[test]
fn rfc_5118_messages_fare_as_the_rfc_says() {
    if let Some(folder) = folder("RFC 5118") {
        check(&folder.join("rfc5118-wire"), &RFC5118);
    }
}

#[test]
fn bare_lf_and_a_missing_empty_line_change_nothing() {
    if let Some(folder) = folder("RFC 5118 with bare LF") {
        // One body gets shorter than announced when each of its lines loses a byte.
        let shortened = |&(name, expected): &(&'static str, Expect)| match name {
            "mult-ip-in-sdp" => (name, Refused(400, Fault::BodyTruncated)),
            _ => (name, expected),
        };
        let table: Vec<_> = RFC5118.iter().map(shortened).collect();
        check(&folder.join("rfc5118"), &table);
    }
}

#[test]
fn every_refused_request_can_be_answered() {
    let Some(folder) = folder("answers") else {
        return;
    };
    let source = SocketAddr::from(([203, 0, 113, 9], 6060));
    let mut refused = 0;
    for (name, expected) in RFC4475 {
        let Refused(code, fault) = expected else {
            continue;
        };
        refused += 1;
        with(&folder.join("rfc4475").join(name), |request| {
            let mut out = Vec::new();
            build::reply(request, source, code, fault.reason(), b"t", b"", &mut out);
            let mut index = HeaderIndex::new();
            let reply = scan(&out, &mut index).expect(name);
            assert_eq!(reply.reply_code(), Some(code), "{name}");
            let to = reply.top_via().map(|via| via.reply_address());
            assert_eq!(to, Ok(Some(expected_address(request, source))), "{name}");
        });
    }
    assert_eq!(refused, 18);
}

/// Without `rport` a reply goes to the port of sent-by.
fn expected_address(request: Message<'_>, source: SocketAddr) -> SocketAddr {
    let port = request.top_via().ok().and_then(|via| via.port);
    SocketAddr::new(source.ip(), port.unwrap_or(5060))
}

#[test]
fn the_message_full_of_white_space_is_understood() {
    let Some(folder) = folder("wsinv") else {
        return;
    };
    with(&folder.join("rfc4475/wsinv.dat"), |message| {
        assert_eq!(message.to_tag(), Some(&b"1918181833n"[..]));
        assert_eq!(message.from_tag(), Some(&b"98asjd8"[..]));
        assert_eq!(message.max_forwards(), Ok(Some(68)));
        assert_eq!(message.cseq().map(|cseq| cseq.number), Ok(9));
        assert_eq!(message.body().len(), 150);
        let vias: Vec<_> = message.vias().map(|via| via.expect("a Via")).collect();
        let hosts: Vec<_> = vias.iter().map(|via| via.host).collect();
        let branches: Vec<_> = vias.iter().filter_map(|via| via.branch).collect();
        let transports: Vec<_> = vias.iter().map(|via| via.transport).collect();
        assert_eq!(
            hosts,
            [
                &b"192.0.2.2"[..],
                b"spindle.example.com",
                b"192.168.255.111"
            ]
        );
        assert_eq!(
            branches,
            [&b"390skdjuw"[..], b"z9hG4bK9ikj8", b"z9hG4bK30239"]
        );
        assert_eq!(transports, [&b"UDP"[..], b"TCP", b"UDP"]);
        let route = message
            .routes()
            .next()
            .expect("a Route")
            .expect("a good one");
        assert!(Uri::parse(route.uri).is_ok_and(|uri| uri.is_loose()));
    });
}

#[test]
fn details_of_other_valid_messages() {
    let Some(folder) = folder("details") else {
        return;
    };
    let folder = folder.join("rfc4475");
    with(&folder.join("esc01.dat"), |message| {
        let uri = Uri::parse(message.request_uri().expect("a request")).expect("a URI");
        assert_eq!(uri.user, Some(&b"sips%3Auser%40example.com"[..]));
        assert_eq!(uri.host, b"example.net");
    });
    with(&folder.join("semiuri.dat"), |message| {
        let uri = Uri::parse(message.request_uri().expect("a request")).expect("a URI");
        assert_eq!(uri.user, Some(&b"user;par=u%40example.net"[..]));
        assert_eq!(uri.params, b"");
    });
    with(&folder.join("longreq.dat"), |message| {
        assert_eq!(message.vias().flatten().count(), 34);
        assert!(message.from_tag().is_some_and(|tag| tag.len() > 90));
    });
    with(&folder.join("dblreq.dat"), |message| {
        assert_eq!(message.body(), b"");
        assert!(message.bytes().ends_with(b"Content-Length: 0\r\n\r\n"));
    });
    with(&folder.join("unreason.dat"), |message| {
        assert_eq!(message.reply_code(), Some(200));
        assert_eq!(message.body().len(), 154);
    });
    with(&folder.join("badbranch.dat"), |message| {
        assert!(message.top_via().is_ok_and(|via| !via.has_unique_branch()));
    });
}

#[test]
fn ipv6_addresses_are_understood() {
    let Some(folder) = folder("IPv6 details") else {
        return;
    };
    let folder = folder.join("rfc5118-wire");
    let uri_of = |name: &str| {
        with(&folder.join(name), |message| {
            let uri = Uri::parse(message.request_uri().expect("a request")).expect("a URI");
            (uri.host_ip().map(|ip| ip.to_string()), uri.port)
        })
    };
    let address = |text: &str| Some(text.to_owned());
    assert_eq!(uri_of("ipv6-good"), (address("2001:db8::10"), None));
    assert_eq!(
        uri_of("port-ambiguous"),
        (address("2001:db8::10:5070"), None)
    );
    assert_eq!(
        uri_of("port-unambiguous"),
        (address("2001:db8::10"), Some(5070))
    );
    let mapped = address("2001:db8::c000:201");
    assert_eq!(uri_of("ipv6-correct-abnf-2-colons"), (mapped.clone(), None));
    assert_eq!(uri_of("ipv6-bug-abnf-3-colons"), (mapped, None));
    for name in ["with-delim", "no-delim"] {
        let path = folder.join(format!("via-received-param-{name}"));
        with(&path, |message| {
            let to = message.top_via().expect("a Via").reply_address();
            assert_eq!(to, "[2001:db8::9:255]:5060".parse().ok(), "{name}");
        });
    }
    with(&folder.join("mult-ip-in-header"), |message| {
        let to: Vec<_> = message
            .vias()
            .map(|via| via.ok().and_then(|via| via.reply_address()))
            .map(|address| address.map_or(String::new(), |address| address.to_string()))
            .collect();
        assert_eq!(
            to,
            ["[2001:db8::9:1]:6050", "192.0.2.1:5060", "192.0.2.200:5060"]
        );
    });
}
