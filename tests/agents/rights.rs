//! What an agent's token can do, by every route there is: ask, and never decide or make a demand smaller.

use countersign_api::operation::{Method, Operation};
use countersign_core::policy::{Policy, PolicyText};
use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use countersign_policy::load;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

/// Members of bodies that decide, declare less, or name another caller, all at once and each by itself.
fn bodies(id: &str) -> Vec<Value> {
    let members = [
        json!({}),
        json!({ "reason": "no" }),
        json!({ "comments": "yes", "approved_by": "bob@example.com" }),
        json!({ "reason": "no", "rejected_by": "bob@example.com" }),
        json!({ "text": "approved" }),
        json!({ "minutes": 5, "take": true }),
        json!({ "risk_level": "low", "environment": "non-production" }),
    ];
    let named =
        ["approve_request", "reject_request", "withdraw_approval", "cancel_request", "create_request"];
    let named = named.map(|operation| {
        json!({
            "operation": operation, "request_id": id, "approver": "bob@example.com", "approved_by": "bob@example.com",
            "reason": "no", "comments": "yes",
        })
    });
    members.into_iter().chain(named).collect()
}

fn send(caller: &Client, method: Method, path: &str, body: &Value) -> u16 {
    let text = body.to_string();
    let body = if method == Method::Get { b"".as_slice() } else { text.as_bytes() };
    caller.send(method.into(), path, &[], body).unwrap().status
}

#[test]
fn no_route_lets_an_agent_decide() {
    let service = Service::start();
    let ann = service.requester("ann");
    let others = Service::create(&ann, &Service::high());
    for groups in [["agent", "approver"], ["agent", "admin"]] {
        let bot = service.person("bot", &groups);
        let own = Service::create(&bot, &Service::high());
        for path in [&others, &own] {
            let id = Service::id(path);
            for operation in Operation::iter() {
                // An admin may end a request, which is no decision for it; then there is nothing to decide on.
                if matches!(operation, Operation::Cancel) {
                    continue;
                }
                for route in operation.paths() {
                    let route =
                        route.replace("{id}", id).replace("{webhook_id}", id).replace("{delivery_id}", id);
                    for body in bodies(id) {
                        if body["operation"] != "cancel_request" {
                            send(&bot, operation.method(), &route.replace("{period}", "daily"), &body);
                        }
                    }
                }
            }
            let request = ann_or(&service, path);
            assert_eq!(request["status"], "pending", "{groups:?} {request}");
            assert_eq!((&request["approvals_received"], &request["decisions"]), (&json!(0), &json!([])));
            assert_eq!((&request["approvals_required"], &request["risk_level"]), (&json!(2), &json!("high")));
            assert!(request.get("hold").is_none(), "an agent looks at nothing for approvers: {request}");
        }
    }
}

fn ann_or(service: &Service, path: &str) -> Value {
    service.person("eve", &["auditor"]).get(path).expect(200)
}

/// What an agent declares of a tool raises what policy demands, and never lowers it.
#[test]
fn what_an_agent_declares_lowers_nothing() {
    let service = Service::start();
    let bot = service.person("bot", &["agent"]);
    for (operation, environment, risk) in [
        ("mcp:files/read_file", "non-production", Some("low")),
        ("mcp:files/read_file", "production", None),
        ("execute_bash", "non-production", Some("low")),
        ("EXECUTE_BASH", "non-production", None),
        ("tool:Anything", "non-production", None),
    ] {
        let mut body = json!({
            "operation_type": operation, "instance_id": "files", "parameters": { "tool": "read_file" },
            "environment": environment, "justification": "An agent asks",
        });
        if let Some(risk) = risk {
            body["risk_level"] = json!(risk);
        }
        let created = bot.post("/v1/approvals", &body).expect(201);
        assert_eq!(
            (&created["risk_level"], &created["status"]),
            (&json!("high"), &json!("pending")),
            "{operation}"
        );
        assert_eq!(created["approvals_required"], 2, "{operation}");
    }
}

fn policy_with(rule: &str) -> Policy {
    let text = load::BUNDLED;
    let operations = format!("{}\n{rule}\n", text.operations);
    let (policy, warnings) = load::check(&PolicyText { operations: &operations, ..text }).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    policy
}

/// `digest_required` for all tools of servers, as docs/agents.md has it.
#[test]
fn policy_may_demand_that_approvers_name_what_they_were_shown() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/agents.md")).unwrap();
    let rule = page.split("```toml operations.toml\n").nth(1).unwrap().split("```").next().unwrap();
    let service = Service::under(policy_with(rule));
    let bot = service.person("bot", &["agent"]);
    let body = json!({
        "operation_type": "mcp:files/write_file", "instance_id": "files", "parameters": { "tool": "write_file" },
        "environment": "production", "justification": "An agent asks",
    });
    let path = Service::create(&bot, &body);
    let bob = service.approver("bob");
    Service::approve(&bob, &path).expect_problem(422, "validation_failed");
    let digest = bob.get(&path).expect(200)["content_digest"].clone();
    bob.post(&format!("{path}/approve"), &json!({ "content_digest": digest })).expect(200);
    let other = Service::create(&bot, &Service::high());
    Service::approve(&bob, &other).expect(200);
}
