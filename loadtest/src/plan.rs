//! From options to threads: which thread has which sockets, callers and gateways.

pub mod sockets;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use sipshard::agent::{AnswerMix, CallerConfig, CancelRule, Delay, GatewayConfig, HangUp, Share};
use sipshard::proxy::{SocketId, Timers};

use self::sockets::{address_of, bind_callers, bind_gateways, local_ips};
use crate::options::{Distribution, Options, Role, Side};
use crate::script::actor::ActorConfig;
use crate::script::call::Fixed;
use crate::script::inject::Injection;
use crate::script::program::Program;
use crate::target::{self, Target};

/// What one thread is to do.
#[derive(Debug)]
pub struct Crew {
    /// Bound; callers' first, then each gateway's.
    pub sockets: Vec<UdpSocket>,
    /// The caller, if there is one; its socket numbers are those of `sockets`.
    pub caller: Option<CallerConfig>,
    /// What plays a script in place of the caller or the gateways.
    pub script: Option<(ActorConfig, Arc<Program>)>,
    /// The gateways.
    pub gateways: Vec<GatewayConfig>,
}

/// The work of a run.
#[derive(Debug)]
pub struct Plan {
    /// For each thread.
    pub crews: Vec<Crew>,
    /// The gateways' addresses, in the order of their ports.
    pub gateways: Vec<SocketAddr>,
    /// After this the run ends, whatever lives still; `None`: when a signal comes.
    pub longest: Option<Duration>,
}

impl Plan {
    /// Binds the sockets and shares out the work.
    ///
    /// # Errors
    /// If options contradict each other, or a port is not free.
    pub fn new(options: &Options) -> Result<Self> {
        check(options)?;
        let threads = match options.threads {
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(1, |cores| cores.get() as u16),
        };
        let ips = local_ips(options)?;
        let gateways = bind_gateways(options, &ips, usize::from(threads))?;
        let addresses = gateways.iter().map(|socket| address_of(socket, ips[0]));
        let addresses: Vec<SocketAddr> = addresses.collect::<Result<_>>()?;
        let callers = bind_callers(options, &ips, usize::from(threads))?;
        let mut crews = share_out(threads, ips[0], callers, gateways)?;
        for (index, crew) in crews.iter_mut().enumerate() {
            for gateway in &mut crew.gateways {
                *gateway = gateway_config(options, gateway.address, gateway.socket);
            }
            if let Some(caller) = &crew.caller {
                let target = match options.target {
                    Some(target) => target,
                    // Straight to the gateways, each thread to its neighbour's: as between machines.
                    None => addresses[(index + 1) % addresses.len()],
                };
                let share = Share {
                    index: index as u64,
                    of: u64::from(threads),
                };
                crew.caller = Some(caller_config(options, target, caller.local.clone(), share));
            }
        }
        if let Some(program) = &options.scenario.program {
            let injections = options.scenario.injections()?;
            for (index, crew) in crews.iter_mut().enumerate() {
                let share = Share {
                    index: index as u64,
                    of: u64::from(threads),
                };
                crew.script = actor_config(options, crew, share, &injections)
                    .map(|config| (config, program.clone()));
                if !program.calls {
                    crew.gateways.clear();
                }
            }
        }
        Ok(Self {
            crews,
            gateways: addresses,
            longest: longest(options).into_iter().chain(options.timeout).min(),
        })
    }
}

/// Refuses options that contradict each other, and those that nothing that is played knows.
fn check(options: &Options) -> Result<()> {
    let fractions = options.reject.iter().map(|(_, percent)| percent);
    let unanswered: f64 = fractions.sum::<f64>() + options.ring_only + options.ignore;
    ensure!(
        unanswered <= 100.0,
        "--reject, --ring-only and --ignore add up to {unanswered} percent"
    );
    ensure!(
        options.role != Role::Uac || options.target.is_some(),
        "--role uac needs a TARGET"
    );
    ensure!(
        options.rate_interval > Duration::ZERO,
        "-rate_interval must be above zero"
    );
    ensure!(!options.t1.is_zero(), "--t1 must be above zero");
    let scenario = &options.scenario;
    for (is_named, needs) in [
        (
            scenario.au.is_some() || scenario.ap.is_some(),
            "-au and -ap are for scenarios with [authentication] (-sf)",
        ),
        (
            scenario.recv_timeout.is_some(),
            "-recv_timeout is for scenarios with <recv> (-sf)",
        ),
        (
            scenario.base_cseq.is_some(),
            "-base_cseq is for scenarios with [cseq] (-sf)",
        ),
        (
            scenario.nr,
            "-nr is for scenarios (-sf): without one, both ends send again as RFC 3261 says",
        ),
        (
            options.reports.trace_err,
            "-trace_err is for scenarios (-sf): without one, the table at the end says why calls failed",
        ),
        (
            scenario.cid_str.is_some(),
            "-cid_str is for scenarios with [call_id] (-sf): without one, calls are found by their Call-IDs",
        ),
    ] {
        ensure!(scenario.program.is_some() || !is_named, "{needs}");
    }
    Ok(())
}

