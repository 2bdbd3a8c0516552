//! A gate, its server and its service, each ended at every step: no call is run that no approval was spent for, and none twice.

use crate::gate_place::{Place, counted, refused};
use serde_json::{Value, json};
use std::time::Duration;

/// The notice of a call that does not go on.
fn notice(result: &Value) -> &Value {
    &result["_meta"]["countersign/notice"]
}

#[test]
fn a_gate_that_is_killed_while_a_call_waits_is_followed_by_one_that_goes_on() {
    let place = Place::new();
    let mut gate = place.start();
    gate.begin_call("count", json!({ "text": "a" }));
    let id = place.pending();
    gate.kill();
    let mut gate = place.start();
    let call = gate.begin_call("count", json!({ "text": "a" }));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(place.pending(), id);
    gate.kill();
    // Approved while no gate is there.
    place.approve(&id);
    let mut gate = place.start();
    let result = gate.call("count", json!({ "text": "a" }));
    assert_eq!(result["_meta"]["countersign/request_id"], json!(id));
    assert_eq!((call, place.calls().len()), (2, 1));
    place.no_call_was_without_an_approval();
}

#[test]
fn a_gate_that_is_killed_while_a_call_runs_is_followed_by_one_that_does_not_repeat_it() {
    let place = Place::new();
    place.behave(&json!({ "delay": 30 }));
    let mut gate = place.start();
    gate.begin_call("count", json!({}));
    let id = place.pending();
    place.approve(&id);
    place.until(|| place.calls().len() == 1);
    gate.kill();
    place.behave(&json!({}));
    let mut gate = place.start();
    let result = gate.call("count", json!({}));
    assert_eq!(refused(&result), "outcome_unknown");
    assert_eq!(notice(&result)["request_id"], json!(id));
    let request = place.comes_to(&id, "failed");
    assert_eq!(request["execution_result"]["error"], "outcome_unknown");
    assert_eq!(place.calls().len(), 1);
    place.no_call_was_without_an_approval();
}

/// A gate that is killed after ever longer times, which fall into every step of a call.
#[test]
fn a_gate_that_is_killed_at_any_moment_runs_nothing_twice() {
    let place = Place::new();
    place.behave(&json!({ "delay": 0.02 }));
    let mut gate = place.start();
    let began = std::time::Instant::now();
    gate.call("look", json!({ "text": "first" }));
    let usual = began.elapsed();
    gate.kill();
    let steps = 16;
    for step in 0..steps {
        let mut gate = place.start();
        gate.begin_call("look", json!({ "text": step.to_string() }));
        std::thread::sleep(usual * step / steps * 5 / 4);
        gate.kill();
        place.no_call_was_without_an_approval();
        let mut gate = place.start();
        let result = gate.call("look", json!({ "text": step.to_string() }));
        if result["isError"] == json!(true) {
            assert_eq!(refused(&result), "outcome_unknown", "{result}");
        }
        place.no_call_was_without_an_approval();
    }
    let mut texts: Vec<_> = place.calls().iter().map(|call| call["arguments"]["text"].to_string()).collect();
    let all = texts.len();
    texts.sort();
    texts.dedup();
    // A call whose result was reported before the gate was killed may be asked for, approved and run once more.
    assert!(all <= place.spent(), "{all}");
}

#[test]
fn a_server_that_ends_while_a_call_runs_leaves_an_unknown_outcome() {
    for (exit, calls) in [("before", 0), ("after", 1)] {
        let place = Place::new();
        place.behave(&json!({ "exit": exit }));
        let mut gate = place.start();
        let result = gate.call("look", json!({}));
        assert_eq!(refused(&result), "outcome_unknown");
        let id = notice(&result)["request_id"].as_str().unwrap().to_owned();
        assert_eq!(place.comes_to(&id, "failed")["execution_result"]["error"], "outcome_unknown");
        assert_eq!(gate.wait().code(), Some(1));
        gate.says("the server has ended");
        place.behave(&json!({}));
        // A retry hears of it, and nothing runs again.
        let mut gate = place.start();
        assert_eq!(refused(&gate.call("look", json!({}))), "outcome_unknown");
        assert_eq!(place.calls().len(), calls);
        place.no_call_was_without_an_approval();
    }
}

#[test]
fn a_server_that_ends_while_a_call_waits_ends_the_gate_and_not_the_request() {
    let place = Place::new();
    let mut gate = place.start();
    gate.begin_call("count", json!({}));
    let id = place.pending();
    place.behave(&json!({ "exit": "before" }));
    gate.begin_call("look", json!({}));
    assert_eq!(gate.wait().code(), Some(1));
    assert_eq!(place.request(&id)["status"], "pending");
    place.behave(&json!({}));
    let mut gate = place.start();
    let call = gate.begin_call("count", json!({}));
    place.approve(&id);
    assert_eq!(gate.result(call)["_meta"]["countersign/request_id"], json!(id));
}

#[test]
fn a_service_that_is_killed_while_a_call_waits_is_waited_for() {
    let mut place = Place::new();
    let mut gate = place.start();
    let call = gate.begin_call("count", json!({}));
    let id = place.pending();
    place.restart_service();
    place.approve(&id);
    assert_eq!(counted(&gate.result(call))["count"], 1);
    place.comes_to(&id, "executed");
}

