//! POST /v1/approvals/simulate: what would come of a request, and nothing of it done.

use crate::policy::{medium_with, policy_with, refused};
use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const SIMULATE: &str = "/v1/approvals/simulate";
const CREATE: &str = "/v1/approvals";

const RULES: &str = "[rules.dear]\ncost_above = 500\nslots = { finance = 1 }\napprovals = 3\n\
                     [rules.prod]\nenvironment = \"production\"\nslots = { \"dba|security\" = 1 }\n\
                     digest_required = true\nexecute_within_seconds = 600\n\
                     [rules.snapshots]\noperations = [\"create_snapshot\"]\nrequired_fields = [\"ticket\"]\n\
                     cost_limit = 100\npending_seconds = 60\n\
                     [rules.guests]\nrequester_groups = [\"guest\"]\nrisk = \"high\"\npending_limit = 1";

fn service() -> Service {
    Service::under(policy_with(RULES, "[people.\"ann@example.com\"]\naddresses = [\"a@example.com\"]", ""))
}

/// Bodies that can be a request, or cannot be one for a reason that policy has.
fn bodies() -> Vec<Value> {
    let mut bodies = vec![Service::low(), Service::medium(), Service::high()];
    for operation in ["create_snapshot", "execute_bash", "drop_everything", "read_file", "delete_instance"] {
        for members in [
            json!({}),
            json!({ "risk_level": "high", "estimated_cost": 0 }),
            json!({ "environment": "production", "estimated_cost": 100, "ticket": "OPS-1" }),
            json!({ "instance_id": "orders-db", "estimated_cost": 500.01, "ticket": "OPS-1" }),
            json!({ "instance_id": "orders-db", "risk_level": "low", "rollback_plan": "none" }),
        ] {
            let mut body = medium_with(&members);
            body["operation_type"] = json!(operation);
            bodies.push(body);
        }
    }
    bodies
}

/// Simulates, and sees that nothing is read but how many are pending, and nothing written.
#[track_caller]
fn simulated(service: &Service, client: &Client, body: &Value) -> Value {
    service.transport.take_calls();
    let simulation = service.untouched(|| {
        service.transport.take_calls();
        let simulation = client.post(SIMULATE, body).expect(200);
        let calls = service.transport.take_calls();
        assert!(calls.iter().all(|call| call == "Query"), "{calls:?}");
        simulation
    });
    let has_refusals = !simulation["refusals"].as_array().unwrap().is_empty();
    assert_eq!(simulation["permitted"], json!(!has_refusals));
    simulation
}

#[test]
fn a_simulation_says_what_the_request_would_be() {
    let service = service();
    let mut created = 0;
    for (number, body) in bodies().iter().enumerate() {
        for groups in [&["developer"][..], &["developer", "guest"], &["agent"], &["admin", "dba"]] {
            let client = service.person(&format!("p{number}"), groups);
            let simulation = simulated(&service, &client, body);
            let answer = client.post(CREATE, body);
            if simulation["permitted"] == json!(false) {
                assert!(answer.status >= 400, "{body}: {simulation}\n{}", answer.body);
                continue;
            }
            let request = answer.expect(201);
            created += 1;
            for field in [
                "status",
                "operation_type",
                "instance_id",
                "environment",
                "risk_level",
                "requested_by",
                "requester_groups",
                "requested_at",
                "parameters_digest",
                "approvals_required",
                "slots",
                "digest_required",
                "expires_at",
                "execute_by",
                "policy_version",
                "rules",
            ] {
                assert_eq!(simulation[field], request[field], "{field} of {body}");
            }
        }
    }
    assert!(created > 40, "{created}");
}

/// The first refusal of a simulation is the answer to the request.
#[test]
fn the_refusals_of_a_simulation_are_those_of_the_request() {
    let service = service();
    let ann = service.requester("ann");
    for _ in 0..50 {
        Service::create(&ann, &Service::medium());
    }
    let mut codes = std::collections::BTreeSet::new();
    service.untouched(|| {
        for body in bodies() {
            for client in [
                service.requester("ben"),
                service.approver("bob"),
                service.person("otto", &["auditor"]),
                service.person("eve", &[]),
                service.person("robo", &["agent"]),
                service.program("ci", &["developer"]),
                ann.clone(),
            ] {
                let simulation = simulated(&service, &client, &body);
                let refusals = simulation["refusals"].as_array().unwrap();
                let Some(first) = refusals.first() else { continue };
                let code = first["code"].as_str().unwrap();
                let status = match code {
                    "not_permitted" => 403,
                    "validation_failed" => 422,
                    _ => 429,
                };
                let problem = refused(client.post(CREATE, &body), status, code);
                for member in ["code", "detail", "errors"] {
                    assert_eq!(first[member], problem[member], "{body}");
                }
                // A 429 says why in its detail.
                let reasons = problem.get("reasons").cloned().unwrap_or(json!([]));
                assert_eq!(first["reasons"], reasons, "{body}");
                codes.extend(refusals.iter().map(|refusal| refusal["code"].to_string()));
            }
        }
    });
    let codes: Vec<_> = codes.iter().map(String::as_str).collect();
    assert_eq!(codes, ["\"not_permitted\"", "\"too_many_pending\"", "\"validation_failed\""]);
}

