//! The keys with which a function verifies tokens: fetched with the first token, kept, and fetched again in time.

use crate::binary;
use countersign_e2e::deployment::Deployment;
use countersign_e2e::functions::Functions;
use countersign_e2e::gateway::{self, Request};
use countersign_e2e::issuer::Issuer;
use countersign_e2e::service::Service;
use countersign_e2e::signature::{ISSUER_JWKS, NEXT_ISSUER_JWKS, issuer_token, issuer_token_with, unsigned};
use countersign_lambda::environment::Environment;
use countersign_lambda::gateway::Authentication;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

fn claims(issuer: &Issuer) -> Value {
    json!({ "iss": issuer.url(), "aud": "countersign", "sub": "7e1c", "exp": 4_102_444_800_u64,
        "email": "ann@example.com", "email_verified": true, "cognito:groups": ["developer"] })
}

/// A creation with this token, of which the gateway says what it would say of a good one.
fn creation(token: &str, claims: &Value) -> Value {
    let request = Request {
        method: "POST".to_owned(),
        path: "/v1/approvals".to_owned(),
        query: String::new(),
        headers: BTreeMap::from([("authorization".to_owned(), format!("Bearer {token}"))]),
        body: Service::high().to_string().into_bytes(),
    };
    gateway::event(&request, claims.as_object())
}

/// A function that makes requests, and its issuer. There is one function: each has its own keys.
struct Create {
    functions: Functions,
    issuer: Issuer,
}

impl Create {
    fn start(keys: &str) -> Self {
        let issuer = Issuer::start(keys);
        let variables = [("OIDC_ISSUER", issuer.url()), ("OIDC_AUDIENCE", "countersign")];
        Self { functions: Functions::start(&variables), issuer }
    }

    fn status(&self, token: &str) -> u64 {
        let event = creation(token, &claims(&self.issuer)).to_string();
        self.functions.invoke("create", &event).unwrap()["statusCode"].as_u64().unwrap()
    }

    /// The token of the first key, and that of the next.
    fn tokens(&self) -> (String, String) {
        let claims = claims(&self.issuer);
        (issuer_token(&claims), issuer_token_with("two", 1, &claims))
    }

    fn wait(&self, seconds: u64) {
        self.functions.host.advance_elapsed(Duration::from_secs(seconds));
    }
}

#[test]
fn keys_are_fetched_with_the_first_token_and_kept() {
    let create = Create::start(ISSUER_JWKS);
    let (good, _) = create.tokens();
    assert_eq!(create.issuer.fetches(), 0, "nothing is fetched before there is a token");
    for _ in 0..10 {
        assert_eq!(create.status(&good), 201);
    }
    assert_eq!(create.issuer.fetches(), 1);
    create.wait(5 * 60 + 1);
    assert_eq!(create.status(&good), 201);
    assert_eq!(create.issuer.fetches(), 2, "every five minutes");
    // A sandbox was frozen: one of its clocks may have stood still.
    create.functions.host.advance_milliseconds(5 * 60 * 1000 + 1);
    assert_eq!(create.status(&good), 201);
    assert_eq!(create.issuer.fetches(), 3);
}

#[test]
fn forged_key_ids_are_no_storm_of_fetches() {
    let create = Create::start(ISSUER_JWKS);
    let (good, unknown) = create.tokens();
    assert_eq!(create.status(&good), 201);
    for interval in 0..3 {
        for _ in 0..30 {
            assert_eq!(create.status(&unknown), 401);
        }
        assert_eq!(create.issuer.fetches(), 1 + interval, "one in 30 seconds");
        create.wait(31);
    }
    let claims = claims(&create.issuer);
    let none = unsigned(&json!({ "alg": "none", "typ": "JWT" }), &claims);
    assert_eq!(create.status(&format!("{none}.")), 401);
    assert_eq!(create.issuer.fetches(), 3, "what no key could have signed asks for none");
}

#[test]
fn the_issuer_changes_its_key_and_withdraws_the_old_one() {
    let create = Create::start(ISSUER_JWKS);
    let (old, new) = create.tokens();
    assert_eq!(create.status(&old), 201);
    create.issuer.publish(Some(NEXT_ISSUER_JWKS));
    create.wait(31);
    assert_eq!(create.status(&old), 201, "not known yet");
    assert_eq!(create.status(&new), 201, "found when a token names it");
    assert_eq!(create.status(&old), 401, "withdrawn with the same fetch");
    create.issuer.publish(Some(ISSUER_JWKS));
    create.wait(5 * 60 + 1);
    assert_eq!(create.status(&new), 401, "withdrawn within five minutes");
    assert_eq!(create.status(&old), 201);
}

