//! Clocks that are wrong, and answers that are final: THREATS 28, 57 and 58.

use crate::policy::{policy_of, policy_with};
use countersign_app::error::AppError;
use countersign_app::host::Clock as _;
use countersign_core::policy::BUNDLED_OPERATIONS;
use countersign_core::refusal::Refusal;
use countersign_e2e::service::Service;
use serde_json::json;

const HOUR: i64 = 60 * 60 * 1000;

/// THREATS 28: an instance that is an hour behind decides nothing; one within five seconds does, and its
/// event is not before the one that it follows.
#[test]
fn threat_28_a_clock_that_is_behind_the_last_event_decides_nothing() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let bob = service.approver("bob");
    service.host.advance_milliseconds(-HOUR);
    for answer in [
        service.untouched(|| Service::approve(&bob, &path)),
        service.untouched(|| bob.post(&format!("{path}/reject"), &json!({ "reason": "no" }))),
        service.untouched(|| ann.post(&format!("{path}/cancel"), &json!({}))),
        service.untouched(|| ann.post(&format!("{path}/comments"), &json!({ "text": "hm" }))),
    ] {
        assert_eq!(answer.headers.get("retry-after").map(String::as_str), Some("1"));
        answer.expect_problem(503, "clock_skew");
    }
    service.host.advance_milliseconds(HOUR - 5001);
    Service::approve(&bob, &path).expect_problem(503, "clock_skew");
    service.host.advance_milliseconds(1);
    Service::approve(&bob, &path).expect(200);
    let events = ann.get(&format!("{path}/events")).expect(200);
    assert_eq!(events["items"][0]["timestamp"], events["items"][1]["timestamp"]);
    assert_eq!(events["verified"], true);
    service.host.advance_milliseconds(5000);
}

/// THREATS 28: what has ended, has ended by any clock.
#[test]
fn threat_28_an_end_is_an_end_by_any_clock() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(80 * HOUR);
    assert_eq!(service.expire().expired, 1);
    service.host.advance_milliseconds(-80 * HOUR);
    assert_eq!(ann.get(&path).expect(200)["status"], "expired");
    Service::approve(&service.approver("bob"), &path).expect_problem(409, "expired");
    service.host.advance_milliseconds(80 * HOUR);
}

/// THREATS 57: the sweep of an instance whose clock is days ahead of the database's writes nothing.
#[test]
fn threat_57_the_sweep_does_not_trust_a_clock_that_is_far_from_the_databases() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    // The database answers by the right clock from now on.
    service.transport.set_date(Some("Thu, 01 Jan 2026 00:00:30 GMT"));
    service.host.advance_milliseconds(120 * HOUR);
    let swept = service.untouched(|| service.try_expire());
    assert_eq!(swept, Err(AppError::Refused(Refusal::ClockSkew)));
    service.host.advance_milliseconds(-120 * HOUR);
    assert_eq!(ann.get(&path).expect(200)["status"], "pending");
    // The right time comes.
    service.transport.set_date(Some("Sun, 04 Jan 2026 00:00:59 GMT"));
    service.host.advance_milliseconds(72 * HOUR);
    assert_eq!(service.try_expire().unwrap().expired, 1);
    service.transport.set_date(None);
}

/// THREATS 58: a policy that sets a sooner deadline, for a while. A caller who got the answer `expired` is
/// right for ever, and lists agree with `get` all the time.
#[test]
fn threat_58_what_was_answered_as_expired_does_not_come_back() {
    let loose = Service::start();
    let ann = loose.requester("ann");
    let (met, violations) =
        (Service::create(&ann, &Service::medium()), Service::create(&ann, &Service::medium()));
    let strict = loose.again_under(policy_with("[rules.soon]\npending_seconds = 3600", "", ""));
    loose.host.advance_milliseconds(2 * HOUR);
    let agree = |service: &Service| {
        let reader = service.approver("bob");
        for path in [&met, &violations] {
            let status = reader.get(path).expect(200)["status"].as_str().unwrap().to_owned();
            for listed in ["pending", "expired"] {
                let ids = reader.ids(&format!("/v1/approvals?status={listed}"));
                let is_listed = ids.iter().any(|id| id == Service::id(path));
                assert_eq!(is_listed, listed == status, "{path} is {status}, listed as {listed}");
            }
        }
    };
    agree(&strict);
    Service::approve(&strict.approver("bob"), &met).expect_problem(409, "expired");
    agree(&strict);
    agree(&loose);
    for service in [&strict, &loose] {
        assert_eq!(service.approver("bob").get(&met).expect(200)["status"], "expired");
        Service::approve(&service.approver("bob"), &met).expect_problem(409, "expired");
    }
    let closed = ann.get(&met).expect(200);
    assert_eq!(closed["closed_at"], "2026-01-01T01:00:00.000Z", "the deadline that it missed");
    let events = ann.get(&format!("{met}/events")).expect(200);
    assert_eq!(events["items"][1]["event_type"], "APPROVAL_EXPIRED");
    assert_eq!(events["verified"], true);
    Service::approve(&loose.approver("bob"), &violations).expect(200);
}

