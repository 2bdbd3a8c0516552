//! What was approved is what was shown: the digest that an approver or executor names, and what
//! it is a digest of.

use crate::fixture::{
    HIGH, Trail, ann, answer, approve, bob, canonical, carol, change_content, finish, result, start, text,
};
use countersign_core::command::{Command, ExecutionOutcome, Shown};
use countersign_core::content::Content;
use countersign_core::digest::Digest;
use countersign_core::ids::RequestId;
use countersign_core::priority::Priority;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::text::{Identifier, InstanceId, Justification, Ticket};
use countersign_core::text_key::{KeyedText, TextKey};
use std::collections::HashSet;
use strum::IntoEnumIterator;

/// Every command that may name a digest, each where it is accepted without one: approve, reject, start,
/// finish.
fn check(shown: impl Fn(&Request) -> Shown, expected: &[Result<Status, Refusal>; 4]) {
    let pending = Trail::in_status(Status::Pending);
    let approved = Trail::in_status(Status::Approved);
    let executing = Trail::in_status(Status::Executing);
    let finish = Command::Finish {
        execution_id: executing.request.execution.as_ref().unwrap().id,
        outcome: ExecutionOutcome::Succeeded,
        result: None,
        actual_cost: None,
        note: None,
        shown: shown(&executing.request),
    };
    let attempts = [
        (&pending, carol(), Command::Approve { comment: None, shown: shown(&pending.request) }),
        (&pending, carol(), Command::Reject { reason: text("no"), shown: shown(&pending.request) }),
        (&approved, ann(), Command::Start { shown: shown(&approved.request) }),
        (&executing, ann(), finish),
    ];
    for ((trail, actor, command), expected) in attempts.iter().zip(expected) {
        assert_eq!(result(&trail.request, command, actor, trail.now()), *expected, "{command:?}");
    }
}

/// The same of either digest, the other one absent or right.
fn check_each(digest: impl Fn(&Request, Digest) -> Option<String>, expected: &[Result<Status, Refusal>; 4]) {
    let content = |request: &Request| digest(request, request.content.digest());
    let parameters = |request: &Request| digest(request, request.content.parameters_digest());
    check(
        |request| Shown { content_digest: content(request), parameters_digest: None, version: None },
        expected,
    );
    check(|request| Shown { content_digest: content(request), ..Shown::of(request) }, expected);
    check(
        |request| Shown { content_digest: None, parameters_digest: parameters(request), version: None },
        expected,
    );
    check(|request| Shown { parameters_digest: parameters(request), ..Shown::of(request) }, expected);
}

const ACCEPTED: [Result<Status, Refusal>; 4] =
    [Ok(Status::Approved), Ok(Status::Rejected), Ok(Status::Executing), Ok(Status::Executed)];
const REFUSED: [Result<Status, Refusal>; 4] = [
    Err(Refusal::DigestMismatch(Status::Pending)),
    Err(Refusal::DigestMismatch(Status::Pending)),
    Err(Refusal::DigestMismatch(Status::Approved)),
    Err(Refusal::DigestMismatch(Status::Executing)),
];

/// THREATS 13 and 14.
#[test]
fn the_digest_that_was_shown_is_accepted_and_so_is_none() {
    check_each(|_, digest| Some(digest.to_string()), &ACCEPTED);
    check_each(|_, _| None, &ACCEPTED);
}

