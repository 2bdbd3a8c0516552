//! Everything that a caller can get wrong: an exact status and code each, and a store that was
//! not touched.

use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use serde_json::{Value, json};

/// A service with a request in each state that a command could meet.
struct Scene {
    service: Service,
    ann: Client,
    bob: Client,
    pending: String,
    approved: String,
    executing: String,
    execution_id: String,
}

impl Scene {
    fn set() -> Self {
        let service = Service::start();
        let (ann, bob) = (service.requester("ann"), service.approver("bob"));
        let pending = Service::create(&ann, &Service::high());
        let approved = service.approved(&ann);
        let executing = service.approved(&ann);
        let execution_id = Service::started(&ann, &executing);
        Self { service, ann, bob, pending, approved, executing, execution_id }
    }
}

/// One answer: the code, its status, and a problem that says no more than it should.
#[track_caller]
fn check(what: &str, answer: Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.body["code"].as_str()),
        (status, Some(code)),
        "{what}: {}",
        answer.body
    );
    let problem = answer.expect_problem(status, code);
    assert_eq!(problem["type"], format!("urn:countersign:problem:{code}"), "{what}");
    assert_eq!(problem["errors"].is_array(), code == "validation_failed", "{what}: {problem}");
    for member in ["title", "detail", "instance"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{what}: {member}");
    }
}

/// The text of a good body with one member written in other words.
fn with(name: &str, json: &str) -> String {
    let mut body = Service::medium();
    body.as_object_mut().unwrap().remove(name);
    let rest = body.to_string();
    format!("{{\"{name}\":{json},{}", rest.strip_prefix('{').unwrap())
}

fn without(name: &str) -> String {
    let mut body = Service::medium();
    body.as_object_mut().unwrap().remove(name);
    body.to_string()
}

