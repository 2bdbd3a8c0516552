//! The document of a person: what it may say, and what it comes to with the defaults.

use crate::fixture::{NOTIFICATIONS, configuration, configured};
use countersign_core::event::EventType;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::preferences::{Preferences, Settings};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn with_defaults() -> Configuration {
    configured(&NOTIFICATIONS.replace(
        "channels = [\"mail\"]",
        r#"channels = ["mail"]
quiet_hours = [{ days = ["monday", "tuesday"], from = "18:00", to = "08:00", zone = "Europe/Berlin" }]
muted_events = ["COMMENT_ADDED"]
digest = { period = "weekly", at = "09:00", zone = "Europe/Berlin" }"#,
    ))
}

fn read(document: &Value) -> Preferences {
    Preferences::read(document, &with_defaults()).unwrap()
}

#[test]
fn what_is_left_out_is_as_the_file_has_it() {
    let configuration = with_defaults();
    let defaults = Settings::of(None, &configuration);
    assert_eq!(defaults.channels, BTreeSet::from(["mail".to_owned()]));
    assert_eq!(defaults.muted_events, BTreeSet::from([EventType::CommentAdded]));
    assert!(defaults.digest.is_some() && !defaults.has_chosen_channels);
    for document in [
        json!({}),
        json!({"version": 7}),
        json!({"channels": null, "digest": null, "quiet_hours": null, "muted_events": null}),
    ] {
        assert_eq!(Settings::of(Some(&read(&document)), &configuration), defaults, "{document}");
    }
    let off = read(&json!({"digest": "off", "quiet_hours": [], "muted_events": []}));
    let settings = Settings::of(Some(&off), &configuration);
    assert_eq!((settings.digest, settings.muted_events), (None, BTreeSet::new()));
    assert_eq!(settings.quiet_hours, countersign_notifications::quiet::QuietHours::default());
    assert_eq!(settings.channels, defaults.channels);
    let chosen = Settings::of(Some(&read(&json!({"channels": ["bot"]}))), &configuration);
    assert_eq!((chosen.channels, chosen.has_chosen_channels), (BTreeSet::from(["bot".to_owned()]), true));
}

#[test]
fn every_member_that_breaks_a_rule_is_named() {
    let refused = |document: &Value| -> Vec<String> {
        let wrong = Preferences::read(document, &configuration("")).unwrap_err();
        wrong.into_iter().map(|wrong| wrong.to_string()).collect()
    };
    let wrong = refused(&json!({
        "version": -1,
        "channels": ["fax"],
        "quiet_hours": [{"from": "18:00", "to": "18:00"}],
        "muted_events": ["NOISE"],
        "digest": {"period": "daily", "at": "noon"},
        "a/b~c": 1,
    }));
    assert_eq!(
        wrong,
        [
            "/a~1b~0c is no member of this document",
            "/channels must name destinations that write to people: bot, mail",
            "/digest has a `at` that must be a time of the day, such as 08:30, or 24:00 for the end of the day",
            "/muted_events must be a list of events, such as COMMENT_ADDED",
            "/quiet_hours must not begin and end at the same time: write 00:00 to 24:00 for whole days",
            "/version must be a whole number",
        ]
    );
    for document in [
        json!({"channels": ["room"]}),
        json!({"channels": "mail"}),
        json!({"quiet_hours": {"from": "18:00", "to": "08:00"}}),
        json!({"quiet_hours": [{"from": "18:00", "to": "08:00", "zone": "Moon"}]}),
        json!({"quiet_hours": [{"from": "18:00", "to": "08:00", "until": "09:00"}]}),
        json!({"quiet_hours": [{"from": "00:00", "to": "24:00"}]}),
        json!({"digest": "on"}),
        json!({"digest": {"period": "hourly", "at": "08:00"}}),
    ] {
        assert_eq!(refused(&document).len(), 1, "{document}");
    }
    assert_eq!(refused(&json!([])), [" must be an object"]);
}

#[test]
fn a_document_is_stored_and_read_back() {
    let document = json!({
        "version": 3,
        "channels": ["mail"],
        "quiet_hours": [{"days": ["saturday"], "from": "00:00", "to": "24:00", "zone": "Europe/Berlin"}],
        "muted_events": ["APPROVAL_GRANTED"],
        "digest": {"period": "daily", "at": "08:00"},
    });
    let preferences = read(&document);
    assert_eq!(serde_json::to_value(&preferences).unwrap(), document);
    let stored: Preferences = serde_json::from_value(document).unwrap();
    assert_eq!(stored, preferences);
    let off = read(&json!({"version": 0, "digest": "off"}));
    assert_eq!(serde_json::to_value(off).unwrap(), json!({"version": 0, "digest": "off"}));
}

#[test]
fn what_cannot_hold_any_more_is_as_if_it_had_not_been_said() {
    let stored: Preferences = serde_json::from_value(json!({
        "version": 1,
        "channels": ["gone"],
        "quiet_hours": [{"from": "18:00", "to": "08:00", "zone": "Atlantis/Capital"}],
        "digest": {"period": "daily", "at": "08:00", "zone": "Atlantis/Capital"},
    }))
    .unwrap();
    let configuration = with_defaults();
    assert_eq!(Settings::of(Some(&stored), &configuration), Settings::of(None, &configuration));
    let nothing: Preferences = serde_json::from_value(json!({"channels": []})).unwrap();
    assert!(Settings::of(Some(&nothing), &configuration).channels.is_empty());
}

#[test]
fn what_does_not_hold_any_more_is_named_with_the_reason() {
    let configuration = with_defaults();
    let said = read(&json!({"channels": ["bot", "mail"], "quiet_hours": [], "digest": "off"}));
    assert_eq!(said.ignored(&configuration), []);
    // As it is stored, by a program that knew another file and other zones.
    let stored = json!({
        "version": 3,
        "channels": ["bot", "fax", "room"],
        "quiet_hours": [{"from": "18:00", "to": "08:00", "zone": "Europe/Atlantis"}],
        "digest": {"period": "daily", "at": "08:00", "zone": "Europe/Atlantis"},
    });
    let stored: Preferences = serde_json::from_value(stored).unwrap();
    let ignored: Vec<_> = stored.ignored(&configuration).into_iter().map(|wrong| wrong.to_string()).collect();
    assert_eq!(
        ignored,
        [
            "/channels names what is no destination that writes to people: fax, room",
            "/quiet_hours has a `zone` that must be the name of a time zone, such as Europe/Vienna",
            "/digest has a `zone` that must be the name of a time zone, such as Europe/Vienna",
        ]
    );
    let settings = Settings::of(Some(&stored), &configuration);
    let defaults = Settings::of(None, &configuration);
    assert_eq!(settings.channels, BTreeSet::from(["bot".to_owned()]));
    assert_eq!((settings.quiet_hours, settings.digest), (defaults.quiet_hours, defaults.digest));
}

#[test]
fn quiet_hours_are_written_as_they_were_said() {
    let said = read(&json!({"quiet_hours": [
        {"days": ["mon", "sunday"], "from": "18:00", "to": "08:00", "zone": "Europe/Vienna"},
        {"from": "12:00", "to": "13:00"},
    ]}));
    let written = Settings::of(Some(&said), &with_defaults()).quiet_hours.written();
    assert_eq!(
        serde_json::to_value(written).unwrap(),
        json!([
            {"days": ["monday", "sunday"], "from": "18:00", "to": "08:00", "zone": "Europe/Vienna"},
            {"from": "12:00", "to": "13:00", "zone": "UTC"},
        ])
    );
}
