use std::sync::Arc;

use super::*;
use crate::control::director::tests::{director, rewrite};

const LIST: &str = "\
1 sip:127.0.0.1:7001 0 0 duid=a;maxload=10;weight=50
1 sip:127.0.0.1:7002 8 5
5 sip:bob@127.0.0.1;transport=udp 1 0 foo=bar
";

fn print(answer: Answer) -> String {
    match answer {
        Ok(values) => {
            let lines: Vec<_> = values.iter().map(ToString::to_string).collect();
            lines.join("\n")
        }
        Err(fault) => format!("error: {fault}"),
    }
}

/// Runs a line as a client would send it.
fn run(director: &Director, line: &str) -> String {
    let mut words = line.split_whitespace();
    let method = words.next().expect("a method");
    let arguments: Vec<Value> = words
        .map(|word| match word.parse() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::text(word.strip_prefix("s:").unwrap_or(word)),
        })
        .collect();
    print(call(director, method, &arguments))
}

/// Indents by tabs what is indented by two blanks.
fn tabs(text: &str) -> String {
    text.replace("  ", "\t")
}

#[test]
fn a_full_list_has_everything_in_kamailios_order() {
    let (director, _file, _) = director(LIST);
    let sets = director.sets();
    let charged = sets.destinations().find(|one| one.uri.ends_with("7001"));
    let _call = charged.expect("loaded").try_reserve().expect("not full");
    assert_eq!(
        run(&director, "dispatcher.list full"),
        tabs(
            "{
  NRSETS: 2
  RECORDS: {
    SET: {
      ID: 1
      TARGETS: {
        DEST: {
          URI: sip:127.0.0.1:7002
          FLAGS: AP
          PRIORITY: 5
          HOST: 127.0.0.1
          IPADDR: 127.0.0.1
          PORT: 7002
          PROTOID: 0
          DNSTIME_SEC: 0
          DNSTIME_USEC: 0
          RUNTIME: {
            DLGLOAD: 0
          }
        }
        DEST: {
          URI: sip:127.0.0.1:7001
          FLAGS: AX
          PRIORITY: 0
          HOST: 127.0.0.1
          IPADDR: 127.0.0.1
          PORT: 7001
          PROTOID: 0
          DNSTIME_SEC: 0
          DNSTIME_USEC: 0
          ATTRS: {
            BODY: duid=a;maxload=10;weight=50
            DUID: a
            MAXLOAD: 10
            WEIGHT: 50
            RWEIGHT: 0
            SOCKET: <null string>
            SOCKNAME: <null string>
            OBPROXY: <null string>
          }
          RUNTIME: {
            DLGLOAD: 1
          }
        }
      }
    }
    SET: {
      ID: 5
      TARGETS: {
        DEST: {
          URI: sip:bob@127.0.0.1;transport=udp
          FLAGS: IX
          PRIORITY: 0
          HOST: 127.0.0.1
          IPADDR: 127.0.0.1
          PORT: 0
          PROTOID: 1
          DNSTIME_SEC: 0
          DNSTIME_USEC: 0
          ATTRS: {
            BODY: foo=bar
            DUID: <null string>
            MAXLOAD: 0
            WEIGHT: 0
            RWEIGHT: 0
            SOCKET: <null string>
            SOCKNAME: <null string>
            OBPROXY: <null string>
          }
          RUNTIME: {
            DLGLOAD: 0
          }
        }
      }
    }
  }
}"
        )
    );
}

#[test]
fn a_short_list_has_no_attributes_and_a_usual_one_no_whereabouts() {
    let (director, _file, _) = director(LIST);
    let count = |line: &str, member: &str| run(&director, line).matches(member).count();
    assert_eq!(count("dispatcher.list short", "ATTRS: {"), 0);
    assert_eq!(count("dispatcher.list short", "DLGLOAD: "), 3);
    for line in [
        "dispatcher.list",
        "dispatcher.list normal",
        "dispatcher.list 1",
    ] {
        assert_eq!(count(line, "ATTRS: {"), 2);
        assert_eq!(count(line, "HOST: "), 0);
    }
}

