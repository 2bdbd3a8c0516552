//! Signing in and out, sessions, and which requests are answered.

use super::Browser;
use super::browser::{HOST, ORIGIN};
use crate::NotRefreshed;
use crate::session::{IDLE, LONGEST};
use crate::tests::later;
use crate::visit::Visit;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;

#[test]
fn a_page_leads_to_sign_in_and_back() {
    let mut browser = Browser::new();
    let page = browser.get("/instances?id=db%2Fa");
    assert_eq!(page.header("location"), "/sign-in?return=%2Finstances%3Fid%3Ddb%252Fa");
    let page = browser.get(page.header("location"));
    assert_eq!(page.heading(), "Sign in");
    assert!(page.has_button("Sign in") && page.has_button("Sign in with a token"));
    page.shows("<label for=\"token\">Token</label>").lacks("aria-label=\"Main\"");
    let back = page.hidden("/sign-in/token", "return");
    let page = browser.post("/sign-in/token", &[("token", " a.b.c\n"), ("return", &back)]);
    assert_eq!((page.status, page.header("location")), (StatusCode::SEE_OTHER, "/instances?id=db%2Fa"));
    assert_eq!(browser.api.calls()[0].token, "a.b.c");
}

#[test]
fn no_return_path_leads_elsewhere() {
    for target in ["//evil", "https://evil.example", "/sign-out", "/\\evil", "/inbox\r\nx: y"] {
        let page = Browser::new().post("/sign-in/token", &[("token", "a.b.c"), ("return", target)]);
        assert_eq!(page.header("location"), "/inbox", "{target}");
    }
}

#[test]
fn a_token_that_the_api_refuses_begins_no_session() {
    let mut browser = Browser::new();
    browser.api.answers("GET /v1/me", 401, json!({}));
    for token in ["a.b.c", "", "two words", "\u{202e}"] {
        let page = browser.post("/sign-in/token", &[("token", token)]);
        assert_eq!((page.status, page.heading().as_str()), (StatusCode::FORBIDDEN, "Sign in"));
        page.shows("role=\"alert\" aria-label=\"There is a problem\" tabindex=\"-1\" autofocus");
        assert!(browser.cookies.is_empty() && (token.is_empty() || page.html.len() > 100));
    }
}

#[test]
fn a_token_that_is_too_large_is_said_to_be() {
    let mut browser = Browser::new();
    let page = browser.post("/sign-in/token", &[("token", &"t".repeat(6_000))]);
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    page.shows("too large for the cookies");
    assert!(browser.cookies.is_empty());
}

#[test]
fn an_api_without_names_names_nobody_and_the_token_does() {
    let mut browser = Browser::new();
    browser.api.answers("GET /v1/me", 404, json!({}));
    browser.api.answers("GET /v1/approvals", 200, json!({"items": [], "next_cursor": null}));
    // {"email":"ann@example.com"}
    let page = browser.post("/sign-in/token", &[("token", "e30.eyJlbWFpbCI6ImFubkBleGFtcGxlLmNvbSJ9.x")]);
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    browser.get("/nothing").shows("<bdi>ann@example.com</bdi>");
}

#[test]
fn a_one_time_code_names_the_person_and_is_traded_by_a_form() {
    let mut browser = Browser::new();
    let page = browser.get("/sign-in/code?code=good");
    page.shows("<strong>ann@example.com</strong>");
    assert!(page.has_button("Sign in") && browser.cookies.is_empty());
    let code = page.hidden("/sign-in/code", "code");
    assert_eq!(browser.post("/sign-in/code", &[("code", &code)]).header("location"), "/inbox");
    assert_eq!(browser.api.calls()[0].token, "traded");
    let mut other = Browser::new();
    assert_eq!(other.get("/sign-in/code?code=bad").status, StatusCode::FORBIDDEN);
    assert_eq!(other.post("/sign-in/code", &[("code", "bad")]).status, StatusCode::FORBIDDEN);
}

