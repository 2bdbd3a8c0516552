//! Callers at once: each counts once, one of them wins, and no acknowledged act is lost.
//! When a service ends, its whole store is checked, see `inspection::check`.

use countersign_e2e::client::{Answer, Client};
use countersign_e2e::repetitions::repetitions;
use countersign_e2e::service::Service;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Barrier;

/// Lets everybody act at the same moment and gives their answers in order.
fn at_once<'a>(acts: Vec<Box<dyn FnOnce() -> Answer + Send + 'a>>) -> Vec<Answer> {
    let barrier = Barrier::new(acts.len());
    let barrier = &barrier;
    std::thread::scope(|scope| {
        let threads: Vec<_> = acts
            .into_iter()
            .map(|act| {
                scope.spawn(move || {
                    barrier.wait();
                    act()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// How many answers there were of each status and code.
fn tally(answers: &[Answer]) -> BTreeMap<(u16, String), usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        let code = answer.body["code"].as_str().unwrap_or("done").to_owned();
        *tally.entry((answer.status, code)).or_default() += 1;
    }
    tally
}

fn expected(counts: &[(u16, &str, usize)]) -> BTreeMap<(u16, String), usize> {
    counts.iter().map(|(status, code, count)| ((*status, (*code).to_owned()), *count)).collect()
}

fn approving<'a>(client: &'a Client, path: &'a str) -> Box<dyn FnOnce() -> Answer + Send + 'a> {
    Box::new(move || Service::approve(client, path))
}

#[test]
fn six_approvers_approve_forty_requests_at_once() {
    let service = Service::start();
    let ann = service.requester("ann");
    let paths: Vec<_> = (0..40).map(|_| Service::create(&ann, &Service::high())).collect();
    let approvers: Vec<_> =
        ["bob", "cleo", "dan", "eve", "fay", "gus"].iter().map(|name| service.approver(name)).collect();
    let acts = paths.iter().flat_map(|path| approvers.iter().map(|approver| approving(approver, path)));
    let answers = at_once(acts.collect());
    // Two are needed, so two are counted; the other four come too late.
    for (path, answers) in paths.iter().zip(answers.chunks(approvers.len())) {
        assert_eq!(tally(answers), expected(&[(200, "done", 2), (409, "not_pending", 4)]), "{path}");
        let request = ann.get(path).expect(200);
        assert_eq!(request["status"], "approved");
        assert_eq!(request["approved_by"].as_array().unwrap().len(), 2);
        let last_words: Vec<_> = answers
            .iter()
            .filter(|answer| answer.status == 200)
            .map(|answer| &answer.body["status"])
            .collect();
        assert!(last_words.contains(&&json!("approved")), "{last_words:?}");
        for answer in answers.iter().filter(|answer| answer.status == 409) {
            assert_eq!(answer.body["current_status"], "approved");
        }
    }
}

#[test]
fn each_approver_at_work_through_all_requests_in_their_own_order() {
    let service = Service::start();
    let ann = service.requester("ann");
    let paths: Vec<_> = (0..40).map(|_| Service::create(&ann, &Service::high())).collect();
    let counted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = ["bob", "cleo", "dan", "eve", "fay", "gus"]
            .into_iter()
            .enumerate()
            .map(|(index, name)| {
                let (service, paths) = (&service, &paths);
                scope.spawn(move || {
                    let approver = service.approver(name);
                    let order = paths.iter().cycle().skip(index * 7).take(paths.len());
                    order.filter(|path| Service::approve(&approver, path).status == 200).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(counted, 80);
    assert_eq!(ann.ids("/v1/approvals?status=approved").len(), 40);
}

#[test]
fn ten_clicks_of_one_approver_count_once() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    for _ in 0..10 {
        let path = Service::create(&ann, &Service::high());
        let answers = at_once((0..10).map(|_| approving(&bob, &path)).collect());
        assert_eq!(tally(&answers), expected(&[(200, "done", 1), (409, "already_decided", 9)]));
        assert_eq!(ann.get(&path).expect(200)["approvals_received"], 1);
    }
}

#[test]
fn ten_clicks_with_one_key_are_one_click() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::high());
    let approve = format!("{path}/approve");
    let click = || -> Box<dyn FnOnce() -> Answer + Send + '_> {
        Box::new(|| bob.post_with_key(&approve, &json!({}), "click"))
    };
    let answers = at_once((0..10).map(|_| click()).collect());
    assert_eq!(tally(&answers), expected(&[(200, "done", 10)]));
    assert_eq!(ann.get(&path).expect(200)["version"], 2);
}

/// THREATS 23.
#[test]
fn one_of_ten_starters_wins() {
    let service = Service::start();
    let ann = service.requester("ann");
    for _ in 0..10 {
        let path = service.approved(&ann);
        let execution = format!("{path}/execution");
        let starters: Vec<_> = (0..10).map(|_| service.requester("ann")).collect();
        let acts = starters.iter().map(|starter| -> Box<dyn FnOnce() -> Answer + Send + '_> {
            Box::new(|| starter.post(&execution, &json!({})))
        });
        let answers = at_once(acts.collect());
        assert_eq!(tally(&answers), expected(&[(200, "done", 1), (409, "not_approved", 9)]));
        let winner = answers.iter().find(|answer| answer.status == 200).unwrap();
        let request = ann.get(&path).expect(200);
        assert_eq!(request["execution_id"], winner.body["execution_id"]);
        assert_eq!(request["status"], "executing");
    }
}

#[test]
fn approval_rejection_and_withdrawal_meet_and_one_ends_it() {
    let service = Service::start();
    let (ann, bob, cleo) = (service.requester("ann"), service.approver("bob"), service.approver("cleo"));
    for _ in 0..30 {
        let path = Service::create(&ann, &Service::medium());
        let (reject, cancel) = (format!("{path}/reject"), format!("{path}/cancel"));
        let answers = at_once(vec![
            approving(&bob, &path),
            Box::new(|| cleo.post(&reject, &json!({ "reason": "no" }))),
            Box::new(|| ann.post(&cancel, &json!({}))),
        ]);
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        let end = ann.get(&path).expect(200)["status"].as_str().unwrap().to_owned();
        // An approved request may still be withdrawn, so that pair may both be acknowledged.
        match (statuses.as_slice(), end.as_str()) {
            ([200, 409, 409], "approved")
            | ([409, 200, 409], "rejected")
            | ([409 | 200, 409, 200], "cancelled") => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn starting_meets_withdrawing_and_one_of_them_wins() {
    let service = Service::start();
    let ann = service.requester("ann");
    for _ in 0..20 {
        let path = service.approved(&ann);
        let (execution, cancel) = (format!("{path}/execution"), format!("{path}/cancel"));
        let answers = at_once(vec![
            Box::new(|| ann.post(&execution, &json!({}))),
            Box::new(|| ann.post(&cancel, &json!({}))),
        ]);
        let codes: Vec<_> = answers.iter().map(|answer| answer.body["code"].as_str()).collect();
        let end = ann.get(&path).expect(200)["status"].as_str().unwrap().to_owned();
        match (codes.as_slice(), end.as_str()) {
            ([None, Some("not_pending")], "executing") | ([Some("not_approved"), None], "cancelled") => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn two_reports_of_one_execution_meet_and_one_is_kept() {
    let service = Service::start();
    let ann = service.requester("ann");
    for _ in 0..10 {
        let path = service.approved(&ann);
        let execution = format!("{path}/execution");
        let id = Service::started(&ann, &path);
        let report = |outcome: &str| json!({ "execution_id": id, "outcome": outcome });
        let (succeeded, failed) = (report("succeeded"), report("failed"));
        let answers = at_once(vec![
            Box::new(|| ann.put(&execution, &succeeded)),
            Box::new(|| ann.put(&execution, &failed)),
        ]);
        assert_eq!(tally(&answers), expected(&[(200, "done", 1), (409, "execution_mismatch", 1)]));
    }
}

/// Comments go on all the while; they must not push a decision aside, nor be lost themselves.
#[test]
fn comments_and_decisions_at_once_are_all_kept() {
    let service = Service::start();
    let (ann, bob, cleo) = (service.requester("ann"), service.approver("bob"), service.approver("cleo"));
    for _ in 0..10 {
        let path = Service::create(&ann, &Service::high());
        let comments = format!("{path}/comments");
        let text = json!({ "text": "hm" });
        let answers = at_once(vec![
            Box::new(|| ann.post(&comments, &text)),
            Box::new(|| ann.post(&comments, &text)),
            Box::new(|| cleo.post(&comments, &text)),
            approving(&bob, &path),
            approving(&cleo, &path),
        ]);
        assert_eq!(tally(&answers), expected(&[(200, "done", 5)]));
        let request = ann.get(&path).expect(200);
        assert_eq!((&request["status"], &request["version"]), (&json!("approved"), &json!(6)));
        assert_eq!(request["comments"].as_array().unwrap().len(), 3);
    }
}

/// So many at one request that some may have to give up: those get that answer, and what is not
/// answered as failed is there.
#[test]
fn in_a_crowd_what_is_acknowledged_is_kept_and_nothing_else() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    let comments = format!("{path}/comments");
    let crowd: Vec<_> = (0..30).map(|number| service.approver(&format!("a{number}"))).collect();
    let acts = crowd.iter().map(|client| -> Box<dyn FnOnce() -> Answer + Send + '_> {
        Box::new(|| client.post(&comments, &json!({ "text": "me" })))
    });
    let answers = at_once(acts.collect());
    assert!(answers.iter().all(|answer| [200, 503].contains(&answer.status)), "{:?}", tally(&answers));
    let acknowledged = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(acknowledged > 0);
    assert_eq!(ann.get(&path).expect(200)["comments"].as_array().unwrap().len(), acknowledged);
}

#[test]
fn the_sweep_and_a_late_approval_do_not_both_happen() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let paths: Vec<_> = (0..20).map(|_| Service::create(&ann, &Service::medium())).collect();
    service.host.advance_milliseconds(72 * 60 * 60 * 1000);
    std::thread::scope(|scope| {
        scope.spawn(|| service.expire());
        for path in &paths {
            let bob = &bob;
            scope.spawn(move || Service::approve(bob, path).expect_problem(409, "expired"));
        }
    });
    service.expire();
    assert_eq!(ann.ids("/v1/approvals?status=expired").len(), 20);
    for path in &paths {
        assert_eq!(ann.get(path).expect(200)["version"], 2);
    }
}

/// How many requests are raced for, unless the environment says otherwise: `COUNTERSIGN_RACES=1000` races for as many.
const RACES: usize = 40;

/// THREATS 23: ten start each of many approved requests, ten claim each: one start, one permit, one claim.
#[test]
fn ten_starters_and_ten_claimants_race_for_each_of_many_requests() {
    let races = repetitions("COUNTERSIGN_RACES", RACES);
    let service = Service::start();
    for round in 0..races.div_ceil(200) {
        let ann = &service.requester(&format!("ann{round}"));
        for _ in 0..races.min(200) {
            let path = &Service::create(ann, &Service::low());
            let start = || -> Box<dyn FnOnce() -> Answer + Send> {
                Box::new(move || ann.post(&format!("{path}/execution"), &json!({})))
            };
            let started = at_once((0..10).map(|_| start()).collect());
            assert_eq!(tally(&started), expected(&[(200, "done", 1), (409, "not_approved", 9)]), "{path}");
            let permits: Vec<_> = started.iter().filter_map(|answer| answer.body.get("permit")).collect();
            let [permit] = permits.as_slice() else { panic!("{} permits", permits.len()) };
            let body = &json!({ "permit": permit });
            let claim = || -> Box<dyn FnOnce() -> Answer + Send> {
                Box::new(move || ann.post(&format!("{path}/execution/claim"), body))
            };
            let claimed = at_once((0..10).map(|_| claim()).collect());
            assert_eq!(tally(&claimed), expected(&[(200, "done", 1), (409, "permit_spent", 9)]), "{path}");
        }
    }
}
