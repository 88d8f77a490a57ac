//! Own addresses on the command line: single ones, ranges and nets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most addresses that one item of the list may stand for.
pub const MOST_ADDRESSES: u128 = 4_096;

/// What one item of a list stands for: at least one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(pub Vec<IpAddr>);

/// An address, a range FIRST-LAST, or a net ADDRESS/LENGTH without the addresses that no host can have.
///
/// # Errors
/// What is wrong, for the user.
pub fn parse_addresses(text: &str) -> Result<Addresses, String> {
    if let Some((first, last)) = text.split_once('-') {
        return range(address(first)?, address(last)?).map(Addresses);
    }
    if let Some((net, length)) = text.split_once('/') {
        return hosts(address(net)?, length).map(Addresses);
    }
    address(text).map(|one| Addresses(vec![one]))
}

fn address(text: &str) -> Result<IpAddr, String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let ip: IpAddr = bare
        .parse()
        .map_err(|_| format!("`{text}` is not an IP address"))?;
    if ip.is_unspecified() || ip.is_multicast() {
        return Err(format!(
            "{ip}: peers must be told a real address of one host"
        ));
    }
    Ok(ip)
}

fn number_of(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

/// The address with this number, of the family of `like`.
fn numbered(number: u128, like: IpAddr) -> IpAddr {
    match like {
        // What comes from the numbers of such addresses fits.
        IpAddr::V4(_) => Ipv4Addr::from(number as u32).into(),
        IpAddr::V6(_) => Ipv6Addr::from(number).into(),
    }
}

fn range(first: IpAddr, last: IpAddr) -> Result<Vec<IpAddr>, String> {
    if first.is_ipv4() != last.is_ipv4() {
        return Err("the range begins and ends in different families".to_owned());
    }
    let (from, to) = (number_of(first), number_of(last));
    if to < from {
        return Err(format!("{last} lies before {first}"));
    }
    if to - from >= MOST_ADDRESSES {
        return Err(format!("stands for more than {MOST_ADDRESSES} addresses"));
    }
    Ok((from..=to).map(|number| numbered(number, first)).collect())
}

/// The addresses of a net that hosts can have: of IPv4 not the first and the last, which mean the net and
/// all of its hosts (RFC 1122 section 3.2.1.3), of IPv6 not the first, which means any router (RFC 4291
/// section 2.6.1). In the smallest nets every address is a host's (RFC 3021, RFC 6164).
fn hosts(net: IpAddr, length: &str) -> Result<Vec<IpAddr>, String> {
    let bits = if net.is_ipv4() { 32 } else { 128 };
    let length = length
        .parse::<u32>()
        .ok()
        .filter(|length| *length <= bits)
        .ok_or_else(|| format!("`{length}` is not a length from 0 to {bits}"))?;
    let free = bits - length;
    if free >= u128::BITS || 1_u128 << free > MOST_ADDRESSES {
        return Err(format!("stands for more than {MOST_ADDRESSES} addresses"));
    }
    let (first, last) = (number_of(net), (1_u128 << free) - 1);
    if first & last != 0 {
        let begin = numbered(first & !last, net);
        return Err(format!("the net of this length begins at {begin}"));
    }
    let last = first + last;
    let hosts = match (free, net) {
        (0 | 1, _) => first..=last,
        (_, IpAddr::V4(_)) => first + 1..=last - 1,
        (_, IpAddr::V6(_)) => first + 1..=last,
    };
    Ok(hosts.map(|number| numbered(number, net)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<String> {
        let Addresses(list) = parse_addresses(text).unwrap();
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn addresses_ranges_and_nets_are_lists() {
        for (text, list) in [
            ("127.0.0.1", &["127.0.0.1"][..]),
            ("[::1]", &["::1"]),
            (
                "10.0.0.254-10.0.1.1",
                &["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"],
            ),
            ("fd00::e-fd00::f", &["fd00::e", "fd00::f"]),
            ("127.0.0.8/30", &["127.0.0.9", "127.0.0.10"]),
            ("127.0.0.8/31", &["127.0.0.8", "127.0.0.9"]),
            ("127.0.0.8/32", &["127.0.0.8"]),
            ("fd00::8/126", &["fd00::9", "fd00::a", "fd00::b"]),
            ("fd00::8/127", &["fd00::8", "fd00::9"]),
        ] {
            assert_eq!(parsed(text), list, "{text}");
        }
        assert_eq!(parsed("127.0.0.0/20").len(), 4_094);
    }

    #[test]
    fn what_is_no_list_of_addresses_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "`` is not an IP address"),
            ("127.0.0.300", "`127.0.0.300` is not"),
            ("127.0.0.1-", "`` is not"),
            ("127.0.0.1-7", "`7` is not"),
            ("127.0.0.1-::1", "different families"),
            ("127.0.0.9-127.0.0.1", "127.0.0.1 lies before 127.0.0.9"),
            ("127.0.0.0-127.0.16.0", "more than 4096"),
            ("127.0.0.0/19", "more than 4096"),
            ("::/0", "a real address"),
            ("fd00::/1", "more than 4096"),
            ("127.0.0.1/33", "from 0 to 32"),
            ("fd00::/x", "from 0 to 128"),
            ("127.0.0.5/28", "begins at 127.0.0.0"),
            ("0.0.0.0", "a real address"),
            ("224.0.0.1", "a real address"),
        ] {
            let error = parse_addresses(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