#[test]
fn a_body_that_cannot_be_read_in_exactly_one_way() {
    let scene = Scene::set();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut bodies: Vec<(&str, Vec<u8>)> = [
        ("white space", " \n ".to_owned()),
        ("one brace", "{".to_owned()),
        ("words", "please".to_owned()),
        ("single quotes", "{'a':1}".to_owned()),
        ("a trailing comma", r#"{"a":1,}"#.to_owned()),
        ("two documents", "{} {}".to_owned()),
        ("a byte order mark", format!("\u{feff}{}", Service::medium())),
        ("a comment", format!("/* hello */ {}", Service::medium())),
        ("a key without quotes", "{a:1}".to_owned()),
        ("a key given twice", with("instance_id", r#""dev-db-01","instance_id":"dev-db-01""#)),
        ("a key given twice, once escaped", with("parameters", r#"{"a":1,"\u0061":2}"#)),
        ("a key given twice deep inside", with("parameters", r#"{"x":[{"a":1,"a":1}]}"#)),
        // The body is the first level and the parameters the second.
        ("too deep by one", with("parameters", &format!(r#"{{"a":{}}}"#, nested(31)))),
        ("far too deep", with("parameters", &format!(r#"{{"a":{}}}"#, nested(199)))),
        ("2^53", with("parameters", r#"{"a":9007199254740992}"#)),
        ("-2^53", with("parameters", r#"{"a":-9007199254740992}"#)),
        ("2^64", with("parameters", r#"{"a":18446744073709551616}"#)),
        ("thirty digits", with("parameters", r#"{"a":123456789012345678901234567890}"#)),
        ("a whole number in disguise", with("parameters", r#"{"a":1e16}"#)),
        ("no double", with("estimated_cost", "1e400")),
        ("NaN", with("estimated_cost", "NaN")),
        ("infinity", with("estimated_cost", "-Infinity")),
        ("a leading zero", with("estimated_cost", "01")),
        ("a plus", with("estimated_cost", "+1")),
        ("a hexadecimal number", with("estimated_cost", "0x1F")),
        ("a lone surrogate", with("justification", r#""\ud800""#)),
        ("surrogates the wrong way round", with("justification", r#""\udc00\ud800""#)),
        ("a line break in a string", with("justification", "\"a\nb\"")),
        ("an unknown escape", with("justification", r#""\x41""#)),
        ("a form", "operation_type=reboot&instance_id=dev-db-01".to_owned()),
    ]
    .map(|(what, body)| (what, body.into_bytes()))
    .into();
    let mut latin_1 = with("justification", "\"caf?\"").into_bytes();
    for byte in &mut latin_1 {
        if *byte == b'?' {
            *byte = 0xe9;
        }
    }
    bodies.push(("Latin-1", latin_1));
    bodies.push(("UTF-16", vec![0xff, 0xfe, b'{', 0, b'}', 0]));
    bodies.push(("a zero byte", vec![0]));
    scene.service.untouched(|| {
        for (what, body) in &bodies {
            for path in ["/v1/approvals", "/approvals"] {
                check(what, scene.ann.send("POST", path, &[], body).unwrap(), 400, "malformed_json");
            }
            let approve = format!("{}/approve", scene.pending);
            check(what, scene.bob.send("POST", &approve, &[], body).unwrap(), 400, "malformed_json");
            let execution = format!("{}/execution", scene.executing);
            check(what, scene.ann.send("PUT", &execution, &[], body).unwrap(), 400, "malformed_json");
        }
    });
}

/// Where every member may be left out, so may the body; elsewhere a lost body is answered as such.
#[test]
fn no_body_where_one_is_needed() {
    let scene = Scene::set();
    let (pending, executing) = (&scene.pending, &scene.executing);
    scene.service.untouched(|| {
        for (method, path) in [
            ("POST", "/v1/approvals".to_owned()),
            ("POST", "/approvals".to_owned()),
            ("POST", format!("{pending}/reject")),
            ("POST", format!("{pending}/comments")),
            ("PUT", format!("{executing}/execution")),
        ] {
            check(&path, scene.ann.send(method, &path, &[], b"").unwrap(), 400, "malformed_json");
        }
    });
}

#[test]
fn a_body_that_is_no_object() {
    let scene = Scene::set();
    scene.service.untouched(|| {
        for body in ["[]", "[{}]", "\"create\"", "5", "true", "null"] {
            for path in ["/v1/approvals", "/approvals", &format!("{}/approve", scene.pending)] {
                let answer = scene.ann.send("POST", path, &[], body.as_bytes()).unwrap();
                check(&format!("{path} {body}"), answer, 422, "validation_failed");
            }
        }
    });
}

#[test]
fn a_creation_with_a_bad_member() {
    let scene = Scene::set();
    let mut bodies = vec!["{}".to_owned()];
    for name in ["operation_type", "instance_id", "parameters", "environment", "justification"] {
        bodies.push(without(name));
    }
    for name in [
        "operation_type",
        "instance_id",
        "parameters",
        "environment",
        "justification",
        "risk_level",
        "estimated_cost",
        "estimated_duration",
        "requested_by",
    ] {
        bodies.push(with(name, "null"));
        bodies.push(with(name, "[]"));
        bodies.push(with(name, "true"));
    }
    for name in ["operation_type", "instance_id"] {
        for value in ["", " ", "a b", "-a", "a\\n", "a\\u0000", "d\\u0435v-db", "dev\\u200b", "a*", "<a>"] {
            bodies.push(with(name, &format!("\"{value}\"")));
        }
    }
    for value in [".a", "a,b", "a#b", &"a".repeat(129)] {
        bodies.push(with("operation_type", &format!("\"{value}\"")));
    }
    bodies.push(with("instance_id", &format!("\"{}\"", "a".repeat(513))));
    for environment in ["Production", "production ", "prod", "staging", "", "non_production"] {
        bodies.push(with("environment", &format!("\"{environment}\"")));
    }
    for risk in ["HIGH", "high ", "none", "critical", "", "0"] {
        bodies.push(with("risk_level", &format!("\"{risk}\"")));
    }
    for cost in ["-1", "-0.01", "\"1\"", "{}"] {
        bodies.push(with("estimated_cost", cost));
    }
    for text in ["", " ", "\\n\\t", "\\u00a0\\u2003"] {
        bodies.push(with("justification", &format!("\"{text}\"")));
        bodies.push(with("estimated_duration", &format!("\"{text}\"")));
    }
    // What a requester might like to decide for themselves.
    for name in [
        "status",
        "approved",
        "approved_by",
        "approvals_required",
        "approvals_received",
        "decisions",
        "expires_at",
        "execute_by",
        "filed_by",
        "on_behalf_of",
        "request_id",
        "requested_at",
        "parameters_digest",
        "version",
        "policy_version",
        "idempotency_key",
        "tenant",
        "Parameters",
        "",
    ] {
        bodies.push(with(name, "\"approved\""));
    }
    scene.service.untouched(|| {
        for body in &bodies {
            let answer = scene.ann.send("POST", "/v1/approvals", &[], body.as_bytes()).unwrap();
            check(body, answer, 422, "validation_failed");
        }
    });
}

#[test]
fn a_command_with_a_bad_member() {
    let scene = Scene::set();
    let (pending, approved, executing) = (&scene.pending, &scene.approved, &scene.executing);
    let long = "x".repeat(2001);
    let finish = |changes: Value| {
        let mut body = json!({ "execution_id": scene.execution_id, "outcome": "succeeded" });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let cases: Vec<(&Client, &str, String, Value)> = vec![
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "comments": null })),
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "comments": "" })),
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "comments": ["fine"] })),
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "comments": long })),
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "comment": "fine" })),
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "parameters_digest": null })),
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "parameters_digest": 5 })),
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "approved_by": null })),
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "approved_by": ["bob@example.com"] })),
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "rejected_by": "bob@example.com" })),
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "request_id": Service::id(pending) })),
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "status": "approved" })),
        (&scene.bob, "POST", format!("{pending}/approve"), json!({ "count": 2 })),
        (&scene.bob, "POST", format!("{pending}/reject"), json!({})),
        (&scene.bob, "POST", format!("{pending}/reject"), json!({ "reason": "" })),
        (&scene.bob, "POST", format!("{pending}/reject"), json!({ "reason": 1 })),
        (&scene.bob, "POST", format!("{pending}/reject"), json!({ "reason": long })),
        (&scene.bob, "POST", format!("{pending}/reject"), json!({ "reason": "no", "comments": "no" })),
        (&scene.ann, "POST", format!("{pending}/cancel"), json!({ "reason": null })),
        (&scene.ann, "POST", format!("{pending}/cancel"), json!({ "reason": "" })),
        (&scene.ann, "POST", format!("{pending}/cancel"), json!({ "reason": long })),
        (&scene.ann, "POST", format!("{pending}/cancel"), json!({ "force": true })),
        (&scene.ann, "POST", format!("{pending}/comments"), json!({})),
        (&scene.ann, "POST", format!("{pending}/comments"), json!({ "text": "" })),
        (&scene.ann, "POST", format!("{pending}/comments"), json!({ "text": {} })),
        (&scene.ann, "POST", format!("{pending}/comments"), json!({ "text": long })),
        (&scene.ann, "POST", format!("{pending}/comments"), json!({ "text": "a", "at": "2026-01-01" })),
        (&scene.ann, "POST", format!("{approved}/execution"), json!({ "parameters_digest": null })),
        (&scene.ann, "POST", format!("{approved}/execution"), json!({ "parameters": {} })),
        (&scene.ann, "POST", format!("{approved}/execution"), json!({ "execution_id": scene.execution_id })),
        (&scene.ann, "PUT", format!("{executing}/execution"), json!({})),
        (&scene.ann, "PUT", format!("{executing}/execution"), json!({ "outcome": "succeeded" })),
        (&scene.ann, "PUT", format!("{executing}/execution"), json!({ "execution_id": scene.execution_id })),
        (&scene.ann, "PUT", format!("{executing}/execution"), finish(json!({ "outcome": "executed" }))),
        (&scene.ann, "PUT", format!("{executing}/execution"), finish(json!({ "outcome": "Failed" }))),
        (&scene.ann, "PUT", format!("{executing}/execution"), finish(json!({ "outcome": null }))),
        (&scene.ann, "PUT", format!("{executing}/execution"), finish(json!({ "execution_id": "x" }))),
        (&scene.ann, "PUT", format!("{executing}/execution"), finish(json!({ "execution_id": null }))),
        (&scene.ann, "PUT", format!("{executing}/execution"), finish(json!({ "result": null }))),
        (&scene.ann, "PUT", format!("{executing}/execution"), finish(json!({ "actual_cost": -1 }))),
        (&scene.ann, "PUT", format!("{executing}/execution"), finish(json!({ "actual_cost": "1" }))),
        (&scene.ann, "PUT", format!("{executing}/execution"), finish(json!({ "actual_cost": null }))),
        (&scene.ann, "PUT", format!("{executing}/execution"), finish(json!({ "status": "executed" }))),
    ];
    scene.service.untouched(|| {
        for (client, method, path, body) in cases {
            let answer = client.send(method, &path, &[], body.to_string().as_bytes()).unwrap();
            check(&format!("{method} {path} {body}"), answer, 422, "validation_failed");
        }
    });
}

