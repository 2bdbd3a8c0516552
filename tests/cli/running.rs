//! Commands that run once they are approved, without a terminal.

use crate::{BINARY, Person};
use countersign_e2e::program::Program;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// A service, its requester and its approver, and a directory that commands are run in.
pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) program: Program,
    pub(crate) ann: Person,
    pub(crate) bob: Person,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    fn with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("here")).unwrap();
        let program = Program::start_with(BINARY, &directory.path().join("data"), arguments);
        let mut ann = Person::of(&program, "ann", "developer");
        ann.variables.insert("PATH".to_owned(), std::env::var_os("PATH").unwrap().into_string().unwrap());
        let bob = Person::of(&program, "bob", "approver");
        Self { directory, program, ann, bob }
    }

    pub(crate) fn here(&self) -> std::path::PathBuf {
        self.directory.path().join("here")
    }

    /// An executable file, which takes the place of the one before.
    pub(crate) fn write(&self, name: &str, text: &str) {
        write(&self.here(), name, text);
    }

    /// `countersign run` with these options, of an operation that takes one approval.
    pub(crate) fn run(&self, options: &[&str], command: &[&str]) -> Running {
        self.run_as(&self.ann, &[&["--operation", "create_snapshot"], options].concat(), command)
    }

    /// The same of one that takes none.
    fn run_at_once(&self, options: &[&str], command: &[&str]) -> Running {
        self.run_as(&self.ann, &[&["--operation", "read_file"], options].concat(), command)
    }

    fn run_as(&self, person: &Person, options: &[&str], command: &[&str]) -> Running {
        let mut program = Command::new(BINARY);
        program.args([&["run"], options, &["--"], command].concat()).current_dir(self.here());
        program.env_clear().envs(&person.variables).stdin(Stdio::null());
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        Running { child, lines }
    }

    fn approve(&self, id: &str) {
        self.bob.run(&["approve", id, "--yes"]).expect(0, "1 of 1");
    }

    fn request(&self, id: &str) -> Value {
        self.ann.json(&["get", id])
    }

    fn report(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.here().join("report")).unwrap()).unwrap()
    }

    fn only_request(&self) -> Value {
        let all =
            self.ann.json(&["list", "--status", "pending,approved,executing,executed,failed,cancelled"]);
        let items = all["items"].as_array().unwrap().clone();
        assert_eq!(items.len(), 1, "{all}");
        self.request(items[0]["request_id"].as_str().unwrap())
    }
}

/// The policy that comes with the program, with one text in place of another.
fn policy(directory: &Path, from: &str, to: &str) -> String {
    let policy = directory.join("policy");
    std::fs::create_dir(&policy).unwrap();
    let operations = include_str!("../../policy/operations.toml");
    assert!(operations.contains(from), "{from}");
    std::fs::write(policy.join("operations.toml"), operations.replace(from, to)).unwrap();
    std::fs::write(policy.join("people.toml"), include_str!("../../policy/people.toml")).unwrap();
    std::fs::write(policy.join("access.cedar"), include_str!("../../policy/access.cedar")).unwrap();
    policy.to_str().unwrap().to_owned()
}