/// One caller's part of the users.
fn users_of(users: u32, share: Share) -> u32 {
    let (users, of) = (u64::from(users), share.of.max(1));
    (users / of + u64::from(share.index < users % of)) as u32
}

/// The time after which no call can still be under way by the book: the schedule, the longest ringing and
/// holding, and each transaction's timeout.
fn longest(options: &Options) -> Option<Duration> {
    if !options.role.calls() {
        return options.duration;
    }
    // How long a closed loop takes for its calls, nobody knows.
    let scheduled = options.calls.filter(|_| options.users.is_none());
    let by_number = scheduled.map(|calls| {
        let seconds = calls as f64 / options.rate;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    });
    let starts = match (target::duration(options), by_number) {
        (Some(one), Some(other)) => one.min(other.saturating_add(options.ramp)),
        (one, other) => one.or(other)?.saturating_add(options.ramp),
    };
    let hold = match options.hold_distribution {
        Distribution::Fixed => options.hold,
        Distribution::Exponential => options.hold * 20,
    };
    let call = options.ring_timeout + hold + options.t1 * 64 * 4;
    Some(starts.saturating_add(call))
}

/// Gives each thread its part of the sockets; configurations are filled in later. A gateway that listens
/// everywhere calls itself `ip`.
fn share_out(
    threads: u16,
    ip: IpAddr,
    callers: Vec<UdpSocket>,
    gateways: Vec<UdpSocket>,
) -> Result<Vec<Crew>> {
    let mut crews: Vec<Crew> = (0..threads)
        .map(|_| Crew {
            sockets: Vec::new(),
            caller: None,
            script: None,
            gateways: Vec::new(),
        })
        .collect();
    for (index, socket) in callers.into_iter().enumerate() {
        let crew = &mut crews[index % usize::from(threads)];
        let address = socket.local_addr()?;
        match &mut crew.caller {
            Some(caller) => caller.local.push(address),
            none => *none = Some(CallerConfig::new(address, vec![address])),
        }
        crew.sockets.push(socket);
    }
    for (index, socket) in gateways.into_iter().enumerate() {
        let crew = &mut crews[index % usize::from(threads)];
        let number = crew.sockets.len() as SocketId;
        crew.gateways
            .push(GatewayConfig::new(address_of(&socket, ip)?, number));
        crew.sockets.push(socket);
    }
    Ok(crews)
}

fn timers(options: &Options) -> Timers {
    let usual = Timers::default();
    Timers {
        t1: options.t1,
        t2: usual.t2.max(options.t1),
        ..usual
    }
}

fn hold(options: &Options) -> Delay {
    match options.hold_distribution {
        Distribution::Fixed => Delay::Fixed(options.hold),
        Distribution::Exponential => Delay::Exponential(options.hold),
    }
}

fn caller_config(
    options: &Options,
    target: SocketAddr,
    local: Vec<SocketAddr>,
    share: Share,
) -> CallerConfig {
    CallerConfig {
        user: options.service.clone(),
        profile: Target::of(options).profile,
        users: options.users.map(|users| users_of(users, share)),
        share,
        hold: hold(options),
        max_live: (u64::from(options.limit).div_ceil(share.of)) as u32,
        ring_timeout: options.ring_timeout,
        cancel: (options.cancel > 0.0).then_some(CancelRule {
            fraction: options.cancel / 100.0,
            after: options.cancel_after,
        }),
        reinvite_after: options.reinvite_after,
        lose_bye: options.lose_bye / 100.0,
        expected_refusal: options.expect,
        timers: timers(options),
        rport: options.rport,
        follow_route_set: !options.ignore_route_set,
        hang_up: match options.hang_up {
            Side::Caller => HangUp::Caller,
            Side::Gateway => HangUp::Gateway,
        },
        ..CallerConfig::new(target, local)
    }
}

