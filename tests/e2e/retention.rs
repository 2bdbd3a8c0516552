//! Erasure of parameters and texts: what a caller sees afterwards, and that everything still verifies.

use crate::evidence::{auditor, evidence, in_python, of_every_status, verified};
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_audit::evidence::mismatch::Mismatch;
use countersign_audit::evidence::verification::Demands;
use countersign_e2e::inspection::{scan, tables};
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const DAY: i64 = 24 * 60 * 60 * 1000;
const CLOSED: [&str; 5] = ["expired", "rejected", "cancelled", "executed", "failed"];

/// Every text that there can be on a request, closed for two days and erased; and one that is open.
fn erased(service: &Service) -> Vec<(&'static str, String)> {
    let requests = of_every_status(service);
    service.seal().unwrap();
    service.host.advance_milliseconds(2 * DAY);
    service.expire();
    assert_eq!(service.erase(1).erased, CLOSED.len());
    requests.into_iter().map(|(status, path, _)| (status, path)).collect()
}

#[test]
fn what_was_erased_is_shown_nowhere_and_the_rest_as_before() {
    let service = Service::start();
    let (ann, auditor) = (service.requester("ann"), auditor(&service));
    for (status, path) in erased(&service) {
        let shown = ann.get(&path).expect(200);
        if !CLOSED.contains(&status) {
            assert!(shown.get("erased_at").is_none() && shown["parameters"].is_object(), "{status}");
            continue;
        }
        assert!(shown["erased_at"].is_string(), "{status}");
        for gone in [
            "parameters",
            "justification",
            "rejection_reason",
            "cancellation_reason",
            "execution_note",
            "execution_result",
        ] {
            assert!(shown.get(gone).is_none(), "{status}: {gone}");
        }
        assert_eq!(shown["comments"], json!([]), "{status}");
        assert_eq!(shown["status"], status);
        assert!(shown["content_digest"].is_string() && shown["parameters_digest"].is_string());
        let events = auditor.get(&format!("{path}/events")).expect(200);
        assert_eq!(events["verified"], true, "{status}: {events}");
        let last = events["items"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&last["event_type"], &last["user"]),
            (&json!("PARAMETERS_ERASED"), &json!("system:retention"))
        );
        let code = if status == "expired" { "expired" } else { "not_pending" };
        ann.post(&format!("{path}/comments"), &json!({ "text": "why?" })).expect_problem(409, code);
        ann.get(&format!("{path}/explain")).expect(200);
    }
    let listed = ann.get("/v1/approvals?status=executed").expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    // What is stored has no word of it either.
    let texts = ["not today", "solved", "as planned", "secret result", "CPU has been"];
    for table in [tables().approvals, tables().audit] {
        for item in service.block_on(scan(&service.database, &table)) {
            let is_erased = format!("{item:?}").contains("erased_at");
            let found = texts.iter().find(|text| format!("{item:?}").contains(**text));
            assert!(!is_erased || found.is_none(), "{found:?}");
        }
    }
}

#[test]
fn evidence_of_what_was_erased_verifies_and_says_nothing_of_it() {
    let service = Service::start();
    let auditor = auditor(&service);
    for (status, path) in erased(&service) {
        let sealed = evidence(&auditor, &path);
        let shown =
            verified(&service, &sealed, Demands::default()).unwrap_or_else(|why| panic!("{status}: {why:?}"));
        let (is_good, said) = in_python(&service, &sealed, &[]);
        assert!(is_good, "{status}: {said}");
        if !CLOSED.contains(&status) {
            continue;
        }
        assert!(shown.document.texts.is_empty() && shown.document.request.parameters.is_none());
        // Nothing is put back, and nothing that is left is changed.
        let document: Value = serde_json::from_str(&sealed).unwrap();
        let edits: [fn(&mut Value); 4] = [
            |it| it["request"]["parameters"] = json!("{}"),
            |it| it["request"]["content"]["justification"] = json!("because"),
            |it| it["request"]["content"]["requester_groups"] = json!(["admin"]),
            |it| drop(it["request"]["state"].as_object_mut().unwrap().remove("erased_at")),
        ];
        for edit in edits {
            let mut edited = document.clone();
            edit(&mut edited);
            let edited = countersign_core::canonical::CanonicalJson::of(&edited);
            let found = verified(&service, edited.as_str(), Demands::default()).unwrap_err();
            let only_the_signature =
                found.iter().all(|mismatch| matches!(mismatch, Mismatch::Signature(_) | Mismatch::Statement));
            assert!(!only_the_signature, "{status}: {found:?}");
            assert!(!in_python(&service, edited.as_str(), &[]).0, "{status}");
        }
    }
}

/// A sweep that is cut short goes on where it was, and what closes late is found all the same.
#[test]
fn whatever_closed_long_enough_ago_is_erased_once() {
    let service = Service::start();
    let ann = service.requester("ann");
    let cancelled = || {
        let path = Service::create(&ann, &Service::medium());
        ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
        path
    };
    let old: Vec<_> = (0..150).map(|_| cancelled()).collect();
    let forgotten = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(DAY);
    let young = cancelled();
    assert_eq!(service.erase(1).erased, 0, "not before the day is over");
    service.host.advance_milliseconds(1);
    assert_eq!(service.erase(1).erased, 150);
    assert!(ann.get(&old[149]).expect(200)["erased_at"].is_string());
    assert!(ann.get(&young).expect(200).get("erased_at").is_none());
    // It expired a month ago, and nothing has written that down since.
    service.host.advance_milliseconds(30 * DAY);
    assert_eq!(service.erase(1).erased, 1, "the young one");
    service.expire();
    assert_eq!(service.erase(1).erased, 1, "the forgotten one");
    assert!(ann.get(&forgotten).expect(200)["erased_at"].is_string());
    assert_eq!(service.erase(1), Default::default());
}

/// The texts of a request that is not what its events have made it are evidence of that.
#[test]
fn what_is_damaged_is_kept() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    ann.post(&format!("{path}/cancel"), &json!({ "reason": "solved" })).expect(200);
    let table = tables().approvals;
    let whole = service.block_on(scan(&service.database, &table)).remove(0);
    let mut damaged = whole.clone();
    damaged.insert("cancelled_by".to_owned(), AttributeValue::S("mallory@example.com".to_owned()));
    let put = |item| {
        let put = service.database.put_item().table_name(&table).set_item(Some(item));
        service.block_on(put.send()).unwrap();
    };
    put(damaged.clone());
    service.host.advance_milliseconds(2 * DAY);
    let report = service.erase(1);
    assert_eq!((report.erased, report.damaged), (0, 1));
    assert_eq!(service.block_on(scan(&service.database, &table)).remove(0), damaged);
    put(whole);
    assert_eq!(service.erase(1).erased, 1);
}
