//! Every limit of DESIGN section 7: what just fits and what just does not.

use crate::policy::policy_with;
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const KIB: usize = 1024;

/// Refused because of this one member.
#[track_caller]
fn check_refused(answer: Answer, pointer: &str) {
    let problem = answer.expect_problem(422, "validation_failed");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], pointer);
}

fn create_with(client: &Client, name: &str, value: Value) -> Answer {
    let mut body = Service::medium();
    body[name] = value;
    client.post("/v1/approvals", &body)
}

/// One letter of one, two, three and four bytes each.
const LETTERS: [&str; 4] = ["a", "é", "€", "😀"];

#[test]
fn parameters_are_64_kib_as_canonical_json() {
    let service = Service::start();
    let ann = service.requester("ann");
    let of_size = |size: usize| json!({ "a": "x".repeat(size - r#"{"a":""}"#.len()) });
    let created = create_with(&ann, "parameters", of_size(64 * KIB)).expect(201);
    assert_eq!(created["parameters"], of_size(64 * KIB));
    check_refused(create_with(&ann, "parameters", of_size(64 * KIB + 1)), "/parameters");
    // Bytes, not characters …
    let multibyte = |letters: usize| json!({ "a": "€".repeat(letters) });
    create_with(&ann, "parameters", multibyte((64 * KIB - 8) / 3)).expect(201);
    check_refused(create_with(&ann, "parameters", multibyte((64 * KIB - 8) / 3 + 1)), "/parameters");
    // … and of the canonical form: what is sent may be longer, or shorter.
    let send = |parameters: &str| {
        let body = Service::medium().to_string().replace(r#"{"allocated_storage":200}"#, parameters);
        ann.send("POST", "/v1/approvals", &[], body.as_bytes()).unwrap()
    };
    send(&format!("{{{}\"a\":1}}", " ".repeat(100 * KIB))).expect(201);
    let numbers = vec!["1e15"; 16 * KIB].join(",");
    assert!(numbers.len() < 100 * KIB);
    check_refused(send(&format!("{{\"a\":[{numbers}]}}")), "/parameters");
}

#[test]
fn parameters_are_nested_30_deep_inside_a_body_of_32() {
    let service = Service::start();
    let ann = service.requester("ann");
    let nested = |depth: usize| (1..depth).fold(json!([]), |inside, _| json!([inside]));
    let created = create_with(&ann, "parameters", json!({ "a": nested(30) })).expect(201);
    assert_eq!(created["parameters"]["a"], nested(30));
    create_with(&ann, "parameters", json!({ "a": nested(31) })).expect_problem(400, "malformed_json");
}

#[test]
fn whole_numbers_reach_to_two_to_the_53rd() {
    let service = Service::start();
    let ann = service.requester("ann");
    let largest = 9_007_199_254_740_991_i64;
    let parameters = json!({ "most": largest, "least": -largest, "tiny": 5e-324, "huge": 1.5e300 });
    // A double as large as that is a whole number, too, and other readers may round it.
    create_with(&ann, "parameters", parameters).expect_problem(400, "malformed_json");
    let parameters = json!({ "most": largest, "least": -largest, "tiny": 5e-324 });
    assert_eq!(create_with(&ann, "parameters", parameters.clone()).expect(201)["parameters"], parameters);
    create_with(&ann, "parameters", json!({ "a": largest + 1 })).expect_problem(400, "malformed_json");
}

#[test]
fn free_text_is_measured_in_characters() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    for letter in LETTERS {
        for (name, limit) in [("justification", 4000), ("estimated_duration", 200)] {
            let text = letter.repeat(limit);
            let created = create_with(&ann, name, json!(text)).expect(201);
            assert_eq!(created[name], text);
            ann.post(
                &format!("/v1/approvals/{}/cancel", created["request_id"].as_str().unwrap()),
                &json!({}),
            )
            .expect(200);
            check_refused(create_with(&ann, name, json!(letter.repeat(limit + 1))), &format!("/{name}"));
        }
        let (fits, too_long) = (letter.repeat(2000), letter.repeat(2001));
        for (client, command, name) in [
            (&bob, "approve", "comments"),
            (&bob, "reject", "reason"),
            (&ann, "cancel", "reason"),
            (&ann, "comments", "text"),
        ] {
            let path = format!("{}/{command}", Service::create(&ann, &Service::medium()));
            check_refused(client.post(&path, &json!({ name: too_long })), &format!("/{name}"));
            let done = client.post(&path, &json!({ name: fits })).expect(200);
            assert!(done.to_string().contains(&fits), "{command}");
        }
    }
}

#[test]
fn comments_are_32_kib_together() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    for letter in LETTERS {
        let path = Service::create(&ann, &Service::high());
        let comment = |text: &str| ann.post(&format!("{path}/comments"), &json!({ "text": text }));
        let mut left = 32 * KIB;
        while left >= letter.len() {
            let text = letter.repeat(2000.min(left / letter.len()));
            comment(&text).expect(200);
            left -= text.len();
        }
        if left > 0 {
            comment(&"a".repeat(left)).expect(200);
        }
        service.untouched(|| check_refused(comment("a"), "/text"));
        // What comes with a decision always fits.
        let full = json!({ "comments": "😀".repeat(2000) });
        for approver in [&bob, &service.approver("cleo")] {
            approver.post(&format!("{path}/approve"), &full).expect(200);
        }
        ann.post(&format!("{path}/cancel"), &json!({ "reason": "😀".repeat(2000) })).expect(200);
    }
}

#[test]
fn comments_are_a_hundred() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::high());
    let comments = format!("{path}/comments");
    for number in 0..100 {
        let client = if number % 2 == 0 { &ann } else { &bob };
        client.post(&comments, &json!({ "text": "a" })).expect(200);
    }
    check_refused(ann.post(&comments, &json!({ "text": "a" })), "/text");
    bob.post(&format!("{path}/approve"), &json!({ "comments": "b" })).expect(200);
    let reject = json!({ "reason": "😀".repeat(2000) });
    let rejected = service.approver("cleo").post(&format!("{path}/reject"), &reject).expect(200);
    assert_eq!(rejected["comments"].as_array().unwrap().len(), 102);
}

