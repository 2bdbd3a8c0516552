//! The rules of settings, and how a webhook changes.

use crate::events::{event, notification, now, person, webhook_id};
use countersign_core::event::EventType;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::status::Status;
use countersign_delivery::health;
use countersign_webhook::settings::{Broken, Content, Draft, Format, Member, Rule, Settings, WebhookUrl};
use countersign_webhook::webhook::{
    Disabled, DisabledReason, InvalidWebhookId, VersionMismatch, Webhook, WebhookId,
};
use strum::IntoEnumIterator as _;

const URL: &str = "https://hooks.example.com/in/s3cret?token=hunter2";

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn draft() -> Draft {
    Draft {
        url: URL.to_owned(),
        description: Some("Tickets – große Änderungen".to_owned()),
        events: texts(&["APPROVAL_GRANTED", "ANOMALY_DETECTED"]),
        statuses: texts(&["approved", "failed"]),
        risk_levels: texts(&["high"]),
        environments: texts(&["production", "non-production"]),
        operations: texts(&["reboot", "modify_*"]),
        content: Some("thin".to_owned()),
        format: Some("document".to_owned()),
        headers: [("X-Token".to_owned(), "hunter2".to_owned())].into(),
    }
}

fn settings() -> Settings {
    Settings::new(&draft()).unwrap()
}

fn webhook() -> Webhook {
    Webhook::new(webhook_id(1), settings(), person("ann@example.com"), now())
}

/// The names of the rules that a draft breaks, and where.
fn broken(draft: &Draft) -> Vec<(String, &'static str)> {
    let broken = Settings::new(draft).err().unwrap_or_default();
    broken.into_iter().map(|broken| (broken.pointer, broken.rule.name())).collect()
}

#[test]
fn settings_are_read_and_written() {
    let settings = settings();
    assert_eq!(settings.filter.events, [EventType::ApprovalGranted, EventType::AnomalyDetected]);
    assert_eq!(settings.filter.statuses, [Status::Approved, Status::Failed]);
    assert_eq!(settings.filter.risk_levels, [RiskLevel::High]);
    assert_eq!(settings.filter.environments, [Environment::Production, Environment::NonProduction]);
    assert_eq!((settings.content, settings.format), (Content::Thin, Format::Document));
    assert_eq!(settings.headers.names().collect::<Vec<_>>(), ["x-token"]);
    assert_eq!(Settings::new(&settings.draft()), Ok(settings));
    let least = Settings::new(&Draft { url: URL.to_owned(), ..Draft::default() }).unwrap();
    assert_eq!((least.content, least.format), (Content::Full, Format::CloudEvents));
    assert!(least.filter.is_empty() && least.description.is_none());
    assert_eq!(Settings::new(&least.draft()), Ok(least));
}

#[test]
fn all_broken_rules_are_named_at_once() {
    let draft = Draft {
        url: "hooks".to_owned(),
        description: Some("a\u{202e}b".to_owned()),
        events: texts(&["APPROVAL_GRANTED", "APPROVAL_GRANTED", "granted", "AUDIT_READ"]),
        statuses: texts(&["Approved"]),
        risk_levels: texts(&["high", "critical", "high"]),
        environments: texts(&["prod"]),
        operations: texts(&["a b", "reboot", "reboot"]),
        content: Some("FULL".to_owned()),
        format: Some("json".to_owned()),
        headers: [("Host".to_owned(), "a".to_owned())].into(),
    };
    let expected = [
        ("/url", "url"),
        ("/description", "invisible_character"),
        ("/events/1", "duplicate"),
        ("/events/2", "unknown_name"),
        ("/events/3", "unknown_name"),
        ("/statuses/0", "unknown_name"),
        ("/risk_levels/1", "unknown_name"),
        ("/risk_levels/2", "duplicate"),
        ("/environments/0", "unknown_name"),
        ("/operations/0", "operation_pattern"),
        ("/operations/2", "duplicate"),
        ("/content", "unknown_name"),
        ("/format", "unknown_name"),
        ("/headers/Host", "reserved_header"),
    ];
    assert_eq!(broken(&draft), expected.map(|(pointer, rule)| (pointer.to_owned(), rule)));
    let messages = Settings::new(&draft).unwrap_err();
    let of = |pointer: &str| messages.iter().find(|broken| broken.pointer == pointer).map(Broken::to_string);
    assert_eq!(of("/content").as_deref(), Some("/content must be one of full, thin"));
    assert!(
        of("/events/3").is_some_and(|text| !text.contains("AUDIT_READ") && text.contains("ANOMALY_DETECTED"))
    );
}

#[test]
fn a_description_is_short_and_can_be_seen() {
    let rule = |text: &str| {
        let draft = Draft { description: Some(text.to_owned()), ..draft() };
        Settings::new(&draft).err().map(|broken| broken[0].rule.clone())
    };
    assert_eq!(rule(&"é".repeat(200)), None);
    assert_eq!(rule(&"é".repeat(201)), Some(Rule::TooLong { max: 200 }));
    for text in ["", " ", "\u{3000}"] {
        assert_eq!(rule(text), Some(Rule::Empty), "{text:?}");
    }
    for text in
        ["a\n", "a\u{0}", "a\u{1b}[2J", "a\u{202e}b", "a\u{200b}b", "a\u{2028}b", "a\u{feff}", "\u{e0041}a"]
    {
        assert_eq!(rule(text), Some(Rule::InvisibleCharacter), "{text:?}");
    }
}

