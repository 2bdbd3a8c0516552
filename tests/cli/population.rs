//! `countersign audit population`: made of the log of a running service, and recounted by the program and in Python.

use crate::auditor::Auditor;
use crate::{BINARY, Ended, Person};
use countersign_e2e::grants::root;
use countersign_e2e::program::Program;
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const DAY: [&str; 4] = ["--from", "2026-01-01", "--to", "2026-01-02"];

impl Auditor {
    /// Makes the population of the first day, of this log.
    fn population(&self, log: &str, more: &[&str]) -> Ended {
        let (keys, file) = (self.path("jwks.json"), self.path("all.csv"));
        let options = ["--log", log, "--key", &keys, "--file", &file];
        self.person.run(&[&["audit", "population"], DAY.as_slice(), &options, more].concat())
    }

    fn recount(&self, log: &str) -> Ended {
        let (keys, file) = (self.path("jwks.json"), self.path("all.csv"));
        self.person.run(&["audit", "population", "--check", &file, "--log", log, "--key", &keys])
    }

    /// What the recount in Python says, of the events as they are exported, and whether it is content.
    fn recount_in_python(&self, log: &str) -> (bool, String) {
        let (keys, events) = (self.path("jwks.json"), self.path("events.jsonl"));
        let exported = ["audit", "export", "--format", "jsonl", "--log", log, "--key", &keys];
        self.person.run(&[&exported[..], &["--file", &events, "--replace"]].concat()).expect(0, "");
        let program = root().join("tests/readers/population.py");
        let output = Command::new("python3")
            .arg("-B")
            .arg(program)
            .args([events, self.path("all.csv"), keys])
            .output();
        let output = output.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Changes a file; the recount and the reader in Python have to refuse it, and the recount with these words.
    #[track_caller]
    fn refused(&self, log: &str, name: &str, change: impl Fn(&str) -> String, said: &str) {
        let good = self.read(name);
        let changed = change(&good);
        assert_ne!(good, changed);
        fs::write(self.path(name), changed).unwrap();
        self.recount(log).expect(1, said);
        let (is_content, said) = self.recount_in_python(log);
        assert!(!is_content && !said.contains("Traceback"), "{said}");
        fs::write(self.path(name), good).unwrap();
    }
}

/// Three requests of the first day, and one of the next.
fn requests(service: &Service) -> [String; 3] {
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let approved = service.approved(&ann);
    service.host.advance_milliseconds(1000);
    let started = service.approved(&ann);
    Service::started(&ann, &started);
    service.host.advance_milliseconds(1000);
    let rejected = Service::create(&ann, &Service::high());
    bob.post(&format!("{rejected}/reject"), &json!({ "reason": "not today" })).expect(200);
    service.host.advance_milliseconds(24 * 60 * 60 * 1000);
    Service::create(&ann, &Service::low());
    service.seal().unwrap();
    [approved, started, rejected].map(|path| Service::id(&path).to_owned())
}

fn line(table: &str, number: usize) -> String {
    format!("{}\r\n", table.lines().nth(number).unwrap())
}

#[test]
fn a_population_is_every_request_of_a_span_and_anybody_recounts_it() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    let [approved, started, rejected] = requests(&service);
    let made = auditor.population(service.base(), &[]);
    made.expect(0, "all.csv: 3 requests created from 2026-01-01T00:00:00.000Z until before 2026-01-02T00:00:00.000Z, of ");
    made.expect(0, "warning: the manifest is not signed by the deployment");
    assert!(!made.stderr.contains("ends before"), "{made:?}");
    let table = auditor.read("all.csv");
    let rows: Vec<Vec<_>> =
        table.lines().skip(1).map(|line| line.trim_matches('"').split(r#"",""#).collect()).collect();
    for (row, (id, status)) in
        rows.iter().zip([(&approved, "approved"), (&started, "executing"), (&rejected, "rejected")])
    {
        assert_eq!((row[0], row[2], row[7]), (id.as_str(), "ann@example.com", status), "{row:?}");
    }
    assert_eq!(
        (rows.len(), rows[0][9], rows[2][10], rows[1][12]),
        (3, "bob@example.com", "bob@example.com", "ann@example.com")
    );
    for file in ["all.csv", "all.csv.manifest.json"] {
        assert_eq!(fs::metadata(auditor.path(file)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let directory = service.log_path();
    let directory = directory.to_str().unwrap();
    let recounted = auditor.recount(service.base());
    recounted.expect(0, "recounted: 3 requests created from ");
    recounted.expect(0, "; not signed by the deployment");
    assert_eq!(auditor.recount_in_python(directory), (true, "good; 3 rows, not signed\n".to_owned()));

    // The log grows: what the manifest says is of the log as it was.
    service.expire();
    let ann = service.requester("ann");
    for _ in 0..130 {
        let path = Service::create(&ann, &Service::medium());
        ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
    }
    service.seal().unwrap();
    assert!(Path::new(directory).join("tile/entries/000").exists(), "a tile has become full");
    auditor.recount(directory).expect(0, "recounted: 3 requests");
    assert_eq!(auditor.recount_in_python(directory), (true, "good; 3 rows, not signed\n".to_owned()));

    // Nothing is written over what is there, unless that is asked for.
    auditor.population(directory, &[]).expect(5, "is there already; --replace");
    assert_eq!(auditor.read("all.csv"), table);
    auditor.population(directory, &["--replace"]).expect(0, "3 requests");
    assert!(auditor.read("all.csv").contains(r#""expired""#));
    auditor.recount(directory).expect(0, "recounted: 3 requests");
}

#[test]
fn a_table_or_manifest_that_was_changed_is_refused_with_the_first_difference() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    let [approved, started, _] = requests(&service);
    let log = service.log_path();
    let log = log.to_str().unwrap();
    auditor.population(log, &[]).expect(0, "");
    let cell = |table: &str| table.replacen("bob@example.com", "eve@example.com", 1);
    let said = format!(
        r#"row 1, request {approved}: approved_by is "eve@example.com", and the log gives "bob@example.com""#
    );
    auditor.refused(log, "all.csv", cell, &said);
    let hostile = |table: &str| table.replacen("bob@example.com", "\u{1b}[2J\u{202e}", 1);
    auditor.refused(log, "all.csv", hostile, r#"approved_by is "\u{1b}[2J\u{202e}", and"#);
    let removed = |table: &str| table.replace(&line(table, 2), "");
    auditor.refused(log, "all.csv", removed, &format!("row 2 is missing: request {started} of the log"));
    let added = |table: &str| table.to_owned() + &line(table, 1).replace(&approved, "another");
    auditor.refused(log, "all.csv", added, r#"row 4: request "another" is not in the log"#);
    for (from, to, said) in [
        (r#""rows":3"#, r#""rows":4"#, "the manifest's member rows is 4, and the table has 3"),
        (r#""sha256":""#, r#""sha256":"0"#, "the manifest's member sha256 is not that of the table"),
        ("2026-01-02T", "2026-01-03T", "request "),
        (r#""tree_size":"#, r#""tree_size":1"#, "the manifest's member tree_size is 1"),
        (
            r#""origin":"urn:countersign:"#,
            r#""origin":"urn:other:"#,
            "member origin is not that of its checkpoint",
        ),
        ("\\n\\n", "\\n1\\n\\n", "the manifest's member checkpoint: "),
        ("population.v1", "population.v2", "it is of another format"),
    ] {
        auditor.refused(log, "all.csv.manifest.json", |text| text.replacen(from, to, 1), said);
    }
    auditor.recount(log).expect(0, "recounted");

    // A log that was rewritten since, and signed with the real key.
    let other = Service::start();
    requests(&other);
    let refused = auditor.recount(other.log_path().to_str().unwrap());
    refused.expect(1, "the log has been rewritten");
    fs::remove_file(auditor.path("all.csv.manifest.json")).unwrap();
    auditor.recount(log).expect(1, "all.csv.manifest.json: ");
}

#[test]
fn nothing_is_written_of_a_log_that_is_damaged() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    requests(&service);
    let log = service.log_path();
    let entries = log.join("tile/entries/000.p");
    let bundle = fs::read_dir(&entries).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&bundle).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let log = log.to_str().unwrap();
    auditor.population(log, &[]).expect(1, "the log is damaged");
    let (keys, file) = (auditor.path("jwks.json"), auditor.path("events.jsonl"));
    let export = ["audit", "export", "--format", "jsonl", "--log", log, "--key", &keys];
    auditor.person.run(&[&export[..], &["--file", &file]].concat()).expect(1, "the log is damaged");
    let printed = auditor.person.run(&export);
    printed.expect(1, "the log is damaged");
    assert_eq!(printed.stdout, "");
    let left: Vec<_> =
        fs::read_dir(auditor.home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["jwks.json"]);
}

#[test]
fn a_command_line_that_does_not_say_what_to_do_is_refused() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    requests(&service);
    let (keys, file, log) = (auditor.path("jwks.json"), auditor.path("all.csv"), service.log_path());
    let log = ["--log", log.to_str().unwrap(), "--key", &keys];
    let run = |more: &[&str]| auditor.person.run(&[&["audit", "population"], log.as_slice(), more].concat());
    run(&["--from", "2026-01-02", "--to", "2026-01-02", "--file", &file])
        .expect(2, "--from must be before --to");
    run(&["--from", "2026-01-02", "--file", &file]).expect(2, "--to");
    run(&["--from", "soon", "--to", "2026-01-02", "--file", &file]).expect(2, "--from");
    run(&["--check", &file, "--from", "2026-01-01"]).expect(2, "--from");
    run(&[DAY.as_slice(), &["--file", &file, "--sample", "2"]].concat()).expect(2, "--seed");
    let early = run(&["--from", "2026-01-02", "--to", "2026-02-01", "--file", &file]);
    early.expect(0, "warning: the log ends before --to");
    early.expect(0, "1 requests created");
    let none = run(&["--from", "2025-01-01", "--to", "2026-01-01", "--file", &file, "--replace", "--json"]);
    none.expect(0, r#""rows": 0"#);
    run(&["--check", &file, "--json"]).expect(0, r#""verified": true"#);
}

#[test]
fn a_sample_is_chosen_by_its_seed_and_comes_with_evidence() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    requests(&service);
    let directory = auditor.path("sample");
    let options = ["--sample", "2", "--seed", "audit of 2026", "--evidence-dir", &directory];
    auditor.population(service.base(), &options).expect(0, "; evidence of 2 of them in ");
    let manifest: Value = serde_json::from_str(&auditor.read("all.csv.manifest.json")).unwrap();
    let chosen = manifest["sample"]["request_ids"].as_array().unwrap();
    assert_eq!((chosen.len(), &manifest["sample"]["seed"]), (2, &json!("audit of 2026")));
    let keys = auditor.path("jwks.json");
    let file_of = |id: &Value| format!("{directory}/{}.json", id.as_str().unwrap());
    for id in chosen {
        let verified = auditor.person.run(&["evidence", "verify", &file_of(id), "--key", &keys]);
        verified.expect(0, id.as_str().unwrap());
    }
    let file = file_of(&chosen[0]);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
    let log = service.log_path();
    let log = log.to_str().unwrap();
    auditor.recount(log).expect(0, "recounted");
    assert!(auditor.recount_in_python(log).0);
    let (manifest, said) =
        ("all.csv.manifest.json", "the manifest's member sample is not what its seed chooses");
    let exchanged = |text: &str| text.replacen(chosen[0].as_str().unwrap(), "another", 1);
    auditor.refused(log, manifest, exchanged, said);
    auditor.refused(log, manifest, |text| text.replacen(r#""size":2"#, r#""size":3"#, 1), said);
    let again = auditor.population(log, &[&options[..], &["--replace", "--redacted"]].concat());
    again.expect(0, "; evidence of 2 of them in ");
    assert!(fs::read_to_string(&file).unwrap().contains(r#""redacted":true"#));
    auditor.population(log, &options).expect(5, "is there already; --replace");
}

/// With the keys of a service on this machine.
#[test]
fn a_manifest_is_signed_by_the_evidence_key_of_the_deployment() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut program = Program::start(BINARY, &data);
    let ann = program.person("ann", "developer");
    for _ in 0..3 {
        Service::create(&ann, &Service::medium());
    }
    let person = Person::of(&program, "aud", "auditor");
    let auditor = Auditor { home, person };
    let keys = program.person("aud", "auditor").get("/.well-known/jwks.json").expect(200);
    fs::write(auditor.path("jwks.json"), keys.to_string()).unwrap();
    let reader = program.person("aud", "auditor");
    let began = Instant::now();
    while reader.get("/v1/audit-logs/stats").expect(200)["totals"]["total"] != 3 {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", program.log());
        std::thread::yield_now();
    }
    program.signal("TERM");
    assert!(program.wait().success(), "{}", program.log());

    let (data, log, file) = (auditor.path("data"), auditor.path("data/log"), auditor.path("all.csv"));
    let keys = auditor.path("jwks.json");
    let options = ["audit", "population", "--from", "2020-01-01", "--to", "2100-01-01", "--log", &log];
    let named = ["--file", &file, "--key", &keys];
    let run = |more: &[&str]| auditor.person.run(&[&options[..], &named, more].concat());
    run(&["--data-dir", &auditor.path("none")]).expect(4, "holds no evidence key");
    let made = run(&["--data-dir", &data]);
    made.expect(0, "3 requests created");
    assert!(!made.stderr.contains("not signed"), "{made:?}");
    auditor.recount(&log).expect(0, "; signed by key ");
    assert_eq!(auditor.recount_in_python(&log), (true, "good; 3 rows, signed\n".to_owned()));
    let said = "what is signed is not about this document";
    auditor.refused(&log, "all.csv.manifest.json", |text| text.replacen("2100", "2101", 1), said);

    // The same data directory is another deployment's for those who have other keys.
    let other = Service::start();
    let keys = other.anonymous().get("/.well-known/jwks.json").expect(200);
    fs::write(auditor.path("jwks.json"), keys.to_string()).unwrap();
    auditor.recount(&log).expect(1, "the manifest's member checkpoint: ");
}
