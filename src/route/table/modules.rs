//! Modules: which there are, and their parameters.

use super::dispatcher::DISPATCHER;
use Effect::{Accepted, MustBe, Unsupported, Used};
use ValueKind::{Number, Text};

use super::core_parameters::{Effect, ValueKind};

/// A module of Kamailio.
#[derive(Debug)]
pub struct Module {
    /// Its name, without `.so`.
    pub name: &'static str,
    /// What sipshard has of it.
    pub support: Support,
    /// Its parameters.
    pub parameters: &'static [ModuleParameter],
    /// What it is for, in one line.
    pub help: &'static str,
}

/// What sipshard has of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// What a dispatcher needs of it.
    BuiltIn,
    /// It may be loaded, and does nothing: why. Its parameters are not looked at.
    Accepted(&'static str),
}

/// A parameter of a module.
#[derive(Clone, Copy, Debug)]
pub struct ModuleParameter {
    /// Its name.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// What its value is.
    pub kind: ValueKind,
    /// The numbers that are good.
    pub range: (i64, i64),
    /// What it is if nobody says anything; empty: nothing.
    pub default: &'static str,
    /// Defaults of older generations that differ: of what documents say, with a line for each.
    pub once: &'static [(&'static str, &'static str)],
    /// What becomes of it.
    pub effect: Effect,
    /// What it does, in one line.
    pub help: &'static str,
}

pub(super) const fn parameter(
    name: &'static str,
    kind: ValueKind,
    effect: Effect,
    default: &'static str,
    help: &'static str,
) -> ModuleParameter {
    ModuleParameter {
        name,
        aliases: &[],
        kind,
        range: (i32::MIN as i64, i32::MAX as i64),
        default,
        once: &[],
        effect,
        help,
    }
}

impl Module {
    /// The row of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&'static ModuleParameter> {
        let names = |row: &&ModuleParameter| row.name == name || row.aliases.contains(&name);
        self.parameters.iter().find(names)
    }
}

/// The module of a name.
pub fn module(name: &str) -> Option<&'static Module> {
    MODULES.iter().find(|row| row.name == name)
}

/// The name in what `loadmodule` is given: `tm.so`, `tm`, `modules/tm/tm.so`.
pub fn module_name(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".so").unwrap_or(file)
}

const RPC: &str = "commands come over sipshard's own control socket, which kamcmd speaks";
const DATABASES: &str = "databases are not supported; destinations come from list_file";

const fn built_in(
    name: &'static str,
    parameters: &'static [ModuleParameter],
    help: &'static str,
) -> Module {
    Module {
        name,
        support: Support::BuiltIn,
        parameters,
        help,
    }
}

const fn accepted(name: &'static str, why: &'static str, help: &'static str) -> Module {
    Module {
        name,
        support: Support::Accepted(why),
        parameters: &[],
        help,
    }
}

/// The rows.
#[rustfmt::skip]
pub const MODULES: &[Module] = &[
    built_in("dispatcher", DISPATCHER, "destinations in sets, and which is next"),
    built_in("maxfwd", MAXFWD, "Max-Forwards"),
    built_in("sl", SL, "answers without a transaction"),
    built_in("tm", TM, "transactions"),
    built_in("tmx", TMX, "more on transactions"),
    built_in("rr", RR, "Record-Route and Route"),
    built_in("textops", &[], "looking into messages and changing them"),
    built_in("textopsx", &[], "more on headers and bodies"),
    built_in("siputils", SIPUTILS, "questions on messages and URIs"),
    built_in("sanity", SANITY, "checks of messages"),
    built_in("xlog", XLOG, "lines of the log with pseudo-variables"),
    built_in("pv", PV, "pseudo-variables and transformations"),
    built_in("kex", &[], "more of the core"),
    built_in("corex", COREX, "more of the core"),
    built_in("acc", ACC, "accounting"),
    accepted("ctl", RPC, "commands for kamcmd"),
    accepted("mi_fifo", RPC, "commands over a FIFO"),
    accepted("mi_datagram", RPC, "commands over a datagram socket"),
    accepted("mi_rpc", RPC, "commands of other transports"),
    accepted("mi_xmlrpc", RPC, "commands over XML-RPC"),
    accepted("jsonrpcs", RPC, "commands as JSON-RPC"),
    accepted("cfg_rpc", RPC, "core parameters at run time"),
    accepted("counters", "sipshard.counters tells what is counted", "counters for scripts"),
    accepted("db_mysql", DATABASES, "MySQL"),
    accepted("db_postgres", DATABASES, "PostgreSQL"),
    accepted("db_sqlite", DATABASES, "SQLite"),
    accepted("db_text", DATABASES, "tables in text files"),
    accepted("db_unixodbc", DATABASES, "ODBC"),
    accepted("mysql", DATABASES, "MySQL"),
    accepted("postgres", DATABASES, "PostgreSQL"),
];