#[test]
fn without_sets_there_is_no_list() {
    let (director, _file, _) = director("# nothing yet\n");
    assert_eq!(
        run(&director, "dispatcher.list"),
        "error: 500 - No Destination Sets"
    );
}

#[test]
fn set_state_answers_and_fails_in_kamailios_words() {
    let (director, _file, _) = director(LIST);
    let ok = "Ok. Dispatcher state updated.";
    let cases = [
        ("ip 1 sip:127.0.0.1:7001", ok),
        ("1 1 SIP:127.0.0.1:7001", ok),
        ("iq 1 sip:127.0.0.1:7001 more", ok),
        ("ap 1 all", ok),
        ("ap s:1 all", ok),
        ("", "error: 500 - Invalid Parameters"),
        ("i", "error: 500 - Invalid Parameters"),
        ("i 1", "error: 500 - Invalid Parameters"),
        ("a b c", "error: 500 - Invalid Parameters"),
        ("a 1 5", "error: 500 - Invalid Parameters"),
        ("s: 1 all", "error: 500 - Invalid State Parameter"),
        ("x 1 sip:127.0.0.1:7001", "error: 500 - Unknown State Value"),
        ("i 1 sip:none:1", "error: 500 - State Update Failed"),
        ("i 9 sip:127.0.0.1:7001", "error: 500 - State Update Failed"),
        ("i 9 all", "error: 500 - State Update Failed"),
        ("i 5000000000 all", "error: 500 - State Update Failed"),
    ];
    for (line, answer) in cases {
        assert_eq!(
            run(&director, &format!("dispatcher.set_state {line}")),
            answer,
            "{line}"
        );
    }
}

#[test]
fn set_state_is_seen_in_the_list() {
    let (director, _file, _) = director("1 sip:127.0.0.1:7001\n");
    for (state, letters) in [
        ("ip", "IP"),
        ("dp", "DX"),
        ("0", "IX"),
        ("2", "DX"),
        ("3p", "TP"),
        ("T", "TX"),
        ("a", "AX"),
    ] {
        run(&director, &format!("dispatcher.set_state {state} 1 all"));
        let list = run(&director, "dispatcher.list");
        assert!(
            list.contains(&format!("FLAGS: {letters}\n")),
            "{state}: {list}"
        );
    }
}

#[test]
fn a_reload_answers_or_says_where_the_list_is_spoilt() {
    let (director, file, notes) = director(LIST);
    rewrite(&file, "1 sip:127.0.0.1:7001\n");
    assert_eq!(
        run(&director, "dispatcher.reload"),
        "Ok. Dispatcher successfully reloaded."
    );
    assert_eq!(notes.take(), ["version 2: 1 set with 1 destination"]);
    rewrite(&file, "1 sip:127.0.0.1:7001\n\n2 #\n");
    assert_eq!(
        run(&director, "dispatcher.reload"),
        format!(
            "error: 500 - Reload Failed: {}:3:3: set id without a URI",
            file.path().display()
        )
    );
    assert!(run(&director, "dispatcher.list").contains("sip:127.0.0.1:7001"));
}

#[test]
fn ping_active_tells_and_sets() {
    let (director, _file, notes) = director(LIST);
    for (line, answer) in [
        ("", "{\n\tOldPingState: 1\n}"),
        ("0", "{\n\tNewPingState: 0\n\tOldPingState: 1\n}"),
        ("", "{\n\tOldPingState: 0\n}"),
        ("s:1", "{\n\tNewPingState: 1\n\tOldPingState: 0\n}"),
        ("5", "error: 500 - Ping State Update Failed"),
        ("x", "error: 500 - Ping State Update Failed"),
    ] {
        assert_eq!(
            run(&director, &format!("dispatcher.ping_active {line}")),
            answer
        );
    }
    assert_eq!(notes.take(), ["probing false", "probing true"]);
}