#[test]
fn an_id_in_any_spelling_but_its_own() {
    let scene = Scene::set();
    let id = Service::id(&scene.pending);
    let spellings = [
        "x".to_owned(),
        "0".to_owned(),
        "null".to_owned(),
        "*".to_owned(),
        id.to_uppercase(),
        id.replace('-', ""),
        format!("%7B{id}%7D"),
        format!("urn:uuid:{id}"),
        format!("{id}0"),
        format!("{id}%00"),
        format!("{id}%0A"),
        format!("%20{id}"),
        format!("{id}%2F"),
        format!("{id}%2Fapprove"),
        "%2E%2E%2Fhealth".to_owned(),
        "%E2%80%AEx".to_owned(),
        "%ff%fe".to_owned(),
        "a".repeat(2000),
    ];
    scene.service.untouched(|| {
        for id in &spellings {
            let path = format!("/v1/approvals/{id}");
            for (method, path) in [
                ("GET", path.clone()),
                ("GET", format!("{path}/events")),
                ("POST", format!("{path}/approve")),
                ("POST", format!("{path}/execution")),
                ("PUT", format!("{path}/execution")),
            ] {
                let answer = scene.bob.send(method, &path, &[], b"{}").unwrap();
                check(&format!("{method} {path}"), answer, 400, "malformed_id");
            }
        }
        check("no id", scene.bob.post("/v1/approvals//approve", &json!({})), 400, "malformed_id");
    });
}