#[rustfmt::skip]
const MAXFWD: &[ModuleParameter] = &[
    parameter("max_limit", Number, Used, "70", "Max-Forwards that is lowered to this"),
];

#[rustfmt::skip]
const SL: &[ModuleParameter] = &[
    parameter("default_code", Number, Accepted("a script always gives a code"), "500", "the code of an answer without one"),
    parameter("default_reason", Text, Accepted("a script always gives a code"), "Internal Server Error", "its reason"),
    parameter("bind_tm", Number, MustBe(1), "1", "send_reply() answers by the transaction if there is one"),
    parameter("rich_redirect", Number, Unsupported, "0", "q and flags in the Contacts of a redirect"),
    parameter("event_callback_fl_ack", Text, Unsupported, "", "a function of another language"),
    parameter("event_callback_lres_sent", Text, Unsupported, "", "a function of another language"),
];

#[rustfmt::skip]
const TM: &[ModuleParameter] = &[
    parameter("fr_timer", Number, Used, "30000", "milliseconds without a final answer (INVITE: without any)"),
    parameter("fr_inv_timer", Number, Used, "120000", "milliseconds that an INVITE may ring"),
    parameter("max_inv_lifetime", Number, Used, "180000", "milliseconds that an INVITE's transaction lives"),
    parameter("max_noninv_lifetime", Number, Used, "32000", "milliseconds that other transactions live"),
    ModuleParameter {
        once: &[("Kamailio", "5000")],
        ..parameter("wt_timer", Number, Used, "32000", "milliseconds that an answered transaction absorbs retransmissions")
    },
    parameter("delete_timer", Number, Accepted("transactions are freed at once"), "200", "milliseconds until it is freed"),
    parameter("retr_timer1", Number, MustBe(500), "500", "milliseconds until the first retransmission"),
    parameter("retr_timer1p1", Number, Unsupported, "", "one of the intervals of retransmission"),
    parameter("retr_timer2", Number, MustBe(4000), "4000", "most milliseconds between two retransmissions"),
    parameter("noisy_ctimer", Number, MustBe(1), "1", "a timed-out INVITE is answered with 408"),
    parameter("restart_fr_on_each_reply", Number, MustBe(1), "1", "each provisional answer starts fr_inv_timer again"),
    parameter("auto_inv_100", Number, Used, "1", "answer an INVITE with 100 at once"),
    parameter("auto_inv_100_reason", Text, Used, "trying -- your call is important to us", "the reason of this 100"),
    parameter("default_code", Number, Accepted("a script always gives a code"), "500", "the code of an answer without one"),
    parameter("default_reason", Text, Accepted("a script always gives a code"), "Server Internal Error", "its reason"),
    parameter("failure_reply_mode", Number, MustBe(3), "3", "when a failure_route has tried more, only the new branches count"),
    parameter("failure_exec_mode", Number, MustBe(0), "0", "failure routes for failures of sending"),
    parameter("faked_reply_prio", Number, MustBe(2000), "2000", "how a timeout counts among answers"),
    parameter("reply_relay_mode", Number, Unsupported, "1", "what is done with a late 2xx"),
    parameter("local_cancel_reason", Number, Used, "1", "a Reason in the CANCELs that we make"),
    parameter("e2e_cancel_reason", Number, Used, "1", "copy the Reason of a CANCEL"),
    parameter("cancel_b_method", Number, MustBe(1), "1", "when a branch without answer is cancelled"),
    parameter("unmatched_cancel", Number, Accepted("a CANCEL whose INVITE is not known cancels nothing; the script answers it"), "0", "a CANCEL without INVITE: 0 relayed by a transaction, 1 statelessly, 2 dropped"),
    parameter("pass_provisional_replies", Number, MustBe(0), "0", "callbacks for provisional answers"),
    parameter("aggregate_challenges", Number, Accepted("the best answer goes up as it is"), "1", "put the challenges of several branches into one answer"),
    parameter("disable_6xx_block", Number, MustBe(0), "0", "a 6xx does not end the other branches"),
    parameter("ruri_matching", Number, Accepted("transactions are matched by RFC 3261 section 17.2.3"), "1", "compare the R-URI too"),
    parameter("via1_matching", Number, Accepted("transactions are matched by RFC 3261 section 17.2.3"), "1", "compare the Via too"),
    parameter("callid_matching", Number, Accepted("transactions are matched by RFC 3261 section 17.2.3"), "0", "compare the Call-ID too"),
    parameter("callid_cseq_matching", Number, Accepted("transactions are matched by RFC 3261 section 17.2.3"), "0", "compare Call-ID and CSeq too"),
    parameter("reparse_invite", Number, Accepted("CANCELs are made by RFC 3261 section 9.1"), "1", "build CANCELs of what was sent"),
    parameter("ac_extra_hdrs", Text, Unsupported, "", "headers of the INVITE that ACK and CANCEL repeat"),
    parameter("reparse_on_dns_failover", Number, Accepted("there is no failover over the addresses of a name"), "1", "a new Via for each address"),
    parameter("dns_reuse_rcv_socket", Number, Accepted("there is no failover over the addresses of a name"), "0", "the socket for each address"),
    parameter("blst_503", Number, MustBe(0), "0", "avoid who answers 503"),
    parameter("blst_503_def_timeout", Number, Accepted("nobody is avoided for a 503"), "0", "seconds"),
    parameter("blst_503_min_timeout", Number, Accepted("nobody is avoided for a 503"), "0", "seconds"),
    parameter("blst_503_max_timeout", Number, Accepted("nobody is avoided for a 503"), "3600", "seconds"),
    parameter("blst_methods_add", Number, Accepted("nobody is avoided"), "1", "methods"),
    parameter("blst_methods_lookup", Number, Accepted("nobody is avoided"), "-1", "methods"),
    parameter("remap_503_500", Number, Used, "1", "a 503 of the last branch is answered as 500"),
    parameter("fr_timer_avp", Text, Unsupported, "", "a timer out of an AVP; t_set_fr() sets it"),
    parameter("fr_inv_timer_avp", Text, Unsupported, "", "a timer out of an AVP; t_set_fr() sets it"),
    parameter("contacts_avp", Text, Unsupported, "", "branches by q"),
    parameter("contact_flows_avp", Text, Unsupported, "", "branches by flow"),
    parameter("xavp_contact", Text, Unsupported, "", "branches in an XAVP"),
    parameter("on_sl_reply", Text, Unsupported, "", "a route for replies without transaction; reply_route is one"),
    parameter("local_ack_mode", Number, MustBe(0), "0", "where the ACKs that we make go"),
    parameter("relay_100", Text, MustBe(0), "0", "relay 100 too"),
    parameter("rich_redirect", Number, Unsupported, "0", "q and flags in the Contacts of a redirect"),
    parameter("unix_tx_timeout", Number, Accepted("there is no such socket"), "500", "milliseconds"),
    parameter("event_callback", Text, Unsupported, "", "a function of another language"),
    parameter("event_callback_lres_sent", Text, Unsupported, "", "a function of another language"),
    parameter("enable_uac_fr", Number, Accepted("keepalives have their own timer"), "0", "timers of our own requests"),
    parameter("exec_time_check", Number, Accepted("the steps of a script are limited"), "1", "longest time of a script"),
];

