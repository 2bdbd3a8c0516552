//! GET /v1/approvals/{id}/evidence: of every status, verified by the published keys alone, here and in another language.

use crate::policy::policy_with;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_audit::evidence::mismatch::Mismatch;
use countersign_audit::evidence::verification::{Demands, Verified, verify};
use countersign_audit::key_set::KeySet;
use countersign_e2e::client::Client;
use countersign_e2e::grants::root;
use countersign_e2e::inspection;
use countersign_e2e::service::Service;
use countersign_policy::load::BUNDLED;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

const DAY: i64 = 24 * 60 * 60 * 1000;
const INCLUSION: Demands = Demands { require_inclusion: true };

pub(crate) fn auditor(service: &Service) -> Client {
    service.person("aud", &["auditor"])
}

fn jwks(service: &Service) -> String {
    service.anonymous().get("/.well-known/jwks.json").expect(200).to_string()
}

pub(crate) fn evidence(client: &Client, path: &str) -> String {
    let answer = client.get(&format!("{path}/evidence"));
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.text
}

pub(crate) fn verified(
    service: &Service,
    evidence: &str,
    demands: Demands,
) -> Result<Verified, Vec<Mismatch>> {
    verify(evidence.as_bytes(), &KeySet::parse(&jwks(service)).unwrap(), demands)
}

