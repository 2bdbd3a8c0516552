//! The gate with agents that take tasks, and with servers that ask something while a tool runs: protocol 2026-07-28.

use crate::gate_place::{Gate, INLINE, Place, counted, refused};
use serde_json::{Value, json};

/// `_meta` of each request of an agent without a handshake.
fn meta(has_tasks: bool) -> Value {
    let mut capabilities = json!({ "elicitation": {} });
    if has_tasks {
        capabilities["extensions"] = json!({ "io.modelcontextprotocol/tasks": {} });
    }
    json!({
        "io.modelcontextprotocol/protocolVersion": INLINE,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    })
}

fn call(gate: &mut Gate, tool: &str, arguments: &Value, has_tasks: bool) -> u64 {
    gate.begin("tools/call", json!({ "name": tool, "arguments": arguments, "_meta": meta(has_tasks) }))
}

fn task(gate: &mut Gate, method: &str, id: &str) -> Value {
    gate.ask(method, json!({ "taskId": id, "_meta": meta(true) }))
}

/// Asks until the task is in this status.
#[track_caller]
fn comes_to(place: &Place, gate: &mut Gate, id: &str, status: &str) -> Value {
    let mut last = Value::Null;
    place.until(|| {
        last = task(gate, "tasks/get", id);
        assert!(last.get("error").is_none(), "{last}");
        last["result"]["status"] == status
    });
    last["result"].clone()
}

#[test]
fn a_call_that_waits_is_a_task_and_one_that_does_not_is_answered() {
    let place = Place::new();
    let mut gate = place.spawn();
    let discovered = gate.ask("server/discover", json!({ "_meta": meta(true) }));
    let extensions = &discovered["result"]["capabilities"]["extensions"];
    assert_eq!(extensions["io.modelcontextprotocol/tasks"], json!({}), "{discovered}");
    let id = call(&mut gate, "look", &json!({}), true);
    let result = gate.result(id);
    assert_eq!((counted(&result)["count"].clone(), &result["resultType"]), (json!(1), &json!("complete")));

    let id = call(&mut gate, "count", &json!({ "text": "a" }), true);
    let created = gate.result(id);
    assert_eq!(created["resultType"], "task");
    assert_eq!(created["status"], "working");
    let id = place.pending();
    assert_eq!(created["taskId"], json!(id));
    assert_eq!(created["ttlMs"], 259_200_000, "{created}");
    assert_eq!(created["pollIntervalMs"], 1000);
    let working = task(&mut gate, "tasks/get", &id)["result"].clone();
    assert_eq!((&working["status"], &working["resultType"]), (&json!("working"), &json!("complete")));
    assert!(working["statusMessage"].as_str().unwrap().starts_with("0 of 1 approval, "), "{working}");
    place.approve(&id);
    let completed = comes_to(&place, &mut gate, &id, "completed");
    assert_eq!(counted(&completed["result"])["arguments"], json!({ "text": "a" }));
    // What is kept is answered again, and nothing runs again.
    assert_eq!(task(&mut gate, "tasks/get", &id)["result"]["result"], completed["result"]);
    assert_eq!(place.calls().len(), 2);
    place.comes_to(&id, "executed");
    // The upstream has heard nothing of tasks, which are the gate's.
    let capabilities =
        &counted(&completed["result"])["seen"]["meta"]["io.modelcontextprotocol/clientCapabilities"];
    assert_eq!(capabilities, &json!({ "extensions": {} }), "{completed}");
}

#[test]
fn a_task_outlives_the_gate_at_every_step() {
    let place = Place::new();
    let mut gate = place.spawn();
    let id = call(&mut gate, "count", &json!({}), true);
    gate.result(id);
    let id = place.pending();
    gate.kill();
    let mut gate = place.spawn();
    assert_eq!(task(&mut gate, "tasks/get", &id)["result"]["status"], "working");
    gate.signal("TERM");
    gate.wait();
    assert_eq!(place.request(&id)["status"], "pending");
    place.approve(&id);
    // Approved while no gate was there: the one that is asked for it runs it.
    let mut gate = place.spawn();
    let completed = comes_to(&place, &mut gate, &id, "completed");
    gate.kill();
    let mut gate = place.spawn();
    assert_eq!(task(&mut gate, "tasks/get", &id)["result"]["result"], completed["result"]);
    assert_eq!(place.calls().len(), 1);
    place.no_call_was_without_an_approval();
    // Killed while it runs, it is not run again.
    place.behave(&json!({ "delay": 30 }));
    let call = call(&mut gate, "count", &json!({ "text": "b" }), true);
    gate.result(call);
    let id = place.pending();
    place.approve(&id);
    place.until(|| place.calls().len() == 2);
    gate.kill();
    let mut gate = place.spawn();
    let ended = comes_to(&place, &mut gate, &id, "completed");
    assert_eq!(refused(&ended["result"]), "outcome_unknown");
    assert_eq!(place.request(&id)["status"], "failed");
    assert_eq!(place.calls().len(), 2);
}

