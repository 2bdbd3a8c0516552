//! Who calls a function: the token that the gateway has verified, or, with the issuer's keys at hand,
//! the one that the function has verified itself. Never what an event says of itself.

use countersign_e2e::functions::Functions;
use countersign_e2e::gateway::{self, Request};
use countersign_e2e::inspection::snapshot;
use countersign_e2e::service::Service;
use countersign_e2e::signature::{self, ISSUER_JWKS, issuer_token, issuer_token_with};
use countersign_lambda::environment::Environment;
use countersign_lambda::gateway::Authentication;
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

/// THREATS 64: claims that are objects, or lists of them, in the two forms that gateways write them in.
/// The texts are written down here, so that no code of ours decides what a gateway writes.
const CLAIMS: &str = r#"{"iss":"https://id.example.com","aud":["account","countersign"],"sub":"7e1c",
    "exp":4102444800,"email":"ann@example.com","email_verified":true,
    "realm_access":{"roles":["developer","offline_access"]},
    "identities":[{"userId":"1","primary":"true","providerName":"Corp"}],"amr":["pwd",1],
    "address":{"street_address":"1 Main St","country":"IS"},"nothing":null}"#;
const DESCRIBED: [&str; 2] = [
    r#"{"iss":"https://id.example.com","aud":"[account countersign]","sub":"7e1c","exp":"4.1024448e+09",
    "email":"ann@example.com","email_verified":"true","realm_access":"map[roles:[developer offline_access]]",
    "identities":"[map[primary:true providerName:Corp userId:1]]","amr":"[pwd 1]",
    "address":"map[country:IS street_address:1 Main St]","nothing":"<nil>"}"#,
    r#"{"iss":"https://id.example.com","aud":"[account countersign]","sub":"7e1c","exp":"4102444800",
    "email":"ann@example.com","email_verified":"true",
    "realm_access":"{\"roles\": [\"developer\", \"offline_access\"]}",
    "identities":"[{\"primary\":\"true\",\"providerName\":\"Corp\",\"userId\":\"1\"}]","amr":"[\"pwd\",1]",
    "address":"{\"country\":\"IS\",\"street_address\":\"1 Main St\"}"}"#,
];

/// The second of two audiences, and groups in an object, with and without the issuer's keys.
#[test]
fn threat_64_claims_that_are_not_read_are_not_compared() {
    let nested = ("GROUPS_CLAIM", "realm_access.roles");
    let audiences = ("OIDC_AUDIENCE", "another,countersign");
    let own = [ISSUER[0], audiences, nested];
    for functions in
        [Functions::start(&own), Functions::start(&[&own[..], &[("JWKS", ISSUER_JWKS)]].concat())]
    {
        let claims: Value = serde_json::from_str(CLAIMS).unwrap();
        let bearer = format!("Bearer {}", issuer_token(&claims));
        for described in DESCRIBED {
            let described: Value = serde_json::from_str(described).unwrap();
            let described_as = |described: &Value| {
                let mut event = creation(Some(&bearer), None);
                event["requestContext"]["authorizer"] = json!({ "jwt": { "claims": described } });
                status(&functions, &event)
            };
            assert_eq!(described_as(&described), 201, "{described}");
            for (name, wrong) in [
                ("email", json!("bob@example.com")),
                ("aud", json!("[account]")),
                ("aud", json!("[countersign account]")),
                ("exp", json!("4102444801")),
                ("realm_access", Value::Null),
                ("realm_access.roles", json!("[admin]")),
            ] {
                let mut odd = described.clone();
                if wrong.is_null() {
                    odd.as_object_mut().unwrap().remove(name);
                } else {
                    odd[name] = wrong;
                }
                assert_eq!(described_as(&odd), 401, "{name}: {odd}");
            }
        }
    }
}

#[test]
fn a_token_for_none_of_several_audiences_is_refused() {
    let functions = Functions::start(&[ISSUER[0], ("OIDC_AUDIENCE", "another, countersign")]);
    let for_audience = |audience: Value| {
        let claims = with("aud", audience);
        let bearer = format!("Bearer {}", issuer_token(&claims));
        status(&functions, &creation(Some(&bearer), Some(&claims)))
    };
    for ours in [json!("another"), json!("countersign"), json!(["x", "another"])] {
        assert_eq!(for_audience(ours.clone()), 201, "{ours}");
    }
    for other in [json!("another,countersign"), json!("another, countersign"), json!(""), json!([])] {
        assert_eq!(for_audience(other.clone()), 401, "{other}");
    }
    for (name, wrong) in [("OIDC_AUDIENCE", "countersign,"), ("GROUPS_CLAIM", "realm_access..roles")] {
        let error = Authentication::read(&Environment::of([(name, wrong)])).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name} must be ")) && !error.contains(wrong), "{error}");
    }
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
    payload["routeKey"] = json!("POST /v1/approvals");
    payload["rawPath"] = json!("/v1/approvals");
    payload["body"] = json!("{}");
    // An event by shape, of an invoker: its claims are not the token's, flattened.
    assert_eq!(status(&functions, &payload), 401);
    payload["requestContext"] = Value::Null;
    payload["requested_by"] = json!("ann@example.com");
    let (code, message) = functions.invoke("create", &payload.to_string()).unwrap_err();
    assert_eq!(code, "validation_failed", "{message}");
}
