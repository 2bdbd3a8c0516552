//! What is known of policies without asking: never more than asking would tell.

use super::*;
use countersign_core::policy::access::{Reference, RequestAttribute};

fn about_approving(effect: &str, rest: &str) -> String {
    format!("@id(\"it\") {effect} (principal, action == Action::\"approve\", resource) {rest};")
}

#[test]
fn an_answer_turns_on_what_policies_about_the_action_look_at() {
    let parts = |access: &Both, action: Action| -> Vec<RequestAttribute> {
        [
            RequestAttribute::Person,
            RequestAttribute::Own,
            RequestAttribute::Channel,
            RequestAttribute::Address,
            RequestAttribute::Time,
            RequestAttribute::Operation,
            RequestAttribute::Instance,
            RequestAttribute::Environment,
            RequestAttribute::Risk,
            RequestAttribute::Cost,
            RequestAttribute::Requester,
        ]
        .into_iter()
        .filter(|part| access.turns_on(action, *part))
        .collect()
    };
    for (condition, expected) in [
        ("true", &[][..]),
        ("principal == Person::\"ann@example.com\"", &[RequestAttribute::Person]),
        ("context.groups.isEmpty()", &[RequestAttribute::Person]),
        ("context.hour == 9 && context.own", &[RequestAttribute::Own, RequestAttribute::Time]),
        ("context has source_ip", &[RequestAttribute::Address]),
        ("resource == Operation::\"x\"", &[RequestAttribute::Operation]),
        ("context.channel == Channel::\"api\"", &[RequestAttribute::Channel]),
        (
            "context.risk == Risk::\"high\" && context.instance == \"x\"",
            &[RequestAttribute::Instance, RequestAttribute::Risk],
        ),
        ("context.requester == principal", &[RequestAttribute::Person, RequestAttribute::Requester]),
    ] {
        let access = valid(&approve_when(condition));
        assert_eq!(parts(&access, Action::Approve), expected, "{condition}");
        assert!(parts(&access, Action::View).is_empty(), "{condition}");
    }
    let in_scope = valid("@id(\"it\") permit (principal in Group::\"approver\", action, resource);");
    assert_eq!(parts(&in_scope, Action::Approve), [RequestAttribute::Person]);
}

const CIRCUMSTANCES: [RequestAttribute; 3] =
    [RequestAttribute::Channel, RequestAttribute::Address, RequestAttribute::Time];
const ALL: [RequestAttribute; 4] =
    [RequestAttribute::Person, RequestAttribute::Channel, RequestAttribute::Address, RequestAttribute::Time];

#[test]
fn what_is_denied_whatever_else_is_put_is_known_from_one_question() {
    let open: [&[RequestAttribute]; 2] = [&CIRCUMSTANCES, &ALL];
    for (text, expected) in [
        (format!("{EVERYTHING}{}", about_approving("forbid", "")), [true, true]),
        (format!("{EVERYTHING}{}", about_approving("forbid", "when { context.hour >= 0 }")), [false, false]),
        (
            format!("{EVERYTHING}{}", about_approving("forbid", "when { principal in Group::\"approver\" }")),
            [true, false],
        ),
        (about_approving("permit", "when { context.own }"), [true, true]),
        (about_approving("permit", "when { context.own && context.hour == 9 }"), [false, false]),
        (about_approving("permit", "when { principal in Group::\"admin\" }"), [true, false]),
        (EVERYTHING.to_owned(), [false, false]),
        // An actor whom the scope leaves out is left out at any time.
        (
            "@id(\"it\") permit (principal in Group::\"admin\", action, resource) when { context.hour == 9 };"
                .to_owned(),
            [true, false],
        ),
        (
            "@id(\"it\") permit (principal in Group::\"approver\", action, resource) when { context.hour == 3 };"
                .to_owned(),
            [false, false],
        ),
        (
            "@id(\"it\") permit (principal, action, resource == Operation::\"x\") when { context.hour == 9 };"
                .to_owned(),
            [true, false],
        ),
    ] {
        let access = parsed(&text);
        let situation = Situation::usual();
        let told = open.map(|open| access.denies_whatever(&situation.access_request(), open));
        assert_eq!(told, expected, "{text}");
    }
}

