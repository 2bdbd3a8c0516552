//! The dashboard beside the API: pages and routes keep apart, and what a visitor does is what the API's caller would have done.
//! What pages show is tested in `crates/dashboard`.

use countersign_e2e::browser::{Browser, asks_to_sign_in, encoded, hidden};
use countersign_e2e::service::Service;
use serde_json::json;

#[test]
fn an_approver_decides_in_a_browser_what_the_page_has_shown() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let id = Service::id(&path);
    let mut bob = Browser::signed_in(&service, "bob", &["approver"]);
    let inbox = bob.get("/inbox");
    assert_eq!(inbox.status, 200);
    assert!(inbox.text.contains(&format!("/approvals/{id}")), "{}", inbox.text);
    let page = bob.get(&format!("/approvals/{id}"));
    let action = format!("/approvals/{id}/approve");
    // Something happens meanwhile: nothing is decided, and the page says so.
    ann.post(&format!("{path}/comments"), &json!({ "text": "one moment" })).expect(200);
    let comment = [("comment", "fine")];
    let stale = service.untouched(|| bob.submit(&page.text, &action, &comment));
    assert!(stale.text.contains("There is a problem"), "{}", stale.text);
    let page = bob.get(&format!("/approvals/{id}"));
    let done = bob.submit(&page.text, &action, &comment);
    assert_eq!(done.status, 303, "{}", done.text);
    let request = ann.get(&path).expect(200);
    assert_eq!(
        (&request["status"], &request["approved_by"]),
        (&json!("approved"), &json!(["bob@example.com"]))
    );
    assert_eq!(request["decisions"][0]["digest_presented"], true);
    // A second click finds what the first did.
    service.untouched(|| bob.submit(&page.text, &action, &comment));
    let events = ann.get(&format!("{path}/events")).expect(200);
    let granted =
        events["items"].as_array().unwrap().iter().find(|event| event["event_type"] == "APPROVAL_GRANTED");
    let granted = granted.unwrap();
    assert_eq!((&granted["source_ip"], &granted["channel"]), (&json!("127.0.0.1"), &json!("dashboard")));
}

#[test]
fn an_approver_takes_the_approval_back_in_a_browser_and_insights_count_it() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let id = Service::id(&path);
    service.host.advance_milliseconds(60 * 60 * 1000);
    Service::approve(&service.approver("bob"), &path).expect(200);
    let mut bob = Browser::signed_in(&service, "bob", &["approver"]);
    let page = bob.get(&format!("/approvals/{id}"));
    let action = format!("/approvals/{id}/withdraw");
    let mut fields = hidden(&page.text, &action);
    fields.push(("withdraw_reason".to_owned(), "too early".to_owned()));
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for _ in 0..2 {
        let done = bob.post(&action, &fields);
        assert_eq!(done.status, 303, "{}", done.text);
    }
    let request = ann.get(&path).expect(200);
    assert_eq!((&request["status"], &request["approved_by"]), (&json!("pending"), &json!([])));
    assert_eq!(request["withdrawals"].as_array().unwrap().len(), 1, "a form counts once");
    let page = bob.get(&format!("/approvals/{id}"));
    assert!(page.text.contains("too early") && !page.text.contains(&action), "{}", page.text);
    service.seal().unwrap();
    service.fold().unwrap();
    let mut auditor = Browser::signed_in(&service, "aud", &["auditor"]);
    let page = auditor.get("/insights?from=2026-01-01&to=2026-01-31").text;
    for shown in [
        ">Slowest approvers (mean, hours)</h2>",
        "<bdi>bob@example.com</bdi></th><td>1</td><td>1</td>",
        "An estimated cost was named by 0 of 1 requests",
    ] {
        assert!(page.contains(shown), "no {shown} in {page}");
    }
}

#[test]
fn the_api_looks_at_no_cookie_and_pages_at_no_token() {
    let service = Service::start();
    let mut bob = Browser::signed_in(&service, "bob", &["approver"]);
    assert_eq!(bob.get("/v1/approvals").status, 401);
    assert_eq!(bob.post("/v1/approvals", &[("operation_type", "reboot")]).status, 401);
    let token = format!("Bearer {}", service.token("bob@example.com", &["approver"]));
    let mut stranger = Browser::new(&service);
    let page = stranger.send("GET", "/inbox", &[("authorization", &token)], "");
    assert!(asks_to_sign_in(&page), "{}: {}", page.status, page.text);
    // What is no page stays the API's, but for browsers.
    service.anonymous().get("/nothing").expect_problem(404, "route_not_found");
    service.anonymous().get("/v1/nothing").expect_problem(404, "route_not_found");
    let nothing = bob.get("/nothing");
    assert!(nothing.status == 404 && nothing.text.contains("<html"), "{}: {}", nothing.status, nothing.text);
    assert!(asks_to_sign_in(&stranger.get("/nothing")));
    service.requester("ann").get("/approvals").expect_problem(405, "method_not_allowed");
}

