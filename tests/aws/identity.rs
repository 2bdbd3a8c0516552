//! Who calls a function: the bearer of a token that the function has verified itself, and that is the one which the gateway
//! has seen, if it speaks of one. Never what an event says of itself.

use countersign_e2e::functions::Functions;
use countersign_e2e::gateway::{self, Request};
use countersign_e2e::inspection::{snapshot, snapshot_without_attempts};
use countersign_e2e::service::Service;
use countersign_e2e::signature::{self, ISSUER_JWKS, issuer_token, issuer_token_with};
use countersign_lambda::environment::Environment;
use countersign_lambda::gateway::Authentication;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ISSUER: [(&str, &str); 3] =
    [("OIDC_ISSUER", "https://id.example.com"), ("OIDC_AUDIENCE", "countersign"), ("JWKS", ISSUER_JWKS)];

fn claims() -> Value {
    json!({ "iss": "https://id.example.com", "aud": "countersign", "sub": "7e1c", "exp": 4_102_444_800_u64,
        "email": "ann@example.com", "email_verified": true, "cognito:groups": ["developer"] })
}

fn request(authorization: Option<&str>) -> Request {
    let authorization = authorization.map(|text| ("authorization".to_owned(), text.to_owned()));
    Request {
        method: "POST".to_owned(),
        path: "/v1/approvals".to_owned(),
        query: String::new(),
        headers: authorization.into_iter().collect::<BTreeMap<_, _>>(),
        body: Service::high().to_string().into_bytes(),
    }
}

