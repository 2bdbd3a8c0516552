//! Hostile addresses: none can be registered, none is sent to, and no socket is opened to what they mean.

use crate::server::{AMPLE, Answers, Server, closed, opened, post};
use countersign_delivery::outcome::FailureClass;
use countersign_egress::{Address, Client, EgressRules, ForbiddenAddress, InvalidAddress};

use ForbiddenAddress as Kind;
use InvalidAddress::{
    Character, Forbidden, Fragment, HostName, HostSpelling, InternalName, IpSpelling, NoHost, NotAUrl, Port,
    PortSpelling, Scheme, Underscore, UserInformation,
};

/// What is refused as a text, and why. `{p}` is the port of a listener on both loopback addresses.
const REFUSED: [(&str, InvalidAddress); 108] = [
    // Another scheme, or none.
    ("http://127.0.0.1:{p}/", Scheme),
    ("http://example.com/", Scheme),
    ("ftp://127.0.0.1:{p}/", Scheme),
    ("file:///etc/passwd", Scheme),
    ("gopher://127.0.0.1:{p}/_x", Scheme),
    ("dict://127.0.0.1:{p}/", Scheme),
    ("ws://127.0.0.1:{p}/", Scheme),
    ("javascript:alert(1)", Scheme),
    ("data:text/plain,x", Scheme),
    ("//127.0.0.1:{p}/", Scheme),
    ("127.0.0.1:{p}", Scheme),
    ("https:127.0.0.1:{p}", Scheme),
    ("https:/127.0.0.1:{p}", Scheme),
    ("", Scheme),
    ("https:", Scheme),
    ("https://", NoHost),
    ("https:///127.0.0.1:{p}/", NoHost),
    ("https://:{p}/", NoHost),
    ("https://?127.0.0.1:{p}", NoHost),
    // The host that is asked is hidden.
    ("https://example.com@127.0.0.1:{p}/", UserInformation),
    ("https://example.com:443@127.0.0.1:{p}/", UserInformation),
    ("https://user:password@example.com/", UserInformation),
    ("https://@127.0.0.1:{p}/", UserInformation),
    ("https://a@b@127.0.0.1:{p}/", UserInformation),
    ("https://127.0.0.1:{p}#@example.com/", Fragment),
    ("https://example.com/#127.0.0.1", Fragment),
    ("https://example.com/#", Fragment),
    ("https://127.0.0.1:{p}\\@example.com/", Character),
    ("https://example.com\\@127.0.0.1:{p}/", Character),
    ("https:\\\\127.0.0.1:{p}\\", Character),
    ("https://127.0.0.1:{p}/a b", Character),
    (" https://127.0.0.1:{p}/", Character),
    ("https://127.0.0.1:{p}/\r\nHost: example.com", Character),
    ("https://127.0.\t0.1:{p}/", Character),
    ("htt\nps://127.0.0.1:{p}/", Character),
    ("https://127.0.0.1:{p}/\0", Character),
    ("https://127.0.0.1:{p}/\u{7f}", Character),
    // Names of this machine and of its network.
    ("https://localhost:{p}/", InternalName),
    ("https://LOCALHOST:{p}/", InternalName),
    ("https://a.localhost:{p}/", InternalName),
    ("https://localhost.:{p}/", HostName),
    ("https://intranet:{p}/", InternalName),
    ("https://kubernetes.default.svc.cluster.local:{p}/", InternalName),
    ("https://metadata.google.internal/computeMetadata/v1/", InternalName),
    ("https://host.docker.internal:{p}/", InternalName),
    ("https://router.home.arpa:{p}/", InternalName),
    // Names that programs read differently.
    ("https://a_b.example.com:{p}/", Underscore),
    ("https://_.127.0.0.1:{p}/", Underscore),
    ("https://example.com.:{p}/", HostName),
    ("https://example..com:{p}/", HostName),
    ("https://.example.com:{p}/", HostName),
    ("https://-a.example.com:{p}/", HostName),
    ("https://a-.example.com:{p}/", HostName),
    ("https://a!b.example.com:{p}/", HostName),
    ("https://a'b.example.com:{p}/", HostName),
    ("https://127.0.0.1,example.com:{p}/", HostName),
    ("https://example.com;127.0.0.1:{p}/", IpSpelling),
    ("https://loc%61lhost:{p}/", HostSpelling),
    ("https://127.0.0.1%2f.example.com:{p}/", HostSpelling),
    ("https://127.0.0.1%00.example.com:{p}/", HostSpelling),
    ("https://%31%32%37.0.0.1:{p}/", HostSpelling),
    ("https://\u{ff4c}ocalhost:{p}/", Character),
    ("https://\u{24db}ocalhost:{p}/", Character),
    ("https://\u{ff11}\u{ff12}\u{ff17}.0.0.1:{p}/", Character),
    ("https://127\u{3002}0\u{3002}0\u{3002}1:{p}/", Character),
    ("https://\u{2460}27.0.0.1:{p}/", Character),
    ("https://loc\u{ad}alhost:{p}/", Character),
    // Spellings of IPv4 addresses.
    ("https://2130706433:{p}/", IpSpelling),
    ("https://0x7f000001:{p}/", IpSpelling),
    ("https://017700000001:{p}/", IpSpelling),
    ("https://0x7f.0.0.1:{p}/", IpSpelling),
    ("https://0177.0.0.1:{p}/", IpSpelling),
    ("https://127.0.0.01:{p}/", IpSpelling),
    ("https://127.1:{p}/", IpSpelling),
    ("https://127.0.1:{p}/", IpSpelling),
    ("https://0:{p}/", IpSpelling),
    ("https://127.0.0.1.:{p}/", IpSpelling),
    ("https://127.0.0.1..:{p}/", HostName),
    ("https://256.0.0.1:{p}/", IpSpelling),
    ("https://4294967297:{p}/", IpSpelling),
    ("https://127.0.0.1.1:{p}/", IpSpelling),
    ("https://127.0.0.0x1:{p}/", IpSpelling),
    ("https://[127.0.0.1]:{p}/", IpSpelling),
    // Spellings of IPv6 addresses.
    ("https://[0:0:0:0:0:0:0:1]:{p}/", IpSpelling),
    ("https://[::0001]:{p}/", IpSpelling),
    ("https://[::ffff:127.0.0.1]:{p}/", IpSpelling),
    ("https://[::127.0.0.1]:{p}/", IpSpelling),
    ("https://[fe80::1%25eth0]:{p}/", HostSpelling),
    ("https://[::1:{p}/", IpSpelling),
    ("https://::1:{p}/", NotAUrl),
    ("https://[::1]a:{p}/", IpSpelling),
    // Addresses that are not public.
    ("https://127.0.0.1:{p}/", Forbidden(Kind::Loopback)),
    ("https://127.127.127.127:{p}/", Forbidden(Kind::Loopback)),
    ("https://[::1]:{p}/", Forbidden(Kind::Loopback)),
    ("https://0.0.0.0:{p}/", Forbidden(Kind::Unspecified)),
    ("https://[::]:{p}/", Forbidden(Kind::Unspecified)),
    ("https://[::ffff:7f00:1]:{p}/", Forbidden(Kind::EmbeddedIpv4)),
    ("https://[64:ff9b::7f00:1]:{p}/", Forbidden(Kind::EmbeddedIpv4)),
    ("https://[2002:7f00:1::]:{p}/", Forbidden(Kind::EmbeddedIpv4)),
    ("https://10.0.0.1:{p}/", Forbidden(Kind::Private)),
    ("https://192.168.0.1:{p}/", Forbidden(Kind::Private)),
    ("https://100.64.0.1:{p}/", Forbidden(Kind::CarrierGradeNat)),
    ("https://169.254.169.254/latest/meta-data/", Forbidden(Kind::Metadata)),
    ("https://[fd00:ec2::254]/latest/meta-data/", Forbidden(Kind::Metadata)),
    // Ports.
    ("https://example.com:22/", Port),
    ("https://example.com:80/", Port),
    ("https://example.com:0443/", PortSpelling),
    ("https://example.com:/", PortSpelling),
];

