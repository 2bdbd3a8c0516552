//! The services of `examples/` that carry out what a permit allows, in Python, against a running service: a deployment
//! rule of GitHub, a run task of HCP Terraform and an admission webhook of Kubernetes. GitHub and HCP Terraform are
//! stubs that record what they are sent.

mod github;
mod hcp;
mod kubernetes;

use crate::{BINARY, Person};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use countersign_e2e::grants::root;
use countersign_e2e::moto;
use countersign_e2e::program::{Program, run};
use countersign_permit::PrivateKey;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// How long a service may take for what it does by itself.
const PATIENCE: Duration = Duration::from_secs(60);

const EXAMPLES: [&str; 3] = ["github-deployment-rule", "hcp-run-task", "kubernetes-webhook"];

/// A call that a stub has got.
#[derive(Debug, PartialEq)]
struct Call {
    method: String,
    path: String,
    token: Option<String>,
    body: Value,
}

#[derive(Clone)]
struct Answers {
    calls: Arc<Mutex<Sender<Call>>>,
    plan: Arc<Mutex<String>>,
    archive: Arc<Mutex<String>>,
}

/// GitHub's API and HCP Terraform's.
struct Stub {
    url: String,
    calls: Receiver<Call>,
    answers: Answers,
    _runtime: tokio::runtime::Runtime,
}

impl Stub {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, calls) = channel();
        let answers = Answers {
            calls: Arc::new(Mutex::new(sender)),
            plan: Arc::new(Mutex::new(r#"{"resource_changes":[]}"#.to_owned())),
            archive: Arc::new(Mutex::new(url.clone())),
        };
        let router = Router::new().fallback(answer).with_state(answers.clone());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            axum_server::from_tcp(listener).unwrap().serve(router.into_make_service()).await.unwrap();
        });
        Self { url, calls, answers, _runtime: runtime }
    }

    /// The next call that changes something.
    #[track_caller]
    fn next(&self) -> Call {
        self.calls.recv_timeout(PATIENCE).unwrap()
    }

    #[track_caller]
    fn nothing(&self) {
        assert_eq!(self.calls.try_recv().ok(), None);
    }
}