/// A creation with this `Authorization` header, and what the authorizer says of the token.
fn creation(authorization: Option<&str>, described: Option<&Value>) -> Value {
    gateway::event(&request(authorization), described.map(|claims| claims.as_object().unwrap()))
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
fn a_signed_token_is_taken_if_it_is_the_one_that_the_gateway_has_seen() {
    let functions = Functions::start(&ISSUER);
    let bearer = |claims: &Value| format!("Bearer {}", issuer_token(claims));
    assert_eq!(status(&functions, &creation(Some(&bearer(&claims())), Some(&claims()))), 201);
    let good = claims();
    // Nothing that verifies tokens stands in front: a private API, or another kind of authorizer.
    let mut other_authorizer = creation(Some(&bearer(&good)), None);
    for authorizer in [Value::Null, json!({ "lambda": { "email": "eve@example.com" } })] {
        other_authorizer["requestContext"]["authorizer"] = authorizer;
        assert_eq!(status(&functions, &other_authorizer), 201);
    }
    let before = functions.block_on(snapshot_without_attempts(&functions.database));
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
    assert_eq!(
        functions.block_on(snapshot_without_attempts(&functions.database)),
        before,
        "nothing was written"
    );
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

/// The same claims as the Cognito authorizer of a REST API writes them.
const DESCRIBED_BY_REST: &str = r#"{"iss":"https://id.example.com","aud":"account,countersign","sub":"7e1c",
    "exp":"Fri Jan 01 00:00:00 UTC 2100","email":"ann@example.com","email_verified":"true",
    "realm_access":"{\"roles\":[\"developer\",\"offline_access\"]}",
    "identities":"{\"dateCreated\":\"1555241917584\",\"userId\":\"1\",\"providerName\":\"Corp\",\"primary\":\"true\"}"}"#;

/// The second of two audiences, and groups in an object.
#[test]
fn threat_64_claims_that_are_not_read_are_not_compared() {
    let variables = [
        ISSUER[0],
        ("OIDC_AUDIENCE", "another,countersign"),
        ISSUER[2],
        ("GROUPS_CLAIM", "realm_access.roles"),
    ];
    let functions = Functions::start(&variables);
    let claims: Value = serde_json::from_str(CLAIMS).unwrap();
    let bearer = format!("Bearer {}", issuer_token(&claims));
    let by_http = |described: &Value| {
        let mut event = creation(Some(&bearer), None);
        event["requestContext"]["authorizer"] = json!({ "jwt": { "claims": described } });
        status(&functions, &event)
    };
    let by_rest = |described: &Value| {
        status(&functions, &gateway::rest_event(&request(Some(&bearer)), Some(described)))
    };
    let wrong = |described: &Value, name: &str, value: Value| {
        let mut odd = described.clone();
        if value.is_null() {
            odd.as_object_mut().unwrap().remove(name);
        } else {
            odd[name] = value;
        }
        odd
    };
    let for_both = [
        ("email", json!("bob@example.com")),
        ("email_verified", json!("false")),
        ("realm_access", Value::Null),
        ("exp", Value::Null),
        ("realm_access.roles", json!("[admin]")),
    ];
    for described in DESCRIBED {
        let described: Value = serde_json::from_str(described).unwrap();
        assert_eq!(by_http(&described), 201, "{described}");
        for (name, value) in for_both.clone().into_iter().chain([
            ("aud", json!("[account]")),
            ("aud", json!("[countersign account]")),
            ("exp", json!("4102444801")),
        ]) {
            let odd = wrong(&described, name, value);
            assert_eq!(by_http(&odd), 401, "{name}: {odd}");
        }
    }
    let described: Value = serde_json::from_str(DESCRIBED_BY_REST).unwrap();
    assert_eq!(by_rest(&described), 201);
    for (name, value) in for_both {
        let odd = wrong(&described, name, value);
        assert_eq!(by_rest(&odd), 401, "{name}: {odd}");
    }
}

/// A token that an app client got for itself from Amazon Cognito has its audience in `client_id`, and no groups. That of a
/// person has them, and no e-mail: of a person, the id token counts.
#[test]
fn tokens_of_one_user_pool_are_told_apart() {
    let functions = Functions::start(&[ISSUER[0], ("OIDC_AUDIENCE", "web,2example23456789"), ISSUER[2]]);
    let of_pool = |more: Value| {
        let mut claims = json!({ "iss": "https://id.example.com", "exp": 4_102_444_800_u64, "auth_time": 1_767_225_600,
            "iat": 1_767_225_600, "version": 2, "jti": "6c1b" });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    };
    let machine =
        of_pool(json!({ "sub": "2example23456789", "client_id": "2example23456789", "token_use": "access",
        "scope": "approvals/create" }));
    let access =
        of_pool(json!({ "sub": "7e1c", "client_id": "web", "token_use": "access", "username": "ann",
        "cognito:groups": ["developer"], "scope": "openid" }));
    let id = of_pool(json!({ "sub": "7e1c", "aud": "web", "token_use": "id", "cognito:username": "ann",
        "cognito:groups": ["developer"], "email": "ann@example.com", "email_verified": true }));
    let other = of_pool(json!({ "sub": "3example", "client_id": "3example", "token_use": "access" }));
    let answer = |claims: &Value| {
        let event = creation(Some(&format!("Bearer {}", issuer_token(claims))), Some(claims));
        status(&functions, &event)
    };
    assert_eq!(answer(&id), 201);
    assert_eq!(answer(&machine), 403, "known, as a service without a group that may ask");
    assert_eq!(answer(&access), 401, "who it is, no e-mail tells");
    assert_eq!(answer(&other), 401, "another client of the pool");
    let mut both = machine;
    both["aud"] = json!("https://other.example.com");
    assert_eq!(answer(&both), 401, "where there is an audience, it counts");
}

#[test]
fn a_token_for_none_of_several_audiences_is_refused() {
    let functions = Functions::start(&[ISSUER[0], ("OIDC_AUDIENCE", "another, countersign"), ISSUER[2]]);
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
fn a_function_believes_no_event_without_a_signature() {
    let functions = Functions::start(&ISSUER);
    let good = claims();
    let token = issuer_token(&good);
    assert_eq!(status(&functions, &creation(Some(&format!("Bearer {token}")), Some(&good))), 201);
    // As on a developer's machine, where nothing stands in front.
    assert_eq!(status(&functions, &creation(Some(&format!("Bearer {token}")), None)), 201);
    let before = functions.block_on(snapshot_without_attempts(&functions.database));
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
        let request = request(Some(&format!("Bearer {token}")));
        let said = json!({ "iss": "https://id.example.com", "aud": "countersign", "sub": "7e1c",
            "exp": "Fri Jan 01 00:00:00 UTC 2100", "email": "ann@example.com", "email_verified": "true",
            "cognito:groups": "developer" });
        for described in [Some(&said), None] {
            assert_eq!(
                status(&functions, &gateway::rest_event(&request, described)),
                401,
                "{name}, REST API"
            );
        }
    }
    let other = with("email", json!("eve@example.com"));
    let event = creation(Some(&format!("Bearer {token}")), Some(&other));
    assert_eq!(status(&functions, &event), 401, "a good signature that the gateway has not seen");
    assert_eq!(
        functions.block_on(snapshot_without_attempts(&functions.database)),
        before,
        "nothing was written"
    );
}

#[test]
fn nothing_in_a_direct_payload_makes_it_an_event_of_the_gateway() {
    let functions = Functions::start(&[&ISSUER[..], &[("DIRECT_INVOCATION", "true")]].concat());
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

#[test]
fn direct_invocation_is_off_unless_it_is_switched_on() {
    let mut payload = Service::high();
    payload["requested_by"] = json!("ann@example.com");
    let off = Functions::start(&ISSUER);
    let before = off.block_on(snapshot(&off.database));
    for (name, payload) in [("create", &payload), ("list", &json!({})), ("dispatch", &json!({}))] {
        let (code, message) = off.invoke(name, &payload.to_string()).unwrap_err();
        assert_eq!(code, "not_permitted", "{name}: {message}");
        assert!(message.contains("direct invocation is switched off"), "{name}: {message}");
    }
    assert_eq!(off.invoke("health", "{}").unwrap()["status"], "healthy", "which asks for no caller");
    assert_eq!(off.block_on(snapshot(&off.database)), before, "nothing was written");

    let on = Functions::start(&[&ISSUER[..], &[("DIRECT_INVOCATION", "true")]].concat());
    let created = on.invoke("create", &payload.to_string()).unwrap();
    assert_eq!(
        (&created["requested_by"], &created["filed_by"]),
        (&payload["requested_by"], &json!("service:direct"))
    );
    let events = on.invoke("events", &json!({ "request_id": created["request_id"] }).to_string()).unwrap();
    let first = &events["items"][0];
    assert_eq!(
        (&first["user"], &first["channel"], &first["details"]["filed_by"]),
        (&json!("ann@example.com"), &json!("direct"), &json!("service:direct"))
    );
}
