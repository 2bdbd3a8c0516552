//! GET /.well-known/jwks.json

use countersign_audit::key::Purpose;
use countersign_audit::key_set;
use countersign_e2e::service::Service;
use countersign_permit::{Expected, KeySet, parameters_digest, verify};

const PATH: &str = "/.well-known/jwks.json";

#[test]
fn keys_are_given_out_without_a_token_and_may_be_kept_for_five_minutes() {
    let service = Service::start();
    let answer = service.anonymous().get(PATH);
    assert_eq!(answer.headers["cache-control"], "public, max-age=300");
    assert_eq!(answer.headers["content-type"], "application/json");
    let keys = answer.expect(200);
    let permits = KeySet::parse(&keys.to_string()).unwrap();
    let audit = key_set::KeySet::parse(&keys.to_string()).unwrap();
    assert_eq!((permits.iter().count(), audit.of_purpose(Purpose::Log).count()), (1, 1));
    let json = permits.iter().map(|key| key.to_json()).chain(audit.iter().map(|key| key.to_json()));
    assert_eq!(keys["keys"], json.collect::<serde_json::Value>());
    assert_eq!(service.transport.take_calls(), Vec::<String>::new());
    service.anonymous().post(PATH, &serde_json::json!({})).expect_problem(405, "method_not_allowed");
}

#[test]
fn a_permit_is_verified_by_what_is_given_out() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let started = ann.post(&format!("{path}/execution"), &serde_json::json!({})).expect(200);
    let keys = service.anonymous().get(PATH).expect(200);
    let keys = KeySet::parse(&keys.to_string()).unwrap();
    let trail = ann.get(&format!("{path}/events")).expect(200);
    let digest = parameters_digest(&started["parameters"]);
    let expected = Expected {
        issuer: trail["items"][0]["origin"].as_str().unwrap(),
        audience: "client",
        // Where every manual clock begins.
        now: 1_767_225_600,
        parameters_digest: Some(&digest),
    };
    let claims = verify(started["permit"].as_str().unwrap(), &keys, &expected).unwrap();
    assert_eq!(claims.sub, started["request_id"].as_str().unwrap());
    assert_eq!(claims.jti, started["execution_id"].as_str().unwrap());
    assert_eq!(claims.exp, claims.iat + 900);
}
