//! A client of the Model Context Protocol, as a test drives it: messages as they are on the wire, one JSON document a line or one
//! request of HTTP.

use countersign_e2e::program::Program;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");
/// How long a test waits for a message.
const PATIENCE: Duration = Duration::from_secs(30);
/// The version without a handshake.
pub(crate) const INLINE: &str = "2026-07-28";

/// A service, an agent and an approver.
pub(crate) struct Place {
    pub(crate) _directory: tempfile::TempDir,
    pub(crate) program: Program,
    pub(crate) agent: String,
    pub(crate) approver: countersign_e2e::client::Client,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = Program::start_with(BINARY, &directory.path().join("data"), arguments);
        let agent = program.token("deploy-bot", "agent,developer");
        let approver = program.person("bob", "approver");
        Self { _directory: directory, program, agent, approver }
    }

    /// The program on stdin and stdout, for the agent.
    pub(crate) fn start(&self, version: &str, arguments: &[&str]) -> Stdioed {
        self.start_as(&self.agent, version, &json!({}), arguments)
    }

    pub(crate) fn start_as(
        &self,
        token: &str,
        version: &str,
        capabilities: &Value,
        arguments: &[&str],
    ) -> Stdioed {
        let mut client = Stdioed::spawn(self.program.base(), token, version, capabilities, arguments);
        client.begin();
        client
    }

    pub(crate) fn request(&self, id: &str) -> Value {
        self.approver.get(&format!("/v1/approvals/{id}")).expect(200)
    }

    pub(crate) fn approve(&self, id: &str) {
        let digest = self.request(id)["content_digest"].clone();
        let body = json!({ "content_digest": digest });
        self.approver.post(&format!("/v1/approvals/{id}/approve"), &body).expect(200);
    }

    pub(crate) fn reject(&self, id: &str, reason: &str) {
        let body = json!({ "reason": reason });
        self.approver.post(&format!("/v1/approvals/{id}/reject"), &body).expect(200);
    }

    /// The requests in this status.
    pub(crate) fn listed(&self, status: &str) -> Vec<Value> {
        let list = self.approver.get(&format!("/v1/approvals?status={status}")).expect(200);
        list["items"].as_array().unwrap().clone()
    }

    /// The only pending request, once there is one.
    pub(crate) fn pending(&self) -> String {
        let began = Instant::now();
        loop {
            if let [only] = self.listed("pending").as_slice() {
                return only["request_id"].as_str().unwrap().to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "{:?}", self.listed("pending"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What takes one approval.
pub(crate) fn snapshot() -> Value {
    json!({
        "operation_type": "create_snapshot",
        "instance_id": "production-db-01",
        "environment": "production",
        "parameters": { "name": "before" },
        "justification": "before the migration",
    })
}

/// `countersign mcp` as a child, and what it has said.
pub(crate) struct Stdioed {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    version: String,
    capabilities: Value,
    next: u64,
    pub(crate) notifications: Vec<Value>,
}

impl Stdioed {
    /// One whose service is at this URL.
    pub(crate) fn at(base: &str, token: &str, version: &str) -> Self {
        let mut client = Self::spawn(base, token, version, &json!({}), &[]);
        client.begin();
        client
    }

    fn spawn(base: &str, token: &str, version: &str, capabilities: &Value, arguments: &[&str]) -> Self {
        let variables = BTreeMap::from([
            ("COUNTERSIGN_URL", base),
            ("COUNTERSIGN_TOKEN", token),
            ("HOME", "/nonexistent"),
        ]);
        let mut child = Command::new(BINARY)
            .arg("mcp")
            .args(arguments)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                // Whatever is no message on stdout breaks the protocol.
                let message = serde_json::from_str(&line.unwrap()).unwrap();
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let stdin = child.stdin.take();
        let (version, capabilities) = (version.to_owned(), capabilities.clone());
        Self { child, stdin, lines, version, capabilities, next: 0, notifications: Vec::new() }
    }

    fn is_inline(&self) -> bool {
        self.version == INLINE
    }

    /// The handshake, where there is one.
    fn begin(&mut self) {
        if self.is_inline() {
            return;
        }
        let information = json!({ "name": "test", "version": "1" });
        let initialized = self.request(
            "initialize",
            &json!({ "protocolVersion": self.version, "capabilities": self.capabilities, "clientInfo": information }),
        );
        assert_eq!(initialized["result"]["protocolVersion"], json!(self.version), "{initialized}");
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    }

    pub(crate) fn send(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{message}").unwrap();
        stdin.flush().unwrap();
    }

    /// Sends a line that is no message, or one that cannot be made of a document.
    pub(crate) fn send_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// Sends a request, and gives its id.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> u64 {
        self.next += 1;
        let id = self.next;
        let mut params = params.clone();
        if self.is_inline() {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!(self.version);
            meta["io.modelcontextprotocol/clientInfo"] = json!({ "name": "test", "version": "1" });
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        }
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The answer to a request. Notifications that come before it are kept.
    #[track_caller]
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        self.answer_within(id, PATIENCE).unwrap_or_else(|| panic!("no answer to {id}"))
    }

    pub(crate) fn answer_within(&mut self, id: u64, time: Duration) -> Option<Value> {
        let end = Instant::now() + time;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(message) if message["id"] == json!(id) => return Some(message),
                Ok(message) => self.notifications.push(message),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => panic!("it has ended"),
            }
        }
    }

    #[track_caller]
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> Value {
        let id = self.ask(method, params);
        self.answer(id)
    }

    /// Asks for a call of a tool.
    pub(crate) fn ask_tool(&mut self, tool: &str, arguments: &Value) -> u64 {
        self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }))
    }

    /// The result of a call of a tool.
    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let id = self.ask_tool(tool, arguments);
        let answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    /// The document of a call that goes through.
    #[track_caller]
    pub(crate) fn done(&mut self, tool: &str, arguments: &Value) -> Value {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], json!(false), "{result}");
        result["structuredContent"].clone()
    }

    /// The document of a call that is refused with this code.
    #[track_caller]
    pub(crate) fn refused(&mut self, tool: &str, arguments: &Value, code: &str) -> Value {
        let result = self.call(tool, arguments);
        refusal(&result, code)
    }

    /// Closes stdin; how it ended, and what it has printed on stderr.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        drop(self.stdin.take());
        let mut stderr = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut stderr).unwrap();
        (self.child.wait().unwrap().code(), stderr)
    }
}

impl Drop for Stdioed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The document of a result that is a refusal with this code.
#[track_caller]
pub(crate) fn refusal(result: &Value, code: &str) -> Value {
    assert_eq!(result["isError"], json!(true), "{result}");
    let document = result["structuredContent"].clone();
    assert_eq!(document["code"], json!(code), "{result}");
    assert!(document["next_step"].as_str().is_some_and(|step| !step.is_empty()), "{result}");
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.contains(code), "{text}");
    document
}