fn write(directory: &Path, name: &str, text: &str) {
    let new = directory.join("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(new, directory.join(name)).unwrap();
}

/// A command on its way.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

struct End {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Running {
    /// The request, once it waits.
    #[track_caller]
    fn id(&self) -> String {
        let line = self.line();
        assert!(line.contains(": pending, 0 of 1 approvals"), "{line}");
        line[..36].to_owned()
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits for a line with this text.
    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    fn end(mut self) -> End {
        let mut stdout = Vec::new();
        self.child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        let status = self.child.wait().unwrap();
        let code = status.code().unwrap_or(-1);
        let stderr: Vec<_> = self.lines.iter().collect();
        End { code, stdout, stderr: stderr.join("\n") }
    }
}

impl End {
    #[track_caller]
    fn expect(&self, code: i32, said: &str) {
        let stdout = String::from_utf8_lossy(&self.stdout);
        assert_eq!(self.code, code, "{stdout}\n{}", self.stderr);
        assert!(self.stderr.contains(said), "no `{said}` in\n{stdout}\n{}", self.stderr);
    }
}

#[test]
fn what_is_approved_runs_and_its_output_is_untouched() {
    let place = Place::new();
    place.write("tool", "#!/bin/sh\nprintf 'a\\000\\377b\\n'; echo oops >&2; cat \"$1\"; pwd; exit 3\n");
    std::fs::write(place.here().join("input"), "in the file\n").unwrap();
    let running = place.run(&["--report", "report"], &["./tool", "input"]);
    let id = running.id();
    let request = place.request(&id);
    assert_eq!(request["justification"], "./tool input");
    assert_eq!(request["environment"], "production");
    let parameters = &request["parameters"];
    assert_eq!(parameters["command"], serde_json::json!(["./tool", "input"]));
    assert_eq!(parameters["files"][0]["path"], "input");
    assert_eq!(parameters["stdin"], "null");
    assert!(parameters["environment"].get("COUNTERSIGN_TOKEN").is_none(), "{parameters}");
    place.approve(&id);
    let end = running.end();
    end.expect(3, "note: approved by bob@example.com");
    assert!(end.stderr.contains("oops"), "{}", end.stderr);
    let directory = place.here().canonicalize().unwrap();
    let expected = [&b"a\0\xffb\nin the file\n"[..], directory.to_str().unwrap().as_bytes(), b"\n"].concat();
    assert_eq!(end.stdout, expected);
    let request = place.request(&id);
    assert_eq!(request["status"], "failed", "{request}");
    let result = &request["execution_result"];
    assert_eq!((&result["exit_status"], &result["stderr"]["bytes"]), (&3.into(), &5.into()), "{result}");
    assert_eq!(result["stdout"]["bytes"], expected.len());
    assert!(result["stdout"].get("text").is_none(), "{result}");
    let report = place.report();
    assert_eq!(report["exit_code_of"], "command", "{report}");
    assert_eq!((&report["exit_code"], &report["reported"]), (&3.into(), &true.into()), "{report}");
    assert_eq!((&report["request_id"], &report["result"]), (&id.into(), result), "{report}");
}

#[test]
fn what_is_low_risk_runs_at_once_and_keeps_its_output_if_it_is_to() {
    let place = Place::new();
    let command = ["sh", "-c", "seq 5000; echo $PASSWORD; echo end >&2"];
    let mut ann = Person { variables: place.ann.variables.clone() };
    ann.variables.insert("PASSWORD".to_owned(), "hunter2".to_owned());
    let options = ["--operation", "read_file", "--keep-output", "--env-secret", "PASSWORD"];
    let end = place.run_as(&ann, &options, &command).end();
    end.expect(0, "end");
    assert!(end.stdout.ends_with(b"5000\nhunter2\n") && end.stdout.starts_with(b"1\n2\n"));
    let request = place.only_request();
    assert_eq!(request["status"], "executed", "{request}");
    assert_eq!(request["parameters"]["secret_environment"][0], "PASSWORD");
    assert!(!request["parameters"].to_string().contains("hunter2"), "{request}");
    let result = &request["execution_result"];
    let kept = result["stdout"]["text"].as_str().unwrap();
    assert!(kept.ends_with("5000\nhunter2\n") && kept.len() > 5000, "{kept}");
    assert_eq!(result["stderr"]["text"], "end\n");
}

#[test]
fn a_script_that_is_edited_while_its_request_is_pending_does_not_run() {
    for (edited, said) in
        [("tool", "the executable "), ("input", "the file input"), ("later", "the file later")]
    {
        let place = Place::new();
        place.write("tool", "#!/bin/sh\ntouch ran\n");
        place.write("input", "one");
        let running = place.run(&["--report", "report"], &["./tool", "input", "later"]);
        let id = running.id();
        place.write(edited, "#!/bin/sh\ntouch ran other\n");
        place.approve(&id);
        let end = running.end();
        end.expect(5, "changed since it was asked for");
        end.expect(5, said);
        assert!(!place.here().join("ran").exists());
        let request = place.request(&id);
        assert_eq!(request["status"], "cancelled", "{request}");
        assert!(request["cancellation_reason"].as_str().unwrap().contains(said), "{request}");
        let report = place.report();
        assert_eq!(report["exit_code_of"], "countersign");
        assert_eq!(report["error"]["code"], "target_changed", "{report}");
    }
}

#[test]
fn what_is_not_approved_does_not_run() {
    let place = Place::new();
    let touch = ["touch", "ran"];
    let running = place.run(&["--report", "report"], &touch);
    let id = running.id();
    place.bob.run(&["reject", &id, "--yes", "-m", "not now"]).expect(0, "rejected");
    running.end().expect(3, "rejected by bob@example.com: not now");
    assert_eq!(
        (&place.report()["exit_code"], &place.report()["error"]["code"]),
        (&3.into(), &"refused".into())
    );
    let running = place.run(&["--wait-timeout", "1"], &touch);
    let id = running.id();
    running.end().expect(7, "was not decided in time");
    assert_eq!(place.request(&id)["status"], "cancelled");
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let running = place.run(&["--report", "report"], &touch);
        let id = running.id();
        running.signal(signal);
        running.end().expect(code, &format!("{id} is cancelled"));
        assert_eq!(place.request(&id)["status"], "cancelled", "{signal}");
        assert_eq!(place.report()["exit_code_of"], "countersign");
    }
    let running = place.run(&[], &touch);
    let id = running.id();
    place.ann.run(&["cancel", &id]).expect(0, "cancelled");
    running.end().expect(3, "is cancelled");
    assert!(!place.here().join("ran").exists());
}

#[test]
fn a_request_that_expires_ends_the_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let policy = policy(directory.path(), "pending_seconds = 259_200", "pending_seconds = 2");
    let place = Place::with(&["--policy-dir", &policy]);
    let running = place.run(&[], &["touch", "ran"]);
    running.end().expect(7, "has expired");
    assert!(!place.here().join("ran").exists());
}

#[test]
fn a_service_that_is_killed_and_comes_back_is_found_again() {
    let mut place = Place::new();
    let running = place.run(&[], &["sh", "-c", "echo out; touch ran"]);
    let id = running.id();
    place.program.signal("KILL");
    place.program.wait();
    running.wait_for("asking again: ");
    let listen = place.program.base().strip_prefix("http://").unwrap().to_owned();
    place.program = Program::start_with(BINARY, &place.directory.path().join("data"), &["--listen", &listen]);
    place.approve(&id);
    let end = running.end();
    end.expect(0, "approved by");
    assert_eq!(end.stdout, b"out\n");
    assert_eq!(place.request(&id)["status"], "executed");
}

/// The service goes away while the command runs: its end is reported once the service is back.
#[test]
fn an_end_is_reported_to_a_service_that_was_away() {
    let mut place = Place::new();
    let running =
        place.run_at_once(&["--report", "report"], &["sh", "-c", "echo started >&2; sleep 2; exit 4"]);
    running.wait_for("started");
    place.program.signal("KILL");
    place.program.wait();
    running.wait_for("trying again");
    let listen = place.program.base().strip_prefix("http://").unwrap().to_owned();
    place.program = Program::start_with(BINARY, &place.directory.path().join("data"), &["--listen", &listen]);
    running.end().expect(4, "");
    assert_eq!(place.report()["reported"], true);
    assert_eq!(place.only_request()["execution_result"]["exit_status"], 4);
}

#[test]
fn what_cannot_be_run_is_not_asked_for() {
    let place = Place::new();
    std::fs::write(place.here().join("text"), "no program").unwrap();
    for (command, code, name) in [
        ("nothing-of-this-name", 127, "command_not_found"),
        ("./nothing", 127, "command_not_found"),
        ("./text", 126, "not_executable"),
        (".", 126, "not_executable"),
    ] {
        let end = place.run(&["--report", "report"], &[command]).end();
        end.expect(code, command);
        let report = place.report();
        assert_eq!(
            (&report["error"]["code"], &report["request_id"]),
            (&name.into(), &Value::Null),
            "{report}"
        );
    }
    place.run(&["--env", "NOT_SET"], &["true"]).end().expect(2, "NOT_SET is not set");
    place.run(&["--env", "COUNTERSIGN_TOKEN"], &["true"]).end().expect(2, "your token");
    place.run(&[], &[]).end().expect(2, "required");
    assert_eq!(place.ann.json(&["list"])["items"].as_array().unwrap().len(), 0);
    // What only the system can say is found out after the approval, and reported.
    place.write("odd", "no program");
    place.run_at_once(&[], &["./odd"]).end().expect(126, "odd: ");
    let request = place.only_request();
    assert_eq!(request["status"], "failed", "{request}");
    assert_eq!(request["execution_result"]["error"], "not_executable");
}

#[test]
fn signals_reach_the_command_and_its_end_is_that_of_a_shell() {
    let place = Place::new();
    let command =
        ["sh", "-c", "trap 'echo heard; exit 9' TERM; echo ready >&2; while :; do sleep 0.05; done"];
    let running = place.run_at_once(&[], &command);
    running.wait_for("ready");
    running.signal("TERM");
    let end = running.end();
    end.expect(9, "");
    assert_eq!(end.stdout, b"heard\n", "once");
    let running = place.run_at_once(&["--report", "report"], &["sh", "-c", "echo ready >&2; exec sleep 60"]);
    running.wait_for("ready");
    running.signal("HUP");
    running.end().expect(129, "");
    let report = place.report();
    assert_eq!((&report["result"]["signal"], &report["exit_code_of"]), (&"SIGHUP".into(), &"command".into()));
}

#[test]
fn an_execution_is_claimed_and_its_lease_is_renewed_while_the_command_runs() {
    let directory = tempfile::tempdir().unwrap();
    let policy =
        policy(directory.path(), "[operations.read_file]\n", "[operations.read_file]\nlease_seconds = 3\n");
    let place = Place::with(&["--policy-dir", &policy]);
    let running = place.run_at_once(&[], &["sleep", "5"]);
    running.end().expect(0, "");
    let request = place.only_request();
    assert_eq!((&request["status"], &request["claimed_by"]), (&"executed".into(), &"ann@example.com".into()));
    let events = place.ann.json(&["events", request["request_id"].as_str().unwrap()]);
    let items = events["items"].as_array().unwrap();
    let types: Vec<_> = items.iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert!(types.contains(&"EXECUTION_CLAIMED") && types.contains(&"EXECUTION_RENEWED"), "{types:?}");
    assert!(!types.contains(&"EXECUTION_UNKNOWN"), "{types:?}");
}

#[test]
fn a_run_that_is_killed_after_the_start_stays_executing() {
    let place = Place::new();
    let running = place.run_at_once(&[], &["sh", "-c", "echo ready >&2; exec sleep 1"]);
    running.wait_for("ready");
    running.signal("KILL");
    running.end();
    assert_eq!(place.only_request()["status"], "executing");
}

#[test]
fn a_machine_may_forbid_itself_more_than_policy_does() {
    let place = Place::new();
    let with = |name: &str, value: &str| {
        let mut variables = place.ann.variables.clone();
        variables.insert(name.to_owned(), value.to_owned());
        Person { variables }
    };
    let off = with("APPROVAL_WORKFLOW_ENABLED", "false");
    place.run_as(&off, &[], &["touch", "ran"]).end().expect(3, "APPROVAL_WORKFLOW_ENABLED is false");
    place.run_as(&off, &["--operation", "read_file"], &["touch", "ran"]).end().expect(0, "");
    place.run_as(&with("APPROVAL_WORKFLOW_ENABLED", "no"), &[], &["true"]).end().expect(2, "true or false");
    assert_eq!(place.ann.json(&["list"])["items"].as_array().unwrap().len(), 0);
    place.ann.create();
    let one = with("APPROVAL_MAX_PENDING", "1");
    place.run_as(&one, &[], &["true"]).end().expect(3, "APPROVAL_MAX_PENDING allows no other");
    assert_eq!(place.ann.json(&["list"])["items"].as_array().unwrap().len(), 1);
    let create = ["create", "reboot", "orders-db", "-e", "production", "-m", "why"];
    off.run(&create).expect(3, "APPROVAL_WORKFLOW_ENABLED is false");
    one.run(&create).expect(3, "APPROVAL_MAX_PENDING allows no other");
    let soon = with("APPROVAL_TIMEOUT", "1");
    place.run_as(&soon, &["--instance", "dev-db-01"], &["true"]).end().expect(7, "was not decided in time");
    place
        .run_as(&with("APPROVAL_TIMEOUT", "soon"), &[], &["true"])
        .end()
        .expect(2, "'soon' for '--wait-timeout");
}

/// What lies between a requester and the service: it sees each call before the service does.
struct Between {
    base: String,
}

#[derive(PartialEq)]
enum Answer {
    Given,
    Lost,
}

impl Between {
    fn new(base: &str, sees: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let service = base.strip_prefix("http://").unwrap().to_owned();
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (mut near, mut far) = (near.unwrap(), TcpStream::connect(&service).unwrap());
                let Some(call) = message(&mut near) else { continue };
                let answer = sees(call.lines().next().unwrap());
                // One call for each connection.
                let call = call.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                far.write_all(call.as_bytes()).unwrap();
                let mut answered = Vec::new();
                far.read_to_end(&mut answered).unwrap();
                if answer == Answer::Given {
                    let _ = near.write_all(&answered);
                }
            }
        });
        Self { base: own }
    }
}

