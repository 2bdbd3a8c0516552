//! What is odd about policies that fit their schema.

use super::{BUNDLED, EVERYTHING, parsed, valid};
use countersign_core::policy::finding::Name;
use countersign_core::timestamp::Timestamp;

/// A `forbid` of approvals and creations: a freeze.
fn freeze(condition: &str) -> String {
    format!(
        "{EVERYTHING}@id(\"it\")\nforbid (principal, action in [Action::\"approve\", Action::\"create\"], resource is Operation) {condition};"
    )
}

fn names(text: &str) -> Vec<&'static str> {
    parsed(text).lint(Timestamp::EARLIEST).iter().map(|warning| warning.name.into()).collect()
}

fn found(condition: &str) -> Vec<&'static str> {
    valid(&freeze(&format!("when {{ {condition} }}")));
    names(&freeze(&format!("when {{ {condition} }}")))
}

/// THREATS 66.
#[test]
fn threat_66_a_freeze_that_can_never_hold_is_found() {
    for condition in [
        "context.hour >= 22 && context.hour < 6",
        "context.hour > 8 && context.hour < 9",
        "context.hour == 8 && context.hour == 9",
        "context.minute >= 30 && context.minute < 30",
        "context.hour == 7 && context.minute > 45 && context.hour * 60 + context.minute < 7 * 60",
        "context.weekday == Weekday::\"saturday\" && context.weekday == Weekday::\"sunday\"",
        "context.time >= datetime(\"2027-01-07\") && context.time < datetime(\"2026-12-19\")",
        "context.time >= datetime(\"2026-12-25T00:00:00Z\") && context.time < datetime(\"2026-12-26T00:00:00Z\") && context.weekday == Weekday::\"monday\"",
        "context.time.toTime() >= duration(\"22h\") && context.time.toTime() < duration(\"6h\")",
        "context.environment == Environment::\"production\" && context.environment == Environment::\"non-production\"",
        "context.risk == Risk::\"high\" && context.risk == Risk::\"low\"",
        "context.kind == Kind::\"agent\" && context.kind == Kind::\"human\"",
        "context.channel == Channel::\"api\" && context.channel == Channel::\"direct\"",
        "context.estimated_cost.greaterThan(decimal(\"500.0\")) && context.estimated_cost.lessThan(decimal(\"100.0\"))",
        "context.estimated_cost.greaterThan(decimal(\"500.0\")) && context.estimated_cost.lessThanOrEqual(decimal(\"500.0\"))",
        "context.estimated_cost.lessThan(decimal(\"0.0\"))",
        "context.instance == \"orders-db\" && context.instance == \"payments-db\"",
        "context.instance like \"prod-*\" && context.instance == \"dev-db\"",
        "context.instance like \"prod-*\" && context.instance like \"dev-*\"",
        "resource == Operation::\"reboot\" && context.operation == \"failover\"",
        "principal in Group::\"guest\" && !(principal in Group::\"guest\")",
        "principal in Group::\"guest\" && !(context.groups.contains(\"guest\"))",
        "principal == Person::\"ann@example.com\" && principal == Person::\"bob@example.com\"",
        "context has source_ip && context.source_ip.isInRange(ip(\"10.0.0.0/8\")) && context.source_ip.isInRange(ip(\"192.0.2.0/24\"))",
        "context has source_ip && context.source_ip.isInRange(ip(\"10.1.0.0/16\")) && !(context.source_ip.isInRange(ip(\"10.0.0.0/8\")))",
    ] {
        assert_eq!(found(condition), ["policy-never-holds"], "{condition}");
    }
    let shifted = "when { context.hour >= 22 } unless { context.hour >= 6 }";
    assert_eq!(names(&freeze(shifted)), ["policy-never-holds"]);
    for condition in ["context.hour == 24", "context.hour < 0", "context.minute >= 60", "24 <= context.hour"]
    {
        assert_eq!(found(condition), ["policy-never-holds", "impossible-number"], "{condition}");
    }
    let warning = parsed(&freeze("when { context.hour >= 22 && context.hour < 6 }"))
        .lint(Timestamp::EARLIEST)
        .remove(0)
        .to_string();
    assert!(
        warning.starts_with("access.cedar:2:1: policy `it` can never hold, and forbids nothing"),
        "{warning}"
    );
}

