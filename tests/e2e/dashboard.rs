//! The dashboard beside the API: pages and routes keep apart, and what a visitor does is what the API's caller would have done.
//! What pages show is tested in `crates/dashboard`.

use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use serde_json::json;

/// A browser of one visitor: it keeps cookies, and sends forms as a page of ours does.
struct Browser<'a> {
    service: &'a Service,
    client: Client,
    cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    fn new(service: &'a Service) -> Self {
        Self { service, client: service.anonymous(), cookies: Vec::new() }
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.headers.get("set-cookie").into_iter().flat_map(|all| all.split('\n')) {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut all = vec![("accept", "text/html"), ("cookie", cookies.as_str())];
        all.extend(headers);
        let answer = self.client.send(method, path, &all, body.as_bytes()).unwrap();
        self.keep(&answer);
        answer
    }

    fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = self.service.base().to_owned();
        let form = "application/x-www-form-urlencoded";
        self.send("POST", path, &[("origin", &origin), ("content-type", form)], &encoded(fields))
    }

    /// Signs in with a token that was pasted.
    fn signed_in(service: &'a Service, name: &str, groups: &[&str]) -> Self {
        let mut browser = Self::new(service);
        let token = service.token(&format!("{name}@example.com"), groups);
        let answer = browser.post("/sign-in/token", &[("token", &token)]);
        assert_eq!(answer.status, 303, "{}", answer.text);
        browser
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let text = |text: &str| text.bytes().map(byte).collect::<String>();
    fields.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect::<Vec<_>>().join("&")
}

/// The values of the hidden fields of the form with this action.
fn hidden(page: &str, action: &str) -> Vec<(String, String)> {
    let form = page.split("<form").find(|form| form.contains(&format!("action=\"{action}\""))).unwrap();
    let form = form.split("</form>").next().unwrap();
    let attribute = |tag: &str, name: &str| {
        tag.split(&format!("{name}=\"")).nth(1).map(|rest| rest.split('"').next().unwrap().to_owned())
    };
    let inputs = form.split("<input").skip(1).map(|tag| tag.split('>').next().unwrap());
    let of_type = inputs.filter(|tag| tag.contains("type=\"hidden\""));
    of_type.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?))).collect()
}

fn asks_to_sign_in(answer: &Answer) -> bool {
    answer.status == 303 && answer.headers["location"].starts_with("/sign-in")
}

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
    let mut fields = hidden(&page.text, &action);
    fields.push(("comment".to_owned(), "fine".to_owned()));
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // Something happens meanwhile: nothing is decided, and the page says so.
    ann.post(&format!("{path}/comments"), &json!({ "text": "one moment" })).expect(200);
    let stale = service.untouched(|| bob.post(&action, &fields));
    assert!(stale.text.contains("There is a problem"), "{}", stale.text);
    let page = bob.get(&format!("/approvals/{id}"));
    let mut fields = hidden(&page.text, &action);
    fields.push(("comment".to_owned(), "fine".to_owned()));
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let done = bob.post(&action, &fields);
    assert_eq!(done.status, 303, "{}", done.text);
    let request = ann.get(&path).expect(200);
    assert_eq!(
        (&request["status"], &request["approved_by"]),
        (&json!("approved"), &json!(["bob@example.com"]))
    );
    assert_eq!(request["decisions"][0]["digest_presented"], true);
    // A second click finds what the first did.
    service.untouched(|| bob.post(&action, &fields));
    let events = ann.get(&format!("{path}/events")).expect(200);
    let granted =
        events["items"].as_array().unwrap().iter().find(|event| event["event_type"] == "APPROVAL_GRANTED");
    assert_eq!(granted.unwrap()["source_ip"], "127.0.0.1");
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
