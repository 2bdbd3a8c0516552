//! The MCP server over HTTP: beside the API, and as a protected resource before it.

use crate::mcp_client::{BINARY, INLINE, Place, refusal, snapshot};
use countersign_app::host::Clock as _;
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::issuer::Issuer;
use countersign_e2e::program::Program;
use countersign_e2e::signature::{ISSUER_JWKS, issuer_token, issuer_token_with};
use countersign_system::system::SystemHost;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");

/// A request of the protocol, in the version without a handshake.
fn message(method: &str, params: &Value) -> Value {
    let mut params = params.clone();
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(INLINE);
    params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({ "name": "test", "version": "1" });
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// Sends a request, with further headers.
fn post(base: &str, token: Option<&str>, message: &Value, headers: &[(&str, &str)]) -> Answer {
    let client = Client::new(base, token.map(str::to_owned));
    let method = message["method"].as_str().unwrap().to_owned();
    let name = message["params"]["name"].as_str().unwrap_or_default().to_owned();
    let mut all = vec![ACCEPT, JSON];
    if message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"].is_string() {
        all.extend([("mcp-protocol-version", INLINE), ("mcp-method", method.as_str())]);
        if !name.is_empty() {
            all.push(("mcp-name", name.as_str()));
        }
    }
    all.extend(headers);
    client.send("POST", "/mcp", &all, message.to_string().as_bytes()).unwrap()
}

fn call(base: &str, token: &str, tool: &str, arguments: &Value) -> Value {
    let message = message("tools/call", &json!({ "name": tool, "arguments": arguments }));
    post(base, Some(token), &message, &[]).expect(200)["result"].clone()
}

#[test]
fn the_service_answers_agents_with_their_own_tokens() {
    let place = Place::with(&["--mcp", "--mcp-hold-seconds", "1"]);
    let base = place.program.base();
    let tools = post(base, Some(&place.agent), &message("tools/list", &json!({})), &[]).expect(200);
    assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), 9);
    let pending = call(base, &place.agent, "request_approval", &snapshot());
    let id = refusal(&pending, "approval_pending")["request_id"].as_str().unwrap().to_owned();
    let link = pending["structuredContent"]["link"].as_str().unwrap();
    assert!(link.ends_with(&format!("/approvals/{id}")), "{link}");
    let request = place.request(&id);
    assert_eq!(request["requested_by"], json!("deploy-bot@example.com"));
    // Of the same agent alone: another one has requests of its own.
    let other = place.program.token("other-bot", "agent,developer");
    let of_other = call(base, &other, "request_approval", &snapshot());
    assert_ne!(refusal(&of_other, "approval_pending")["request_id"], json!(id));
    refusal(&call(base, &other, "cancel_request", &json!({ "request_id": id })), "not_found");
    place.approve(&id);
    let approved = call(base, &place.agent, "wait_for_decision", &json!({ "request_id": id }));
    assert_eq!(approved["structuredContent"]["status"], json!("approved"), "{approved}");
    // A human's token is not for agents, and nothing is asked for with it.
    let ann = place.program.token("ann", "developer");
    refusal(&call(base, &ann, "request_approval", &snapshot()), "human_token");
}

#[test]
fn a_handshake_and_progress_need_no_session() {
    let place = Place::with(&["--mcp", "--mcp-hold-seconds", "4"]);
    let base = place.program.base();
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } });
        let answer = post(base, Some(&place.agent), &initialize, &[]);
        assert!(!answer.headers.contains_key("mcp-session-id"));
        assert_eq!(answer.expect(200)["result"]["protocolVersion"], json!(version));
    }
    let params = json!({
        "name": "request_approval", "arguments": snapshot(), "_meta": { "progressToken": 7 },
    });
    let answer = post(base, Some(&place.agent), &message("tools/call", &params), &[]);
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let messages: Vec<Value> = answer
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(|data| serde_json::from_str(data.trim()).unwrap())
        .collect();
    let (last, news) = messages.split_last().unwrap();
    refusal(&last["result"], "approval_pending");
    assert!(
        !news.is_empty() && news.iter().all(|told| told["params"]["progressToken"] == json!(7)),
        "{news:?}"
    );
}

#[test]
fn strangers_other_hosts_and_other_pages_are_refused() {
    let place = Place::with(&["--mcp"]);
    let base = place.program.base();
    let list = message("tools/list", &json!({}));
    let refused = post(base, None, &list, &[]);
    let url = format!("{base}/.well-known/oauth-protected-resource/mcp");
    assert_eq!(refused.headers["www-authenticate"], format!("Bearer resource_metadata=\"{url}\""));
    assert_eq!(refused.status, 401);
    let refused = post(base, Some("x.y.z"), &list, &[]);
    assert!(
        refused.headers["www-authenticate"].starts_with("Bearer error=\"invalid_token\", "),
        "{refused:?}"
    );
    assert_eq!(refused.status, 401);
    let metadata = Client::new(base, None).get("/.well-known/oauth-protected-resource/mcp").expect(200);
    assert_eq!(metadata["resource"], json!(format!("{base}/mcp")));
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("host", "rebound.example"),
        ("host", "rebound.example:80"),
    ] {
        let refused = post(base, Some(&place.agent), &list, &[(name, value)]);
        assert_eq!(refused.status, 403, "{name}: {value}");
        let refused = post(base, None, &list, &[(name, value)]);
        assert_eq!(refused.status, 403, "{name}: {value}");
    }
    post(base, Some(&place.agent), &list, &[("origin", base)]).expect(200);
    // Without --mcp there is no such path.
    let place = Place::new();
    assert_eq!(post(place.program.base(), Some(&place.agent), &list, &[]).status, 404);
}

