//! Cedar and we read, check and answer alike: policies that are made up, and questions around all that they name.

use super::*;
use countersign_access::literals::{Clock, Literals};
use proptest::prelude::*;
use proptest::sample::select;
use std::cell::Cell;

/// An expression of a type, by its text. Now and then it is of another type, and has to be refused by both.
fn boolean(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        select(&["context.own", "true", "false", "principal is Person", "resource is Operation"][..])
            .prop_map(str::to_owned),
        select(&["source_ip", "own", "risk", "hour"][..]).prop_map(|name| format!("context has {name}")),
        (long(1), select(&["==", "!=", "<", "<=", ">", ">="][..]), long(1))
            .prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
        (text(), select(&["==", "!="][..]), text())
            .prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
        (text(), pattern()).prop_map(|(left, pattern)| format!("{left} like \"{pattern}\"")),
        (entity(), select(&["==", "!=", "in"][..]), entity())
            .prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
        (entity(), prop::collection::vec(entity(), 1..3))
            .prop_map(|(left, set)| format!("{left} in [{}]", set.join(", "))),
        (
            amount(),
            select(&["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"][..]),
            amount()
        )
            .prop_map(|(left, method, right)| format!("{left}.{method}({right})")),
        (time(), select(&["==", "<", "<=", ">", ">="][..]), time())
            .prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
        (network(), network())
            .prop_map(|(one, other)| format!("context has source_ip && {one}.isInRange({other})")),
        (network(), select(&["isIpv4", "isIpv6", "isLoopback", "isMulticast"][..]))
            .prop_map(|(one, method)| format!("context has source_ip && {one}.{method}()")),
        (set(), text()).prop_map(|(set, text)| format!("{set}.contains({text})")),
        (set(), select(&["containsAll", "containsAny"][..]), set())
            .prop_map(|(one, method, other)| format!("{one}.{method}({other})")),
        (set(), set()).prop_map(|(one, other)| format!("{one} == {other}")),
        set().prop_map(|set| format!("{set}.isEmpty()")),
        // What makes no sense.
        (text(), long(0)).prop_map(|(left, right)| format!("{left} == {right}")),
        long(0),
        amount(),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    prop_oneof![
        4 => leaf,
        2 => (boolean(depth - 1), boolean(depth - 1)).prop_map(|(one, other)| format!("({one}) && ({other})")),
        2 => (boolean(depth - 1), boolean(depth - 1)).prop_map(|(one, other)| format!("({one}) || ({other})")),
        1 => (boolean(depth - 1), boolean(depth - 1)).prop_map(|(one, other)| format!("{one} && {other}")),
        1 => (boolean(depth - 1), boolean(depth - 1)).prop_map(|(one, other)| format!("{one} || {other}")),
        1 => boolean(depth - 1).prop_map(|one| format!("!({one})")),
        1 => boolean(depth - 1).prop_map(|one| format!("!!({one})")),
        1 => (boolean(depth - 1), boolean(depth - 1), boolean(depth - 1))
            .prop_map(|(condition, one, other)| format!("(if {condition} then {one} else {other})")),
    ]
    .boxed()
}

fn long(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        3 => select(&["context.hour", "context.minute"][..]).prop_map(str::to_owned),
        3 => (-2_i64..61).prop_map(|number| number.to_string()),
        1 => select(&["9223372036854775807", "-9223372036854775808", "9223372036854775808", "- 3", "--3", "-(-4)"][..])
            .prop_map(str::to_owned),
        1 => (time(), select(&["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"][..]))
            .prop_map(|(time, method)| format!("{time}.toTime().{method}()")),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    prop_oneof![
        3 => leaf,
        1 => (long(depth - 1), select(&["+", "-", "*"][..]), long(depth - 1), select(&["+", "-", "*"][..]), long(0))
            .prop_map(|(one, operator, other, second, third)| format!("{one} {operator} {other} {second} {third}")),
        1 => long(depth - 1).prop_map(|one| format!("-{one}")),
    ]
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        select(&["context.operation", "context.instance", "context[\"instance\"]", "context.nothing"][..])
            .prop_map(str::to_owned),
        select(
            &[
                "modify_storage",
                "reboot",
                "production-db-01",
                "Production-db-01",
                "approver",
                "a*b",
                "",
                "\\u{61}x\\n",
                "\\q"
            ][..]
        )
        .prop_map(|text| format!("\"{text}\"")),
    ]
    .boxed()
}

fn pattern() -> BoxedStrategy<String> {
    prop::collection::vec(
        select(&["*", "\\*", "a", "b", "production", "-db-", "01", "modify_", "storage", "o", "\\u{61}"][..]),
        0..5,
    )
    .prop_map(|parts| parts.concat())
    .boxed()
}

