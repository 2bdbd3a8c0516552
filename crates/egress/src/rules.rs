//! What the operator allows beyond public addresses on port 443.

use crate::networks::{ForbiddenAddress, kind};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

/// The port of https, which is always allowed.
pub const HTTPS_PORT: u16 = 443;
/// The shortest prefix of an IPv4 network: that of 10.0.0.0/8, the largest private network.
const SHORTEST_IPV4_PREFIX: u8 = 8;
/// The shortest prefix of an IPv6 network: that of `fc00::/7`, all unique local addresses.
const SHORTEST_IPV6_PREFIX: u8 = 7;

/// Which ports and which networks of its own a deployment may send to. The default is port 443 of public addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressRules {
    allow_ports: BTreeSet<u16>,
    allow_networks: Vec<IpNet>,
}

/// Why what the operator has written is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRules {
    /// Not a port.
    #[error("`{0}` must be a port from 1 to 65535")]
    Port(String),
    /// Neither a network nor an IP address.
    #[error("`{0}` must be a network such as 10.0.0.0/8, or an IP address")]
    Network(String),
    /// An address with bits after its prefix: what is meant is not clear.
    #[error("`{0}` has bits set after its prefix; the network is {1}")]
    HostBits(String, IpNet),
    /// More than the largest internal network, so that the rules would no longer tell internal from public.
    #[error(
        "`{0}` is wider than an internal network: at most /{SHORTEST_IPV4_PREFIX} for IPv4 and /{SHORTEST_IPV6_PREFIX} for IPv6"
    )]
    TooWide(IpNet),
    /// A network that stays closed whatever the rules say.
    #[error("`{0}` cannot be opened: all of it stays forbidden")]
    NeverOpened(IpNet),
}

impl Default for EgressRules {
    fn default() -> Self {
        Self { allow_ports: BTreeSet::from([HTTPS_PORT]), allow_networks: Vec::new() }
    }
}

impl EgressRules {
    /// Rules that allow ports besides 443, and networks that are not public.
    ///
    /// # Errors
    /// The first port or network that cannot be allowed.
    pub fn new(
        ports: impl IntoIterator<Item = u16>,
        networks: impl IntoIterator<Item = IpNet>,
    ) -> Result<Self, InvalidRules> {
        let mut rules = Self::default();
        for port in ports {
            if port == 0 {
                return Err(InvalidRules::Port(port.to_string()));
            }
            rules.allow_ports.insert(port);
        }
        for network in networks {
            let shortest = match network {
                IpNet::V4(_) => SHORTEST_IPV4_PREFIX,
                IpNet::V6(_) => SHORTEST_IPV6_PREFIX,
            };
            if network.trunc() != network {
                return Err(InvalidRules::HostBits(network.to_string(), network.trunc()));
            }
            if network.prefix_len() < shortest {
                return Err(InvalidRules::TooWide(network));
            }
            // Tells the operator of a network that would have no effect; what is called is for `check_ip` to decide.
            let stays_closed = |ip| kind(ip).is_some_and(|kind| !kind.can_be_opened());
            if stays_closed(network.network()) && stays_closed(network.broadcast()) {
                return Err(InvalidRules::NeverOpened(network));
            }
            rules.allow_networks.push(network);
        }
        Ok(rules)
    }