#[rustfmt::skip]
const TMX: &[ModuleParameter] = &[
    parameter("precheck_trans", Number, MustBe(1), "1", "t_check_trans() knows what t_precheck_trans() knows"),
];

#[rustfmt::skip]
const RR: &[ModuleParameter] = &[
    parameter("enable_full_lr", Number, Used, "0", "lr=on instead of lr"),
    parameter("append_fromtag", Number, Used, "1", "the From tag in our Record-Route"),
    parameter("enable_double_rr", Number, Used, "1", "two Record-Routes where a request changes its socket"),
    parameter("enable_socket_mismatch_warning", Number, Accepted("there is no such warning"), "1", "a line of the log when a Route names another socket"),
    parameter("add_username", Number, MustBe(0), "0", "the R-URI's user in our Record-Route"),
    parameter("force_send_socket", Number, Used, "1", "follow the socket of our Route"),
    parameter("custom_user_avp", Text, Unsupported, "", "the user of our Record-Route out of an AVP"),
    parameter("ignore_sips", Number, MustBe(0), "0", "no sips in our Record-Route"),
    parameter("sockname_mode", Number, Unsupported, "0", "the socket's name in our Record-Route"),
    parameter("ignore_user", Number, Accepted("users of Routes are ignored"), "0", "users of Routes are ignored"),
];