async fn answer(
    State(answers): State<Answers>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    if path == "/archive/plan" {
        // The redirect's place takes no token, and must not be shown one.
        let status =
            if headers.contains_key("authorization") { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        return (status, answers.plan.lock().unwrap().clone()).into_response();
    }
    let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    if path.ends_with("/json-output") {
        assert_eq!(token.as_deref(), Some("Bearer task-token"));
        let place = format!("{}/archive/plan", answers.archive.lock().unwrap());
        return (StatusCode::TEMPORARY_REDIRECT, [("location", place)]).into_response();
    }
    let status = if method == Method::POST { StatusCode::NO_CONTENT } else { StatusCode::OK };
    let body = serde_json::from_slice(&body).unwrap();
    let call = Call { method: method.to_string(), path, token, body };
    // A test that has ended listens no more.
    let _ = answers.calls.lock().unwrap().send(call);
    status.into_response()
}

/// A running example, gone when dropped.
struct Example {
    child: Child,
    url: String,
    lines: Receiver<String>,
    agent: ureq::Agent,
}

impl Example {
    /// The next line of its log with this in it. Lines before are passed over.
    #[track_caller]
    fn says(&self, what: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap();
            if line.contains(what) {
                return line;
            }
        }
    }

    /// The id of the request that it asks for next.
    #[track_caller]
    fn asks(&self) -> String {
        self.says(": pending").split([' ', ':']).nth(1).unwrap().to_owned()
    }

    /// Status and document of its answer.
    fn post(&self, body: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let mut request = self.agent.post(&self.url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send(body).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or_default())
    }

    /// The first line of its answer to a head that promises a body of so many bytes, of which none comes.
    fn promised(&self, bytes: usize) -> String {
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        write!(stream, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {bytes}\r\n\r\n").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct World {
    directory: TempDir,
    program: Program,
    stub: Stub,
    issuer: String,
    ann: Person,
    approvers: [Person; 2],
}

impl World {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let policy = directory.path().join("policy");
        fs::create_dir(&policy).unwrap();
        for file in ["access.cedar", "people.toml"] {
            fs::copy(root().join("policy").join(file), policy.join(file)).unwrap();
        }
        let mut operations = fs::read_to_string(root().join("policy/operations.toml")).unwrap();
        for example in EXAMPLES {
            let file = root().join("examples").join(example).join("operations.toml");
            operations.push_str(&fs::read_to_string(file).unwrap());
        }
        fs::write(policy.join("operations.toml"), operations).unwrap();
        let data = directory.path().join("data");
        let program = Program::start_with(BINARY, &data, &["--policy-dir", policy.to_str().unwrap()]);
        let ann = Person::of(&program, "ann", "developer");
        let approvers = ["bob", "carol"].map(|name| Person::of(&program, name, "approver"));
        // Whose permits are believed is in every event.
        let id = ann.json(&["create", "read_file", "host", "-e", "production", "-m", "x", "-p", "{}"])["request_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let events = ann.json(&["events", &id]);
        let issuer = find(&events, "origin").unwrap().as_str().unwrap().to_owned();
        Self { directory, program, stub: Stub::start(), issuer, ann, approvers }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// An example with these variables, as a service in this group.
    fn example(&self, program: &str, group: &str, variables: &[(&str, &str)]) -> Example {
        let data = self.directory.path().join("data");
        let arguments = ["token", "--service", "example", "--groups", group, "--data-dir"];
        let issued = run(BINARY, &[&arguments[..], &[data.to_str().unwrap()]].concat());
        let token = self.file("token", &String::from_utf8(issued.stdout).unwrap());
        let mut environment = BTreeMap::from([
            ("COUNTERSIGN_URL", self.program.base()),
            ("COUNTERSIGN_ISSUER", &self.issuer),
            ("COUNTERSIGN_TOKEN_FILE", &token),
            ("LISTEN", "127.0.0.1:0"),
        ]);
        environment.extend(variables.iter().copied());
        let mut child = Command::new(moto::python())
            .arg(root().join("examples").join(program))
            // No compiled modules in the working tree.
            .env_clear()
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(environment)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Example { child, url, lines, agent }
    }

    fn github(&self, variables: &[(&str, &str)]) -> Example {
        let token = self.file("github-token", "installation-token\n");
        let secret = self.file("webhook-secret", "webhook-secret\n");
        let own = [
            ("GITHUB_API_URL", self.stub.url.as_str()),
            ("GITHUB_TOKEN_FILE", &token),
            ("GITHUB_WEBHOOK_SECRET_FILE", &secret),
        ];
        self.example("github-deployment-rule/rule.py", "developer", &[&own[..], variables].concat())
    }

    fn hcp(&self) -> Example {
        let key = self.file("hmac-key", "hmac-key\n");
        let url = self.stub.url.as_str();
        let own = [("HCP_URL", url), ("HCP_ARCHIVE_URL", url), ("HCP_HMAC_KEY_FILE", &key)];
        self.example("hcp-run-task/task.py", "developer", &own)
    }

    fn approve(&self, id: &str) {
        for approver in &self.approvers {
            approver.run(&["approve", id, "--yes"]).expect(0, "");
        }
    }

    fn request(&self, id: &str) -> Value {
        self.approvers[0].json(&["get", id])
    }

    /// The request once what carries it out has reported.
    fn over(&self, example: &Example, id: &str) -> Value {
        // The report is the last call of an example, and follows the line that says what was answered.
        example.says("answers");
        let mut looks = std::iter::repeat_with(|| self.request(id)).take(600);
        looks.find(|request| request["status"] != "executing").unwrap()
    }

    /// A permit for these, by ann.
    fn permit(&self, operation: &str, instance: &str, parameters: &Value) -> String {
        let text = parameters.to_string();
        let create = ["create", operation, instance, "-e", "production", "-m", "why", "-p", &text];
        let request = self.ann.json(&create);
        let id = request["request_id"].as_str().unwrap();
        if request["status"] == "pending" {
            self.approve(id);
        }
        let file = self.directory.path().join("permit");
        let _ = fs::remove_file(&file);
        self.ann.run(&["start", id, "--permit", file.to_str().unwrap()]).expect(0, "");
        fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// The key that signs its permits.
    fn signing_key(&self) -> PrivateKey {
        let keys = fs::read_to_string(self.directory.path().join("data/signing-keys.json")).unwrap();
        let keys: Value = serde_json::from_str(&keys).unwrap();
        let key = hex::decode(keys["current"].as_str().unwrap()).unwrap();
        PrivateKey::from_bytes(&key.try_into().unwrap()).unwrap()
    }
}

/// The first member of this name, however deep.
fn find<'a>(document: &'a Value, name: &str) -> Option<&'a Value> {
    match document {
        Value::Object(members) => {
            members.get(name).or_else(|| members.values().find_map(|member| find(member, name)))
        }
        Value::Array(elements) => elements.iter().find_map(|element| find(element, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[test]
fn examples_need_the_packages_that_are_tested_and_a_policy_without_mistakes() {
    let lines = |path: &str| {
        let text = fs::read_to_string(root().join(path)).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    let tested = lines("tests/aws/requirements.txt");
    for package in lines("examples/requirements.txt") {
        assert!(tested.contains(&package), "{package}");
    }
    let world = World::start();
    let policy = world.directory.path().join("policy");
    let checked = world.ann.run(&["policy", "check", policy.to_str().unwrap()]);
    checked.expect(0, "0 errors, 0 warnings");
}
