//! Which IP addresses may be called: public ones, and those of internal networks that the operator has opened.
//!
//! The blocks are those of the IANA special-purpose address registries
//! (<https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>;
//! RFC 6890), with multicast (RFC 5771, RFC 4291), and of IPv6 only what is allocated as global unicast at all:
//! `2000::/3` (<https://www.iana.org/assignments/ipv6-address-space>). Blocks that the registries call globally reachable
//! (AS112, AMT, anycast of PCP and TURN) are forbidden too: what answers there is infrastructure, and never a webhook.

use ipnet::{Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an IP address may not be called: the kind of network that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ForbiddenAddress {
    /// Where clouds answer machines with their credentials.
    #[error("a metadata address of a cloud")]
    Metadata,
    /// `0.0.0.0/8` and `::`: on many systems this machine itself.
    #[error("an unspecified address")]
    Unspecified,
    /// This machine.
    #[error("a loopback address")]
    Loopback,
    /// RFC 1918.
    #[error("a private address")]
    Private,
    /// RFC 3927, RFC 4291.
    #[error("a link-local address")]
    LinkLocal,
    /// RFC 6598, between a provider and its customers.
    #[error("an address of carrier-grade NAT")]
    CarrierGradeNat,
    /// RFC 4193.
    #[error("a unique local address")]
    UniqueLocal,
    /// RFC 3879, deprecated.
    #[error("a site-local address")]
    SiteLocal,
    /// RFC 5737, RFC 3849, RFC 9637.
    #[error("an address for documentation")]
    Documentation,
    /// RFC 2544, RFC 5180.
    #[error("an address for benchmarks")]
    Benchmarking,
    /// RFC 5771, RFC 4291.
    #[error("a multicast address")]
    Multicast,
    /// RFC 919.
    #[error("a broadcast address")]
    Broadcast,
    /// RFC 1112 section 4, and what IANA has not allocated of IPv6.
    #[error("a reserved address")]
    Reserved,
    /// RFC 6890, RFC 2928, AS112 (RFC 7534, RFC 7535), AMT (RFC 7450).
    #[error("an address of protocols or infrastructure")]
    Protocol,
    /// An IPv4 address in one of IPv6: mapped, compatible, translated, or of a tunnel. A translator or tunnel on the way
    /// would turn it into any IPv4 address.
    #[error("an IPv4 address within an IPv6 address")]
    EmbeddedIpv4,
    /// RFC 6666, RFC 9780.
    #[error("an address of which packets are discarded")]
    DiscardOnly,
    /// RFC 4843, RFC 7343, RFC 9374: identifiers that are not routed.
    #[error("an identifier and no address")]
    Identifier,
    /// RFC 9602.
    #[error("an address of segment routing")]
    SegmentRouting,
}

impl ForbiddenAddress {
    /// Whether the operator can open a network of this kind. A connection to the others reaches this machine under
    /// another spelling, a credential, many machines or none.
    pub fn can_be_opened(self) -> bool {
        match self {
            Self::Loopback
            | Self::Private
            | Self::LinkLocal
            | Self::CarrierGradeNat
            | Self::UniqueLocal
            | Self::SiteLocal
            | Self::Documentation
            | Self::Benchmarking
            | Self::Reserved => true,
            Self::Metadata
            | Self::Unspecified
            | Self::Multicast
            | Self::Broadcast
            | Self::Protocol
            | Self::EmbeddedIpv4
            | Self::DiscardOnly
            | Self::Identifier
            | Self::SegmentRouting => false,
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(address: u128, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_bits(address), prefix)
}

/// Metadata services, whose addresses stay closed in an opened network:
/// [AWS](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html) with tasks of ECS
/// (169.254.170.2) and pods of EKS (169.254.170.23), [Google Cloud](https://cloud.google.com/compute/docs/metadata/querying-metadata),
/// Alibaba Cloud (100.100.100.200), Azure's host (168.63.129.16), Oracle Cloud (192.0.0.192), Scaleway (169.254.42.42)
/// and Tencent Cloud (169.254.0.23).
const METADATA_IPV4: [Ipv4Addr; 8] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(169, 254, 42, 42),
    Ipv4Addr::new(169, 254, 0, 23),
];

/// The same over IPv6: AWS, pods of EKS, 169.254.169.254 as a link-local address, Google Cloud, Scaleway.
const METADATA_IPV6: [Ipv6Addr; 5] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023),
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042),
];

