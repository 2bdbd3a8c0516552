//! The gate over HTTP: agents that connect to it, and servers that it connects to.

use crate::gate_place::{Gate, INLINE, Place, counted, lines, refused};
use countersign_e2e::client::Client;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A gate that listens.
struct Listening {
    gate: Gate,
    address: String,
}

fn listen(place: &Place, server: &[String]) -> Listening {
    let words =
        [place.words(), vec!["--listen".to_owned(), "127.0.0.1:0".to_owned()], server.to_vec()].concat();
    let mut command = place.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let gate = Gate::new(child);
    gate.says("listening on http://");
    let stderr = gate.stderr();
    let line = stderr.lines().find_map(|line| line.split("listening on http://").nth(1)).unwrap();
    Listening { address: line.strip_suffix("/mcp").unwrap().to_owned(), gate }
}

/// Before a process.
fn before_child(place: &Place) -> Listening {
    listen(place, &[vec!["--".to_owned()], place.server()].concat())
}

/// A server over HTTP.
struct Remote {
    child: Child,
    url: String,
}

impl Remote {
    fn start(place: &Place) -> Self {
        let words = place.server();
        let mut command = Command::new(&words[0]);
        let mut child =
            command.args(&words[1..]).args(["--http", "0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, url: format!("http://127.0.0.1:{}/mcp", line.trim()) }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn initialize() -> Value {
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params })
}

fn call(tool: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}

/// A call of an agent without a session.
fn inline(tool: &str, arguments: &Value) -> Value {
    let mut call = call(tool, arguments);
    call["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": INLINE,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    call
}

impl Listening {
    fn post(&self, headers: &[(&str, &str)], body: &Value) -> countersign_e2e::client::Answer {
        let client = Client::new(&format!("http://{}", self.address), None);
        let accept = ("accept", "application/json, text/event-stream");
        let headers = [&[("content-type", "application/json"), accept], headers].concat();
        client.send("POST", "/mcp", &headers, body.to_string().as_bytes()).unwrap()
    }

    fn begin(&self) -> String {
        let answer = self.post(&[], &initialize());
        assert_eq!(answer.body["result"]["serverInfo"]["name"], "counting", "{}", answer.text);
        let session = answer.headers["mcp-session-id"].clone();
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(self.post(&[("mcp-session-id", &session)], &initialized).status, 202);
        session
    }

    /// The result of a request, however it came.
    #[track_caller]
    fn result(&self, headers: &[(&str, &str)], body: &Value) -> Value {
        let answer = self.post(headers, body);
        let documents = match answer.headers["content-type"].as_str() {
            "application/json" => vec![answer.body],
            _ => answer
                .text
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .map(|data| serde_json::from_str(data).unwrap())
                .collect(),
        };
        let last = documents.last().unwrap();
        assert_eq!(last["id"], body["id"], "{last}");
        assert!(last.get("error").is_none(), "{last}");
        last["result"].clone()
    }

    /// A POST whose answer is not waited for.
    fn stream(&self, session: &str, body: &Value) -> TcpStream {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nmcp-session-id: {session}\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }
}

#[test]
fn agents_over_http_have_sessions_or_none() {
    let place = Place::new();
    let gate = before_child(&place);
    let session = gate.begin();
    let header = [("mcp-session-id", session.as_str())];
    assert_eq!(counted(&gate.result(&header, &call("look", &json!({}))))["count"], 1);
    assert_eq!(gate.post(&[], &call("look", &json!({}))).status, 400);
    assert_eq!(gate.post(&[("mcp-session-id", "other")], &call("look", &json!({}))).status, 404);
    assert_eq!(counted(&gate.result(&[], &inline("look", &json!({}))))["count"], 2);
    // Two agents without sessions may have the same ids.
    std::thread::scope(|scope| {
        let results: Vec<_> =
            (0..4).map(|_| scope.spawn(|| gate.result(&[], &inline("look", &json!({}))))).collect();
        for result in results {
            counted(&result.join().unwrap());
        }
    });
    let client = Client::new(&format!("http://{}", gate.address), None);
    assert_eq!(client.send("DELETE", "/mcp", &header, b"").unwrap().status, 204);
    assert_eq!(gate.post(&header, &call("look", &json!({}))).status, 404);
    place.no_call_was_without_an_approval();
    let status = place.run(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["gates"][0]["listens"], json!(gate.address));
}

#[test]
fn pages_other_names_and_other_machines_are_refused() {
    let place = Place::new();
    let gate = before_child(&place);
    for headers in [
        [("origin", "https://evil.example")],
        [("origin", "null")],
        [("origin", "http://localhost")],
        [("host", "evil.example")],
        [("host", "127.0.0.1.evil.example")],
    ] {
        let answer = gate.post(&headers, &initialize());
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    let own = format!("http://{}", gate.address);
    assert_eq!(gate.post(&[("origin", own.as_str())], &initialize()).status, 200);
    for (name, value) in
        [("mcp-method", "tools/list"), ("mcp-name", "count"), ("mcp-protocol-version", "2025-06-18")]
    {
        let answer = gate.post(&[(name, value)], &inline("look", &json!({})));
        assert_eq!((answer.status, &answer.body["error"]["code"]), (400, &json!(-32020)), "{name}");
    }
    let named = [("mcp-method", "tools/call"), ("mcp-name", "look"), ("mcp-protocol-version", INLINE)];
    counted(&gate.result(&named, &inline("look", &json!({}))));
    assert_eq!(place.calls().len(), 1);
    let words = [place.words(), ["--listen", "0.0.0.0:0", "--", "true"].map(str::to_owned).to_vec()].concat();
    let output = place.command(&words.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_closed_stream_is_a_caller_that_is_gone() {
    let place = Place::with("linger_seconds = 2");
    let gate = before_child(&place);
    let session = gate.begin();
    let mut stream = gate.stream(&session, &call("count", &json!({})));
    let id = place.pending();
    // It is a stream by now.
    let mut head = [0; 200];
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let read = stream.read(&mut head).unwrap();
    assert!(String::from_utf8_lossy(&head[..read]).contains("text/event-stream"));
    drop(stream);
    std::thread::sleep(Duration::from_millis(700));
    // A retry in time goes on with it.
    let stream = gate.stream(&session, &call("count", &json!({})));
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(place.pending(), id);
    drop(stream);
    place.comes_to(&id, "cancelled");
    assert!(place.calls().is_empty());
    drop(gate.gate);
}

#[test]
fn a_server_behind_a_url_is_called_as_it_wants_to_be() {
    let place = Place::with("upstream_token_file = \"upstream.token\"");
    std::fs::write(place.path("upstream.token"), "upstream-secret\n").unwrap();
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(place.path("upstream.token"), permissions).unwrap();
    let remote = Remote::start(&place);
    let gate = listen(&place, &["--upstream".to_owned(), remote.url.clone()]);
    let session = gate.begin();
    let headers = [("mcp-session-id", session.as_str()), ("authorization", "Bearer of-the-agent")];
    let result = gate.result(&headers, &call("look", &json!({ "text": "a" })));
    assert_eq!(counted(&result)["arguments"], json!({ "text": "a" }));
    let mut with_token = call("look", &json!({ "text": "b" }));
    with_token["params"]["_meta"] = json!({ "progressToken": "p" });
    let answer = gate.post(&headers, &with_token);
    assert!(answer.text.contains("\"progress\":99"), "{}", answer.text);
    counted(&gate.result(&[], &inline("look", &json!({ "text": "c" }))));
    let sent = lines(&place.path("server/headers"));
    let calls: Vec<_> = sent.iter().filter(|headers| headers.get("mcp-name").is_some()).collect();
    // With the protocol of 2026 the headers say what the body says.
    assert_eq!(
        (calls.len(), &calls[0]["mcp-name"], &calls[0]["mcp-method"]),
        (1, &json!("look"), &json!("tools/call"))
    );
    assert_eq!(calls[0]["mcp-protocol-version"], INLINE);
    assert!(sent.iter().all(|headers| headers["authorization"] == "Bearer upstream-secret"));
    assert!(sent.iter().any(|headers| headers.get("mcp-session-id") == Some(&json!("session-1"))));
    place.no_call_was_without_an_approval();
}

#[test]
fn a_server_behind_a_url_that_fails_leaves_no_second_run() {
    let place = Place::new();
    let remote = Remote::start(&place);
    let gate = listen(&place, &["--upstream".to_owned(), remote.url.clone()]);
    place.behave(&json!({ "exit": "after" }));
    let result = gate.result(&[], &inline("look", &json!({})));
    assert_eq!(refused(&result), "outcome_unknown");
    // It is away now: nothing is asked for.
    let asked = place.listed("executing,executed,failed,approved,pending").len();
    assert_eq!(refused(&gate.result(&[], &inline("look", &json!({ "text": "b" })))), "upstream_unreachable");
    assert_eq!(place.listed("executing,executed,failed,approved,pending").len(), asked);
    assert_eq!(place.calls().len(), 1);
    place.no_call_was_without_an_approval();
}

#[test]
fn only_what_a_server_cannot_have_begun_has_not_run() {
    let place = Place::new();
    let remote = Remote::start(&place);
    let gate = listen(&place, &["--upstream".to_owned(), remote.url.clone()]);
    for (status, code) in [
        (400, "upstream_unreachable"),
        (404, "upstream_unreachable"),
        (408, "outcome_unknown"),
        (409, "outcome_unknown"),
        (429, "outcome_unknown"),
        (499, "outcome_unknown"),
        (502, "outcome_unknown"),
    ] {
        place.behave(&json!({ "status": status }));
        let result = gate.result(&[], &inline("look", &json!({ "text": status.to_string() })));
        assert_eq!(refused(&result), code, "{status}");
    }
}

#[test]
fn a_call_that_has_begun_is_not_said_to_have_run_nothing() {
    let place = Place::with("allow_elicitation = true\ninput_seconds = 30");
    let remote = Remote::start(&place);
    let gate = listen(&place, &["--upstream".to_owned(), remote.url.clone()]);
    let begin = |arguments: &Value| {
        place.behave(&json!({ "ask": true }));
        let asked = gate.result(&[], &inline("look", arguments));
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        let mut answer = inline("look", arguments);
        answer["params"]["requestState"] = asked["requestState"].clone();
        answer["params"]["inputResponses"] = json!({ "sure": { "action": "accept" } });
        (answer, asked["_meta"]["countersign/request_id"].as_str().unwrap().to_owned())
    };
    let (answer, id) = begin(&json!({ "text": "a" }));
    place.behave(&json!({ "ask": true, "status": 404 }));
    assert_eq!(refused(&gate.result(&[], &answer)), "outcome_unknown");
    assert_eq!(place.comes_to(&id, "failed")["execution_result"]["error"], "outcome_unknown");
    // The answer was not forwarded, and may be given again.
    let (answer, id) = begin(&json!({ "text": "b" }));
    place.behave(&json!({ "ask": true, "long_list": true }));
    let result = gate.result(&[], &answer);
    assert_eq!(refused(&result), "upstream_unreachable");
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("has begun") && !text.contains("nothing was run"), "{text}");
    place.behave(&json!({ "ask": true }));
    assert_eq!(counted(&gate.result(&[], &answer))["seen"]["input"]["sure"]["action"], "accept");
    place.comes_to(&id, "executed");
}

#[test]
fn an_agent_on_stdin_reaches_a_server_behind_a_url() {
    let place = Place::new();
    let remote = Remote::start(&place);
    let words = [place.words(), vec!["--upstream".to_owned(), remote.url.clone()]].concat();
    let mut command = place.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut gate = Gate::new(child);
    gate.ask("initialize", initialize()["params"].clone());
    gate.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    assert_eq!(gate.ask("tools/list", json!({}))["result"]["tools"][0]["name"], "count");
    let call = gate.begin_call("count", json!({ "text": "a" }));
    place.approve(&place.pending());
    assert_eq!(counted(&gate.result(call))["count"], 1);
    gate.close_stdin();
    assert!(gate.wait().success());
    let output =
        place.command(&["gate", "--server", "x", "--upstream", "http://tools.example.com/mcp"]).output();
    assert_eq!(output.unwrap().status.code(), Some(2));
}