/// What an actor is told in place of a thread's caller, or of its gateways.
fn actor_config(
    options: &Options,
    crew: &Crew,
    share: Share,
    injections: &[Arc<Injection>],
) -> Option<ActorConfig> {
    let (local, target): (Vec<SocketAddr>, _) = match &crew.caller {
        Some(caller) => (caller.local.clone(), Some(caller.target)),
        None => (crew.gateways.iter().map(|one| one.address).collect(), None),
    };
    if local.is_empty() {
        return None;
    }
    let caller = caller_config(options, local[0], local.clone(), share);
    Some(ActorConfig {
        fixed: Fixed {
            service: options.service.clone(),
            pid: std::process::id(),
            local,
            first_socket: 0,
            media_ip: options.scenario.mi,
            media_port: options.scenario.mp,
            users: options.users.unwrap_or(0),
            injections: injections.to_vec(),
        },
        target,
        profile: caller.profile,
        users: caller.users,
        share,
        begin: caller.begin,
        max_live: caller.max_live,
        hold: caller.hold,
        call_id: options.scenario.cid_str.clone(),
        base_cseq: options.scenario.base_cseq.unwrap_or(1),
        retransmits: !options.scenario.nr,
        traces_errors: options.reports.trace_err,
        auto_answer: options.scenario.aa,
    })
}