    /// Reads ports such as `8443`, and networks such as `10.0.0.0/8` or one address.
    ///
    /// # Errors
    /// The first text that is not one, or that cannot be allowed.
    pub fn parse(
        ports: impl IntoIterator<Item = impl AsRef<str>>,
        networks: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, InvalidRules> {
        let ports: Result<Vec<u16>, _> = ports.into_iter().map(|text| port(text.as_ref())).collect();
        let networks: Result<Vec<_>, _> = networks.into_iter().map(|text| network(text.as_ref())).collect();
        Self::new(ports?, networks?)
    }

    /// Whether a call may go to this port.
    pub fn allows_port(&self, port: u16) -> bool {
        self.allow_ports.contains(&port)
    }

    /// Whether the operator has named a network with this address in it. What is never opened stays closed all the same:
    /// [`crate::check_ip`] decides.
    pub fn names(&self, ip: IpAddr) -> bool {
        self.allow_networks.iter().any(|network| network.contains(&ip))
    }

    /// Whether any network is opened that is not public.
    pub fn opens_networks(&self) -> bool {
        !self.allow_networks.is_empty()
    }

    /// Whether any address of this machine itself is opened.
    pub fn opens_loopback(&self) -> bool {
        self.allow_networks.iter().any(|network| network.network().is_loopback())
    }
}

/// Whether an address may be called: a public one, or one of an internal network that the rules open.
///
/// NAT64 under a prefix of a network's own (RFC 6052 section 2.2) looks as any other public address does: a network that
/// translates to internal IPv4 addresses must forbid that at its translator (RFC 6052 section 5).
///
/// # Errors
/// The kind of network that the address is of.
pub fn check_ip(ip: IpAddr, rules: &EgressRules) -> Result<(), ForbiddenAddress> {
    match kind(ip) {
        None => Ok(()),
        Some(kind) if kind.can_be_opened() && rules.names(ip) => Ok(()),
        Some(kind) => Err(kind),
    }
}

fn port(text: &str) -> Result<u16, InvalidRules> {
    decimal(text).ok_or_else(|| InvalidRules::Port(text.to_owned()))
}

fn network(text: &str) -> Result<IpNet, InvalidRules> {
    // The standard library refuses an octal 010.0.0.0, which ipnet takes for 10.0.0.0.
    let network = match text.split_once('/') {
        Some((ip, prefix)) => {
            ip.parse().ok().zip(decimal(prefix)).and_then(|(ip, prefix)| IpNet::new(ip, prefix).ok())
        }
        None => text.parse::<IpAddr>().ok().map(IpNet::from),
    };
    network.ok_or_else(|| InvalidRules::Network(text.to_owned()))
}

/// A decimal number without a sign.
fn decimal<N: FromStr>(text: &str) -> Option<N> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [&str; 0] = [];

    #[test]
    fn port_443_alone_is_allowed_unless_the_operator_adds_one() {
        let rules = EgressRules::default();
        assert_eq!((1..=u16::MAX).filter(|port| rules.allows_port(*port)).collect::<Vec<_>>(), [443]);
        assert!(!rules.opens_networks() && !rules.opens_loopback());
        let rules = EgressRules::parse(["8443"], NONE).unwrap();
        assert_eq!((1..=u16::MAX).filter(|port| rules.allows_port(*port)).collect::<Vec<_>>(), [443, 8443]);
    }

    #[test]
    fn a_port_is_a_decimal_number() {
        for text in ["", "0", "-1", "+80", "65536", "8443 ", "0x50", "https"] {
            assert_eq!(EgressRules::parse([text], NONE), Err(InvalidRules::Port(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_network_has_no_bits_after_its_prefix_and_is_no_wider_than_internal_ones() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "ten",
            "10.0.0.0/8 ",
            "::/129",
            "010.0.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
        ] {
            let expected = Err(InvalidRules::Network(text.to_owned()));
            assert_eq!(EgressRules::parse(NONE, [text]), expected, "{text}");
        }
        let mistake = EgressRules::parse(NONE, ["10.0.0.1/8"]).unwrap_err();
        assert_eq!(
            mistake.to_string(),
            "`10.0.0.1/8` has bits set after its prefix; the network is 10.0.0.0/8"
        );
        for text in ["0.0.0.0/0", "10.0.0.0/7", "::/0", "fc00::/6"] {
            assert_eq!(EgressRules::parse(NONE, [text]), Err(InvalidRules::TooWide(text.parse().unwrap())));
        }
    }

    #[test]
    fn a_network_that_stays_closed_is_a_mistake() {
        for text in [
            "169.254.169.254",
            "168.63.129.16/32",
            "224.0.0.0/8",
            "0.0.0.0/8",
            "::ffff:10.0.0.0/104",
            "64:ff9b::/96",
            "2002::/16",
            "fd00:ec2::254",
            "255.255.255.255",
        ] {
            let mistake = EgressRules::parse(NONE, [text]).unwrap_err();
            assert!(matches!(mistake, InvalidRules::NeverOpened(_)), "{text}: {mistake}");
        }
    }

    #[test]
    fn loopback_and_private_networks_can_be_opened() {
        let rules = EgressRules::parse(NONE, ["10.0.0.0/8", "fd12::/16"]).unwrap();
        assert!(rules.opens_networks() && !rules.opens_loopback());
        for text in ["127.0.0.0/8", "127.0.0.1", "::1"] {
            assert!(EgressRules::parse(NONE, [text]).unwrap().opens_loopback(), "{text}");
        }
    }
}
