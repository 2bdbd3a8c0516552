//! Where a call comes from and when: access policies for networks and for office hours.

use crate::policy::{policy_of, policy_with, reasons, refused, reject, start};
use countersign_core::policy::BUNDLED_OPERATIONS;
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use serde_json::json;

const NETWORK: &str = "@id(\"company-network\") forbid (\
      principal, action == Action::\"approve\", resource\
    ) unless { context has source_ip && context.source_ip.isInRange(ip(\"NETWORK\")) };";

/// The service of a test sees 127.0.0.1.
#[test]
fn an_action_may_be_for_a_network_only() {
    for (network, allowed) in [
        ("10.0.0.0/8", false),
        ("127.0.0.0/8", true),
        ("127.0.0.1/32", true),
        ("127.0.0.2/32", false),
        ("::1/128", false),
        ("::ffff:0:0/96", false),
    ] {
        let service = Service::under(policy_with("", "", &NETWORK.replace("NETWORK", network)));
        let (ann, bob) = (service.requester("ann"), service.approver("bob"));
        let path = Service::create(&ann, &Service::medium());
        if allowed {
            assert_eq!(Service::approve(&bob, &path).expect(200)["status"], "approved", "{network}");
            start(&ann, &path).expect(200);
            continue;
        }
        service.untouched(|| {
            let problem = refused(Service::approve(&bob, &path), 403, "not_permitted");
            assert_eq!(reasons(&problem), "forbidden by policy `company-network`", "{network}");
        });
        // Other actions are not meant.
        bob.post(&format!("{path}/comments"), &json!({ "text": "from outside" })).expect(200);
        reject(&bob, &path).expect(200);
    }
}

fn approve_with(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    client.send("POST", &format!("{path}/approve"), headers, b"{}").unwrap()
}

/// Without proxies that are trusted no header says where a call comes from.
#[test]
fn a_forwarded_address_is_not_believed_from_just_anybody() {
    let company = policy_with("", "", &NETWORK.replace("NETWORK", "10.0.0.0/8"));
    let elsewhere: ipnet::IpNet = "192.0.2.0/24".parse().unwrap();
    for service in [Service::under(company.clone()), Service::behind(vec![elsewhere], company)] {
        let bob = service.approver("bob");
        let path = Service::create(&service.requester("ann"), &Service::medium());
        service.untouched(|| {
            for header in [
                "X-Forwarded-For",
                "x-forwarded-for",
                "X_Forwarded_For",
                "X-FORWARDED-FOR",
                "X-Real-IP",
                "Forwarded",
                "CF-Connecting-IP",
                "True-Client-IP",
                "X-Client-IP",
                "X-Cluster-Client-Ip",
            ] {
                for value in ["10.0.0.1", "for=10.0.0.1", "10.0.0.1, 127.0.0.1"] {
                    refused(approve_with(&bob, &path, &[(header, value)]), 403, "not_permitted");
                }
            }
        });
    }
}