#[test]
fn no_form_of_another_site_and_no_other_host_is_answered() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    let id = Service::id(&path);
    let mut bob = Browser::signed_in(&service, "bob", &["approver"]);
    let page = bob.get(&format!("/approvals/{id}"));
    let action = format!("/approvals/{id}/approve");
    let fields = hidden(&page.text, &action);
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = encoded(&fields);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let own = service.base().to_owned();
    service.untouched(|| {
        for origin in ["null", "https://evil.example", "http://127.0.0.1:1"] {
            assert_eq!(bob.send("POST", &action, &[("origin", origin), form], &body).status, 403, "{origin}");
        }
        assert_eq!(bob.send("POST", &action, &[form], &body).status, 403);
        let cross = [("origin", own.as_str()), ("sec-fetch-site", "cross-site"), form];
        assert_eq!(bob.send("POST", &action, &cross, &body).status, 403);
        assert_eq!(bob.send("POST", &action, &[("origin", &own), form], "csrf=x&ticket=y").status, 403);
        let get = bob.get("/inbox");
        let policy = get.headers["content-security-policy"].clone();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(get.headers["cache-control"], "no-store");
    });
    let mut carol = Browser::signed_in(&service, "carol", &["approver"]);
    service.untouched(|| assert_ne!(carol.post(&action, &fields).status, 303, "another's ticket"));
}

#[test]
fn a_command_signs_a_browser_in_by_a_code_once() {
    let service = Service::start();
    let bob = service.approver("bob");
    let made = bob.send("POST", "/v1/sign-in-codes", &[], b"").unwrap();
    assert_eq!((made.status, made.headers["cache-control"].as_str()), (201, "no-store"));
    let url: serde_json::Value = serde_json::from_str(&made.text).unwrap();
    let path = url["url"].as_str().unwrap().strip_prefix(service.base()).unwrap().to_owned();
    let code = path.split("code=").nth(1).unwrap().to_owned();
    let mut browser = Browser::new(&service);
    let page = browser.get(&path);
    assert!(page.text.contains("bob@example.com"), "it names the person: {}", page.text);
    assert!(browser.cookies.is_empty(), "a GET begins no session");
    let signed_in = browser.post("/sign-in/code", &[("code", &code)]);
    assert_eq!(signed_in.status, 303, "{}", signed_in.text);
    assert!(browser.get("/inbox").text.contains("bob@example.com"));
    let mut second = Browser::new(&service);
    assert_eq!(second.post("/sign-in/code", &[("code", &code)]).status, 403);
    service
        .anonymous()
        .send("POST", "/v1/sign-in-codes", &[], b"")
        .unwrap()
        .expect_problem(401, "unauthenticated");
    // Signed out is signed out, also for who comes back.
    let page = browser.get("/inbox");
    let fields = hidden(&page.text, "/sign-out");
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post("/sign-out", &fields);
    assert!(asks_to_sign_in(&browser.get("/inbox")));
}

/// Every page, twice: nothing is written.
#[test]
fn no_page_has_an_effect() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let id = Service::id(&path).to_owned();
    let mut root = Browser::signed_in(&service, "root", &["admin", "developer", "approver"]);
    let request = format!("/approvals/{id}");
    let review = format!("/review?id={id}");
    let pages = [
        "/inbox",
        "/inbox?view=all",
        &request,
        &review,
        "/requests",
        "/requests/new",
        "/instances",
        "/instances?id=production-db-01",
        "/history",
        "/history.csv",
        "/settings",
        "/nothing",
    ];
    service.untouched(|| {
        for page in pages.into_iter().chain(pages) {
            let answer = root.get(page);
            let status = if page == "/nothing" { 404 } else { 200 };
            assert_eq!(answer.status, status, "{page}: {}", answer.text);
        }
    });
}
