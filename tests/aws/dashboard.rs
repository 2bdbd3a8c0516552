//! The dashboard as a function: what a visitor does in a browser is what the API records, with the visitor's address and the
//! channel of the dashboard, and no other caller can say that of themselves.

use crate::binary;
use countersign_e2e::browser::{Browser, asks_to_sign_in};
use countersign_e2e::deployment::Deployment;
use countersign_e2e::issuer::{CLIENT, Issuer};
use countersign_e2e::service::Service;
use countersign_e2e::signature::{ISSUER_JWKS, issuer_token};
use countersign_e2e::website::{ORIGIN, VISITOR, Website, page_event};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

const FAR: u64 = 4_102_444_800;

fn claims(name: &str, group: &str) -> Value {
    json!({
        "iss": "https://issuer.example", "aud": "countersign", "sub": name, "exp": FAR,
        "email": format!("{name}@example.com"), "email_verified": true, "cognito:groups": [group],
    })
}

fn browser<'a>(website: &'a Website<'_>) -> Browser<'a> {
    Browser::with(ORIGIN, |method, target, headers, body| website.send(method, target, headers, body))
}

fn created(deployment: &Deployment) -> String {
    let (status, request) =
        deployment.send("ann", &["developer"], "POST", "/v1/approvals", &Service::medium());
    assert_eq!(status, 201, "{request}");
    request["request_id"].as_str().unwrap().to_owned()
}

fn granted(deployment: &Deployment, id: &str) -> Value {
    let path = format!("/v1/approvals/{id}/events");
    let (status, events) = deployment.send("eve", &["auditor"], "GET", &path, &Value::Null);
    assert_eq!(status, 200, "{events}");
    let mut events = events["items"].as_array().unwrap().iter();
    events.find(|event| event["event_type"] == "APPROVAL_GRANTED").unwrap().clone()
}

#[test]
fn what_a_visitor_decides_is_recorded_with_the_visitors_address() {
    let deployment = Deployment::start(binary);
    let id = created(&deployment);
    let website = Website::start(&deployment, &binary("dashboard"), &[]);
    let mut bob = browser(&website);
    assert!(asks_to_sign_in(&bob.get("/inbox")));
    let page = bob.get("/sign-in");
    assert!(
        page.text.contains("name=\"token\"") && !page.text.contains("action=\"/login\""),
        "{}",
        page.text
    );
    let token = issuer_token(&claims("bob", "approver"));
    bob.sign_in(&token);
    let inbox = bob.get("/inbox");
    assert!(inbox.text.contains(&format!("/approvals/{id}")), "{}", inbox.text);
    let page = bob.get(&format!("/approvals/{id}"));
    let action = format!("/approvals/{id}/approve");
    let done = bob.submit(&page.text, &action, &[("comment", "fine")]);
    assert_eq!(done.status, 303, "{}", done.text);
    let event = granted(&deployment, &id);
    assert_eq!((&event["source_ip"], &event["channel"]), (&json!(VISITOR), &json!("dashboard")));
    assert_eq!(event["user"], "bob@example.com");
    // No page writes a token, a cookie or a text of a request down.
    let log = website.log();
    assert!(!log.contains(&token) && !log.contains("__Host-") && !log.contains("fine"), "{log}");

    // The event that a page's call was: replayed with any difference it is refused, and nothing is recorded.
    let event = website.events.borrow().iter().rfind(|event| event["rawPath"] == "/v1/me").unwrap().clone();
    let header = event["headers"]["countersign-visitor"].as_str().unwrap().to_owned();
    assert!(header.starts_with(&format!("v1;{VISITOR};")), "{header}");
    let status = |change: &dyn Fn(&mut Value)| {
        let mut event = event.clone();
        change(&mut event);
        deployment.send_event(&event)
    };
    assert_eq!(status(&|_| {}).0, 200);
    let forged = [
        header.replace(VISITOR, "198.51.100.7"),
        header.replace("v1;", "v2;"),
        format!("{header}0"),
        "v1".to_owned(),
        String::new(),
        format!("{header},{header}"),
    ];
    for forged in &forged {
        let (status, problem) = status(&|event| event["headers"]["countersign-visitor"] = json!(forged));
        assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")), "{forged}");
    }
    let elsewhere = status(&|event| {
        event["routeKey"] = json!("GET /v1/approvals");
        event["rawPath"] = json!("/v1/approvals");
        event["requestContext"]["http"]["path"] = json!("/v1/approvals");
    });
    assert_eq!(elsewhere.0, 401);
    let of_carol = issuer_token(&claims("carol", "approver"));
    let of_another = status(&|event| {
        event["headers"]["authorization"] = json!(format!("Bearer {of_carol}"));
        event["requestContext"]["authorizer"] = Value::Null;
    });
    assert_eq!(of_another.0, 401);
}