/// THREATS 3, for addresses: only what the trusted proxy itself has appended counts.
#[test]
fn a_trusted_proxy_says_where_a_call_comes_from() {
    let company = policy_with("", "", &NETWORK.replace("NETWORK", "10.0.0.0/8"));
    let proxies = || vec!["127.0.0.0/8".parse().unwrap(), "172.16.0.0/12".parse().unwrap()];
    let service = Service::behind(proxies(), company);
    let bob = service.approver("bob");
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let one = |value| vec![("x-forwarded-for", value)];
    service.untouched(|| {
        for headers in [
            // The address is not known.
            vec![],
            one(""),
            one(","),
            one("unknown"),
            one("_hidden"),
            // From outside, whatever the caller has written before it.
            one("203.0.113.9"),
            one("10.0.0.1, 203.0.113.9"),
            one("10.0.0.1,203.0.113.9"),
            one("10.0.0.1, 203.0.113.9, 172.16.0.1"),
            vec![("x-forwarded-for", "10.0.0.1"), ("X-Forwarded-For", "203.0.113.9")],
            // Not readable where it matters.
            one("10.0.0.1:"),
            one("10.0.0.1:99999"),
            one("10.0.0.1 172.16.0.1"),
            one("\"10.0.0.1"),
            one("[10.0.0.1"),
            one("010.0.0.1"),
            one("10.1"),
            one("0x0a000001"),
            one("167772161"),
            one("::10.0.0.1"),
            one("fe80::1%eth0"),
            one("for=10.0.0.1"),
            one("10.0.0.1;172.16.0.1"),
            one("10.0.0.1, garbage, 172.16.0.1"),
            // Proxies and no client behind them.
            one("172.16.0.1, 127.0.0.1"),
            // Other headers.
            vec![("x_forwarded_for", "10.0.0.1")],
            vec![("x-real-ip", "10.0.0.1")],
            vec![("forwarded", "for=10.0.0.1")],
        ] {
            refused(approve_with(&bob, &path, &headers), 403, "not_permitted");
        }
    });
    for headers in [
        one("10.0.0.1"),
        one(" 10.255.255.255 "),
        one("203.0.113.9, 10.0.0.1"),
        one("garbage, 10.0.0.1"),
        one("10.0.0.1, 172.16.0.1"),
        one("10.0.0.1, 172.31.255.255, 127.0.0.1"),
        one("::ffff:10.0.0.1"),
        one("10.0.0.1:443"),
        one("10.0.0.1,"),
        one("\"10.0.0.1\""),
        one("[::ffff:10.0.0.1]:443"),
        vec![("X-FORWARDED-FOR", "203.0.113.9"), ("x-forwarded-for", "10.0.0.1")],
        vec![("x-forwarded-for", "10.0.0.1"), ("x-forwarded-for", "172.16.0.1")],
    ] {
        let path = Service::create(&ann, &Service::medium());
        let answer = approve_with(&bob, &path, &headers);
        assert_eq!(answer.expect(200)["status"], "approved", "{headers:?}");
        // Where an approval came from is part of it: the start, from elsewhere, is no matter.
        start(&ann, &path).expect(200);
    }
}

/// THREATS 54: a deny list holds for a forbidden address however it is written, and for one that cannot be
/// read. Where policy does not ask, the address is no matter.
#[test]
fn threat_54_a_deny_list_never_fails_open() {
    let denied = "@id(\"denied-network\") forbid (principal, action == Action::\"approve\", resource) when {
        context has source_ip && context.source_ip.isInRange(ip(\"203.0.113.0/24\"))
    };";
    let service = Service::behind(vec!["127.0.0.0/8".parse().unwrap()], policy_with("", "", denied));
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::medium());
    let unread = "policy asks where this call comes from, and its address cannot be read";
    service.untouched(|| {
        for (value, said) in [
            ("203.0.113.9", "forbidden by policy `denied-network`"),
            ("203.0.113.9:443", "forbidden by policy `denied-network`"),
            ("\"203.0.113.9\"", "forbidden by policy `denied-network`"),
            ("\"203.0.113.9:443\"", "forbidden by policy `denied-network`"),
            ("[203.0.113.9]:443", "forbidden by policy `denied-network`"),
            ("203.0.113.9,", "forbidden by policy `denied-network`"),
            ("::ffff:203.0.113.9", "forbidden by policy `denied-network`"),
            ("[::ffff:203.0.113.9]", "forbidden by policy `denied-network`"),
            ("198.51.100.1, 203.0.113.9", "forbidden by policy `denied-network`"),
            ("", unread),
            (",", unread),
            ("unknown", unread),
            ("_hidden", unread),
            ("203.0.113.9:x", unread),
            ("203.0.113.009", unread),
            ("198.51.100.1, unknown", unread),
            ("127.0.0.1", unread),
        ] {
            let answer = approve_with(&bob, &path, &[("x-forwarded-for", value)]);
            assert_eq!(reasons(&refused(answer, 403, "not_permitted")), said, "{value:?}");
        }
        assert_eq!(reasons(&refused(approve_with(&bob, &path, &[]), 403, "not_permitted")), unread);
    });
    bob.post(&format!("{path}/comments"), &json!({ "text": "no address, and none asked for" })).expect(200);
    approve_with(&bob, &path, &[("x-forwarded-for", "198.51.100.1:443")]).expect(200);
}

