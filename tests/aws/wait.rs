//! Waiting for a change in a function, which hears of none: it reads again.

use countersign_e2e::functions::Functions;
use countersign_e2e::gateway::Request;
use countersign_e2e::service::Service;
use countersign_e2e::signature::{ISSUER_JWKS, issuer_token};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

fn send(
    functions: &Functions,
    who: &str,
    group: &str,
    (method, path, query): (&str, &str, &str),
    body: &Value,
) -> Value {
    let claims = json!({
        "sub": who, "email": format!("{who}@example.com"), "email_verified": true, "groups": [group],
        "iss": "countersign", "aud": "countersign", "exp": 4_000_000_000_u64,
    });
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: BTreeMap::from([("authorization".to_owned(), format!("Bearer {}", issuer_token(&claims)))]),
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
    };
    functions.send(&request, claims.as_object())
}

fn functions(max_wait_seconds: &str) -> (Functions, String) {
    let functions = Functions::start(&[
        ("OIDC_ISSUER", "countersign"),
        ("OIDC_AUDIENCE", "countersign"),
        ("JWKS", ISSUER_JWKS),
        ("MAX_WAIT_SECONDS", max_wait_seconds),
    ]);
    let created = send(&functions, "ann", "developer", ("POST", "/v1/approvals", ""), &Service::high());
    assert_eq!(created["statusCode"], 201, "{created}");
    let created: Value = serde_json::from_str(created["body"].as_str().unwrap()).unwrap();
    let path = format!("/v1/approvals/{}", created["request_id"].as_str().unwrap());
    (functions, path)
}

#[test]
fn it_waits_no_longer_than_the_template_says() {
    for (max_wait_seconds, expected) in [("3", 3), ("1", 1), ("0", 0)] {
        let (functions, path) = functions(max_wait_seconds);
        let began = Instant::now();
        let answer = send(&functions, "ann", "developer", ("GET", &path, "wait=25"), &Value::Null);
        let took = began.elapsed();
        assert_eq!(answer["statusCode"], 200, "{answer}");
        assert!((expected..20).contains(&took.as_secs()), "{took:?}");
    }
}

#[test]
fn a_change_of_another_function_ends_the_waiting() {
    let (functions, path) = functions("20");
    let began = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            send(&functions, "ann", "developer", ("GET", &path, "wait=20&since_version=1"), &Value::Null)
        });
        let approve = ("POST", &*format!("{path}/approve"), "");
        let approved = send(&functions, "bob", "approver", approve, &json!({}));
        assert_eq!(approved["statusCode"], 200, "{approved}");
        let answer = waiting.join().unwrap();
        let shown: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(shown["version"], 2);
    });
    assert!(began.elapsed() < Duration::from_secs(19), "{:?}", began.elapsed());
}
