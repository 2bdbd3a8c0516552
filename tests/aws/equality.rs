//! The same requests through the gateway and to `countersign serve` have the same answers.

use countersign_api::operation::Operation;
use countersign_core::caller::Channel;
use countersign_e2e::functions::Functions;
use countersign_e2e::gateway::{self, Request};
use countersign_e2e::grants::{granted, root};
use countersign_e2e::service::Service;
use countersign_e2e::signature::{ISSUER_JWKS, issuer_token};
use countersign_notifications::configuration::Configuration;
use countersign_policy::load;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use strum::IntoEnumIterator;

/// Headers that belong to the connection, not to the answer.
const OF_THE_CONNECTION: [&str; 4] = ["date", "content-length", "connection", "transfer-encoding"];

/// Who hears of what, in both.
const NOTIFICATIONS: &str = r#"
[destinations.dm]
kind = "slack_bot"
token = "env:BOT"
[groups.approver]
members = ["bob@example.com", "carol@example.com"]
[routes.approvals]
to = ["approvers"]
via = ["dm"]
[defaults]
channels = ["dm"]
"#;

/// Replaces `{label.member}` by a member of an answer that was kept.
fn filled(text: &str, kept: &BTreeMap<String, Value>) -> String {
    let mut text = text.to_owned();
    for (label, answer) in kept {
        while let Some(begin) = text.find(&format!("{{{label}.")) {
            let end = begin + text.get(begin..).and_then(|rest| rest.find('}')).unwrap();
            let path = text.get(begin + label.len() + 2..end).unwrap().replace('.', "/");
            let value =
                answer.pointer(&format!("/{path}")).unwrap_or_else(|| panic!("{label}: {path}: {answer}"));
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.replace_range(begin..=end, &value);
        }
    }
    text
}

fn text(line: &Value, name: &str) -> String {
    line[name].as_str().unwrap_or_default().to_owned()
}

fn body(line: &Value, kept: &BTreeMap<String, Value>) -> Vec<u8> {
    if let Some(repeat) = line["raw_repeat"].as_array() {
        let part = |index: usize| repeat[index].as_str().unwrap();
        let count = usize::try_from(repeat[2].as_u64().unwrap()).unwrap();
        return format!("{}{}{}", part(0), part(1).repeat(count), part(3)).into_bytes();
    }
    if let Some(hex) = line["raw_hex"].as_str() {
        return hex::decode(hex).unwrap();
    }
    if let Some(raw) = line["raw"].as_str() {
        return filled(raw, kept).into_bytes();
    }
    line.get("body").map(|body| filled(&body.to_string(), kept).into_bytes()).unwrap_or_default()
}

/// The claims of the sender of a line, if they have a token.
fn claims(line: &Value) -> Option<Map<String, Value>> {
    let name = line["as"].as_str()?;
    let groups = |names: &str| names.split(',').map(str::to_owned).collect::<Vec<_>>();
    let parts: Vec<_> = name.split(':').collect();
    let claims = match parts.as_slice() {
        ["service", subject, names] => {
            json!({ "sub": subject, "client_id": subject, "groups": groups(names) })
        }
        [person, names] => json!({
            "sub": person,
            "email": format!("{person}@example.com"),
            "email_verified": true,
            "groups": groups(names),
        }),
        _ => panic!("who is {name}?"),
    };
    claims.as_object().cloned()
}

#[test]
fn a_function_answers_as_the_program_does() {
    let mut service = Service::start_as(Channel::Api);
    let mut functions = Functions::start(&[
        ("OIDC_ISSUER", "countersign"),
        ("OIDC_AUDIENCE", "countersign"),
        ("JWKS", ISSUER_JWKS),
    ]);
    let policy = load::bundled().unwrap();
    let notifications = Configuration::parse(NOTIFICATIONS, policy.people().groups()).unwrap();
    functions.notify_by(&Arc::new(notifications));
    service.notify_by_text(NOTIFICATIONS);
    let recorded = std::fs::read_to_string(root().join("tests/aws/requests.jsonl")).unwrap();
    let mut kept = BTreeMap::new();
    let (mut count, mut codes, mut called) = (0, BTreeSet::new(), BTreeSet::new());
    for (number, line) in recorded.lines().enumerate() {
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("line {}: {error}", number + 1));
        let context = format!("line {}: {} {}", number + 1, line["method"], line["path"]);
        if let Some(seconds) = line["advance_seconds"].as_i64() {
            service.host.advance_milliseconds(seconds * 1000);
            functions.host.advance_milliseconds(seconds * 1000);
        }
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in line["headers"].as_object().into_iter().flatten() {
            headers.insert(name.clone(), filled(value.as_str().unwrap(), &kept));
        }
        if let Some(authorization) = line["as"]["authorization"].as_str() {
            headers.insert("authorization".to_owned(), authorization.to_owned());
        }
        let claims = claims(&line).map(|claims| {
            let token = service.token_of(&Value::Object(claims));
            headers.insert("authorization".to_owned(), format!("Bearer {token}"));
            service.claims_of(&token)
        });
        let request = Request {
            method: text(&line, "method"),
            path: filled(&text(&line, "path"), &kept),
            query: filled(&text(&line, "query"), &kept),
            headers,
            body: body(&line, &kept),
        };

        let separator = if request.query.is_empty() { "" } else { "?" };
        let target = format!("{}{separator}{}", request.path, request.query);
        let sent: Vec<_> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let served = service.anonymous().send(&request.method, &target, &sent, &request.body).unwrap();
        // The same claims, signed by the issuer of the functions.
        let mut request = request;
        if let Some(claims) = &claims {
            let token = issuer_token(&Value::Object(claims.clone()));
            request.headers.insert("authorization".to_owned(), format!("Bearer {token}"));
        }
        let answered = functions.send(&request, claims.as_ref());

        assert_eq!(answered["statusCode"], served.status, "{context}: {answered} {}", served.body);
        if let Some(expected) = line["status"].as_u64() {
            assert_eq!(u64::from(served.status), expected, "{context}: {}", served.body);
        }
        // An answer without a body is none.
        let answer: Value = serde_json::from_str(answered["body"].as_str().unwrap()).unwrap_or_default();
        assert_eq!(answer, served.body, "{context}");
        let mut headers = served.headers.clone();
        headers.retain(|name, _| !OF_THE_CONNECTION.contains(&name.as_str()));
        assert_eq!(answered["headers"], json!(headers), "{context}");

        count += 1;
        called.insert(gateway::matched(&request.method, &request.path).slug);
        codes.extend(served.body["code"].as_str().map(str::to_owned));
        if let Some(label) = line["save"].as_str() {
            kept.insert(label.to_owned(), served.body);
        }
    }
    assert!(count >= 200, "{count} requests");
    assert_eq!(called, Operation::iter().map(Operation::slug).collect(), "every operation is called");
    assert!(codes.len() >= 18, "{codes:?}");

    // Not only the answers are equal, but all that was written.
    let mut stored = functions.block_on(countersign_e2e::inspection::snapshot(&functions.database));
    // The program counts calls of strangers in memory until it writes the count down.
    stored.retain(|item| !item.contains("/system:unauthenticated"));
    assert_eq!(stored, service.snapshot());
    // Each function did with its own permissions, and needed all that are for requests it can get.
    for (name, transport) in &functions.grants {
        assert_eq!(transport.denied(), Vec::<String>::new(), "{name}");
        assert!(transport.used().keys().all(|resource| granted(name).contains_key(resource)));
    }
}
