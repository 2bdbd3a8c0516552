//! A browser as tests need it, and an API that answers what a test has laid down.

use crate::ports::{Api, ApiAnswer, ApiCall, NotRefreshed, Redemption, SignIn, Tokens};
use crate::seal::Keys;
use crate::site::{Issuer, Site};
use crate::visit::Visit;
use crate::{Dashboard, shown};
use bytes::Bytes;
use countersign_core::timestamp::Timestamp;
use futures_util::FutureExt as _;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;

pub(crate) const ORIGIN: &str = "https://countersign.example.com";
pub(crate) const HOST: &str = "countersign.example.com";

pub(crate) fn keys() -> Keys {
    Keys::new([7; 32], None)
}

/// A visit at the time of the examples.
pub(crate) fn visit() -> Visit {
    later(0)
}

/// A visit some milliseconds later.
pub(crate) fn later(milliseconds: i64) -> Visit {
    let begin = Timestamp::parse("2026-01-31T09:45:00Z").unwrap().as_millisecond();
    Visit { now: Timestamp::from_millisecond(begin + milliseconds), random: [9; 32] }
}

/// An API that answers by method and path, and keeps the calls.
#[derive(Debug, Default)]
pub(crate) struct Played {
    answers: Mutex<BTreeMap<String, (u16, Value)>>,
    calls: Mutex<Vec<ApiCall>>,
    pub refreshed: Mutex<Vec<String>>,
    /// Why the issuer gives no other token, if it gives none.
    pub not_refreshed: Option<NotRefreshed>,
}

impl Played {
    /// Lays down an answer: to the longest of all beginnings that a call fits.
    pub(crate) fn answers(&self, call: &str, status: u16, body: Value) {
        self.answers.lock().unwrap().insert(call.to_owned(), (status, body));
    }

    /// The calls since the last time.
    pub(crate) fn calls(&self) -> Vec<ApiCall> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

impl Api for Played {
    async fn call(&self, call: ApiCall) -> ApiAnswer {
        let line = format!("{} {}", call.method, call.path);
        self.calls.lock().unwrap().push(call);
        let answers = self.answers.lock().unwrap();
        let fitting = answers.iter().filter(|(begin, _)| line.starts_with(begin.as_str()));
        let (status, body) = fitting
            .max_by_key(|(begin, _)| begin.len())
            .map_or((404, json!({})), |(_, answer)| answer.clone());
        ApiAnswer { status, body: Bytes::from(body.to_string()) }
    }
}

impl SignIn for Played {
    async fn person_of(&self, code: &str) -> Option<String> {
        (code == "good").then(|| "ann@example.com".to_owned())
    }

    async fn trade(&self, code: &str) -> Option<Tokens> {
        (code == "good").then(|| Tokens { bearer: "traded".to_owned(), expires_at: None, refresh: None })
    }

    async fn redeem(&self, redemption: Redemption) -> Option<Tokens> {
        let is_good =
            redemption.code == "code" && redemption.redirect_uri == format!("{ORIGIN}/login/callback");
        let expires_at = Some(visit().now.as_millisecond() + 5 * 60 * 1000);
        is_good.then(|| Tokens {
            bearer: "redeemed".to_owned(),
            expires_at,
            refresh: Some("again".to_owned()),
        })
    }

    async fn refresh(&self, refresh: &str, _: &str) -> Result<Tokens, NotRefreshed> {
        self.refreshed.lock().unwrap().push(refresh.to_owned());
        match self.not_refreshed {
            Some(why) => Err(why),
            None => Ok(Tokens { bearer: "fresh".to_owned(), expires_at: None, refresh: None }),
        }
    }

    async fn revoke(&self, refresh: &str) {
        self.refreshed.lock().unwrap().push(format!("revoked {refresh}"));
    }
}

/// A page as a browser has it.
#[derive(Debug)]
pub(crate) struct Page {
    pub status: StatusCode,
    pub response: Response<Bytes>,
    pub html: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The text of the first heading.
    pub(crate) fn heading(&self) -> String {
        let (_, rest) = self.html.split_once("<h1>").unwrap_or_else(|| panic!("no heading: {}", self.html));
        text(rest.split_once("</h1>").unwrap().0)
    }