fn entity() -> BoxedStrategy<String> {
    select(
        &[
            "principal",
            "resource",
            "action",
            "context.requester",
            "context.risk",
            "context.kind",
            "context.channel",
            "context.weekday",
            "context.environment",
            "Group::\"approver\"",
            "Group::\"admin\"",
            "Group::\"none\"",
            "Person::\"bob@example.com\"",
            "Person::\"ann@example.com\"",
            "Person::\"Ann\"",
            "Risk::\"high\"",
            "Risk::\"hihg\"",
            "Kind::\"human\"",
            "Channel::\"api\"",
            "Weekday::\"friday\"",
            "Environment::\"production\"",
            "Operation::\"modify_storage\"",
            "Service::\"countersign\"",
            "Action::\"approve\"",
            "Action::\"list\"",
        ][..],
    )
    .prop_map(str::to_owned)
    .boxed()
}

fn amount() -> BoxedStrategy<String> {
    prop_oneof![
        Just("context.estimated_cost".to_owned()),
        select(
            &[
                "250.0",
                "249.9999",
                "0.0",
                "-0.5",
                "922337203685477.5807",
                "922337203685477.5808",
                "1",
                "1.00000"
            ][..]
        )
        .prop_map(|amount| format!("decimal(\"{amount}\")")),
    ]
    .boxed()
}

fn time() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("context.time".to_owned()),
        select(
            &[
                "2026-01-30",
                "2026-01-30T09:15:00Z",
                "2026-01-30T09:15:00.001Z",
                "2026-01-30T10:15:00+0100",
                "2026-02-30",
                "2026-01-30T24:00:00Z",
                "1969-12-31T23:59:59.999Z",
                "2026-01-30T09:15:00",
                "0000-01-01",
                "9999-12-31T23:59:59.999-2359",
            ][..],
        )
        .prop_map(|time| format!("datetime(\"{time}\")")),
    ];
    let by = select(&["1d", "-1h30m", "5ms", "9223372036854775807ms", "1m1h", ""][..]);
    prop_oneof![
        4 => leaf.clone(),
        1 => leaf.clone().prop_map(|time| format!("{time}.toDate()")),
        1 => (leaf, by).prop_map(|(time, by)| format!("{time}.offset(duration(\"{by}\"))")),
    ]
    .boxed()
}

fn network() -> BoxedStrategy<String> {
    prop_oneof![
        Just("context.source_ip".to_owned()),
        select(
            &[
                "10.0.0.0/8",
                "10.1.2.3",
                "0.0.0.0/0",
                "::/0",
                "2001:db8::/32",
                "127.0.0.0/8",
                "127.0.0.0/7",
                "::1",
                "10.0.0.0/33",
                "::ffff:10.1.2.3"
            ][..],
        )
        .prop_map(|network| format!("ip(\"{network}\")")),
    ]
    .boxed()
}

fn set() -> BoxedStrategy<String> {
    prop_oneof![
        Just("context.groups".to_owned()),
        prop::collection::vec(text(), 0..3).prop_map(|elements| format!("[{}]", elements.join(", "))),
    ]
    .boxed()
}

fn policy(number: usize) -> BoxedStrategy<String> {
    let principal = select(
        &[
            "principal",
            "principal == Person::\"bob@example.com\"",
            "principal in Group::\"approver\"",
            "principal is Person",
            "principal is Person in Group::\"admin\"",
            "principal == Group::\"approver\"",
            "principal in Person::\"bob@example.com\"",
        ][..],
    );
    let action = select(
        &[
            "action",
            "action == Action::\"approve\"",
            "action in [Action::\"approve\", Action::\"list\"]",
            "action in Action::\"view\"",
            "action in [Action::\"approve\",]",
        ][..],
    );
    let resource = select(
        &[
            "resource",
            "resource == Operation::\"modify_storage\"",
            "resource is Operation",
            "resource is Service",
        ][..],
    );
    let condition = prop_oneof![
        2 => Just(String::new()),
        5 => boolean(3).prop_map(|condition| format!("when {{ {condition} }}")),
        2 => boolean(2).prop_map(|condition| format!("unless {{ {condition} }}")),
        1 => (boolean(1), boolean(1)).prop_map(|(one, other)| format!("when {{ {one} }} unless {{ {other} }}")),
    ];
    (select(&["permit", "permit", "forbid"][..]), principal, action, resource, condition)
        .prop_map(move |(effect, principal, action, resource, condition)| {
            format!("@id(\"p{number}\")\n{effect} ({principal}, {action}, {resource}) {condition};\n")
        })
        .boxed()
}

