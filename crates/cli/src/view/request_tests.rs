//! Requests as people read them, in windows of several widths.

use super::*;
use crate::view::page::check_fits;
use crate::view::times::{RelativeTime, Times};
use crate::view::width::{WIDTH, broken, columns, wrapped};
use crate::view::words::demanded;
use countersign_api::wire::SlotBody;
use countersign_core::timestamp::Timestamp;
use serde_json::json;

fn shown(changes: serde_json::Value) -> String {
    let now = Timestamp::parse("2026-01-31T09:30:00Z").unwrap();
    let moment = RelativeTime::relative(now);
    View { moment, width: WIDTH }.request(&example(changes)).to_string()
}

#[test]
fn an_approver_sees_whose_approval_it_takes_and_who_has_agreed_as_what() {
    let text = shown(json!({
        "owner": "olga@example.com", "ticket": "CHG-1234", "approvals_received": 2,
        "slots": [
            { "groups": ["dba"], "approvals": 1 }, { "groups": ["finance", "controlling"], "approvals": 1 },
        ],
        "approvals_required": 3, "approved_by": ["bob@example.com", "carol@example.com"],
        "decisions": [{ "person": "bob@example.com", "decision": "approved",
                        "at": "2026-01-31T09:27:00.000Z", "groups": ["approver", "dba"], "channel": "api", "event_id": "0" }],
    }));
    for line in [
        "Requester     ann@example.com (developer)",
        "Owner         olga@example.com",
        "Ticket        CHG-1234",
        "Approvals     2 of 3; takes in all: 1 of dba, 1 of finance or controlling, 1 of",
        "              anybody who may approve",
        "Approved by   bob@example.com (approver, dba), 3m ago",
        "              carol@example.com",
    ] {
        assert!(text.lines().any(|shown| shown.trim_end() == line), "no `{line}` in\n{text}");
    }
    check_fits(&text);
    let plain = shown(json!({}));
    for name in ["Owner", "Ticket", "Approvals ", "Rollback plan"] {
        assert!(!plain.contains(name), "{plain}");
    }
    assert!(plain.contains("Approved by   nobody yet\n"), "{plain}");
    let rejected = shown(json!({
        "status": "rejected", "rejected_by": "bob@example.com",
        "decisions": [{ "person": "bob@example.com", "decision": "rejected",
                        "at": "2026-01-31T09:27:00.000Z", "groups": [], "channel": "direct", "event_id": "0" }],
    }));
    assert!(rejected.contains("Rejected by   bob@example.com, 3m ago\n"), "{rejected}");
}

#[test]
fn who_is_looking_at_it_is_named_with_the_time_that_is_left() {
    let hold = json!({
        "by": "carol@example.com", "since": "2026-01-31T09:27:00.000Z", "until": "2026-01-31T09:42:00.000Z",
    });
    let text = shown(json!({ "hold": hold }));
    assert!(text.contains("Held by       carol@example.com, since 3m ago, 12m left\n"), "{text}");
    check_fits(&text);
    assert!(!shown(json!({})).contains("Held by"));
}

#[test]
fn keys_that_may_be_taken_for_others_are_marked_under_the_parameters() {
    let text = shown(json!({ "parameters": { "size": 1, "s\u{456}ze": [{ "\u{202e}a": 2 }] } }));
    let expected = r#"
  | }
  ! the key "size" looks like "s\u{456}ze"
  ! the key "s\u{456}ze" is not ASCII, looks like "size"
  ! the key "\u{202e}a" in /s\u{456}ze/0 is not ASCII
  SHA-256 "#;
    assert!(text.contains(expected), "{text}");
    check_fits(&text);
    assert!(!shown(json!({})).contains("the key"));
}

#[test]
fn a_narrow_window_has_names_above_what_they_name() {
    let now = Timestamp::parse("2026-01-31T09:30:00Z").unwrap();
    let view = View { moment: RelativeTime { now, times: Times::Relative }, width: 15 };
    let request = example(json!({ "owner": "olga@example.com", "approved_by": ["bob", "eve"] }));
    let text = view.request(&request).to_string();
    assert!(
        text.contains("Owner\n  olga@example.c\n  om\n") || text.contains("Owner\n  olga@example."),
        "{text}"
    );
    assert!(text.contains("Approved by\n  bob\n  eve\n"), "{text}");
    assert!(text.lines().all(|line| columns(line) <= 15), "{text}");
}

#[test]
fn a_rollback_plan_is_shown_whole_and_behind_a_bar() {
    let words: Vec<_> = (0..400).map(|n| format!("step{n}")).collect();
    let plan = format!("{}\nApproved by   boss@example.com\u{1b}[2J\u{202e}", words.join(" "));
    let text = shown(json!({ "rollback_plan": plan, "ticket": "T\u{1b}]0;x\u{7}" }));
    check_fits(&text);
    let (_, shown) = text.split_once("\nRollback plan\n").unwrap();
    let quoted: String =
        shown.lines().map_while(|line| line.strip_prefix("  | ")).collect::<Vec<_>>().concat();
    assert_eq!(quoted, format!("{}Approved by   boss@example.com\\u{{1b}}[2J\\u{{202e}}", words.join(" ")));
}

#[test]
fn a_value_that_goes_on_looks_like_no_other_value() {
    let evil = format!("bob@example.com {}eve@example.com (dba), 1m ago", " ".repeat(60));
    let text = shown(json!({ "approvals_received": 1, "approved_by": [evil] }));
    assert!(!text.lines().any(|line| line.starts_with("              eve@")), "{text}");
    check_fits(&text);
}

#[test]
fn a_line_that_goes_on_ends_in_no_blank_and_what_others_wrote_is_whole() {
    for line in ["one two three four five", "one two       three four", "        ", "", "onetwothreefour"] {
        let pieces = wrapped(line, 10);
        assert!(!pieces.is_empty() && pieces.iter().all(|piece| !piece.ends_with(' ')), "{pieces:?}");
        assert_eq!(pieces.concat().replace(' ', ""), line.replace(' ', ""));
        assert_eq!(broken(line, 10).concat(), line);
    }
}

#[test]
fn demands_are_shown_in_words() {
    let slot = |groups: &[&str], approvals| SlotBody {
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        approvals,
    };
    assert_eq!(demanded(0, &[]), "none");
    assert_eq!(demanded(1, &[]), "1 approval: 1 of anybody who may approve");
    assert_eq!(demanded(2, &[slot(&["dba"], 1)]), "2 approvals: 1 of dba, 1 of anybody who may approve");
    assert_eq!(demanded(2, &[slot(&["dba", "sre"], 2)]), "2 approvals: 2 of dba or sre");
}
