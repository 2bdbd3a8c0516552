//! `countersign audit monitor` and `countersign audit verify`, on the log of a running service.

use crate::auditor::Auditor;
use crate::{Ended, Person};
use countersign_e2e::service::Service;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

impl Auditor {
    fn monitor(&self, log: &str) -> Ended {
        let (keys, state) = (self.path("jwks.json"), self.path("state"));
        self.person.run(&["audit", "monitor", log, "--key", &keys, "--state", &state])
    }

    fn verify(&self, arguments: &[&str]) -> Ended {
        let keys = self.path("jwks.json");
        self.person.run(&[&["audit", "verify", "--key", &keys], arguments].concat())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Makes events, and seals them.
fn events(service: &Service, requests: usize, word: &str) {
    let ann = service.requester("ann");
    for _ in 0..requests {
        let mut body = Service::medium();
        body["justification"] = json!(word);
        let path = Service::create(&ann, &body);
        ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
    }
    service.seal().unwrap();
}

/// Removes a directory and puts another in its place.
fn exchange(directory: &Path, with: &Path) {
    fs::remove_dir_all(directory).unwrap();
    copy(with, directory);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A log that was rewritten and signed with the real key, and one that was cut.
#[test]
fn a_monitor_refuses_a_log_that_was_rewritten_or_cut() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    let log = service.log_path();
    auditor.monitor(text(&log)).expect(4, "no checkpoint yet");
    events(&service, 5, "first");
    auditor.monitor(text(&log)).expect(0, "seen for the first time, and believed: 10 entries with root ");
    auditor.monitor(text(&log)).expect(0, "nothing was added: 10 entries");
    let early = auditor.home.path().join("early");
    copy(&log, &early);
    events(&service, 145, "second");
    auditor.monitor(text(&log)).expect(0, "290 entries were added, and all before them are as they were");
    let state = fs::read_to_string(auditor.path("state")).unwrap();

    // The same key, the same deployment, other events.
    let other = Service::start();
    for (requests, verdict) in [(140, "has been cut"), (10, "been rewritten"), (10, "been rewritten")] {
        events(&other, requests, "another");
        let refused = auditor.monitor(text(&other.log_path()));
        refused.expect(1, verdict);
        for part in ["there were 300 entries with root ", "entries with root "] {
            refused.expect(1, part);
        }
        assert_eq!(fs::read_to_string(auditor.path("state")).unwrap(), state, "what was seen is kept");
    }
    let kept = auditor.home.path().join("kept");
    copy(&log, &kept);
    exchange(&log, &early);
    auditor.monitor(text(&log)).expect(1, "the log has been cut: there were 300 entries");
    exchange(&log, &kept);
    auditor.monitor(text(&log)).expect(0, "nothing was added");
    // A checkpoint that another key has signed, and tiles that are gone.
    let mut keys: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(auditor.path("jwks.json")).unwrap()).unwrap();
    keys["keys"].as_array_mut().unwrap().retain(|key| key["purpose"] != "log");
    let jwks = auditor.path("jwks.json");
    let good = fs::read_to_string(&jwks).unwrap();
    fs::write(&jwks, keys.to_string()).unwrap();
    auditor.monitor(text(&log)).expect(1, "none of the keys has signed it");
    fs::write(&jwks, good).unwrap();
    events(&service, 1, "third");
    fs::remove_dir_all(log.join("tile/1")).unwrap();
    auditor.monitor(text(&log)).expect(1, "tile/1/000.p/1 is missing");
    assert_eq!(fs::read_to_string(auditor.path("state")).unwrap(), state);
}

#[test]
fn a_monitor_reads_the_log_of_a_service_if_its_caller_may_query_events() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    events(&service, 2, "one");
    auditor.monitor(service.base()).expect(0, "seen for the first time");
    // That it was read is an event too.
    events(&service, 200, "two");
    auditor.monitor(&format!("{}/v1/log/", service.base())).expect(0, "401 entries were added");
    auditor.verify(&["--log", service.base()]).expect(0, "405 entries");
    let guest = Auditor {
        person: Person::at(service.base(), Some(service.token("gus@example.com", &["guest"]))),
        ..Auditor::of(&service)
    };
    guest.monitor(service.base()).expect(3, "no policy permits `query_audit` to group guest");
}

#[test]
fn a_log_is_verified_by_itself_and_what_is_damaged_is_named() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    events(&service, 150, "one");
    let log = service.log_path();
    let name = text(&log).to_owned();
    auditor.verify(&["--log", &name]).expect(0, "300 entries with root ");
    auditor.verify(&["--log", &name]).expect(0, "of 150 streams checked: all as they were logged");
    let answer =
        auditor.person.json(&["audit", "verify", "--key", &auditor.path("jwks.json"), "--log", &name]);
    assert_eq!((&answer["verified"], &answer["size"]), (&json!(true), &json!(300)));
    for (file, said) in [
        ("tile/entries/000", "its hash is not that of what it says"),
        ("tile/0/001.p/44", "entry 256 is not the one that was logged"),
        ("tile/1/000.p/1", "tile/1/000.p/1 is not what follows from the tiles below it"),
        ("checkpoint", "the checkpoint is not believed"),
    ] {
        let path: PathBuf = log.join(file);
        let good = fs::read(&path).unwrap();
        let mut changed = good.clone();
        let at = good.windows(4).position(|word| word == b"medi").unwrap_or(9);
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        auditor.verify(&["--log", &name]).expect(1, said);
        fs::remove_file(&path).unwrap();
        auditor.verify(&["--log", &name]).expect(if file == "checkpoint" { 4 } else { 1 }, "");
        fs::write(&path, good).unwrap();
    }
    auditor.verify(&["--log", &auditor.path("nowhere")]).expect(4, "there is no directory");
    auditor.verify(&["--log", &auditor.path("jwks.json")]).expect(2, "a log is a directory or a URL");
    auditor.person.run(&["audit", "verify", "--log", &name]).expect(2, "--key");
}

/// What a service says of its requests, held against the log by one who reads both.
#[test]
fn requests_of_a_service_are_held_against_the_log() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    let path = Service::create(&service.requester("ann"), &Service::high());
    service.seal().unwrap();
    let log = service.log_path();
    Service::approve(&service.approver("bob"), &path).expect(200);
    auditor.verify(&[Service::id(&path), "--log", text(&log)]).expect(0, "1 request checked");
    auditor.verify(&["--request", Service::id(&path), "--log", text(&log)]).expect(0, "1 request checked");
    let all = auditor.verify(&["--all", "--log", text(&log)]);
    all.expect(0, "1 request checked: all as their trails have made them");
    all.expect(0, "1 event not in the log yet");
    // The same request, whose id follows from its key, with another content.
    let service = Service::start();
    let auditor = Auditor::of(&service);
    let other = Service::start();
    for (service, body) in [(&service, Service::medium()), (&other, Service::high())] {
        service.requester("ann").post_with_key("/v1/approvals", &body, "one").expect(201);
        service.seal().unwrap();
    }
    auditor.verify(&["--all", "--log", text(&service.log_path())]).expect(0, "1 request checked");
    let other = auditor.verify(&["--all", "--log", text(&other.log_path())]);
    other.expect(1, "event 1 is not the one that was logged");
}
