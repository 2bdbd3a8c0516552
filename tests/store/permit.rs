//! Permits as docs/permit.md describes them, verified by a program in another language that knows that page and the
//! published keys only: `tests/readers/permit.py`, with joserfc.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_e2e::grants::root;
use countersign_e2e::moto;
use countersign_permit::{
    Claims, Expected, KeySet, KeyStatus, PrivateKey, Purpose, SigningInput, parameters_digest, verify,
};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

const ISSUER: &str = "https://approvals.example.com";
const NOW: u64 = 1_767_225_660;

fn key(byte: u8) -> PrivateKey {
    PrivateKey::from_bytes(&[byte; 32]).unwrap()
}

fn keys() -> KeySet {
    KeySet::new(vec![
        key(1).public(Purpose::Permit, KeyStatus::Next),
        key(2).public(Purpose::Permit, KeyStatus::Current),
        key(3).public(Purpose::Permit, KeyStatus::Past),
        key(4).public(Purpose::Evidence, KeyStatus::Current),
        key(5).public(Purpose::Log, KeyStatus::Current),
    ])
}

fn parameters() -> Value {
    json!({"target": "db.r6g.xlarge", "apply": true, "size": 100, "note": "Zur\u{fc}ck \u{1f600} \"quoted\" \\ /"})
}

fn claims() -> Claims {
    let text = |text: &str| text.to_owned();
    Claims {
        iss: text(ISSUER),
        aud: text("rds"),
        sub: text("01930000-0000-7000-8000-0000000000aa"),
        jti: text("0193aaaa-0000-7000-8000-000000000001"),
        iat: NOW - 60,
        exp: NOW + 840,
        operation_type: text("modify_instance_class"),
        instance_id: text("production-db-01"),
        environment: text("production"),
        risk_level: text("high"),
        content_digest: parameters_digest(&json!(1)),
        parameters_digest: parameters_digest(&parameters()),
        target_digest: None,
        policy_version: text("p1"),
        requested_by: text("ann@example.com"),
        started_by: text("ann@example.com"),
        audit_head: parameters_digest(&json!(2)),
        approved_by: Some(vec![text("bob@example.com"), text("\u{e9}@example.com")]),
    }
}

/// A permit of these claims, by the key of this byte.
fn permit(byte: u8, claims: Claims) -> String {
    let key = key(byte);
    let input = SigningInput::new(key.public(Purpose::Permit, KeyStatus::Current).key_id(), claims);
    let signature = key.sign(input.as_bytes());
    input.with_signature(&signature)
}

/// The same with another header.
fn with_header(byte: u8, member: &str, value: Value) -> String {
    let public = key(byte).public(Purpose::Permit, KeyStatus::Current);
    let mut header = json!({"alg": "ES256", "typ": "countersign-permit+jwt", "kid": public.key_id()});
    header[member] = value;
    let claims = serde_json::to_string(&claims()).unwrap();
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
    let signature = key(byte).sign(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

struct Case {
    name: String,
    permit: String,
    audience: &'static str,
    now: u64,
    parameters: Value,
}

fn case(name: impl Into<String>, permit: String) -> Case {
    Case { name: name.into(), permit, audience: "rds", now: NOW, parameters: parameters() }
}

fn cases() -> Vec<Case> {
    let good = permit(2, claims());
    let mut cases = vec![
        case("by the current key", good.clone()),
        case("by the next key", permit(1, claims())),
        case("by a past key", permit(3, claims())),
        case("without what is not known", permit(2, Claims { approved_by: None, ..claims() })),
        case("by a key for evidence", permit(4, claims())),
        case("by a key for the log", permit(5, claims())),
        case("by a key that is not published", permit(6, claims())),
        case(
            "of another issuer",
            permit(2, Claims { iss: "https://evil.example.com".to_owned(), ..claims() }),
        ),
        Case { audience: "client", ..case("for another audience", good.clone()) },
        Case { now: NOW + 841, ..case("an old one", good.clone()) },
        Case { now: NOW - 3600, ..case("one from the future", good.clone()) },
        Case { parameters: json!({"target": "db.r6g.large"}), ..case("other parameters", good.clone()) },
        case("another type", with_header(2, "typ", json!("JWT"))),
        case("no algorithm", with_header(2, "alg", json!("none"))),
        case("a secret's algorithm", with_header(2, "alg", json!("HS256"))),
        case("a larger curve's algorithm", with_header(2, "alg", json!("ES384"))),
        case("a critical header", with_header(2, "crit", json!(["b64"]))),
        case("a key of its own", with_header(2, "jwk", keys().to_json()["keys"][1].clone())),
        case("nothing", String::new()),
    ];
    // The last letter holds bits that no byte has: other readers need not look at them.
    for at in (0..good.len() - 1).step_by(7) {
        let (before, after) = good.split_at(at);
        let (letter, after) = after.split_at(1);
        let other = if letter == "A" { "B" } else { "A" };
        cases.push(case(format!("changed at {at}"), format!("{before}{other}{after}")));
    }
    cases
}

#[test]
fn another_language_agrees_which_permits_are_good() {
    let cases = cases();
    let jwks = keys().to_json();
    let input: Vec<_> = cases
        .iter()
        .map(|case| {
            json!({
                "permit": case.permit, "jwks": jwks, "issuer": ISSUER, "audience": case.audience, "now": case.now,
                "parameters": case.parameters,
            })
        })
        .collect();
    let mut program = Command::new(moto::python())
        .arg(root().join("tests/readers/permit.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    program.stdin.take().unwrap().write_all(json!(input).to_string().as_bytes()).unwrap();
    let output = program.wait_with_output().unwrap();
    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), cases.len());
    let published = KeySet::parse(&jwks.to_string()).unwrap();
    for (case, answer) in cases.iter().zip(&answers) {
        let digest = parameters_digest(&case.parameters);
        let expected = Expected {
            issuer: ISSUER,
            audience: case.audience,
            now: case.now,
            parameters_digest: Some(&digest),
        };
        let ours = verify(&case.permit, &published, &expected);
        let theirs = answer.get("claims").cloned();
        let said = ours.as_ref().ok().map(|claims| serde_json::to_value(claims).unwrap());
        assert_eq!(said, theirs, "{}: {ours:?}, {answer}", case.name);
    }
    assert_eq!(answers.iter().filter(|answer| answer.get("claims").is_some()).count(), 4);
}