/// Questions around all that the policies name, of which some are drawn.
fn questions(literals: &Literals, seed: u64) -> Vec<Situation> {
    let wanted = BTreeSet::from([Attribute::Time, Attribute::Hour]);
    let from = at("2026-01-30T09:15:00Z");
    let zone = jiff::tz::TimeZone::UTC;
    let moments: Vec<Timestamp> =
        literals.moments(Clock::of(&wanted), from, &zone).into_iter().take(200).collect();
    let addresses = literals.addresses();
    let costs = literals.costs();
    let names: Vec<String> =
        literals.names("modify_storage").into_iter().filter(|name| !name.is_empty()).take(50).collect();
    let groups: [&[&str]; 5] = [&[], &["approver"], &["admin"], &["approver", "admin"], &["strangers"]];
    let actions: Vec<Action> = Action::iter().collect();
    let mut state = seed;
    let mut draw = |count: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % count
    };
    (0..12)
        .map(|_| {
            let mut situation = Situation::usual().in_groups(groups[draw(5)]);
            situation.action = if draw(2) == 0 { Action::Approve } else { actions[draw(actions.len())] };
            situation.now = moments[draw(moments.len())];
            situation.actor.source_ip = addresses[draw(addresses.len())].map(Into::into);
            situation.estimated_cost = costs[draw(costs.len())];
            situation.operation_type = names[draw(names.len())].clone();
            situation.instance_id = names[draw(names.len())].clone();
            situation.is_own = draw(2) == 0;
            situation.risk_level = [RiskLevel::Low, RiskLevel::High][draw(2)];
            if draw(4) == 0 {
                situation.requested_by = person("bob@example.com");
            }
            if draw(4) == 0 {
                situation.actor.person = person("ann@example.com");
                situation.actor.kind = PrincipalKind::Service;
            }
            situation
        })
        .collect()
}

/// `COUNTERSIGN_POLICIES=200000 cargo test --package countersign-cedar -- made_up` tries as many.
#[expect(clippy::disallowed_methods, reason = "how much is tried is said by who tries")]
fn policies() -> u32 {
    std::env::var("COUNTERSIGN_POLICIES").ok().and_then(|count| count.parse().ok()).unwrap_or(60)
}

#[test]
fn made_up_policies_are_read_checked_and_answered_alike() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: policies(),
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let (accepted, permitted) = (Cell::new(0_u32), Cell::new(0_u32));
    let strategy =
        ((1_usize..3).prop_flat_map(|count| (0..count).map(policy).collect::<Vec<_>>()), any::<u64>());
    let result = runner.run(&strategy, |(policies, seed)| {
        let text = policies.concat();
        let cedar = CedarPolicies::parse("access.cedar", &text, &groups(), "UTC");
        let is_valid = cedar.as_ref().is_ok_and(|cedar| cedar.validate().is_ok());
        let ours = Access::parse("access.cedar", &text, &groups(), "UTC");
        let is_ours = ours.as_ref().is_ok_and(|ours| ours.check().is_ok());
        prop_assert!(
            is_valid || !is_ours,
            "accepted here alone: {}\n{:?}",
            text,
            cedar.map(|cedar| cedar.validate())
        );
        // A name or a value that cannot be is refused here even where no question would meet it.
        prop_assert!(
            is_ours || !is_valid || ours.is_err(),
            "refused here alone: {}\n{:?}",
            text,
            ours.map(|ours| ours.check())
        );
        let (Ok(cedar), Ok(ours)) = (cedar, ours) else { return Ok(()) };
        accepted.set(accepted.get() + u32::from(is_valid));
        // Policies that do not fit the schema are not in force anywhere; those that do are asked.
        if is_valid {
            for situation in questions(&ours.literals(), seed) {
                let request = situation.access_request();
                let answer = ours.answer(&request);
                permitted.set(permitted.get() + u32::from(answer.is_permitted()));
                prop_assert_eq!(answer, cedar.answer(&request), "{:?}\n{}", request, text);
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let (accepted, permitted) = (accepted.get(), permitted.get());
    assert!(
        accepted > policies() / 20 && permitted > policies() / 10,
        "{accepted} accepted, {permitted} permitted"
    );
}

/// What Cedar reads and means nothing here: it is refused, and not read as something else.
#[test]
fn what_the_schema_gives_no_use_for_is_refused() {
    for condition in [
        "(if true then context else context).hour == 9",
        "[context].isEmpty()",
        "context == { own: true }",
        "{ a: 1 }.a == 1",
        "principal.hasTag(\"a\")",
        "principal has a",
        "context has nothing",
        "context has own.a",
        "Cedar::Person::\"a\" == principal",
        "principal is Cedar::Person",
    ] {
        let text = approve_when(condition);
        let ours = Access::parse("access.cedar", &text, &groups(), "UTC").and_then(|ours| ours.check());
        assert!(ours.is_err(), "{condition}");
    }
    let template = Access::parse(
        "access.cedar",
        "@id(\"a\") permit (principal == ?principal, action, resource);",
        &groups(),
        "UTC",
    );
    assert!(template.unwrap_err().to_string().contains("policy template"));
}

#[test]
fn what_comes_second_is_not_evaluated_where_the_first_decides() {
    let overflow = "9223372036854775807 + context.hour == 0";
    for condition in [
        format!("context.own || {overflow}"),
        format!("!(!context.own && {overflow})"),
        format!("if context.own then true else {overflow}"),
    ] {
        let access = valid(&approve_when(&condition));
        let own = Situation::usual().with(|it| it.is_own = true);
        assert!(own.is_permitted_by(&access), "{condition}");
        let failed = Situation::usual().put_to(&access);
        let reasons = ["policy `it` in access.cedar cannot be evaluated"];
        assert_eq!(failed, AccessDecision::Denied(reasons.map(str::to_owned).into()), "{condition}");
    }
}