/// What the verifier in Python says, and whether it is content.
pub(crate) fn in_python(service: &Service, evidence: &str, options: &[&str]) -> (bool, String) {
    let home = tempfile::tempdir().unwrap();
    let (file, keys) = (home.path().join("evidence.json"), home.path().join("jwks.json"));
    fs::write(&file, evidence).unwrap();
    fs::write(&keys, jwks(service)).unwrap();
    let program = root().join("tests/readers/evidence.py");
    let output =
        Command::new("python3").arg("-B").arg(program).args([file, keys]).args(options).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A request of each status, with what else may be in its state; and the permits of those that were started.
pub(crate) fn of_every_status(service: &Service) -> Vec<(&'static str, String, Option<String>)> {
    let (ann, bob, carol) = (service.requester("ann"), service.approver("bob"), service.approver("carol"));
    let executor = service.program("rds-executor", &["executor"]);
    let expired = Service::create(&ann, &Service::high());
    service.host.advance_milliseconds(8 * DAY);
    service.expire();
    let pending = Service::create(&ann, &Service::high());
    executor.post(&format!("{pending}/target"), &json!({ "target": { "status": "available" } })).expect(200);
    carol.post(&format!("{pending}/approve"), &json!({ "comments": "at last" })).expect(200);
    carol.post(&format!("{pending}/withdraw"), &json!({ "reason": "too early" })).expect(200);
    bob.post(&format!("{pending}/comments"), &json!({ "text": "who is on call?" })).expect(200);
    let rejected = Service::create(&ann, &Service::high());
    bob.post(&format!("{rejected}/reject"), &json!({ "reason": "not today" })).expect(200);
    let cancelled = Service::create(&ann, &Service::high());
    ann.post(&format!("{cancelled}/cancel"), &json!({ "reason": "solved" })).expect(200);
    let mut requests = vec![
        ("expired", expired, None),
        ("pending", pending, None),
        ("rejected", rejected, None),
        ("cancelled", cancelled, None),
        ("approved", service.approved(&ann), None),
    ];
    for (status, outcome) in
        [("executing", None), ("executed", Some("succeeded")), ("failed", Some("failed"))]
    {
        let path = service.approved(&ann);
        let started = ann.post(&format!("{path}/execution"), &json!({})).expect(200);
        if let Some(outcome) = outcome {
            let report = json!({
                "execution_id": started["execution_id"], "outcome": outcome,
                "result": { "secret result": 0.5 }, "note": "as planned",
            });
            ann.put(&format!("{path}/execution"), &report).expect(200);
        }
        requests.push((status, path, Some(started["permit"].as_str().unwrap().to_owned())));
    }
    requests
}

#[test]
fn evidence_of_every_status_waits_for_the_log_and_is_in_it_after_sealing() {
    let service = Service::start();
    let auditor = auditor(&service);
    let requests = of_every_status(&service);
    for (status, path, permit) in &requests {
        let fresh = evidence(&auditor, path);
        let shown =
            verified(&service, &fresh, Demands::default()).unwrap_or_else(|why| panic!("{status}: {why:?}"));
        assert_eq!(shown.document.request.state["status"], *status);
        assert_eq!(shown.pending.len(), shown.events.len(), "{status}");
        let waiting = (1..=shown.events.len() as u64).map(|sequence| Mismatch::Pending { sequence });
        assert_eq!(verified(&service, &fresh, INCLUSION), Err(waiting.collect()), "{status}");
        // The claims are those of the permit that was given out.
        let claims = permit.as_ref().map(|permit| {
            let claims = URL_SAFE_NO_PAD.decode(permit.split('.').nth(1).unwrap()).unwrap();
            serde_json::from_slice::<Value>(&claims).unwrap()
        });
        assert_eq!(shown.document.permit.map(Value::Object), claims, "{status}");
        let files = shown.document.policies[0].files.as_ref().unwrap();
        assert_eq!((files.access.as_str(), files.people.as_str()), (BUNDLED.access, BUNDLED.people));
        assert_eq!(
            shown.hidden,
            if *status == "pending" { vec![(3, "comment_digest".to_owned())] } else { vec![] }
        );
    }
    service.seal().unwrap();
    for (status, path, _) in &requests {
        let sealed = evidence(&auditor, path);
        let shown = verified(&service, &sealed, INCLUSION).unwrap_or_else(|why| panic!("{status}: {why:?}"));
        assert_eq!(shown.pending, Vec::<u64>::new());
        let (is_good, said) = in_python(&service, &sealed, &["--require-inclusion"]);
        assert!(is_good, "{status}: {said}");
    }
    // An event after the last checkpoint waits, and all others are proved.
    service
        .approver("bob")
        .post(&format!("{}/comments", requests[1].1), &json!({ "text": "more" }))
        .expect(200);
    let part = evidence(&auditor, &requests[1].1);
    let shown = verified(&service, &part, Demands::default()).unwrap();
    assert_eq!(shown.pending, [shown.events.len() as u64]);
    assert!(in_python(&service, &part, &[]).0 && !in_python(&service, &part, &["--require-inclusion"]).0);
    let changed = part.replacen("who is on call?", "who is on duty?", 1);
    assert!(verified(&service, &changed, Demands::default()).is_err());
}

/// More entries than a tile has: proofs are of several tiles, of which some have become full since.
#[test]
fn evidence_is_proved_in_a_log_of_more_than_a_tile() {
    let service = Service::start();
    let (ann, auditor) = (service.requester("ann"), auditor(&service));
    let mut paths = Vec::new();
    for _ in 0..2 {
        for _ in 0..140 {
            let path = Service::create(&ann, &Service::medium());
            ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
            paths.push(path);
        }
        service.seal().unwrap();
    }
    for path in [&paths[0], &paths[127], &paths[128], &paths[279]] {
        let shown = verified(&service, &evidence(&auditor, path), INCLUSION).unwrap();
        assert!(shown.checkpoint.unwrap().size >= 560);
    }
}

#[test]
fn evidence_is_for_auditors() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let of = |client: &Client, suffix: &str| client.get(&format!("{path}/evidence{suffix}"));
    service.untouched(|| {
        of(&service.anonymous(), "").expect_problem(401, "unauthenticated");
        // Who does not see the request does not learn that it is there.
        of(&service.requester("ben"), "").expect_problem(404, "not_found");
    });
    for (name, group) in [("ann", "developer"), ("bob", "approver"), ("gus", "guest")] {
        let refused = of(&service.person(name, &[group]), "").expect_problem(403, "not_permitted");
        assert!(refused["reasons"].to_string().contains("query_audit"), "{name}: {refused}");
    }
    for (name, group) in [("aud", "auditor"), ("root", "admin")] {
        assert_eq!(of(&service.person(name, &[group]), "").status, 200, "{group}");
    }
    let auditor = auditor(&service);
    for query in ["?redacted=maybe", "?redacted=true&redacted=false", "?redcated=true", "?redacted="] {
        of(&auditor, query).expect_problem(422, "validation_failed");
    }
    auditor.get("/v1/approvals/1/evidence").expect_problem(400, "malformed_id");
    let none = "/v1/approvals/01930000-0000-7000-8000-000000000000/evidence";
    auditor.get(none).expect_problem(404, "not_found");
    auditor.post(&format!("{path}/evidence"), &json!({})).expect_problem(405, "method_not_allowed");
}