/// A call with its body, which is ASCII here.
fn message(stream: &mut TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        text.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body).ok()?;
    Some(text + &body)
}

fn through(ann: &Person, between: &Between) -> Person {
    let mut variables = ann.variables.clone();
    variables.insert("COUNTERSIGN_URL".to_owned(), between.base.clone());
    Person { variables }
}

/// After the approval is spent a request cannot be cancelled: it has failed, and nothing has run.
#[test]
fn threat_14_a_script_that_is_edited_while_the_start_is_on_its_way_does_not_run() {
    let place = Place::new();
    place.write("tool", "#!/bin/sh\ntouch ran\n");
    let here = place.here();
    let between = Between::new(place.program.base(), move |call| {
        if call.contains("/claim") {
            write(&here, "tool", "#!/bin/sh\ntouch ran other\n");
        }
        Answer::Given
    });
    let ann = through(&place.ann, &between);
    let running = place.run_as(&ann, &["--operation", "read_file"], &["./tool"]);
    running.end().expect(5, "changed since it was asked for: the executable");
    assert!(!place.here().join("ran").exists());
    let request = place.only_request();
    assert_eq!(request["status"], "failed", "{request}");
    assert_eq!(request["execution_result"]["error"], "target_changed", "{request}");
}

#[test]
fn answers_that_are_lost_have_one_effect() {
    let place = Place::new();
    let seen = Mutex::new(BTreeSet::new());
    let between = Between::new(place.program.base(), move |call| {
        let is_first = seen.lock().unwrap().insert(call.to_owned());
        if is_first && call.contains("/execution") { Answer::Lost } else { Answer::Given }
    });
    let ann = through(&place.ann, &between);
    let end = place.run_as(&ann, &["--operation", "read_file"], &["sh", "-c", "echo ran >> runs"]).end();
    end.expect(0, "trying again");
    assert_eq!(std::fs::read_to_string(place.here().join("runs")).unwrap(), "ran\n");
    let request = place.only_request();
    assert_eq!(request["status"], "executed", "{request}");
    let events = place.ann.json(&["events", request["request_id"].as_str().unwrap()]);
    assert_eq!(events["items"].as_array().unwrap().len(), 4, "made, started, claimed, ended: {events}");
}

/// The service is not asked what was bound: it is compared with what is bound here.
#[test]
fn a_service_that_shows_another_command_gets_none_run() {
    let place = Place::new();
    place.run_at_once(&[], &["true"]).end().expect(0, "");
    let shown = place.only_request();
    let stranger = crate::strangers::Stranger::answering(201, &shown.to_string());
    let mut ann = Person { variables: place.ann.variables.clone() };
    ann.variables.insert("COUNTERSIGN_URL".to_owned(), stranger.base());
    place.run_as(&ann, &[], &["touch", "ran"]).end().expect(1, "shows other parameters");
    assert!(!place.here().join("ran").exists());
}