#[rustfmt::skip]
const SIPUTILS: &[ModuleParameter] = &[
    parameter("options_accept", Text, Used, "*/*", "Accept of options_reply()"),
    parameter("options_accept_encoding", Text, Used, "", "its Accept-Encoding"),
    parameter("options_accept_language", Text, Used, "en", "its Accept-Language"),
    parameter("options_support", Text, Used, "", "its Supported"),
    parameter("contact_flds_separator", Text, Unsupported, "*", "of functions that sipshard does not have"),
    parameter("rpid_avp", Text, Unsupported, "", "of functions that sipshard does not have"),
    parameter("rpid_prefix", Text, Unsupported, "", "of functions that sipshard does not have"),
    parameter("rpid_suffix", Text, Unsupported, "", "of functions that sipshard does not have"),
];

#[rustfmt::skip]
const SANITY: &[ModuleParameter] = &[
    parameter("default_checks", Number, Used, "3047", "checks of sanity_check() without argument"),
    parameter("uri_checks", Number, Used, "7", "URIs that it checks"),
    parameter("proxy_require", Text, Used, "", "options that we know"),
    parameter("autodrop", Number, Used, "1", "drop what is bad"),
    parameter("noreply", Number, Used, "0", "do not answer to what is bad"),
];

#[rustfmt::skip]
const XLOG: &[ModuleParameter] = &[
    parameter("buf_size", Number, Accepted("lines of the log are as long as they are"), "4096", "longest line"),
    parameter("force_color", Number, Accepted("logs go to stderr; RUST_LOG chooses how much"), "0", "colors"),
    parameter("log_colors", Text, Accepted("logs go to stderr; RUST_LOG chooses how much"), "", "colors"),
    parameter("log_facility", Text, Accepted("logs go to stderr; RUST_LOG chooses how much"), "", "facility of syslog"),
    parameter("long_format", Number, MustBe(0), "0", "file and line of the script in lines of the log"),
    parameter("prefix", Text, Used, "<script>: ", "what lines of the log begin with"),
    parameter("prefix_mode", Number, Used, "0", "1: there are pseudo-variables in the prefix"),
    parameter("methods_filter", Number, Unsupported, "-1", "methods of which xlogm() writes"),
];

