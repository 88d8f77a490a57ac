//! The command line. Options carry SIPp's names where they mean the same.

pub mod addresses;
pub mod parse;
#[cfg(test)]
mod tests;
pub mod threshold;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use crate::script::call_id::CallIdForm;
use crate::script::inject::Injection;
use crate::script::program::Program;

use self::addresses::{Addresses, parse_addresses};
use self::parse::{
    RATES, Schedule, parse_millis, parse_percent, parse_rate, parse_reject, parse_schedule,
    parse_seconds, parse_target, parse_truth, parse_user,
};
use self::threshold::{Threshold, parse_threshold};

/// What a run is told.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Where calls are sent: IP:PORT or NAME:PORT, without a port 5060
    #[arg(value_parser = parse_target)]
    pub target: Option<SocketAddr>,

    /// Which ends of the calls to play; `forward` is a bare UDP forwarder between them
    #[arg(long, value_enum, default_value_t = Role::Both)]
    pub role: Role,

    /// Calls started a second
    #[arg(short = 'r', long, value_name = "CALLS", default_value_t = 10.0, value_parser = parse_rate)]
    pub rate: f64,

    /// Milliseconds that -r, -rate_increase and -rate_max count for (also -rp)
    #[arg(long = "rp", value_name = "MS", default_value = "1000", value_parser = parse_millis)]
    pub rate_period: Duration,

    /// Seconds in which the rate climbs evenly from zero
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = parse_seconds)]
    pub ramp: Duration,

    /// Stages of the rate in place of -r and --ramp, each RATE/SECONDS or FROM..TO/SECONDS, with commas;
    /// the last ends the starts. E.g. 0..1000/30,1000/60,2000/10
    #[arg(long, value_name = "STAGES", value_parser = parse_schedule, conflicts_with = "ramp")]
    pub schedule: Option<Schedule>,

    /// Raise the rate by so much every -rate_interval, up to -rate_max, after which no call starts; without
    /// it until -m, --duration or a signal (also -rate_increase)
    #[arg(long = "rate_increase", value_name = "CALLS", value_parser = parse_rate,
        conflicts_with_all = ["schedule", "ramp"])]
    pub rate_increase: Option<f64>,

    /// Seconds of each step of -rate_increase (also -rate_interval)
    #[arg(long = "rate_interval", value_name = "SECONDS", default_value = "60", value_parser = parse_seconds)]
    pub rate_interval: Duration,

    /// The last step of -rate_increase (also -rate_max)
    #[arg(long = "rate_max", value_name = "CALLS", value_parser = parse_rate)]
    pub rate_max: Option<f64>,

    /// Closed loop: keep so many calls under way, start the next when one ends (also -users)
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["schedule", "rate_increase", "ramp"],
        value_parser = clap::value_parser!(u32).range(1..))]
    pub users: Option<u32>,

    /// Calls in all; for --role uas, the number of ended calls after which to stop
    #[arg(short = 'm', long, value_name = "NUMBER")]
    pub calls: Option<u64>,

    /// Seconds in which calls start (with neither this nor -m: 10); for --role uas, the seconds to run
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub duration: Option<Duration>,

    /// Seconds after which the run ends; calls that are under way then have failed (also -timeout)
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub timeout: Option<Duration>,

    /// Milliseconds that an answered call is held
    #[arg(short = 'd', long = "hold", value_name = "MS", default_value = "1000", value_parser = parse_millis)]
    pub hold: Duration,

    /// How hold times are distributed, with mean -d
    #[arg(long, value_enum, default_value_t = Distribution::Fixed)]
    pub hold_distribution: Distribution,

    /// Most calls at a time; calls due while so many live are skipped and counted
    #[arg(short = 'l', long, value_name = "CALLS", default_value_t = 1_000_000)]
    pub limit: u32,

    /// Own addresses, with commas or repeated: each an address, a range as 127.0.0.1-127.0.0.16, or the
    /// hosts of a net as 127.0.0.0/28. Calls leave by them in turn; gateways are on each of them
    /// [default: the one from which the target is reached, else 127.0.0.1]
    #[arg(short = 'i', long, value_name = "IPS", value_delimiter = ',', value_parser = parse_addresses)]
    pub local_ip: Vec<Addresses>,

    /// Ports of the gateways, with commas, or the first of --ports; with --role uac the first of the
    /// callers' ports; the same on each address [default: free ones; with --role uas 5060]
    #[arg(short = 'p', long, value_name = "PORTS", value_delimiter = ',')]
    pub port: Vec<u16>,

    /// Gateways take calls on every address of the machine; -i is still what they call themselves
    #[arg(long)]
    pub any_address: bool,

    /// Number of gateways on each address, a port each [default: as many as -p names, else one for each
    /// thread, shared by the addresses]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub ports: Option<u16>,

    /// Number of ports of each address that calls leave by, in turn [default: 4 for each thread, shared by
    /// the addresses, and one for each address at least]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub sockets: Option<u16>,

    /// User part of the Request-URI
    #[arg(short = 's', long, value_name = "USER", default_value = "service", value_parser = parse_user)]
    pub service: String,

    /// Threads [default: the cores that may be used]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,

    /// Callers send ACK and BYE to the target without Route, as SIPp's built-in caller does
    #[arg(long)]
    pub ignore_route_set: bool,

    /// Callers ask for answers to the port that their requests came from (RFC 3581); a bare forwarder
    /// needs it
    #[arg(long)]
    pub rport: bool,

    /// Who hangs up
    #[arg(long, value_enum, default_value_t = Side::Caller)]
    pub hang_up: Side,

    /// Part of the calls, in percent, that callers cancel
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = parse_percent)]
    pub cancel: f64,

    /// Milliseconds after the INVITE at which they do
    #[arg(long, value_name = "MS", default_value = "100", value_parser = parse_millis)]
    pub cancel_after: Duration,

    /// Seconds after which a call that only rings is cancelled and has failed
    #[arg(long, value_name = "SECONDS", default_value = "180", value_parser = parse_seconds)]
    pub ring_timeout: Duration,

    /// Milliseconds after the answer at which callers send a re-INVITE
    #[arg(long, value_name = "MS", value_parser = parse_millis)]
    pub reinvite_after: Option<Duration>,

    /// Gateways send 100 at once
    #[arg(long)]
    pub trying: bool,

    /// Milliseconds from the INVITE to a gateway's 180
    #[arg(long, value_name = "MS", default_value = "0", value_parser = parse_millis)]
    pub ring: Duration,

    /// Milliseconds from a gateway's 180 to its 200
    #[arg(long, value_name = "MS", default_value = "0", value_parser = parse_millis)]
    pub answer: Duration,

    /// Part of the calls that gateways refuse with a code, e.g. 486=5; may be given several times
    #[arg(long, value_name = "CODE=PERCENT", value_parser = parse_reject)]
    pub reject: Vec<(u16, f64)>,

    /// Calls that are refused with this code are what was wanted
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(300..700))]
    pub expect: Option<u16>,

    /// Part of the answered calls, in percent, that callers leave without a BYE
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = parse_percent)]
    pub lose_bye: f64,

    /// Part of the calls that gateways ring and never answer
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = parse_percent)]
    pub ring_only: f64,

    /// Part of the calls that gateways do not answer at all
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = parse_percent)]
    pub ignore: f64,

    /// SIP timer T1 of both ends; timeouts are 64 times this
    #[arg(long, value_name = "MS", default_value = "500", value_parser = parse_millis)]
    pub t1: Duration,

    /// What a run must keep to.
    #[command(flatten)]
    pub limits: Limits,

    /// What is played.
    #[command(flatten)]
    pub scenario: Scenario,

    /// What is written down.
    #[command(flatten)]
    pub reports: Reports,

    /// No live line
    #[arg(short = 'q', long)]
    pub quiet: bool,
}

