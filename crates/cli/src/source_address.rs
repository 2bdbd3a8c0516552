//! Where a call comes from: the peer, or, behind proxies that the operator trusts, the address that
//! the outermost of them was called from.

use ipnet::IpNet;
use std::net::IpAddr;

/// The header that proxies append their peer to, nearest last.
pub(crate) const FORWARDED_FOR: &str = "x-forwarded-for";

/// The networks of the proxies in front of this service.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// These networks; without any, no header is ever looked at.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address that a call comes from, as far as it can be vouched for. `forwarded` are the
    /// values of [`FORWARDED_FOR`], in the order of the message.
    ///
    /// Read from the end: each trusted proxy vouches for the entry that it has appended. The first
    /// that is not a trusted proxy's is the caller's; what stands before it anybody could have sent.
    pub fn source(&self, peer: IpAddr, forwarded: &[&str]) -> Option<IpAddr> {
        let mut source = peer.to_canonical();
        let entries: Vec<_> = forwarded.iter().flat_map(|value| value.split(',')).map(str::trim).collect();
        let mut entries = entries.into_iter().rev();
        while self.contains(source) {
            // A proxy that does not say whom it speaks for, or not so that it can be read.
            source = entries.next()?.parse::<IpAddr>().ok()?.to_canonical();
        }
        Some(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(trusted: &[&str], peer: &str, forwarded: &[&str]) -> Option<String> {
        let networks = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let source = TrustedProxies::new(networks).source(peer.parse().unwrap(), forwarded);
        source.map(|address| address.to_string())
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
    fn what_a_caller_has_sent_is_not_believed() {
        let proxies = ["10.0.0.0/8"];
        let forged = "192.0.2.1, 203.0.113.9";
        assert_eq!(source(&proxies, "10.0.0.2", &[forged]).as_deref(), Some("203.0.113.9"));
        assert_eq!(
            source(&proxies, "10.0.0.2", &["192.0.2.1", "203.0.113.9, 10.0.0.7"]).as_deref(),
            Some("203.0.113.9")
        );
        for unreadable in
            [&[][..], &[""], &["unknown"], &["10.0.0.7"], &["203.0.113.9:443"], &["203.0.113.9,"]]
        {
            assert_eq!(source(&proxies, "10.0.0.2", unreadable), None, "{unreadable:?}");
        }
    }
}
