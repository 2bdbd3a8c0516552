//! Permits that are refused, and why.

use super::*;
use crate::claims::tests::claims;
use crate::compact::MAX_PERMIT_BYTES;
use crate::key::{KeyStatus, PrivateKey, PublicKey};
use crate::{SigningInput, parameters_digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

fn private() -> PrivateKey {
    PrivateKey::from_bytes(&[7; 32]).unwrap()
}

fn public() -> PublicKey {
    private().public(Purpose::Permit, KeyStatus::Current)
}

fn keys() -> KeySet {
    KeySet::new(vec![public()])
}

fn permit_of(claims: Claims) -> String {
    let input = SigningInput::new(public().key_id(), claims);
    let signature = private().sign(input.as_bytes());
    input.with_signature(&signature)
}

/// What the service's key has signed, whatever it is.
fn signed(header: &str, claims: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = private().sign(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn header() -> Value {
    json!({"alg": "ES256", "typ": "countersign-permit+jwt", "kid": public().key_id()})
}

fn with_header(member: &str, value: Value) -> String {
    let mut header = header();
    header[member] = value;
    signed(&header.to_string(), &serde_json::to_string(&claims()).unwrap())
}

fn with_claim(member: &str, value: Value) -> String {
    let mut claims = serde_json::to_value(claims()).unwrap();
    claims[member] = value;
    signed(&header().to_string(), &claims.to_string())
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: "https://approvals.example.com",
        audience: "rds",
        now: 1_767_225_660,
        parameters_digest: None,
    }
}

fn refused(permit: &str) -> PermitError {
    verify(permit, &keys(), &expected()).unwrap_err()
}

#[test]
fn a_permit_is_verified_by_the_published_keys_alone() {
    let published = KeySet::parse(&keys().to_json().to_string()).unwrap();
    let digest = parameters_digest(&json!({"target": "db.r6g.xlarge"}));
    let expected = Expected { parameters_digest: Some(&digest), ..expected() };
    assert_eq!(verify(&permit_of(claims()), &published, &expected), Ok(claims()));
}

#[test]
fn a_changed_byte_at_any_position_is_refused() {
    let permit = permit_of(claims());
    for at in 0..permit.len() {
        let (before, after) = permit.split_at(at);
        let after = after.split_at(1).1;
        let letter = if permit.as_bytes()[at] == b'A' { "B" } else { "A" };
        for byte in [letter, ".", "=", "\n", "é"] {
            let changed = format!("{before}{byte}{after}");
            if changed != permit {
                refused(&changed);
            }
        }
        refused(&format!("{before}{after}"));
        refused(before);
    }
    for more in ["A", "=", ".", "\n", " ", ".A"] {
        refused(&format!("{permit}{more}"));
        refused(&format!("{more}{permit}"));
    }
}

/// The last letter of a signature stands for two bits: four letters would be read as the same bytes.
#[test]
fn a_signature_has_one_spelling() {
    let permit = permit_of(claims());
    let (start, last) = permit.split_at(permit.len() - 1);
    let is_good = |letter: &char| verify(&format!("{start}{letter}"), &keys(), &expected()).is_ok();
    let letters: Vec<_> = ('!'..='~').filter(is_good).collect();
    assert_eq!(letters, [last.chars().next().unwrap()]);
}

#[test]
fn another_type_is_refused() {
    for typ in [
        "JWT",
        "countersign-evidence+jwt",
        "application/countersign-permit+jwt",
        "COUNTERSIGN-PERMIT+JWT",
        "",
    ] {
        assert_eq!(refused(&with_header("typ", typ.into())), PermitError::Type, "{typ}");
    }
}

#[test]
fn another_algorithm_is_refused() {
    for alg in ["none", "None", "", "HS256", "ES384", "ES256K", "RS256", "EdDSA", "es256"] {
        assert_eq!(refused(&with_header("alg", alg.into())), PermitError::Algorithm, "{alg}");
    }
    // Without a signature, and with one of the length that HS256 and ES384 have.
    for (alg, bytes) in [("none", 0), ("HS256", 32), ("ES384", 96)] {
        let permit = with_header("alg", alg.into());
        let (signed, _) = permit.rsplit_once('.').unwrap();
        let permit = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(vec![1; bytes]));
        assert_eq!(refused(&permit), PermitError::Algorithm, "{alg}");
    }
}

/// An HMAC with the public key as its secret is no signature, whatever the header says.
#[test]
fn the_public_key_is_no_secret() {
    use sha2::{Digest as _, Sha256};
    let hmac = |key: &[u8], message: &[u8]| {
        let mut block = [0; 64];
        let key = if key.len() > 64 { Sha256::digest(key).to_vec() } else { key.to_vec() };
        block[..key.len()].copy_from_slice(&key);
        let inner = Sha256::digest([&block.map(|byte| byte ^ 0x36), message].concat());
        Sha256::digest([block.map(|byte| byte ^ 0x5c).as_slice(), &inner].concat())
    };
    for alg in ["HS256", "ES256"] {
        let permit = with_header("alg", alg.into());
        let (signed, _) = permit.rsplit_once('.').unwrap();
        let mac = hmac(&public().to_sec1(), signed.as_bytes());
        let error = refused(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac)));
        let expected = if alg == "HS256" { PermitError::Algorithm } else { PermitError::Signature };
        assert_eq!(error, expected, "{alg}");
    }
}