#[test]
fn a_task_is_cancelled_rejected_or_unknown() {
    let place = Place::new();
    let mut gate = place.spawn();
    let begun = call(&mut gate, "count", &json!({}), true);
    gate.result(begun);
    let id = place.pending();
    assert_eq!(task(&mut gate, "tasks/cancel", &id)["result"]["resultType"], "complete");
    place.comes_to(&id, "cancelled");
    comes_to(&place, &mut gate, &id, "cancelled");
    let begun = call(&mut gate, "count", &json!({}), true);
    gate.result(begun);
    let id = place.pending();
    place.approver.post(&format!("/v1/approvals/{id}/reject"), &json!({ "reason": "no" })).expect(200);
    let completed = comes_to(&place, &mut gate, &id, "completed");
    assert_eq!(refused(&completed["result"]), "rejected");
    for odd in ["../state", "0198c0de-0000-7000-8000-000000000001", ""] {
        for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
            assert_eq!(task(&mut gate, method, odd)["error"]["code"], -32602);
        }
    }
    assert!(place.calls().is_empty());
}

#[test]
fn what_a_server_asks_and_what_it_is_answered_are_one_execution() {
    let place = Place::with("allow_elicitation = true\ninput_seconds = 3");
    place.behave(&json!({ "ask": true }));
    let mut gate = place.spawn();
    let arguments = json!({ "text": "a" });
    let begun = call(&mut gate, "look", &arguments, false);
    let asked = gate.result(begun);
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(asked["inputRequests"]["sure"]["method"], "elicitation/create");
    // The server's own state does not leave the gate.
    let state = asked["requestState"].as_str().unwrap().to_owned();
    assert_ne!(state, "here");
    let mut answer = |arguments: &Value, state: &str| {
        let responses = json!({ "sure": { "action": "accept" } });
        let params = json!({
            "name": "look", "arguments": arguments, "_meta": meta(false),
            "inputResponses": responses, "requestState": state,
        });
        gate.ask("tools/call", params)["result"].clone()
    };
    assert_eq!(refused(&answer(&json!({ "text": "b" }), &state)), "input_state_unknown");
    assert_eq!(refused(&answer(&arguments, "here")), "input_state_unknown");
    let result = answer(&arguments, &state);
    let counted = counted(&result);
    assert_eq!((&counted["seen"]["state"], &counted["count"]), (&json!("here"), &json!(1)));
    assert_eq!(counted["seen"]["input"]["sure"]["action"], "accept");
    assert_eq!(refused(&answer(&arguments, &state)), "input_state_unknown");
    assert_eq!(place.spent(), 1);
    // A question that is not answered ends the call.
    let begun = call(&mut gate, "look", &json!({}), false);
    let id = gate.result(begun)["_meta"]["countersign/request_id"].as_str().unwrap().to_owned();
    let request = place.comes_to(&id, "failed");
    assert_eq!(request["execution_result"]["error"], "outcome_unknown");
}

#[test]
fn a_server_that_may_not_ask_has_not_run() {
    let place = Place::new();
    place.behave(&json!({ "ask": true }));
    let mut gate = place.spawn();
    let begun = call(&mut gate, "look", &json!({}), false);
    let result = gate.result(begun);
    assert_eq!(refused(&result), "input_not_allowed");
    place.comes_to(result["_meta"]["countersign/request_id"].as_str().unwrap(), "failed");
}

#[test]
fn a_task_is_answered_through_its_own_method() {
    let place = Place::with("allow_elicitation = true");
    place.behave(&json!({ "ask": true }));
    let mut gate = place.spawn();
    let begun = call(&mut gate, "count", &json!({}), true);
    gate.result(begun);
    let id = place.pending();
    place.approve(&id);
    let asked = comes_to(&place, &mut gate, &id, "input_required");
    assert_eq!(asked["inputRequests"]["sure"]["params"]["message"], "Sure?");
    let params =
        json!({ "taskId": id, "inputResponses": { "sure": { "action": "accept" } }, "_meta": meta(true) });
    assert_eq!(gate.ask("tasks/update", params)["result"]["resultType"], "complete");
    let completed = comes_to(&place, &mut gate, &id, "completed");
    assert_eq!(counted(&completed["result"])["seen"]["input"]["sure"]["action"], "accept");
    assert_eq!((place.calls().len(), place.spent()), (1, 1));
}

/// A gate of a place, and a task of its agent that waits.
fn with_task(place: &Place) -> (Gate, String) {
    let mut gate = place.spawn();
    let begun = call(&mut gate, "count", &json!({}), true);
    gate.result(begun);
    (gate, place.pending())
}

