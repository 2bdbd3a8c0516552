//! What goes over the wire is what GET /openapi.json describes, and a failure tells nothing else.

use crate::policy::policy_with;
use aws_sdk_dynamodb::types::AttributeValue;
use countersign_api::problem::Code;
use countersign_core::policy::Restrictions;
use countersign_core::timestamp::Timestamp;
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::inspection::tables;
use countersign_e2e::service::Service;
use countersign_e2e::transport::Fault;
use countersign_policy::load;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use strum::IntoEnumIterator;

/// The description, as far as it can be checked without a library: references, types, members,
/// enumerations and bounds.
struct Description(Value);

impl Description {
    fn of(service: &Service) -> Self {
        Self(service.anonymous().get("/openapi.json").expect(200))
    }

    fn schema(&self, name: &str) -> &Value {
        &self.0["components"]["schemas"][name]
    }

    /// The schema of an answer of 200 or 201.
    fn answer(&self, method: &str, path: &str, status: u16) -> &Value {
        let content = &self.0["paths"][path][method]["responses"][status.to_string()]["content"];
        &content["application/json"]["schema"]
    }

    #[track_caller]
    fn check(&self, schema: &Value, value: &Value, place: &str) {
        if let Err(what) = self.fits(schema, value, place) {
            panic!("{what}: {value}");
        }
    }

    fn fits(&self, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
        let object = schema.as_object().ok_or_else(|| format!("{place} has no schema"))?;
        for (keyword, rule) in object {
            let holds = match keyword.as_str() {
                "$ref" => {
                    let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                    self.fits(self.0.pointer(pointer).unwrap_or(&Value::Null), value, place)?;
                    true
                }
                "oneOf" => {
                    let rules = rule.as_array().unwrap().iter();
                    rules.filter(|rule| self.fits(rule, value, place).is_ok()).count() == 1
                }
                "anyOf" => rule.as_array().unwrap().iter().any(|rule| self.fits(rule, value, place).is_ok()),
                "type" if rule.is_array() => {
                    rule.as_array().unwrap().iter().any(|rule| is_of_type(rule.as_str().unwrap(), value))
                }
                "type" => is_of_type(rule.as_str().unwrap(), value),
                "enum" => rule.as_array().unwrap().contains(value),
                "const" => rule == value,
                "required" => {
                    rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some())
                }
                "additionalProperties" if rule.is_object() => {
                    let members = value.as_object().into_iter().flatten();
                    members
                        .map(|(_, member)| self.fits(rule, member, place))
                        .collect::<Result<Vec<()>, _>>()?;
                    true
                }
                "additionalProperties" => {
                    let declared = schema["properties"].as_object().unwrap();
                    value.as_object().unwrap().keys().all(|name| declared.contains_key(name))
                }
                "properties" => {
                    for (name, member) in value.as_object().unwrap() {
                        if let Some(schema) = rule.get(name) {
                            self.fits(schema, member, &format!("{place}.{name}"))?;
                        }
                    }
                    true
                }
                "items" => {
                    for element in value.as_array().into_iter().flatten() {
                        self.fits(rule, element, &format!("{place}[]"))?;
                    }
                    true
                }
                "maxItems" => value.as_array().is_none_or(|all| all.len() as u64 <= rule.as_u64().unwrap()),
                "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= rule.as_u64().unwrap()),
                "maxProperties" => {
                    value.as_object().is_none_or(|all| all.len() as u64 <= rule.as_u64().unwrap())
                }
                "uniqueItems" => value.as_array().is_none_or(|all| {
                    all.iter().map(Value::to_string).collect::<BTreeSet<_>>().len() == all.len()
                }),
                // A keyword about numbers or texts says nothing of anything else.
                "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
                "exclusiveMinimum" => value.as_f64().is_none_or(|number| number > rule.as_f64().unwrap()),
                "exclusiveMaximum" => value.as_f64().is_none_or(|number| number < rule.as_f64().unwrap()),
                "minLength" => length(value).is_none_or(|length| length >= rule.as_u64().unwrap()),
                "maxLength" => length(value).is_none_or(|length| length <= rule.as_u64().unwrap()),
                "not" => self.fits(rule, value, place).is_err(),
                "format" => value.as_str().is_none_or(|text| is_of_format(rule.as_str().unwrap(), text)),
                "pattern" => value.as_str().is_none_or(|text| !text.is_empty()),
                "default" | "description" => true,
                other => return Err(format!("{place}: `{other}` is not checked")),
            };
            if !holds {
                return Err(format!("{place} breaks `{keyword}`"));
            }
        }
        Ok(())
    }
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}

