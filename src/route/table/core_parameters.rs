//! Core parameters: `debug=2`.

use Effect::{Accepted, MustBe, Unsupported, Used};
use ValueKind::{Address, Number, Text, Truth};

/// A core parameter.
#[derive(Debug)]
pub struct CoreParameter {
    /// Its name.
    pub name: &'static str,
    /// What its value is.
    pub kind: ValueKind,
    /// What becomes of it.
    pub effect: Effect,
    /// What it is, in one line.
    pub help: &'static str,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A whole number.
    Number,
    /// Yes or no.
    Truth,
    /// A text or a word.
    Text,
    /// A host or an address, with or without transport and port.
    Address,
}

/// What becomes of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does what it does in Kamailio.
    Used,
    /// It means nothing here: why.
    Accepted(&'static str),
    /// This value is what happens anyhow; no other is supported.
    MustBe(i64),
    /// It would mean something, and sipshard cannot do it.
    Unsupported,
}

impl CoreParameter {
    /// The row of a name.
    pub fn find(name: &str) -> Option<&'static Self> {
        CORE_PARAMETERS.iter().find(|row| row.name == name)
    }
}

const ONE_PROCESS: &str = "sipshard is one process; --workers says how many threads relay";
const NO_POOLS: &str = "sipshard has no memory pools of its own";
const NO_TCP: &str = "sipshard has no TCP";
const NO_TLS: &str = "sipshard has no TLS";
const LOGS: &str = "logs go to stderr; RUST_LOG chooses how much";
const RESOLVER: &str = "names are resolved by the operating system";
const SERVICE: &str = "this is the business of whoever starts sipshard, such as systemd";
const SOCKETS: &str = "sipshard sizes its socket buffers itself";

const fn row(
    name: &'static str,
    kind: ValueKind,
    effect: Effect,
    help: &'static str,
) -> CoreParameter {
    CoreParameter {
        name,
        kind,
        effect,
        help,
    }
}