fn gateway_config(options: &Options, address: SocketAddr, socket: SocketId) -> GatewayConfig {
    let timers = timers(options);
    GatewayConfig {
        trying: options.trying,
        ring_after: Some(Delay::Fixed(options.ring)),
        answer_after: Delay::Fixed(options.answer),
        mix: AnswerMix {
            reject: options
                .reject
                .iter()
                .map(|(code, percent)| (*code, percent / 100.0))
                .collect(),
            ring_only: options.ring_only / 100.0,
            ignore: options.ignore / 100.0,
        },
        hang_up_after: (options.hang_up == Side::Gateway).then_some(hold(options)),
        timers,
        linger: timers.t1 * 64,
        ..GatewayConfig::new(address, socket)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::cli::Cli;

    fn plan(arguments: &[&str]) -> Result<Plan> {
        let all = std::iter::once(&"sipload").chain(arguments);
        Plan::new(&Cli::read(all).unwrap().options)
    }

    #[test]
    fn both_roles_call_each_other_across_threads() {
        let plan = plan(&["--threads", "3"]).unwrap();
        assert_eq!(plan.crews.len(), 3);
        assert_eq!(plan.gateways.len(), 3);
        for (index, crew) in plan.crews.iter().enumerate() {
            let caller = crew.caller.as_ref().unwrap();
            assert_eq!(caller.target, plan.gateways[(index + 1) % 3]);
            assert_eq!(caller.local.len(), 4);
            assert_eq!(crew.gateways[0].socket, 4);
            let bound: Vec<_> = crew
                .sockets
                .iter()
                .map(|s| s.local_addr().unwrap())
                .collect();
            assert_eq!(bound[..4], caller.local);
            assert_eq!(bound[4], crew.gateways[0].address);
        }
    }

    #[test]
    fn gateways_alone_share_the_threads() {
        let plan = plan(&["--role", "uas", "-p", "0", "--ports", "5", "--threads", "2"]).unwrap();
        let shares: Vec<_> = plan.crews.iter().map(|crew| crew.gateways.len()).collect();
        assert_eq!(shares, [3, 2]);
        assert!(plan.crews.iter().all(|crew| crew.caller.is_none()));
        assert_eq!(plan.longest, None);
    }

    #[test]
    fn calls_leave_by_each_address_as_often() {
        // Of three addresses two threads have each as often.
        let plan = plan(&["-i", "127.0.0.5-127.0.0.7", "--threads", "2"]).unwrap();
        for crew in &plan.crews {
            let local = &crew.caller.as_ref().unwrap().local;
            assert_eq!(local.len(), 6);
            let last = |address: &SocketAddr| match address.ip() {
                IpAddr::V4(ip) => ip.octets()[3],
                IpAddr::V6(_) => 0,
            };
            for ip in [5, 6, 7] {
                let here = local.iter().filter(|address| last(address) == ip);
                assert_eq!(here.count(), 2);
            }
            // In turn, not first all ports of one.
            assert!(local.windows(2).all(|two| last(&two[0]) != last(&two[1])));
        }
        assert_eq!(plan.gateways.len(), 3);
    }

    #[test]
    fn each_address_has_each_port() {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr();
        let port = free.unwrap().port();
        let ports = format!("{port},0");
        let list = "127.0.0.8/30,::1";
        let plan = plan(&["--role", "uas", "-i", list, "-p", &ports]).unwrap();
        assert_eq!(plan.gateways.len(), 2 * 3);
        for (gateway, ip) in plan.gateways.iter().zip(["127.0.0.9", "127.0.0.10", "::1"]) {
            assert_eq!(*gateway, SocketAddr::new(ip.parse().unwrap(), port));
        }
        let sockets = |crew: &Crew| crew.gateways.len();
        assert_eq!(plan.crews.iter().map(sockets).sum::<usize>(), 6);
    }

    #[test]
    fn gateways_on_all_addresses_call_themselves_by_one() {
        let plan = plan(&["--role", "uas", "-p", "0", "--any-address"]).unwrap();
        let own = plan.gateways[0];
        assert_eq!(own.ip(), Ipv4Addr::LOCALHOST);
        let crew = plan.crews.iter().find(|crew| !crew.gateways.is_empty());
        let crew = crew.unwrap();
        assert_eq!(crew.gateways[0].address, own);
        let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
        elsewhere.send_to(b"x", ("127.0.0.77", own.port())).unwrap();
        crew.sockets[0].set_nonblocking(false).unwrap();
        assert_eq!(crew.sockets[0].recv(&mut [0; 8]).unwrap(), 1);
    }

    #[test]
    fn limits_are_shared_and_runs_bounded() {
        let plan = plan(&["--threads", "2", "-l", "9", "-m", "100", "-r", "50"]).unwrap();
        for crew in &plan.crews {
            assert_eq!(crew.caller.as_ref().unwrap().max_live, 5);
        }
        // 2 s of starts, 180 s of ringing, 1 s of holding, four timeouts.
        assert_eq!(
            plan.longest,
            Some(Duration::from_secs(2 + 180 + 1 + 4 * 32))
        );
    }

    #[test]
    fn a_timeout_ends_a_run_before_its_time() {
        let both = plan(&["-m", "100", "-timeout", "2.5"]).unwrap();
        assert_eq!(both.longest, Some(Duration::from_millis(2_500)));
        let gateways = plan(&["--role", "uas", "-p", "0", "-timeout", "3s"]).unwrap();
        assert_eq!(gateways.longest, Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_rate_may_rise_without_an_end() {
        let rising = ["-r", "100", "-rate_increase", "50", "-rate_interval", "1"];
        let plan = plan(&[&rising[..], &["-m", "350"]].concat()).unwrap();
        let profile = &plan.crews[0].caller.as_ref().unwrap().profile;
        assert!((profile.stages[2].from - 200.0).abs() < f64::EPSILON);
        assert_eq!(profile.start_of(349).unwrap().as_secs(), 2);
        assert_eq!(profile.start_of(350), None);
    }

    #[test]
    fn contradictions_are_refused() {
        for (arguments, reason) in [
            (&["--role", "uac"][..], "needs a TARGET"),
            (&["--reject", "486=60", "--ignore", "50"], "add up to 110"),
            (&["-p", "7001,7002", "--ports", "3"], "names 2 ports"),
            (&["-p", "65535", "--ports", "2"], "above 65535"),
            (&["--t1", "0"], "above zero"),
            (&["-recv_timeout", "5"], "-recv_timeout is for"),
            (&["-au", "ann"], "-au and -ap are for scenarios"),
            (&["-base_cseq", "5"], "-base_cseq is for scenarios"),
            (&["-cid_str", "%u"], "-cid_str is for scenarios"),
            (&["-nr"], "-nr is for scenarios"),
            (&["-trace_err"], "-trace_err is for scenarios"),
            (
                &["-i", "127.0.0.1-127.0.0.3,127.0.0.2"],
                "-i names 127.0.0.2 twice",
            ),
            (
                &["-i", "127.0.0.1,::1"],
                "callers need addresses of one family",
            ),
            (
                &["-i", "127.0.0.1,127.0.0.2", "--role", "uac", "[::1]:9"],
                "-i 127.0.0.1: TARGET [::1]:9 cannot be called",
            ),
            (
                &[
                    "-i",
                    "127.0.0.1,127.0.0.2",
                    "--role",
                    "uas",
                    "--any-address",
                ],
                "goes with one address of -i, which names 2",
            ),
            (
                &["-i", "127.0.0.0/24", "--sockets", "65", "-p", "1024"],
                "254 addresses with 65 ports each are 16510 sockets",
            ),
            (
                &["--role", "uac", "--any-address", "127.0.0.1:9"],
                "for gateways",
            ),
        ] {
            let error = plan(arguments).unwrap_err().to_string();
            assert!(error.contains(reason), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let error = plan(&["--role", "uas", "-p", &port]).unwrap_err();
        assert!(format!("{error:#}").contains(&format!("cannot bind UDP 127.0.0.1:{port}")));
    }
}