#[test]
fn a_service_that_is_killed_while_a_call_runs_hears_of_its_end_later() {
    let mut place = Place::new();
    place.behave(&json!({ "delay": 1 }));
    let mut gate = place.start();
    let call = gate.begin_call("look", json!({ "text": "a" }));
    place.until(|| place.calls().len() == 1);
    place.program.signal("KILL");
    place.program.wait();
    let result = gate.result(call);
    assert_eq!(counted(&result)["count"], 1);
    let id = result["_meta"]["countersign/request_id"].as_str().unwrap().to_owned();
    // Nothing more runs without the service.
    assert_eq!(refused(&gate.call("look", json!({ "text": "b" }))), "gate_unavailable");
    assert_eq!(place.calls().len(), 1);
    place.start_service_again();
    gate.kill();
    let _gate = place.start();
    assert_eq!(place.comes_to(&id, "executed")["execution_result"]["is_error"], json!(false));
}

#[test]
fn without_the_service_a_gate_starts_and_refuses_until_it_is_there() {
    let mut place = Place::new();
    place.program.signal("KILL");
    place.program.wait();
    let mut gate = place.start();
    gate.says("the service cannot be asked now; calls are refused until it can");
    assert!(gate.ask("tools/list", json!({}))["result"]["tools"].is_array());
    let result = gate.call("look", json!({}));
    assert_eq!(refused(&result), "gate_unavailable");
    assert!(place.calls().is_empty());
    place.start_service_again();
    assert_eq!(counted(&gate.call("look", json!({})))["count"], 1);
    place.configure("mode = \"observe\"");
    place.program.signal("KILL");
    place.program.wait();
    let mut gate = place.start();
    let result = gate.call("look", json!({}));
    assert_eq!(counted(&result)["count"], 2);
    assert!(result["_meta"]["countersign/observed"].get("permitted").is_none(), "{result}");
    gate.says("the service could not be asked");
}

#[test]
fn fifty_calls_wait_and_the_next_is_refused() {
    let place = Place::new();
    let mut gate = place.start();
    let calls: Vec<_> =
        (0..50).map(|number| gate.begin_call("count", json!({ "text": number.to_string() }))).collect();
    let ids = place.pending_of(50);
    let result = gate.call("count", json!({ "text": "one more" }));
    assert_eq!(refused(&result), "too_many_pending");
    assert_eq!(counted(&gate.call("look", json!({})))["count"], 1);
    place.approve(&ids[7]);
    place.until(|| place.calls().len() == 2);
    for call in &calls {
        gate.cancel(*call);
    }
    place.no_call_was_without_an_approval();
}

#[test]
fn what_the_callers_of_a_killed_gate_have_left_is_cancelled() {
    let place = Place::with("linger_seconds = 1");
    let mut gate = place.start();
    gate.begin_call("count", json!({}));
    let id = place.pending();
    gate.kill();
    // Since when it has no caller, the next gate writes down.
    let mut gate = place.start();
    assert_eq!(place.request(&id)["status"], "pending");
    gate.kill();
    std::thread::sleep(Duration::from_millis(1_200));
    let _gate = place.start();
    place.comes_to(&id, "cancelled");
}

#[test]
fn an_approval_is_not_spent_without_the_service() {
    let mut place = Place::new();
    let mut gate = place.start();
    let call = gate.begin_call("count", json!({}));
    let id = place.pending();
    place.behave(&json!({ "list_delay": 1 }));
    place.approve_until_looked_at(&id);
    place.program.signal("KILL");
    place.program.wait();
    assert_eq!(refused(&gate.result(call)), "gate_unavailable");
    place.behave(&json!({}));
    place.start_service_again();
    assert_eq!(counted(&gate.call("count", json!({})))["count"], 1);
    assert_eq!((place.calls().len(), place.spent()), (1, 1));
}

#[test]
fn a_caller_that_leaves_right_before_the_start_spends_no_approval() {
    let place = Place::with("linger_seconds = 1");
    let mut gate = place.start();
    let call = gate.begin_call("count", json!({}));
    let id = place.pending();
    place.behave(&json!({ "list_delay": 25 }));
    place.approve_until_looked_at(&id);
    let began = std::time::Instant::now();
    gate.cancel(call);
    place.comes_to(&id, "cancelled");
    // It is not waited for: the server hears that its list is not wanted.
    assert!(began.elapsed() < Duration::from_secs(20));
    let heard = crate::gate_place::lines(&place.path("server/notifications"));
    assert!(heard.iter().any(|message| message["method"] == "notifications/cancelled"), "{heard:?}");
    assert!(place.calls().is_empty());
}

#[test]
fn a_list_of_tools_has_an_end() {
    let place = Place::new();
    let mut gate = place.start();
    place.behave(&json!({ "long_list": true }));
    let result = gate.call("look", json!({}));
    assert_eq!(refused(&result), "upstream_unreachable");
    assert!(notice(&result)["message"].as_str().unwrap().contains("more than 4194304 bytes"), "{result}");
    assert!(place.lists() <= 5);
}

#[test]
fn a_directory_that_others_can_enter_is_refused() {
    let place = Place::new();
    for name in ["calls", "tasks", "running"] {
        drop(place.start());
        let path = place.path(&format!("state/{name}"));
        let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&path, mode(0o750)).unwrap();
        let mut gate = place.spawn();
        assert_eq!(gate.wait().code(), Some(1), "{name}: {}", gate.stderr());
        gate.says(name);
        std::fs::set_permissions(&path, mode(0o700)).unwrap();
    }
}