/// The largest request there can be goes through its whole life: nothing fails for size.
/// THREATS 43; every limit to the byte in the other tests of this file.
#[test]
fn everything_at_its_limit_at_once_still_fits() {
    let service = Service::start();
    let ann = service.requester("ann");
    let key = |number: usize| format!("{number:0>128}");
    let body = json!({
        "operation_type": "a".repeat(128),
        "instance_id": "i".repeat(512),
        "ticket": "t".repeat(256),
        "parameters": { "a": "x".repeat(64 * KIB - 8) },
        "environment": "production",
        "justification": "😀".repeat(4000),
        "estimated_cost": 1e15,
        "estimated_duration": "😀".repeat(200),
    });
    let created = ann.post_with_key("/v1/approvals", &body, &key(0)).expect(201);
    let path = format!("/v1/approvals/{}", created["request_id"].as_str().unwrap());
    for number in 0..100 {
        let text = "y".repeat(if number < 99 { 327 } else { 32 * KIB - 99 * 327 });
        ann.post_with_key(&format!("{path}/comments"), &json!({ "text": text }), &key(number)).expect(200);
    }
    for name in ["bob", "cleo"] {
        let full =
            json!({ "comments": "😀".repeat(2000), "parameters_digest": created["parameters_digest"] });
        service.approver(name).post_with_key(&format!("{path}/approve"), &full, &key(1)).expect(200);
    }
    let started = ann.post_with_key(&format!("{path}/execution"), &json!({}), &key(2)).expect(200);
    let finish = json!({
        "execution_id": started["execution_id"],
        "outcome": "failed",
        "result": "z".repeat(16 * KIB - 2),
        "actual_cost": 1e15,
    });
    let finished = ann.put(&format!("{path}/execution"), &finish).expect(200);
    assert_eq!(finished["execution_result"], finish["result"]);
    assert_eq!(ann.get(&path).expect(200), finished);
    let events = ann.get(&format!("{path}/events")).expect(200);
    assert_eq!(events["items"].as_array().unwrap().len(), 105);
}

#[test]
fn a_result_is_16_kib_as_canonical_json() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let execution_id = Service::started(&ann, &path);
    let finish = |size: usize| {
        let result = "x".repeat(size - 2);
        let body = json!({ "execution_id": execution_id, "outcome": "succeeded", "result": result });
        ann.put(&format!("{path}/execution"), &body)
    };
    check_refused(finish(16 * KIB + 1), "/result");
    finish(16 * KIB).expect(200);

    let path = service.approved(&ann);
    let mark = |size: usize| {
        let body = json!({
            "operation": "mark_executed",
            "request_id": Service::id(&path),
            "execution_result": "x".repeat(size - 2),
        });
        ann.post("/approvals", &body)
    };
    service.untouched(|| check_refused(mark(16 * KIB + 1), "/execution_result"));
    mark(16 * KIB).expect(200);
}

#[test]
fn identifiers_are_128_characters_of_a_conservative_set() {
    let service = Service::start();
    let ann = service.requester("ann");
    for value in ["a", "0", "A-b_c.d:e/f@g", "rds:ModifyDBInstance", &"a".repeat(128)] {
        assert_eq!(create_with(&ann, "operation_type", json!(value)).expect(201)["operation_type"], value);
    }
    for value in ["", "a[0]", "a=b", &"a".repeat(129)] {
        check_refused(create_with(&ann, "operation_type", json!(value)), "/operation_type");
    }
}