/// Policies of all kinds, two at a time: what is said to be denied whatever is put is denied then.
#[test]
fn nothing_is_said_to_be_denied_that_an_actor_may() {
    let conditions = [
        "",
        "when { context.hour < 12 }",
        "unless { context.hour < 12 }",
        "when { principal in Group::\"approver\" }",
        "unless { context.groups.contains(\"admin\") && context.channel == Channel::\"local\" }",
        "when { context has source_ip && context.source_ip.isInRange(ip(\"10.0.0.0/8\")) }",
        "unless { context.own }",
        "when { context.source_ip.isLoopback() }",
        "when { [context.own, context.hour == 9].contains(true) && principal == Person::\"eve@example.com\" }",
        "when { context.requester == principal && context.risk == Risk::\"high\" }",
    ];
    let rule = |id: &str, effect: &str, scope: &str, condition: &str| {
        format!("@id(\"{id}\") {effect} ({scope}, action == Action::\"approve\", resource) {condition};\n")
    };
    let situations: Vec<Situation> = ["bob@example.com", "eve@example.com"]
        .into_iter()
        .flat_map(|name| {
            [&["approver"][..], &["admin"], &[]].into_iter().flat_map(move |groups| {
                ["2026-01-30T09:15:00Z", "2026-01-30T21:15:00Z"].into_iter().flat_map(move |time| {
                    [Some("10.1.2.3"), Some("127.0.0.1"), None].into_iter().flat_map(move |source| {
                        [Channel::Api, Channel::Local].map(|channel| {
                            Situation::usual().in_groups(groups).with(|it| {
                                it.actor.person = person(name);
                                it.actor.channel = channel;
                                it.actor.source_ip = source.map(|source| source.parse().unwrap());
                                it.now = at(time);
                            })
                        })
                    })
                })
            })
        })
        .collect();
    let mut told = 0;
    for permit in conditions {
        for forbid in conditions {
            for scope in
                ["principal", "principal in Group::\"approver\"", "principal == Person::\"eve@example.com\""]
            {
                let text = rule("a", "permit", scope, permit) + &rule("b", "forbid", "principal", forbid);
                let access = parsed(&text);
                let permitted: Vec<&Situation> =
                    situations.iter().filter(|it| it.is_permitted_by(&access)).collect();
                for it in &situations {
                    if access.denies_whatever(&it.access_request(), &ALL) {
                        told += 1;
                        assert!(permitted.is_empty(), "{text}");
                    }
                    if access.denies_whatever(&it.access_request(), &CIRCUMSTANCES) {
                        told += 1;
                        let is_same = |other: &&Situation| {
                            (&other.actor.person, &other.actor.groups) == (&it.actor.person, &it.actor.groups)
                        };
                        assert!(!permitted.iter().any(is_same), "{text}");
                    }
                }
            }
        }
    }
    assert!(told > 1000, "{told}");
}

#[test]
fn people_and_operations_are_named_by_policy() {
    let access = valid(
        r#"@id("b") permit (principal == Person::"ann@example.com", action, resource);
           @id("a") forbid (principal, action == Action::"create", resource == Operation::"reboot")
           unless { [Person::"ann@example.com", Person::"service:ci"].contains(principal) };"#,
    );
    let naming = |policy: &str, name: &str| Reference { policy: policy.to_owned(), name: name.to_owned() };
    let people = [("a", "ann@example.com"), ("a", "service:ci"), ("b", "ann@example.com")];
    assert_eq!(access.named_people(), people.map(|(policy, name)| naming(policy, name)));
    assert_eq!(access.named_operations(), [naming("a", "reboot")]);
}

/// No person has such an id, so a policy about it would never hold.
#[test]
fn people_who_cannot_be_are_refused() {
    let text = r#"@id("a") permit (principal, action, resource);

@id("b")
forbid (principal == Person::"Mal@x.org", action, resource) when { principal != Person::"service:ci" };
@id("c")
forbid (principal, action, resource) when { principal == Person::"mal" };"#;
    assert_eq!(
        invalid(text),
        "access.cedar:3:1: for policy `b`: `Person::\"Mal@x.org\"` is nobody (write `Person::\"mal@x.org\"`)\n\
         access.cedar:5:1: for policy `c`: `Person::\"mal\"` is nobody (people are e-mail addresses, services `service:` and the subject of their token)"
    );
}