    /// The value of the first hidden field of this name after a place in the page.
    pub(crate) fn hidden(&self, after: &str, name: &str) -> String {
        let (_, rest) = self.html.split_once(after).unwrap_or_else(|| panic!("no {after}: {}", self.html));
        let (_, rest) = rest.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> &Self {
        assert!(self.has(text), "no {text} in {}", self.html);
        self
    }

    #[track_caller]
    pub(crate) fn lacks(&self, text: &str) -> &Self {
        assert!(!self.has(text), "{text} in {}", self.html);
        self
    }

    /// Whether there is a button of this name.
    pub(crate) fn has_button(&self, name: &str) -> bool {
        let buttons = self.html.split("<button").skip(1);
        buttons
            .filter_map(|rest| rest.split_once('>')?.1.split_once("</button>"))
            .any(|(found, _)| found == name)
    }
}

/// The text of a part of HTML without elements, as a page shows it.
pub(crate) fn text(html: &str) -> String {
    let mut parts = html.split('<');
    let first = parts.next().unwrap_or_default().to_owned();
    let shown = parts.filter_map(|part| part.split_once('>')).fold(first, |text, (_, after)| text + after);
    let entities = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    entities.into_iter().fold(shown, |shown, (entity, c)| shown.replace(entity, c))
}

/// The bytes that a part of HTML shows.
pub(crate) fn read_back(html: &str) -> Option<String> {
    shown::read_back(&text(html))
}

/// A browser with its cookies.
#[derive(Debug)]
pub(crate) struct Browser {
    pub api: Played,
    pub dashboard: Dashboard,
    pub cookies: BTreeMap<String, String>,
    pub visit: Visit,
    pub headers: Vec<(&'static str, String)>,
}

impl Browser {
    /// A browser without a session.
    pub(crate) fn new() -> Self {
        let issuer = Issuer {
            authorization_endpoint: "https://login.example.com/authorize".to_owned(),
            end_session_url: Some("https://login.example.com/logout?client_id=dashboard".to_owned()),
            client_id: "dashboard".to_owned(),
            scope: "openid email".to_owned(),
            further_origins: Vec::new(),
        };
        let site = Site {
            origin: ORIGIN.to_owned(),
            keys: keys(),
            issuer: Some(issuer),
            ticket_url: Some("https://tickets.example.com/{}".to_owned()),
            ticket_hours: Some(4.0),
        };
        let api = Played::default();
        let me = json!({"person": "bob@example.com", "kind": "human", "groups": ["approver"]});
        api.answers("GET /v1/me", 200, me);
        let dashboard = Dashboard::new(site);
        Self { api, dashboard, cookies: BTreeMap::new(), visit: visit(), headers: Vec::new() }
    }

    /// A browser with a session.
    pub(crate) fn signed_in() -> Self {
        let mut browser = Self::new();
        let page = browser.post("/sign-in/token", &[("token", "a.b.c")]);
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
        browser.api.calls();
        browser
    }

    pub(crate) fn send(&mut self, request: Request<Bytes>) -> Page {
        let answer = self.dashboard.answer(&request, &self.visit, &self.api);
        let response = answer.now_or_never().expect("nothing to wait for");
        for cookie in response.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let html = String::from_utf8(response.body().to_vec()).unwrap();
        Page { status: response.status(), response, html }
    }

    /// A request with this browser's cookies.
    pub(crate) fn request(&self, method: Method, target: &str) -> http::request::Builder {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let builder = Request::builder().method(method).uri(target).header("host", HOST);
        let builder =
            self.headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, value));
        if cookies.is_empty() { builder } else { builder.header("cookie", cookies.join("; ")) }
    }

    pub(crate) fn get(&mut self, target: &str) -> Page {
        let request = self.request(Method::GET, target).body(Bytes::new()).unwrap();
        self.send(request)
    }

    /// Sends a form as a page of ours does.
    pub(crate) fn post(&mut self, target: &str, fields: &[(&str, &str)]) -> Page {
        let request = self
            .request(Method::POST, target)
            .header("origin", ORIGIN)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(request.body(body.into()).unwrap())
    }

    /// The token of this session's forms.
    pub(crate) fn csrf(&mut self) -> String {
        self.get("/settings").hidden("/sign-out", "csrf")
    }
}
