//! A gate as a test drives it: a service, a server that counts its calls, and messages as they are on the wire.

use countersign_e2e::client::Client;
use countersign_e2e::program::Program;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");
/// How long a test waits for a message.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The protocol without a handshake.
pub(crate) const INLINE: &str = "2026-07-28";

/// One approval for `count`, none for `look`.
const TOOLS: &str = "\
    [tools.count]\noperation = \"create_snapshot\"\n\
    [tools.structured]\noperation = \"create_snapshot\"\n\
    [tools.look]\noperation = \"read_file\"\n";

/// A service, an agent, an approver, and a place for the server and the state of the gate.
pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) program: Program,
    pub(crate) agent: String,
    pub(crate) approver: Client,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// One whose configuration begins with this.
    pub(crate) fn with(configuration: &str) -> Self {
        Self::started(configuration, "")
    }

    /// One whose policy has this too.
    pub(crate) fn under(access: &str) -> Self {
        Self::started("", access)
    }

    fn started(configuration: &str, access: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("server")).unwrap();
        let policy = directory.path().join("policy");
        std::fs::create_dir(&policy).unwrap();
        let access = format!("{}\n{access}\n", include_str!("../../policy/access.cedar"));
        for (name, text) in [
            ("operations.toml", include_str!("../../policy/operations.toml")),
            ("people.toml", include_str!("../../policy/people.toml")),
            ("access.cedar", &access),
        ] {
            std::fs::write(policy.join(name), text).unwrap();
        }
        let words = ["--policy-dir", policy.to_str().unwrap()];
        let program = Program::start_with(BINARY, &directory.path().join("data"), &words);
        let agent = program.token("deploy-bot", "agent,developer");
        let approver = program.person("bob", "approver");
        let place = Self { directory, program, agent, approver };
        place.configure(configuration);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes the configuration of gates that are started from now on.
    pub(crate) fn configure(&self, configuration: &str) {
        let text = format!("server = \"counting\"\n{configuration}\n{TOOLS}");
        std::fs::write(self.path("gate.toml"), text).unwrap();
    }

    /// Says what the server does from now on.
    pub(crate) fn behave(&self, behaviour: &Value) {
        std::fs::write(self.path("server/new"), behaviour.to_string()).unwrap();
        std::fs::rename(self.path("server/new"), self.path("server/behaviour.json")).unwrap();
    }

    /// The calls that have reached the server.
    pub(crate) fn calls(&self) -> Vec<Value> {
        lines(&self.path("server/calls"))
    }

    /// How often the server was asked for its tools.
    pub(crate) fn lists(&self) -> usize {
        lines(&self.path("server/lists")).len()
    }

    /// Approves a request, and waits until the gate looks at the tool again.
    pub(crate) fn approve_until_looked_at(&self, id: &str) {
        let before = self.lists();
        self.approve(id);
        self.until(|| self.lists() > before);
    }

    /// The service again, after it was killed, at the same address.
    pub(crate) fn restart_service(&mut self) {
        self.program.signal("KILL");
        self.program.wait();
        self.start_service_again();
    }

    pub(crate) fn start_service_again(&mut self) {
        let listen = self.program.base().strip_prefix("http://").unwrap().to_owned();
        self.program = Program::start_with(
            BINARY,
            &self.path("data"),
            &["--listen", &listen, "--policy-dir", &self.text("policy")],
        );
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(words).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.directory.path()).env("COUNTERSIGN_URL", self.program.base());
        command.env("COUNTERSIGN_TOKEN", &self.agent);
        command
    }

    /// The words that start a gate, without the server.
    pub(crate) fn words(&self) -> Vec<String> {
        let (configuration, state) = (self.text("gate.toml"), self.text("state"));
        ["gate", "--config", &configuration, "--state-directory", &state].map(str::to_owned).to_vec()
    }

    /// The words that start the server.
    pub(crate) fn server(&self) -> Vec<String> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("agents/counting_server.py");
        vec![python(), program.to_str().unwrap().to_owned(), self.text("server")]
    }

    /// A gate on stdin and stdout that has been introduced, with the protocol of 2025.
    pub(crate) fn start(&self) -> Gate {
        let mut gate = self.spawn();
        let capabilities = json!({ "sampling": {}, "elicitation": {}, "roots": {} });
        let info = json!({ "name": "test", "version": "1" });
        let params =
            json!({ "protocolVersion": "2025-06-18", "capabilities": capabilities, "clientInfo": info });
        let answer = gate.ask("initialize", params);
        assert_eq!(answer["result"]["serverInfo"]["name"], "counting", "{answer}");
        gate.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        gate
    }

    /// A gate that no agent has spoken to.
    pub(crate) fn spawn(&self) -> Gate {
        let words = [self.words(), vec!["--".to_owned()], self.server()].concat();
        let mut command = self.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("SECRET_OF_AGENT", "x").env("PASSED", "y");
        Gate::new(
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(),
        )
    }

    /// `countersign gate` with another command.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        let (configuration, state) = (self.text("gate.toml"), self.text("state"));
        let place = ["--config", &configuration, "--state-directory", &state];
        self.command(&[&["gate"], words, &place].concat()).stdin(Stdio::null()).output().unwrap()
    }

    pub(crate) fn request(&self, id: &str) -> Value {
        self.approver.get(&format!("/v1/approvals/{id}")).expect(200)
    }

    pub(crate) fn approve(&self, id: &str) {
        let digest = self.request(id)["content_digest"].clone();
        let body = json!({ "content_digest": digest });
        self.approver.post(&format!("/v1/approvals/{id}/approve"), &body).expect(200);
    }

    /// The requests in any of these statuses.
    pub(crate) fn listed(&self, status: &str) -> Vec<Value> {
        let list = self.approver.get(&format!("/v1/approvals?status={status}")).expect(200);
        list["items"].as_array().unwrap().clone()
    }

    /// How many approvals have been spent: no call may be without one. Each status is read by itself, so that one list misses a
    /// request that ends meanwhile; the next one has it.
    pub(crate) fn spent(&self) -> usize {
        let lists = [0; 2].map(|_| self.listed("executing,executed,failed"));
        let ids = lists.iter().flatten().map(|request| request["request_id"].as_str().unwrap());
        ids.collect::<std::collections::BTreeSet<_>>().len()
    }

    #[track_caller]
    pub(crate) fn no_call_was_without_an_approval(&self) {
        let (calls, spent) = (self.calls().len(), self.spent());
        assert!(calls <= spent, "{calls} calls, {spent} approvals");
    }

    /// The only pending request, once there is one.
    pub(crate) fn pending(&self) -> String {
        self.pending_of(1).remove(0)
    }

    /// The pending requests, once there are so many.
    pub(crate) fn pending_of(&self, many: usize) -> Vec<String> {
        let mut found = Vec::new();
        self.until(|| {
            found = self.listed("pending");
            found.len() == many
        });
        found.iter().map(|request| request["request_id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until a request is in a status.
    #[track_caller]
    pub(crate) fn comes_to(&self, id: &str, status: &str) -> Value {
        let began = Instant::now();
        loop {
            let request = self.request(id);
            if request["status"] == status {
                return request;
            }
            assert!(began.elapsed() < PATIENCE, "{request}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    pub(crate) fn until(&self, mut is_so: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "it does not come about");
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

/// The interpreter itself: what version managers put in its place takes long to start.
fn python() -> String {
    static FOUND: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let find = || {
        let output =
            Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    FOUND.get_or_init(find).clone()
}

/// A file with a JSON document on each line.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A gate that runs, and its agent.
pub(crate) struct Gate {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Mutex<Receiver<Value>>,
    waiting: Vec<Value>,
    next: u64,
    stderr: Arc<Mutex<String>>,
}

impl Gate {
    pub(crate) fn new(mut child: Child) -> Self {
        let stdin = child.stdin.take();
        let (sender, messages) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let _ = sender.send(serde_json::from_str(&line).unwrap());
                }
            });
        }
        let stderr = Arc::new(Mutex::new(String::new()));
        let (written, reader) = (Arc::clone(&stderr), BufReader::new(child.stderr.take().unwrap()));
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                written.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Self { child, stdin, messages: Mutex::new(messages), waiting: Vec::new(), next: 1, stderr }
    }

    /// What it has written for the operator.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits until it has written this.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        let began = Instant::now();
        while !self.stderr().contains(text) {
            assert!(began.elapsed() < PATIENCE, "{}", self.stderr());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string());
    }

    pub(crate) fn send_text(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    /// Sends a request; gives its id.
    pub(crate) fn begin(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next;
        self.next += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The answer to a request.
    #[track_caller]
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        self.message(|message| message.get("method").is_none() && message["id"] == json!(id))
    }

    /// The first message that is meant.
    #[track_caller]
    pub(crate) fn message(&mut self, is_meant: impl Fn(&Value) -> bool) -> Value {
        let found = self.waiting.iter().position(&is_meant);
        if let Some(found) = found {
            return self.waiting.remove(found);
        }
        loop {
            let message = match self.messages.get_mut().unwrap().recv_timeout(PATIENCE) {
                Ok(message) => message,
                Err(error) => panic!("{error}: {:?}\n{}", self.waiting, self.stderr()),
            };
            if is_meant(&message) {
                return message;
            }
            self.waiting.push(message);
        }
    }

    /// Whether no message comes for this time that is meant.
    pub(crate) fn is_silent_for(&mut self, time: Duration, is_meant: impl Fn(&Value) -> bool) -> bool {
        let end = Instant::now() + time;
        loop {
            match self.messages.get_mut().unwrap().recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(message) => self.waiting.push(message),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return !self.waiting.iter().any(is_meant);
                }
            }
        }
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        self.answer(id)
    }

    pub(crate) fn begin_call(&mut self, tool: &str, arguments: Value) -> u64 {
        self.begin("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// The result of a call.
    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.begin_call(tool, arguments);
        self.result(id)
    }

    #[track_caller]
    pub(crate) fn result(&mut self, id: u64) -> Value {
        let answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{answer}\n{}", self.stderr());
        answer["result"].clone()
    }

    pub(crate) fn cancel(&mut self, id: u64) {
        let params = json!({ "requestId": id, "reason": "timeout" });
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }));
    }

    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        self.wait();
    }

    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the counting server says of a call.
#[track_caller]
pub(crate) fn counted(result: &Value) -> Value {
    assert_ne!(result["isError"], json!(true), "{result}");
    serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap()
}

/// The code of a call that does not go on.
#[track_caller]
pub(crate) fn refused(result: &Value) -> String {
    assert_eq!(result["isError"], json!(true), "{result}");
    result["_meta"]["countersign/notice"]["code"].as_str().unwrap().to_owned()
}
