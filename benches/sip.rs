//! What the scanner and the splice editor cost, and the lazy scan against the typed parser `rsip`.

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sipshard::sip::{Amend, Edits, HeaderIndex, Message, Name, build, remove_first_value, scan};

const INVITE: &[u8] = b"INVITE sip:+4930123456@gateway.example.net:5060;user=phone SIP/2.0\r\n\
Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK776asdhds-28374;rport\r\n\
Max-Forwards: 70\r\n\
Route: <sip:203.0.113.1;lr>\r\n\
From: \"Alice\" <sip:alice@example.com>;tag=1928301774\r\n\
To: <sip:+4930123456@gateway.example.net>\r\n\
Call-ID: a84b4c76e66710-20384@198.51.100.7\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:alice@198.51.100.7:5060>\r\n\
User-Agent: Example/1.0\r\n\
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 135\r\n\
\r\n\
v=0\r\n\
o=alice 53655765 2353687637 IN IP4 198.51.100.7\r\n\
s=-\r\n\
c=IN IP4 198.51.100.7\r\n\
t=0 0\r\n\
m=audio 6000 RTP/AVP 0\r\n\
a=rtpmap:0 PCMU/8000\r\n";

const OK: &[u8] = b"SIP/2.0 200 OK\r\n\
Via: SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bKt00112233445566.0\r\n\
Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK776asdhds-28374;received=198.51.100.7;rport=5060\r\n\
Record-Route: <sip:203.0.113.1;lr>\r\n\
From: \"Alice\" <sip:alice@example.com>;tag=1928301774\r\n\
To: <sip:+4930123456@gateway.example.net>;tag=314159\r\n\
Call-ID: a84b4c76e66710-20384@198.51.100.7\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:gateway@192.0.2.4>\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 131\r\n\
\r\n\
v=0\r\n\
o=gateway 53655765 2353687637 IN IP4 192.0.2.4\r\n\
s=-\r\n\
c=IN IP4 192.0.2.4\r\n\
t=0 0\r\n\
m=audio 7000 RTP/AVP 0\r\n\
a=rtpmap:0 PCMU/8000\r\n";

const BYE: &[u8] = b"BYE sip:gateway@192.0.2.4 SIP/2.0\r\n\
Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK776asdhds-28375\r\n\
Max-Forwards: 70\r\n\
Route: <sip:203.0.113.1;lr>\r\n\
From: \"Alice\" <sip:alice@example.com>;tag=1928301774\r\n\
To: <sip:+4930123456@gateway.example.net>;tag=314159\r\n\
Call-ID: a84b4c76e66710-20384@198.51.100.7\r\n\
CSeq: 314160 BYE\r\n\
Content-Length: 0\r\n\
\r\n";

const MESSAGES: [(&str, &[u8]); 3] = [("INVITE", INVITE), ("200", OK), ("BYE", BYE)];

fn source() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 7], 5060))
}

/// All that a proxy does to an INVITE that it passes on.
fn edit(message: Message<'_>, edits: &mut Edits, out: &mut Vec<u8>) {
    edits.clear();
    let Ok(via) = message.top_via() else { return };
    edits.insert(
        message.headers_start(),
        b"Via: SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bKt00112233445566.0\r\n\
          Record-Route: <sip:203.0.113.1;lr>\r\n",
    );
    Amend::for_source(&via, source()).apply(&via, message, edits);
    if let Some(line) = message.first(Name::MaxForwards) {
        edits.replace(line.value_range, b"69");
    }
    remove_first_value(edits, message, Name::Route);
    edits.write(message.bytes(), out);
}

fn scanning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    let mut index = HeaderIndex::new();
    for (name, bytes) in MESSAGES {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bencher| {
            bencher
                .iter(|| scan(black_box(bytes), &mut index).map(|message| message.bytes().len()));
        });
    }
    group.finish();
}

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    let mut index = HeaderIndex::new();
    let message = scan(INVITE, &mut index).expect("a whole message");
    group.bench_function("fault", |bencher| {
        bencher.iter(|| black_box(message).fault());
    });
    group.bench_function("top Via", |bencher| {
        bencher.iter(|| black_box(message).top_via().is_ok());
    });
    group.bench_function("Call-ID and both tags", |bencher| {
        bencher.iter(|| {
            let message = black_box(message);
            (message.call_id(), message.from_tag(), message.to_tag())
        });
    });
    group.finish();
}

fn writing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("write");
    let (mut index, mut edits, mut out) = (HeaderIndex::new(), Edits::new(), Vec::new());
    group.bench_function("scan and edit INVITE", |bencher| {
        bencher.iter(|| {
            out.clear();
            if let Ok(message) = scan(black_box(INVITE), &mut index) {
                edit(message, &mut edits, &mut out);
            }
            out.len()
        });
    });
    let message = scan(INVITE, &mut index).expect("a whole message");
    group.bench_function("edit INVITE", |bencher| {
        bencher.iter(|| {
            out.clear();
            edit(black_box(message), &mut edits, &mut out);
            out.len()
        });
    });
    group.bench_function("reply 100", |bencher| {
        bencher.iter(|| {
            out.clear();
            build::reply(
                black_box(message),
                source(),
                100,
                "Trying",
                b"",
                b"",
                &mut out,
            );
            out.len()
        });
    });
    group.finish();
}

fn against_rsip(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lazy scan vs rsip");
    let mut index = HeaderIndex::new();
    for (name, bytes) in MESSAGES {
        group.bench_function(format!("{name} sipshard"), |bencher| {
            bencher
                .iter(|| scan(black_box(bytes), &mut index).map(|message| message.bytes().len()));
        });
        group.bench_function(format!("{name} rsip"), |bencher| {
            bencher
                .iter(|| rsip::SipMessage::try_from(black_box(bytes)).expect("a message for rsip"));
        });
    }
    group.finish();
}

criterion_group!(benches, scanning, reading, writing, against_rsip);
criterion_main!(benches);