/// `docs/dashboard.md` says how the header is made, and `tests/readers/visitor.py` makes it from that page.
#[test]
fn another_language_makes_the_same_header() {
    let deployment = Deployment::start(binary);
    let website = Website::start(&deployment, &binary("dashboard"), &[]);
    let token = issuer_token(&claims("bob", "approver"));
    browser(&website).sign_in(&token);
    let event = website.events.borrow().first().unwrap().clone();
    let header = event["headers"]["countersign-visitor"].as_str().unwrap();
    let time: u64 = header.split(';').nth(2).unwrap().parse().unwrap();
    let call = json!({ "secret": "a key of a dashboard that is none, long enough", "address": VISITOR, "time": time,
        "method": "GET", "path": "/v1/me", "token": token });
    let reader = countersign_e2e::grants::root().join("tests/readers/visitor.py");
    let mut python =
        Command::new("python3").arg(reader).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(call.to_string().as_bytes()).unwrap();
    let made = String::from_utf8(python.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(made.trim(), header);
}

#[test]
fn people_sign_in_at_the_issuer_and_out_of_it() {
    let issuer = Issuer::start(ISSUER_JWKS);
    let deployment = Deployment::start(binary).with("OIDC_ISSUER", issuer.url());
    let secret = deployment.make_secret("client", CLIENT.1);
    let variables = [("OIDC_CLIENT_ID", CLIENT.0), ("OIDC_CLIENT_SECRET", secret.as_str())];
    let website = Website::start(&deployment, &binary("dashboard"), &variables);
    let mut bob = browser(&website);
    let page = bob.get("/sign-in?return=%2Fhistory");
    let policy = &page.headers["content-security-policy"];
    assert!(policy.ends_with(&format!("form-action 'self' {}", issuer.url())), "{policy}");
    let begun = bob.submit(&page.text, "/login", &[]);
    assert_eq!(begun.status, 303, "{}", begun.text);
    let back = issuer.sign_in(&begun.headers["location"], &claims("bob", "approver"));
    let back = back.strip_prefix(ORIGIN).unwrap();
    // Another browser has not asked for it.
    assert_eq!(browser(&website).get(back).status, 403);
    let signed_in = bob.get(back);
    assert_eq!((signed_in.status, signed_in.headers["location"].as_str()), (303, "/history"));
    let history = bob.get("/history");
    assert!(history.status == 200 && history.text.contains("bob@example.com"), "{}", history.text);
    let out = bob.submit(&history.text, "/sign-out", &[]);
    let end = &out.headers["location"];
    assert!(end.starts_with(&format!("{}/end?client_id=countersign&", issuer.url())), "{end}");
    assert!(end.contains("countersign.example.com%2Fsigned-out"), "{end}");
    assert_eq!(issuer.revoked().len(), 1);
    assert!(asks_to_sign_in(&bob.get("/history")));
}

#[test]
fn keys_are_replaced_while_people_are_signed_in() {
    let deployment = Deployment::start(binary);
    let token = issuer_token(&claims("bob", "approver"));
    let cookies = {
        let website = Website::start(&deployment, &binary("dashboard"), &[]);
        let mut bob = browser(&website);
        bob.sign_in(&token);
        bob.cookies.clone()
    };
    let before = Website::start(&deployment, &binary("dashboard"), &[]);
    assert_eq!(browser(&before).get("/sign-in").status, 200);
    for (round, expected) in [(1, 200), (2, 303)] {
        for key in ["COOKIE_KEY_SECRET", "VISITOR_KEY_SECRET"] {
            deployment.replace_secret(key, &format!("another key, the {round}. one, long enough as well"));
        }
        // Functions that have started before know the key before alone: it stays in use until they have read again.
        let website = Website::start(&deployment, &binary("dashboard"), &[]);
        let mut bob = browser(&website);
        bob.cookies.clone_from(&cookies);
        assert_eq!(bob.get("/inbox").status, expected, "{round}");
        if round == 1 {
            // What a sandbox seals that knows the new key, one that does not know it yet opens.
            let mut carol = browser(&website);
            carol.sign_in(&token);
            let mut elsewhere = browser(&before);
            elsewhere.cookies.clone_from(&carol.cookies);
            assert_eq!(elsewhere.get("/inbox").status, 200);
        }
    }
    let short = deployment.make_secret("short", "too short");
    let log = deployment.start_with("dashboard", "COOKIE_KEY_SECRET", &short);
    assert!(log.contains("at least 32 characters"), "{log}");
    let log = deployment.start_with("dashboard", "OIDC_CLIENT_ID", "another");
    assert!(log.contains("OIDC_CLIENT_ID must be among OIDC_AUDIENCE"), "{log}");
}

#[test]
fn a_dashboard_answers_pages_alone_and_starts_with_its_keys_alone() {
    let deployment = Deployment::start(binary);
    let website = Website::start(&deployment, &binary("dashboard"), &[]);
    let other_host = website.send("GET", "/inbox", &[("host", "elsewhere.example")], "");
    assert_eq!(other_host.status, 421);
    let style = website.send("GET", "/sign-in", &[], "");
    let style = style.text.split("href=\"").find(|rest| rest.starts_with("/assets/")).unwrap();
    let style = website.send("GET", style.split('"').next().unwrap(), &[], "");
    assert_eq!((style.status, style.headers["cache-control"].contains("immutable")), (200, true));
    let mut event = page_event("GET", "/inbox", &[], "");
    event["routeKey"] = json!("GET /v1/approvals");
    let dashboard = deployment.sandbox("dashboard");
    for payload in [event, json!({}), json!({ "request_id": "x" })] {
        assert_eq!(dashboard.invoke(&payload.to_string()).unwrap_err().0, "unsupported_event");
    }
    for missing in ["COOKIE_KEY_SECRET", "VISITOR_KEY_SECRET", "OIDC_ISSUER"] {
        let log = deployment.start_without("dashboard", missing);
        assert!(log.contains("does not start") && log.contains(missing), "{log}");
    }
    let log = deployment.start_with("dashboard", "COOKIE_KEY_SECRET", "none");
    assert!(log.contains("does not start") && log.contains("ResourceNotFoundException"), "{log}");
}
