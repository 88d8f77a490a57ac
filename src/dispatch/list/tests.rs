//! What the peers' parser makes of a line was found out by feeding it these lines.

use proptest::prelude::*;

use super::*;

/// The one destination of a line that is accepted without a word.
fn clean(line: &str) -> ListEntry {
    let list = parse(line.as_bytes()).unwrap();
    assert_eq!(list.warnings, [], "{line}");
    let [entry] = <[ListEntry; 1]>::try_from(list.entries).unwrap();
    entry
}

/// The one destination of a line that is accepted with these warnings.
fn tolerated(line: &str, places: &[u32]) -> ListEntry {
    let list = parse(line.as_bytes()).unwrap();
    let columns: Vec<u32> = list.warnings.iter().map(|warning| warning.column).collect();
    assert_eq!(columns, places, "{line}: {:?}", list.warnings);
    let [entry] = <[ListEntry; 1]>::try_from(list.entries).unwrap();
    entry
}

/// Why the one destination of a line is left out.
fn left_out(line: &str) -> String {
    let list = parse(line.as_bytes()).unwrap();
    assert_eq!(list.entries, [], "{line}");
    list.warnings.last().unwrap().to_string()
}

fn fields(entry: &ListEntry) -> (SetId, &str, u32, i32, &str) {
    let ListEntry { entry, .. } = entry;
    let body = &*entry.attributes.body;
    (entry.set, &entry.uri, entry.flags.0, entry.priority, body)
}

#[test]
fn a_full_line_gives_all_fields() {
    let entry = clean("2 sip:10.0.0.1:5070;lr 8 5 duid=gw1;maxload=30;weight=50 # first");
    assert_eq!(
        fields(&entry),
        (
            2,
            "sip:10.0.0.1:5070;lr",
            8,
            5,
            "duid=gw1;maxload=30;weight=50"
        )
    );
    assert_eq!((entry.line, entry.column), (1, 3));
    assert_eq!((&*entry.host, entry.port), ("10.0.0.1", 5070));
    assert_eq!(entry.entry.address, Some("10.0.0.1:5070".parse().unwrap()));
    assert_eq!(entry.entry.attributes.duid.as_deref(), Some("gw1"));
    assert_eq!(entry.entry.attributes.maxload, 30);
    assert_eq!(entry.entry.attributes.weight, 50);
}

#[test]
fn later_fields_may_be_missing() {
    assert_eq!(fields(&clean("1 sip:h")), (1, "sip:h", 0, 0, ""));
    assert_eq!(fields(&clean("1 sip:h 9")), (1, "sip:h", 9, 0, ""));
    assert_eq!(fields(&clean("1 sip:h 9 7")), (1, "sip:h", 9, 7, ""));
}

#[test]
fn blanks_comments_and_line_ends_are_of_any_kind() {
    let text =
        b"# gateways\r\n\r\n \t1\tsip:a \t8\r\n#!define X\n  2 sip:b#8 9\n3 sip:c 1#2 3\n4 sip:d";
    let list = parse(text).unwrap();
    assert_eq!(list.warnings, []);
    let found: Vec<_> = list.entries.iter().map(|e| (e.line, fields(e))).collect();
    assert_eq!(
        found,
        [
            (3, (1, "sip:a", 8, 0, "")),
            (5, (2, "sip:b", 0, 0, "")),
            (6, (3, "sip:c", 1, 0, "")),
            (7, (4, "sip:d", 0, 0, "")),
        ]
    );
}

#[test]
fn empty_lists_are_lists() {
    for text in ["", "\n\n", "# nothing", "   "] {
        assert_eq!(parse(text.as_bytes()).unwrap(), List::default());
    }
}

#[test]
fn fields_need_no_blanks_between_digits_and_letters() {
    assert_eq!(fields(&clean("1sip:h")), (1, "sip:h", 0, 0, ""));
    assert_eq!(
        fields(&clean("1 sip:h 8 3duid=a")),
        (1, "sip:h", 8, 3, "duid=a")
    );
    assert_eq!(
        fields(&tolerated("1 sip:h 8duid=a", &[10])),
        (1, "sip:h", 8, 0, "duid=a")
    );
    assert_eq!(fields(&clean("1 sip:h 0x2a 1")), (1, "sip:h", 42, 1, ""));
}

