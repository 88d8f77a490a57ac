//! The splice editor.

use super::{INVITE, with};
use crate::sip::{Edits, Name, remove_first_value};

fn written(edits: &Edits, original: &str) -> String {
    let mut out = b"before ".to_vec();
    edits.write(original.as_bytes(), &mut out);
    let text = String::from_utf8(out).expect("text");
    text.strip_prefix("before ").expect("appended").to_owned()
}

#[test]
fn without_changes_the_original_comes_out() {
    assert!(Edits::new().is_empty());
    assert_eq!(written(&Edits::new(), "0123456789"), "0123456789");
}

#[test]
fn changes_in_any_order_come_out_by_place() {
    let mut edits = Edits::new();
    edits.replace(8..9, b"eight");
    edits.insert(0, b"<");
    edits.remove(2..4);
    edits.insert_with(10, |out| out.extend_from_slice(b">"));
    assert_eq!(written(&edits, "0123456789"), "<014567eight9>");
    edits.clear();
    assert!(edits.is_empty());
    assert_eq!(written(&edits, "0123456789"), "0123456789");
}

#[test]
fn changes_at_one_place_keep_the_order_of_calls() {
    let mut edits = Edits::new();
    edits.insert(3, b"a");
    edits.insert(5, b"x");
    edits.insert(3, b"b");
    edits.remove(3..5);
    edits.insert(3, b"c");
    edits.insert(5, b"y");
    assert_eq!(written(&edits, "0123456789"), "012abcxy56789");
}

#[test]
fn insertions_at_a_place_can_be_written_elsewhere() {
    let mut edits = Edits::new();
    edits.insert(3, b"a");
    edits.remove(3..5);
    edits.insert(3, b"b");
    edits.insert(4, b"x");
    edits.insert(5, b"c");
    let mut out = Vec::new();
    edits.take_insertions(3, &mut out);
    assert_eq!(out, b"ab");
    assert_eq!(written(&edits, "0123456789"), "012c56789");
}

#[test]
fn nothing_is_written_inside_of_what_is_removed() {
    let mut edits = Edits::new();
    edits.replace(2..8, b"-");
    edits.insert(5, b"x");
    edits.replace(6..9, b"y");
    edits.insert(8, b"z");
    assert_eq!(written(&edits, "0123456789"), "01-9");
    let mut edits = Edits::new();
    edits.remove(2..8);
    edits.insert(8, b"z");
    assert_eq!(written(&edits, "0123456789"), "01z89");
}

#[test]
fn what_is_set_again_is_written_once() {
    let mut edits = Edits::new();
    edits.set(2..4, b"a");
    edits.set(6..6, b"x");
    edits.set(2..4, b"b");
    edits.set(6..6, b"y");
    assert_eq!(written(&edits, "0123456789"), "01b45y6789");
}

#[test]
fn the_length_of_an_end_is_known_before_it_is_written() {
    let mut edits = Edits::new();
    edits.replace(1..2, b"one");
    assert_eq!(edits.length_from(b"0123456789", 5), None);
    edits.replace(7..9, b"seven");
    edits.insert(5, b"five");
    assert_eq!(edits.length_from(b"0123456789", 5), Some(5 - 2 + 5 + 4));
}

#[test]
fn a_bounded_list_takes_no_more_than_its_bound() {
    let mut edits = Edits::bounded();
    edits.replace(1..2, &b"x".repeat(20_000));
    edits.replace(3..4, &b"y".repeat(20_000));
    edits.replace(5..6, b"z");
    let text = written(&edits, "0123456789");
    assert_eq!(text.replace('x', ""), "0234z6789");
    edits.clear();
    (0..10_000).for_each(|_| edits.remove(1..2));
    edits.insert(5, b"x");
    assert_eq!(written(&edits, "0123456789"), "023456789");
}

#[test]
fn places_beyond_the_end_are_the_end() {
    let mut edits = Edits::new();
    edits.insert(99, b"!");
    edits.remove(8..50);
    assert_eq!(written(&edits, "0123456789"), "01234567!");
}

#[test]
fn writing_again_gives_the_same() {
    let mut edits = Edits::new();
    edits.replace(1..2, b"one");
    assert_eq!(written(&edits, "012"), written(&edits, "012"));
    assert_eq!(written(&edits, "abc"), "aonec");
}

/// A request with these lines, after its topmost value of `name` is gone.
fn popped(lines: &str, name: Name) -> String {
    let text = format!("BYE sip:a@b SIP/2.0\r\n{lines}\r\n");
    let out = with(&text, |message| {
        let mut edits = Edits::new();
        remove_first_value(&mut edits, message, name);
        let mut out = Vec::new();
        edits.write(message.bytes(), &mut out);
        out
    });
    let text = String::from_utf8(out).expect("text");
    let text = text
        .strip_prefix("BYE sip:a@b SIP/2.0\r\n")
        .expect("its start");
    text.strip_suffix("\r\n").expect("its end").to_owned()
}

#[test]
fn the_topmost_value_goes_alone() {
    for (lines, left) in [
        ("Route: <sip:a>\r\nRoute: <sip:b>\r\n", "Route: <sip:b>\r\n"),
        ("Route: <sip:a>, <sip:b>\r\n", "Route: <sip:b>\r\n"),
        ("Route: <sip:a,b>,<sip:b>\r\n", "Route: <sip:b>\r\n"),
        (
            "route : \"a,\" <sip:a>\r\n , <sip:b>\r\nTo: x\r\n",
            "route : <sip:b>\r\nTo: x\r\n",
        ),
        ("To: x\r\nRoute: <sip:a>\r\n\t\r\n", "To: x\r\n"),
        ("Route: <sip:a> ,\r\n", ""),
        ("Route: , <sip:a>, <sip:b>\r\n", "Route: <sip:b>\r\n"),
        (
            "Route:\r\nRoute: <sip:a>\r\nRoute: <sip:b>\r\n",
            "Route:\r\nRoute: <sip:b>\r\n",
        ),
        ("To: x\r\n", "To: x\r\n"),
        ("Route:\r\n", "Route:\r\n"),
    ] {
        assert_eq!(popped(lines, Name::Route), left, "{lines:?}");
    }
}

#[test]
fn values_can_be_taken_off_one_by_one() {
    let mut text = INVITE.to_owned();
    for (vias, routes) in [(2, 2), (1, 1), (0, 0), (0, 0)] {
        let out = with(&text, |message| {
            let mut edits = Edits::new();
            remove_first_value(&mut edits, message, Name::Via);
            if vias < 2 {
                remove_first_value(&mut edits, message, Name::Route);
            }
            let mut out = Vec::new();
            edits.write(message.bytes(), &mut out);
            out
        });
        text = String::from_utf8(out).expect("text");
        with(&text, |message| {
            assert_eq!(message.vias().flatten().count(), vias);
            assert_eq!(message.routes().flatten().count(), routes);
            assert!(!message.malformed());
            assert_eq!(message.body(), b"v=0\r\n");
        });
    }
}
