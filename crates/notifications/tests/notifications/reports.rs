//! Reports: when they are due, on which period, and where they go.

use crate::fixture::{configuration, policy};
use countersign_core::period::Period;
use countersign_core::timestamp::Timestamp;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::plan::{Planning, When};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn digest(period: &str, at: &str, zone: &str) -> Configuration {
    configuration(&format!(
        "[digests.d]\nperiod = \"{period}\"\nat = \"{at}\"\nzone = \"{zone}\"\nto = [\"group:dba\", \"person:head@x.org\"]\nvia = [\"mail\"]\n"
    ))
}

fn last_due(configuration: &Configuration, now: &str) -> (String, String) {
    let due = configuration.digests.first().unwrap().last_due(Timestamp::parse(now).unwrap()).unwrap();
    (due.at.to_string(), due.span.name)
}

#[test]
fn a_report_is_on_the_period_before_its_date() {
    for (period, at, zone, now, due, name) in [
        ("daily", "08:00", "UTC", "2026-01-15T08:00:00Z", "2026-01-15T08:00:00.000Z", "2026-01-14"),
        ("daily", "08:00", "UTC", "2026-01-15T07:59:59Z", "2026-01-14T08:00:00.000Z", "2026-01-13"),
        ("weekly", "08:00", "Europe/Vienna", "2026-01-18T23:00:00Z", "2026-01-12T07:00:00.000Z", "2026-W02"),
        ("weekly", "08:00", "Europe/Vienna", "2026-01-19T07:00:00Z", "2026-01-19T07:00:00.000Z", "2026-W03"),
        ("monthly", "08:00", "UTC", "2026-03-31T23:59:59Z", "2026-03-01T08:00:00.000Z", "2026-02"),
        ("monthly", "08:00", "UTC", "2026-03-01T07:59:59Z", "2026-02-01T08:00:00.000Z", "2026-01"),
        // The midnight at the end of a day is of the next date.
        ("daily", "24:00", "UTC", "2026-01-15T00:00:00Z", "2026-01-15T00:00:00.000Z", "2026-01-14"),
        ("monthly", "24:00", "UTC", "2026-02-01T12:00:00Z", "2026-01-02T00:00:00.000Z", "2025-12"),
        // Before the day of UTC is over, and long after.
        ("daily", "08:00", "Asia/Tokyo", "2026-01-14T23:00:00Z", "2026-01-14T23:00:00.000Z", "2026-01-14"),
        (
            "daily",
            "20:00",
            "America/Los_Angeles",
            "2026-01-16T04:00:00Z",
            "2026-01-16T04:00:00.000Z",
            "2026-01-14",
        ),
        // A time that is left out comes when the clock is put forward; one that comes twice counts the first time.
        ("daily", "02:30", "Europe/Vienna", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00.000Z", "2026-03-28"),
        ("daily", "02:30", "Europe/Vienna", "2026-10-25T01:30:00Z", "2026-10-25T00:30:00.000Z", "2026-10-24"),
    ] {
        let found = last_due(&digest(period, at, zone), now);
        assert_eq!(found, (due.to_owned(), name.to_owned()), "{period} at {at} in {zone}");
    }
}

#[test]
fn a_report_goes_to_groups_and_people_at_its_time() {
    let (policy, configuration) = (policy(), digest("daily", "08:00", "UTC"));
    let planning = Planning { configuration: &configuration, policy: &policy, preferences: &BTreeMap::new() };
    let messages = planning.report(configuration.digests.first().unwrap());
    assert!(messages.iter().all(|message| message.when == When::AtOnce));
    let people: BTreeSet<_> = messages.iter().flat_map(|message| &message.people).collect();
    assert!(people.len() > 1 && people.iter().any(|person| person.as_str() == "head@x.org"), "{people:?}");
}

proptest! {
    /// Whatever the zone: times of one table have periods of their own, without a gap.
    #[test]
    fn each_time_has_a_period_of_its_own(
        zone in prop::sample::select(vec!["UTC", "Europe/Vienna", "Asia/Tokyo", "America/Los_Angeles", "Australia/Lord_Howe", "America/Sao_Paulo"]),
        minutes in 0..=24 * 60_u32,
        period in prop::sample::select(vec!["daily", "weekly", "monthly"]),
        day in 0..3650_u32,
    ) {
        let at = format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let configuration = digest(period, &at, zone);
        let digest = configuration.digests.first().unwrap();
        let begin = Timestamp::parse("2019-06-01T00:00:00Z").unwrap().plus_seconds(day * 24 * 60 * 60);
        let mut before = digest.last_due(begin).unwrap();
        for _ in 0..4 {
            let next = digest.recurrence.next(before.at);
            let due = digest.last_due(next).unwrap();
            prop_assert_eq!(due.at, next, "the last time is the one that has come");
            prop_assert_eq!(due.span.from, before.span.until);
            let just_before = Timestamp::from_millisecond(next.as_millisecond() - 1);
            prop_assert_eq!(digest.last_due(just_before).unwrap(), before);
            before = due;
        }
        prop_assert_eq!(before.span.period == Period::Daily, period == "daily");
    }
}