#[test]
fn the_server_tells_about_itself() {
    let (director, _file, _) = director(LIST);
    let version = run(&director, "core.version");
    assert!(version.starts_with("sipshard 0."), "{version}");
    assert!(run(&director, "core.uptime").contains("\n\tuptime: "));
    assert_eq!(
        run(&director, "system.methodHelp dispatcher.list"),
        "Return the content of dispatcher sets Parameters: [short|full]"
    );
    assert_eq!(
        run(&director, "system.methodHelp"),
        "error: 400 - Method Name Expected"
    );
    assert_eq!(
        run(&director, "system.methodHelp no"),
        "error: 400 - command not found"
    );
    assert_eq!(
        run(&director, "dispatcher.nope"),
        "error: 500 - command dispatcher.nope not found"
    );
}

#[test]
fn methods_are_listed_by_name_and_each_has_help() {
    let (director, _file, _) = director(LIST);
    let listed = run(&director, "system.listMethods");
    let names: Vec<&str> = METHODS.iter().map(|method| method.name).collect();
    assert_eq!(listed, names.join("\n"));
    assert!(names.is_sorted());
    assert!(METHODS.iter().all(|method| !method.help.is_empty()));
}

#[test]
fn a_list_with_latencies_has_them_behind_the_attributes() {
    let (director, _file, _) = director("1 sip:127.0.0.1:7001 0 0 latency=40\n");
    let latency = director
        .sets()
        .destinations()
        .next()
        .expect("one")
        .latency();
    let destination = Arc::clone(director.sets().destinations().next().expect("one"));
    destination.set_latency(latency.timeout());
    let list = run(&director, "dispatcher.list");
    let part = "  LATENCY: {
            AVG: 40
            STD: 0
            EST: 40
            MAX: 40
            TIMEOUT: 1
          }
          RUNTIME: {";
    assert!(list.contains(&tabs(part)), "{list}");
}

#[test]
fn what_the_shards_counted_is_told() {
    let (director, _file, _) = director(LIST);
    let told = run(&director, "sipshard.counters");
    assert!(
        told.starts_with(&tabs("{\n  requests: 7\n  replies: 0\n")),
        "{told}"
    );
    assert!(told.contains("stopped_scripts: 2\n"), "{told}");
}

#[test]
fn steering_is_told_with_what_was_missed_and_why() {
    let (director, _file, _) = director(LIST);
    assert_eq!(
        run(&director, "sipshard.steering"),
        tabs(
            "{
  ASKED: auto
  RUNG: ebpf
  SCANNED_BYTES: 2000
  CALL_ID_BYTES: 100
  RECEIVED: 96
  HANDED_OFF: 2
  MISSED: {
    OUT_OF_REACH: 0
    TOO_LONG: 1
    OTHER: 1
  }
  KERNEL: {
    STEERED: 90
    SHORT: 3
    NO_CALL_ID: 0
    OUT_OF_REACH: 2
    TOO_LONG: 1
    NO_SOCKET: 0
    UNREAD: 0
  }
}"
        )
    );
}

#[test]
fn latencies_are_shown_by_stage_and_kind_and_can_be_reset() {
    let (director, _file, notes) = director(LIST);
    // Quantiles are middles of steps, the longest time is exact.
    assert_eq!(
        run(&director, "sipshard.latency"),
        tabs(
            "{
  queue: {
    INVITE: {
      COUNT: 100
      P50: 40.703000
      P90: 40.703000
      P99: 40.703000
      P99.9: 700
      MAX: 700
    }
  }
  handoff: {
  }
  work: {
  }
  send: {
    2xx: {
      COUNT: 1
      P50: 2
      P90: 2
      P99: 2
      P99.9: 2
      MAX: 2
    }
  }
}"
        )
    );
    run(&director, "sipshard.latency reset");
    assert_eq!(notes.take(), ["stages, reset false", "stages, reset true"]);
    assert_eq!(
        run(&director, "sipshard.latency rest"),
        "error: 400 - rest is not reset"
    );
}