/// THREATS 58: views show how many approvals count, not how many are on record.
#[test]
fn threat_58_views_show_what_counts_now() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    Service::approve(&service.approver("bob"), &path).expect(200);
    let strict = service.again_under(policy_with("", "[people.\"bob@example.com\"]\ndisabled = true", ""));
    let reader = strict.approver("cy");
    let shown = reader.get(&path).expect(200);
    assert_eq!((&shown["approvals_received"], &shown["approvals_required"]), (&json!(0), &json!(2)));
    assert_eq!(shown["decisions"][0]["counts"], false);
    assert!(shown["decisions"][0]["reason"].as_str().unwrap().contains("disabled"), "{shown}");
    let listed = reader.get("/v1/approvals").expect(200);
    assert_eq!(listed["items"][0]["approvals_received"], 0);
    assert_eq!(listed["items"][0]["approved_by"], json!(["bob@example.com"]));

    let blocking = service.again_under(policy_with("", "[people.\"ann@example.com\"]\ndisabled = true", ""));
    let reader = blocking.approver("cy");
    for shown in [reader.get(&path).expect(200), reader.get("/v1/approvals").expect(200)["items"][0].clone()]
    {
        assert!(shown["blocked_by"][0].as_str().unwrap().contains("ann@example.com"), "{shown}");
    }
    let explained = reader.get(&format!("{path}/explain")).expect(200);
    assert!(explained["blocked_by"][0].as_str().unwrap().contains("ann@example.com"));
    assert_eq!(explained["approvers"], json!([]));
    Service::approve(&reader, &path).expect_problem(403, "not_permitted");
    reader.post(&format!("{path}/reject"), &json!({ "reason": "the requester has left" })).expect(200);
}

/// THREATS 41: after a restore no approval from before it counts, and the
/// approvers may approve again.
#[test]
fn threat_41_approvals_from_before_a_restore_do_not_count() {
    let before = Service::start();
    let ann = before.requester("ann");
    let approved = before.approved(&ann);
    let at_once = Service::create(&ann, &Service::low());
    before.host.advance_milliseconds(HOUR);
    let restored = format!("restored_at = \"{}\"\n{BUNDLED_OPERATIONS}", before.host.now());
    let after = before.again_under(policy_of(&restored, "", ""));
    let ann = after.requester("ann");
    for path in [&approved, &at_once] {
        let problem = ann.post(&format!("{path}/execution"), &json!({}));
        let problem = problem.expect_problem(409, "approvals_insufficient");
        assert!(problem["detail"].as_str().unwrap().contains("restored"), "{problem}");
    }
    assert_eq!(ann.get(&approved).expect(200)["approvals_received"], 0);
    Service::approve(&after.approver("bob"), &approved).expect(200);
    Service::started(&ann, &approved);
    let again = Service::create(&ann, &Service::low());
    Service::started(&ann, &again);
}

/// THREATS 63: two executors with one key get the same answer, and the second is marked as a replay.
#[test]
fn threat_63_the_second_of_two_executors_with_one_key_gets_a_marked_answer() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let start = || ann.post_with_key(&format!("{path}/execution"), &json!({}), "deploy-1");
    let (first, second) = (start(), start());
    assert_eq!(first.headers.get("idempotent-replayed"), None);
    assert_eq!(second.headers.get("idempotent-replayed").map(String::as_str), Some("true"));
    assert_eq!(first.expect(200)["execution_id"], second.expect(200)["execution_id"]);
    let made = || ann.post_with_key("/v1/approvals", &Service::low(), "make-1");
    assert_eq!(made().headers.get("idempotent-replayed"), None);
    assert_eq!(made().headers.get("idempotent-replayed").map(String::as_str), Some("true"));
}