#[test]
fn a_task_is_none_of_another_server_or_caller() {
    let mut place = Place::new();
    let (mut gate, id) = with_task(&place);
    gate.kill();
    let own = std::fs::read_to_string(place.path("gate.toml")).unwrap();
    std::fs::write(place.path("gate.toml"), own.replace("\"counting\"", "\"other\"")).unwrap();
    place.approve(&id);
    let unknown = |gate: &mut Gate| {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            assert_eq!(task(gate, method, &id)["error"]["code"], -32602, "{method}");
        }
    };
    let mut gate = place.spawn();
    unknown(&mut gate);
    gate.kill();
    std::fs::write(place.path("gate.toml"), own).unwrap();
    let agent = std::mem::take(&mut place.agent);
    place.agent = place.program.token("other-bot", "agent,developer");
    let mut gate = place.spawn();
    unknown(&mut gate);
    gate.kill();
    assert!(place.calls().is_empty());
    place.agent = agent;
    let mut gate = place.spawn();
    comes_to(&place, &mut gate, &id, "completed");
    assert_eq!((place.calls().len(), place.spent()), (1, 1));
}

#[test]
fn a_task_that_is_asked_for_otherwise_by_now_is_not_run() {
    let place = Place::new();
    let (mut gate, id) = with_task(&place);
    gate.kill();
    place.approve(&id);
    // It was one approval; now it would be two.
    std::fs::write(place.path("gate.toml"), "server = \"counting\"").unwrap();
    let mut gate = place.spawn();
    let ended = comes_to(&place, &mut gate, &id, "completed");
    assert_eq!(refused(&ended["result"]), "tool_changed");
    assert_eq!(task(&mut gate, "tasks/get", &id)["result"]["result"], ended["result"]);
    place.comes_to(&id, "cancelled");
    assert!(place.calls().is_empty());
}

#[test]
fn a_task_that_is_cancelled_once_it_is_approved_is_not_run() {
    let place = Place::new();
    // No gate works on it.
    let (mut gate, id) = with_task(&place);
    gate.kill();
    place.approve(&id);
    let mut gate = place.spawn();
    assert_eq!(task(&mut gate, "tasks/cancel", &id)["result"]["resultType"], "complete");
    comes_to(&place, &mut gate, &id, "cancelled");
    assert_eq!(place.request(&id)["status"], "cancelled");
    gate.kill();
    // One does, and is about to start it.
    let (mut gate, id) = with_task(&place);
    place.behave(&json!({ "list_delay": 1 }));
    place.approve_until_looked_at(&id);
    assert_eq!(task(&mut gate, "tasks/cancel", &id)["result"]["resultType"], "complete");
    comes_to(&place, &mut gate, &id, "cancelled");
    place.behave(&json!({}));
    assert_eq!(place.request(&id)["status"], "cancelled");
    // Another one does.
    let (_gate, id) = with_task(&place);
    let mut other = place.spawn();
    assert_eq!(task(&mut other, "tasks/cancel", &id)["result"]["resultType"], "complete");
    place.comes_to(&id, "cancelled");
    assert!(place.calls().is_empty());
}

#[test]
fn the_same_call_is_another_one_once_the_result_of_its_task_is_fetched() {
    let place = Place::new();
    let (mut gate, id) = with_task(&place);
    place.approve(&id);
    place.comes_to(&id, "executed");
    place.until(|| {
        std::fs::read_to_string(place.path(&format!("state/tasks/{id}.json"))).unwrap().contains("\"ended\"")
    });
    // Not fetched yet: the same call gets the result.
    let again = call(&mut gate, "count", &json!({}), true);
    assert_eq!(counted(&gate.result(again))["count"], 1);
    comes_to(&place, &mut gate, &id, "completed");
    let again = call(&mut gate, "count", &json!({}), true);
    let another = gate.result(again);
    assert_eq!(another["resultType"], "task", "{another}");
    assert_ne!(another["taskId"], json!(id));
    // By a gate that was started since, too.
    let id = place.pending();
    place.approve(&id);
    place.comes_to(&id, "executed");
    gate.kill();
    let mut gate = place.spawn();
    comes_to(&place, &mut gate, &id, "completed");
    let again = call(&mut gate, "count", &json!({}), true);
    assert_eq!(gate.result(again)["resultType"], "task");
    assert_eq!(place.calls().len(), 2);
}

#[test]
fn a_task_has_no_caller_who_could_leave() {
    let place = Place::with("linger_seconds = 1");
    let (mut gate, id) = with_task(&place);
    for signal in ["KILL", "TERM"] {
        gate.signal(signal);
        gate.wait();
        std::thread::sleep(std::time::Duration::from_millis(1_200));
        gate = place.spawn();
        task(&mut gate, "tasks/get", &id);
    }
    assert_eq!(place.request(&id)["status"], "pending");
    place.approve(&id);
    comes_to(&place, &mut gate, &id, "completed");
}
