//! Pseudo-variables and transformations.

/// A pseudo-variable.
#[derive(Debug)]
pub struct VariableRow {
    /// Its name.
    pub name: &'static str,
    /// What stands in its parentheses.
    pub inner: InnerKind,
    /// Whether it can be set.
    pub is_writable: bool,
    /// What it is, in one line.
    pub help: &'static str,
}

/// What stands in the parentheses of a pseudo-variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InnerKind {
    /// There are none.
    None,
    /// A name, or a pseudo-variable that holds it.
    Name,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// `name=>field`
    Fields,
    /// A text with pseudo-variables.
    Format,
    /// Another pseudo-variable, of another message.
    Variable,
}

/// A transformation: `{class.name,...}`.
#[derive(Debug)]
pub struct Transformer {
    /// `s`
    pub class: &'static str,
    /// `substr`
    pub name: &'static str,
    /// How many arguments it takes: least and most.
    pub arguments: (usize, usize),
    /// What it makes, in one line.
    pub help: &'static str,
}

/// The row of a name.
pub fn variable(name: &str) -> Option<&'static VariableRow> {
    VARIABLES.iter().find(|row| row.name == name)
}

/// The row of a class and a name.
pub fn transformer(class: &str, name: &str) -> Option<&'static Transformer> {
    TRANSFORMATIONS
        .iter()
        .find(|row| row.class == class && row.name == name)
}

const fn get(name: &'static str, help: &'static str) -> VariableRow {
    with(name, InnerKind::None, false, help)
}

const fn set(name: &'static str, help: &'static str) -> VariableRow {
    with(name, InnerKind::None, true, help)
}

const fn with(
    name: &'static str,
    inner: InnerKind,
    is_writable: bool,
    help: &'static str,
) -> VariableRow {
    VariableRow {
        name,
        inner,
        is_writable,
        help,
    }
}

const DSV: &[&str] = &["code", "reason", "flags", "uri", "setid", "group"];
const DSG: &[&str] = &["count", "active", "inactive", "pactive", "pinactive"];
const TIMES: &[&str] = &["s", "u", "sn", "un"];
const DATES: &[&str] = &["sec", "min", "hour", "mday", "mon", "year", "wday", "yday"];

