//! What was approved is what was shown: the digest that an approver or executor names, and what
//! it is a digest of.

use crate::fixture::{HIGH, Trail, ann, approve, bob, canonical, carol, result, start};
use countersign_core::command::Command;
use countersign_core::digest::Digest;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};
use std::collections::HashSet;

/// Both commands that may name a digest, each where it is accepted without one.
fn check(shown: impl Fn(&Request) -> Option<String>, expected: [Result<Status, Refusal>; 2]) {
    let [approved, started] = expected;
    let trail = Trail::in_status(Status::Pending);
    let command = Command::Approve { comment: None, parameters_digest: shown(&trail.request) };
    assert_eq!(result(&trail.request, &command, &carol(), trail.now()), approved, "{command:?}");

    let trail = Trail::in_status(Status::Approved);
    let command = Command::Start { parameters_digest: shown(&trail.request) };
    assert_eq!(result(&trail.request, &command, &ann(), trail.now()), started, "{command:?}");
}

const ACCEPTED: [Result<Status, Refusal>; 2] = [Ok(Status::Approved), Ok(Status::Executing)];
const REFUSED: [Result<Status, Refusal>; 2] =
    [Err(Refusal::DigestMismatch(Status::Pending)), Err(Refusal::DigestMismatch(Status::Approved))];

#[test]
fn the_digest_that_was_shown_is_accepted_and_so_is_none() {
    check(|request| Some(request.parameters_digest.to_string()), ACCEPTED);
    check(|_| None, ACCEPTED);
}

#[test]
fn any_other_digest_is_refused() {
    check(|_| Some(canonical(r#"{"count":3,"target":"db.r6g.xlarge"}"#).digest().to_string()), REFUSED);
    check(|_| Some(Digest::ZERO.to_string()), REFUSED);
    check(|request| Some(request.policy_version.to_string()), REFUSED);
    check(|request| Some(request.audit_head.to_string()), REFUSED);
}

#[test]
fn any_other_spelling_of_the_digest_is_refused() {
    let spellings: [fn(String) -> String; 10] = [
        |digest| digest.to_uppercase(),
        |digest| digest.chars().take(63).collect(),
        |digest| digest.chars().skip(1).collect(),
        |digest| digest.chars().take(8).collect(),
        |digest| format!("{digest}0"),
        |digest| format!("sha256:{digest}"),
        |digest| format!("0x{digest}"),
        |digest| format!(" {digest}"),
        |digest| format!("{digest}\n"),
        |_| String::new(),
    ];
    for spelling in spellings {
        check(|request| Some(spelling(request.parameters_digest.to_string())), REFUSED);
    }
}

#[test]
fn every_digit_of_the_digest_counts() {
    for place in 0..64 {
        let altered = |request: &Request| {
            let mut digits = request.parameters_digest.to_string().into_bytes();
            digits[place] = if digits[place] == b'0' { b'1' } else { b'0' };
            Some(String::from_utf8(digits).unwrap())
        };
        check(altered, REFUSED);
    }
}

/// The constant is from `printf '{"count":2,"target":"db.r6g.xlarge"}' | sha256sum`.
#[test]
fn the_digest_is_sha_256_of_the_canonical_bytes_anybody_can_compute() {
    let request = Trail::open(HIGH).request;
    assert_eq!(request.parameters.as_str(), r#"{"count":2,"target":"db.r6g.xlarge"}"#);
    assert_eq!(
        request.parameters_digest.to_string(),
        "157dbd2b277285092218692f5c299f278a47622d284fcaee0b609a593dcb92eb"
    );
}

#[test]
fn any_changed_parameter_changes_the_digest() {
    let variants = [
        r#"{"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": null}"#,
        r#"{"a": 2, "b": {"c": [1, 2], "d": "x"}, "e": null}"#,
        r#"{"a": "1", "b": {"c": [1, 2], "d": "x"}, "e": null}"#,
        r#"{"a": true, "b": {"c": [1, 2], "d": "x"}, "e": null}"#,
        r#"{"A": 1, "b": {"c": [1, 2], "d": "x"}, "e": null}"#,
        r#"{"b": {"c": [1, 2], "d": "x"}, "e": null}"#,
        r#"{"a": 1, "b": {"c": [2, 1], "d": "x"}, "e": null}"#,
        r#"{"a": 1, "b": {"c": [1, 2, 2], "d": "x"}, "e": null}"#,
        r#"{"a": 1, "b": {"c": [12], "d": "x"}, "e": null}"#,
        r#"{"a": 1, "b": {"c": [1, 2], "d": "X"}, "e": null}"#,
        r#"{"a": 1, "b": {"c": [1, 2], "d": "x "}, "e": null}"#,
        r#"{"a": 1, "b": {"c": [1, 2], "d": "x\u200b"}, "e": null}"#,
        r#"{"a": 1, "b": {"c": [1, 2], "d": ""}, "e": null}"#,
        r#"{"a": 1, "b": {"c": [1, 2]}, "d": "x", "e": null}"#,
        r#"{"a": 1, "b": {"c": [1, 2], "d": "x"}}"#,
        r#"{"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": false}"#,
        r#"{"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": null, "f": null}"#,
        r#"{"a": 1.0000001, "b": {"c": [1, 2], "d": "x"}, "e": null}"#,
    ];
    let digests: HashSet<Digest> = variants.iter().map(|json| canonical(json).digest()).collect();
    assert_eq!(digests.len(), variants.len());
}

/// One document, however it was typed: an approver is not refused for somebody's white space.
#[test]
fn spelling_a_document_differently_does_not_change_the_digest() {
    let digest = canonical(r#"{"a":1,"b":["é",0.1]}"#).digest();
    for same in [
        r#"{"b":["é",0.1],"a":1}"#,
        "{ \"a\" : 1,\n\t\"b\" : [ \"é\" , 0.1 ] }",
        r#"{"a":1.0,"b":["\u00e9",1e-1]}"#,
        r#"{"\u0061":1e0,"b":["é",0.10]}"#,
    ] {
        assert_eq!(canonical(same).digest(), digest, "{same}");
    }
}

#[test]
fn parameters_and_their_digest_are_those_of_the_creation_for_ever() {
    let first = Trail::open(HIGH).request;
    for status in Status::ALL {
        let request = Trail::in_status(status).request;
        assert_eq!(request.parameters, first.parameters, "{status}");
        assert_eq!(request.parameters_digest, first.parameters.digest(), "{status}");
    }
}

#[test]
fn a_refused_digest_does_not_use_up_the_approver() {
    let mut trail = Trail::open(HIGH);
    let wrong = Command::Approve { comment: None, parameters_digest: Some("0".repeat(64)) };
    assert!(trail.give(&bob(), &wrong, None).is_err());
    assert_eq!(trail.request.decisions, []);
    assert_eq!(trail.then(&bob(), &approve()).request.approvals_received(), 1);

    let mut trail = Trail::in_status(Status::Approved);
    let wrong = Command::Start { parameters_digest: Some("0".repeat(64)) };
    assert!(trail.give(&ann(), &wrong, None).is_err());
    assert_eq!(trail.then(&ann(), &start()).request.status, Status::Executing);
}