/// All that speaks against a request, and not only the first.
#[test]
fn a_simulation_tells_everything_at_once() {
    let service = service();
    let guest = service.person("gil", &["guest", "developer"]);
    Service::create(&guest, &Service::medium());
    let bob = service.person("gil", &["guest"]);
    let body = medium_with(&json!({ "operation_type": "create_snapshot", "estimated_cost": 101 }));
    let simulation = simulated(&service, &bob, &body);
    let codes: Vec<_> =
        simulation["refusals"].as_array().unwrap().iter().map(|refusal| refusal["code"].as_str()).collect();
    assert_eq!(codes, [Some("not_permitted"), Some("validation_failed"), Some("too_many_pending")]);
    let pointers: Vec<_> = simulation["refusals"][1]["errors"].as_array().unwrap().iter().collect();
    assert_eq!(pointers.len(), 2, "{simulation}");
    assert_eq!(simulation["required_fields"], json!(["ticket"]));
    assert_eq!((&simulation["cost_limit"], &simulation["pending_limit"]), (&json!(100.0), &json!(1)));
}

/// What is no request at all is refused as when it is made.
#[test]
fn what_cannot_be_read_is_refused_as_in_a_creation() {
    let service = service();
    let ann = service.requester("ann");
    let mut surprising = Service::medium();
    surprising["surprise"] = json!(1);
    let mut somebody_else = Service::medium();
    somebody_else["requested_by"] = json!("bob@example.com");
    service.untouched(|| {
        for body in [
            json!({}),
            json!([]),
            surprising,
            somebody_else,
            medium_with(&json!({ "parameters": [] })),
            medium_with(&json!({ "risk_level": "none", "environment": "prod", "estimated_cost": -1 })),
            medium_with(&json!({ "ticket": "a b", "rollback_plan": "" })),
        ] {
            let (simulation, creation) = (ann.post(SIMULATE, &body), ann.post(CREATE, &body));
            assert!(simulation.status >= 400);
            for member in ["code", "detail", "errors", "reasons", "status"] {
                assert_eq!(simulation.body[member], creation.body[member], "{body}");
            }
        }
        refused(service.anonymous().post(SIMULATE, &Service::medium()), 401, "unauthenticated");
        // As a path of a request it is none.
        refused(ann.get(SIMULATE), 400, "malformed_id");
        // By any of one's own addresses.
        let own = medium_with(&json!({ "requested_by": "a@example.com" }));
        assert_eq!(ann.post(SIMULATE, &own).expect(200)["requested_by"], "ann@example.com");
    });
}

/// Whether anybody could ever approve it.
#[test]
fn a_simulation_says_whether_the_demands_can_be_met() {
    let rules = "[rules.x]\noperations = [\"modify_storage\"]\nslots = { finance = 1 }";
    for (access, satisfiable) in [
        // Finance by itself may not approve; a member who is an approver as well may.
        ("", true),
        (
            "@id(\"not-finance\") forbid (principal in Group::\"finance\", action == Action::\"approve\", resource);",
            false,
        ),
        ("@id(\"nobody\") forbid (principal, action == Action::\"approve\", resource);", false),
        (
            "@id(\"office\") forbid (principal, action == Action::\"approve\", resource) \
             unless { context.weekday == Weekday::\"tuesday\" && context.hour == 4 };",
            true,
        ),
        (
            "@id(\"never\") forbid (principal, action == Action::\"approve\", resource) \
             unless { context.hour > 23 };",
            false,
        ),
        (
            "@id(\"network\") forbid (principal, action == Action::\"approve\", resource) \
             unless { context has source_ip && context.source_ip.isInRange(ip(\"10.0.0.0/8\")) };",
            true,
        ),
    ] {
        let service = Service::under(policy_with(rules, "", access));
        let ann = service.requester("ann");
        for body in [Service::medium(), Service::high()] {
            let is_high = body["environment"] == "production";
            let simulation = simulated(&service, &ann, &body);
            // Finance is needed for one of them only.
            let satisfiable = satisfiable || is_high && access.contains("not-finance");
            assert_eq!(simulation["satisfiable"], json!(satisfiable), "{access}: {body}");
            assert_eq!(simulation["permitted"], json!(true));
        }
        let low = simulated(&service, &ann, &Service::low());
        assert_eq!((&low["satisfiable"], &low["status"]), (&json!(true), &json!("approved")));
    }
}

/// The store is asked how many are open, and when it does not answer, that is the answer.
#[test]
fn a_simulation_without_a_store_says_so() {
    use countersign_e2e::transport::Fault;
    let service = service();
    let ann = service.requester("ann");
    service.transport.set_plan(|_| Some(Fault::ServerError));
    refused(ann.post(SIMULATE, &Service::medium()), 503, "store_unavailable");
    refused(ann.post(SIMULATE, &Service::low()), 503, "store_unavailable");
    service.transport.heal();
    simulated(&service, &ann, &Service::medium());
}