fn is_of_format(name: &str, text: &str) -> bool {
    match name {
        "uuid" => uuid::Uuid::try_parse(text).is_ok_and(|uuid| uuid.to_string() == text),
        "date-time" => text.len() == 24 && text.ends_with('Z'),
        "date" => text.len() == 10 && Timestamp::parse_first(text).is_ok(),
        "uri" => text.contains(':'),
        _ => false,
    }
}

/// Requests in every state, with every optional member somewhere.
fn requests(service: &Service, ann: &Client, bob: &Client) -> Vec<String> {
    let cleo = service.approver("cleo");
    let overdue = Service::create(ann, &Service::medium());
    service.host.advance_milliseconds(72 * 60 * 60 * 1000);
    let half = Service::create(ann, &Service::high());
    bob.post(&format!("{half}/approve"), &json!({ "comments": "fine" })).expect(200);
    ann.post(&format!("{half}/comments"), &json!({ "text": "thanks" })).expect(200);
    let rejected = Service::create(ann, &Service::high());
    Service::approve(bob, &rejected).expect(200);
    cleo.post(&format!("{rejected}/reject"), &json!({ "reason": "no" })).expect(200);
    let cancelled = service.approved(ann);
    ann.post(&format!("{cancelled}/cancel"), &json!({ "reason": "never mind" })).expect(200);
    let (executing, executed) = (service.approved(ann), service.approved(ann));
    Service::started(ann, &executing);
    let finish = json!({
        "execution_id": Service::started(ann, &executed),
        "outcome": "succeeded",
        "result": { "ok": true },
        "actual_cost": 0.5,
    });
    ann.put(&format!("{executed}/execution"), &finish).expect(200);
    let bare = Service::create(ann, &Service::low());
    vec![overdue, half, rejected, cancelled, executing, executed, bare]
}

#[test]
fn every_successful_answer_is_as_described() {
    let service = Service::start();
    let description = Description::of(&service);
    let (ann, bob, guest) =
        (service.requester("ann"), service.approver("bob"), service.person("gus", &["guest"]));
    let check = |method: &str, path: &str, answer: Answer| {
        let status = answer.status;
        let schema = description.answer(method, path, status);
        description.check(schema, &answer.body, &format!("{method} {path} {status}"));
        answer.body
    };
    let keyed = || ann.post_with_key("/v1/approvals", &Service::high(), "k");
    check("post", "/v1/approvals", keyed());
    check("post", "/v1/approvals", keyed());
    let get = json!({ "operation": "get_request", "request_id": keyed().body["request_id"] });
    for body in [get, json!({ "operation": "get_pending_approvals" })] {
        check("post", "/approvals", bob.post("/approvals", &body));
    }
    for path in requests(&service, &ann, &bob) {
        for client in [&ann, &bob, &guest] {
            check("get", "/v1/approvals/{id}", client.get(&path));
        }
        check("get", "/v1/approvals/{id}/events", bob.get(&format!("{path}/events")));
    }
    for status in
        ["pending", "approved", "executing", "rejected", "expired", "cancelled", "executed", "failed"]
    {
        check("get", "/v1/approvals", bob.get(&format!("/v1/approvals?status={status}&limit=1")));
    }
    let path = Service::create(&ann, &Service::medium());
    check(
        "post",
        "/v1/approvals/{id}/comments",
        ann.post(&format!("{path}/comments"), &json!({ "text": "a" })),
    );
    check("post", "/v1/approvals/{id}/approve", Service::approve(&bob, &path));
    let started = ann.post(&format!("{path}/execution"), &json!({}));
    let started = check("post", "/v1/approvals/{id}/execution", started);
    let finish = json!({ "execution_id": started["execution_id"], "outcome": "failed" });
    check("get", "/v1/approvals/{id}/execution", ann.get(&format!("{path}/execution")));
    let claim = ann.post(&format!("{path}/execution/claim"), &json!({ "permit": started["permit"] }));
    check("post", "/v1/approvals/{id}/execution/claim", claim);
    check("put", "/v1/approvals/{id}/execution", ann.put(&format!("{path}/execution"), &finish));
    let path = Service::create(&ann, &Service::medium());
    let executor = service.program("rds-executor", &["executor"]);
    let observe = executor.post(&format!("{path}/target"), &json!({ "target": {} }));
    check("post", "/v1/approvals/{id}/target", observe);
    let path = Service::create(&ann, &Service::medium());
    let reject = bob.post(&format!("{path}/reject"), &json!({ "reason": "no" }));
    check("post", "/v1/approvals/{id}/reject", reject);
    let path = Service::create(&ann, &Service::medium());
    check("post", "/v1/approvals/{id}/cancel", ann.post(&format!("{path}/cancel"), &json!({})));
    check("get", "/health", service.anonymous().get("/health"));
    check("get", "/.well-known/jwks.json", service.anonymous().get("/.well-known/jwks.json"));
    check("get", "/openapi.json", service.anonymous().get("/openapi.json"));
}