#[test]
fn an_issuer_that_is_away_stops_nothing_for_six_hours() {
    let create = Create::start(ISSUER_JWKS);
    let (good, unknown) = create.tokens();
    create.issuer.publish(None);
    assert_eq!(create.status(&good), 503, "no key was ever known");
    assert_eq!(create.status(&unknown), 503);
    assert_eq!(create.issuer.fetches(), 1);
    create.issuer.publish(Some(ISSUER_JWKS));
    create.wait(6);
    assert_eq!(create.status(&good), 201);
    create.issuer.publish(None);
    for _ in 0..5 {
        create.wait(60 * 60);
        assert_eq!(create.status(&good), 201);
        assert_eq!(create.status(&unknown), 401);
    }
    assert_eq!(create.issuer.fetches(), 2 + 5);
    create.wait(60 * 60 + 1);
    assert_eq!(create.status(&good), 503, "keys are not trusted for ever");
    create.issuer.publish(Some(ISSUER_JWKS));
    create.wait(31);
    assert_eq!(create.status(&good), 201);
}

#[test]
fn a_function_knows_its_issuer_or_does_not_start() {
    let read = |issuer: &'static str, audience: &'static str, keys: &'static str| {
        let variables = [("OIDC_ISSUER", issuer), ("OIDC_AUDIENCE", audience), ("JWKS", keys)];
        Authentication::read(&Environment::of(variables)).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(read("https://id.example.com/", "app", ""), Ok(()));
    assert_eq!(read("an issuer without a place", "app", ISSUER_JWKS), Ok(()), "whose keys are given");
    for (issuer, audience, keys, said) in [
        ("", "app", "", "OIDC_ISSUER is not set"),
        ("https://id.example.com", "", ISSUER_JWKS, "OIDC_AUDIENCE is not set"),
        ("http://id.example.com", "app", "", "OIDC_ISSUER what is sent would travel in the clear; use https"),
        ("https://ann:secret@id.example.com", "app", "", "OIDC_ISSUER must not have a user name"),
        ("https://id.example.com/?tenant=1", "app", "", "OIDC_ISSUER must be https://HOST"),
        ("https://id.example.com", "app", r#"{"keys":[]}"#, "JWKS holds no key"),
    ] {
        let error = read(issuer, audience, keys).unwrap_err();
        assert!(error.starts_with(said) && !error.contains("secret"), "{error}");
    }
}

/// The built functions, and an issuer behind TLS: public roots and those of `AWS_CA_BUNDLE` are trusted, no others.
#[test]
fn a_built_function_fetches_keys_over_https_and_trusts_no_stranger() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("certificate.pem"), directory.path().join("key.pem"));
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, issued.cert.pem()).unwrap();
    std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    let issuer = Issuer::start_tls(ISSUER_JWKS, &certificate, &key);
    let claims = claims(&issuer);
    let event = creation(&issuer_token(&claims), &claims);
    let forged = creation(&issuer_token_with("one", 1, &claims), &claims);

    let stranger = Deployment::start(binary).with("JWKS", "").with("OIDC_ISSUER", issuer.url());
    let (status, problem) = stranger.send_event(&event);
    assert_eq!((status, problem["code"].as_str()), (503, Some("store_unavailable")), "{problem}");
    assert!(!problem.to_string().contains("127.0.0.1"), "{problem}");
    let log = stranger.sandbox("create").log_with("the issuer's keys cannot be fetched");
    assert!(log.contains("certificate"), "{log}");
    assert_eq!(issuer.fetches(), 0);

    let trusting = stranger.again().with("AWS_CA_BUNDLE", certificate.to_str().unwrap());
    let (status, created) = trusting.send_event(&event);
    assert_eq!(status, 201, "{created}");
    assert_eq!(trusting.send_event(&forged).0, 401);
    assert_eq!(trusting.send_event(&event).0, 201);
    assert_eq!(issuer.fetches(), 1, "kept from one invocation to the next");
}