#[test]
fn lists_have_limits() {
    let operations: Vec<_> = (0..51).map(|n| format!("operation_{n}")).collect();
    let with = |count: usize| Draft { operations: operations[..count].to_vec(), ..draft() };
    assert_eq!(broken(&with(50)), []);
    assert_eq!(broken(&with(51)), [("/operations".to_owned(), "too_many")]);
}

#[test]
fn an_address_has_a_host_that_may_be_shown() {
    for (text, host) in [
        (URL, "hooks.example.com"),
        ("https://hooks.example.com:443/", "hooks.example.com"),
        ("https://hooks.example.com:8443/a", "hooks.example.com:8443"),
        ("https://[2001:db8::1]/a", "[2001:db8::1]"),
        ("https://user:hunter2@hooks.example.com/a", "hooks.example.com"),
    ] {
        let url = WebhookUrl::parse(text).unwrap();
        assert_eq!((url.as_str(), url.host()), (text, host));
    }
    let longest = format!("https://a.example/{}", "x".repeat(2030));
    assert!(WebhookUrl::parse(&longest).is_ok());
    let longer = format!("{longest}x");
    for text in
        ["", "/a", "mailto:a@b", "https://", "https:// a", "https://a\n.b/", "https://é.example/", &longer]
    {
        assert_eq!(WebhookUrl::parse(text), Err(Rule::Url), "{text:?}");
    }
}

#[test]
fn debug_shows_no_token() {
    let text = format!("{:?} {:?} {:?}", draft(), settings(), webhook());
    assert!(!text.contains("hunter2") && !text.contains("s3cret"), "{text}");
    assert!(text.contains("hooks.example.com") && text.contains("x-token"), "{text}");
}

#[test]
fn a_change_names_its_version_and_the_members_that_it_changes() {
    let later = now().plus_seconds(60);
    let changed = Settings::new(&Draft { content: None, statuses: Vec::new(), ..draft() }).unwrap();
    for version in [0, 2] {
        let result = webhook().change(changed.clone(), version, later);
        assert_eq!(result, Err(VersionMismatch { current: 1 }));
    }
    let (after, members) = webhook().change(changed.clone(), 1, later).unwrap();
    assert_eq!(members, [Member::Statuses, Member::Content]);
    assert_eq!((after.version, after.updated_at, after.created_at), (2, later, now()));
    assert_eq!(after.settings, changed);
    assert_eq!(webhook().change(settings(), 1, later), Ok((webhook(), Vec::new())));
}

/// Each member is noticed when it alone changes.
#[test]
fn each_member_is_named_when_it_changes() {
    for member in Member::iter() {
        let mut other = draft();
        match member {
            Member::Url => other.url.push('x'),
            Member::Description => other.description = None,
            Member::Events => other.events.clear(),
            Member::Statuses => other.statuses.clear(),
            Member::RiskLevels => other.risk_levels.clear(),
            Member::Environments => other.environments.clear(),
            Member::Operations => other.operations.clear(),
            Member::Content => other.content = None,
            Member::Format => other.format = None,
            Member::Headers => other.headers.clear(),
        }
        assert_eq!(settings().changes_to(&Settings::new(&other).unwrap()), [member]);
        assert!(serde_json::to_value(draft()).unwrap().get(member.to_string()).is_some(), "{member}");
    }
}

#[test]
fn a_webhook_is_enabled_and_disabled_once() {
    let later = now().plus_seconds(60);
    assert!(webhook().is_enabled());
    assert_eq!(webhook().enable(later), webhook());
    let gone = webhook().disable(health::DisabledReason::Gone.into(), later);
    assert_eq!(gone.disabled, Some(Disabled { at: later, reason: DisabledReason::Gone }));
    assert_eq!((gone.is_enabled(), gone.version), (false, 2));
    assert_eq!(gone.clone().disable(DisabledReason::Operator, later.plus_seconds(1)), gone);
    // It is still asked for events: those are skipped, and not lost.
    assert!(gone.takes(&event(notification())));
    let enabled = gone.enable(later.plus_seconds(1));
    assert_eq!((enabled.is_enabled(), enabled.version, enabled.updated_at), (true, 3, later.plus_seconds(1)));
}

#[test]
fn a_webhook_is_stored_and_checked_as_it_is_read() {
    let webhook = webhook().disable(DisabledReason::NoSuccess, now());
    let text = serde_json::to_string(&webhook).unwrap();
    assert_eq!(serde_json::from_str::<Webhook>(&text).unwrap(), webhook);
    assert!(text.contains(r#""disabled":{"at":"2026-01-31T09:30:00.000Z","reason":"no_success"}"#), "{text}");
    for (from, to) in
        [("\"high\"", "\"highest\""), ("x-token", "host"), ("\"version\"", "\"versions\""), ("wh_", "")]
    {
        let damaged = text.replace(from, to);
        assert_ne!(damaged, text);
        assert!(serde_json::from_str::<Webhook>(&damaged).is_err(), "{from}");
    }
}

#[test]
fn an_id_has_one_spelling() {
    let text = "wh_01930000-0000-7000-8000-0000000000aa";
    let id = WebhookId::parse(text).unwrap();
    assert_eq!(id.to_string(), text);
    assert_eq!(id.destination().unwrap().webhook_id(), Some(text));
    for other in [
        "",
        "wh_",
        &text.replace("wh_", ""),
        &text.to_uppercase(),
        &text.replace('-', ""),
        &format!("{text} "),
    ] {
        assert_eq!(WebhookId::parse(other), Err(InvalidWebhookId), "{other}");
    }
}
