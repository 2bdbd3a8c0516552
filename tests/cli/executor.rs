//! `countersign executor` with a program in Python, the one of `examples/executor`, against a running service: what it
//! does, what it never does, and what becomes of it when it is killed.

use crate::{BINARY, Ended, Person};
use countersign_core::timestamp::Timestamp;
use countersign_e2e::grants::root;
use countersign_e2e::program::{Program, run};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// What stands before the example: it counts effects, and what `apply` of a file named `kill` says happens to the
/// executor.
const WRAPPER: &str = r#"
import json, os, signal, subprocess, sys
example, limits, directory = sys.argv[1:4]
text = sys.stdin.read()
if json.loads(text)["function"] != "apply":
    sys.exit(subprocess.run([sys.executable, example, limits], input=text, text=True).returncode)
when = open(directory + "/kill").read() if os.path.exists(directory + "/kill") else ""
if when == "before":
    os.kill(os.getppid(), signal.SIGKILL)
    sys.exit(1)
open(directory + "/effects", "a").write("x")
answer = subprocess.run([sys.executable, example, limits], input=text, text=True, capture_output=True)
if when == "after":
    os.kill(os.getppid(), signal.SIGKILL)
if when == "crash":
    sys.exit(1)
print(answer.stdout)
"#;

struct World {
    directory: TempDir,
    program: Program,
    ann: Person,
    bob: Person,
    executor: Person,
}

