use super::*;

/// The words of a configuration after the preprocessor, and what was said.
fn preprocess(files: &[(&str, &str)], defines: &[&str]) -> (String, Vec<String>) {
    let (mut sources, mut report) = (Sources::default(), Report::default());
    let read = |path: &str| {
        let found = files.iter().find(|(name, _)| *name == path);
        found
            .map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| "no such file".to_owned())
    };
    let mut preprocessor = Preprocessor::new(&mut sources, &mut report, &read);
    for define in defines {
        preprocessor.define_text(define);
    }
    let tokens = preprocessor.run(files[0].0).expect("the first file");
    let words: Vec<_> = tokens.iter().map(|token| token.kind.text()).collect();
    let said = report.finish();
    let said = said
        .iter()
        .map(|one| format!("{}: {}", sources.place(one.span), one.message))
        .collect();
    (words[..words.len() - 1].join(" "), said)
}

fn clean(text: &str) -> String {
    let (words, said) = preprocess(&[("a", text)], &[]);
    assert_eq!(said, Vec::<String>::new(), "{text}");
    words
}

fn faults(text: &str) -> Vec<String> {
    preprocess(&[("a", text)], &[]).1
}

#[test]
fn all_kinds_of_comments_are_left_out() {
    let text = "a # x\nb // y ' \"\nc /* # \n // */ d\n#!KAMAILIO\n# last";
    assert_eq!(clean(text), "a b c d");
}

#[test]
fn a_define_stands_for_its_value_in_words_and_not_in_texts() {
    assert_eq!(clean("#!define X 1+2\nX \"X\" Xy"), "1 + 2 \"X\" Xy");
    assert_eq!(clean("#!define X \"a b\"\n#!define Y X\nY"), "\"a b\"");
    assert_eq!(clean("#!define X\nX"), "X");
    assert_eq!(clean("#!define X 1 \\\n 2\nX b"), "1 2 b");
    assert_eq!(clean("{ } #!define X 1\nX"), "{ } 1");
}

#[test]
fn conditions_take_one_of_two_parts() {
    let text =
        "#!define A\n#!ifdef A\n1\n#!ifdef B\n2 '\n#!else\n3\n#!endif\n#!else\n4 \"\n#!endif\n5";
    assert_eq!(clean(text), "1 3 5");
    assert_eq!(clean("#!ifndef A\n1\n#!else\n2\n#!endif"), "1");
    let nested = "#!ifdef A\n#!ifdef B\n1\n#!else\n2\n#!endif\n#!else\n3\n#!endif\n";
    assert_eq!(clean(nested), "3");
    assert_eq!(clean("!!ifdef A\n1\n!!endif\n2"), "2");
}

#[test]
fn the_command_line_defines() {
    let text = "#!ifdef A\nA\n#!endif\nB";
    let (words, said) = preprocess(&[("a", text)], &["A=\"x y\"", "B"]);
    assert_eq!((words.as_str(), said.len()), ("\"x y\" B", 0));
}

#[test]
fn keeping_and_replacing_definitions() {
    assert_eq!(clean("#!trydef X 1\n#!trydef X 2\nX"), "1");
    assert_eq!(clean("#!def X 1\n#!redef X 2\nX"), "2");
    assert_eq!(
        faults("#!define X 1\n#!define X 2"),
        ["a:2:10: X is defined already"]
    );
}

#[test]
fn substitutions_work_in_texts_and_substdef_in_words_too() {
    assert_eq!(
        clean("\"ab\"\n#!subst \"/a(.)/\\\\1-$x/\"\n\"abab\""),
        "\"ab\" \"b-$xab\""
    );
    assert_eq!(clean("#!subst \"/A/x/gi\"\n\"aA\""), "\"xx\"");
    assert_eq!(
        clean("#!substdef \"!IP!1.2.3.4!g\"\nudp:IP \"to IP, IP\""),
        "udp : 1.2.3.4 \"to 1.2.3.4, 1.2.3.4\""
    );
    assert_eq!(clean("#!substdefs \"!IP!a b!g\"\nIP"), "\"a b\"");
    assert_eq!(faults("#!subst \"/a/b/z\"").len(), 1);
    assert_eq!(faults("#!subst \"/(/b/\"").len(), 1);
    assert_eq!(faults("#!subst \"/a/b\"").len(), 1);
}

#[test]
fn files_are_included_from_the_start_directory_or_beside_the_includer() {
    let files = [
        ("etc/a", "1 include_file \"b\" 4\nimport_file \"none\" 5"),
        ("etc/b", "2\n#!include_file \"c\"\n"),
        ("c", "3"),
    ];
    let (words, said) = preprocess(&files, &[]);
    assert_eq!((words.as_str(), said.len()), ("1 2 3 4 5", 0));
}

#[test]
fn faults_in_an_included_file_have_its_name() {
    let files = [("a", "include_file \"b\""), ("b", "\n\n  \"x")];
    let said = preprocess(&files, &[]).1;
    assert_eq!(said, ["b:3:3: this text has no end: \" is missing"]);
}

#[test]
fn a_file_that_includes_itself_ends() {
    let said = faults("include_file \"a\"");
    assert_eq!(said, ["a:1:14: files include files more than 10 deep"]);
}

#[test]
fn a_define_that_uses_itself_ends() {
    assert_eq!(
        faults("#!define X Y\n#!define Y X\nX"),
        ["a:3:1: the define X uses itself"]
    );
}

#[test]
fn what_is_missing_is_named() {
    let cases = [
        ("include_file \"b\"", "a:1:14: cannot read b: no such file"),
        ("#!ifdef A\n1", "a:1:3: this condition has no end"),
        ("#!endif", "a:1:3: #!endif without #!ifdef"),
        ("#!else\n#!endif", "a:1:3: #!else without #!ifdef"),
        ("/* x", "a:1:1: this comment has no end: */ is missing"),
        ("$(ru{s.len}", "a:1:1: this parenthesis is not closed"),
        ("a ` b", "a:1:3: no part of the language"),
        (
            "#!ifdfe A",
            "a:1:3: no such directive: ifdfe; the line is a comment",
        ),
        (
            "#!define X 1 # one\nX",
            "a:1:14: a comment behind a #!define",
        ),
        ("#!defenv HOME", "a:1:3: #!defenv is not supported"),
    ];
    for (text, message) in cases {
        assert_eq!(
            faults(text).first().map(String::as_str),
            Some(message),
            "{text}"
        );
    }
}

#[test]
fn a_loaded_module_is_defined() {
    let text = "loadmodule \"modules/tm/tm.so\"\n#!ifdef MOD_tm\nyes\n#!endif";
    assert_eq!(clean(text), "loadmodule \"modules/tm/tm.so\" yes");
}

#[test]
fn defines_that_double_and_double_stop() {
    let mut lines = vec!["#!define A0 1 1".to_owned()];
    for i in 1..15 {
        let before = i - 1;
        lines.push(format!(
            "#!define A{i} A{before} A{before} A{before} A{before}"
        ));
    }
    let text = lines.join("\n") + "\nA14";
    assert!(faults(&text).iter().any(|one| one.contains("too long")));
}