#[test]
fn what_is_no_number_slides_on_to_the_next_field() {
    assert_eq!(
        fields(&tolerated("1 sip:h abc 3 z=1", &[9, 9, 13])),
        (1, "sip:h", 0, 0, "abc")
    );
    assert_eq!(
        fields(&tolerated("1 sip:h 0 -3 z=1", &[11, 14])),
        (1, "sip:h", 0, 0, "-3")
    );
}

#[test]
fn a_missing_set_id_is_set_0() {
    assert_eq!(fields(&tolerated("sip:h 8", &[1])), (0, "sip:h", 8, 0, ""));
}

#[test]
fn a_missing_scheme_is_added() {
    for (uri, full) in [
        ("127.0.0.1", "sip:127.0.0.1"),
        ("127.0.0.1:37", "sip:127.0.0.1:37"),
        ("gw.example.com:5070", "sip:gw.example.com:5070"),
        ("u@127.0.0.1:51;lr", "sip:u@127.0.0.1:51;lr"),
        ("[::1]:5070", "sip:[::1]:5070"),
    ] {
        assert_eq!(&*clean(&format!("1 {uri}")).entry.uri, full);
    }
    assert_eq!(&*clean("1 SIP:h").entry.uri, "SIP:h");
}

#[test]
fn hosts_are_addresses_or_names_to_resolve() {
    let entry = clean("1 sip:user@[2001:db8::1];transport=UDP?x=y");
    assert_eq!((&*entry.host, entry.port), ("2001:db8::1", 5060));
    assert_eq!(
        entry.entry.address,
        Some("[2001:db8::1]:5060".parse().unwrap())
    );
    let entry = clean("1 sip:gw.example.com:5070");
    assert_eq!((&*entry.host, entry.port), ("gw.example.com", 5070));
    assert_eq!(entry.entry.address, None);
    assert_eq!(clean("1 sip:10.0.0.1:0").port, 5060);
}

#[test]
fn duplicates_are_places_of_their_own() {
    let list = parse(b"1 sip:h\n1 sip:h\n1 sip:h\n").unwrap();
    assert_eq!(list.entries.len(), 3);
    assert_eq!(list.warnings, []);
}

#[test]
fn a_set_id_without_a_uri_spoils_the_list() {
    for (text, place) in [
        ("1 sip:a\n2", "2:2"),
        ("1 sip:a\n 23 # no gateway yet\n3 sip:c", "2:5"),
        ("7 \r\n", "1:4"),
    ] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), format!("{place}: set id without a URI"));
    }
}

#[test]
fn a_bad_destination_is_left_out_alone() {
    let list = parse(b"1 sip:a\n1 sip:b:99999 0\n1 sip:c\n").unwrap();
    let uris: Vec<_> = list.entries.iter().map(|e| &*e.entry.uri).collect();
    assert_eq!(uris, ["sip:a", "sip:c"]);
    let [warning] = &list.warnings[..] else {
        panic!("{:?}", list.warnings)
    };
    assert_eq!(
        warning.to_string(),
        "2:3: sip:b:99999 left out: bad port in URI"
    );
}

