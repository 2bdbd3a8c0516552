//! Faults below the SDK: each call of each command fails once in each way, then for ever. The
//! answer is success or 503, never a half; what was acknowledged is there, and asking again with
//! the same key finds what was done.

use countersign_app::retry::MAX_RETRIES;
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::inspection;
use countersign_e2e::service::Service;
use countersign_e2e::transport::Fault;
use serde_json::{Value, json};

/// A command in the state in which it is possible.
struct Scene {
    name: &'static str,
    /// Brings a request into that state and gives its path.
    prepare: fn(&Service) -> String,
    /// The command, under an idempotency key.
    act: fn(&Service, &str, &str) -> Answer,
    /// The status of its success.
    success: u16,
    /// How many events the request has after it.
    events: u64,
}

fn ann(service: &Service) -> Client {
    service.requester("ann")
}

fn pending(service: &Service) -> String {
    Service::create(&ann(service), &Service::high())
}

fn executing(service: &Service) -> String {
    let path = service.approved(&ann(service));
    ann(service).post(&format!("{path}/execution"), &json!({})).expect(200);
    path
}

fn finish(service: &Service, path: &str, key: &str) -> Answer {
    // Asking for the execution's id is not part of what is tested.
    let id = path.rsplit('/').next().unwrap();
    let request = service.block_on(inspection::load(&service.database, id));
    let body = json!({ "execution_id": request.execution.unwrap().id.to_string(), "outcome": "succeeded" });
    let headers = [("idempotency-key", key)];
    ann(service).send("PUT", &format!("{path}/execution"), &headers, body.to_string().as_bytes()).unwrap()
}

const SCENES: [Scene; 8] = [
    Scene {
        name: "create",
        prepare: |_| String::new(),
        act: |service, _, key| ann(service).post_with_key("/v1/approvals", &Service::high(), key),
        success: 201,
        events: 1,
    },
    Scene {
        name: "approve",
        prepare: pending,
        act: |service, path, key| {
            service.approver("bob").post_with_key(&format!("{path}/approve"), &json!({}), key)
        },
        success: 200,
        events: 2,
    },
    Scene {
        name: "reject",
        prepare: pending,
        act: |service, path, key| {
            let body = json!({ "reason": "no" });
            service.approver("bob").post_with_key(&format!("{path}/reject"), &body, key)
        },
        success: 200,
        events: 2,
    },
    Scene {
        name: "withdraw",
        prepare: |service| service.approved(&ann(service)),
        act: |service, path, key| {
            service.approver("bob").post_with_key(&format!("{path}/withdraw"), &json!({}), key)
        },
        success: 200,
        events: 3,
    },
    Scene {
        name: "cancel",
        prepare: pending,
        act: |service, path, key| ann(service).post_with_key(&format!("{path}/cancel"), &json!({}), key),
        success: 200,
        events: 2,
    },
    Scene {
        name: "comment",
        prepare: pending,
        act: |service, path, key| {
            ann(service).post_with_key(&format!("{path}/comments"), &json!({ "text": "soon?" }), key)
        },
        success: 200,
        events: 2,
    },
    Scene {
        name: "start",
        prepare: |service| service.approved(&ann(service)),
        act: |service, path, key| ann(service).post_with_key(&format!("{path}/execution"), &json!({}), key),
        success: 200,
        events: 3,
    },
    Scene { name: "finish", prepare: executing, act: finish, success: 200, events: 4 },
];

/// Lets the calls from number `first` on, `times` of them, fail.
fn fail(service: &Service, fault: Fault, first: usize, times: usize) {
    let mut number = 0;
    service.transport.set_plan(move |_| {
        number += 1;
        (number > first && number <= first + times).then_some(fault)
    });
}

/// The request has exactly the events it should, and a retry with the same key changes nothing.
fn check_outcome(service: &Service, scene: &Scene, path: &str, key: &str, context: &str) {
    service.transport.heal();
    let again = (scene.act)(service, path, key);
    assert!([200, 201].contains(&again.status), "{context}: asking again: {}", again.body);
    assert_eq!(again.body["version"], scene.events, "{context}: done exactly once");
}

/// THREATS 37 and 38: a time-out before the commit and after it, throttling, a conflict, at each call.
#[test]
fn one_fault_at_any_call_is_survived() {
    let service = Service::start();
    for scene in &SCENES {
        for fault in Fault::ALL {
            // Each command makes two calls, and more once something has failed.
            for first in 0..4 {
                let context = format!("{} with {fault:?} at call {first}", scene.name);
                let path = (scene.prepare)(&service);
                fail(&service, fault, first, 1);
                let answer = (scene.act)(&service, &path, &context);
                assert_eq!(answer.status, scene.success, "{context}: {}", answer.body);
                check_outcome(&service, scene, &path, &context, &context);
                cancel_all(&service);
            }
        }
    }
}

