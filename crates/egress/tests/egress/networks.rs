//! No address of a special-purpose block may be called, whatever its spelling, and what is opened opens nothing else.

use countersign_egress::{Address, EgressRules, ForbiddenAddress, InvalidAddress, check_ip};
use ipnet::IpNet;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The IANA special-purpose address registries, written down apart from the code: every row of both, with
/// multicast and what the code forbids beyond them.
const BLOCKS: [&str; 57] = [
    "0.0.0.0/8",
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.9/32",
    "192.0.0.10/32",
    "192.0.0.170/32",
    "192.0.0.171/32",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::1/128",
    "::/128",
    "::/96",
    "::ffff:0:0/96",
    "::ffff:0:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    // Not allocated.
    "4000::/3",
    "8000::/1",
];

/// Metadata services of clouds.
const METADATA: [&str; 13] = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "169.254.42.42",
    "169.254.0.23",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fe80::a9fe:a9fe",
    "fd20:ce::254",
    "fd00:42::42",
];

/// As wide as an operator can open.
fn wide_open() -> EgressRules {
    let networks = [
        "10.0.0.0/8",
        "100.64.0.0/10",
        "100.0.0.0/8",
        "127.0.0.0/8",
        "168.0.0.0/8",
        "169.0.0.0/8",
        "172.16.0.0/12",
        "192.0.0.0/8",
        "198.18.0.0/15",
        "240.0.0.0/8",
        "fc00::/7",
        "fe00::/7",
        "::1",
        "::/7",
        "2000::/7",
    ];
    EgressRules::parse(["1"], networks).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ends(network: IpNet) -> [IpAddr; 2] {
    [network.network(), network.broadcast()]
}

/// An address at an offset in a block.
fn within(network: IpNet, offset: u128) -> IpAddr {
    match network {
        IpNet::V4(network) => {
            let host = u32::MAX.checked_shr(network.prefix_len().into()).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(network.network().to_bits() | (offset as u32 & host)))
        }
        IpNet::V6(network) => {
            let host = u128::MAX.checked_shr(network.prefix_len().into()).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(network.network().to_bits() | (offset & host)))
        }
    }
}

/// What a program may take for an IPv4 address, other than its usual form.
fn spellings(ip: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = ip.octets();
    let number = ip.to_bits();
    let wide = |text: &str| -> String {
        text.chars()
            .map(|c| if c.is_ascii_digit() { char::from_u32(c as u32 + 0xfee0).unwrap() } else { c })
            .collect()
    };
    let encoded: String = ip.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
    let mut spellings = vec![
        number.to_string(),
        format!("{number:#x}"),
        format!("0{number:o}"),
        format!("{a}.{}", number & 0x00ff_ffff),
        format!("{a}.{b}.{}", number & 0xffff),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a:#x}.{b}.{c}.{d}"),
        format!("{ip}."),
        format!("{a}\u{3002}{b}\u{3002}{c}\u{3002}{d}"),
        wide(&ip.to_string()),
        encoded,
        format!("{ip}%00"),
        format!("user@{ip}"),
        format!("[{ip}]"),
        format!("[::{ip}]"),
        format!("[::ffff:{ip}]"),
        format!("[::ffff:0:{ip}]"),
        format!("[64:ff9b::{ip}]"),
        format!("[64:ff9b:1::{ip}]"),
        format!("[::ffff:{:x}:{:x}]", number >> 16, number & 0xffff),
        format!("[2002:{:x}:{:x}::]", number >> 16, number & 0xffff),
        format!("[2001::{:x}:{:x}]", !number >> 16, !number & 0xffff),
        format!("[2606:4700::5efe:{:x}:{:x}]", number >> 16, number & 0xffff),
        format!("[2606:4700::200:5efe:{ip}]"),
        format!("[64:ff9b::{:x}:{:x}]", number >> 16, number & 0xffff),
    ];
    spellings.push(ip.to_string());
    spellings
}

#[test]
fn both_ends_of_every_special_block_are_forbidden() {
    for block in BLOCKS {
        for end in ends(block.parse().unwrap()) {
            assert!(check_ip(end, &EgressRules::default()).is_err(), "{end} of {block}");
        }
    }
}