/// An instance is found again by its id, whatever of it has a meaning in a URL, and rules hold for it.
#[test]
fn instances_and_tickets_are_named_as_other_systems_name_them() {
    let rules = "[rules.terraform]\ninstances = [\"module.*[0]\"]\nrequired_fields = [\"ticket\"]";
    let service = Service::under(policy_with(rules, "", ""));
    let ann = service.requester("ann");
    let terraform = "module.db[\"eu-west-1\"].aws_db_instance.main[0]";
    let long = format!("/{}", "x".repeat(511));
    for instance in [
        terraform,
        "arn:aws:rds:eu-west-1:123456789012:db:orders",
        "/subscriptions/1/resourceGroups/rg(1)/servers/a~b",
        "https://db.example.com:5432/orders#main;a=b&c,d+e%20f",
        "C:\\Data\\orders.mdb",
        &long,
    ] {
        let mut body = Service::medium();
        body["instance_id"] = json!(instance);
        body["ticket"] = json!("https://tickets.example.com/browse/OPS-1?focus=2&page=1#comment-3");
        let id = ann.post("/v1/approvals", &body).expect(201)["request_id"].as_str().unwrap().to_owned();
        let encoded: String = instance.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(ann.ids(&format!("/v1/approvals?instance_id={encoded}")), [id], "{instance}");
    }
    let mut body = Service::medium();
    body["instance_id"] = json!(terraform);
    check_refused(ann.post("/v1/approvals", &body), "/ticket");
    for instance in ["", "a b", "-a", "=a", "a*", "a?", "<a>", "é", "a\n", "a\u{202e}", &"a".repeat(513)] {
        check_refused(create_with(&ann, "instance_id", json!(instance)), "/instance_id");
    }
    for ticket in ["OPS-123", "#123", "CHG 0012345", "acme/orders#7", &"t".repeat(256)] {
        assert_eq!(create_with(&ann, "ticket", json!(ticket)).expect(201)["ticket"], ticket);
    }
    for ticket in ["", " ", "OPS  1", "OPS-1\n", "№1", &"t".repeat(257)] {
        check_refused(create_with(&ann, "ticket", json!(ticket)), "/ticket");
    }
}

#[test]
fn a_cost_is_not_negative_and_finite() {
    let service = Service::start();
    let ann = service.requester("ann");
    for cost in
        [json!(0), json!(-0.0), json!(0.01), json!(0.1), json!(250.5), json!(1_000_000_000_000_000_i64)]
    {
        let created = create_with(&ann, "estimated_cost", cost.clone()).expect(201);
        assert_eq!(created["estimated_cost"].as_f64(), cost.as_f64());
        let path = service.approved(&ann);
        let body =
            json!({ "operation": "mark_executed", "request_id": Service::id(&path), "actual_cost": cost });
        assert_eq!(ann.post("/approvals", &body).expect(200)["actual_cost"].as_f64(), cost.as_f64());
    }
    for cost in [json!(-1), json!(-0.01), json!(-1e-300), json!(-9_007_199_254_740_991_i64)] {
        check_refused(create_with(&ann, "estimated_cost", cost), "/estimated_cost");
    }
}

#[test]
fn an_idempotency_key_is_128_characters() {
    let service = Service::start();
    let ann = service.requester("ann");
    let create = |key: &str| ann.post_with_key("/v1/approvals", &Service::medium(), key);
    create(&"k".repeat(128)).expect(201);
    create(&"k".repeat(128)).expect(200);
    create("~ !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~").expect(201);
    check_refused(create(&"k".repeat(129)), "/idempotency_key");
}

#[test]
fn a_body_is_256_kib() {
    let service = Service::start();
    let ann = service.requester("ann");
    let padded = |size: usize| {
        let body = Service::medium().to_string();
        format!("{}{body}", " ".repeat(size - body.len()))
    };
    for path in ["/v1/approvals", "/approvals"] {
        let send = |size: usize| ann.send("POST", path, &[], padded(size).as_bytes()).unwrap();
        send(256 * KIB).expect(201);
        service.untouched(|| {
            send(256 * KIB + 1).expect_problem(413, "payload_too_large");
            send(3 * KIB * KIB).expect_problem(413, "payload_too_large");
        });
    }
    let path = Service::create(&ann, &Service::medium());
    let big = format!("{}{{}}", " ".repeat(256 * KIB));
    let approve =
        service.approver("bob").send("POST", &format!("{path}/approve"), &[], big.as_bytes()).unwrap();
    approve.expect_problem(413, "payload_too_large");
}

#[test]
fn a_page_is_100_and_a_range_366_days() {
    let service = Service::start();
    let bob = service.approver("bob");
    bob.get("/v1/approvals?limit=100").expect(200);
    check_refused(bob.get("/v1/approvals?limit=101"), "/limit");
    check_refused(bob.get("/v1/approvals?limit=0"), "/limit");
    let range = |from: &str| bob.get(&format!("/v1/approvals?status=executed&from={from}&to=2026-01-01"));
    range("2024-12-31").expect(200);
    check_refused(range("2024-12-30T23:59:59.999Z"), "/from");
}