#[test]
fn a_query_with_a_bad_parameter() {
    let scene = Scene::set();
    let bad = [
        "status=PENDING",
        "status=",
        "status=open",
        "status=pending%20",
        "limit=5&limit=5",
        "status=pending&status=open",
        "status=pending,open",
        "requested_by=ann@example.com&requested_by=ann@example.com",
        "status[]=pending",
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=1.5",
        "limit=ten",
        "limit=",
        "limit=%2B5",
        "limit=0x10",
        "limit=99999999999999999999999",
        "requested_by=ann",
        "requested_by=",
        "requested_by=d%D0%B0a@example.com",
        "instance_id=",
        "instance_id=a%20b",
        "instance_id=dev*%0A",
        "from=yesterday",
        "from=2026-13-01T00:00:00Z",
        "from=2026-01-01T00:00:00",
        "from=1767225600",
        "to=",
        "to=2026-02-30",
        "status=rejected&from=2025-12-02&to=2025-12-01",
        "status=rejected&from=2026-01-02",
        "status=rejected&from=2024-12-30T23:59:59.999Z&to=2026-01-01",
        "status=executed&from=2024-01-01",
        "page=2",
        "offset=10",
        "Status=pending",
        "=pending",
        "q='%20OR%201=1",
    ];
    scene.service.untouched(|| {
        for query in bad {
            let answer = scene.bob.get(&format!("/v1/approvals?{query}"));
            check(query, answer, 422, "validation_failed");
        }
        for path in [format!("{}?verbose=true", scene.pending), format!("{}/events?limit=5", scene.pending)] {
            check(&path, scene.bob.get(&path), 422, "validation_failed");
        }
    });
}