/// The addresses beside the blocks: neither too little is forbidden nor too much.
#[test]
fn what_lies_beside_the_blocks_is_public() {
    for text in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "168.63.129.17",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.3.0",
        "192.31.195.255",
        "192.31.197.0",
        "192.52.192.255",
        "192.52.194.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "192.175.47.255",
        "192.175.49.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "8.8.8.8",
        "93.184.216.34",
        "2000::",
        "2001:200::",
        "2001:db7::1",
        "2001:db9::",
        "2001:4860:4860::8888",
        "2003::",
        "2606:4700:4700::1111",
        "2620:4f:7fff::",
        "2620:4f:8001::",
        "3ffe:ffff::",
        "3fff:1000::",
        "3fff:ffff::",
        "2606:4700::100:5efe:1:1",
        "2606:4700::5eff:1:1",
    ] {
        assert_eq!(check_ip(ip(text), &EgressRules::default()), Ok(()), "{text}");
    }
    for text in ["1fff:ffff::", "4000::", "5eff::", "5f01::", "fbff::"] {
        assert_eq!(check_ip(ip(text), &EgressRules::default()), Err(ForbiddenAddress::Reserved), "{text}");
    }
}

#[test]
fn an_address_is_forbidden_by_the_name_of_its_kind() {
    for (text, kind) in [
        ("0.1.2.3", ForbiddenAddress::Unspecified),
        ("::", ForbiddenAddress::Unspecified),
        ("127.8.9.1", ForbiddenAddress::Loopback),
        ("::1", ForbiddenAddress::Loopback),
        ("172.31.0.1", ForbiddenAddress::Private),
        ("169.254.1.1", ForbiddenAddress::LinkLocal),
        ("fe80::1", ForbiddenAddress::LinkLocal),
        ("100.64.0.1", ForbiddenAddress::CarrierGradeNat),
        ("fd00::1", ForbiddenAddress::UniqueLocal),
        ("fec0::1", ForbiddenAddress::SiteLocal),
        ("2001:db8::1", ForbiddenAddress::Documentation),
        ("198.19.0.1", ForbiddenAddress::Benchmarking),
        ("2001:2::1", ForbiddenAddress::Benchmarking),
        ("2001:3::1", ForbiddenAddress::Protocol),
        ("239.1.1.1", ForbiddenAddress::Multicast),
        ("ff02::1", ForbiddenAddress::Multicast),
        ("255.255.255.255", ForbiddenAddress::Broadcast),
        ("250.0.0.1", ForbiddenAddress::Reserved),
        ("192.0.0.8", ForbiddenAddress::Protocol),
        ("::ffff:8.8.8.8", ForbiddenAddress::EmbeddedIpv4),
        ("::8.8.8.8", ForbiddenAddress::EmbeddedIpv4),
        ("64:ff9b::8.8.8.8", ForbiddenAddress::EmbeddedIpv4),
        ("2002:808:808::1", ForbiddenAddress::EmbeddedIpv4),
        ("2001:0:1::1", ForbiddenAddress::EmbeddedIpv4),
        ("2606:4700::200:5efe:8.8.8.8", ForbiddenAddress::EmbeddedIpv4),
        ("100::1", ForbiddenAddress::DiscardOnly),
        ("2001:2f::1", ForbiddenAddress::Identifier),
        ("5f00::1", ForbiddenAddress::SegmentRouting),
        ("64:ff9b:1::a00:1", ForbiddenAddress::EmbeddedIpv4),
        ("::ffff:0:a00:1", ForbiddenAddress::EmbeddedIpv4),
        ("100:0:0:1::5", ForbiddenAddress::DiscardOnly),
        ("2001:10::1", ForbiddenAddress::Identifier),
        ("2001:30::1", ForbiddenAddress::Identifier),
        ("2001:1::1", ForbiddenAddress::Protocol),
        ("2620:4f:8000::1", ForbiddenAddress::Protocol),
        ("3fff::1", ForbiddenAddress::Documentation),
        ("192.0.2.1", ForbiddenAddress::Documentation),
        ("198.51.100.1", ForbiddenAddress::Documentation),
        ("203.0.113.1", ForbiddenAddress::Documentation),
        ("192.31.196.1", ForbiddenAddress::Protocol),
        ("192.52.193.1", ForbiddenAddress::Protocol),
        ("192.88.99.1", ForbiddenAddress::Protocol),
        ("192.175.48.1", ForbiddenAddress::Protocol),
    ] {
        assert_eq!(check_ip(ip(text), &EgressRules::default()), Err(kind), "{text}");
    }
}