/// The rows.
#[rustfmt::skip]
pub const VARIABLES: &[VariableRow] = &[
    set("ru", "the R-URI"),
    set("rU", "the user of the R-URI"),
    set("rd", "the host of the R-URI"),
    set("rp", "the port of the R-URI"),
    get("rP", "the transport of the R-URI"),
    get("rz", "the scheme of the R-URI"),
    get("rm", "the method; of a reply, its CSeq's"),
    get("rv", "the SIP version"),
    get("rr", "the reason of a reply"),
    get("rs", "the code of a reply"),
    get("rc", "what the last function returned"),
    get("retcode", "what the last function returned"),
    get("?", "what the last function returned"),
    get("ou", "the R-URI as it was received"),
    get("oU", "its user"),
    get("od", "its host"),
    get("op", "its port"),
    get("oP", "its transport"),
    set("du", "the next hop"),
    get("dd", "its host"),
    get("dp", "its port"),
    get("dP", "its transport"),
    get("ds", "the URIs of all branches"),
    set("fu", "the From URI"),
    set("fU", "its user"),
    set("fd", "its host"),
    set("fn", "the display name of the From"),
    get("ft", "the From tag"),
    get("fti", "the From tag as it was received"),
    set("tu", "the To URI"),
    set("tU", "its user"),
    set("td", "its host"),
    set("tn", "the display name of the To"),
    get("tt", "the To tag"),
    get("tti", "the To tag as it was received"),
    get("ci", "the Call-ID"),
    get("cs", "the number of the CSeq"),
    get("csb", "the body of the CSeq"),
    get("ct", "the body of the Contact"),
    get("cT", "the body of the Content-Type"),
    get("cl", "the Content-Length"),
    get("ua", "the User-Agent"),
    get("re", "the body of the Remote-Party-ID"),
    get("rt", "the URI of the Refer-To"),
    get("di", "the URI of the Diversion"),
    get("dir", "the reason of the Diversion"),
    get("ai", "the URI of the P-Asserted-Identity"),
    get("pu", "the URI of the P-Preferred-Identity"),
    get("pd", "its host"),
    get("pU", "its user"),
    get("si", "the address that the message came from"),
    get("sp", "the port that it came from"),
    get("siz", "the address that it came from, IPv6 in brackets"),
    get("sas", "the socket that it came from: udp:address:port"),
    get("su", "the URI that it came from"),
    get("sut", "the URI that it came from, with its transport"),
    get("proto", "the transport that it came by"),
    get("pr", "the transport that it came by"),
    get("prid", "the number of the transport"),
    get("Ri", "the address that received it"),
    get("Rp", "the port that received it"),
    get("Rut", "the URI of the socket that received it"),
    get("Ru", "the URI of the socket that received it"),
    get("RAi", "the advertised address of the socket that received it"),
    get("RAp", "the advertised port"),
    get("RAu", "the advertised URI"),
    get("Rn", "the name of the socket that received it"),
    set("fs", "the socket that is sent from"),
    set("fsn", "the name of the socket that is sent from"),
    get("mb", "the whole message"),
    get("ml", "the length of the message"),
    set("mf", "the flags of the transaction"),
    set("mF", "the flags of the transaction, as hex"),
    get("mi", "the number of the message"),
    get("mt", "1 for a request, 2 for a reply"),
    get("mts", "request or reply"),
    get("rb", "the body"),
    get("bs", "the size of the body"),
    set("bf", "the flags of the branch"),
    set("bF", "the flags of the branch, as hex"),
    set("sf", "the flags of the script"),
    set("sF", "the flags of the script, as hex"),
    get("au", "the user of the digest, with its realm"),
    get("aU", "the user of the digest"),
    get("ar", "the realm of the digest"),
    get("ad", "the host of the digest's user"),
    get("adu", "the URI of the digest"),
    get("aa", "the algorithm of the digest"),
    get("null", "no value"),
    get("pp", "the number of the process"),
    get("Ts", "seconds since 1970"),
    get("TS", "seconds since 1970, now and not at the message's begin"),
    get("Tf", "the time as text"),
    get("TF", "the time as text, now"),
    get("Tb", "when sipshard started, in seconds since 1970"),
    with("branch", InnerKind::OneOf(&["uri", "dst_uri", "path", "q", "send_socket", "count", "flags"]), true, "a field of a further branch"),
    with("hdr", InnerKind::Name, false, "the body of a header"),
    with("hdrc", InnerKind::Name, false, "how many headers of a name there are"),
    with("hfl", InnerKind::Name, false, "the body of a header, of a list of values too"),
    with("hflc", InnerKind::Name, false, "how many values a header has"),
    with("avp", InnerKind::Name, true, "a value that lives with the transaction"),
    with("xavp", InnerKind::Fields, true, "fields that live with the transaction"),
    with("xavu", InnerKind::Fields, true, "fields that live with the transaction, one of a name"),
    with("xavi", InnerKind::Fields, true, "fields that live with the transaction, case ignored"),
    with("var", InnerKind::Name, true, "a value that lives with the worker"),
    with("vn", InnerKind::Name, true, "a value that lives with the worker, $null at first"),
    with("vz", InnerKind::Name, true, "a value that lives with the worker, 0 at first"),
    with("shv", InnerKind::Name, true, "a value that all workers share"),
    with("dsv", InnerKind::OneOf(DSV), false, "what the dispatcher says in its event routes"),
    with("dsg", InnerKind::OneOf(DSG), false, "figures of the set of ds_dsg_fetch()"),
    with("TV", InnerKind::OneOf(TIMES), false, "the time in seconds or microseconds"),
    with("time", InnerKind::OneOf(DATES), false, "a part of the local time"),
    with("utime", InnerKind::OneOf(DATES), false, "a part of the time in UTC"),
    with("_s", InnerKind::Format, false, "a text with pseudo-variables"),
    with("def", InnerKind::Name, false, "the value of a #!define"),
    with("defn", InnerKind::Name, false, "the value of a #!define, as a number"),
    with("cnt", InnerKind::Variable, false, "how many values a variable has"),
    with("af", InnerKind::OneOf(&["id", "name"]), false, "IPv4 or IPv6"),
    with("version", InnerKind::OneOf(&["num", "full", "hash"]), false, "the version"),
    with("T_req", InnerKind::Variable, false, "a variable of the transaction's request, in a reply or failure route"),
    with("T_rpl", InnerKind::Variable, false, "a variable of the winning reply, in a failure route"),
    with("T_inv", InnerKind::Variable, false, "a variable of the INVITE, in its CANCEL"),
    get("T_reply_code", "the code of the transaction's answer"),
    get("T_reply_reason", "the reason of the transaction's answer"),
    get("T_reply_last", "the code of the last answer"),
    get("T_reply_ruid", "the id of the branch that answered"),
    get("T_branch_idx", "the number of the branch"),
    with("T", InnerKind::OneOf(&["id_index", "id_label", "id_label_n", "id_index_n", "reply_code", "reply_reason", "branch_index", "reply_type", "ruid"]), false, "a field of the transaction"),
    with("rdir", InnerKind::OneOf(&["id", "name"]), false, "whether a request goes downstream or upstream"),
    get("route_uri", "the URI of the first Route"),
];

const fn change(
    class: &'static str,
    name: &'static str,
    arguments: (usize, usize),
    help: &'static str,
) -> Transformer {
    Transformer {
        class,
        name,
        arguments,
        help,
    }
}