#[test]
fn what_can_hold_is_left_alone() {
    for condition in [
        "context.time >= datetime(\"2027-02-28T22:30:00Z\") && context.time < datetime(\"2027-02-28T22:45:00Z\") && context.minute == 37",
        "!context.groups.isEmpty()",
        "context.own || !context.groups.isEmpty()",
        "context.hour >= 22 || context.hour < 6",
        "context.hour >= 22 && context.hour < 24",
        "context.hour == 8 && context.minute == 59",
        "context.hour * 60 + context.minute >= 510 && context.hour * 60 + context.minute < 511",
        "context.weekday == Weekday::\"sunday\" && context.hour == 3 && context.minute == 17",
        "context.time >= datetime(\"2026-12-19T00:00:00+0100\") && context.time < datetime(\"2026-12-19T00:00:00.001+0100\")",
        "context.time >= datetime(\"2026-12-25\") && context.time < datetime(\"2026-12-26\") && context.weekday == Weekday::\"friday\" && context.hour == 23",
        "context.time < datetime(\"1999-01-01\") && context.weekday == Weekday::\"monday\"",
        "context.time.toTime() >= duration(\"22h\") && context.time.toTime() < duration(\"22h1ms\")",
        "context.time.offset(duration(\"1h\")) > datetime(\"2030-01-01\")",
        "context.estimated_cost.greaterThan(decimal(\"500.0\")) && context.estimated_cost.lessThan(decimal(\"500.0002\"))",
        "context.estimated_cost.greaterThan(decimal(\"922337203685477.5806\"))",
        "context.instance like \"pay*\" && context.instance like \"*-db\" && context.instance != \"pay-db\"",
        "context.instance like \"prod-*\" && !(context.instance like \"prod-a*\")",
        "[\"reboot\", \"failover\"].contains(context.operation) && context.operation != \"reboot\"",
        "principal in Group::\"guest\" && principal in Group::\"auditor\" && !(principal in Group::\"admin\")",
        "context.requester == Person::\"ann@example.com\" && principal != context.requester",
        "context.requester == principal",
        "context has source_ip && context.source_ip.isInRange(ip(\"10.0.0.0/8\")) && !(context.source_ip.isInRange(ip(\"10.0.0.0/9\")))",
        "context has source_ip && context.source_ip.isLoopback()",
        "!(context has source_ip)",
        "context.own",
    ] {
        assert_eq!(found(condition), Vec::<&str>::new(), "{condition}");
    }
    assert_eq!(names(BUNDLED), Vec::<&str>::new());
    // A request that is asked for is the asker's own.
    let others = |action: &str| {
        names(&format!(
            "{EVERYTHING}@id(\"it\") forbid (principal, action == Action::\"{action}\", resource) unless {{ context.own }};"
        ))
    };
    assert_eq!(others("create"), ["policy-never-holds"]);
    assert_eq!(others("view"), Vec::<&str>::new());
    assert_eq!(others("list"), Vec::<&str>::new());
}

