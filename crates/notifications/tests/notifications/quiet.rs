//! Quiet hours, over midnight and over both changes of summer time.

use countersign_core::priority::Priority;
use countersign_core::timestamp::Timestamp;
use countersign_notifications::local_time::Day;
use countersign_notifications::quiet::{InvalidQuietHours, QuietHours, WrittenSpan};
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;
use strum::IntoEnumIterator;

fn span(days: Option<&[Day]>, from: &str, to: &str, zone: &str) -> WrittenSpan {
    WrittenSpan {
        days: days.map(|days| days.iter().copied().collect()),
        from: from.to_owned(),
        to: to.to_owned(),
        zone: Some(zone.to_owned()),
    }
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// The end of the quiet at a time, as text; `-` if it is not quiet.
fn end(spans: &[WrittenSpan], at: &str) -> String {
    let end = QuietHours::new(spans).unwrap().end(time(at));
    end.map_or("-".to_owned(), |end| end.to_string().replace(":00.000Z", "Z"))
}

#[test]
fn nights_of_working_days_and_weekends() {
    const WORKING: [Day; 5] = [Day::Monday, Day::Tuesday, Day::Wednesday, Day::Thursday, Day::Friday];
    let nights = span(Some(&WORKING), "18:00", "08:00", "Europe/Berlin");
    let weekend = span(Some(&[Day::Saturday, Day::Sunday]), "00:00", "24:00", "Europe/Berlin");
    // Thursday, 2026-01-15, is in winter: Berlin is an hour ahead.
    for (at, expected) in [
        ("2026-01-15T16:59:59.999Z", "-"),
        ("2026-01-15T17:00:00Z", "2026-01-16T07:00Z"),
        ("2026-01-16T06:59:59Z", "2026-01-16T07:00Z"),
        ("2026-01-16T07:00:00Z", "-"),
        // Friday's night ends on Saturday, which Monday's midnight ends.
        ("2026-01-16T17:00:00Z", "2026-01-18T23:00Z"),
        ("2026-01-17T12:00:00Z", "2026-01-18T23:00Z"),
        ("2026-01-18T22:59:59Z", "2026-01-18T23:00Z"),
        ("2026-01-18T23:00:00Z", "-"),
    ] {
        assert_eq!(end(&[nights.clone(), weekend.clone()], at), expected, "{at}");
    }
    // Without the weekend, Friday's night ends on Saturday morning and Sunday has none.
    assert_eq!(end(std::slice::from_ref(&nights), "2026-01-16T17:00:00Z"), "2026-01-17T07:00Z");
    assert_eq!(end(std::slice::from_ref(&nights), "2026-01-18T20:00:00Z"), "-");
    assert_eq!(
        end(&[span(None, "12:00", "13:30", "Asia/Kolkata")], "2026-01-15T06:30:00Z"),
        "2026-01-15T08:00Z"
    );
}

/// From <https://www.iana.org/time-zones>: Berlin puts its clock forward at 2026-03-29T01:00Z and back at 2026-10-25T01:00Z,
/// New York at 2026-03-08T07:00Z and 2026-11-01T06:00Z.
#[test]
fn both_changes_of_summer_time() {
    for (zone, from, to, at, expected) in [
        // A night that is an hour short.
        ("Europe/Berlin", "22:00", "07:00", "2026-03-28T21:00:00Z", "2026-03-29T05:00Z"),
        ("Europe/Berlin", "22:00", "07:00", "2026-03-29T04:59:59Z", "2026-03-29T05:00Z"),
        ("Europe/Berlin", "22:00", "07:00", "2026-03-29T05:00:00Z", "-"),
        ("Europe/Berlin", "22:00", "07:00", "2026-03-29T20:00:00Z", "2026-03-30T05:00Z"),
        // A night that is an hour long.
        ("Europe/Berlin", "22:00", "07:00", "2026-10-24T20:00:00Z", "2026-10-25T06:00Z"),
        ("Europe/Berlin", "22:00", "07:00", "2026-10-25T05:59:59Z", "2026-10-25T06:00Z"),
        ("Europe/Berlin", "22:00", "07:00", "2026-10-25T06:00:00Z", "-"),
        // A time that is left out is come to when the clock is put forward.
        ("Europe/Berlin", "02:30", "05:00", "2026-03-29T00:59:59Z", "-"),
        ("Europe/Berlin", "02:30", "05:00", "2026-03-29T01:00:00Z", "2026-03-29T03:00Z"),
        ("Europe/Berlin", "00:00", "02:30", "2026-03-29T00:59:59Z", "2026-03-29T01:00Z"),
        ("Europe/Berlin", "00:00", "02:30", "2026-03-29T01:00:00Z", "-"),
        // A time that comes twice: from the first to the last.
        ("Europe/Berlin", "02:30", "05:00", "2026-10-25T00:30:00Z", "2026-10-25T04:00Z"),
        ("Europe/Berlin", "00:00", "02:30", "2026-10-25T00:29:59Z", "2026-10-25T01:30Z"),
        ("Europe/Berlin", "00:00", "02:30", "2026-10-25T01:29:59Z", "2026-10-25T01:30Z"),
        ("Europe/Berlin", "00:00", "02:30", "2026-10-25T01:30:00Z", "-"),
        ("America/New_York", "22:00", "07:00", "2026-03-08T03:00:00Z", "2026-03-08T11:00Z"),
        ("America/New_York", "22:00", "07:00", "2026-03-08T11:00:00Z", "-"),
        ("America/New_York", "02:30", "05:00", "2026-03-08T06:59:59Z", "-"),
        ("America/New_York", "02:30", "05:00", "2026-03-08T07:00:00Z", "2026-03-08T09:00Z"),
        ("America/New_York", "22:00", "07:00", "2026-11-01T02:00:00Z", "2026-11-01T12:00Z"),
        ("America/New_York", "22:00", "07:00", "2026-11-01T12:00:00Z", "-"),
        ("America/New_York", "01:30", "04:00", "2026-11-01T05:30:00Z", "2026-11-01T09:00Z"),
        ("America/New_York", "00:00", "01:30", "2026-11-01T06:29:59Z", "2026-11-01T06:30Z"),
    ] {
        assert_eq!(end(&[span(None, from, to, zone)], at), expected, "{zone} {from} {to} {at}");
    }
}

#[test]
fn what_is_urgent_or_would_expire_first_does_not_wait() {
    let quiet = QuietHours::new(&[span(None, "18:00", "08:00", "UTC")]).unwrap();
    let (at, end) = (time("2026-01-15T20:00:00Z"), time("2026-01-16T08:00:00Z"));
    for (priority, deadline, expected) in [
        (Priority::P1, None, None),
        (Priority::P2, None, None),
        (Priority::P3, None, Some(end)),
        (Priority::P4, None, Some(end)),
        (Priority::P4, Some(end), None),
        (Priority::P4, Some(end.minus_seconds(1)), None),
        (Priority::P4, Some(end.plus_seconds(1)), Some(end)),
    ] {
        assert_eq!(quiet.holds_until(priority, deadline, at), expected, "{priority} {deadline:?}");
    }
    assert_eq!(quiet.holds_until(Priority::P4, None, end), None);
    assert_eq!(QuietHours::default().end(at), None);
}

#[test]
fn what_cannot_be_quiet_hours_is_refused() {
    let refused = |spans: &[WrittenSpan]| QuietHours::new(spans).unwrap_err();
    assert_eq!(refused(&[span(None, "08:00", "08:00", "UTC")]), InvalidQuietHours::Empty);
    assert_eq!(refused(&[span(Some(&[]), "08:00", "09:00", "UTC")]), InvalidQuietHours::NoDays);
    assert!(matches!(refused(&[span(None, "08:00", "09:00", "Mars/Olympus")]), InvalidQuietHours::Zone(_)));
    for wrong in ["8:00", "08:60", "24:01", "25:00", "08", "", "08:00:00", "+8:00", "-1:00", "0８:00"] {
        assert!(
            matches!(refused(&[span(None, wrong, "09:00", "UTC")]), InvalidQuietHours::Time(_)),
            "{wrong}"
        );
    }
    assert_eq!(refused(&[span(None, "00:00", "24:00", "UTC")]), InvalidQuietHours::NeverEnding);
    let halves =
        [span(None, "06:00", "18:00", "Europe/Berlin"), span(None, "18:00", "06:00", "Europe/Berlin")];
    assert_eq!(refused(&halves), InvalidQuietHours::NeverEnding);
    assert_eq!(refused(&vec![span(None, "01:00", "02:00", "UTC"); 8]), InvalidQuietHours::TooMany);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Held against a clock on the wall, minute by minute, in the weeks of both changes and in others. Times that are left out
    /// or come twice have their own table.
    #[test]
    fn quiet_is_what_the_clock_on_the_wall_says(
        zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
        day in prop::sample::select(vec!["2026-03-07", "2026-03-28", "2026-10-24", "2026-10-31", "2026-04-04", "2026-10-03", "2026-06-10"]),
        from in 4_u16..24,
        length in 1_u16..20,
        days in prop::collection::btree_set(0_usize..7, 1..7),
    ) {
        // Neither end is among the times from 00:00 to 03:59, at which clocks are put forward and back.
        let to = (from + length) % 24;
        prop_assume!(to >= 4);
        let days: Vec<Day> = Day::iter().enumerate().filter(|(place, _)| days.contains(place)).map(|(_, day)| day).collect();
        let quiet = QuietHours::new(&[span(Some(&days), &format!("{from:02}:00"), &format!("{to:02}:00"), zone)]).unwrap();
        let clock = TimeZoneDatabase::bundled().get(zone).unwrap();
        let is_quiet = |at: Timestamp| {
            let local = clock.to_datetime(jiff::Timestamp::from_millisecond(at.as_millisecond()).unwrap());
            let hour = u16::try_from(local.hour()).unwrap();
            let has = |date: jiff::civil::Date| days.contains(&Day::iter().nth(usize::try_from(date.weekday().to_monday_zero_offset()).unwrap()).unwrap());
            if from < to {
                has(local.date()) && (from..to).contains(&hour)
            } else {
                (hour >= from && has(local.date())) || (hour < to && has(local.date().yesterday().unwrap()))
            }
        };
        let start = Timestamp::parse_first(day).unwrap();
        let minutes: Vec<Timestamp> = (0..3 * 24 * 6).map(|step| start.plus_seconds(step * 600)).collect();
        for &at in &minutes {
            let end = quiet.end(at);
            prop_assert_eq!(end.is_some(), is_quiet(at), "{}", at);
            if let Some(end) = end {
                prop_assert!(end > at && !is_quiet(end) && is_quiet(end.minus_seconds(1)), "{}", at);
                prop_assert!(minutes.iter().filter(|other| **other > at && **other < end).all(|other| is_quiet(*other)));
            }
        }
    }
}