impl World {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let policy = directory.path().join("policy");
        fs::create_dir(&policy).unwrap();
        for file in ["access.cedar", "people.toml"] {
            fs::copy(root().join("policy").join(file), policy.join(file)).unwrap();
        }
        let people = fs::read_to_string(policy.join("people.toml")).unwrap();
        fs::write(
            policy.join("people.toml"),
            people.replace("owner_required = true", "owner_required = false"),
        )
        .unwrap();
        let operations = fs::read_to_string(root().join("policy/operations.toml")).unwrap();
        let operation = "[operations.set_limit]\nproduction = \"medium\"\nnon_production = \"low\"\nexecutor = \"program\"\n";
        fs::write(policy.join("operations.toml"), format!("{operations}\n{operation}")).unwrap();
        fs::write(directory.path().join("limits.json"), r#"{"queue-1": 10}"#).unwrap();
        fs::write(directory.path().join("wrapper.py"), WRAPPER).unwrap();
        let data = directory.path().join("data");
        let program = Program::start_with(BINARY, &data, &["--policy-dir", policy.to_str().unwrap()]);
        let issued = run(
            BINARY,
            &["token", "--service", "limits", "--groups", "executor", "--data-dir", data.to_str().unwrap()],
        );
        let token = String::from_utf8(issued.stdout).unwrap().trim().to_owned();
        let executor = Person::at(program.base(), Some(token));
        let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
        Self { directory, program, ann, bob, executor }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn create(&self, parameters: &str, further: &[&str]) -> String {
        let create =
            ["create", "set_limit", "queue-1", "-e", "production", "-m", "too slow", "-p", parameters];
        self.ann.json(&[&create, further].concat())["request_id"].as_str().unwrap().to_owned()
    }

    /// One look of an executor that remembers nothing.
    fn look(&self, options: &[&str]) -> Ended {
        let example = root().join("examples/executor/limits.py");
        let (limits, wrapper) = (self.path("limits.json"), self.path("wrapper.py"));
        let program = ["--", "python3", &wrapper, example.to_str().unwrap(), &limits, &self.path("")];
        let command = ["executor", "--operations", "set_limit", "--once"];
        let mut person = Person { variables: self.executor.variables.clone() };
        person.variables.insert("PATH".to_owned(), std::env::var_os("PATH").unwrap().into_string().unwrap());
        person.run_or_killed(&[&command[..], options, &program].concat())
    }

    fn request(&self, id: &str) -> Value {
        self.ann.json(&["get", id])
    }

    fn effects(&self) -> usize {
        fs::read(self.path("effects")).map_or(0, |effects| effects.len())
    }

    fn limit(&self) -> Value {
        let limits: Value = serde_json::from_slice(&fs::read(self.path("limits.json")).unwrap()).unwrap();
        limits["queue-1"].clone()
    }

    /// A request for 20, observed, approved and started.
    fn started(&self) -> String {
        let id = self.create(r#"{"limit": 20}"#, &[]);
        self.look(&[]).expect(0, "its target is recorded");
        self.bob.run(&["approve", &id, "--yes"]).expect(0, "");
        self.ann.run(&["start", &id]).expect(0, "");
        id
    }
}

#[test]
fn what_was_approved_is_carried_out_once_by_the_executor_alone() {
    let world = World::start();
    let id = world.create(r#"{"limit": 20}"#, &[]);
    assert_eq!(world.request(&id)["target"], Value::Null);
    world.look(&[]).expect(0, "its target is recorded");
    let request = world.request(&id);
    assert_eq!(
        (&request["target"], &request["target_observed_by"]),
        (&json!({ "limit": 10 }), &json!("service:limits"))
    );
    world.executor.run(&["approve", &id, "--yes"]).expect(3, "");
    world.bob.run(&["approve", &id, "--yes"]).expect(0, "");
    world.look(&[]).expect(0, "");
    assert_eq!((world.effects(), world.request(&id)["status"].clone()), (0, json!("approved")));
    world.ann.run(&["start", &id]).expect(0, "");
    world.look(&[]).expect(0, "its call is taken");
    assert_eq!(world.request(&id)["claimed_by"], "service:limits");
    world.look(&[]).expect(0, "it is done");
    let request = world.request(&id);
    assert_eq!(
        (&request["status"], &request["execution_result"]),
        (&json!("executed"), &json!({ "limit": 20 }))
    );
    world.look(&[]).expect(0, "");
    assert_eq!((world.effects(), world.limit()), (1, json!(20)));
    world.program.signal("TERM");
}

#[test]
fn what_is_automatic_is_started_once_it_is_approved() {
    let world = World::start();
    let id = world.create(r#"{"limit": 20}"#, &["--execution", "automatic"]);
    let time = in_half_a_day(&world.request(&id));
    let window = format!("{}/{}", world.request(&id)["requested_at"].as_str().unwrap(), time);
    let bound = world.create(r#"{"limit": 30}"#, &["--window", &window]);
    world.bob.run(&["approve", &bound, "--yes"]).expect(0, "Window");
    let later = world.create(r#"{"limit": 30}"#, &["--execution", "automatic", "--execute-at", &time]);
    world.look(&[]).expect(0, "its target is recorded");
    assert_eq!(world.effects(), 0);
    for id in [&id, &later] {
        world.bob.run(&["approve", id, "--yes"]).expect(0, "");
    }
    world.look(&[]).expect(0, "its call is taken");
    world.look(&[]).expect(0, "it is done");
    let request = world.request(&id);
    assert_eq!(
        (&request["status"], &request["execution_started_by"]),
        (&json!("executed"), &json!("service:limits"))
    );
    assert_eq!((world.effects(), world.request(&later)["status"].clone()), (1, json!("approved")));
}

/// A time within which an approval lasts.
fn in_half_a_day(request: &Value) -> String {
    let requested_at = Timestamp::parse(request["requested_at"].as_str().unwrap()).unwrap();
    requested_at.plus_seconds(12 * 60 * 60).to_string()
}

#[test]
fn a_target_that_has_changed_or_was_never_seen_is_left_alone() {
    let world = World::start();
    let id = world.started();
    fs::write(world.path("limits.json"), r#"{"queue-1": 11}"#).unwrap();
    world.look(&[]).expect(0, "it has failed: state_changed");
    assert_eq!(world.request(&id)["execution_result"]["code"], "state_changed");
    let unseen = world.create(r#"{"limit": 20}"#, &[]);
    world.bob.run(&["approve", &unseen, "--yes"]).expect(0, "");
    world.ann.run(&["start", &unseen]).expect(0, "");
    world.look(&[]).expect(0, "it has failed: state_changed");
    assert_eq!((world.effects(), world.limit()), (0, json!(11)));
}

#[test]
fn parameters_that_the_program_refuses_are_neither_observed_nor_carried_out() {
    let world = World::start();
    let id = world.create(r#"{"limit": 2000, "x": 1}"#, &[]);
    let ended = world.look(&[]);
    ended.expect(0, "/parameters/limit must be a whole number from 0 to 1000");
    assert!(ended.stderr.contains("/parameters/x"), "{ended:?}");
    assert_eq!(world.request(&id)["target"], Value::Null);
}

/// What the executor and its program are killed at, the effects it has had, and what is to be seen of it then.
#[test]
fn an_executor_that_is_killed_at_its_call_has_one_effect_at_most() {
    for (when, effects, status) in
        [("before", 0, "executing"), ("after", 1, "executed"), ("crash", 1, "executed")]
    {
        let world = World::start();
        let id = world.started();
        fs::write(world.path("kill"), when).unwrap();
        let ended = world.look(&[]);
        assert_eq!(ended.code, if when == "crash" { 0 } else { 137 }, "{when}: {ended:?}");
        assert_eq!(world.request(&id)["execution_state"], "claimed", "{when}");
        for _ in 0..3 {
            world.look(&[]).expect(0, "");
        }
        assert_eq!(
            (world.effects(), world.request(&id)["status"].clone()),
            (effects, json!(status)),
            "{when}"
        );
    }
}

#[test]
fn a_permit_that_is_not_signed_by_a_given_key_is_not_claimed() {
    let world = World::start();
    let id = world.started();
    let keys = world.path("jwks.json");
    fs::write(&keys, r#"{"keys":[]}"#).unwrap();
    world.look(&["--key", &keys, "--issuer", "x"]).expect(0, "the permit is not claimed");
    assert_eq!((world.effects(), world.request(&id)["execution_state"].clone()), (0, json!("started")));
}

#[test]
fn an_executor_is_not_asked_for_what_it_does_not_carry_out() {
    let world = World::start();
    let id = world.started();
    let missing: &Path = Path::new("/nonexistent/program");
    let of = |options: &[&str]| {
        let program = ["--once", "--", missing.to_str().unwrap()];
        world.executor.run(&[&["executor"], options, &program].concat())
    };
    of(&["--operations", "reboot"]).expect(0, "");
    of(&["--name", "other", "--operations", "set_limit"]).expect(0, "");
    of(&["--operations", "set_limit"]).expect(0, "the program does not start");
    assert_eq!(world.request(&id)["execution_state"], "started");
    of(&[]).expect(2, "--operations");
}