#[test]
fn a_header_with_more_or_less_is_refused() {
    let jwk = keys().to_json()["keys"][0].clone();
    for (member, value) in [
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("jku", json!("https://evil.example.com/jwks.json")),
        ("jwk", jwk),
        ("x5u", json!("https://evil.example.com/key.pem")),
        ("x5c", json!([])),
        ("cty", json!("JWT")),
        ("alg", Value::Null),
        ("typ", json!(1)),
        ("kid", json!(["a"])),
    ] {
        let error = refused(&with_header(member, value));
        assert!(matches!(error, PermitError::Malformed(_)), "{member}: {error}");
    }
    let claims = serde_json::to_string(&claims()).unwrap();
    let kid = public().key_id().to_owned();
    for header in [
        format!(r#"{{"alg":"none","alg":"ES256","typ":"countersign-permit+jwt","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"ES256","\u0061lg":"ES256","typ":"countersign-permit+jwt","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"ES256","typ":"countersign-permit+jwt","kid":"{kid}"}}x"#),
        r#"{"alg":"ES256","typ":"countersign-permit+jwt"}"#.to_owned(),
        "[]".to_owned(),
        String::new(),
    ] {
        let error = refused(&signed(&header, &claims));
        assert!(matches!(error, PermitError::Malformed(_)), "{header}: {error}");
    }
}

#[test]
fn what_is_too_long_or_has_other_parts_is_refused() {
    for text in ["", ".", "..", "a.b", "....", "e30.e30.e30", "é.é.é"] {
        assert!(matches!(refused(text), PermitError::Malformed(_)), "{text}");
    }
    let long = permit_of(Claims { instance_id: "x".repeat(MAX_PERMIT_BYTES), ..claims() });
    assert_eq!(refused(&long), PermitError::Malformed("it is too long"));
    let long = permit_of(Claims { instance_id: "x".repeat(10_000), ..claims() });
    assert!(verify(&long, &keys(), &expected()).is_ok());
}

#[test]
fn another_key_is_refused() {
    let other = PrivateKey::from_bytes(&[8; 32]).unwrap();
    let other_keys = KeySet::new(vec![other.public(Purpose::Permit, KeyStatus::Current)]);
    assert_eq!(verify(&permit_of(claims()), &other_keys, &expected()), Err(PermitError::UnknownKey));
    assert_eq!(verify(&permit_of(claims()), &KeySet::default(), &expected()), Err(PermitError::UnknownKey));
    let input = SigningInput::new(public().key_id(), claims());
    let signature = other.sign(input.as_bytes());
    assert_eq!(refused(&input.with_signature(&signature)), PermitError::Signature);
}

#[test]
fn a_key_of_another_purpose_verifies_nothing() {
    for purpose in [Purpose::Evidence, Purpose::Log] {
        let key = private().public(purpose, KeyStatus::Current);
        for keys in [vec![key.clone()], vec![public(), key.clone()], vec![key.clone(), public()]] {
            let refused = verify(&permit_of(claims()), &KeySet::new(keys), &expected());
            assert_eq!(refused, Err(PermitError::Purpose), "{purpose}");
        }
    }
}

#[test]
fn a_key_verifies_before_and_after_its_time() {
    for status in [KeyStatus::Next, KeyStatus::Current, KeyStatus::Past] {
        let keys = KeySet::new(vec![private().public(Purpose::Permit, status)]);
        assert!(verify(&permit_of(claims()), &keys, &expected()).is_ok(), "{status}");
    }
}

#[test]
fn another_issuer_or_audience_is_refused() {
    let verified = |expected| verify(&permit_of(claims()), &keys(), &expected).map(|_| ());
    for issuer in ["https://approvals.example.com/", "http://approvals.example.com", ""] {
        assert_eq!(verified(Expected { issuer, ..expected() }), Err(PermitError::Issuer), "{issuer}");
    }
    for audience in ["client", "RDS", "rds ", ""] {
        assert_eq!(verified(Expected { audience, ..expected() }), Err(PermitError::Audience), "{audience}");
    }
}

#[test]
fn an_old_one_and_one_from_the_future_are_refused() {
    let verified = |now| verify(&permit_of(claims()), &keys(), &Expected { now, ..expected() }).map(|_| ());
    assert_eq!(verified(claims().exp - 1), Ok(()));
    assert_eq!(verified(claims().exp), Err(PermitError::Expired));
    assert_eq!(verified(u64::MAX), Err(PermitError::Expired));
    assert_eq!(verified(claims().iat - MAX_CLOCK_LEAD_SECONDS), Ok(()));
    assert_eq!(verified(claims().iat - MAX_CLOCK_LEAD_SECONDS - 1), Err(PermitError::NotYetValid));
    assert_eq!(verified(0), Err(PermitError::NotYetValid));
}

#[test]
fn other_parameters_are_refused() {
    for parameters in [json!({"target": "db.r6g.large"}), json!({}), json!(null)] {
        let digest = parameters_digest(&parameters);
        let expected = Expected { parameters_digest: Some(&digest), ..expected() };
        assert_eq!(verify(&permit_of(claims()), &keys(), &expected), Err(PermitError::Parameters));
    }
    let expected = Expected { parameters_digest: Some(""), ..expected() };
    assert_eq!(verify(&permit_of(claims()), &keys(), &expected), Err(PermitError::Parameters));
}

#[test]
fn claims_that_no_service_makes_are_refused() {
    for (member, value) in [
        ("sub", json!("../../etc")),
        ("jti", json!("0193AAAA-0000-7000-8000-000000000001")),
        ("jti", json!("0193aaaa0000700080000000000000010000")),
        ("exp", json!(1.5)),
        ("exp", json!(-1)),
        ("exp", json!("1767226500")),
        ("iat", Value::Null),
        ("aud", json!(["rds"])),
        ("approved_by", json!("bob@example.com")),
    ] {
        let error = refused(&with_claim(member, value));
        assert!(matches!(error, PermitError::Malformed(_)), "{member}: {error}");
    }
    let text = serde_json::to_string(&claims()).unwrap();
    let twice = text.replacen('{', r#"{"aud":"client","#, 1);
    for claims in [twice.as_str(), "{}", "[]", "", r#"{"iss":"#] {
        let error = refused(&signed(&header().to_string(), claims));
        assert!(matches!(error, PermitError::Malformed(_)), "{claims}: {error}");
    }
    assert_eq!(verify(&with_claim("new", json!({"a": 1})), &keys(), &expected()), Ok(claims()));
}

/// Claims are read after the signature: nothing is said of those that the service has not signed.
#[test]
fn the_first_reason_is_the_answer() {
    let other = KeySet::default();
    let old = Expected { issuer: "x", audience: "x", now: u64::MAX, parameters_digest: Some("x") };
    let permit = permit_of(claims());
    assert_eq!(verify(&with_header("typ", "JWT".into()), &other, &old), Err(PermitError::Type));
    assert_eq!(verify(&permit, &other, &old), Err(PermitError::UnknownKey));
    assert_eq!(verify(&permit, &keys(), &old), Err(PermitError::Issuer));
    let old = Expected { issuer: expected().issuer, ..old };
    assert_eq!(verify(&permit, &keys(), &old), Err(PermitError::Audience));
    let old = Expected { audience: "rds", ..old };
    assert_eq!(verify(&permit, &keys(), &old), Err(PermitError::Expired));
    let now = Expected { now: expected().now, ..old };
    assert_eq!(verify(&permit, &keys(), &now), Err(PermitError::Parameters));
    let unsigned = with_claim("sub", json!("x"));
    let (unsigned, _) = unsigned.rsplit_once('.').unwrap();
    let unsigned = format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode([1; 64]));
    assert_eq!(refused(&unsigned), PermitError::Signature);
}
