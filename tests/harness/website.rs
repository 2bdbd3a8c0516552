//! The dashboard of a deployment as a browser reaches it: the gateway's events for the function of the pages, and an API for
//! its calls, which hands each call to the function of its route.

use crate::client::Answer;
use crate::deployment::Deployment;
use crate::gateway::{self, Request};
use crate::runtime_api::Sandbox;
use crate::signature;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, request::Parts};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_dashboard::ROUTES;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// The origin of the pages.
pub const ORIGIN: &str = "https://countersign.example.com";
/// The address that the gateway sees the browser at.
pub const VISITOR: &str = "203.0.113.24";
/// How long a page may take here.
const PATIENCE: Duration = Duration::from_secs(60);

type Call = (Request, oneshot::Sender<Value>);

/// The dashboard of a deployment.
pub struct Website<'a> {
    deployment: &'a Deployment,
    dashboard: Arc<Sandbox>,
    calls: Receiver<Call>,
    /// The events of the calls that pages have made.
    pub events: RefCell<Vec<Value>>,
    _runtime: Runtime,
}

impl std::fmt::Debug for Website<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Website").finish_non_exhaustive()
    }
}

impl<'a> Website<'a> {
    /// Starts the function of the pages, with these variables besides those of the deployment.
    pub fn start(deployment: &'a Deployment, binary: &Path, variables: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        let (sender, calls) = channel();
        let router = Router::new().fallback(call).with_state(sender);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            axum_server::from_tcp(listener).unwrap().serve(router.into_make_service()).await.unwrap();
        });
        let mut all = deployment.variables().clone();
        let own = [("DASHBOARD_URL", ORIGIN), ("API_URL", &api)];
        let own = own.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        all.extend(own);
        let dashboard = Arc::new(Sandbox::start(binary, &all.into_iter().collect::<Vec<_>>()));
        Self { deployment, dashboard, calls, events: RefCell::default(), _runtime: runtime }
    }

    /// What a browser gets.
    ///
    /// # Panics
    /// When the function does not answer.
    pub fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.handle(&page_event(method, target, headers, body))
    }

    /// What the gateway answers to this event.
    ///
    /// # Panics
    /// When the function does not answer.
    pub fn handle(&self, event: &Value) -> Answer {
        let event = event.to_string();
        let dashboard = Arc::clone(&self.dashboard);
        let page = std::thread::spawn(move || dashboard.invoke(&event));
        while !page.is_finished() {
            if let Ok((request, answer)) = self.calls.recv_timeout(Duration::from_millis(5)) {
                let _ = answer.send(self.answer(&request));
            }
        }
        answer_of(&page.join().unwrap().expect("the gateway is always answered"))
    }

    /// What the function of a route answers. The gateway's authorizer takes every token that can be read.
    fn answer(&self, request: &Request) -> Value {
        let token = request.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let claims = token.map(signature::claims);
        let event = gateway::event(request, claims.as_ref());
        self.events.borrow_mut().push(event.clone());
        let function = gateway::matched(&request.method, &request.path).function;
        self.deployment.invoke(function, &event).expect("the gateway is always answered")
    }

    /// What the function of the pages has written.
    pub fn log(&self) -> String {
        self.dashboard.log()
    }
}

/// The event of a page.
///
/// # Panics
/// When the page has no route: such a request reaches no function.
pub fn page_event(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Value {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let fits = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        let mut pairs = template.iter().zip(&path);
        template.len() == path.len() && pairs.all(|(one, other)| one == other || one.starts_with('{'))
    };
    // What is spelt out comes before what has a parameter.
    let mut routes: Vec<_> = ROUTES.iter().filter(|(of, path)| *of == method && fits(path)).collect();
    routes.sort_by_key(|(_, path)| path.matches('{').count());
    let (_, route) = routes.first().unwrap_or_else(|| panic!("no route for {method} {path}"));
    let cookies = headers.iter().filter(|(name, _)| *name == "cookie");
    let cookies: Vec<_> = cookies.flat_map(|(_, all)| all.split("; ")).collect();
    let mut kept: BTreeMap<_, _> = headers.iter().copied().filter(|(name, _)| *name != "cookie").collect();
    kept.entry("host").or_insert(ORIGIN.strip_prefix("https://").unwrap());
    let mut event = json!({
        "version": "2.0",
        "routeKey": format!("{method} {route}"),
        "rawPath": path,
        "rawQueryString": query,
        "headers": kept,
        "requestContext": {
            "apiId": "a1b2c3d4e5",
            "domainName": kept["host"],
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": VISITOR },
            "stage": "$default",
        },
        "body": STANDARD.encode(body),
        "isBase64Encoded": true,
    });
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    event
}

/// What the gateway makes of a function's answer.
fn answer_of(answer: &Value) -> Answer {
    let mut headers: BTreeMap<String, String> = serde_json::from_value(answer["headers"].clone()).unwrap();
    if let Some(cookies) = answer["cookies"].as_array() {
        let cookies: Vec<_> = cookies.iter().map(|cookie| cookie.as_str().unwrap()).collect();
        headers.insert("set-cookie".to_owned(), cookies.join("\n"));
    }
    let body = answer["body"].as_str().unwrap();
    let text = match answer["isBase64Encoded"].as_bool().unwrap() {
        true => String::from_utf8_lossy(&STANDARD.decode(body).unwrap()).into_owned(),
        false => body.to_owned(),
    };
    Answer {
        status: u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap(),
        headers,
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
    }
}

async fn call(State(calls): State<Sender<Call>>, parts: Parts, body: Bytes) -> Response<Body> {
    let headers = parts.headers.iter();
    let request = Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: body.to_vec(),
    };
    let (sender, answered) = oneshot::channel();
    calls.send((request, sender)).unwrap();
    let answer = tokio::time::timeout(PATIENCE, answered).await.unwrap().unwrap();
    let body = answer["body"].as_str().unwrap();
    let body = match answer["isBase64Encoded"].as_bool().unwrap() {
        true => STANDARD.decode(body).unwrap(),
        false => body.as_bytes().to_vec(),
    };
    let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
    Response::builder().status(status).body(Body::from(body)).unwrap()
}