#[test]
fn a_cursor_that_was_not_given_out() {
    let scene = Scene::set();
    let (_, cursor) = scene.ann.page("/v1/approvals?requested_by=ann@example.com", 1, None);
    let cursor = cursor.unwrap();
    let bad = [
        String::new(),
        "x".to_owned(),
        "null".to_owned(),
        "eyJhIjoxfQ".to_owned(),
        "%25%25".to_owned(),
        "A".repeat(5000),
        format!("{cursor}="),
        format!("{cursor}A"),
        cursor[..cursor.len() - 4].to_owned(),
        cursor.to_lowercase(),
    ];
    scene.service.untouched(|| {
        for cursor in bad {
            let path = format!("/v1/approvals?requested_by=ann@example.com&cursor={cursor}");
            check(&cursor, scene.ann.get(&path), 400, "malformed_cursor");
        }
    });
}

#[test]
fn the_original_endpoint_with_a_bad_member() {
    let scene = Scene::set();
    let id = Service::id(&scene.pending);
    let cases = [
        (json!({ "operation": "approve" }), 422, "validation_failed"),
        (json!({ "operation": "" }), 422, "validation_failed"),
        (json!({ "operation": null }), 422, "validation_failed"),
        (json!({ "operation": ["get_request"] }), 422, "validation_failed"),
        (json!({ "operation": "Get_Request", "request_id": id }), 422, "validation_failed"),
        (json!({ "operation": "get_request" }), 422, "validation_failed"),
        (json!({ "operation": "get_request", "request_id": null }), 422, "validation_failed"),
        (json!({ "operation": "get_request", "request_id": 5 }), 422, "validation_failed"),
        (json!({ "operation": "get_request", "request_id": "" }), 400, "malformed_id"),
        (json!({ "operation": "get_request", "request_id": "x" }), 400, "malformed_id"),
        (json!({ "operation": "get_request", "request_id": id.to_uppercase() }), 400, "malformed_id"),
        (json!({ "operation": "get_request", "request_id": id, "id": id }), 422, "validation_failed"),
        (json!({ "operation": "approve_request", "request_id": "x", "comments": 5 }), 400, "malformed_id"),
        (json!({ "operation": "reject_request", "request_id": id }), 422, "validation_failed"),
        (json!({ "operation": "add_comment", "request_id": id, "comment": "x" }), 422, "validation_failed"),
        (json!({ "operation": "mark_executed", "request_id": id, "result": 1 }), 422, "validation_failed"),
        (
            json!({ "operation": "mark_executed", "request_id": id, "execution_result": null }),
            422,
            "validation_failed",
        ),
        (json!({ "operation": "get_pending_approvals", "limit": 0 }), 422, "validation_failed"),
        (json!({ "operation": "get_pending_approvals", "limit": 1.5 }), 422, "validation_failed"),
        (json!({ "operation": "get_pending_approvals", "limit": null }), 422, "validation_failed"),
        (json!({ "operation": "get_pending_approvals", "status": "pending" }), 422, "validation_failed"),
        (json!({ "operation": "get_pending_approvals", "user_email": "ann" }), 422, "validation_failed"),
        (json!({ "operation": "get_pending_approvals", "cursor": "x" }), 400, "malformed_cursor"),
        (json!({ "operation": "get_user_requests" }), 422, "validation_failed"),
        (
            json!({ "operation": "get_user_requests", "user_email": "ann@example.com", "status": "all" }),
            422,
            "validation_failed",
        ),
        (json!({ "operation": "get_instance_requests" }), 422, "validation_failed"),
        (json!({ "operation": "get_instance_requests", "instance_id": "a b" }), 422, "validation_failed"),
    ];
    scene.service.untouched(|| {
        for (body, status, code) in cases {
            check(&body.to_string(), scene.bob.post("/approvals", &body), status, code);
        }
    });
}