#[test]
fn an_opened_network_opens_itself_and_no_metadata_address() {
    let rules = EgressRules::parse(["443"], ["10.1.0.0/16", "::1", "fd00::/8"]).unwrap();
    for text in ["10.1.0.0", "10.1.255.255", "::1", "fd00::1", "8.8.8.8"] {
        assert_eq!(check_ip(ip(text), &rules), Ok(()), "{text}");
    }
    for text in ["10.0.255.255", "10.2.0.0", "127.0.0.1", "::ffff:10.1.0.1", "fc00::1", "fd00:ec2::254", "::"]
    {
        assert!(check_ip(ip(text), &rules).is_err(), "{text}");
    }
    for text in METADATA {
        for rules in [EgressRules::default(), wide_open()] {
            assert_eq!(check_ip(ip(text), &rules), Err(ForbiddenAddress::Metadata), "{text}");
            if let IpAddr::V4(ip) = ip(text) {
                for spelling in spellings(ip) {
                    assert!(Address::parse(&format!("https://{spelling}/"), &rules).is_err(), "{spelling}");
                }
            }
        }
    }
    for text in ["::1", "fe80::1", "169.254.169.253", "127.0.0.1", "240.0.0.1", "198.18.0.1"] {
        assert_eq!(check_ip(ip(text), &wide_open()), Ok(()), "{text}");
    }
    for text in ["0.0.0.0", "::", "::ffff:127.0.0.1", "224.0.0.1", "255.255.255.255", "64:ff9b::a00:1"] {
        assert!(check_ip(ip(text), &wide_open()).is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_address_of_a_special_block_passes(block in 0..BLOCKS.len(), offset: u128) {
        let ip = within(BLOCKS[block].parse().unwrap(), offset);
        prop_assert!(check_ip(ip, &EgressRules::default()).is_err());
        let host = match ip { IpAddr::V4(ip) => ip.to_string(), IpAddr::V6(ip) => format!("[{ip}]") };
        let text = format!("https://{host}/");
        prop_assert!(Address::parse(&text, &EgressRules::default()).is_err());
        if let IpAddr::V4(ip) = ip {
            for spelling in spellings(ip) {
                let text = format!("https://{spelling}/");
                prop_assert!(Address::parse(&text, &EgressRules::default()).is_err(), "{}", text);
            }
        }
    }

    /// The usual spelling is the only one for public addresses as well.
    #[test]
    fn no_other_spelling_of_any_ipv4_address_passes(bits: u32) {
        let ip = Ipv4Addr::from_bits(bits);
        let rules = EgressRules::default();
        let mut spellings = spellings(ip);
        let usual = spellings.pop().unwrap();
        let result = Address::parse(&format!("https://{usual}/"), &rules);
        prop_assert_eq!(result.is_ok(), check_ip(IpAddr::V4(ip), &rules).is_ok());
        for spelling in spellings {
            if spelling != usual {
                let text = format!("https://{spelling}/");
                prop_assert!(Address::parse(&text, &rules).is_err(), "{}", text);
            }
        }
    }

    /// A literal is read as the address that hyper connects to, and is called only if that passes.
    #[test]
    fn a_literal_passes_if_its_address_does(bits: u128, is_global: bool) {
        // Half of them in 2000::/3, where public ones are.
        let bits = if is_global { bits >> 3 | 1 << 125 } else { bits };
        let ip = Ipv6Addr::from_bits(bits);
        let rules = EgressRules::default();
        let result = Address::parse(&format!("https://[{ip}]/"), &rules);
        match check_ip(IpAddr::V6(ip), &rules) {
            Ok(()) => prop_assert_eq!(result.unwrap().ip(), Some(IpAddr::V6(ip))),
            // The URL standard writes some of these in another form than Rust's.
            Err(kind) => prop_assert!(
                matches!(result, Err(InvalidAddress::IpSpelling)) || result == Err(InvalidAddress::Forbidden(kind))
            ),
        }
    }

    #[test]
    fn no_text_panics(text in "(https://)?[\\[\\]:%@/.0-9a-fx_\\\\#? -]{0,40}|\\PC{0,40}") {
        let result = Address::parse(&text, &EgressRules::default());
        if let Ok(address) = result {
            let again = Address::parse(address.as_str(), &EgressRules::default());
            prop_assert_eq!(again, Ok(address));
        }
    }
}
