//! Where a call comes from: the peer, or, behind proxies that the operator trusts, the address that
//! the outermost of them was called from.

use countersign_core::source_address::SourceAddress;
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv6Addr, SocketAddrV4};
use std::str::FromStr;

/// The header that proxies append their peer to, nearest last.
pub(crate) const FORWARDED_FOR: &str = "x-forwarded-for";

/// The length of the prefix of IPv4 addresses in the form of IPv6, `::ffff:0:0/96` (RFC 4291 section 2.5.5.2).
const MAPPED_PREFIX: u8 = 96;

/// A network of proxies, or one address: `10.0.0.0/8`, `10.0.0.7`, `2001:db8:20::/64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyNetwork(IpNet);

/// The text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a network such as 10.0.0.0/8, or an IP address")]
pub struct InvalidNetwork;

impl FromStr for ProxyNetwork {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let text = text.trim();
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| address()).map(Self::from).map_err(|_| InvalidNetwork)
    }
}

impl From<IpNet> for ProxyNetwork {
    /// Addresses are compared in their canonical form, which is never IPv4 in the form of IPv6.
    fn from(network: IpNet) -> Self {
        let mapped = |length: u8| match network.network().to_canonical() {
            IpAddr::V4(address) => Ipv4Net::new(address, length).ok().map(IpNet::V4),
            IpAddr::V6(_) => None,
        };
        let length = network.prefix_len().checked_sub(MAPPED_PREFIX).filter(|_| network.addr().is_ipv6());
        Self(length.and_then(mapped).unwrap_or(network))
    }
}

/// The networks of the proxies in front of this service.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<ProxyNetwork>);

impl TrustedProxies {
    /// These networks; without any, no header is ever looked at.
    pub fn new(networks: Vec<ProxyNetwork>) -> Self {
        Self(networks)
    }

    /// Whether an address is one of theirs.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.0.contains(&address))
    }

    /// The address that a call comes from, as far as it can be vouched for. `forwarded` are the
    /// values of [`FORWARDED_FOR`], in the order of the message.
    ///
    /// Read from the end: each trusted proxy vouches for the entry that it has appended. The first
    /// that is not a trusted proxy's is the caller's; what stands before it anybody could have sent.
    ///
    /// Unknown if a trusted proxy does not give it, or not in a form that can be read.
    pub fn source(&self, peer: IpAddr, forwarded: &[&str]) -> SourceAddress {
        self.read(peer, forwarded).map_or(SourceAddress::Unknown, SourceAddress::from)
    }

    fn read(&self, peer: IpAddr, forwarded: &[&str]) -> Option<IpAddr> {
        let mut source = peer.to_canonical();
        let entries: Vec<_> = forwarded.iter().flat_map(|value| value.split(',')).map(str::trim).collect();
        // Empty elements of a list count for nothing: RFC 9110, 5.6.1.
        let mut entries = entries.into_iter().filter(|entry| !entry.is_empty()).rev();
        while self.contains(source) {
            source = read_entry(entries.next()?)?;
        }
        Some(source)
    }
}

/// The address of an entry, in any of the forms in which proxies write it: alone, in quotes, in brackets,
/// with a port, with a zone.
fn read_entry(entry: &str) -> Option<IpAddr> {
    let entry = match entry.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?.trim(),
        None => entry,
    };
    let address = if let Some(bracketed) = entry.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        if !port.is_empty() {
            port.strip_prefix(':')?.parse::<u16>().ok()?;
        }
        address
    } else if let Ok(with_port) = entry.parse::<SocketAddrV4>() {
        return Some(IpAddr::V4(*with_port.ip()));
    } else if may_end_in_a_port(entry) {
        return None;
    } else {
        entry
    };
    let (address, zone) = address.split_once('%').unwrap_or((address, ""));
    let address = address.parse::<IpAddr>().ok()?;
    // Only an address of IPv6 has a zone.
    (zone.is_empty() || address.is_ipv6()).then(|| address.to_canonical())
}

