//! The log of a service as its operator meets it: when events are in it, its copy, its keys, and the check of a stopped one.

use countersign_audit::key_set::KeySet;
use countersign_e2e::audit_log::{VerifiedLog, verified};
use countersign_e2e::program::{Program, run};
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");

fn keys(program: &Program) -> String {
    program.person("ann", "developer").get("/.well-known/jwks.json").expect(200).to_string()
}

fn log(path: &Path, keys: &str) -> VerifiedLog {
    verified(path, &KeySet::parse(keys).unwrap()).unwrap()
}

/// Runs `countersign` and gives its code, and what it printed.
fn command(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(BINARY, arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), format!("{}{}", text(output.stdout), text(output.stderr)))
}

#[test]
fn an_event_is_in_the_log_within_a_second_and_at_the_latest_when_the_service_stops() {
    let home = tempfile::tempdir().unwrap();
    let (data, copy) = (home.path().join("data"), home.path().join("copy"));
    let mut program = Program::start_with(BINARY, &data, &["--log-copy", copy.to_str().unwrap()]);
    let keys = keys(&program);
    let ann = program.person("ann", "developer");
    let began = Instant::now();
    Service::create(&ann, &Service::high());
    while !data.join("log/checkpoint").exists() {
        assert!(began.elapsed() < Duration::from_secs(10), "{}", program.log());
        std::thread::yield_now();
    }
    for _ in 0..20 {
        let path = Service::create(&ann, &Service::medium());
        ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
    }
    program.signal("TERM");
    assert!(program.wait().success(), "{}", program.log());
    let both = [data.join("log"), copy.clone()].map(|path| log(&path, &keys));
    // The requests and their ends, and that so many of one person are unusual.
    assert_eq!(both[0].events.len(), 42);
    assert_eq!(both[0].checkpoint, both[1].checkpoint);

    // The whole store, the log, and each against the other.
    let jwks = home.path().join("jwks.json");
    fs::write(&jwks, &keys).unwrap();
    let (data, jwks, copied) = (data.to_str().unwrap(), jwks.to_str().unwrap(), copy.to_str().unwrap());
    let verify =
        || command(&["audit", "verify", "--all", "--data-dir", data, "--log", copied, "--key", jwks]);
    let (code, said) = verify();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains(
            "log: 42 events of 22 streams\n21 requests, 1 other stream checked: all as they were written"
        ),
        "{said}"
    );
    let id = both[0].events[0].0.strip_prefix("request/").unwrap();
    let (code, said) =
        command(&["verify", "--request", id, "--data-dir", data, "--log", copied, "--key", jwks]);
    assert_eq!(code, Some(0), "{said}");

    // A copy that was emptied is filled, and one that lags catches up.
    fs::remove_dir_all(&copy).unwrap();
    let mut program = Program::start_with(BINARY, Path::new(data), &["--log-copy", copied]);
    assert_eq!(log(&copy, &keys).events.len(), 42);
    program.signal("TERM");
    program.wait();
    let mut program = Program::start(BINARY, Path::new(data));
    Service::create(&program.person("ann", "developer"), &Service::high());
    program.signal("TERM");
    program.wait();
    assert_eq!(log(&copy, &keys).events.len(), 42);
    let (code, said) = verify();
    assert_eq!(code, Some(0), "what is not in a copy yet is no finding: {said}");
    assert!(said.contains("1 of the store not in it yet"), "{said}");
    let mut program = Program::start_with(BINARY, Path::new(data), &["--log-copy", copied]);
    program.signal("TERM");
    program.wait();
    assert_eq!(log(&copy, &keys).events.len(), 43);

    // One that differs is refused, and left as it is.
    let other = home.path().join("other");
    let mut program = Program::start_with(BINARY, &other, &[]);
    Service::create(&program.person("ann", "developer"), &Service::high());
    program.signal("TERM");
    program.wait();
    let foreign = other.join("log");
    let (code, said) = command(&["serve", "--data-dir", data, "--log-copy", foreign.to_str().unwrap()]);
    assert_eq!((code, said.contains("this is a copy of another log")), (Some(1), true), "{said}");
}

/// A restart from a backup of the store, with the log as it is: nothing is sealed, and the log says so.
#[test]
fn a_store_that_is_older_than_its_log_is_not_sealed() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut program = Program::start(BINARY, &data);
    Service::create(&program.person("ann", "developer"), &Service::high());
    program.signal("TERM");
    program.wait();
    let old = fs::read(data.join("countersign.db")).unwrap();
    let mut program = Program::start(BINARY, &data);
    Service::create(&program.person("ann", "developer"), &Service::high());
    program.signal("TERM");
    program.wait();
    let before = fs::read(data.join("log/checkpoint")).unwrap();
    fs::write(data.join("countersign.db"), old).unwrap();
    let mut program = Program::start(BINARY, &data);
    Service::create(&program.person("ann", "developer"), &Service::medium());
    program.signal("TERM");
    program.wait();
    assert!(program.log().contains("the store is older than its log"), "{}", program.log());
    assert_eq!(fs::read(data.join("log/checkpoint")).unwrap(), before);
}

#[test]
fn keys_of_the_log_are_listed_and_rotated() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut program = Program::start(BINARY, &data);
    let published: Value = serde_json::from_str(&keys(&program)).unwrap();
    Service::create(&program.person("ann", "developer"), &Service::high());
    program.signal("TERM");
    program.wait();
    let directory = data.to_str().unwrap();
    let (code, listed) = command(&["key", "list", "--json", "--data-dir", directory]);
    assert_eq!(code, Some(0), "{listed}");
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap(), published);
    let current = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("current") && line.contains(" log "));
        line.unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    let (code, before) = command(&["key", "list", "--purpose", "log", "--data-dir", directory]);
    assert_eq!((code, before.lines().count()), (Some(0), 2), "{before}");
    let (code, after) = command(&["key", "rotate", "--purpose", "log", "--data-dir", directory]);
    assert_eq!((code, after.lines().count()), (Some(0), 3), "{after}");
    assert_ne!(current(&before), current(&after));
    assert!(after.contains(&format!("past     log       {}", current(&before))), "{after}");
    // What was signed before is believed, and what follows is signed by the new one.
    let mut program = Program::start(BINARY, &data);
    let keys = keys(&program);
    Service::create(&program.person("ann", "developer"), &Service::high());
    program.signal("TERM");
    program.wait();
    assert_eq!(log(&data.join("log"), &keys).events.len(), 2);
    assert!(
        verified(&data.join("log"), &KeySet::parse(&published.to_string()).unwrap()).is_ok(),
        "it was published as the next one"
    );
}