/// `countersign mcp --http` as a child.
struct Served {
    child: Child,
    base: String,
}

impl Served {
    fn start(place: &Place, issuer: &Issuer, arguments: &[&str]) -> Self {
        let variables = BTreeMap::from([
            ("COUNTERSIGN_URL", place.program.base()),
            ("COUNTERSIGN_TOKEN", place.agent.as_str()),
            ("HOME", "/nonexistent"),
        ]);
        let mut child = Command::new(BINARY)
            .args(["mcp", "--http", "127.0.0.1:0", "--issuer", issuer.url(), "--hold-seconds", "1"])
            .args(arguments)
            .env_clear()
            .envs(variables)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base =
            line.trim().strip_prefix("listening on ").unwrap().strip_suffix("/mcp").unwrap().to_owned();
        Self { child, base }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn claims(issuer: &Issuer, audience: &str, email: &str) -> Value {
    let now = SystemHost::default().now().as_millisecond() / 1000;
    json!({
        "iss": issuer.url(), "aud": audience, "sub": email, "email": email, "email_verified": true,
        "iat": now, "exp": now + 600,
    })
}

#[test]
fn a_protected_resource_takes_tokens_that_are_for_it_and_passes_none_on() {
    let place = Place::new();
    let issuer = Issuer::start(ISSUER_JWKS);
    let served = Served::start(&place, &issuer, &["--caller", "ann@example.com"]);
    let base = served.base.as_str();
    let audience = format!("{base}/mcp");
    let metadata = Client::new(base, None).get("/.well-known/oauth-protected-resource/mcp").expect(200);
    assert_eq!(metadata["authorization_servers"], json!([issuer.url()]));
    assert_eq!(metadata["resource"], json!(audience));
    let list = message("tools/list", &json!({}));
    let bot = claims(&issuer, &audience, "deploy-bot@example.com");
    post(base, Some(&issuer_token(&bot)), &list, &[]).expect(200);
    let pending = call(base, &issuer_token(&bot), "request_approval", &snapshot());
    let id = refusal(&pending, "approval_pending")["request_id"].as_str().unwrap().to_owned();
    // The service has seen the token of the profile alone: it would have refused that of the issuer.
    assert_eq!(place.request(&id)["requested_by"], json!("deploy-bot@example.com"));

    let mut late = bot.clone();
    late["exp"] = json!(late["iat"].as_i64().unwrap() - 3600);
    let mut of_another = bot.clone();
    of_another["iss"] = json!("https://issuer.example");
    for refused in [
        issuer_token(&claims(&issuer, "https://other.example/mcp", "deploy-bot@example.com")),
        issuer_token(&late),
        issuer_token(&of_another),
        issuer_token_with("one", 1, &bot),
        // The service's own token is not for this resource.
        place.program.token("deploy-bot", "agent"),
    ] {
        let answer = post(base, Some(&refused), &list, &[]);
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.headers["www-authenticate"].contains("resource_metadata=\""), "{answer:?}");
    }
    assert_eq!(post(base, None, &list, &[]).status, 401);
    // Another person is let in only by the operator.
    let ann = issuer_token(&claims(&issuer, &audience, "ann@example.com"));
    post(base, Some(&ann), &list, &[]).expect(200);
    let mallory = issuer_token(&claims(&issuer, &audience, "mallory@example.com"));
    assert_eq!(post(base, Some(&mallory), &list, &[]).status, 403);
    assert_eq!(post(base, Some(&ann), &list, &[("origin", "https://evil.example")]).status, 403);
    assert_eq!(post(base, Some(&ann), &list, &[("host", "evil.example")]).status, 403);
}

#[test]
fn nothing_listens_where_tokens_would_travel_in_the_clear() {
    let place = Place::new();
    let issuer = Issuer::start(ISSUER_JWKS);
    let variables = BTreeMap::from([
        ("COUNTERSIGN_URL".to_owned(), place.program.base().to_owned()),
        ("COUNTERSIGN_TOKEN".to_owned(), place.agent.clone()),
        ("HOME".to_owned(), "/nonexistent".to_owned()),
    ]);
    for (arguments, said) in [
        (["mcp", "--http", "0.0.0.0:0", "--issuer", issuer.url(), "--hold-seconds", "1"], "in the clear"),
        (
            ["mcp", "--http", "0.0.0.0:0", "--issuer", issuer.url(), "--behind-tls-proxy", "--as-human"],
            "--public-url",
        ),
    ] {
        let output = countersign_e2e::program::run_with(BINARY, &arguments, &variables);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
}

#[test]
fn held_calls_are_answered_when_the_service_stops() {
    let mut place = Place::with(&["--mcp"]);
    let (base, token) = (place.program.base().to_owned(), place.agent.clone());
    let held = std::thread::spawn(move || {
        let message = message("tools/call", &json!({ "name": "request_approval", "arguments": snapshot() }));
        post(&base, Some(&token), &message, &[])
    });
    let id = place.pending();
    // Until it is held.
    std::thread::sleep(Duration::from_millis(300));
    let began = std::time::Instant::now();
    place.program.signal("TERM");
    assert!(place.program.wait().success());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let answer = held.join().unwrap().expect(200);
    assert_eq!(refusal(&answer["result"], "approval_pending")["request_id"], json!(id));
}

#[test]
fn a_body_with_two_readings_is_refused() {
    let place = Place::with(&["--mcp", "--mcp-hold-seconds", "1"]);
    let client = Client::new(place.program.base(), Some(place.agent.clone()));
    let params = json!({ "name": "request_approval", "arguments": snapshot() });
    let message = message("tools/call", &params).to_string();
    let headers = [
        ACCEPT,
        JSON,
        ("mcp-protocol-version", INLINE),
        ("mcp-method", "tools/call"),
        ("mcp-name", "request_approval"),
    ];
    let twice = message.replace(r#"{"name":"before"}"#, r#"{"name":"before","name":"after"}"#);
    assert_ne!(twice, message);
    for (body, code, id) in [(twice.as_str(), -32600, json!(1)), ("{", -32700, Value::Null)] {
        let answer = client.send("POST", "/mcp", &headers, body.as_bytes()).unwrap().expect(400);
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{answer}");
    }
    assert!(place.listed("pending").is_empty());
    client.send("POST", "/mcp", &headers, message.as_bytes()).unwrap().expect(200);
}

#[test]
fn a_task_that_is_refused_says_by_which_code() {
    let place = Place::with(&["--mcp"]);
    let ann = place.program.token("ann", "developer");
    let mut get = message("tasks/get", &json!({ "taskId": "01930000-0000-4000-8000-0000000000aa" }));
    get["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
        json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
    let name = [("mcp-name", "01930000-0000-4000-8000-0000000000aa")];
    let answer = post(place.program.base(), Some(&ann), &get, &name).body;
    assert_eq!(answer["error"]["code"], json!(-32600), "{answer}");
    assert_eq!(answer["error"]["data"]["code"], json!("human_token"), "{answer}");
}

#[test]
fn the_service_takes_tokens_of_its_issuer_that_are_for_the_tools() {
    let directory = tempfile::tempdir().unwrap();
    let issuer = Issuer::start(ISSUER_JWKS);
    let jwks = directory.path().join("jwks.json");
    std::fs::write(&jwks, ISSUER_JWKS).unwrap();
    let program = Program::start_with(
        BINARY,
        &directory.path().join("data"),
        &[
            "--mcp",
            "--mcp-as-human",
            "--public-url",
            "https://approvals.example.com",
            "--oidc-issuer",
            issuer.url(),
            "--oidc-audience",
            "countersign",
            "--jwks",
            jwks.to_str().unwrap(),
        ],
    );
    let base = program.base();
    let metadata = Client::new(base, None).get("/.well-known/oauth-protected-resource/mcp").expect(200);
    let resource = metadata["resource"].as_str().unwrap();
    assert_eq!(resource, "https://approvals.example.com/mcp");
    let list = json!({ "name": "list_my_requests", "arguments": {} });
    for (audience, status) in [(resource, 200), ("countersign", 200), ("https://other.example/mcp", 401)] {
        let mut claims = claims(&issuer, audience, "ann@example.com");
        claims["cognito:groups"] = json!(["developer"]);
        let answer = post(base, Some(&issuer_token(&claims)), &message("tools/call", &list), &[]);
        assert_eq!(answer.status, status, "{audience}: {answer:?}");
        if status == 200 {
            assert_eq!(answer.body["result"]["isError"], json!(false), "{answer:?}");
        }
    }
}

#[test]
fn a_caller_who_may_not_call_learns_nothing_of_the_service() {
    let mut place = Place::new();
    let issuer = Issuer::start(ISSUER_JWKS);
    let upstream = place.program.base().to_owned();
    place.program.signal("KILL");
    let _ = place.program.wait();
    let served = Served::start(&place, &issuer, &["--caller", "ann@example.com"]);
    let base = served.base.as_str();
    let list = message("tools/list", &json!({}));
    let token = |email: &str| issuer_token(&claims(&issuer, &format!("{base}/mcp"), email));
    let refused = post(base, Some(&token("mallory@example.com")), &list, &[]);
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(!refused.text.contains(upstream.trim_start_matches("http://")), "{refused:?}");
    // One who may is served what needs no service.
    post(base, Some(&token("ann@example.com")), &list, &[]).expect(200);
    let head = Client::new(base, None);
    let head = head.send("HEAD", "/.well-known/oauth-protected-resource/mcp", &[], b"").unwrap();
    assert_eq!(head.status, 200, "{head:?}");
}
