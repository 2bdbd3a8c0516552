//! What it costs to make a page of the dashboard: from the answers of the API, which cost nothing here, to the bytes that a
//! browser is sent.

use crate::cpu::{self, Spread};
use bytes::Bytes;
use countersign_core::canonical::CanonicalJson;
use countersign_core::timestamp::Timestamp;
use countersign_dashboard::{
    Api, ApiAnswer, ApiCall, Dashboard, Keys, NotRefreshed, Redemption, SignIn, Site, Tokens, Visit,
};
use http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE};
use http::{Method, Request, Response};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What 95 of 100 pages may take, in milliseconds.
const CLAIM: f64 = 5.0;
const WARM_UP: usize = 50;
const ROUNDS: usize = 500;

const AUTHORITY: &str = "countersign.example.com";
const SITE: &str = "https://countersign.example.com";
const ID: &str = "019c1339-a5c0-7000-8000-000000000001";
/// When the examples of the API are.
const NOW: &str = "2026-01-31T09:45:00Z";
/// How much a request holds at most.
const PARAMETER_BYTES: usize = 64 * 1024;
/// How long a text in these is.
const TEXT_BYTES: usize = 48;

/// An API with one list and one request.
struct Answers {
    list: Bytes,
    request: Bytes,
    explanation: Bytes,
    events: Bytes,
}

impl Api for Answers {
    async fn call(&self, call: ApiCall) -> ApiAnswer {
        let path = call.path.split('?').next().unwrap_or_default();
        let body = match path.strip_prefix("/v1/approvals/") {
            Some(path) if path.ends_with("/explain") => &self.explanation,
            Some(path) if path.ends_with("/events") => &self.events,
            Some(_) => &self.request,
            None if path == "/v1/approvals" => &self.list,
            None => {
                &Bytes::from_static(br#"{"person":"bob@example.com","kind":"human","groups":["approver"]}"#)
            }
        };
        ApiAnswer { status: 200, body: body.clone() }
    }
}

impl SignIn for Answers {
    async fn person_of(&self, _: &str) -> Option<String> {
        None
    }

    async fn trade(&self, _: &str) -> Option<Tokens> {
        None
    }

    async fn redeem(&self, _: Redemption) -> Option<Tokens> {
        None
    }

    async fn refresh(&self, _: &str, _: &str) -> Result<Tokens, NotRefreshed> {
        Err(NotRefreshed::Refused)
    }

    async fn revoke(&self, _: &str) {}
}

impl Answers {
    /// From the examples of the API's description.
    fn new() -> Result<Self, String> {
        let document: Value = serde_json::from_str(include_str!("../../../docs/openapi.json"))
            .map_err(|error| error.to_string())?;
        let example = |name: &str| {
            let found = document.pointer(&format!("/components/examples/{name}/value"));
            found.cloned().ok_or_else(|| format!("there is no example {name}"))
        };
        let list = example("list")?;
        let row = list.pointer("/items/0").ok_or("the example of a list is empty")?;
        let rows = (0..50).map(|place| {
            let mut row = row.clone();
            set(&mut row, "/request_id", json!(format!("019c1339-a5c0-7000-8000-{place:012}")));
            set(&mut row, "/approved_by", json!([]));
            row
        });
        let mut explanation = example("explained")?;
        for action in explanation.pointer_mut("/actions").and_then(Value::as_array_mut).into_iter().flatten()
        {
            set(action, "/permitted", json!(true));
        }
        let bytes = |value: &Value| Bytes::from(value.to_string());
        Ok(Self {
            list: bytes(&json!({ "items": rows.collect::<Vec<_>>(), "next_cursor": null })),
            request: bytes(&request(example("half_approved")?)),
            explanation: bytes(&explanation),
            events: bytes(&example("events")?),
        })
    }
}

fn set(document: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = document.pointer_mut(pointer) {
        *place = value;
    }
}

/// The request with as many parameters as there may be, and the digests of what it holds.
fn request(mut request: Value) -> Value {
    let text = "<b>\u{202e}한국어\"\\".repeat(TEXT_BYTES / 16);
    let members = (0_u32..).map(|place| (format!("{place:04}"), json!([text, place])));
    let mut bytes = 0;
    let members = members.take_while(|(name, value)| {
        bytes += name.len() + value.to_string().len() + 4;
        bytes < PARAMETER_BYTES
    });
    let parameters = Value::Object(members.collect());
    let digest = |value: &Value| json!(CanonicalJson::of(value).digest().to_string());
    set(&mut request, "/parameters_digest", digest(&parameters));
    set(&mut request, "/content/parameters_digest", digest(&parameters));
    set(&mut request, "/parameters", parameters);
    let content = request.pointer("/content").map(digest);
    set(&mut request, "/content_digest", content.unwrap_or_default());
    request
}

/// A browser that is signed in.
struct Browser {
    dashboard: Dashboard,
    answers: Answers,
    visit: Visit,
    cookies: String,
}

impl Browser {
    fn signed_in() -> Result<Self, String> {
        let site = Site {
            origin: SITE.to_owned(),
            keys: Keys::new([7; 32], None),
            issuer: None,
            ticket_url: None,
            ticket_hours: None,
        };
        let now = Timestamp::parse(NOW).map_err(|error| error.to_string())?;
        let visit = Visit { now, random: [9; 32] };
        let (dashboard, answers) = (Dashboard::new(site), Answers::new()?);
        let mut browser = Self { dashboard, answers, visit, cookies: String::new() };
        let request = Request::builder()
            .method(Method::POST)
            .uri("/sign-in/token")
            .header(HOST, AUTHORITY)
            .header(ORIGIN, SITE)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from_static(b"token=a.b.c"))
            .map_err(|error| error.to_string())?;
        let response = browser.send(&request)?;
        let cookies = response.headers().get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        let pairs: Vec<_> = cookies.filter_map(|cookie| cookie.split(';').next()).collect();
        browser.cookies = pairs.join("; ");
        Ok(browser)
    }