/// The requester may have 50 pending requests only.
fn cancel_all(service: &Service) {
    let listed = ann(service).get("/v1/approvals?status=pending&limit=100").expect(200);
    for request in listed["items"].as_array().unwrap() {
        let path = format!("/v1/approvals/{}/cancel", request["request_id"].as_str().unwrap());
        ann(service).post(&path, &json!({})).expect(200);
    }
}

#[test]
fn six_faults_in_a_row_are_survived() {
    let service = Service::start();
    for scene in &SCENES {
        for fault in [Fault::Conflict, Fault::Throttle, Fault::TimeoutBefore] {
            let context = format!("{} with six times {fault:?}", scene.name);
            let path = (scene.prepare)(&service);
            // Only transactions fail: reads in between are answered.
            let mut left = 6;
            service.transport.set_plan(move |operation| {
                let fails = operation == "TransactWriteItems" && left > 0;
                left -= usize::from(fails);
                fails.then_some(fault)
            });
            let answer = (scene.act)(&service, &path, &context);
            assert_eq!(answer.status, scene.success, "{context}: {}", answer.body);
            check_outcome(&service, scene, &path, &context, &context);
        }
    }
}

#[test]
fn a_fault_for_ever_is_answered_with_503_and_asking_again_finds_the_truth() {
    let service = Service::start();
    for scene in &SCENES {
        for fault in Fault::ALL {
            for only_writes in [false, true] {
                let context = format!("{} with {fault:?} for ever, only writes: {only_writes}", scene.name);
                let path = (scene.prepare)(&service);
                service.transport.take_calls();
                service.transport.set_plan(move |operation| {
                    (!only_writes || operation == "TransactWriteItems").then_some(fault)
                });
                let answer = (scene.act)(&service, &path, &context);
                let writes = service.transport.take_calls();
                let writes = writes.iter().filter(|name| *name == "TransactWriteItems").count();
                assert!(writes <= MAX_RETRIES as usize + 1, "{context}: {writes} attempts");
                // A write whose answers are all lost is found by reading, where reading works.
                if fault == Fault::TimeoutAfter && only_writes {
                    assert_eq!(answer.status, scene.success, "{context}: {}", answer.body);
                } else {
                    assert!(answer.headers.contains_key("retry-after"), "{context}");
                    let body = answer.expect_problem(503, "store_unavailable");
                    assert!(!body.to_string().contains("injected"), "{context}: {body}");
                }
                check_outcome(&service, scene, &path, &context, &context);
                cancel_all(&service);
            }
        }
    }
}

#[test]
fn reads_under_faults_are_503_and_leak_nothing() {
    let service = Service::start();
    let path = pending(&service);
    for fault in Fault::ALL {
        service.transport.set_plan(move |_| Some(fault));
        for read in [path.clone(), format!("{path}/events"), "/v1/approvals".to_owned()] {
            let body = ann(&service).get(&read).expect_problem(503, "store_unavailable");
            assert!(!body.to_string().contains("DynamoDB"), "{read}: {body}");
        }
    }
}

/// A tenth of all calls fails, in every way, through whole lives of requests.
#[test]
fn whole_lives_under_random_faults_are_never_half() {
    let service = Service::start();
    let mut acknowledged = Vec::new();
    for life in 0..60_u64 {
        let mut state = life.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        service.transport.set_plan(move |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let draw = usize::try_from(state >> 33).unwrap();
            (draw % 10 == 0).then(|| Fault::ALL[draw / 10 % Fault::ALL.len()])
        });
        let key = format!("life-{life}");
        let created = ann(&service).post_with_key("/v1/approvals", &Service::medium(), &key);
        if created.status >= 500 {
            continue;
        }
        let path = format!("/v1/approvals/{}", created.body["request_id"].as_str().unwrap());
        let approved = Service::approve(&service.approver("bob"), &path);
        let started = ann(&service).post(&format!("{path}/execution"), &json!({}));
        for answer in [&approved, &started] {
            assert!([200, 409, 503].contains(&answer.status), "{}", answer.body);
        }
        acknowledged.push((path, approved, started));
    }
    service.transport.heal();
    assert!(acknowledged.len() > 50, "most lives begin");
    for (path, approved, started) in acknowledged {
        let request: Value = ann(&service).get(&path).expect(200);
        if approved.status == 200 {
            assert_eq!(request["approved_by"], json!(["bob@example.com"]), "{path}");
        }
        if started.status == 200 {
            assert_eq!(request["execution_id"], started.body["execution_id"], "{path}");
        }
    }
}
