//! The dispatcher module: its functions and parameters, those of the oldest manuals included.
//!
//! A parameter of the same name in [`crate::route::PARAMETERS`] means the same; there the defaults are
//! those of the command line, here Kamailio's.

use super::core_parameters::Effect::{Accepted, MustBe, Unsupported, Used};
use super::core_parameters::ValueKind::{Number, Text};
use super::modules::{ModuleParameter, parameter};
use super::{Function, function_rows};

/// The functions.
pub(super) const FUNCTIONS: &[Function] = function_rows! {
    ["dispatcher"] {
        ds_select_dst(set: Int, alg: Int; limit: Int) [REQUEST FAILURE] "choose a destination of a set as next hop: $du";
        ds_select_domain(set: Int, alg: Int; limit: Int) [REQUEST FAILURE] "choose a destination of a set as host of the R-URI";
        ds_select(set: Int, alg: Int) [ANY] "choose destinations of a set into the XAVP, and nothing more";
        ds_select(set: Int, alg: Int, limit: Int) [REQUEST FAILURE] "choose destinations of a set into the XAVP, and nothing more";
        ds_select_routes(rules: Text, mode: Text; limit: Int) [REQUEST FAILURE] "choose over several sets: \"1=4;2=8\"";
        ds_next_dst() [REQUEST FAILURE] "the next of the chosen destinations as next hop; needs flags 2";
        ds_next_domain() [REQUEST FAILURE] "the next of the chosen destinations as host of the R-URI; needs flags 2";
        ds_set_dst() [REQUEST FAILURE] "the current of the chosen destinations as next hop";
        ds_set_domain() [REQUEST FAILURE] "the current of the chosen destinations as host of the R-URI";
        ds_mark_dst(; state: Plain) [REQUEST FAILURE REPLY] "set the state of the current destination: letters of i, a, t, d, p";
        ds_mark_addr(state: Text, set: Int, uri: Text) [ANY] "set the state of a destination";
        ds_oc_set_attrs(set: Int, uri: Text, rate: Int, milliseconds: Int, sequence: Int) [ANY] "overload control: pass a destination over in so many percent of its turns with algorithm 64, for so long";
        ds_list_exists(set: Int) [ANY] "whether there is such a set";
        ds_list_exist(set: Int) [ANY] "whether there is such a set: ds_list_exists()";
        ds_is_from_list() [REQUEST FAILURE REPLY BRANCH] "whether the message came from any destination";
        ds_is_from_list(set: Int; mode: Int, uri: Text) [ANY] "whether the message, or a URI, is of a set's destinations";
        ds_is_active(set: Int; uri: Text) [ANY] "whether a set has an active destination, or a destination is active";
        ds_load_update() [ANY] "count a call as answered at its 2xx, and no more at its BYE or CANCEL";
        ds_load_unset() [ANY] "count the call no more";
        ds_reload() [ANY] "read the destinations again";
        ds_follow_call() [REQUEST] "sipshard's own: the destination of the call that a caller's request belongs to as next hop";
        ds_is_failure_ack() [REQUEST] "sipshard's own: whether an ACK is for the failure of a call that was relayed without transaction";
        ds_next_after(milliseconds: Int) [REQUEST FAILURE] "sipshard's own: fail a branch that is silent for so long, or dies while it rings, if there is a next destination";
        ds_dsg_fetch(set: Int) [ANY] "fill $dsg(...) with the figures of a set";
    }
};

const NO_DATABASE: &str = "databases are not supported; destinations come from list_file";

/// As in Kamailio with mode 1.
const DNS_AT_LOAD: &str = "names are resolved when the list is read, and not again";

const fn range(least: i64, most: i64, row: ModuleParameter) -> ModuleParameter {
    ModuleParameter {
        range: (least, most),
        ..row
    }
}

const fn also(aliases: &'static [&'static str], row: ModuleParameter) -> ModuleParameter {
    ModuleParameter { aliases, ..row }
}

/// With the default of other generations' manuals.
const fn once(
    once: &'static [(&'static str, &'static str)],
    row: ModuleParameter,
) -> ModuleParameter {
    ModuleParameter { once, ..row }
}

/// The AVPs were replaced by XAVPs in Kamailio 5.2.
const AVPS: &[(&str, &str)] = &[("5.2 and later", "gone; XAVPs took its place")];

