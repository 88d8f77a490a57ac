use super::*;

fn variable(raw: &str) -> Variable {
    Variable::parse(raw).expect(raw)
}

fn fault(raw: &str) -> String {
    let (range, message) = pieces(raw).expect_err(raw);
    format!("{}: {message}", &raw[range])
}

#[test]
fn a_variable_has_a_name_and_may_have_an_argument() {
    assert!(variable("$ru").is_plain("ru"));
    let header = variable("$hdr(Call-ID)");
    assert_eq!(
        (header.name.as_str(), header.inner()),
        ("hdr", Some("Call-ID"))
    );
    assert_eq!(variable("$avp(s:x)").inner(), Some("s:x"));
    assert_eq!(variable("$xavp(a[0]=>b)").inner(), Some("a[0]=>b"));
    assert_eq!(variable("$avp($var(x))").inner(), Some("$var(x)"));
    assert_eq!(variable("$hdr(X)").inner.map(|inner| inner.at), Some(5));
}

#[test]
fn an_index_is_a_number_all_or_a_variable() {
    assert_eq!(variable("$(hdr(Via)[0])").index, Some(Index::At(0)));
    assert_eq!(variable("$(hdr(Via)[-1])").index, Some(Index::At(-1)));
    assert_eq!(variable("$(avp(x)[*])").index, Some(Index::All));
    let Some(Index::Of(of)) = variable("$(avp(x)[$var(i)])").index else {
        panic!("a variable");
    };
    assert_eq!((of.name.as_str(), of.inner()), ("var", Some("i")));
}

#[test]
fn transformations_stand_in_a_row() {
    let variable = variable("$(ru{uri.host}{s.substr,0,$(var(x){s.len})})");
    assert_eq!(variable.name, "ru");
    let [first, second] = &variable.transformations[..] else {
        panic!("two");
    };
    assert_eq!((first.class.as_str(), first.name.as_str()), ("uri", "host"));
    assert_eq!(second.arguments, ["0", "$(var(x){s.len})"]);
    assert_eq!(first.at, 4..14);
}

#[test]
fn texts_are_cut_at_their_variables() {
    let pieces = pieces("to $ru via <$du>, 5$$ ($si:$sp)").expect("good");
    let shown: Vec<_> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Variable(variable) => format!("[{}@{}]", variable.name, variable.start),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "to ", "[ru@3]", " via <", "[du@12]", ">, 5$ (", "[si@23]", ":", "[sp@27]", ")"
        ]
    );
}

#[test]
fn faults_point_to_their_place() {
    let cases = [
        (
            "a $ b",
            "$: a pseudo-variable has a name: $ru, $hdr(Call-ID), $(ru{s.len})",
        ),
        (
            "x $(ru{len})",
            "{len}: a transformation is {CLASS.NAME}, such as {s.len}",
        ),
        (
            "$(ru[x])",
            "[x]: an index is a number, * or a pseudo-variable",
        ),
        ("$(ru{s.len)", "{: } is missing"),
        ("$(ru)x $(ru x)", " x: [index] or {transformation} expected"),
    ];
    for (raw, message) in cases {
        assert_eq!(fault(raw), message, "{raw}");
    }
}