/// What is played.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Scenarios")]
pub struct Scenario {
    /// Play a scenario by its name (also -sn): uac, uas, basic, ringing, busy, no-answer, bye-lost,
    /// reinvite, options, register
    #[arg(long, value_name = "NAME")]
    pub sn: Option<String>,

    /// Play SIPp's XML from a file (also -sf); one that begins with <recv> waits for calls
    #[arg(long, value_name = "FILE", conflicts_with = "sn")]
    pub sf: Option<PathBuf>,

    /// Fields for messages from a CSV file (also -inf); may be given several times
    #[arg(long, value_name = "FILE")]
    pub inf: Vec<PathBuf>,

    /// A word of your own for messages: [WORD] stands for VALUE (also -key)
    #[arg(long, num_args = 2, value_names = ["WORD", "VALUE"])]
    pub key: Vec<String>,

    /// What [media_ip] stands for (also -mi) [default: the own address]
    #[arg(long, value_name = "IP")]
    pub mi: Option<IpAddr>,

    /// What [media_port] stands for (also -mp)
    #[arg(long, value_name = "PORT", default_value_t = 6000)]
    pub mp: u16,

    /// Answer INFO, NOTIFY, OPTIONS and UPDATE that the scenario does not wait for (also -aa)
    #[arg(long)]
    pub aa: bool,