#[test]
fn an_ipv6_network_is_one_as_well() {
    let company = policy_with("", "", &NETWORK.replace("NETWORK", "2001:db8::/32"));
    let service = Service::behind(vec!["127.0.0.1/32".parse().unwrap()], company);
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    for (address, allowed) in [
        ("2001:db8::1", true),
        ("2001:0DB8:0:0:0:0:0:1", true),
        ("2001:db9::1", false),
        ("::ffff:127.0.0.1", false),
        ("[2001:db8::1]", true),
        ("[2001:db8::1]:443", true),
        ("2001:db8::1]", false),
    ] {
        let path = Service::create(&ann, &Service::medium());
        let answer = approve_with(&bob, &path, &[("x-forwarded-for", address)]);
        assert_eq!(answer.status, if allowed { 200 } else { 403 }, "{address}: {}", answer.body);
        if !allowed {
            refused(answer, 403, "not_permitted");
        }
    }
}

/// By the clock of the time zone that the policy names, summer time included.
#[test]
fn office_hours_are_those_of_the_time_zone() {
    let access = "@id(\"office-hours\") forbid (principal, action == Action::\"approve\", resource) when {\
          context.weekday == Weekday::\"saturday\" || context.weekday == Weekday::\"sunday\" || \
          context.hour < 8 || context.hour >= 18 };";
    let operations = format!("time_zone = \"America/New_York\"\n{BUNDLED_OPERATIONS}");
    let service = Service::under(policy_of(&operations, "", access));
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let at = |time: &str| {
        let wanted = countersign_core::timestamp::Timestamp::parse(time).unwrap().as_millisecond();
        let now = countersign_app::host::Clock::now(&service.host).as_millisecond();
        service.host.advance_milliseconds(wanted - now);
    };
    for (time, open) in [
        // A Thursday in winter: five hours behind UTC.
        ("2026-01-01T12:59:59.999Z", false),
        ("2026-01-01T13:00:00.000Z", true),
        ("2026-01-01T22:59:59.999Z", true),
        ("2026-01-01T23:00:00.000Z", false),
        // Friday evening in New York is Saturday in UTC; Sunday evening is Monday.
        ("2026-01-02T22:00:00.000Z", true),
        ("2026-01-03T15:00:00.000Z", false),
        ("2026-01-05T03:00:00.000Z", false),
        // Summer time begins on 8 March at 07:00 UTC: four hours behind.
        ("2026-03-06T12:30:00.000Z", false),
        ("2026-03-09T12:30:00.000Z", true),
        ("2026-07-01T12:00:00.000Z", true),
        ("2026-07-01T22:00:00.000Z", false),
    ] {
        at(time);
        let path = Service::create(&ann, &Service::medium());
        let answer = Service::approve(&bob, &path);
        if open {
            assert_eq!(answer.expect(200)["status"], "approved", "{time}");
        } else {
            let problem = refused(answer, 403, "not_permitted");
            assert_eq!(reasons(&problem), "forbidden by policy `office-hours`", "{time}");
        }
    }
    // What was approved within them may be started outside of them.
    at("2026-07-02T21:59:00.000Z");
    let path = Service::create(&ann, &Service::medium());
    Service::approve(&bob, &path).expect(200);
    at("2026-07-02T23:00:00.000Z");
    start(&ann, &path).expect(200);
}