/// Whether an address of IPv6 without brackets may have a port behind it: `2001:db8::9:443` is an address as
/// a whole, and may also be meant as `2001:db8::9` with a port. Taken for the wrong one of the two, it would
/// evade a deny list. An address with all eight groups, or with nothing behind `::`, has no port.
fn may_end_in_a_port(entry: &str) -> bool {
    let entry = entry.split('%').next().unwrap_or(entry);
    let Some((address, last)) = entry.rsplit_once(':') else { return false };
    // What is left has to be an address by itself, and the end a number that a proxy calls from.
    let is_port = !last.starts_with('0') && last.bytes().all(|byte| byte.is_ascii_digit());
    is_port && last.len() >= 3 && address.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(trusted: &[&str], peer: &str, forwarded: &[&str]) -> Option<String> {
        let networks = trusted.iter().map(|network| network.parse().unwrap()).collect();
        match TrustedProxies::new(networks).source(peer.parse().unwrap(), forwarded) {
            SourceAddress::Known(address) => Some(address.to_string()),
            SourceAddress::Unknown => None,
        }
    }

    #[test]
    fn a_header_counts_only_from_a_trusted_proxy() {
        let none: [&str; 0] = [];
        assert_eq!(source(&none, "203.0.113.9", &["10.0.0.1"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(source(&["10.0.0.0/8"], "203.0.113.9", &["10.0.0.1"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(source(&["10.0.0.0/8"], "10.1.2.3", &["203.0.113.9"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(
            source(&["127.0.0.1/32"], "::ffff:127.0.0.1", &["2001:db8::1"]).as_deref(),
            Some("2001:db8::1")
        );
    }

    #[test]
    fn a_network_of_proxies_may_be_one_address_and_may_be_written_as_ipv6() {
        for network in ["10.0.0.2", " 10.0.0.2", "10.0.0.2/8", "::ffff:10.0.0.0/104", "::ffff:10.0.0.2"] {
            let found = source(&[network], "10.0.0.2", &["203.0.113.9"]);
            assert_eq!(found.as_deref(), Some("203.0.113.9"), "{network}");
        }
        for text in ["", "10.0.0", "10.0.0.0/33", "proxy.example.com", "10.0.0.2:443", "[::1]"] {
            assert_eq!(text.parse::<ProxyNetwork>(), Err(InvalidNetwork), "{text}");
        }
    }

    #[test]
    fn what_a_caller_has_sent_is_not_believed() {
        let proxies = ["10.0.0.0/8"];
        let forged = "192.0.2.1, 203.0.113.9";
        assert_eq!(source(&proxies, "10.0.0.2", &[forged]).as_deref(), Some("203.0.113.9"));
        assert_eq!(
            source(&proxies, "10.0.0.2", &["192.0.2.1", "203.0.113.9, 10.0.0.7"]).as_deref(),
            Some("203.0.113.9")
        );
    }

    /// THREATS 54: however a proxy writes the address, it is the address.
    #[test]
    fn threat_54_every_spelling_of_an_address_is_read() {
        for (spelling, address) in [
            ("203.0.113.9", "203.0.113.9"),
            ("203.0.113.9:443", "203.0.113.9"),
            ("\"203.0.113.9\"", "203.0.113.9"),
            ("\"203.0.113.9:65535\"", "203.0.113.9"),
            ("[203.0.113.9]", "203.0.113.9"),
            ("203.0.113.9,", "203.0.113.9"),
            ("203.0.113.9, ,\t", "203.0.113.9"),
            ("2001:DB8::9", "2001:db8::9"),
            ("[2001:db8::9]", "2001:db8::9"),
            ("[2001:db8::9]:443", "2001:db8::9"),
            ("\"[2001:db8::9]:443\"", "2001:db8::9"),
            ("\"2001:db8::9\"", "2001:db8::9"),
            ("2001:db8::9", "2001:db8::9"),
            ("2001:db8::443", "2001:db8::443"),
            ("2001:db8::9:1", "2001:db8::9:1"),
            ("2001:db8::a:c0de", "2001:db8::a:c0de"),
            ("2001:db8:0:0:0:0:9:443", "2001:db8::9:443"),
            ("[2001:db8::9:443]", "2001:db8::9:443"),
            ("fe80::9%eth0", "fe80::9"),
            ("[fe80::9%25eth0]:443", "fe80::9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:443", "203.0.113.9"),
        ] {
            assert_eq!(
                source(&["10.0.0.0/8"], "10.0.0.2", &[spelling]).as_deref(),
                Some(address),
                "{spelling}"
            );
        }
    }

    /// THREATS 54: and what is none is none, never what stands before it.
    #[test]
    fn threat_54_what_is_no_address_is_none() {
        for unreadable in [
            "",
            ",",
            "unknown",
            "_hidden",
            "10.0.0.7",
            "203.0.113.9:",
            "203.0.113.9:65536",
            "203.0.113.9:x",
            "203.0.113",
            "203.0.113.09",
            "203.0.113.9%eth0",
            "[2001:db8::9",
            "2001:db8::9]:443",
            "[2001:db8::9]443",
            "[]",
            "\"203.0.113.9",
            "\"\"",
            "for=203.0.113.9",
            "\u{fffd}",
            "localhost",
            "2001:db8::9:443",
            "2001:db8::9:65535",
            "\"2001:db8::9:443\"",
            "2001:db8::9:443%eth0",
            "2001:db8:0:0:0:0:0:9:443",
            "::ffff:203.0.113.9:443",
        ] {
            assert_eq!(source(&["10.0.0.0/8"], "10.0.0.2", &[unreadable]), None, "{unreadable:?}");
            let before = format!("198.51.100.1, {unreadable}");
            if !unreadable.trim_matches(',').is_empty() && unreadable != "10.0.0.7" {
                assert_eq!(source(&["10.0.0.0/8"], "10.0.0.2", &[&before]), None, "{before:?}");
            }
        }
        assert_eq!(source(&["10.0.0.0/8"], "10.0.0.2", &[]), None);
    }
}