/// The parameters.
#[rustfmt::skip]
pub const DISPATCHER: &[ModuleParameter] = &[
    parameter("list_file", Text, Used, "/etc/kamailio/dispatcher.list", "the file with the destinations"),
    parameter("db_url", Text, Unsupported, "", "the database with the destinations; here they come from list_file"),
    parameter("table_name", Text, Accepted(NO_DATABASE), "dispatcher", "the table with the destinations"),
    parameter("setid_col", Text, Accepted(NO_DATABASE), "setid", "the column of the set"),
    parameter("destination_col", Text, Accepted(NO_DATABASE), "destination", "the column of the URI"),
    parameter("flags_col", Text, Accepted(NO_DATABASE), "flags", "the column of the flags"),
    parameter("priority_col", Text, Accepted(NO_DATABASE), "priority", "the column of the priority"),
    parameter("attrs_col", Text, Accepted(NO_DATABASE), "attrs", "the column of the attributes"),
    parameter("ds_db_extra_attrs", Text, Unsupported, "", "further columns as attributes"),
    once(
        &[("OpenSER 1 and Kamailio 3", "0")],
        range(0, 1, parameter("force_dst", Number, Used, "1", "choose even if there is a next hop already")),
    ),
    range(0, 3, parameter("flags", Number, Used, "0", "1: only the user counts in hashes over URIs; 2: keep the other destinations for failover")),
    range(0, 1, parameter("use_default", Number, Used, "0", "the last destination of a set is kept for when all others are out")),
    once(&[("before 5.2", "not there; AVPs")], parameter("xavp_dst", Text, Used, "_dsdst_", "the XAVP with the chosen destinations")),
    range(0, 7, parameter("xavp_dst_mode", Number, Used, "0", "1: no attrs in it; 2: the socket; 4: the socket's name")),
    once(&[("before 5.2", "not there; AVPs")], parameter("xavp_ctx", Text, Used, "_dsctx_", "the XAVP with how many were chosen")),
    range(0, 1, parameter("xavp_ctx_mode", Number, Used, "0", "1: without their count")),
    once(AVPS, parameter("dst_avp", Text, Used, "", "the AVP with the chosen destinations")),
    once(AVPS, parameter("grp_avp", Text, Used, "", "the AVP with their set")),
    once(AVPS, parameter("cnt_avp", Text, Used, "", "the AVP with how many were chosen")),
    once(AVPS, parameter("dstid_avp", Text, Used, "", "the AVP with their duids, for algorithm 10")),
    once(AVPS, parameter("attrs_avp", Text, Used, "", "the AVP with their attributes")),
    once(AVPS, parameter("sock_avp", Text, Used, "", "the AVP with their sockets")),
    parameter("hash_pvar", Text, Used, "", "what algorithm 7 hashes, with pseudo-variables"),
    also(&["setid_pvar"], parameter("setid_pvname", Text, Used, "", "the variable that ds_is_from_list() sets to the set")),
    parameter("attrs_pvname", Text, Used, "", "the variable that ds_is_from_list() sets to the attributes"),
    parameter("ds_ping_method", Text, Used, "OPTIONS", "method of keepalives"),
    parameter("ds_ping_from", Text, Used, "sip:dispatcher@localhost", "From URI of keepalives"),
    range(0, 86_400, parameter("ds_ping_interval", Number, Used, "0", "seconds between two keepalives to a destination; 0: none")),
    also(&["ds_ping_fr_timeout"], range(0, 1_000_000, parameter("ds_ping_fr_timer", Number, Used, "0", "sixteenths of a second that the answer to a keepalive may take; 0: tm's fr_timer"))),
    also(
        &["ds_probing_threshhold"],
        once(&[("Kamailio 3", "3")], range(1, 1000, parameter("ds_probing_threshold", Number, Used, "1", "failed keepalives in a row that take a destination out"))),
    ),
    range(1, 1000, parameter("ds_inactive_threshold", Number, Used, "1", "answered keepalives in a row that bring it back")),
    parameter("ds_ping_reply_codes", Text, Used, "", "answers to keepalives that mean alive, beside 2xx: class=4;code=503"),
    range(0, 3, parameter("ds_probing_mode", Number, Used, "0", "who gets keepalives: 0 those with P until alive, 1 all, 2 inactive with P, 3 those with P")),
    range(0, 1, parameter("ds_ping_latency_stats", Number, Used, "0", "keep figures on how long answers to keepalives take")),
    range(0, 1, parameter("ds_retain_latency_stats", Number, Used, "0", "keep them when the list is read again")),
    range(1, 999, parameter("ds_latency_estimator_alpha", Number, Used, "100", "thousandths by which the newest answer counts")),
    range(0, 24, parameter("ds_hash_size", Number, Used, "0", "log2 of the slots of the call-load table; 0: calls are not counted")),
    range(0, 31_536_000, parameter("ds_hash_expire", Number, Used, "7200", "seconds after which an answered call is forgotten")),
    range(0, 31_536_000, parameter("ds_hash_initexpire", Number, Used, "7200", "seconds after which a call that was never answered is forgotten")),
    range(1, 86_400, parameter("ds_hash_check_interval", Number, Used, "30", "seconds in which every slot is looked at once for calls to forget")),
    parameter("outbound_proxy", Text, Used, "", "where keepalives are sent to"),
    parameter("ds_default_socket", Text, Used, "", "the socket that is sent from"),
    parameter("ds_default_sockname", Text, Used, "", "its name"),
    parameter("ds_ping_socket", Text, Used, "", "the socket that keepalives are sent from"),
    range(0, 1, parameter("ds_timer_mode", Number, Used, "0", "1: a timer thread probes and paces expiry")),
    parameter("event_callback", Text, Unsupported, "", "a function of another language; event_route does it here"),
    range(0, 2, parameter("event_callback_mode", Number, Used, "0", "when event routes run")),
    range(0, 1, parameter("ds_attrs_none", Number, Used, "0", "1: a destination without attributes gets none=yes")),
    range(0, 1, parameter("ds_load_mode", Number, Used, "0", "1: one bad destination fails the whole list")),
    range(0, 86_400, parameter("reload_delta", Number, Used, "0", "least seconds between two reloads")),
    parameter("ds_dns_mode", Number, MustBe(1), "1", "when names are resolved: 1 at load, 2 at match, 4 by timer, 8 with SRV"),
    range(0, 86_400, parameter("ds_dns_interval", Number, Accepted(DNS_AT_LOAD), "600", "seconds between two resolutions")),
    range(0, 86_400, parameter("ds_dns_ttl", Number, Accepted(DNS_AT_LOAD), "0", "seconds that a resolution is good")),
    parameter("ds_dns_match_all", Number, MustBe(0), "0", "1: all addresses of a name count as the destination's"),
    range(0, 1, parameter("ds_compat", Number, Used, "0", "sipshard's own; 1: what Kamailio does where sipshard does better")),
];
