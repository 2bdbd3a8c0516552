//! What is refused: changed bytes, and what the service itself should never have signed.

use crate::fixture::{all_evidence, evidence_key, keys, log_key, private, signed_anyway};
use countersign_audit::evidence::mismatch::Mismatch;
use countersign_audit::evidence::verification::{Demands, verify};
use countersign_audit::key::{KeyStatus, Purpose};
use countersign_audit::key_set::KeySet;
use serde_json::{Value, json};

fn evidence(name: &str) -> String {
    let wanted = format!("{name} redacted false pending false");
    all_evidence().into_iter().find(|(name, _)| *name == wanted).unwrap().1
}

fn refused(bytes: &[u8]) -> Vec<Mismatch> {
    verify(bytes, &keys(), Demands::default()).unwrap_err()
}

#[test]
fn no_changed_byte_of_a_short_one_is_believed() {
    let good = evidence("pending");
    for place in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[place] ^= 1 << (place % 7);
        assert!(verify(&bytes, &keys(), Demands::default()).is_err(), "{place}");
    }
}

#[test]
fn no_changed_byte_of_any_is_believed() {
    for (round, (name, good)) in all_evidence().into_iter().enumerate() {
        for place in (round * 25 % 997..good.len()).step_by(997) {
            for other in [b'0', b'A', b' ', good.as_bytes()[place] ^ 1, good.as_bytes()[place] ^ 0x20] {
                let mut bytes = good.clone().into_bytes();
                if bytes[place] == other {
                    continue;
                }
                bytes[place] = other;
                assert!(verify(&bytes, &keys(), Demands::default()).is_err(), "{name} {place}");
            }
        }
    }
}

#[test]
fn no_bit_of_the_envelope_is_free() {
    let good = evidence("pending");
    let start = good.find("\"dsse\"").unwrap();
    let end = good.find("\"events\"").unwrap();
    for place in start..end {
        for bit in 0..8 {
            let mut bytes = good.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            assert!(verify(&bytes, &keys(), Demands::default()).is_err(), "{place} {bit}");
        }
    }
}

#[test]
fn a_document_has_one_form() {
    let good = evidence("executed");
    let text: Value = serde_json::from_str(&good).unwrap();
    let changed = |name: &str, value: Value| {
        let mut text = text.clone();
        text[name] = value;
        text.to_string()
    };
    for other in [
        String::new(),
        format!("{good}\n"),
        format!(" {good}"),
        good.replacen(',', ", ", 1),
        good.replacen("\"format\":", "\"format\":\"countersign.evidence.v1\",\"format\":", 1),
        good.replacen("ü", "\\u00fc", 1),
        changed("more", json!(1)),
        changed("permit", Value::Null),
        changed("format", json!("countersign.evidence.v2")),
        serde_json::to_string_pretty(&text).unwrap(),
        good[..good.len() - 1].to_owned(),
    ] {
        assert_ne!(other, good);
        assert!(matches!(refused(other.as_bytes()).as_slice(), [Mismatch::Form(_)]), "{other:.80}");
    }
}

#[test]
fn a_key_of_another_purpose_signs_no_evidence_and_no_checkpoint() {
    let good = evidence("approved");
    let verify_by = |keys: Vec<_>| verify(good.as_bytes(), &KeySet::new(keys), Demands::default());
    let all = vec![evidence_key(), log_key()];
    assert!(verify_by(all).is_ok());
    let swapped = vec![
        private(1).public(Purpose::Log, KeyStatus::Current),
        private(2).public(Purpose::Evidence, KeyStatus::Current),
    ];
    let mismatches = verify_by(swapped).unwrap_err();
    assert!(mismatches.contains(&Mismatch::Signature("its key is for other documents")));
    assert_eq!(mismatches.iter().filter(|found| matches!(found, Mismatch::Inclusion { .. })).count(), 4);
    assert!(
        verify_by(vec![log_key()])
            .unwrap_err()
            .contains(&Mismatch::Signature("its key is not among the keys"))
    );
    let old = private(1).public(Purpose::Evidence, KeyStatus::Past);
    assert!(verify_by(vec![old, log_key()]).is_ok());
}