    fn send(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, String> {
        let answer = pin!(self.dashboard.answer(request, &self.visit, &self.answers));
        match answer.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(response) => Ok(response),
            Poll::Pending => Err("a page waits, and there is nothing to wait for".to_owned()),
        }
    }

    /// What it takes to make a page, in milliseconds, and its size. The page has to show all of these.
    fn measure(&self, target: &str, shows: &[&str]) -> Result<(Spread, usize), String> {
        let request = Request::builder()
            .uri(target)
            .header(HOST, AUTHORITY)
            .header(COOKIE, &self.cookies)
            .body(Bytes::new())
            .map_err(|error| error.to_string())?;
        let page = self.send(&request)?;
        let html = String::from_utf8_lossy(page.body());
        if let Some(lacking) = shows.iter().find(|part| !html.contains(*part)) {
            return Err(format!("{target} does not show {lacking}"));
        }
        for _ in 0..WARM_UP {
            self.send(&request)?;
        }
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let before = cpu::nanoseconds();
            self.send(&request)?;
            times.push(cpu::microseconds(cpu::nanoseconds() - before) / 1000.0);
        }
        Ok((Spread::of(times), page.body().len()))
    }
}

/// Measures the largest pages.
pub(crate) fn measure() -> Result<(String, bool), String> {
    let browser = Browser::signed_in()?;
    let request = format!("/approvals/{ID}");
    let pages = [
        ("inbox of 50 rows", "/inbox", ["(50) Inbox", "Review selected"]),
        ("request with 64 KiB of parameters", &request, ["What will run", "/approve\""]),
    ];
    let mut table = "CPU time of a page in milliseconds. The claim is about p95.\n\n".to_owned();
    let mut holds = true;
    let mut row = |what: &str, cells: [&str; 4], verdict: &str| {
        let [claim, median, p95, bytes] = cells;
        let line = format!("{what:34}{claim:>7}  {median:>8}  {p95:>8}  {bytes:>8}  {verdict}");
        // INVARIANT: a text takes everything that is written to it.
        let _ = writeln!(table, "{}", line.trim_end());
    };
    row("", ["claim", "median", "p95", "bytes"], "");
    for (what, target, shows) in pages {
        let (Spread { median, p95 }, bytes) = browser.measure(target, &shows)?;
        let is_within = p95 <= CLAIM;
        holds &= is_within;
        let cells =
            [format!("<= {CLAIM:.1}"), format!("{median:.2}"), format!("{p95:.2}"), bytes.to_string()];
        row(what, cells.each_ref().map(String::as_str), if is_within { "holds" } else { "DOES NOT HOLD" });
    }
    Ok((table, holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_that_are_measured_are_whole() {
        let browser = Browser::signed_in().unwrap();
        assert!(browser.answers.request.len() > 60 * 1024, "{}", browser.answers.request.len());
        browser.measure("/inbox", &["(50) Inbox"]).unwrap();
        let missing = browser.measure("/inbox", &["no such text"]).unwrap_err();
        assert_eq!(missing, "/inbox does not show no such text");
    }
}