#[test]
fn the_bodies_that_are_accepted_are_as_described() {
    let service = Service::start();
    let description = Description::of(&service);
    let check = |schema: &str, body: Value| description.check(description.schema(schema), &body, schema);
    for body in [Service::high(), Service::medium(), Service::low()] {
        check("Create", body);
    }
    check("Approve", json!({ "comments": "a", "parameters_digest": "b", "approved_by": "c" }));
    check("Reject", json!({ "reason": "a", "rejected_by": "b" }));
    check("Cancel", json!({ "reason": "a", "cancelled_by": "b" }));
    check("Comment", json!({ "text": "a", "comment_by": "b" }));
    check("Start", json!({ "parameters_digest": "a", "executed_by": "b" }));
    let id = "01930000-0000-7000-8000-000000000000";
    check("Finish", json!({ "execution_id": id, "outcome": "failed", "result": 1, "actual_cost": 1.5 }));
    check("Dispatch", Service::low());
    check("Dispatch", json!({ "operation": "mark_executed", "request_id": id, "execution_result": [1] }));
    check("Dispatch", json!({ "operation": "get_pending_approvals", "limit": "7" }));
    let dispatch = description.schema("Dispatch");
    for body in [
        json!({}),
        json!({ "operation": "approve" }),
        json!({ "operation": "get_request" }),
        json!({ "operation": "get_request", "request_id": id, "reason": "a" }),
        json!({ "operation": "mark_executed", "request_id": id, "execution_result": null }),
    ] {
        assert!(description.fits(dispatch, &body, "Dispatch").is_err(), "{body}");
    }
}

/// The document that is served.
fn document() -> Value {
    serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap()
}