#[test]
fn a_bad_idempotency_key() {
    let scene = Scene::set();
    let key = "idempotency-key";
    let long = "k".repeat(129);
    let body = Service::medium().to_string();
    scene.service.untouched(|| {
        for headers in [
            vec![(key, "")],
            vec![(key, long.as_str())],
            vec![(key, "a\tb")],
            vec![(key, "clé")],
            vec![(key, "a"), (key, "b")],
            vec![(key, "a"), (key, "a")],
        ] {
            let answer = scene.ann.send("POST", "/v1/approvals", &headers, body.as_bytes()).unwrap();
            assert_eq!(answer.body["errors"][0]["pointer"], "/idempotency_key", "{headers:?}");
            check(&format!("{headers:?}"), answer, 422, "validation_failed");
        }
    });
}

/// A body that is declared as something else is not read as JSON: what its sender meant is not known.
#[test]
fn a_body_that_is_declared_as_something_else_than_json() {
    let scene = Scene::set();
    let body = br#"{"comments":"agreed"}"#;
    let approve = format!("{}/approve", scene.pending);
    scene.service.untouched(|| {
        for declared in [
            "application/x-www-form-urlencoded",
            "text/plain",
            "text/json",
            "application/xml",
            "application/problem+json",
            "application/jsonx",
            "application/json; charset=latin1",
            "application/json; charset=utf-16",
            "application/json, text/plain",
            "multipart/form-data; boundary=x",
            "json",
            "",
        ] {
            for path in [approve.as_str(), "/v1/approvals", "/approvals"] {
                let answer = scene.bob.send("POST", path, &[("Content-Type", declared)], body).unwrap();
                check(declared, answer, 415, "unsupported_media_type");
            }
        }
        let twice = [("content-type", "application/json"), ("Content-Type", "text/plain")];
        check(
            "twice",
            scene.bob.send("POST", &approve, &twice, body).unwrap(),
            415,
            "unsupported_media_type",
        );
        // A GET has no body that anything is read from.
        let get = scene.bob.send("GET", &scene.pending, &[("content-type", "text/plain")], b"");
        get.unwrap().expect(200);
    });
    for declared in [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=UTF-8",
        "application/json; charset=\"utf-8\"",
    ] {
        let comment = format!("{}/comments", scene.pending);
        let answer = scene.bob.send("POST", &comment, &[("content-type", declared)], br#"{"text":"hm"}"#);
        assert_eq!(answer.unwrap().status, 200, "{declared}");
    }
    scene.bob.send("POST", &approve, &[("content-type", "text/plain")], b"").unwrap().expect(200);
}

/// THREATS 72: what is wrong with a body is said in an answer that a person reads.
#[test]
fn threat_72_twenty_thousand_unknown_members_get_a_short_answer() {
    let scene = Scene::set();
    let mut body = Service::medium();
    body.as_object_mut().unwrap().remove("justification");
    for number in 0..20_000 {
        body[format!("m{number:05}")] = json!(1);
    }
    let sent = body.to_string();
    assert!(sent.len() < 256 * 1024);
    let long = "x".repeat(100_000);
    scene.service.untouched(|| {
        let answer = scene.ann.send("POST", "/v1/approvals", &[], sent.as_bytes()).unwrap();
        assert!(answer.text.len() < 8 * 1024, "{} bytes", answer.text.len());
        let problem = answer.expect_problem(422, "validation_failed");
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors[0], json!({ "pointer": "/justification", "message": "is required" }));
        assert_eq!(errors.len(), 22, "{problem}");
        assert!(problem.to_string().contains("19980 more names, each of which is not a field"), "{problem}");

        let answer =
            scene.ann.send("POST", "/v1/approvals", &[], format!("{{\"{long}\":1}}").as_bytes()).unwrap();
        assert!(answer.text.len() < 4 * 1024, "{} bytes", answer.text.len());
        answer.expect_problem(422, "validation_failed");

        let query: Vec<_> = (0..5000).map(|number| format!("q{number}=1")).collect();
        let answer = scene.ann.get(&format!("/v1/approvals?{}", query.join("&")));
        assert!(answer.text.len() < 8 * 1024, "{} bytes", answer.text.len());
        let answer = scene.ann.post(&format!("/v1/approvals?{}", query.join("&")), &Service::medium());
        assert!(answer.text.len() < 8 * 1024, "{} bytes", answer.text.len());
        answer.expect_problem(422, "validation_failed");
    });
}