#[test]
fn redacted_evidence_has_neither_parameters_nor_target_nor_result() {
    let forbid = "@id(\"blind\") forbid (principal in Group::\"auditor\", action == Action::\"view_parameters\", resource) \
                  unless { context.own };";
    let service = Service::start();
    let (_, path, _) =
        of_every_status(&service).into_iter().find(|(status, ..)| *status == "executed").unwrap();
    let whole = evidence(&auditor(&service), &path);
    let asked = auditor(&service).get(&format!("{path}/evidence?redacted=true")).text;
    assert_eq!(auditor(&service).get(&format!("{path}/evidence?redacted=false")).text, whole);
    // Who may not see the parameters gets no others.
    service.replace_policy(policy_with("", "", forbid));
    let only = evidence(&auditor(&service), &path);
    assert!(whole.contains("secret result") && whole.contains("allocated_storage"));
    for redacted in [asked, only] {
        assert!(!redacted.contains("secret result") && !redacted.contains("allocated_storage"));
        let shown = verified(&service, &redacted, Demands::default()).unwrap();
        assert!(
            shown.document.redacted && shown.not_proved()[shown.pending.len()].contains("they are left out")
        );
        assert!(in_python(&service, &redacted, &[]).0);
    }
}

#[test]
fn taking_evidence_is_an_event_and_changes_no_request() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let auditor = auditor(&service);
    let before = auditor.get(&path).expect(200);
    for _ in 0..3 {
        evidence(&auditor, &path);
    }
    assert_eq!(auditor.get(&format!("{path}/evidence?redacted=true")).status, 200);
    assert_eq!(auditor.get(&path).expect(200), before);
    service.host.advance_milliseconds(DAY);
    evidence(&auditor, &path);
    service.host.advance_milliseconds(1);
    let page = auditor.get("/v1/audit-logs?event_type=AUDIT_READ&user=aud@example.com").expect(200);
    let details = page["items"].as_array().unwrap().iter().map(|event| &event["details"]);
    let taken: Vec<_> = details.filter(|details| details["operation"] == "evidence").collect();
    let filters = |redacted: &str| json!({ "redacted": redacted, "request_id": Service::id(&path) });
    let filters = [filters("false"), filters("true"), filters("false")];
    assert_eq!(taken.iter().map(|details| details["filters"].clone()).collect::<Vec<_>>(), filters);
}

#[test]
fn evidence_shows_every_policy_that_was_in_force_while_it_is_kept() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let stricter = policy_with("", "[people.\"zoe@example.com\"]", "");
    service.replace_policy(stricter.clone());
    Service::approve(&service.approver("bob"), &path).expect(200);
    let shown = verified(&service, &evidence(&auditor(&service), &path), Demands::default()).unwrap();
    let policies = shown.document.policies;
    let versions: Vec<_> = policies.iter().map(|policy| policy.version.as_str()).collect();
    assert_eq!(versions, [BUNDLED.version().to_string(), stricter.version().to_string()]);
    assert!(policies[1].files.as_ref().unwrap().people.contains("zoe@example.com"));
    fs::remove_dir_all(service.policies_path().join(versions[0])).unwrap();
    let shown = verified(&service, &evidence(&auditor(&service), &path), Demands::default()).unwrap();
    let is_there: Vec<_> = shown.document.policies.iter().map(|policy| policy.files.is_some()).collect();
    assert_eq!(is_there, [false, true]);
    assert!(shown.not_proved().iter().any(|limit| limit.contains("its files are not shown")));
}

#[test]
fn nothing_is_signed_that_does_not_agree_or_cannot_be_read() {
    let service = Service::start();
    let ann = service.requester("ann");
    let auditor = auditor(&service);
    let path = service.approved(&ann);
    Service::started(&ann, &path);
    service.seal().unwrap();
    let of = || auditor.get(&format!("{path}/evidence"));
    assert_eq!(of().status, 200);
    // An event that is gone. It is put back: the store is checked when the service stops.
    let table = inspection::tables().audit;
    let stream = AttributeValue::S(format!("request/{}", Service::id(&path)));
    let removed = service.block_on(
        service
            .database
            .delete_item()
            .table_name(&table)
            .key("stream", stream)
            .key("sequence", AttributeValue::N("2".to_owned()))
            .return_values(ReturnValue::AllOld)
            .send(),
    );
    of().expect_problem(409, "integrity");
    let item = removed.unwrap().attributes;
    service.block_on(service.database.put_item().table_name(&table).set_item(item).send()).unwrap();
    assert_eq!(of().status, 200);
    // A file of the log that is another, or gone.
    let tile = service.log_path().join("tile/0/000.p/3");
    let good =
        fs::read(&tile).unwrap_or_else(|error| panic!("{error}: {:?}", fs::read_dir(tile.parent().unwrap())));
    let mut bad = good.clone();
    bad[0] ^= 1;
    fs::write(&tile, &bad).unwrap();
    of().expect_problem(500, "internal");
    fs::remove_file(&tile).unwrap();
    of().expect_problem(500, "internal");
    fs::write(&tile, good).unwrap();
    service.signing_keys.set_broken(true);
    of().expect_problem(503, "store_unavailable");
    service.signing_keys.set_broken(false);
    assert_eq!(of().status, 200);
}