#[test]
fn every_example_is_as_described() {
    let description = Description(document());
    let mut checked = 0;
    for (path, methods) in description.0["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let answers = operation["responses"].as_object().unwrap().iter();
            let bodies = operation.get("requestBody").map(|body| ("body", body));
            for (part, described) in answers.map(|(status, answer)| (status.as_str(), answer)).chain(bodies) {
                let described = match described["$ref"].as_str() {
                    Some(reference) => description.0.pointer(&reference[1..]).unwrap(),
                    None => described,
                };
                // An answer without a body, such as 304, has no content.
                for media in described["content"].as_object().into_iter().flat_map(|content| content.values())
                {
                    for (name, example) in media["examples"].as_object().unwrap() {
                        let example = match example["$ref"].as_str() {
                            Some(reference) => description.0.pointer(&reference[1..]).unwrap(),
                            None => example,
                        };
                        let place = format!("{method} {path} {part} {name}");
                        description.check(&media["schema"], &example["value"], &place);
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 200, "{checked}");
}

/// The examples of bodies are not only well formed: they do what they say.
#[test]
fn the_examples_can_be_sent() {
    let service = Service::start();
    let document = document();
    let example = |method: &str, path: &str, name: &str| {
        let content = &document["paths"][path][method]["requestBody"]["content"]["application/json"];
        content["examples"][name]["value"].clone()
    };
    let (ann, bob, cleo) = (service.requester("ann"), service.approver("bob"), service.approver("cleo"));
    let path = Service::create(&ann, &example("post", "/v1/approvals", "everything"));
    // No other request is made with the same, so its digest takes the place of that in the examples.
    let digest = ann.get(&path).expect(200)["content_digest"].clone();
    let shown = |method: &str, path: &str, name: &str| {
        let mut body = example(method, path, name);
        assert_eq!(body["content_digest"].as_str().unwrap().len(), digest.as_str().unwrap().len());
        body["content_digest"] = digest.clone();
        body
    };
    let approve = shown("post", "/v1/approvals/{id}/approve", "as_shown");
    bob.post(&format!("{path}/approve"), &approve).expect(200);
    cleo.post(&format!("{path}/approve"), &approve).expect(200);
    let withdraw = example("post", "/v1/approvals/{id}/withdraw", "reason");
    assert_eq!(cleo.post(&format!("{path}/withdraw"), &withdraw).expect(200)["status"], "pending");
    cleo.post(&format!("{path}/approve"), &approve).expect(200);
    let start = shown("post", "/v1/approvals/{id}/execution", "as_shown");
    let started = ann.post(&format!("{path}/execution"), &start).expect(200);
    let mut finish = shown("put", "/v1/approvals/{id}/execution", "succeeded");
    finish["execution_id"] = started["execution_id"].clone();
    assert_eq!(ann.put(&format!("{path}/execution"), &finish).expect(200)["status"], "executed");
    Service::create(&ann, &example("post", "/v1/approvals", "what_is_required"));
}

/// Sets an attribute of a request by hand and gives the value it had.
fn edit(service: &Service, path: &str, name: &str, value: AttributeValue) -> AttributeValue {
    service.block_on(async {
        let key = AttributeValue::S(Service::id(path).to_owned());
        let get = service.database.get_item().table_name(tables().approvals).key("request_id", key);
        let mut item = get.send().await.unwrap().item.unwrap();
        let before = item.insert(name.to_owned(), value).unwrap();
        service.database.put_item().table_name(tables().approvals).set_item(Some(item)).send().await.unwrap();
        before
    })
}

#[test]
fn every_code_is_described_and_every_problem_has_its_shape() {
    let few = "[rules.few]\noperations = [\"enable_*\"]\napproved_limit = 1";
    let service = Service::under(policy_with(few, "", ""));
    let description = Description::of(&service);
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let pending = Service::create(&ann, &Service::high());
    let approved = service.approved(&ann);
    Service::approve(&bob, &pending).expect(200);
    ann.post_with_key("/v1/approvals", &Service::medium(), "k").expect(201);
    let execution = format!("{approved}/execution");
    let wrong_digest = json!({ "parameters_digest": "0" });
    let finish = json!({ "execution_id": Service::id(&approved), "outcome": "failed" });
    let mut answers = vec![
        ann.send("POST", "/v1/approvals", &[], b"{").unwrap(),
        ann.get("/v1/approvals/x"),
        ann.get("/v1/approvals?cursor=x"),
        service.anonymous().get("/v1/approvals"),
        bob.post(&format!("{pending}/approve"), &json!({ "approved_by": "ann@example.com" })),
        Service::approve(&service.person("bot", &["agent", "approver"]), &pending),
        Service::approve(&service.approver("ann"), &pending),
        Service::approve(&service.person("eve", &["auditor"]), &pending),
        service.requester("ben").get(&pending),
        ann.get("/nowhere"),
        ann.get("/approvals"),
        Service::approve(&bob, &approved),
        ann.post(&format!("{pending}/execution"), &json!({})),
        Service::approve(&bob, &pending),
        ann.post(&execution, &wrong_digest),
        ann.put(&execution, &finish),
        ann.post_with_key("/v1/approvals", &Service::low(), "k"),
        ann.send("POST", "/v1/approvals", &[], &vec![b' '; 256 * 1024 + 1]).unwrap(),
        ann.send("POST", "/v1/approvals", &[("content-type", "text/plain")], b"{}").unwrap(),
        ann.post("/v1/approvals", &json!({})),
        ann.post("/v1/approvals", &Service::low()),
    ];
    answers.push(service.approver("cleo").post(&format!("{pending}/withdraw"), &json!({})));
    let expected = json!({ "expected_version": 99 });
    answers.push(service.approver("cleo").post(&format!("{pending}/approve"), &expected));
    // Under a policy that asks for more, and lets no requester leave more than one such request unstarted.
    let rules = "[rules.more]\nenvironment = \"non-production\"\nrisk = \"high\"\n\
                 operations = [\"modify_storage\"]\n[rules.few]\napproved_limit = 1";
    let strict = service.again_under(policy_with(rules, "", ""));
    answers.push(strict.requester("ann").post(&execution, &json!({})));
    answers.push(strict.requester("ann").post("/v1/approvals", &Service::low()));
    // By a clock that is behind the last event.
    service.host.advance_milliseconds(60_000);
    ann.post(&format!("{pending}/comments"), &json!({ "text": "hm" })).expect(200);
    service.host.advance_milliseconds(-10_000);
    answers.push(ann.post(&format!("{pending}/comments"), &json!({ "text": "hm" })));
    service.host.advance_milliseconds(10_000);
    for _ in 0..48 {
        Service::create(&ann, &Service::medium());
    }
    answers.push(ann.post("/v1/approvals", &Service::medium()));
    let version = edit(&service, &approved, "version", AttributeValue::S("one".to_owned()));
    answers.push(ann.get(&approved));
    edit(&service, &approved, "version", version);
    service.transport.set_plan(|_| Some(Fault::Refused));
    answers.push(ann.get(&approved));
    service.transport.set_plan(|_| Some(Fault::Throttle));
    answers.push(ann.get(&approved));
    service.transport.heal();
    let executor = service.program("rds-executor", &["executor"]);
    let target = json!({ "target": {} });
    executor.post(&format!("{pending}/target"), &target).expect(200);
    answers.push(executor.post(&format!("{pending}/target"), &target));
    let dan = service.requester("dan");
    let mut later = Service::medium();
    later["execute_at"] = json!("2026-01-01T12:00:00Z");
    let later = Service::create(&dan, &later);
    Service::approve(&bob, &later).expect(200);
    answers.push(dan.post(&format!("{later}/execution"), &json!({})));
    let started = service.approved(&dan);
    service.signing_keys.set_broken(true);
    answers.push(dan.post(&format!("{started}/execution"), &json!({})));
    service.signing_keys.set_broken(false);
    let permit = dan.get(&format!("{started}/execution")).expect(200)["permit"].clone();
    let claim =
        |permit: &Value| dan.post(&format!("{started}/execution/claim"), &json!({ "permit": permit }));
    answers.push(claim(&json!("x")));
    service.host.advance_milliseconds(900_000);
    answers.push(claim(&permit));
    service.host.advance_milliseconds(-900_000);
    claim(&permit).expect(200);
    answers.push(claim(&permit));
    let off = Restrictions { workflow_enabled: false, max_pending: None };
    let off = service.again_under(load::bundled().unwrap().restricted(off));
    answers.push(off.requester("dan").post("/v1/approvals", &Service::medium()));
    service.host.advance_milliseconds(72 * 60 * 60 * 1000);
    answers.push(Service::approve(&bob, &pending));

    let root = service.person("root", &["admin"]);
    let webhook = json!({ "url": "https://hooks.example.com/" });
    let made: Vec<_> = (0..50).map(|_| root.post("/v1/webhooks", &webhook).expect(201)).collect();
    answers.push(root.post("/v1/webhooks", &webhook));
    let path = format!("/v1/webhooks/{}", made[0]["webhook_id"].as_str().unwrap());
    root.command(&format!("{path}/disable")).expect(200);
    answers.push(root.command(&format!("{path}/test")));

    answers.push(root.get("/v1/me/notifications"));
    answers.push(service.program("deploy-bot", &["agent"]).get("/v1/me/notifications"));
    let held = format!("{}/claim", Service::create(&service.requester("ann"), &Service::medium()));
    service.approver("carol").post(&held, &json!({})).expect(200);
    answers.push(service.approver("bob").post(&held, &json!({})));

    let mut seen = BTreeSet::new();
    for answer in answers {
        let code = answer.body["code"].as_str().unwrap().to_owned();
        assert_eq!(answer.body["instance"], format!("urn:uuid:{}", answer.headers["x-correlation-id"]));
        assert_eq!(answer.headers["cache-control"], "no-store");
        let problem = answer.clone().expect_problem(answer.status, &code);
        description.check(description.schema("Problem"), &problem, &code);
        let has_status = problem.get("current_status").is_some();
        // Where a stored request stands is not known while it is damaged.
        let is_of_request = !matches!(
            code.as_str(),
            "claimed" | "integrity" | "not_configured" | "webhook_limit" | "webhook_disabled"
        );
        assert_eq!(has_status, answer.status == 409 && is_of_request, "{code}");
        seen.insert(code);
    }
    let all: BTreeSet<_> = Code::iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(seen, all);
}

/// What the database said, where it is and how it is reached stays inside.
#[test]
fn a_failure_tells_nothing_of_the_inside() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::medium());
    let secrets =
        ["injected", "dynamo", "amazon", "embedded", "sqlite", "rds-approvals", "panicked", "crates/", ".rs"];
    let check = |answer: Answer, status: u16, code: &str, detail: &str| {
        let text = format!("{} {:?}", answer.body, answer.headers).to_lowercase();
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
        assert_eq!(answer.headers.contains_key("retry-after"), status == 503);
        assert_eq!(answer.expect_problem(status, code)["detail"], detail);
    };
    let unavailable =
        "nothing was changed, or asking again shows what was; an Idempotency-Key makes asking again safe";
    for fault in Fault::ALL {
        service.transport.set_plan(move |_| Some(fault));
        service.untouched(|| {
            for answer in [
                ann.get(&path),
                ann.get(&format!("{path}/events")),
                bob.get("/v1/approvals"),
                ann.post("/v1/approvals", &Service::medium()),
                Service::approve(&bob, &path),
                ann.post(&format!("{path}/cancel"), &json!({})),
            ] {
                check(answer, 503, "store_unavailable", unavailable);
            }
        });
        service.transport.heal();
    }
    let internal = "something went wrong here; the problem's instance names it in the log";
    service.transport.set_plan(|_| Some(Fault::Refused));
    service.untouched(|| {
        for answer in [ann.get(&path), bob.get("/v1/approvals"), Service::approve(&bob, &path)] {
            check(answer, 500, "internal", internal);
        }
    });
    service.transport.heal();
    // An operator finds what is damaged; a caller learns only that it is.
    let integrity = "the stored record of this request is damaged; nothing was changed. An operator finds what \
                     with `countersign verify`";
    for (name, value) in [
        ("version", AttributeValue::S("SECRET".to_owned())),
        ("status", AttributeValue::S("approved".to_owned())),
        ("parameters", AttributeValue::S("{\"edited\": true}".to_owned())),
        ("listing", AttributeValue::N("1".to_owned())),
    ] {
        let before = edit(&service, &path, name, value);
        check(ann.get(&path), 409, "integrity", integrity);
        check(Service::approve(&bob, &path), 409, "integrity", integrity);
        check(ann.post(&format!("{path}/execution"), &json!({})), 409, "integrity", integrity);
        edit(&service, &path, name, before);
    }
    ann.get(&path).expect(200);
}
