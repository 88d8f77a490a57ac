//! Functions that look into messages and change them.

use super::{Function, function_rows};

/// The rows.
pub(super) const ROWS: &[Function] = function_rows! {
    ["textops"] {
        is_method(methods: Methods) [ANY] "whether the request's method, or the one in a reply's CSeq, is one of these";
        search(expression: Regex) [ANY] "whether anything in the message matches";
        search_body(expression: Regex) [ANY] "whether anything in the body matches";
        search_hf(header: Text, expression: Regex, flags: Plain) [ANY] "whether a header's value matches";
        replace(expression: Regex, text: Plain) [ANY] "replace the first match in the message";
        replace_all(expression: Regex, text: Plain) [ANY] "replace all matches in the message";
        replace_body(expression: Regex, text: Plain) [ANY] "replace the first match in the body";
        replace_body_all(expression: Regex, text: Plain) [ANY] "replace all matches in the body";
        subst(expression: Substitution) [ANY] "replace in the message: /expression/text/flags";
        subst_uri(expression: Substitution) [ANY] "replace in the R-URI: /expression/text/flags";
        subst_user(expression: Substitution) [ANY] "replace in the R-URI's user: /expression/text/flags";
        subst_body(expression: Substitution) [ANY] "replace in the body: /expression/text/flags";
        subst_hf(header: Plain, expression: Substitution, flags: Plain) [ANY] "replace in a header: /expression/text/flags";
        append_hf(line: Text; header: Plain) [ANY] "add a header line at the end, or behind a header";
        insert_hf(line: Text; header: Plain) [ANY] "add a header line at the begin, or before a header";
        append_to_reply(line: Text) [REQUEST BRANCH FAILURE] "add a header line to the answers that we make";
        append_urihf(before: Plain, after: Plain) [REQUEST BRANCH FAILURE] "add a header line with the first R-URI";
        is_present_hf(header: Header) [ANY] "whether there is such a header";
        remove_hf(header: Header) [ANY] "remove all headers of a name";
        remove_hf_re(expression: Regex) [ANY] "remove all headers whose names match";
        remove_hf_pv(header: Text) [ANY] "remove all headers of a name";
        remove_hf_idx(header: Text, index: Int) [ANY] "remove the n-th header of a name";
        has_body(; content_type: Plain) [ANY] "whether there is a body, of a type";
        set_body(text: Text, content_type: Text) [ANY] "replace the body";
        set_reply_body(text: Text, content_type: Text) [REQUEST FAILURE BRANCH] "the body of the answers that we make";
        is_privacy(kind: Plain) [ANY] "whether the Privacy header asks for this";
        in_list(subject: Text, list: Text, separator: Plain) [ANY] "whether a text is an item of a list";
        in_list_prefix(subject: Text, list: Text, separator: Plain) [ANY] "whether an item of a list begins a text";
        cmp_str(first: Text, second: Text) [ANY] "whether two texts are the same";
        cmp_istr(first: Text, second: Text) [ANY] "whether two texts are the same but for case";
        starts_with(text: Text, begin: Text) [ANY] "whether a text begins with another";
        ends_with(text: Text, end: Text) [ANY] "whether a text ends with another";
        str_find(text: Text, part: Text) [ANY] "whether a text holds another";
        str_ifind(text: Text, part: Text) [ANY] "whether a text holds another, but for case";
    }
    ["textopsx"] {
        change_reply_status(code: Int, reason: Text) [REPLY] "the code and reason of the reply";
        change_reply_status_code(code: Int) [REPLY] "the code of the reply";
        remove_body() [ANY] "remove the body";
        keep_hf(; expression: Regex) [ANY] "remove all headers but those whose names match";
        fnmatch(text: Text, pattern: Text; flags: Text) [ANY] "whether a text matches a shell pattern";
        include_hf_value(header: Plain, value: Text) [ANY] "add a value to a header if it is not there";
        exclude_hf_value(header: Plain, value: Text) [ANY] "remove a value of a header if it is there";
        hf_value_exists(header: Plain, value: Text) [ANY] "whether a header has a value";
    }
    ["siputils"] {
        has_totag() [ANY] "whether the To has a tag: a request in a dialog";
        is_request() [ANY] "whether the message is a request";
        is_reply() [ANY] "whether the message is a reply";
        is_first_hop(; mode: Int) [ANY] "whether the message came from its user agent directly";
        is_supported(option: Plain) [ANY] "whether the Supported header names an option";
        is_uri(text: Text) [ANY] "whether a text is a URI";
        is_user(user: Plain) [REQUEST] "whether the digest's user is this";
        is_numeric(text: Text) [ANY] "whether a text has digits only";
        is_alphanum(text: Text) [ANY] "whether a text has letters and digits only";
        is_alphanumex(text: Text, further: Text) [ANY] "whether a text has letters, digits and further characters only";
        is_tel_number(text: Text) [ANY] "whether a text is a telephone number";
        is_gruu(; uri: Text) [ANY] "whether a URI is a GRUU";
        uri_param(name: Plain; value: Text) [REQUEST FAILURE BRANCH] "whether the R-URI has a parameter, with a value";
        uri_param_any(name: Text) [REQUEST FAILURE BRANCH] "whether the R-URI has a parameter, with any value";
        add_uri_param(parameter: Plain) [REQUEST] "add a parameter to the R-URI";
        get_uri_param(name: Plain, variable: Out) [REQUEST] "the value of a parameter of the R-URI";
        uri_param_rm(name: Text) [REQUEST FAILURE BRANCH] "remove a parameter of the R-URI";
        set_uri_user(uri: Out, user: Text) [ANY] "replace the user of a URI in a variable";
        set_uri_host(uri: Out, host: Text) [ANY] "replace the host of a URI in a variable";
        cmp_uri(first: Text, second: Text) [ANY] "whether two URIs are the same";
        cmp_aor(first: Text, second: Text) [ANY] "whether two addresses of record are the same";
        cmp_hdr_name(first: Text, second: Text) [ANY] "whether two names are of the same header";
        hdr_date_check(seconds: Int) [ANY] "whether the Date is not older";
        options_reply() [REQUEST] "answer to an OPTIONS";
    }
};