    /// The user of [authentication] that names none (also -au) [default: -s]
    #[arg(long, value_name = "USER")]
    pub au: Option<String>,

    /// The password of [authentication] that names none (also -ap) [default: password]
    #[arg(long, value_name = "PASSWORD")]
    pub ap: Option<String>,

    /// Milliseconds that a <recv> without timeout waits at most (also -recv_timeout)
    #[arg(long = "recv_timeout", value_name = "MS", value_parser = parse_millis)]
    pub recv_timeout: Option<Duration>,

    /// The number in CSeq of each call's first request, and what [cseq] counts from (also -base_cseq)
    /// [default: 1]
    #[arg(long = "base_cseq", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(..1 << 31))]
    pub base_cseq: Option<u32>,

    /// The form of Call-IDs: %u is the number of the call, %p that of the process, %s the own address, %% a
    /// percent sign (also -cid_str) [default: %u-%p-RANDOM@%s]
    #[arg(long = "cid_str", value_name = "FORM", value_parser = CallIdForm::parse)]
    pub cid_str: Option<CallIdForm>,

    /// Send nothing again, and take what comes again for a new message (also -nr)
    #[arg(long)]
    pub nr: bool,

    /// Print the XML of a built-in scenario (also -sd): options, register
    #[arg(long, value_name = "NAME")]
    pub sd: Option<String>,

    /// The compiled scenario.
    #[arg(skip)]
    pub program: Option<Arc<Program>>,
}

impl Options {
    /// Makes rates for each `-rp` rates for each second. To be called once.
    ///
    /// # Errors
    /// If there can be no such rate.
    pub fn settle_rates(&mut self) -> anyhow::Result<()> {
        let period = self.rate_period.as_secs_f64();
        let rates = [
            Some(&mut self.rate),
            self.rate_increase.as_mut(),
            self.rate_max.as_mut(),
        ];
        for rate in rates.into_iter().flatten() {
            let each_second = *rate / period;
            anyhow::ensure!(
                RATES.contains(&each_second),
                "-rp: {rate} calls in {} ms are not between 0.001 and 10,000,000 calls a second",
                period * 1e3
            );
            *rate = each_second;
        }
        Ok(())
    }
}

impl Scenario {
    /// Reads the files of fields.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn injections(&self) -> anyhow::Result<Vec<Arc<Injection>>> {
        let read = |path: &PathBuf| Injection::read(path).map(Arc::new);
        self.inf.iter().map(read).collect()
    }
}