/// Blocks of IPv4 that are not public; the first that holds an address names it.
const SPECIAL_IPV4: [(Ipv4Net, ForbiddenAddress); 19] = [
    (v4(0, 0, 0, 0, 8), ForbiddenAddress::Unspecified),
    (v4(10, 0, 0, 0, 8), ForbiddenAddress::Private),
    (v4(100, 64, 0, 0, 10), ForbiddenAddress::CarrierGradeNat),
    (v4(127, 0, 0, 0, 8), ForbiddenAddress::Loopback),
    (v4(169, 254, 0, 0, 16), ForbiddenAddress::LinkLocal),
    (v4(172, 16, 0, 0, 12), ForbiddenAddress::Private),
    (v4(192, 0, 0, 0, 24), ForbiddenAddress::Protocol),
    (v4(192, 0, 2, 0, 24), ForbiddenAddress::Documentation),
    (v4(192, 31, 196, 0, 24), ForbiddenAddress::Protocol),
    (v4(192, 52, 193, 0, 24), ForbiddenAddress::Protocol),
    // The anycast relays of 6to4, deprecated by RFC 7526.
    (v4(192, 88, 99, 0, 24), ForbiddenAddress::Protocol),
    (v4(192, 168, 0, 0, 16), ForbiddenAddress::Private),
    (v4(192, 175, 48, 0, 24), ForbiddenAddress::Protocol),
    (v4(198, 18, 0, 0, 15), ForbiddenAddress::Benchmarking),
    (v4(198, 51, 100, 0, 24), ForbiddenAddress::Documentation),
    (v4(203, 0, 113, 0, 24), ForbiddenAddress::Documentation),
    // MCAST-TEST-NET of RFC 6676 is in it.
    (v4(224, 0, 0, 0, 4), ForbiddenAddress::Multicast),
    (v4(255, 255, 255, 255, 32), ForbiddenAddress::Broadcast),
    (v4(240, 0, 0, 0, 4), ForbiddenAddress::Reserved),
];

/// Blocks of IPv6 that are not public; the first that holds an address names it.
const SPECIAL_IPV6: [(Ipv6Net, ForbiddenAddress); 27] = [
    (v6(0, 128), ForbiddenAddress::Unspecified),
    (v6(1, 128), ForbiddenAddress::Loopback),
    // Compatible (RFC 4291 section 2.5.5.1), mapped (section 2.5.5.2), translated (RFC 2765 section 2.1).
    (v6(0, 96), ForbiddenAddress::EmbeddedIpv4),
    (v6(0xffff << 32, 96), ForbiddenAddress::EmbeddedIpv4),
    (v6(0xffff << 48, 96), ForbiddenAddress::EmbeddedIpv4),
    // NAT64: RFC 6052 and RFC 8215.
    (v6(0x0064_ff9b << 96, 96), ForbiddenAddress::EmbeddedIpv4),
    (v6(0x0064_ff9b_0001 << 80, 48), ForbiddenAddress::EmbeddedIpv4),
    (v6(0x0100 << 112, 64), ForbiddenAddress::DiscardOnly),
    (v6((0x0100 << 112) | (1 << 64), 64), ForbiddenAddress::DiscardOnly),
    // Teredo, RFC 4380.
    (v6(0x2001 << 112, 32), ForbiddenAddress::EmbeddedIpv4),
    (v6(0x2001_0002 << 96, 48), ForbiddenAddress::Benchmarking),
    (v6(0x2001_0010 << 96, 28), ForbiddenAddress::Identifier),
    (v6(0x2001_0020 << 96, 28), ForbiddenAddress::Identifier),
    (v6(0x2001_0030 << 96, 28), ForbiddenAddress::Identifier),
    // What is left of RFC 2928: PCP, TURN, AMT, AS112 and what is not assigned yet.
    (v6(0x2001 << 112, 23), ForbiddenAddress::Protocol),
    (v6(0x2001_0db8 << 96, 32), ForbiddenAddress::Documentation),
    // 6to4, RFC 3056.
    (v6(0x2002 << 112, 16), ForbiddenAddress::EmbeddedIpv4),
    (v6(0x2620_004f_8000 << 80, 48), ForbiddenAddress::Protocol),
    (v6(0x3fff << 112, 20), ForbiddenAddress::Documentation),
    (v6(0x5f00 << 112, 16), ForbiddenAddress::SegmentRouting),
    (v6(0xfc00 << 112, 7), ForbiddenAddress::UniqueLocal),
    (v6(0xfe80 << 112, 10), ForbiddenAddress::LinkLocal),
    (v6(0xfec0 << 112, 10), ForbiddenAddress::SiteLocal),
    (v6(0xff00 << 112, 8), ForbiddenAddress::Multicast),
    // What is left around 2000::/3.
    (v6(0, 3), ForbiddenAddress::Reserved),
    (v6(1 << 126, 2), ForbiddenAddress::Reserved),
    (v6(1 << 127, 1), ForbiddenAddress::Reserved),
];

/// The kind of network that an address is of, or none if it is public.
pub(crate) fn kind(ip: IpAddr) -> Option<ForbiddenAddress> {
    match ip {
        IpAddr::V4(ip) => kind_of_ipv4(ip),
        IpAddr::V6(ip) => kind_of_ipv6(ip),
    }
}

fn kind_of_ipv4(ip: Ipv4Addr) -> Option<ForbiddenAddress> {
    if METADATA_IPV4.contains(&ip) {
        return Some(ForbiddenAddress::Metadata);
    }
    SPECIAL_IPV4.iter().find(|(network, _)| network.contains(&ip)).map(|(_, kind)| *kind)
}

fn kind_of_ipv6(ip: Ipv6Addr) -> Option<ForbiddenAddress> {
    if METADATA_IPV6.contains(&ip) {
        return Some(ForbiddenAddress::Metadata);
    }
    // ISATAP (RFC 5214 section 6.1) has an IPv4 address at the end of any prefix, an internal one too.
    let [_, _, _, _, flags, marker, _, _] = ip.segments();
    if marker == 0x5efe && flags & !0x0200 == 0 {
        return Some(ForbiddenAddress::EmbeddedIpv4);
    }
    SPECIAL_IPV6.iter().find(|(network, _)| network.contains(&ip)).map(|(_, kind)| *kind)
}