#[test]
fn texts_and_numbers_that_cannot_be_are_found_beside_what_can() {
    for (condition, expected) in [
        ("context.hour == 24 || context.hour < 6", &["impossible-number"][..]),
        ("[22, 23, 24].contains(context.hour)", &["impossible-number"]),
        ("context.instance == \"payments-*\" || context.own", &["impossible-text"]),
        ("[\"payments-*\", \"orders-db\"].contains(context.instance)", &["impossible-text"]),
        ("context.instance like \"payments-\\*\" || context.own", &["impossible-text"]),
        ("context.instance like \"payments-*\" || context.own", &[]),
        ("context.hour >= 22 || context.hour > 24", &["impossible-number"]),
        ("context.minute < 61 && context.hour < 24", &["impossible-number"]),
        ("context.instance == \"orders db\" || context.own", &["impossible-text"]),
        ("[\"orders-db\", \"\"].contains(context.instance)", &["impossible-text"]),
        ("context.operation like \"*_größe\" || context.own", &["impossible-text"]),
        ("context.groups.contains(\"nobody\") || context.own", &["impossible-text"]),
        ("context.groups.containsAny([\"guest\", \"Guest\"])", &["impossible-text"]),
        ("context.instance == \"Payments-db\"", &["capitals-in-name"]),
        ("context.instance like \"PROD-*\"", &["capitals-in-name"]),
        ("resource == Operation::\"Reboot\"", &["capitals-in-name"]),
        ("[\"rds:Reboot\", \"reboot\"].contains(context.operation)", &["capitals-in-name"]),
        ("[\"Reboot\", \"reboot\"].contains(context.operation)", &[]),
        ("context.instance == \"Payments-db\" || context.instance == \"payments-db\"", &[]),
    ] {
        assert_eq!(found(condition), expected, "{condition}");
    }
    let nameless = format!(
        "{EVERYTHING}@id(\"it\") forbid (principal, action == Action::\"create\", resource == Operation::\"drop it\");"
    );
    assert_eq!(names(&nameless), ["policy-never-holds", "impossible-text"]);
}

#[test]
fn threat_66_each_alternative_of_a_freeze_is_looked_at_by_itself() {
    for (condition, which) in [
        ("context.weekday == Weekday::\"friday\" || (context.hour >= 22 && context.hour < 6)", "2nd of 2"),
        ("(context.hour >= 22 && context.hour < 6) || context.own || context.hour == 3", "1st of 3"),
        ("context.own && (context.hour == 3 || (context.hour == 4 && context.hour == 5))", "2nd of 2"),
        (
            "context.own || (context.hour == 3 && (context.minute == 7 && context.minute == 8 || context.minute == 7))",
            "1st of 2",
        ),
    ] {
        let text = freeze(&format!("when {{ {condition} }}"));
        let found = parsed(&text).lint(Timestamp::EARLIEST);
        let warning = found.iter().find(|found| found.name == Name::PolicyNeverHolds).expect(condition);
        assert!(warning.reason.contains(&format!("its {which}")), "{condition}: {}", warning.reason);
    }
    for condition in [
        "context.hour >= 22 || context.hour < 6",
        "!(context.hour >= 22 && context.hour < 6 || context.own)",
        "context.weekday == Weekday::\"saturday\" || context.weekday == Weekday::\"sunday\"",
    ] {
        assert_eq!(found(condition), Vec::<&str>::new(), "{condition}");
    }
}

#[test]
fn threat_66_a_freeze_whose_dates_are_over_is_found() {
    let now = super::at("2026-11-26T10:00:00Z");
    let names = |condition: &str| -> Vec<&str> {
        let found = parsed(&freeze(&format!("when {{ {condition} }}"))).lint(now);
        found.iter().map(|warning| warning.name.into()).collect()
    };
    let until = |year: u32| {
        let last = year - 1;
        format!(
            "context.time >= datetime(\"{last}-12-19T00:00:00+0100\") && context.time < datetime(\"{year}-01-07T00:00:00+0100\")"
        )
    };
    assert_eq!(names(&until(2026)), ["policy-is-over"]);
    assert_eq!(names(&until(2027)), Vec::<&str>::new());
    assert_eq!(names(&format!("({}) || ({})", until(2026), until(2027))), ["policy-is-over"]);
    assert_eq!(
        names("context.time < datetime(\"2030-01-01\") && context.weekday == Weekday::\"monday\""),
        Vec::<&str>::new()
    );
    assert_eq!(names("context.time >= datetime(\"2020-01-01\")"), Vec::<&str>::new());
}
