//! Functions that are there without any module.

use super::{Function, function_rows};

/// The rows.
pub(super) const ROWS: &[Function] = function_rows! {
    [] {
        forward(; host: Address, port: Int) [ANY] "relay statelessly, to $du, the R-URI or an address";
        forward_udp(host: Address; port: Int) [ANY] "relay statelessly, by UDP";
        setflag(flag: Flag) [ANY] "set a flag of the transaction";
        resetflag(flag: Flag) [ANY] "clear a flag of the transaction";
        isflagset(flag: Flag) [ANY] "whether a flag of the transaction is set";
        force_rport() [ANY] "answer to the port that the request came from";
        add_rport() [ANY] "answer to the port that the request came from: force_rport()";
        add_local_rport() [ANY] "ask the next hop for answers to our port";
        force_send_socket(socket: Address) [ANY] "send from this socket";
        set_advertised_address(address: Address) [ANY] "the address that our Via and Record-Route name";
        set_advertised_port(port: Int) [ANY] "the port that our Via and Record-Route name";
        rewritehost(host: Plain) [ANY] "replace the host of the R-URI";
        sethost(host: Plain) [ANY] "replace the host of the R-URI";
        rewritehostport(host_port: Plain) [ANY] "replace host and port of the R-URI";
        sethostport(host_port: Plain) [ANY] "replace host and port of the R-URI";
        rewriteport(port: Plain) [ANY] "replace the port of the R-URI";
        setport(port: Plain) [ANY] "replace the port of the R-URI";
        rewriteuser(user: Plain) [ANY] "replace the user of the R-URI";
        setuser(user: Plain) [ANY] "replace the user of the R-URI";
        rewriteuri(uri: Plain) [ANY] "replace the R-URI";
        seturi(uri: Plain) [ANY] "replace the R-URI";
        revert_uri() [ANY] "the R-URI as it was received";
        strip(count: Int) [ANY] "cut characters from the begin of the R-URI's user";
        strip_tail(count: Int) [ANY] "cut characters from the end of the R-URI's user";
        prefix(text: Plain) [ANY] "put a text before the R-URI's user";
        log(text: Plain) [ANY] "write a line of the log";
        log(level: Int, text: Plain) [ANY] "write a line of the log";
        set_reply_no_connect() [ANY] "TCP only: no new connection for a reply";
        set_forward_no_connect() [ANY] "TCP only: no new connection for a request";
        set_reply_close() [ANY] "TCP only: close the connection after the reply";
        set_forward_close() [ANY] "TCP only: close the connection after the request";
    }
};
