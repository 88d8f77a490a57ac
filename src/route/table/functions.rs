//! Functions of transactions, routing, answers, the log and flags.

use super::{Function, function_rows};

/// The rows.
pub(super) const ROWS: &[Function] = function_rows! {
    ["maxfwd"] {
        mf_process_maxfwd_header(max: Int) [REQUEST] "count Max-Forwards down, or add it; false if it was 0";
        maxfwd_process(max: Int) [REQUEST] "count Max-Forwards down, or add it; false if it was 0";
        process_maxfwd(max: Int) [REQUEST] "count Max-Forwards down, or add it; false if it was 0";
        is_maxfwd_lt(max: Int) [REQUEST FAILURE BRANCH] "whether Max-Forwards is below";
        maxfwd_at_least(max: Int) [REQUEST FAILURE BRANCH] "whether Max-Forwards is not below";
        mf_lowlimit(max: Int) [REQUEST FAILURE BRANCH] "whether Max-Forwards is below: is_maxfwd_lt()";
    }
    ["sl"] {
        sl_send_reply(code: Int, reason: Text) [REQUEST] "answer statelessly";
        send_reply(code: Int, reason: Text) [REQUEST REPLY FAILURE] "answer, by the transaction if there is one";
        send_reply_mode(code: Int, reason: Text, mode: Int) [REQUEST REPLY FAILURE] "answer, as the mode's bits say";
        sl_reply_error() [REQUEST] "answer with what went wrong last";
    }
    ["tm"] {
        t_relay() [REQUEST FAILURE] "relay in a transaction, to $du or the R-URI";
        t_relay(host: Address, port: Int) [REQUEST FAILURE] "relay in a transaction, to an address";
        t_relay_to_udp() [REQUEST FAILURE] "relay in a transaction, by UDP";
        t_relay_to_udp(host: Address, port: Int) [REQUEST FAILURE] "relay in a transaction, by UDP to an address";
        t_relay_to(proxy: Text; flags: Int) [REQUEST FAILURE] "relay in a transaction to a proxy";
        t_forward_nonack(host: Address, port: Int) [REQUEST] "relay in a transaction, unless it is an ACK";
        t_relay_cancel() [REQUEST] "relay a CANCEL and end the script if its INVITE is known; true if not";
        t_lookup_cancel(; mode: Int) [REQUEST] "whether the INVITE of a CANCEL is known";
        t_on_failure(route: FailureRoute) [REQUEST REPLY FAILURE BRANCH] "the route for when all branches failed";
        t_on_reply(route: ReplyRoute) [REQUEST REPLY FAILURE BRANCH] "the route for replies of this transaction";
        t_on_branch(route: BranchRoute) [REQUEST FAILURE] "the route for each branch of this transaction";
        t_newtran() [REQUEST] "make the transaction now; false for a retransmission";
        t_release() [REQUEST] "end a transaction that t_newtran() made";
        t_reply(code: Int, reason: Text) [REQUEST REPLY FAILURE] "answer by the transaction";
        t_send_reply(code: Int, reason: Text) [REQUEST REPLY FAILURE] "make the transaction and answer by it";
        t_retransmit_reply() [REQUEST] "send the last answer again";
        t_lookup_request() [REQUEST] "whether there is a transaction of this request";
        t_check_trans() [REQUEST REPLY BRANCH] "whether a request belongs to a transaction; absorbs retransmissions";
        t_check_status(expression: Regex) [REQUEST REPLY FAILURE] "whether the code of the reply matches";
        t_grep_status(code: Int) [REQUEST REPLY FAILURE BRANCH] "whether any branch was answered with the code";
        t_is_expired() [REQUEST REPLY FAILURE BRANCH] "whether the transaction's lifetime is over";
        t_branch_timeout() [REQUEST FAILURE] "whether the branch's timer fired";
        t_branch_replied() [REQUEST FAILURE] "whether the branch was answered at all";
        t_any_timeout() [REQUEST REPLY FAILURE BRANCH] "whether any branch's timer fired";
        t_any_replied() [REQUEST REPLY FAILURE BRANCH] "whether any branch was answered";
        t_is_set(what: Plain) [ANY] "whether a failure_route, onreply_route or branch_route is armed";
        t_set_fr(invite_timeout_ms: Int; timeout_ms: Int) [REQUEST REPLY FAILURE BRANCH] "timers of this transaction; 0 keeps one";
        t_reset_fr() [REQUEST REPLY FAILURE BRANCH] "timers of this transaction as the parameters say";
        t_set_max_lifetime(invite_ms: Int, others_ms: Int) [REQUEST REPLY FAILURE BRANCH] "longest life of this transaction";
        t_reset_max_lifetime() [REQUEST REPLY FAILURE BRANCH] "longest life as the parameters say";
        t_set_auto_inv_100(mode: Int) [REQUEST] "1: answer an INVITE with 100 at once; 0: do not";
        t_set_disable_6xx(mode: Int) [ANY] "1: a 6xx does not end the other branches";
        t_set_disable_failover(mode: Int) [ANY] "1: no failover over the addresses of a name";
        t_set_disable_internal_reply(mode: Int) [ANY] "1: no answer of our own when sending fails";
        t_drop_replies(; mode: Plain) [FAILURE] "forget the answers of the branches so far";
        t_get_status_code() [REQUEST REPLY FAILURE BRANCH] "the code of the transaction's answer";
    }
    ["tm", "tmx"] {
        t_is_canceled() [ANY] "whether the caller has cancelled";
    }
    ["tmx"] {
        t_precheck_trans() [REQUEST] "whether the request is a retransmission, or a CANCEL before its INVITE is through";
        t_cancel_branches(which: Plain) [REPLY] "cancel all, others or this branch";
        t_flush_flags() [ANY] "copy the flags into the transaction";
        t_is_failure_route() [ANY] "whether a failure_route runs";
        t_is_branch_route() [ANY] "whether a branch_route runs";
        t_is_reply_route() [ANY] "whether an onreply_route runs";
        t_is_request_route() [ANY] "whether the request route runs";
        t_drop(; code: Int) [ANY] "end the transaction without an answer";
    }
    ["rr"] {
        loose_route() [REQUEST] "take our Route off and follow the next; false without Route";
        loose_route_preloaded() [REQUEST] "the same for a request outside of a dialog";
        record_route(; parameters: Text) [REQUEST BRANCH FAILURE] "put us into the Record-Route";
        record_route_preset(address: Text; second: Text) [REQUEST BRANCH FAILURE] "put an address into the Record-Route";
        record_route_advertised_address(address: Text) [REQUEST BRANCH FAILURE] "put us into the Record-Route by another address";
        remove_record_route() [REQUEST FAILURE] "take our Record-Route out again";
        add_rr_param(parameter: Text) [REQUEST BRANCH FAILURE] "add a parameter to our Record-Route";
        check_route_param(expression: Regex) [REQUEST] "whether the parameters of our Route match";
        is_direction(direction: Plain) [REQUEST] "whether a request in a dialog goes downstream or upstream";
    }
    ["sanity"] {
        sanity_check(; checks: Int, uri_checks: Int) [REQUEST REPLY] "check the message as the bits say, and answer if it is bad";
        sanity_reply() [REQUEST REPLY] "answer to what sanity_check() found, if noreply is set";
    }
    ["xlog"] {
        xlog(text: Text) [ANY] "write a line of the log";
        xlog(level: Level, text: Text) [ANY] "write a line of the log";
        xlog(facility: Plain, level: Level, text: Text) [ANY] "write a line of the log";
        xlogl(text: Text) [ANY] "write a line of the log with the script's line";
        xlogl(level: Level, text: Text) [ANY] "write a line of the log with the script's line";
        xlogm(level: Level, text: Text) [ANY] "write a line of the log";
        xdbg(text: Text) [ANY] "write a line of the log at level debug";
        xdbgl(text: Text) [ANY] "write a line of the log at level debug with the script's line";
        xinfo(text: Text) [ANY] "write a line of the log at level info";
        xnotice(text: Text) [ANY] "write a line of the log at level notice";
        xwarn(text: Text) [ANY] "write a line of the log at level warning";
        xerr(text: Text) [ANY] "write a line of the log at level error";
        xcrit(text: Text) [ANY] "write a line of the log at level critical";
        xalert(text: Text) [ANY] "write a line of the log at level alert";
        xbug(text: Text) [ANY] "write a line of the log at level bug";
    }
    ["pv"] {
        pv_isset(variable: Variable) [ANY] "whether a variable has a value";
        pv_unset(variable: Out) [ANY] "take a variable's value away";
        is_int(variable: Variable) [ANY] "whether a variable holds a number";
        typeof(variable: Variable, kind: Plain) [ANY] "whether a variable is int, str, null or array";
        not_empty(variable: Variable) [ANY] "whether a variable holds a text that is not empty";
        xavp_copy(from: Plain, index: Int, to: Plain; to_index: Int) [ANY] "copy an XAVP";
        xavp_params_explode(parameters: Text, xavp: Text) [ANY] "a=1;b=2 as the fields of an XAVP";
        xavp_params_implode(xavp: Text, variable: Out) [ANY] "the fields of an XAVP as a=1;b=2";
        xavp_rm(name: Text) [ANY] "remove an XAVP";
        xavp_child_seti(name: Text, field: Text, number: Int) [ANY] "set a field of an XAVP to a number";
        xavp_child_sets(name: Text, field: Text, text: Text) [ANY] "set a field of an XAVP to a text";
        xavp_child_rm(name: Text, field: Text) [ANY] "remove a field of an XAVP";
        pv_xavp_print() [ANY] "write all XAVPs to the log";
    }
    ["kex"] {
        setsflag(flag: Flag) [ANY] "set a flag of the script";
        issflagset(flag: Flag) [ANY] "whether a flag of the script is set";
        resetsflag(flag: Flag) [ANY] "clear a flag of the script";
        setbflag(flag: Flag; branch: Int) [ANY] "set a flag of a branch";
        isbflagset(flag: Flag; branch: Int) [ANY] "whether a flag of a branch is set";
        resetbflag(flag: Flag; branch: Int) [ANY] "clear a flag of a branch";
        setdsturi(uri: Text) [ANY] "the next hop: $du";
        resetdsturi() [ANY] "no next hop but the R-URI's";
        isdsturiset() [ANY] "whether there is a next hop: $du";
        pv_printf(variable: Out, text: Text) [ANY] "set a variable to a text with variables";
        is_myself(uri: Text) [ANY] "whether a URI is one of our own addresses";
    }
    ["corex", "kex"] {
        append_branch(; uri: Text, q: Text) [REQUEST FAILURE] "one more branch: a URI, or the R-URI";
    }
    ["corex"] {
        setxflag(flag: Flag) [ANY] "set one of the further flags of the transaction";
        isxflagset(flag: Flag) [ANY] "whether one of the further flags is set";
        resetxflag(flag: Flag) [ANY] "clear one of the further flags";
        set_send_socket(socket: Text) [ANY] "send from this socket";
        set_send_socket_name(name: Text) [ANY] "send from the socket of this name";
        is_socket_name(name: Text) [ANY] "whether the message came in at the socket of this name";
        is_faked_msg() [ANY] "whether the message is one of our own, as in event routes";
    }
    ["acc"] {
        acc_log_request(comment: Text) [ANY] "write an accounting line for this request";
    }
};