/// THREATS 13 and 14: of other parameters, of another request, of anything else about this one.
#[test]
fn any_other_digest_is_refused() {
    let other = canonical(r#"{"count":3,"target":"db.r6g.xlarge"}"#).digest().to_string();
    check_each(|_, _| Some(other.clone()), &REFUSED);
    check_each(|_, _| Some(Digest::ZERO.to_string()), &REFUSED);
    check_each(|request, _| Some(request.content.policy_version.to_string()), &REFUSED);
    check_each(|request, _| Some(request.audit_head.to_string()), &REFUSED);
    check_each(|request, _| Some(request.state_digest().to_string()), &REFUSED);
    check_each(|request, _| Some(request.seal.to_string()), &REFUSED);
    let exchanged = |request: &Request| {
        let Shown { content_digest, parameters_digest, .. } = Shown::of(request);
        Shown { content_digest: parameters_digest, parameters_digest: content_digest, version: None }
    };
    check(exchanged, &REFUSED);
}

/// THREATS 13: approved with the digest of a request that differs in one thing only, which is what an
/// approver was shown whom another request was put in front of.
#[test]
fn the_digest_of_a_request_with_other_labels_is_refused() {
    let others: [fn(&mut Content); 9] = [
        |content| content.request_id = RequestId::parse("01930000-0000-7000-8000-0000000000ab").unwrap(),
        |content| content.instance_id = InstanceId::parse("orders-db-2").unwrap(),
        |content| content.operation_type = Identifier::parse("create_snapshot").unwrap(),
        |content| content.environment = Environment::NonProduction,
        |content| content.risk_level = RiskLevel::Low,
        |content| content.estimated_cost = Some(Cost::new(1.0).unwrap()),
        |content| {
            content.justification = KeyedText::Kept {
                text: Justification::parse("CPU is at 95 % since Tuesday").unwrap(),
                key: TextKey::new([8; 16]),
            };
        },
        |content| content.ticket = Some(Ticket::parse("OPS-1").unwrap()),
        |content| content.priority = Some(Priority::P1),
    ];
    for other in others {
        let shown = |request: &Request| {
            let mut other_request = request.clone();
            change_content(&mut other_request, other);
            Shown {
                content_digest: Some(other_request.content.digest().to_string()),
                parameters_digest: None,
                version: None,
            }
        };
        check(shown, &REFUSED);
    }
}

/// THREATS 13: none, wrong, upper-case, truncated.
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
        check_each(|_, digest| Some(spelling(digest.to_string())), &REFUSED);
    }
}

#[test]
fn every_digit_of_the_digest_counts() {
    for place in 0..64 {
        let altered = |_: &Request, digest: Digest| {
            let mut digits = digest.to_string().into_bytes();
            digits[place] = if digits[place] == b'0' { b'1' } else { b'0' };
            Some(String::from_utf8(digits).unwrap())
        };
        check_each(altered, &REFUSED);
    }
}