/// Names that look harmless, and resolve to an address that may not be called.
const MISLEADING: [&str; 12] = [
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "0.0.0.0",
    "::",
    "::ffff:127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "fd00:ec2::254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "100.64.0.1",
];

/// Listeners on both loopback addresses, on one port.
async fn listeners() -> [Server; 2] {
    loop {
        let first = Server::counting("127.0.0.1:0").await;
        let second = format!("[::1]:{}", first.port());
        // The port may be in use on the other address: another one then.
        if std::net::TcpListener::bind(&second).is_ok() {
            return [first, Server::counting(&second).await];
        }
    }
}

async fn connections(listeners: &[Server; 2]) -> usize {
    listeners[0].connections().await + listeners[1].connections().await
}

/// Rules by which hostile addresses can be read, so that there is something to send to.
fn lenient(port: u16) -> EgressRules {
    let networks = [
        "127.0.0.0/8",
        "::1",
        "10.0.0.0/8",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fd00::/8",
        "fe80::/10",
    ];
    EgressRules::parse([port.to_string(), "22".into(), "80".into()], networks).unwrap()
}

#[tokio::test]
async fn no_hostile_address_is_registered_or_sent_to() {
    let listeners = listeners().await;
    let port = listeners[0].port();
    let strict = Client::with_resolver(closed(port), Answers::new(&[&["127.0.0.1"]]), None).unwrap();
    let mut sent = 0;
    for (text, rule) in REFUSED {
        let text = text.replace("{p}", &port.to_string());
        assert_eq!(Address::parse(&text, &closed(port)), Err(rule), "{text}");
        // What only other rules would let through is refused by those of the client; the rest no rules let through.
        match Address::parse(&text, &lenient(port)) {
            Ok(address) => {
                let failure = post(&strict, &address, AMPLE).await.unwrap_err();
                assert_eq!(failure.class, FailureClass::ForbiddenAddress, "{text}");
                sent += 1;
            }
            Err(other) => assert_eq!(other, rule, "{text}"),
        }
    }
    assert_eq!(sent, 16);
    assert_eq!(connections(&listeners).await, 0);
}