#[test]
fn the_issuer_signs_in_the_browser_that_began() {
    let mut browser = Browser::new();
    let page = browser.post("/login", &[("return", "/history")]);
    let location = page.header("location").to_owned();
    assert!(
        location.starts_with("https://login.example.com/authorize?response_type=code&client_id=dashboard")
    );
    for part in ["code_challenge_method=S256", "scope=openid+email", "nonce=", "code_challenge="] {
        assert!(location.contains(part), "{location}");
    }
    let state = location.split("&state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let attempt = browser.cookies.clone();
    let page = browser.get(&format!("/login/callback?code=code&state={state}"));
    assert_eq!((page.status, page.header("location")), (StatusCode::SEE_OTHER, "/history"));
    assert_eq!(browser.api.calls()[0].token, "redeemed");

    let refused = |browser: &mut Browser, target: &str| {
        let page = browser.get(target);
        assert_eq!((page.status, page.heading().as_str()), (StatusCode::FORBIDDEN, "Sign in"), "{target}");
        assert!(!browser.cookies.contains_key("__Host-countersign"));
    };
    let good = format!("/login/callback?code=code&state={state}");
    refused(&mut Browser::new(), &good);
    for target in ["/login/callback?code=code&state=other", "/login/callback?code=code", "/login/callback"] {
        refused(&mut Browser { cookies: attempt.clone(), ..Browser::new() }, target);
    }
    let wrong = format!("/login/callback?code=wrong&state={state}");
    refused(&mut Browser { cookies: attempt.clone(), ..Browser::new() }, &wrong);
    refused(&mut Browser { cookies: attempt, visit: later(601_000), ..Browser::new() }, &good);
}

#[test]
fn a_token_is_refreshed_before_it_ends_and_revoked_in_the_end() {
    let mut browser = Browser::new();
    let page = browser.post("/login", &[]);
    let state =
        page.header("location").split("&state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    browser.get(&format!("/login/callback?code=code&state={state}"));
    browser.get("/settings");
    assert!(browser.api.refreshed.lock().unwrap().is_empty());
    browser.visit = later(4 * 60 * 1000 + 1);
    browser.get("/settings");
    assert_eq!(*browser.api.refreshed.lock().unwrap(), ["again"]);
    let csrf = browser.csrf();
    let page = browser.post("/sign-out", &[("csrf", &csrf)]);
    assert_eq!(page.header("location"), "https://login.example.com/logout?client_id=dashboard");
    assert_eq!(*browser.api.refreshed.lock().unwrap(), ["again", "revoked again"]);
    assert!(!browser.cookies.contains_key("__Host-countersign"));
    assert!(browser.get("/settings").header("location").starts_with("/sign-in"));
    assert_eq!(browser.get("/signed-out").heading(), "Signed out");
}

/// Signed in at the issuer, with a token that ends in five minutes.
fn signed_in_at_issuer() -> Browser {
    let mut browser = Browser::new();
    let state = begun(&mut browser);
    browser.get(&format!("/login/callback?code=code&state={state}"));
    browser
}

/// Begins to sign in at the issuer; gives the state.
fn begun(browser: &mut Browser) -> String {
    let page = browser.post("/login", &[]);
    page.header("location").split("&state=").nth(1).unwrap().split('&').next().unwrap().to_owned()
}

#[test]
fn a_session_whose_token_is_not_renewed_writes_over_no_other() {
    for why in [NotRefreshed::Refused, NotRefreshed::Unavailable] {
        let mut browser = signed_in_at_issuer();
        browser.api.not_refreshed = Some(why);
        let before = browser.cookies.clone();
        browser.visit = later(4 * 60 * 1000 + 1);
        assert_eq!(browser.get("/settings").status, 200, "{why:?}: the token is still good");
        assert_eq!(browser.cookies, before, "{why:?}");
    }
}

#[test]
fn a_session_outlives_an_issuer_that_does_not_answer() {
    let mut browser = signed_in_at_issuer();
    browser.api.not_refreshed = Some(NotRefreshed::Unavailable);
    browser.visit = later(5 * 60 * 1000 + 1);
    let page = browser.get("/settings");
    assert_eq!(
        (page.status.as_u16(), page.heading()),
        (502, "Something went wrong".to_owned()),
        "{}",
        page.html
    );
    browser.api.not_refreshed = None;
    assert_eq!(browser.get("/settings").status, 200);
}

#[test]
fn saved_settings_lose_no_token() {
    let mut browser = signed_in_at_issuer();
    let csrf = browser.csrf();
    browser.visit = later(4 * 60 * 1000 + 1);
    let before = browser.cookies["__Host-countersign"].clone();
    assert_eq!(browser.post("/settings", &[("csrf", &csrf), ("theme", "dark")]).status, 303);
    assert_ne!(browser.cookies["__Host-countersign"], before);
}

#[test]
fn a_form_of_a_session_that_has_ended_says_so_and_leads_back_to_its_request() {
    let mut browser = Browser::new();
    let id = super::examples::ID;
    let page = browser.post(&format!("/approvals/{id}/approve"), &[("comment", "fine")]);
    assert_eq!(page.header("location"), format!("/sign-in?return=%2Fapprovals%2F{id}&ended=form"));
    let page = browser.get(page.header("location"));
    page.shows("There is a problem").shows("Your session had ended, so nothing was sent.");
    page.shows(&format!("value=\"/approvals/{id}\""));
    assert_eq!(browser.post("/review", &[]).header("location"), "/sign-in?return=%2Freview&ended=form");
    browser.get("/sign-in").lacks("Your session had ended");
}

#[test]
fn of_two_tabs_the_one_that_began_last_signs_in() {
    let mut browser = Browser::new();
    let (first, second) = (begun(&mut browser), {
        browser.visit = Visit { random: [8; 32], ..later(1_000) };
        begun(&mut browser)
    });
    assert_eq!(browser.get(&format!("/login/callback?code=code&state={first}")).status, 403);
    assert_eq!(browser.get(&format!("/login/callback?code=code&state={second}")).status, 303);
}

#[test]
fn pages_keep_a_session_awake_and_polls_do_not() {
    let mut browser = Browser::signed_in();
    browser.visit = later(IDLE - 1);
    assert!(!browser.get("/nothing").header("set-cookie").is_empty());
    browser.visit = later(2 * IDLE - 2);
    browser.headers.push(("countersign-version", "x".to_owned()));
    assert!(browser.get("/nothing").header("set-cookie").is_empty());
    browser.headers.clear();
    browser.visit = later(2 * IDLE - 1);
    assert!(browser.get("/settings").header("location").starts_with("/sign-in"));

    let mut browser = Browser::signed_in();
    for minutes in (0..12 * 60).step_by(30) {
        browser.visit = later(minutes * 60 * 1000);
        assert_eq!(browser.get("/nothing").status, StatusCode::NOT_FOUND);
    }
    browser.visit = later(LONGEST);
    assert_eq!(browser.get("/nothing").status, StatusCode::SEE_OTHER);
}

#[test]
fn only_forms_of_our_pages_are_taken() {
    let mut browser = Browser::signed_in();
    let csrf = browser.get("/nothing").hidden("/sign-out", "csrf");
    let other = Browser { visit: crate::Visit { random: [1; 32], ..later(0) }, ..Browser::new() };
    let mut other = other;
    other.post("/sign-in/token", &[("token", "a.b.c")]);
    let foreign = other.get("/nothing").hidden("/sign-out", "csrf");
    assert_ne!(csrf, foreign);
    let http = ORIGIN.replace("https", "http");
    let port = format!("{ORIGIN}:444");
    let cases: [(&[&str], &str, &str, bool); 12] = [
        (&[ORIGIN], "same-origin", &csrf, true),
        (&[ORIGIN], "", &csrf, true),
        (&[], "same-origin", &csrf, false),
        (&["null"], "same-origin", &csrf, false),
        (&["https://evil.example"], "", &csrf, false),
        (&[&http], "same-origin", &csrf, false),
        (&[&port], "same-origin", &csrf, false),
        (&[ORIGIN, ORIGIN], "same-origin", &csrf, false),
        (&[ORIGIN], "same-site", &csrf, false),
        (&[ORIGIN], "cross-site", &csrf, false),
        (&[ORIGIN], "same-origin", &foreign, false),
        (&[ORIGIN], "same-origin", "", false),
    ];
    for (origins, site, token, is_taken) in cases {
        let request = browser.request(Method::POST, "/nothing");
        let request = origins.iter().fold(request, |request, origin| request.header("origin", *origin));
        let request = if site.is_empty() { request } else { request.header("sec-fetch-site", site) };
        let page = browser.send(request.body(format!("csrf={token}").into()).unwrap());
        let expected = if is_taken { StatusCode::NOT_FOUND } else { StatusCode::FORBIDDEN };
        assert_eq!(page.status, expected, "{origins:?} {site} {token}");
    }
    for method in [Method::PUT, Method::DELETE, Method::OPTIONS] {
        let request = browser.request(method, "/inbox").body(Bytes::new()).unwrap();
        assert_eq!(browser.send(request).status, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[test]
fn only_our_host_is_answered() {
    let cases: [(&[&str], bool); 6] = [
        (&[HOST], true),
        (&["Countersign.Example.com"], true),
        (&["evil.example"], false),
        (&["countersign.example.com:444"], false),
        (&[], false),
        (&[HOST, HOST], false),
    ];
    for (hosts, is_ours) in cases {
        let request = http::Request::builder().uri("/sign-in");
        let request = hosts.iter().fold(request, |request, host| request.header("host", *host));
        let page = Browser::new().send(request.body(Bytes::new()).unwrap());
        let expected = if is_ours { StatusCode::OK } else { StatusCode::MISDIRECTED_REQUEST };
        assert_eq!(page.status, expected, "{hosts:?}");
    }
}

#[test]
fn every_answer_has_its_headers_and_pages_are_not_kept() {
    let mut browser = Browser::signed_in();
    let style = browser.get("/sign-in").html.split("stylesheet\" href=\"").nth(1).unwrap().to_owned();
    let style = style.split('"').next().unwrap().to_owned();
    for target in ["/sign-in", "/nothing", "/", &style] {
        let page = browser.get(target);
        let policy = page.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self' https://login.example.com",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(policy.split("; ").any(|found| found.starts_with(part)), "{part} in {policy}");
        }
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(page.header("cross-origin-resource-policy"), "same-origin");
        assert!(page.header("strict-transport-security").starts_with("max-age="));
        let kept = if target == style { "public, max-age=31536000, immutable" } else { "no-store" };
        assert_eq!(page.header("cache-control"), kept);
    }
    let page = browser.get("/assets/dashboard.css");
    assert_eq!(page.status, StatusCode::NOT_FOUND);
}

#[test]
fn a_server_of_many_threads_can_await_an_answer() {
    fn is_send(_: &impl Send) {}
    let browser = Browser::new();
    let request = browser.request(Method::GET, "/inbox").body(Bytes::new()).unwrap();
    let answer = browser.dashboard.answer(&request, &browser.visit, &browser.api);
    is_send(&answer);
}