/// The constant is from `printf '{"count":2,"target":"db.r6g.xlarge"}' | sha256sum`.
#[test]
fn the_digest_is_sha_256_of_the_canonical_bytes_anybody_can_compute() {
    let request = Trail::open(HIGH).request;
    assert_eq!(
        request.content.parameters.kept().unwrap().as_str(),
        r#"{"count":2,"target":"db.r6g.xlarge"}"#
    );
    assert_eq!(
        request.content.parameters_digest().to_string(),
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

/// One document, however it was typed: an approver is not refused for white space.
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
    for status in Status::iter() {
        let request = Trail::in_status(status).request;
        assert_eq!(request.content.parameters, first.content.parameters, "{status}");
        assert_eq!(request.content.parameters_digest(), first.content.parameters.digest(), "{status}");
    }
}

/// The constant is from
/// `jq -cS . <<< '{"format":"countersign.content.v1","request_id":…}' | tr -d '\n' | sha256sum`.
#[test]
fn the_content_digest_is_sha_256_of_a_document_anybody_can_build() {
    let request = Trail::open(HIGH).request;
    let expected = format!(
        concat!(
            r#"{{"approvals_required":2,"digest_required":false,"environment":"production","#,
            r#""execute_within_seconds":600,"expires_at":"2026-01-01T01:00:00.000Z","#,
            r#""format":"countersign.content.v1","instance_id":"orders-db","#,
            r#""justification":"CPU is at 95 % since Monday","operation_type":"modify_instance_class","#,
            r#""parameters_digest":"157dbd2b277285092218692f5c299f278a47622d284fcaee0b609a593dcb92eb","#,
            r#""policy_version":"{}","request_id":"01930000-0000-7000-8000-0000000000aa","#,
            r#""requested_at":"2026-01-01T00:00:00.000Z","requested_by":"ann@example.com","#,
            r#""requester_addresses":["ann@example.com"],"requester_groups":["developer"],"#,
            r#""risk_level":"high","rules":[{}],"slots":[]}}"#
        ),
        request.content.policy_version,
        request
            .content
            .rules
            .iter()
            .map(|rule| format!(r#"{{"demands":{:?},"name":{:?}}}"#, rule.demands, rule.name))
            .collect::<Vec<_>>()
            .join(","),
    );
    assert_eq!(request.content.document().as_str(), expected);
    assert_eq!(request.content.digest(), Digest::of(&expected));
}

/// Nothing that happens to a request later is another content: what was approved stays what it is.
#[test]
fn the_content_digest_is_that_of_the_creation_for_ever() {
    let first = Trail::open(HIGH).request;
    for status in Status::iter() {
        assert_eq!(Trail::in_status(status).request.content.document(), first.content.document(), "{status}");
    }
}

#[test]
fn a_refused_digest_does_not_use_up_the_approver() {
    let wrong = || Shown { content_digest: Some("0".repeat(64)), parameters_digest: None, version: None };
    let mut trail = Trail::open(HIGH);
    let refused = Command::Approve { comment: None, shown: wrong() };
    assert!(trail.give(&bob(), &refused, None).is_err());
    assert_eq!(trail.request.decisions, []);
    assert_eq!(trail.then(&bob(), &approve()).request.approvals_received(), 1);

    let mut trail = Trail::in_status(Status::Approved);
    assert!(trail.give(&ann(), &Command::Start { shown: wrong() }, None).is_err());
    let mut trail = trail.then(&ann(), &start());
    assert_eq!(trail.request.status, Status::Executing);

    // THREATS 14: a report about other bytes leaves the execution visibly unfinished.
    let finish = finish(&trail.request, ExecutionOutcome::Succeeded);
    let Command::Finish { execution_id, outcome, .. } = finish else { panic!("not a finish") };
    let refused = Command::Finish {
        execution_id,
        outcome,
        result: None,
        actual_cost: None,
        note: None,
        shown: wrong(),
    };
    assert!(trail.give(&ann(), &refused, None).is_err());
    assert_eq!(trail.request.status, Status::Executing);
    assert_eq!(trail.then(&ann(), &finish).request.status, Status::Executed);
}

/// THREATS 13: policy that requires the digest is met by that of the content alone. The digest of the
/// parameters says nothing of the target they are for.
#[test]
fn what_policy_requires_is_the_digest_of_the_content() {
    for (content, parameters, expected) in [
        (true, true, "pending"),
        (true, false, "pending"),
        (false, true, "validation_failed"),
        (false, false, "validation_failed"),
    ] {
        let mut trail = Trail::open(HIGH);
        change_content(&mut trail.request, |content| content.digest_required = true);
        let of = Shown::of(&trail.request);
        let shown = Shown {
            content_digest: of.content_digest.filter(|_| content),
            parameters_digest: of.parameters_digest.filter(|_| parameters),
            version: None,
        };
        let found = answer(&trail.request, &Command::Approve { comment: None, shown }, &bob(), trail.now());
        assert_eq!(found, expected, "content {content}, parameters {parameters}");
    }
}

/// What has happened since the caller looked is refused, also a comment; a digest that is wrong is said first.
#[test]
fn only_the_version_that_was_shown_is_decided_on() {
    let shown = |version: u64, content_digest: Option<String>| Shown {
        content_digest,
        parameters_digest: None,
        version: Some(version),
    };
    let trail = Trail::open(HIGH).then(&ann(), &crate::fixture::comment());
    let give = |trail: &Trail, shown: Shown| {
        answer(&trail.request, &Command::Approve { comment: None, shown }, &bob(), trail.now())
    };
    assert_eq!(give(&trail, shown(2, None)), "pending");
    for other in [1, 3, u64::MAX] {
        assert_eq!(give(&trail, shown(other, None)), "version_mismatch");
    }
    assert_eq!(give(&trail, shown(1, Some("0".repeat(64)))), "digest_mismatch");
    let approved = Trail::in_status(Status::Approved);
    let start = Command::Start { shown: shown(approved.request.version - 1, None) };
    assert_eq!(answer(&approved.request, &start, &ann(), approved.now()), "version_mismatch");
}