#[tokio::test]
async fn no_name_is_sent_to_that_resolves_to_a_forbidden_address() {
    let listeners = listeners().await;
    let port = listeners[0].port();
    for address in MISLEADING {
        for answer in [vec![address], vec!["93.184.216.34", address], vec![address, "2606:4700::1111"]] {
            let client = Client::with_resolver(closed(port), Answers::new(&[&answer]), None).unwrap();
            let address =
                Address::parse(&format!("https://hooks.example.com:{port}/"), &closed(port)).unwrap();
            let failure = post(&client, &address, AMPLE).await.unwrap_err();
            assert_eq!(failure.class, FailureClass::ForbiddenAddress, "{answer:?}: {failure:?}");
            assert!(!answer.iter().any(|address| failure.detail.contains(address)), "{failure:?}");
        }
    }
    assert_eq!(connections(&listeners).await, 0);
}

/// Without this, the listeners might count nothing.
#[tokio::test]
async fn what_is_opened_is_connected_to() {
    let listeners = listeners().await;
    let port = listeners[0].port();
    for (text, answer, expected) in [
        (format!("https://127.0.0.1:{port}/"), "127.0.0.1", [1, 0]),
        (format!("https://[::1]:{port}/"), "127.0.0.1", [1, 1]),
        (format!("https://localhost:{port}/"), "127.0.0.1", [2, 1]),
        (format!("https://hooks.example.com:{port}/"), "::1", [2, 2]),
    ] {
        let client = Client::with_resolver(opened(port), Answers::new(&[&[answer]]), None).unwrap();
        let address = Address::parse(&text, &opened(port)).unwrap();
        let failure = post(&client, &address, AMPLE).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Connection, "{text}");
        let counted = [listeners[0].connections().await, listeners[1].connections().await];
        assert_eq!(counted, expected, "{text}");
    }
}