/// The rows.
#[rustfmt::skip]
pub const TRANSFORMATIONS: &[Transformer] = &[
    change("s", "len", (0, 0), "its length"),
    change("s", "int", (0, 0), "as a number"),
    change("s", "numeric", (0, 0), "its digits"),
    change("s", "substr", (2, 2), "from a place, so many characters; 0: all that follow"),
    change("s", "select", (2, 2), "the n-th part, and the separator: {s.select,1,.}"),
    change("s", "tolower", (0, 0), "in lower case"),
    change("s", "toupper", (0, 0), "in upper case"),
    change("s", "strip", (1, 1), "without so many characters at its begin"),
    change("s", "striptail", (1, 1), "without so many characters at its end"),
    change("s", "prefixes", (0, 1), "its prefixes, with commas"),
    change("s", "replace", (2, 2), "with one text replaced by another"),
    change("s", "ftime", (1, 1), "a time in a form"),
    change("s", "trim", (0, 0), "without blanks around"),
    change("s", "ltrim", (0, 0), "without blanks at its begin"),
    change("s", "rtrim", (0, 0), "without blanks at its end"),
    change("s", "rm", (1, 1), "without a text"),
    change("s", "rmws", (0, 0), "without blanks"),
    change("s", "corehash", (0, 1), "its hash, in so many slots"),
    change("s", "escape.common", (0, 0), "quotes and backslashes escaped"),
    change("s", "unescape.common", (0, 0), "their escapes undone"),
    change("s", "escape.user", (0, 0), "as the user of a URI"),
    change("s", "unescape.user", (0, 0), "its escapes undone"),
    change("s", "escape.param", (0, 0), "as a parameter of a URI"),
    change("s", "unescape.param", (0, 0), "its escapes undone"),
    change("s", "urlencode.param", (0, 0), "as a parameter of a URL"),
    change("s", "urldecode.param", (0, 0), "its escapes undone"),
    change("s", "encode.hexa", (0, 0), "as hex"),
    change("s", "decode.hexa", (0, 0), "out of hex"),
    change("s", "encode.base64", (0, 0), "as base64"),
    change("s", "decode.base64", (0, 0), "out of base64"),
    change("s", "after", (1, 1), "what follows a character"),
    change("s", "before", (1, 1), "what stands before a character"),
    change("s", "unquote", (0, 0), "without quotes around"),
    change("s", "unbracket", (0, 0), "without brackets around"),
    change("s", "count", (1, 1), "how often a character is in it"),
    change("uri", "user", (0, 0), "the user"),
    change("uri", "host", (0, 0), "the host"),
    change("uri", "domain", (0, 0), "the host"),
    change("uri", "port", (0, 0), "the port"),
    change("uri", "passwd", (0, 0), "the password"),
    change("uri", "params", (0, 0), "the parameters"),
    change("uri", "param", (1, 1), "a parameter"),
    change("uri", "headers", (0, 0), "the headers"),
    change("uri", "transport", (0, 0), "the transport"),
    change("uri", "ttl", (0, 0), "the ttl parameter"),
    change("uri", "uparam", (0, 0), "the user parameter"),
    change("uri", "maddr", (0, 0), "the maddr parameter"),
    change("uri", "method", (0, 0), "the method parameter"),
    change("uri", "lr", (0, 0), "the lr parameter"),
    change("uri", "r2", (0, 0), "the r2 parameter"),
    change("uri", "scheme", (0, 0), "the scheme"),
    change("uri", "tosocket", (0, 0), "as a socket: udp:host:port"),
    change("uri", "duri", (0, 0), "scheme, host, port and transport"),
    change("uri", "saor", (0, 0), "scheme, user and host"),
    change("param", "value", (1, 2), "the value of a parameter"),
    change("param", "in", (1, 2), "1 if there is a parameter"),
    change("param", "valueat", (1, 2), "the value of the n-th parameter"),
    change("param", "name", (1, 2), "the name of the n-th parameter"),
    change("param", "count", (0, 1), "how many parameters there are"),
    change("nameaddr", "name", (0, 0), "the display name"),
    change("nameaddr", "uri", (0, 0), "the URI"),
    change("nameaddr", "len", (0, 0), "its length"),
    change("tobody", "uri", (0, 0), "the URI"),
    change("tobody", "display", (0, 0), "the display name"),
    change("tobody", "tag", (0, 0), "the tag"),
    change("tobody", "user", (0, 0), "the user"),
    change("tobody", "host", (0, 0), "the host"),
    change("tobody", "params", (0, 0), "the parameters"),
    change("line", "count", (0, 0), "how many lines there are"),
    change("line", "at", (1, 1), "the n-th line"),
    change("line", "sw", (1, 1), "the first line that begins with a text"),
    change("val", "n0", (0, 0), "0 for $null"),
    change("val", "ne", (0, 0), "an empty text for $null"),
    change("val", "json", (0, 0), "as a JSON string"),
    change("re", "subst", (1, 9), "with matches replaced: /expression/text/flags"),
];