/// The text of an event, changed and hashed again if it is to be.
fn change_event(document: &mut Value, place: usize, change: &dyn Fn(&mut Value), is_hashed: bool) {
    let text = document["events"][place]["event"].as_str().unwrap();
    let mut event: Value = serde_json::from_str(text).unwrap();
    change(&mut event);
    if is_hashed {
        event.as_object_mut().unwrap().remove("hash");
        let hash = countersign_core::canonical::CanonicalJson::of(&event).digest();
        event["hash"] = json!(hash.to_string());
    }
    document["events"][place]["event"] =
        json!(countersign_core::canonical::CanonicalJson::of(&event).as_str());
}

/// What the service itself should not have signed: what is to be named, and the evidence.
pub(crate) fn badly_signed() -> Vec<(&'static str, String)> {
    let good = evidence("executed");
    type Change<'a> = &'a dyn Fn(&mut Value);
    let cases: Vec<(&str, Change<'_>)> = vec![
        ("event 2 was edited", &|document| {
            change_event(document, 1, &|event| event["user"] = json!("mallory@example.com"), false);
        }),
        ("event 3 does not follow the one before it", &|document| {
            change_event(document, 1, &|event| event["user"] = json!("mallory@example.com"), true);
        }),
        ("event 2 is out of place", &|document| drop(document["events"].as_array_mut().unwrap().remove(1))),
        ("event 2 is earlier than the one before it", &|document| {
            change_event(document, 1, &|event| event["timestamp"] = json!("2026-11-25T19:03:20.000Z"), true);
        }),
        ("event 2 is of another stream", &|document| {
            let change = |event: &mut Value| {
                event["stream"] = json!("request/019abc00-0000-7000-9000-000000000099");
                event["request_id"] = json!("019abc00-0000-7000-9000-000000000099");
            };
            change_event(document, 1, &change, true);
        }),
        ("event 2 was recorded by another deployment", &|document| {
            change_event(document, 1, &|event| event["origin"] = json!("urn:other"), true);
        }),
        ("event 2 is about another request", &|document| {
            change_event(document, 1, &|event| event["instance_id"] = json!("other-db"), true);
        }),
        ("event 3 counts other approvals", &|document| {
            change_event(document, 2, &|event| event["details"]["approvals_received"] = json!(3), true);
        }),
        ("event 3 is about other content", &|document| {
            change_event(
                document,
                2,
                &|event| event["details"]["content_digest"] = json!("0".repeat(64)),
                true,
            );
        }),
        ("event 2 cannot follow", &|document| {
            change_event(document, 1, &|event| event["status"] = json!("executed"), true);
        }),
        ("event 2 is of a type that is not known", &|document| {
            change_event(document, 1, &|event| event["event_type"] = json!("SOMETHING_NEW"), true);
        }),
        ("event 2 leaves a decision by the requester", &|document| {
            change_event(document, 1, &|event| event["user"] = json!("ann@example.com"), true);
        }),
        ("event 2 leaves a decision by the requester", &|document| {
            change_event(document, 1, &|event| event["user"] = json!("olaf@example.com"), true);
        }),
        ("event 2 leaves an approved request with too few approvals", &|document| {
            change_event(document, 1, &|event| event["status"] = json!("approved"), true);
        }),
        ("event 3 leaves one person with two decisions", &|document| {
            change_event(document, 2, &|event| event["user"] = json!("bob@example.com"), true);
        }),
        ("event 3 leaves an approved request with too few approvals", &|document| {
            for place in [1, 2] {
                change_event(
                    document,
                    place,
                    &|event| event["details"]["groups"] = json!(["approver"]),
                    true,
                );
            }
        }),
        ("event 4 is not an event", &|document| document["events"][3]["event"] = json!("{}")),
        ("there are no events", &|document| document["events"] = json!([])),
        ("the state's member approved_at", &|document| {
            document["request"]["state"]["approved_at"] = json!("2026-11-25T19:03:20.000Z");
        }),
        ("the state's member version", &|document| {
            document["request"]["state"]["version"] = json!(99);
        }),
        ("the state's member more", &|document| {
            document["request"]["state"]["more"] = json!(1);
        }),
        ("the state's member idempotency", &|document| {
            document["request"]["state"]["idempotency"] = json!({});
        }),
        ("what is shown as state", &|document| {
            document["request"]["state"]["idempotency"] = json!([]);
        }),
        ("the state's member decisions", &|document| {
            document["request"]["state"]["decisions"][0]["addresses"] = json!(["zz@example.com"]);
        }),
        ("the state's member execution", &|document| {
            document["request"]["state"]["execution"]["finish"]["outcome"] = json!("failed");
        }),
        ("what is shown as parameters", &|document| document["request"]["parameters"] = json!("{}")),
        ("what is shown as target", &|document| document["request"]["target"] = json!("{}")),
        ("what is shown as target", &|document| {
            drop(document["request"].as_object_mut().unwrap().remove("target"));
        }),
        ("event 1 is about other content", &|document| {
            document["request"]["content"]["ticket"] = json!("CHG-2")
        }),
        ("the content's member ticket", &|document| {
            document["request"]["content"]["ticket"] = json!("CHG-2")
        }),
        ("the content's member approvals_required", &|document| {
            document["request"]["content"]["approvals_required"] = json!(1);
        }),
        ("is not the one that the event has a digest of", &|document| {
            document["texts"][0]["text"] = json!("x")
        }),
        ("is not the one that the event has a digest of", &|document| {
            document["texts"][0]["key"] = json!("00".repeat(16));
        }),
        ("is not the one of the content", &|document| document["texts"][0]["text"] = json!("x")),
        ("is shown twice", &|document| {
            let first = document["texts"][0].clone();
            document["texts"].as_array_mut().unwrap().push(first);
        }),
        ("is missing", &|document| drop(document["texts"].as_array_mut().unwrap().pop())),
        ("are those of another", &|document| {
            document["policies"][0]["files"]["people.toml"] = json!("");
        }),
        ("the policies are not those", &|document| drop(document["policies"].as_array_mut().unwrap().pop())),
        ("the permit's claim jti", &|document| document["permit"]["jti"] = json!("other")),
        ("the permit's claim audit_head", &|document| document["permit"]["audit_head"] = json!("other")),
        ("the permit's claim approved_by", &|document| document["permit"]["approved_by"] = json!([])),
        ("the permit's claim more", &|document| document["permit"]["more"] = json!(1)),
        ("the permit's claim exp", &|document| document["permit"]["exp"] = json!(1)),
        ("event 1 is not shown to be in the log: it is not a proof", &|document| {
            document["events"][0]["inclusion"] = json!("");
        }),
        ("event 1 is not shown to be in the log: the entry is not in the log", &|document| {
            document["events"][0]["inclusion"] = document["events"][1]["inclusion"].clone();
        }),
        ("event 1 is not shown to be in the log: the checkpoint is not believed", &|document| {
            let proof = document["events"][0]["inclusion"].as_str().unwrap();
            document["events"][0]["inclusion"] = json!(proof.replace("\nurn:", "\nurm:"));
        }),
        ("event 1 is not shown to be in the log: the proof has further data", &|document| {
            let proof = document["events"][0]["inclusion"].as_str().unwrap();
            document["events"][0]["inclusion"] = json!(proof.replacen('\n', "\nextra AAAA\n", 1));
        }),
        ("its time is none", &|document| document["made_at"] = json!("yesterday")),
        ("result_digest of event 019abc00-0000-7000-8000-000000001210 is shown although", &|document| {
            document["redacted"] = json!(true);
        }),
    ];
    cases.into_iter().map(|(expected, change)| (expected, signed_anyway(&good, change))).collect()
}

#[test]
fn what_the_service_should_not_have_signed_is_named() {
    for (expected, changed) in badly_signed() {
        let named: Vec<_> = refused(changed.as_bytes()).iter().map(ToString::to_string).collect();
        assert!(named.iter().any(|one| one.contains(expected)), "{expected}: {named:#?}");
    }
    // What is not changed is believed.
    let same = signed_anyway(&evidence("executed"), |_| {});
    assert!(verify(same.as_bytes(), &keys(), Demands::default()).is_ok());
}

#[test]
fn a_permit_without_a_start_is_refused() {
    let changed = signed_anyway(&evidence("pending"), |document| document["permit"] = json!({}));
    assert_eq!(
        refused(changed.as_bytes()),
        [Mismatch::Parts("there is a permit, and no execution was started")]
    );
}
