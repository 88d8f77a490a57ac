//! Properties: no text makes the checker panic.

use proptest::prelude::*;

use super::*;

const GOOD: &str = "#!KAMAILIO\n#!define FLAG 1\n#!ifdef X\nfoo\n#!else\ndebug=2\n#!endif\n\
     listen=udp:127.0.0.1:5060 advertise 192.0.2.1:5060\nloadmodule \"tm.so\"\nloadmodule \"dispatcher.so\"\n\
     modparam(\"dispatcher\", \"flags\", 2) # two\n/* long\ncomment */\nrequest_route {\n\
     if (is_method(\"INVITE\") and !has_totag() || $rU == $null) { setflag(FLAG); };\n\
     switch ($(ru{s.len})) { case 1: exit; case /\"x\": break; default: drop(); }\n\
     while ($var(i) < 10 << 2) $var(i) = $var(i) + (int)\"3\" mod 4;\n\
     $xavp(a[0]=>b) = \"x\" + $(hdr(Via)[-1]{param.value,branch});\n\
     xlog(\"L_INFO\", \"$ru\\t$(avp(s:x)[*]) $$\\n\"); t_on_failure(\"F\"); route(R);\n}\n\
     route[R] { if (!t_relay()) sl_reply_error(); else exit; }\nfailure_route[F] { ds_next_dst(); }\n";

/// Reads and judges, shows all messages, and sees that they lie in the text.
fn survives(text: &str) {
    let read = |path: &str| match path {
        "a" => Ok(text.as_bytes().to_vec()),
        _ => Err("no such file".to_owned()),
    };
    let checked = check("a", &["X=\"y\"".to_owned()], &read).expect("the file");
    for one in checked.report.iter() {
        let length = checked.sources.get(one.span.file).text.len();
        assert!(
            one.span.start <= one.span.end && one.span.end as usize <= length,
            "{one:?}"
        );
    }
    checked.report.render(&checked.sources, true);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_text_is_survived(text in "(?s).{0,200}") {
        survives(&text);
    }

    #[test]
    fn any_row_of_tokens_is_survived(words in prop::collection::vec(prop::sample::select(vec![
        "route", "{", "}", "(", ")", "[", "]", ";", "if", "else", "switch", "case", ":", "default",
        "while", "$ru", "$(ru{s.len})", "$var(x)", "=", "==", "=~", "||", "!", "-", "1", "\"a$ru\"", "'x'",
        "f", ",", "\n", "#!ifdef X\n", "#!else\n", "#!endif\n", "#!define Y X\n", "Y", "X", "modparam",
        "loadmodule", "listen", "udp:1.2.3.4:5", "\"", "/*", "*/", "#", "@", "ö", "failure_route",
        "event_route", "return", "exit", "drop", "advertise", "flags", ".", "include_file", "\"a\"",
        "ds_select_dst", "ds_next_dst", "xlog", "t_on_failure", "\\", "$", "$(",
    ]), 0..60)) {
        survives(&words.join(" "));
    }

    #[test]
    fn a_mutated_configuration_is_survived(
        cuts in prop::collection::vec((0..GOOD.len(), 0..20_usize, "[ -~\n]{0,4}"), 1..6)
    ) {
        let mut text = GOOD.to_owned();
        for (at, length, with) in cuts {
            let start = at.min(text.len());
            let end = (start + length).min(text.len());
            text.replace_range(start..end, &with);
        }
        survives(&text);
    }
}
