//! Who calls a function: the token that the gateway has verified, or, with the issuer's keys at hand,
//! the one that the function has verified itself. Never what an event says of itself.

use countersign_e2e::functions::Functions;
use countersign_e2e::gateway::{self, Request};
use countersign_e2e::inspection::snapshot;
use countersign_e2e::service::Service;
use countersign_e2e::signature::{self, ISSUER_JWKS, issuer_token, issuer_token_with};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ISSUER: [(&str, &str); 2] =
    [("OIDC_ISSUER", "https://id.example.com"), ("OIDC_AUDIENCE", "countersign")];

fn claims() -> Value {
    json!({ "iss": "https://id.example.com", "aud": "countersign", "sub": "7e1c", "exp": 4_102_444_800_u64,
        "email": "ann@example.com", "email_verified": true, "cognito:groups": ["developer"] })
}

/// A creation with this `Authorization` header, and what the authorizer says of the token.
fn creation(authorization: Option<&str>, described: Option<&Value>) -> Value {
    let authorization = authorization.map(|text| ("authorization".to_owned(), text.to_owned()));
    let request = Request {
        method: "POST".to_owned(),
        path: "/v1/approvals".to_owned(),
        query: String::new(),
        headers: authorization.into_iter().collect::<BTreeMap<_, _>>(),
        body: Service::high().to_string().into_bytes(),
    };
    gateway::event(&request, described.map(|claims| claims.as_object().unwrap()))
}

fn status(functions: &Functions, event: &Value) -> u64 {
    functions.invoke("create", &event.to_string()).unwrap()["statusCode"].as_u64().unwrap()
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[test]
fn the_gateways_word_is_good_for_the_token_it_has_seen_and_no_other() {
    let functions = Functions::start(&ISSUER);
    let bearer = |claims: &Value| format!("Bearer {}", issuer_token(claims));
    assert_eq!(status(&functions, &creation(Some(&bearer(&claims())), Some(&claims()))), 201);
    let before = functions.block_on(snapshot(&functions.database));
    let good = claims();
    let mut without_authorizer = creation(Some(&bearer(&good)), None);
    let mut other_authorizer = without_authorizer.clone();
    without_authorizer["requestContext"]["authorizer"] = Value::Null;
    other_authorizer["requestContext"]["authorizer"] = json!({ "lambda": { "email": "ann@example.com" } });
    let mut claims_as_text = creation(Some(&bearer(&good)), Some(&good));
    claims_as_text["requestContext"]["authorizer"]["jwt"]["claims"] = json!({});
    for (name, event) in [
        ("claims without a token", creation(None, Some(&good))),
        ("an empty header", creation(Some(""), Some(&good))),
        ("another scheme", creation(Some("Basic YW5uOmFubg=="), Some(&good))),
        ("not a token", creation(Some("Bearer hello"), Some(&good))),
        ("two tokens in one header", {
            creation(Some(&format!("{}, {}", bearer(&good), bearer(&good))), Some(&good))
        }),
        (
            "somebody else's token",
            creation(Some(&bearer(&with("email", json!("eve@example.com")))), Some(&good)),
        ),
        ("more groups in the token", {
            creation(Some(&bearer(&with("cognito:groups", json!(["developer", "admin"])))), Some(&good))
        }),
        ("other groups in the event", {
            creation(Some(&bearer(&good)), Some(&with("cognito:groups", json!(["admin"]))))
        }),
        ("another person in the event", {
            creation(Some(&bearer(&good)), Some(&with("email", json!("eve@example.com"))))
        }),
        ("another subject in the event", creation(Some(&bearer(&good)), Some(&with("sub", json!("x"))))),
        ("a token without authorizer", without_authorizer),
        ("another kind of authorizer", other_authorizer),
        ("an authorizer that says nothing", claims_as_text),
        ("an ended token", {
            let ended = with("exp", json!(1_700_000_000));
            creation(Some(&bearer(&ended)), Some(&ended))
        }),
        ("another issuer's", {
            let other = with("iss", json!("https://evil.example.com"));
            creation(Some(&bearer(&other)), Some(&other))
        }),
        ("for another audience", {
            let other = with("aud", json!("payroll"));
            creation(Some(&bearer(&other)), Some(&other))
        }),
        ("an unverified e-mail", {
            let unverified = with("email_verified", json!(false));
            creation(Some(&bearer(&unverified)), Some(&unverified))
        }),
    ] {
        assert_eq!(status(&functions, &event), 401, "{name}");
    }
    assert_eq!(functions.block_on(snapshot(&functions.database)), before, "nothing was written");
}

#[test]
fn with_the_issuers_keys_a_function_believes_no_event_without_a_signature() {
    let functions = Functions::start(&[ISSUER[0], ISSUER[1], ("JWKS", ISSUER_JWKS)]);
    let good = claims();
    let token = issuer_token(&good);
    assert_eq!(status(&functions, &creation(Some(&format!("Bearer {token}")), Some(&good))), 201);
    // As on a developer's machine, where nothing stands in front.
    assert_eq!(status(&functions, &creation(Some(&format!("Bearer {token}")), None)), 201);
    let before = functions.block_on(snapshot(&functions.database));
    let parts: Vec<_> = token.split('.').collect();
    let unsigned = |header: Value| signature::unsigned(&header, &good);
    for (name, token) in [
        ("perfect claims and no signature", format!("{}.{}.", parts[0], parts[1])),
        ("perfect claims and any signature", format!("{}.{}.c2lnbmF0dXJl", parts[0], parts[1])),
        ("alg none", format!("{}.", unsigned(json!({ "alg": "none", "typ": "JWT" })))),
        ("another key", issuer_token_with("one", 1, &good)),
        ("an unknown key id", issuer_token_with("two", 0, &good)),
        ("the public key taken for a secret", {
            signature::sign(&json!({ "alg": "HS256", "kid": "one", "typ": "JWT" }), &good, &[7; 32])
        }),
    ] {
        let event = creation(Some(&format!("Bearer {token}")), Some(&good));
        assert_eq!(status(&functions, &event), 401, "{name}");
        let event = creation(Some(&format!("Bearer {token}")), None);
        assert_eq!(status(&functions, &event), 401, "{name}, without authorizer");
    }
    let other = with("email", json!("eve@example.com"));
    let event = creation(Some(&format!("Bearer {token}")), Some(&other));
    assert_eq!(status(&functions, &event), 401, "a good signature that the gateway has not seen");
    assert_eq!(functions.block_on(snapshot(&functions.database)), before, "nothing was written");
}

#[test]
fn nothing_in_a_direct_payload_makes_it_an_event_of_the_gateway() {
    let functions = Functions::start(&ISSUER);
    let mut payload = Service::high();
    payload["requestContext"] = json!({ "authorizer": { "jwt": { "claims": claims() } } });
    payload["headers"] = json!({ "authorization": format!("Bearer {}", issuer_token(&claims())) });
    assert_eq!(functions.invoke("create", &payload.to_string()).unwrap_err().0, "unsupported_event");
    payload["version"] = json!("2.0");
    payload["rawPath"] = json!("/v1/approvals");
    payload["body"] = json!("{}");
    // An event by shape, of somebody who may invoke: its claims are not the token's, flattened.
    assert_eq!(status(&functions, &payload), 401);
    payload["requestContext"] = Value::Null;
    payload["requested_by"] = json!("ann@example.com");
    let (code, message) = functions.invoke("create", &payload.to_string()).unwrap_err();
    assert_eq!(code, "validation_failed", "{message}");
}