#[rustfmt::skip]
const PV: &[ModuleParameter] = &[
    parameter("shvset", Text, Used, "", "a first value of a $shv: \"name=i:1\" or \"name=s:text\""),
    parameter("varset", Text, Used, "", "a first value of a $var: \"name=i:1\" or \"name=s:text\""),
    parameter("avp_aliases", Text, Unsupported, "", "other names of AVPs"),
];

#[rustfmt::skip]
const COREX: &[ModuleParameter] = &[
    parameter("alias_subdomains", Text, Used, "", "a domain whose subdomains are our own too"),
    parameter("dns_cache", Text, Unsupported, "", "a first entry of the DNS cache"),
    parameter("nio_intercept", Number, MustBe(0), "0", "event routes for raw messages"),
    parameter("nio_min_msg_len", Number, Accepted("there are no event routes for raw messages"), "-1", "shortest raw message"),
    parameter("nio_msg_avp", Text, Accepted("there are no event routes for raw messages"), "", "the AVP of raw messages"),
    parameter("evcb_reply_out", Text, Unsupported, "", "a function of another language"),
];

#[rustfmt::skip]
const ACC: &[ModuleParameter] = &[
    parameter("log_flag", Number, Used, "-1", "the flag of transactions that get a line"),
    parameter("log_missed_flag", Number, Used, "-1", "the flag of calls that get a line if they are missed"),
    parameter("failed_transaction_flag", Number, Used, "-1", "the flag of transactions that get a line even if they fail"),
    parameter("log_extra", Text, Used, "", "further fields of a line: name=$variable;..."),
    parameter("log_level", Number, Used, "1", "the level of the lines"),
    parameter("log_facility", Text, Accepted("logs go to stderr; RUST_LOG chooses how much"), "LOG_DAEMON", "the facility of syslog"),
    parameter("early_media", Number, Used, "0", "a line for 183 too"),
    parameter("report_ack", Number, Used, "0", "a line for ACKs too"),
    parameter("report_cancels", Number, Used, "0", "a line for CANCELs too"),
    parameter("detect_direction", Number, Used, "0", "caller and callee as in the first request"),
    parameter("failed_filter", Text, Used, "", "codes of failures that get no line"),
    parameter("reason_from_hf", Number, Used, "0", "the reason out of the Reason header"),
    parameter("time_mode", Number, Used, "0", "a finer time in the lines"),
    parameter("time_attr", Text, Used, "", "its field"),
    parameter("time_exten", Text, Used, "", "a second field"),
    parameter("time_format", Text, Used, "%Y-%m-%d %H:%M:%S", "its form"),
    parameter("multi_leg_info", Text, Unsupported, "", "fields of several legs"),
    parameter("acc_prepare_flag", Number, Accepted("fields are read when the line is written"), "-1", "a flag"),
    parameter("acc_prepare_always", Number, Accepted("fields are read when the line is written"), "0", "always"),
    parameter("acc_extra_nullable", Number, Accepted("accounting goes to the log"), "0", "NULL in tables"),
    parameter("acc_extra_size", Number, Accepted("fields are not limited"), "64", "most fields"),
    parameter("clone_msg", Number, Accepted("fields are read when the line is written"), "1", "copy the message"),
    parameter("db_flag", Number, Unsupported, "-1", "the flag of transactions that get a row of a table"),
    parameter("db_missed_flag", Number, Unsupported, "-1", "the flag of missed calls that get a row"),
    parameter("db_url", Text, Unsupported, "", "the database"),
    parameter("db_extra", Text, Unsupported, "", "further columns"),
    parameter("db_table_acc", Text, Accepted("accounting goes to the log"), "acc", "a table"),
    parameter("db_table_missed_calls", Text, Accepted("accounting goes to the log"), "missed_calls", "a table"),
    parameter("db_insert_mode", Number, Accepted("accounting goes to the log"), "0", "how rows are written"),
    parameter("cdr_enable", Number, MustBe(0), "0", "call detail records"),
    parameter("cdr_log_enable", Number, Accepted("there are no call detail records"), "1", "call detail records in the log"),
    parameter("cdr_extra", Text, Unsupported, "", "fields of call detail records"),
];