#[test]
fn destinations_that_cannot_be_used_are_left_out_with_place_and_cause() {
    for (line, diagnostic) in [
        (
            "1 <sip:h>",
            "1:3: <sip:h> left out: character that no URI may have",
        ),
        ("1 sip:", "1:3: sip: left out: bad host in URI"),
        (
            "1 sip:[1::2::3]",
            "1:3: sip:[1::2::3] left out: bad host in URI",
        ),
        (
            "1 tel:123",
            "1:3: tel:123 left out: a tel: URI names no host",
        ),
        ("1 http://h", "1:3: http://h left out: bad port in URI"),
        (
            "1 sip:h;transport=tcp 0",
            "1:3: sip:h;transport=tcp left out: transport=tcp is not supported yet, only UDP is",
        ),
        (
            "1 sips:h",
            "1:3: sips:h left out: sips: (TLS) is not supported yet, only UDP is",
        ),
        (
            "4294967297 sip:h",
            "1:1: set id above 2147483647; destination left out",
        ),
        ("1 sip:h 4294967304", "1:9: sip:h left out: flags too big"),
        (
            "1 sip:h 0 2147483648",
            "1:11: sip:h left out: priority too big",
        ),
        (
            "1 sip:h 0 0 a=1;duid=\"x",
            "1:22: sip:h left out: no closing \"",
        ),
        (
            "1 sip:h 0 0 duid='a b'",
            "1:18: sip:h left out: no closing '",
        ),
    ] {
        assert_eq!(left_out(line), diagnostic);
    }
    let latin = parse(b"1 sip:h 0 0 duid=caf\xe9").unwrap();
    assert_eq!(latin.entries, []);
    assert_eq!(
        latin.warnings[0].to_string(),
        "1:21: not UTF-8; destination left out"
    );
    let long = format!("1 {}", "h".repeat(255));
    assert!(left_out(&long).contains("host longer than 254 bytes"));
}

#[test]
fn lines_longer_than_the_peers_buffer_are_read_whole() {
    let line = format!("1 sip:h 0 0 duid={};maxload=3", "x".repeat(2000));
    let entry = tolerated(&line, &[1]);
    assert_eq!(entry.entry.attributes.maxload, 3);
    let comment = format!("#{}\n1 sip:h", "x".repeat(2000));
    clean(&comment);
}

#[test]
fn text_after_the_attributes_is_not_read_and_told() {
    let entry = tolerated("1 sip:h 0 0 duid=a; maxload=3", &[21]);
    assert_eq!(entry.entry.attributes.maxload, 0);
    assert_eq!(&*entry.entry.attributes.body, "duid=a");
    let entry = clean("1 sip:h 0 0 duid=a#b");
    assert_eq!(&*entry.entry.attributes.body, "duid=a#b");
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&text);
    }

    #[test]
    fn every_line_is_an_entry_or_empty_or_told_of(
        text in "(([0-9]{0,11}|sip|:|;|=|,|'|\"|duid|maxload|transport|\\[|\\]|::1|h|@|#| |\t|\n|\r|0x|-|é){0,8} ){0,12}"
    ) {
        if let Ok(list) = parse(text.as_bytes()) {
            for (index, line) in text.split('\n').enumerate() {
                let number = index as u32 + 1;
                let said = line.trim_start_matches([' ', '\t', '\r']);
                let empty = said.is_empty() || said.starts_with('#');
                let entries = list.entries.iter().filter(|e| e.line == number).count();
                let warned = list.warnings.iter().any(|w| w.line == number);
                prop_assert!(entries <= 1);
                prop_assert_eq!(empty, entries == 0 && !warned);
            }
        }
    }

    #[test]
    fn what_is_written_is_read(
        set in 0..1000_i32, port in 1..u16::MAX, flags in 0..64_u32, priority in 0..100_i32,
        maxload in 0..1000_u32, duid in "[a-z]{1,8}", blank in "[ \t]{1,3}",
    ) {
        let line = format!(
            "{blank}{set}{blank}sip:10.1.2.3:{port}{blank}{flags}{blank}{priority}{blank}maxload={maxload};duid={duid}\r\n"
        );
        let entry = clean(&line).entry;
        prop_assert_eq!(entry.set, set);
        prop_assert_eq!(entry.address.unwrap().port(), port);
        prop_assert_eq!(entry.flags, Flags(flags));
        prop_assert_eq!(entry.priority, priority);
        prop_assert_eq!(entry.attributes.maxload, maxload);
        prop_assert_eq!(entry.attributes.duid.as_deref(), Some(&*duid));
    }
}