/// What a run must keep to; it ends with status 1 if it did not.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Thresholds (exit status 1 if one is missed)")]
pub struct Limits {
    /// What must hold, e.g. 'p99(answer)<5ms' or 'retransmissions<=0.1%'; may be given several times.
    /// Times: pN, max or mean of setup (INVITE to 180), answer (INVITE to 200), bye, lateness or rtd:NAME
    /// (of a script), from the schedule, or from sending with -sent behind the name; in us, ms (if nothing
    /// is said) or s. Numbers: failed, successful, skipped, retransmissions, unexpected, late(TIME): calls
    /// that began later than scheduled by more than that; with % of all calls; calls; rate (begun a second).
    /// With <, <=, > or >=
    #[arg(long, value_name = "MEASURE<LIMIT", value_parser = parse_threshold)]
    pub threshold: Vec<Threshold>,

    /// failed<=PERCENT% (skipped and unfinished calls count as failed) [default: 0, if no --threshold
    /// says otherwise]
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent)]
    pub max_failed: Option<f64>,

    /// p99(answer)<=MS
    #[arg(long, value_name = "MS", value_parser = parse_millis)]
    pub max_p99_answer: Option<Duration>,

    /// p99(lateness)<=MS: else the generator itself did not keep up
    #[arg(long, value_name = "MS", value_parser = parse_millis)]
    pub max_p99_lateness: Option<Duration>,
}

/// What is written down of a run.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Reports")]
pub struct Reports {
    /// Write PREFIX.hlog (each second's times), PREFIX.csv (each second's counts), PREFIX.hgrm and
    /// PREFIX-*.hgrm (percentiles) and PREFIX.html (all as one page with pictures)
    #[arg(long, value_name = "PREFIX")]
    pub report: Option<PathBuf>,

    /// Correct the times from sending for callers who wait for an answer and call again after so
    /// long; 0: do not [default: -d]
    #[arg(long, value_name = "MS", value_parser = parse_millis)]
    pub expected_interval: Option<Duration>,

    /// Write SIPp's statistics file (also -trace_stat)
    #[arg(long = "trace_stat")]
    pub trace_stat: bool,

    /// Its name (also -stf) [default: sipload_PID_.csv]
    #[arg(long, value_name = "FILE")]
    pub stf: Option<PathBuf>,

    /// Seconds between its lines (also -fd)
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = parse_seconds)]
    pub fd: Duration,

    /// Write what goes wrong in a scenario's calls, with the messages (also -trace_err)
    #[arg(long = "trace_err")]
    pub trace_err: bool,

    /// The file for it (also -error_file) [default: sipload_PID_errors.log]
    #[arg(long = "error_file", value_name = "FILE")]
    pub error_file: Option<PathBuf>,

    /// Whether it is written anew if it is there; else it goes on (also -error_overwrite)
    #[arg(long = "error_overwrite", value_name = "BOOL", default_value = "true", action = ArgAction::Set,
        value_parser = parse_truth)]
    pub error_overwrite: bool,

    /// Bytes behind which it ends [default: none] (also -max_log_size)
    #[arg(long = "max_log_size", value_name = "BYTES")]
    pub max_log_size: Option<u64>,
}

/// Which ends of the calls are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Callers and gateways.
    Both,
    /// Callers.
    Uac,
    /// Gateways.
    Uas,
    /// Neither: forwards requests to TARGET and their answers back, one datagram at a time with
    /// recvfrom and sendto, as the yardstick for the CPU time of a message.
    Forward,
}

impl Role {
    /// Whether there are callers.
    pub fn calls(self) -> bool {
        matches!(self, Self::Both | Self::Uac)
    }

    /// Whether there are gateways.
    pub fn answers(self) -> bool {
        matches!(self, Self::Both | Self::Uas)
    }
}

/// How times are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Distribution {
    /// All the same.
    Fixed,
    /// As telephone calls roughly are.
    Exponential,
}

/// One end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// The caller.
    Caller,
    /// The gateway.
    Gateway,
}
