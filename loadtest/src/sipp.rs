//! SIPp's command line: what each of its options is here. Short names that mean the same need no row.

use std::ffi::OsString;

use anyhow::{Result, bail};

/// What an option of SIPp's is here.
#[derive(Clone, Copy)]
enum Here {
    /// The same, but sipload writes it with two dashes.
    Same,
    /// Another option.
    Named(&'static str),
    /// Nothing that would change anything: left out with so many values.
    Nothing(usize),
    /// The transport: its value decides.
    Transport,
    /// Not supported, and what does the same or why it is not missed.
    Not(&'static str),
}
use Here::{Named, Not, Nothing, Same, Transport};

const LOGS: &str = "-trace_err writes what goes wrong, and tcpdump shows messages";
const MEDIA: &str = "there is no media";
const ONLY_UDP: &str = "there is only UDP";
const RETRANSMISSIONS: &str = "a message is sent again until 64 * T1 have passed, with -nr never; --t1 MS sets T1, <send retrans> the first interval";
const ROTATION: &str = "the file of -trace_err is one, which -max_log_size ends";
const THIRD_PARTY: &str = "there is no third-party call control";
const UNEXPECTED: &str = "a call that gets an unexpected message has failed";

/// SIPp's options with long names, and those that sipload has not, sorted by name.
const OPTIONS: &[(&str, Here)] = &[
    ("-3pcc", Not(THIRD_PARTY)),
    ("-T2", Not(RETRANSMISSIONS)),
    ("-aa", Same),
    ("-ap", Same),
    ("-assocmaxret", Not(ONLY_UDP)),
    ("-au", Same),
    ("-auth_uri", Not("the digest is made for the Request-URI")),
    ("-base_cseq", Same),
    ("-bg", Not("put & behind the command")),
    ("-bind_local", Nothing(0)),
    ("-buff_size", Nothing(1)),
    ("-calldebug_file", Not(LOGS)),
    ("-calldebug_overwrite", Nothing(1)),
    ("-callid_slash_ign", Nothing(0)),
    ("-ci", Not("there is no control port")),
    ("-cid_str", Same),
    ("-cp", Not("there is no control port")),
    ("-deadcall_wait", Nothing(1)),
    ("-default_behaviors", Not(UNEXPECTED)),
    ("-dynamicMax", Not("")),
    ("-dynamicStart", Not("")),
    ("-dynamicStep", Not("")),
    ("-error_file", Same),
    ("-error_overwrite", Same),
    (
        "-f",
        Not("the live line comes each second; -q leaves it out"),
    ),
    ("-fd", Same),
    ("-gracefulclose", Not(ONLY_UDP)),
    ("-heartbeat", Not(ONLY_UDP)),
    ("-inf", Same),
    ("-infindex", Not("")),
    ("-ip_field", Not("-i takes a list of own addresses")),
    ("-key", Same),
    ("-log_file", Not("<log> goes to the standard error output")),
    ("-log_overwrite", Nothing(1)),
    ("-lost", Not("<send> and <recv> have the attribute lost")),
    ("-master", Not(THIRD_PARTY)),
    ("-max_invite_retrans", Not(RETRANSMISSIONS)),
    ("-max_log_size", Same),
    ("-max_non_invite_retrans", Not(RETRANSMISSIONS)),
    ("-max_reconnect", Nothing(1)),
    ("-max_recv_loops", Nothing(1)),
    ("-max_retrans", Not(RETRANSMISSIONS)),
    ("-max_sched_loops", Nothing(1)),
    ("-max_socket", Nothing(1)),
    ("-mb", Not(MEDIA)),
    ("-message_file", Not(LOGS)),
    ("-message_overwrite", Nothing(1)),
    ("-mi", Same),
    ("-mp", Same),
    ("-multihome", Not(ONLY_UDP)),
    ("-nd", Not(UNEXPECTED)),
    (
        "-no_rate_quit",
        Not("use --schedule: its last stage may be long"),
    ),
    ("-nostdin", Nothing(0)),
    ("-nr", Same),
    (
        "-oocsf",
        Not("-aa answers requests outside of calls' steps"),
    ),
    (
        "-oocsn",
        Not("-aa answers requests outside of calls' steps"),
    ),
    ("-pathmaxret", Not(ONLY_UDP)),
    ("-pause_msg_ign", Not(UNEXPECTED)),
    (
        "-periodic_rtd",
        Not("--report PREFIX has each second's times"),
    ),
    ("-plugin", Not("")),
    ("-pmtu", Not(ONLY_UDP)),
    ("-rate_increase", Same),
    ("-rate_interval", Same),
    ("-rate_max", Same),
    ("-rate_scale", Nothing(1)),
    ("-reconnect_close", Nothing(1)),
    ("-reconnect_sleep", Nothing(1)),
    ("-recv_timeout", Same),
    ("-ringbuffer_files", Not(ROTATION)),
    ("-ringbuffer_size", Not(ROTATION)),
    ("-rp", Same),
    ("-rsa", Not("requests go to TARGET")),
    (
        "-rtcheck",
        Not("what comes twice is told by its branch and CSeq"),
    ),
    ("-rtp_buffsize", Not(MEDIA)),
    ("-rtp_echo", Not(MEDIA)),
    ("-rtp_payload", Not(MEDIA)),
    ("-rtp_threadtasks", Not(MEDIA)),
    ("-rtt_freq", Nothing(1)),
    (
        "-screen_file",
        Not("the table goes to the standard output: redirect it"),
    ),
    ("-screen_overwrite", Nothing(1)),
    ("-sd", Same),
    ("-send_timeout", Not("nothing waits to be sent")),
    ("-sendbuffer_warn", Nothing(1)),
    (
        "-set",
        Not("-key WORD VALUE gives [WORD] a value; variables are each call's own"),
    ),
    ("-sf", Same),
    ("-shortmessage_file", Not(LOGS)),
    ("-shortmessage_overwrite", Nothing(1)),
    ("-skip_rlimit", Nothing(0)),
    ("-slave", Not(THIRD_PARTY)),
    ("-slave_cfg", Not(THIRD_PARTY)),
    ("-sleep", Not("use `sleep SECONDS; sipload ...`")),
    ("-sn", Same),
    ("-stat_delimiter", Not("the delimiter is ;")),
    ("-stf", Same),
    ("-t", Transport),
    ("-tdmmap", Not("")),
    ("-timeout", Same),
    // Calls that are under way then have failed anyway.
    ("-timeout_error", Nothing(0)),
    ("-timer_resol", Nothing(1)),
    ("-tls_ca", Not(ONLY_UDP)),
    ("-tls_cert", Not(ONLY_UDP)),
    ("-tls_crl", Not(ONLY_UDP)),
    ("-tls_key", Not(ONLY_UDP)),
    ("-tls_version", Not(ONLY_UDP)),
    ("-trace_calldebug", Not(LOGS)),
    (
        "-trace_counts",
        Not("the table at the end counts each step's messages"),
    ),
    ("-trace_err", Same),
    (
        "-trace_error_codes",
        Not("the table at the end counts refusals by code"),
    ),
    (
        "-trace_logs",
        Not("<log> goes to the standard error output"),
    ),
    ("-trace_msg", Not(LOGS)),
    (
        "-trace_rtt",
        Not("--report PREFIX writes all response times"),
    ),
    (
        "-trace_screen",
        Not("the table goes to the standard output: redirect it"),
    ),
    ("-trace_shortmsg", Not(LOGS)),
    ("-trace_stat", Same),
    ("-users", Same),
    ("-v", Named("--version")),
    ("-watchdog_interval", Nothing(1)),
    ("-watchdog_major_maxtriggers", Nothing(1)),
    ("-watchdog_major_threshold", Nothing(1)),
    ("-watchdog_minor_maxtriggers", Nothing(1)),
    ("-watchdog_minor_threshold", Nothing(1)),
    ("-watchdog_reset", Nothing(1)),
];

/// Arguments with SIPp's options as sipload writes them. `is_long` tells sipload's own long names.
///
/// # Errors
/// If an option of SIPp's is not supported, or a long name stands with one dash.
pub fn translate(
    arguments: impl IntoIterator<Item = OsString>,
    is_long: impl Fn(&str) -> bool,
) -> Result<Vec<OsString>> {
    let mut arguments = arguments.into_iter();
    let mut out = Vec::new();
    while let Some(argument) = arguments.next() {
        let Some(name) = argument.to_str() else {
            out.push(argument);
            continue;
        };
        if name == "--" {
            out.push(argument);
            out.extend(arguments);
            break;
        }
        match OPTIONS.iter().find(|(known, _)| *known == name) {
            Some((_, Same)) => out.push(format!("-{name}").into()),
            Some((_, Named(own))) => out.push(own.into()),
            Some((_, Nothing(values))) => {
                arguments.by_ref().take(*values).for_each(drop);
            }
            Some((_, Transport)) => check_transport(arguments.next().as_ref())?,
            Some((_, Not(""))) => bail!("SIPp's {name} is not supported"),
            Some((_, Not(why))) => bail!("SIPp's {name} is not supported: {why}"),
            None => {
                let long = name.strip_prefix('-').unwrap_or_default();
                let long = long.split('=').next().unwrap_or_default();
                if long.len() > 1 && is_long(long) {
                    bail!("-{long}: this name has two dashes: --{long}");
                }
                out.push(argument);
            }
        }
    }
    Ok(out)
}

/// What follows SIPp's `-t`.
fn check_transport(transport: Option<&OsString>) -> Result<()> {
    match transport.and_then(|name| name.to_str()) {
        Some("u1") => Ok(()),
        Some("un") => bail!(
            "SIPp's -t un is not supported: calls leave by several ports, --sockets NUMBER says by how many"
        ),
        Some("ui") => bail!("SIPp's -t ui is not supported: -i takes a list of own addresses"),
        Some(other) => bail!("SIPp's -t {other} is not supported: {ONLY_UDP} (u1)"),
        None => bail!("-t needs a transport: u1"),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn translated(line: &str) -> String {
        let arguments = line.split_whitespace().map(OsString::from);
        let is_long = |name: &str| matches!(name, "role" | "rate" | "t1");
        match translate(arguments, is_long) {
            Ok(words) => words.join(" ".as_ref()).into_string().unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn sipps_options_are_translated_left_out_or_refused() {
        for (line, expected) in [
            ("-sn uac -r 5 -i 127.0.0.1", "--sn uac -r 5 -i 127.0.0.1"),
            ("-nostdin -skip_rlimit -m 3", "-m 3"),
            ("-buff_size 8000 -t u1 -m 3", "-m 3"),
            ("-timer_resol", ""),
            ("-r 5 -v", "-r 5 --version"),
            ("-m 3 -- -nd", "-m 3 -- -nd"),
            ("-r100 -q", "-r100 -q"),
            ("-role uas", "-role: this name has two dashes: --role"),
            ("-rate=5", "-rate: this name has two dashes: --rate"),
            ("--role uas", "--role uas"),
            (
                "-t tn",
                "SIPp's -t tn is not supported: there is only UDP (u1)",
            ),
            ("-t", "-t needs a transport: u1"),
            ("-plugin x.so", "SIPp's -plugin is not supported"),
            (
                "-bg",
                "SIPp's -bg is not supported: put & behind the command",
            ),
        ] {
            assert_eq!(translated(line), expected, "{line}");
        }
    }

    #[test]
    fn every_option_of_the_installed_sipp_is_known() {
        let help = Command::new("sipp").arg("-h").output().unwrap();
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let lines = help.lines().filter_map(|line| line.strip_prefix("   -"));
        let names = lines.filter_map(|line| line.split([' ', ':']).next());
        // Exit codes stand there as options do.
        let names: Vec<&str> = names.filter(|name| !matches!(*name, "1" | "2")).collect();
        assert!(names.len() > 100, "{names:?}");
        let is_ours = |name: &str| ["i", "p", "d", "s", "r", "l", "m"].contains(&name);
        let is_known = |name: &str| OPTIONS.iter().any(|(known, _)| known[1..] == *name);
        let unknown: Vec<&str> = names
            .into_iter()
            .filter(|name| !is_ours(name) && !is_known(name))
            .collect();
        assert_eq!(unknown, [""; 0]);
        assert!(OPTIONS.is_sorted_by_key(|(name, _)| *name));
    }
}