/// The rows.
#[rustfmt::skip]
pub const CORE_PARAMETERS: &[CoreParameter] = &[
    row("listen", Address, Used, "a socket to listen on: udp:ADDRESS:PORT"),
    row("port", Number, Used, "the port of listen lines that have none"),
    row("alias", Address, Used, "a name that is our own, for uri==myself"),
    row("mpath", Text, Accepted("modules are a part of sipshard"), "where modules are"),
    row("check_via", Truth, MustBe(0), "whether replies must have our own address in the topmost Via"),
    row("mhomed", Truth, Accepted("the socket is chosen by the route to the destination"), "choose the socket by the route"),
    row("server_signature", Truth, Used, "whether our answers name their server; not if nothing is said"),
    row("server_header", Text, Used, "the Server header of our answers"),
    row("user_agent_header", Text, Used, "the User-Agent header of our keepalives"),
    row("sip_warning", Truth, MustBe(0), "whether our answers have a Warning header"),
    row("max_while_loops", Number, Used, "rounds after which a while loop is stopped"),
    row("advertised_address", Text, Used, "the address that Via and Record-Route name"),
    row("advertised_port", Number, Used, "the port that Via and Record-Route name"),
    row("max_branches", Number, Used, "most branches of a request"),
    row("onsend_route_reply", Truth, MustBe(0), "whether onsend_route runs for replies"),
    row("force_rport", Truth, Used, "answer every request to the port that it came from"),
    row("udp_mtu", Number, MustBe(0), "bytes above which a request goes by another transport"),
    row("udp_mtu_try_proto", Text, Accepted(NO_TCP), "the transport above udp_mtu"),
    row("udp4_raw", Number, MustBe(0), "send UDP through raw sockets"),
    row("tos", Text, Unsupported, "the type-of-service byte of what we send"),
    row("mcast_ttl", Number, Unsupported, "hops of multicast"),
    row("mcast_loopback", Truth, Unsupported, "hear our own multicast"),
    row("fork", Truth, Accepted("sipshard is one process and does not detach"), "run as a daemon"),
    row("children", Number, Accepted(ONE_PROCESS), "processes for each UDP socket"),
    row("socket_workers", Number, Accepted(ONE_PROCESS), "processes for the next socket"),
    row("async_workers", Number, Accepted(ONE_PROCESS), "processes for asynchronous tasks"),
    row("async_nonblock", Truth, Accepted(ONE_PROCESS), "asynchronous tasks do not block"),
    row("tcp_children", Number, Accepted(NO_TCP), "processes for TCP"),
    row("fork_delay", Number, Accepted(ONE_PROCESS), "microseconds between two forks"),
    row("modinit_delay", Number, Accepted("modules are a part of sipshard"), "microseconds between two modules"),
    row("wait_worker1_mode", Number, Accepted(ONE_PROCESS), "wait for the first worker"),
    row("debug", Number, Used, "the lines of scripts that are logged: 2 is up to L_INFO, 3 up to L_DBG"),
    row("log_stderror", Truth, Accepted(LOGS), "log to stderr"),
    row("log_facility", Text, Accepted(LOGS), "facility of syslog"),
    row("log_name", Text, Accepted(LOGS), "name in syslog"),
    row("log_prefix", Text, Accepted(LOGS), "what log lines of a message begin with"),
    row("log_prefix_mode", Number, Accepted(LOGS), "when log_prefix is evaluated"),
    row("log_color", Truth, Accepted(LOGS), "colors in the log"),
    row("log_engine_type", Text, Accepted(LOGS), "where the log goes"),
    row("log_engine_data", Text, Accepted(LOGS), "where the log goes"),
    row("corelog", Number, Accepted(LOGS), "level of common messages"),
    row("sip_parser_log", Number, Accepted(LOGS), "level of messages of the parser"),
    row("latency_log", Number, Accepted("latencies are metrics"), "level of messages on latencies"),
    row("latency_cfg_log", Number, Accepted("latencies are metrics"), "level of messages on latencies"),
    row("latency_limit_action", Number, Accepted("latencies are metrics"), "microseconds of an action that are logged"),
    row("latency_limit_cfg", Number, Accepted("latencies are metrics"), "microseconds of a script that are logged"),
    row("latency_limit_db", Number, Accepted("latencies are metrics"), "microseconds of a query that are logged"),
    row("memdbg", Number, Accepted(NO_POOLS), "level of messages on memory"),
    row("memlog", Number, Accepted(NO_POOLS), "level of messages on memory"),
    row("mem_join", Truth, Accepted(NO_POOLS), "join free blocks"),
    row("mem_safety", Truth, Accepted(NO_POOLS), "go on after a double free"),
    row("mem_summary", Number, Accepted(NO_POOLS), "print memory at the end"),
    row("mem_status_mode", Number, Accepted(NO_POOLS), "what is printed of memory"),
    row("shm_mem_size", Number, Accepted(NO_POOLS), "megabytes of shared memory"),
    row("shm", Number, Accepted(NO_POOLS), "megabytes of shared memory"),
    row("shm_force_alloc", Truth, Accepted(NO_POOLS), "touch all shared memory at start"),
    row("mlock_pages", Truth, Accepted(SERVICE), "keep memory from being swapped"),
    row("maxbuffer", Number, Accepted(SOCKETS), "bytes of a socket's receive buffer"),
    row("sql_buffer_size", Number, Accepted("sipshard builds no queries"), "bytes of a query"),
    row("auto_aliases", Truth, MustBe(0), "our own names by reverse DNS"),
    row("auto_bind_ipv6", Truth, Accepted("every listen line says what it binds"), "bind IPv6 too"),
    row("bind_ipv6_link_local", Number, Accepted("every listen line says what it binds"), "bind link-local addresses"),
    row("ip_free_bind", Number, Unsupported, "bind addresses that are not there yet"),
    row("dns", Truth, MustBe(0), "look the Via's host up"),
    row("rev_dns", Truth, MustBe(0), "look the sender's name up"),
    row("dns_try_ipv6", Truth, Accepted(RESOLVER), "ask for AAAA too"),
    row("dns_try_naptr", Truth, MustBe(0), "ask for NAPTR"),
    row("dns_srv_lb", Truth, MustBe(0), "balance over SRV records"),
    row("dns_srv_loadbalancing", Truth, MustBe(0), "balance over SRV records"),
    row("dns_udp_pref", Number, Accepted(RESOLVER), "preference of UDP in NAPTR"),
    row("dns_tcp_pref", Number, Accepted(RESOLVER), "preference of TCP in NAPTR"),
    row("dns_tls_pref", Number, Accepted(RESOLVER), "preference of TLS in NAPTR"),
    row("dns_sctp_pref", Number, Accepted(RESOLVER), "preference of SCTP in NAPTR"),
    row("dns_retr_time", Number, Accepted(RESOLVER), "seconds between two questions"),
    row("dns_retr_no", Number, Accepted(RESOLVER), "questions before giving up"),
    row("dns_servers_no", Number, Accepted(RESOLVER), "servers that are asked"),
    row("dns_use_search_list", Truth, Accepted(RESOLVER), "complete names"),
    row("dns_search_full_match", Truth, Accepted(RESOLVER), "check completed names"),
    row("dns_naptr_ignore_rfc", Truth, Accepted(RESOLVER), "order of NAPTR"),
    row("dns_slow_query_ms", Number, Accepted(RESOLVER), "milliseconds of a slow question"),
    row("dns_cache_init", Truth, Accepted(RESOLVER), "keep answers"),
    row("use_dns_cache", Truth, Accepted(RESOLVER), "keep answers"),
    row("use_dns_failover", Truth, MustBe(0), "try the next address of a name"),
    row("dns_cache_flags", Number, Accepted(RESOLVER), "what is kept"),
    row("dns_cache_negative_ttl", Number, Accepted(RESOLVER), "seconds that a failure is kept"),
    row("dns_cache_min_ttl", Number, Accepted(RESOLVER), "least seconds"),
    row("dns_cache_max_ttl", Number, Accepted(RESOLVER), "most seconds"),
    row("dns_cache_mem", Number, Accepted(RESOLVER), "kilobytes of answers"),
    row("dns_cache_gc_interval", Number, Accepted(RESOLVER), "seconds between two cleanings"),
    row("dns_cache_del_nonexp", Truth, Accepted(RESOLVER), "what is forgotten first"),
    row("dns_cache_delete_nonexpired", Truth, Accepted(RESOLVER), "what is forgotten first"),
    row("dns_cache_rec_pref", Number, Accepted(RESOLVER), "which record is preferred"),
    row("dst_blocklist_init", Truth, MustBe(0), "remember dead addresses"),
    row("use_dst_blocklist", Truth, MustBe(0), "avoid dead addresses"),
    row("use_dst_blacklist", Truth, MustBe(0), "avoid dead addresses"),
    row("dst_blacklist_init", Truth, MustBe(0), "remember dead addresses"),
    row("pmtu_discovery", Number, Accepted(SOCKETS), "set the don't-fragment bit"),
    row("disable_tcp", Truth, MustBe(1), "no TCP"),
    row("enable_tls", Truth, MustBe(0), "TLS"),
    row("disable_tls", Truth, MustBe(1), "no TLS"),
    row("enable_sctp", Truth, MustBe(0), "SCTP"),
    row("disable_sctp", Truth, MustBe(1), "no SCTP"),
    row("sctp_children", Number, Accepted("sipshard has no SCTP"), "processes for SCTP"),
    row("tcp_accept_aliases", Truth, Accepted(NO_TCP), "aliases of connections"),
    row("tcp_accept_no_cl", Truth, Accepted(NO_TCP), "messages without Content-Length"),
    row("tcp_async", Truth, Accepted(NO_TCP), "queue what cannot be sent"),
    row("tcp_connect_timeout", Number, Accepted(NO_TCP), "seconds to connect"),
    row("tcp_send_timeout", Number, Accepted(NO_TCP), "seconds to send"),
    row("tcp_connection_lifetime", Number, Accepted(NO_TCP), "seconds that a connection is kept"),
    row("tcp_connection_match", Number, Accepted(NO_TCP), "how connections are found"),
    row("tcp_conn_wq_max", Number, Accepted(NO_TCP), "bytes queued for a connection"),
    row("tcp_wq_max", Number, Accepted(NO_TCP), "bytes queued for all connections"),
    row("tcp_crlf_ping", Truth, Accepted(NO_TCP), "keepalives"),
    row("tcp_defer_accept", Number, Accepted(NO_TCP), "an option of sockets"),
    row("tcp_delayed_ack", Truth, Accepted(NO_TCP), "an option of sockets"),
    row("tcp_fd_cache", Truth, Accepted(NO_TCP), "keep descriptors"),
    row("tcp_keepalive", Truth, Accepted(NO_TCP), "an option of sockets"),
    row("tcp_keepcnt", Number, Accepted(NO_TCP), "an option of sockets"),
    row("tcp_keepidle", Number, Accepted(NO_TCP), "an option of sockets"),
    row("tcp_keepintvl", Number, Accepted(NO_TCP), "an option of sockets"),
    row("tcp_linger2", Number, Accepted(NO_TCP), "an option of sockets"),
    row("tcp_max_connections", Number, Accepted(NO_TCP), "most connections"),
    row("tcp_no_connect", Truth, Accepted(NO_TCP), "make no connections"),
    row("tcp_poll_method", Text, Accepted(NO_TCP), "how connections are waited for"),
    row("tcp_rd_buf_size", Number, Accepted(NO_TCP), "bytes read at once"),
    row("tcp_reuse_port", Truth, Accepted(NO_TCP), "an option of sockets"),
    row("tcp_accept_unique", Truth, Accepted(NO_TCP), "one connection for an address"),
    row("tcp_source_ipv4", Text, Accepted(NO_TCP), "from where connections are made"),
    row("tcp_source_ipv6", Text, Accepted(NO_TCP), "from where connections are made"),
    row("tcp_syncnt", Number, Accepted(NO_TCP), "an option of sockets"),
    row("tcp_script_mode", Number, Accepted(NO_TCP), "what happens after a script's error"),
    row("tls_max_connections", Number, Accepted(NO_TLS), "most connections"),
    row("tls_threads_mode", Number, Accepted(NO_TLS), "locks of the library"),
    row("user", Text, Accepted(SERVICE), "the user to run as"),
    row("uid", Text, Accepted(SERVICE), "the user to run as"),
    row("group", Text, Accepted(SERVICE), "the group to run as"),
    row("gid", Text, Accepted(SERVICE), "the group to run as"),
    row("chroot", Text, Accepted(SERVICE), "the root directory"),
    row("workdir", Text, Accepted(SERVICE), "the directory to run in"),
    row("wdir", Text, Accepted(SERVICE), "the directory to run in"),
    row("rundir", Text, Accepted("--ctl says where the control socket is"), "the directory of sockets"),
    row("disable_core_dump", Truth, Accepted(SERVICE), "no core dumps"),
    row("open_files_limit", Number, Accepted(SERVICE), "most open files"),
    row("real_time", Number, Accepted(SERVICE), "scheduling of processes"),
    row("rt_prio", Number, Accepted(SERVICE), "scheduling of processes"),
    row("rt_policy", Number, Accepted(SERVICE), "scheduling of processes"),
    row("rt_timer1_prio", Number, Accepted(SERVICE), "scheduling of processes"),
    row("rt_timer1_policy", Number, Accepted(SERVICE), "scheduling of processes"),
    row("rt_timer2_prio", Number, Accepted(SERVICE), "scheduling of processes"),
    row("rt_timer2_policy", Number, Accepted(SERVICE), "scheduling of processes"),
    row("exit_timeout", Number, Accepted("calls in flight have 5 seconds at a stop"), "seconds that a stop may take"),
    row("ser_kill_timeout", Number, Accepted("calls in flight have 5 seconds at a stop"), "seconds that a stop may take"),
    row("version_table", Text, Accepted("sipshard checks no table versions"), "the table of table versions"),
    row("server_id", Number, Accepted("sipshard puts no number of its own into what it makes"), "the number of this server"),
    row("phone2tel", Truth, MustBe(1), "a user=phone URI is a tel URI"),
    row("reply_to_via", Truth, MustBe(0), "answer to the Via, not to where the request came from"),
    row("stun_refresh_interval", Number, Accepted("sipshard has no STUN"), "seconds between two questions"),
    row("stun_allow_stun", Truth, MustBe(0), "answer STUN"),
    row("stun_allow_fp", Truth, Accepted("sipshard has no STUN"), "fingerprints in STUN"),
    row("http_reply_parse", Truth, MustBe(0), "HTTP replies as SIP"),
    row("received_route_mode", Number, MustBe(0), "a route for what is received"),
    row("pv_buffer_size", Number, Accepted(NO_POOLS), "bytes of a printed variable"),
    row("pv_buffer_slots", Number, Accepted(NO_POOLS), "printed variables at once"),
    row("pv_cache_limit", Number, Accepted(NO_POOLS), "variables that are kept"),
    row("pv_cache_action", Number, Accepted(NO_POOLS), "what is done at pv_cache_limit"),
    row("xavp_via_params", Text, Unsupported, "parameters of our Via out of an XAVP"),
    row("xavp_via_fields", Text, Unsupported, "fields of our Via out of an XAVP"),
    row("xavp_via_reply_params", Text, Unsupported, "parameters of a reply's Via as an XAVP"),
    row("uri_host_extra_chars", Text, Unsupported, "further characters of hosts"),
    row("hdr_name_extra_chars", Text, Unsupported, "further characters of header names"),
    row("local_rport", Truth, MustBe(0), "ask for answers to our port"),
    row("verbose_startup", Truth, Accepted(LOGS), "more messages at start"),
    row("udp_receiver_mode", Number, Accepted(ONE_PROCESS), "how UDP is read"),
];
