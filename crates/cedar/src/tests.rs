//! What the policies of this crate and small ones of these tests answer.

mod both;
mod equality;
mod inspection;
mod oddities;
mod reasons;
mod refused;
mod spelling;

use crate::CedarPolicies;
use both::Both;
use countersign_access::{Access, Attribute, BUNDLED, InvalidAccess, Warning};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::person::PersonId;
use countersign_core::policy::access::{
    AccessDecision, AccessRequest, Action, Authorizer, Reference, RequestAttribute, Subject,
};
use countersign_core::principal::Principal;
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;
use std::net::IpAddr;
use strum::IntoEnumIterator;

const GROUPS: [&str; 7] = ["admin", "agent", "approver", "auditor", "developer", "executor", "guest"];

/// A permit for everybody, to be cut down by a `forbid`.
const EVERYTHING: &str = "@id(\"everything\") permit (principal, action, resource);\n";

/// Everything that a question can say. Each test changes what it is about.
#[derive(Clone)]
struct Situation {
    action: Action,
    actor: Principal,
    operation_type: String,
    instance_id: String,
    environment: Environment,
    risk_level: RiskLevel,
    estimated_cost: Option<Cost>,
    requested_by: PersonId,
    is_own: bool,
    now: Timestamp,
}

impl Situation {
    /// Bob the approver looks at what Ann asked for, on a Friday, from 10.1.2.3.
    fn usual() -> Self {
        let mut actor =
            Principal::assumed(person("bob@example.com"), PrincipalKind::Human, Channel::Api, ["approver"]);
        actor.source_ip = Some("10.1.2.3".parse().unwrap());
        Self {
            action: Action::Approve,
            actor,
            operation_type: "modify_storage".to_owned(),
            instance_id: "production-db-01".to_owned(),
            environment: Environment::Production,
            risk_level: RiskLevel::High,
            estimated_cost: Some(Cost::new(250.0).unwrap()),
            requested_by: person("ann@example.com"),
            is_own: false,
            now: at("2026-01-30T09:15:00Z"),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn in_groups(self, groups: &[&str]) -> Self {
        self.with(|it| it.actor.groups = groups.iter().copied().map(str::to_owned).collect())
    }

    fn access_request(&self) -> AccessRequest<'_> {
        let subject = Subject {
            operation_type: &self.operation_type,
            instance_id: &self.instance_id,
            environment: self.environment,
            risk_level: self.risk_level,
            estimated_cost: self.estimated_cost,
            requested_by: &self.requested_by,
        };
        let subject = self.action.is_of_request().then_some(subject);
        AccessRequest { action: self.action, actor: &self.actor, subject, is_own: self.is_own, now: self.now }
    }

    fn put_to(&self, access: &Both) -> AccessDecision {
        access.answer(&self.access_request())
    }

    fn is_permitted_by(&self, access: &Both) -> bool {
        self.put_to(access) == AccessDecision::Permitted
    }
}

fn person(email: &str) -> PersonId {
    PersonId::from_email(email).unwrap()
}

fn at(time: &str) -> Timestamp {
    Timestamp::parse(time).unwrap()
}

fn groups() -> BTreeSet<String> {
    GROUPS.map(str::to_owned).into()
}

fn parsed(text: &str) -> Both {
    Both::parse("access.cedar", text, &groups(), "UTC").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Policies that fit the schema without a warning.
fn valid(text: &str) -> Both {
    let access = parsed(text);
    assert_eq!(access.validate(), Ok(Vec::new()), "{text}");
    access
}

/// Permits to approve on one condition.
fn approve_when(condition: &str) -> String {
    format!("@id(\"it\") permit (principal, action == Action::\"approve\", resource) when {{ {condition} }};")
}

fn refused(text: &str) -> String {
    let error = Both::parse("access.cedar", text, &groups(), "UTC").unwrap_err();
    error.to_string()
}

fn invalid(text: &str) -> String {
    parsed(text).validate().unwrap_err().to_string()
}

fn denied(reason: &str) -> AccessDecision {
    AccessDecision::Denied(vec![reason.to_owned()])
}

// --- The policies that come with Countersign --------------------------------------------------------

#[test]
fn the_bundled_policies_answer_by_group_and_ownership() {
    const EVERY_ACTION: &str = "create view view_parameters audit comment approve reject cancel execute claim administer list query_audit manage_webhooks";
    // Who; with a request of their own; with another person's.
    let table = [
        ("developer", "create view view_parameters audit comment cancel execute list", ""),
        (
            "approver",
            "view view_parameters audit comment approve reject list",
            "view view_parameters audit comment approve reject list",
        ),
        (
            "auditor",
            "view view_parameters audit list query_audit",
            "view view_parameters audit list query_audit",
        ),
        ("admin", EVERY_ACTION, EVERY_ACTION),
        ("guest", "view view_parameters audit list", "view list"),
        ("agent", "create view view_parameters audit comment cancel execute list", ""),
        ("executor", "view view_parameters audit claim list", "view view_parameters claim list"),
        // These are asked only of actors who were permitted to `view`.
        ("", "view_parameters audit", ""),
        ("developers", "view_parameters audit", ""),
    ];
    let access = valid(BUNDLED);
    for (group, own, others) in table {
        for (is_own, expected) in [(true, own), (false, others)] {
            let situation = Situation::usual().in_groups(&[group]).with(|it| it.is_own = is_own);
            let permitted: Vec<&str> = Action::iter()
                .filter(|action| situation.clone().with(|it| it.action = *action).is_permitted_by(&access))
                .map(Action::as_str)
                .collect();
            assert_eq!(permitted.join(" "), expected, "{group}, own: {is_own}");
        }
    }
}

#[test]
fn groups_add_up() {
    let access = valid(BUNDLED);
    let both = Situation::usual().in_groups(&["developer", "guest"]);
    assert!(both.clone().with(|it| it.action = Action::View).is_permitted_by(&access));
    let create = both.with(|it| (it.action, it.is_own) = (Action::Create, true));
    assert!(create.is_permitted_by(&access));
}

#[test]
fn the_examples_in_the_bundled_policies_are_valid() {
    let examples = BUNDLED.split_once("--- Examples").unwrap().1;
    let mut text = String::new();
    let mut is_policy = false;
    for line in examples.lines().map(|line| line.trim_start_matches("//")) {
        is_policy |= line.starts_with(" @id(");
        if is_policy {
            text.push_str(line);
            text.push('\n');
        }
        is_policy &= !line.ends_with(';');
    }
    assert_eq!(text.matches("@id").count(), 5);
    let groups = groups().into_iter().chain(["finance".to_owned()]).collect();
    let access = Both::parse("examples", &format!("{BUNDLED}{text}"), &groups, "Europe/Vienna").unwrap();
    assert_eq!(access.validate(), Ok(Vec::new()));
    assert!(Situation::usual().is_permitted_by(&access));
    let at_night = Situation::usual().with(|it| it.now = at("2026-01-30T20:00:00Z"));
    assert_eq!(at_night.put_to(&access), denied("forbidden by policy `office-hours`"));
    // An actor who may not by day either gets that reason at night, too.
    let reasons = ["no policy permits `approve` to group guest", "forbidden by policy `office-hours`"];
    let guest = at_night.in_groups(&["guest"]);
    assert_eq!(guest.put_to(&access), AccessDecision::Denied(reasons.map(str::to_owned).into()));
    let from_elsewhere =
        Situation::usual().with(|it| it.actor.source_ip = Some("192.0.2.1".parse().unwrap()));
    assert_eq!(from_elsewhere.put_to(&access), denied("forbidden by policy `company-networks`"));
    let finance = Situation::usual().in_groups(&["finance"]);
    assert!(finance.is_permitted_by(&access));
    assert!(!finance.with(|it| it.estimated_cost = None).is_permitted_by(&access));
}

// --- What a policy can ask for ----------------------------------------------------------------------

type Change = fn(&mut Situation);

#[test]
fn every_attribute_decides() {
    let cases: [(&str, &str, Change); 15] = [
        ("operation", r#"context.operation like "modify_*""#, |it| it.operation_type = "reboot".to_owned()),
        ("instance", r#"context.instance == "production-db-01""#, |it| it.instance_id = "x".to_owned()),
        ("environment", r#"context.environment == Environment::"production""#, |it| {
            it.environment = Environment::NonProduction;
        }),
        ("risk", r#"context.risk == Risk::"high""#, |it| it.risk_level = RiskLevel::Low),
        ("estimated_cost", r#"context.estimated_cost.lessThanOrEqual(decimal("250.0"))"#, |it| {
            it.estimated_cost = Some(Cost::new(250.000_01).unwrap());
        }),
        ("requester", r#"context.requester == Person::"ann@example.com""#, |it| {
            it.requested_by = person("eve@example.com");
        }),
        ("own", "!context.own", |it| it.is_own = true),
        ("groups", r#"context.groups.contains("approver")"#, |it| it.actor.groups.clear()),
        ("kind", r#"context.kind == Kind::"human""#, |it| it.actor.kind = PrincipalKind::Service),
        ("channel", r#"context.channel == Channel::"api""#, |it| it.actor.channel = Channel::Direct),
        ("source_ip", r#"context has source_ip && context.source_ip == ip("10.1.2.3")"#, |it| {
            it.actor.source_ip = Some("10.1.2.4".parse().unwrap());
        }),
        ("time", r#"context.time < datetime("2026-01-30T09:15:00.001Z")"#, |it| {
            it.now = at("2026-01-30T09:15:00.001Z");
        }),
        ("weekday", r#"context.weekday == Weekday::"friday""#, |it| it.now = at("2026-01-31T09:15:00Z")),
        ("hour", "context.hour == 9", |it| it.now = at("2026-01-30T10:15:00Z")),
        ("minute", "context.minute == 15", |it| it.now = at("2026-01-30T09:16:00Z")),
    ];
    assert!(Attribute::iter().map(<&str>::from).eq(cases.map(|(name, _, _)| name)));
    for (name, condition, change) in cases {
        let access = valid(&approve_when(condition));
        assert!(Situation::usual().is_permitted_by(&access), "{name}");
        assert!(!Situation::usual().with(change).is_permitted_by(&access), "{name}");
    }
}

#[test]
fn principal_and_resource_decide() {
    let access = valid(
        r#"@id("it") permit (principal == Person::"bob@example.com", action, resource == Operation::"modify_storage");"#,
    );
    assert!(Situation::usual().is_permitted_by(&access));
    assert!(!Situation::usual().with(|it| it.operation_type = "reboot".to_owned()).is_permitted_by(&access));
    let eve = Situation::usual().with(|it| it.actor.person = person("eve@example.com"));
    assert!(!eve.is_permitted_by(&access));
}

#[test]
fn questions_are_as_the_schema_says() {
    // `context` as a whole: everything is wanted.
    let access = parsed(r#"@id("it") permit (principal, action, resource) when { [context].isEmpty() };"#);
    for action in Action::iter() {
        let situation = Situation::usual().with(|it| it.action = action);
        access
            .conforms(&situation.access_request())
            .unwrap_or_else(|error| panic!("{}: {error}", action.as_str()));
        let anonymous = situation.with(|it| it.actor.source_ip = None);
        access
            .conforms(&anonymous.access_request())
            .unwrap_or_else(|error| panic!("{}: {error}", action.as_str()));
    }
}

#[test]
fn an_attribute_is_there_however_its_name_is_spelt() {
    for condition in [
        r#"context["hour"] == 9"#,
        r#"context["h\u{6f}ur"] == 9"#,
        "context has hour && context.hour == 9",
        "(context).hour == 9",
        r#"context has "h\u{6f}ur""#,
        r#"context.instance != "//" && context.hour == 9"#,
        r#"context.instance != "\"//" && context.hour == 9"#,
        "// one \" quote\ncontext.hour == 9",
        "// a return\rcontext.hour == 9",
        "context // of what\n.hour == 9",
    ] {
        assert!(Situation::usual().is_permitted_by(&parsed(&approve_when(condition))), "{condition}");
    }
}

#[test]
fn address_ranges() {
    let inside = valid(&format!(
        "{EVERYTHING} @id(\"it\") forbid (principal, action == Action::\"approve\", resource) unless {{
            context has source_ip && (context.source_ip.isInRange(ip(\"10.0.0.0/8\"))
                || context.source_ip.isInRange(ip(\"2001:db8::/32\")) || context.source_ip.isLoopback()) }};"
    ));
    for (address, is_permitted) in [
        ("10.0.0.0", true),
        ("10.255.255.255", true),
        ("11.0.0.0", false),
        ("::ffff:10.1.2.3", true),
        ("::ffff:11.1.2.3", false),
        ("::10.1.2.3", false),
        ("64:ff9b::10.1.2.3", false),
        ("2001:db8:ffff::1", true),
        ("2001:db9::1", false),
        ("::1", true),
        ("127.0.0.1", true),
        ("::", false),
        ("fe80:1234:5678:9abc:def0:1234:5678:9abc", false),
    ] {
        let situation = Situation::usual().with(|it| it.actor.source_ip = Some(address.parse().unwrap()));
        let expected =
            if is_permitted { AccessDecision::Permitted } else { denied("forbidden by policy `it`") };
        assert_eq!(situation.put_to(&inside), expected, "{address}");
    }
    let nowhere = Situation::usual().with(|it| it.actor.source_ip = None);
    assert_eq!(nowhere.put_to(&inside), denied("forbidden by policy `it`"));
}

#[test]
fn clocks_change() {
    let office_hours =
        approve_when(r#"context.hour >= 8 && context.hour < 18 && context.weekday != Weekday::"saturday""#);
    let access = Both::parse("access.cedar", &office_hours, &groups(), "Europe/Vienna").unwrap();
    for (time, is_permitted) in [
        ("2026-01-30T16:59:00Z", true),  // 17:59 in winter
        ("2026-01-30T17:00:00Z", false), // 18:00
        ("2026-07-30T15:59:00Z", true),  // 17:59 in summer
        ("2026-07-30T16:00:00Z", false), // 18:00
        ("2026-01-30T06:59:00Z", false), // 7:59
        ("2026-01-30T07:00:00Z", true),  // 8:00
        ("2026-01-31T09:00:00Z", false), // Saturday
        ("9999-12-30T22:00:00Z", false), // 23:00, the last moment there is
    ] {
        let situation = Situation::usual().with(|it| it.now = at(time));
        assert_eq!(situation.is_permitted_by(&access), is_permitted, "{time}");
    }
    // At one in the morning UTC on the last Sunday of March, two o'clock is skipped.
    let three = approve_when("context.hour == 3 && context.minute == 0");
    let access = Both::parse("access.cedar", &three, &groups(), "Europe/Vienna").unwrap();
    assert!(Situation::usual().with(|it| it.now = at("2026-03-29T01:00:00Z")).is_permitted_by(&access));
    // Sunday begins an hour before it does in UTC.
    let sunday = approve_when(r#"context.weekday == Weekday::"sunday""#);
    let access = Both::parse("access.cedar", &sunday, &groups(), "Europe/Vienna").unwrap();
    assert!(Situation::usual().with(|it| it.now = at("2026-01-31T23:00:00Z")).is_permitted_by(&access));
    assert!(!Situation::usual().with(|it| it.now = at("2026-01-31T22:59:59Z")).is_permitted_by(&access));
}

#[test]
fn time_zones_have_names() {
    for name in ["UTC", "Europe/Vienna", "America/New_York", "Asia/Kathmandu"] {
        assert!(Both::parse("access.cedar", BUNDLED, &groups(), name).is_ok(), "{name}");
    }
    for name in ["", "Europe/Wien\n", "CET-1", "+01:00", "Mars/Olympus", "Etc/Unknown", "../../etc/passwd"] {
        let error = Both::parse("access.cedar", BUNDLED, &groups(), name).unwrap_err();
        assert_eq!(error, InvalidAccess::TimeZone(name.to_owned()));
        assert_eq!(error.to_string(), format!("there is no time zone `{}`", name.escape_debug()));
    }
}

#[test]
fn a_cost_that_is_left_out_is_above_every_amount() {
    let access = valid(&approve_when(r#"context.estimated_cost.lessThan(decimal("922337203685477.5807"))"#));
    let asks = |cost: Option<f64>| {
        let cost = cost.map(|amount| Cost::new(amount).unwrap());
        Situation::usual().with(|it| it.estimated_cost = cost).is_permitted_by(&access)
    };
    assert!(asks(Some(0.0)) && asks(Some(1e-6)) && asks(Some(9e14)));
    assert!(!asks(None) && !asks(Some(1e15)));
}

// --- Doubt ------------------------------------------------------------------------------------------

#[test]
fn a_policy_that_fails_denies() {
    for effect in ["permit", "forbid"] {
        let access = parsed(&format!(
            "{EVERYTHING} @id(\"it\") {effect} (principal, action == Action::\"approve\", resource)
             when {{ context.source_ip.isInRange(ip(\"10.0.0.0/8\")) }};"
        ));
        let nowhere = Situation::usual().with(|it| it.actor.source_ip = None);
        assert_eq!(
            nowhere.put_to(&access),
            denied("policy `it` in access.cedar cannot be evaluated"),
            "{effect}"
        );
        // It is about another action: there is no doubt.
        assert!(nowhere.with(|it| it.action = Action::Reject).is_permitted_by(&access), "{effect}");
        assert_eq!(Situation::usual().is_permitted_by(&access), effect == "permit");
    }
}

#[test]
fn failures_and_forbids_are_all_named() {
    let access = parsed(
        r#"@id("z") forbid (principal, action, resource);
           @id("a") forbid (principal, action, resource);
           @id("n") permit (principal, action, resource) when { -9223372036854775807 - 2 == 0 };
           @id("b") forbid (principal, action, resource) when { 9223372036854775807 + 1 == 0 };"#,
    );
    let reasons = [
        "policy `b` in access.cedar cannot be evaluated",
        "policy `n` in access.cedar cannot be evaluated",
        "forbidden by policy `a`",
        "forbidden by policy `z`",
    ];
    assert_eq!(Situation::usual().put_to(&access), AccessDecision::Denied(reasons.map(str::to_owned).into()));
}

#[test]
fn a_question_that_makes_no_sense_is_denied() {
    let access = valid(EVERYTHING);
    let situation = Situation::usual();
    let untargeted = AccessRequest { subject: None, ..situation.access_request() };
    let list_of_one = AccessRequest { action: Action::List, ..situation.access_request() };
    for access_request in [untargeted, list_of_one] {
        assert_eq!(
            access.answer(&access_request),
            denied("this access_request cannot be put to access.cedar")
        );
    }
}

#[test]
fn reasons_name_the_groups_that_count() {
    let access = valid(BUNDLED);
    for (groups, reason) in [
        (&["developer"][..], "no policy permits `approve` to group developer"),
        (&["guest", "developer"], "no policy permits `approve` to groups developer, guest"),
        (&["developer", "wheel"], "no policy permits `approve` to group developer"),
        (&["wheel"], "no policy permits `approve` to somebody without a group"),
        (&[], "no policy permits `approve` to somebody without a group"),
    ] {
        assert_eq!(Situation::usual().in_groups(groups).put_to(&access), denied(reason));
    }
}

#[test]
fn unconfigured_groups_do_not_exist() {
    let access = parsed(
        r#"@id("a") permit (principal in Group::"wheel", action, resource);
           @id("b") permit (principal, action, resource is Operation) when { context.groups.contains("wheel") };"#,
    );
    assert!(!Situation::usual().in_groups(&["wheel"]).is_permitted_by(&access));
}

#[test]
fn hostile_texts_are_only_texts() {
    let access = valid(BUNDLED);
    let exact = parsed(&approve_when(r#"context.instance like "*" && resource == Operation::"\"::\u{0}é""#));
    for text in [
        "\"",
        "\\",
        "\"; permit (principal, action, resource); //",
        "Operation::\"modify_storage\"",
        "::",
        "\u{0}",
        "\u{202e}evil",
        "é\u{301}\n\r\t",
        "*",
        "",
        "{\"__extn\": {\"fn\": \"ip\", \"arg\": \"10.0.0.1\"}}",
        "approver\", \"admin",
        "Group::\"admin\"",
    ] {
        let hostile = Situation::usual().with(|it| {
            (it.operation_type, it.instance_id) = (text.to_owned(), text.to_owned());
        });
        assert!(hostile.is_permitted_by(&access), "{text}");
        assert!(!hostile.is_permitted_by(&exact), "{text}");
        let stranger = hostile.in_groups(&[text]);
        assert_eq!(
            stranger.put_to(&access),
            denied("no policy permits `approve` to somebody without a group"),
            "{text}"
        );
    }
    assert!(Situation::usual().with(|it| it.operation_type = "\"::\0é".to_owned()).is_permitted_by(&exact));
}

// --- What is refused --------------------------------------------------------------------------------

/// What may be written is read, checked and evaluated on the stack of any thread; what is deeper is refused
/// before Cedar sees it.
#[test]
fn the_deepest_policies_there_may_be_are_evaluated() {
    const STACK_BYTES: usize = 2 * 1024 * 1024;
    let chain = |count: usize, part: &str| format!("{}true", part.repeat(count));
    for condition in [
        chain(198, "context.own && "),
        format!("context.own && ({})", chain(196, "context.instance == \"a\" || ")),
        format!("{}context.own{}", "(".repeat(31), ")".repeat(31)),
        format!("{}true", "if context.own then true else ".repeat(198)),
        format!("context.hour < 100{}", " + 1".repeat(198)),
        format!("{}{}{}", "(".repeat(31), chain(198, "context.own && "), ")".repeat(31)),
    ] {
        let text = approve_when(&condition);
        let evaluated = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            let access = parsed(&text);
            access.validate().unwrap();
            Situation::usual().with(|it| it.is_own = true).is_permitted_by(&access)
        });
        assert!(evaluated.unwrap().join().unwrap(), "{condition}");
    }
    for (condition, rule) in [
        (chain(201, "context.own && "), "more than 200 operators"),
        ("(".repeat(100_000), "nested deeper than 32"),
        ("[".repeat(100_000), "nested deeper than 32"),
        ("{a:".repeat(100_000), "nested deeper than 32"),
        (format!("context{}", ".a".repeat(100_000)), "more than 1000 attributes"),
        ("if true then true else ".repeat(100_000), "more than 200 operators"),
    ] {
        let said = refused(&approve_when(&condition));
        assert!(said.starts_with("access.cedar:1:") && said.contains(rule), "{said}");
    }
}
