//! The program as its operator meets it: starting, stopping, refusing, logging, tokens.

use countersign_e2e::client::Client;
use countersign_e2e::exposition::Exposition;
use countersign_e2e::notification_schema;
use countersign_e2e::program::{self, Program, run};
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");

/// Runs `serve` with arguments that it must refuse; gives what it says.
fn refused(directory: &Path, arguments: &[&str]) -> String {
    let data = directory.to_str().unwrap();
    let mut all = vec!["serve", "--data-dir", data];
    all.extend(arguments);
    let output = run(BINARY, &all);
    assert!(!output.status.success(), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}: nothing listens");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn it_stops_cleanly_on_sigterm_and_keeps_what_it_had() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut program = Program::start(BINARY, &data);
    let path = Service::create(&program.person("ann", "developer"), &Service::high());
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    assert!(program.log().contains("\"outbox\""), "what was committed is delivered before it ends");

    let program = Program::start(BINARY, &data);
    let request = program.person("ann", "developer").get(&path).expect(200);
    assert_eq!(request["status"], "pending");
}

/// It would wait ten seconds for calls under way.
#[test]
fn a_call_that_waits_is_answered_when_it_stops() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start(BINARY, directory.path());
    let token = program.token("ann", "developer");
    let ann = program.person("ann", "developer");
    let path = Service::create(&ann, &Service::high());
    let address = program.base().strip_prefix("http://").unwrap();
    let mut waiting = TcpStream::connect(address).unwrap();
    let head = format!("GET {path}?wait=25 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    waiting.write_all(head.as_bytes()).unwrap();
    // Each begins after the one that waits, and is answered.
    for _ in 0..10 {
        program.person("ann", "developer").get(&path).expect(200);
    }
    let began = Instant::now();
    program.signal("TERM");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"status\":\"pending\""), "{answer}");
    assert_eq!(program.wait().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

/// As a hook does when its time is over, and a browser that goes to another page.
#[test]
fn a_caller_who_leaves_before_the_answer_is_no_fault() {
    let directory = tempfile::tempdir().unwrap();
    let refusals_after = |head: &str| {
        let mut program = Program::start(BINARY, directory.path());
        let (token, ann) = (program.token("ann", "developer"), program.person("ann", "developer"));
        let path = Service::create(&ann, &Service::high());
        let mut stream = TcpStream::connect(program.base().strip_prefix("http://").unwrap()).unwrap();
        let head = head.replace("PATH", &path).replace("TOKEN", &token);
        stream.write_all(head.as_bytes()).unwrap();
        // It has been read once later calls are answered.
        for _ in 0..10 {
            ann.get(&path).expect(200);
        }
        drop(stream);
        for _ in 0..10 {
            ann.get(&path).expect(200);
        }
        program.signal("TERM");
        assert_eq!(program.wait().code(), Some(0));
        program.log().matches("connections refused").count()
    };
    assert_eq!(
        refusals_after("GET PATH?wait=25 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer TOKEN\r\n\r\n"),
        0
    );
    assert_eq!(refusals_after("GET /health HTTP/1.1\r\nho"), 1);
    assert_eq!(refusals_after("no HTTP\r\n\r\n"), 1);
}

#[test]
fn a_reader_of_stderr_who_stops_reading_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start_unread(BINARY, directory.path());
    let (ann, bob) = (program.person("ann", "developer"), program.person("bob", "approver"));
    // Far more lines than a pipe holds.
    for _ in 0..150 {
        let path = Service::create(&ann, &Service::medium());
        Service::approve(&ann, &path).expect_problem(403, "self_approval");
        Service::approve(&bob, &path).expect(200);
    }
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    assert_eq!(program::inspect(directory.path()).len(), 150);
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let message = refused(directory.path(), &["--listen", "127.0.0.1:0"]);
    assert!(message.contains("in use by another"), "{message}");
    assert!(message.contains("--data-dir"), "{message}");
    program.person("ann", "developer").get("/v1/approvals").expect(200);
}

#[test]
fn an_address_that_others_can_reach_needs_tls() {
    let directory = tempfile::tempdir().unwrap();
    let message = refused(directory.path(), &["--listen", "0.0.0.0:0"]);
    assert!(message.contains("--tls-cert") && message.contains("--behind-tls-proxy"), "{message}");
    Program::start_with(BINARY, directory.path(), &["--behind-tls-proxy"]);
}

/// On an address of its own metrics need no token, so it is one that others cannot reach.
#[test]
fn metrics_are_read_without_a_token_on_this_machine_alone() {
    let directory = tempfile::tempdir().unwrap();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9100"] {
        let message = refused(directory.path(), &["--metrics-listen", address]);
        assert!(message.contains("--metrics-listen") && message.contains("loopback"), "{message}");
    }
    let message = refused(directory.path(), &["--metrics-listen", "somewhere"]);
    assert!(message.contains("--metrics-listen"), "{message}");
    assert!(!directory.path().join("countersign.db").exists(), "nothing was opened");

    let variables = BTreeMap::from([("COUNTERSIGN_METRICS_LISTEN".to_owned(), "127.0.0.1:0".to_owned())]);
    let mut program = Program::start_in(BINARY, directory.path(), &variables);
    let began = Instant::now();
    let address = loop {
        let log = program.log();
        let line = log.lines().find(|line| line.contains("metrics are read without a token"));
        if let Some(line) = line {
            let line: Value = serde_json::from_str(line).unwrap();
            break line["address"].as_str().unwrap().to_owned();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{log}");
        std::thread::yield_now();
    };
    let metrics = Client::new(&format!("http://{address}"), None);
    let ann = program.person("ann", "developer");
    Service::create(&ann, &Service::medium());
    let read = || Exposition::read(&metrics.get("/metrics").text);
    assert_eq!(read().value("requests_total{operation=\"modify_storage\",risk=\"medium\"}"), 1.0);
    // Nothing else is there, with or without a token.
    metrics.get("/v1/approvals").expect_problem(404, "route_not_found");
    metrics.get("/health").expect_problem(404, "route_not_found");
    metrics.post("/metrics", &json!({})).expect_problem(405, "method_not_allowed");
    Client::new(program.base(), None).get("/metrics").expect_problem(401, "unauthenticated");
    ann.get("/metrics").expect_problem(403, "not_permitted");
    // Every sweep runs, and tells when it last did.
    for sweep in ["delivery", "sealing", "expiry", "leases", "measurement"] {
        while read().value(&format!("sweep_last_success_timestamp_seconds{{sweep=\"{sweep}\"}}")) < 1.7e9 {
            assert!(began.elapsed() < Duration::from_secs(60), "{sweep}");
        }
    }
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn with_a_certificate_it_speaks_tls_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (directory.path().join("tls.pem"), directory.path().join("tls.key"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let set_mode = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o600);
    let arguments = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let data = directory.path().join("data");
    let program = Program::start_with(BINARY, &data, &arguments);
    assert!(program.base().starts_with("https://"), "{}", program.base());

    let root = ureq::tls::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap().to_owned();
    let tls = ureq::tls::TlsConfig::builder().root_certs(vec![root].into()).build();
    let agent: ureq::Agent = ureq::Agent::config_builder().tls_config(tls).build().into();
    let health = agent.get(format!("{}/health", program.base())).call().unwrap();
    assert_eq!(health.status().as_u16(), 200);
    let plain = program.base().replace("https://", "http://");
    assert!(ureq::get(format!("{plain}/health")).call().is_err());
    drop(program);

    // THREATS 70: a key that others can read is none. A link to one is well, as renewed certificates have it.
    for mode in [0o640, 0o604, 0o602] {
        set_mode(mode);
        let message = refused(&data, &arguments);
        assert!(message.contains("tls.key: others can read") && message.contains("chmod 600"), "{message}");
    }
    set_mode(0o600);
    let link = directory.path().join("link.key");
    std::os::unix::fs::symlink(&key, &link).unwrap();
    Program::start_with(BINARY, &data, &["--tls-cert", arguments[1], "--tls-key", link.to_str().unwrap()]);

    fs::set_permissions(&certificate, fs::Permissions::from_mode(0o600)).unwrap();
    let swapped = ["--tls-cert", key.to_str().unwrap(), "--tls-key", certificate.to_str().unwrap()];
    let message = refused(&data, &swapped);
    assert!(message.contains("tls.key: holds no certificate"), "the file that is wrong is named: {message}");
}

#[test]
fn a_policy_that_cannot_be_used_is_refused_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let policy = directory.path().join("policy");
    fs::create_dir(&policy).unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--policy-dir", policy.to_str().unwrap()];
    let data = directory.path().join("data");
    let (operations, people) =
        (include_str!("../../policy/operations.toml"), include_str!("../../policy/people.toml"));
    let access = include_str!("../../policy/access.cedar");
    // Each file is needed; nothing that comes with the program takes the place of one.
    for (file, text) in [("operations.toml", operations), ("people.toml", people), ("access.cedar", access)] {
        let message = refused(&data, &arguments);
        assert!(message.contains(file), "{message}");
        fs::write(policy.join(file), text).unwrap();
    }
    for (file, text, place, reason) in [
        ("operations.toml", operations.replace("high = 2", "high = 1"), "operations.toml:17: ", "at least 2"),
        (
            "people.toml",
            people.replace("\"admin\"", "\"the admins\""),
            "people.toml:8: ",
            "groups must be names",
        ),
        (
            "access.cedar",
            access.replace("Group::\"approver\"", "Group::\"aprover\""),
            "access.cedar:36:16: ",
            "aprover",
        ),
        ("access.cedar", access.replace(");", ")"), "access.cedar:", "unexpected"),
    ] {
        fs::write(policy.join(file), text).unwrap();
        let message = refused(&data, &arguments);
        assert!(message.contains(place) && message.contains(reason), "{message}");
        for (file, text) in
            [("operations.toml", operations), ("people.toml", people), ("access.cedar", access)]
        {
            fs::write(policy.join(file), text).unwrap();
        }
    }
}

#[test]
fn the_log_names_ids_and_never_words_tokens_or_people() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start(BINARY, directory.path());
    let (ann, bob) = (program.person("ann", "developer"), program.person("bob", "approver"));
    let secret = "hunter2-\u{1b}[31m-secret";
    let body = json!({
        "operation_type": "modify_storage", "instance_id": "dev-db-01", "environment": "non-production",
        "parameters": { "password": secret }, "justification": secret, "estimated_duration": secret,
    });
    let path = Service::create(&ann, &body);
    let id = path.rsplit('/').next().unwrap().to_owned();
    let created = ann.get(&path).expect(200);
    bob.post(&format!("{path}/comments"), &json!({ "text": secret })).expect(200);
    Service::approve(&ann, &path).expect_problem(403, "self_approval");
    bob.post(&format!("{path}/approve"), &json!({ "comments": secret, secret: 1 })).expect(422);
    bob.post(&format!("{path}/approve"), &json!({ "comments": secret })).expect(200);
    let forged = ann.send("GET", &path, &[("authorization", "Bearer hunter2")], b"").unwrap();
    forged.expect_problem(401, "unauthenticated");
    ann.send("POST", "/v1/approvals", &[], b"{\"hunter2\": hunter2").unwrap().expect(400);
    program.signal("TERM");
    program.wait();
    let log = program.log();
    for secret in ["hunter2", "\u{1b}", "eyJ", "ann@example.com", "bob@example.com"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let with = |name: &str, value: &str| lines.iter().filter(|line| line[name] == value).count();
    assert_eq!(with("target", "outbox"), 3);
    assert_eq!(with("request_id", &id), 3 + 3 + 3, "deliveries, changes and refusals name the request");
    assert_eq!(with("code", "self_approval"), 1, "one line per failure");
    assert_eq!(with("code", "unauthenticated"), 1);
    let refusal = lines.iter().find(|line| line["code"] == "self_approval").unwrap();
    assert!(refusal["correlation_id"].is_string());
    // What waited together is delivered in any order.
    let creation = lines.iter().find(|line| line["event_type"] == "APPROVAL_REQUEST_CREATED").unwrap();
    assert_eq!((&creation["target"], &creation["request_id"]), (&json!("outbox"), &created["request_id"]));
    for line in lines.iter().filter(|line| line["target"] == "outbox") {
        notification_schema::check(line);
        let data = line["data"].as_object().unwrap();
        assert_eq!(
            (&line["id"], &line["subject"], &line["time"]),
            (&data["event_id"], &json!(id), &data["timestamp"])
        );
        for (name, value) in data.iter().filter(|(name, _)| *name != "sequence") {
            assert_eq!(&line[name], value, "{name}: the fields of a line are those of its data");
        }
    }
}

/// The lines of a log, what subscribers keep of CloudEvents, and what they kept before there were any.
#[test]
fn what_was_published_is_looked_for_in_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut program = Program::start(BINARY, &data);
    let path = Service::create(&program.person("ann", "developer"), &Service::high());
    Service::approve(&program.person("bob", "approver"), &path).expect(200);
    program.signal("TERM");
    program.wait();
    let verify = |published: &str| {
        let file = directory.path().join("published");
        fs::write(&file, published).unwrap();
        let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
        let output = run(BINARY, &["verify", "--all", "--data-dir", data, "--published", file]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let log = program.log();
    let (code, said) = verify(&log);
    assert_eq!((code, said.contains("2 published events checked: all as")), (Some(0), true), "{said}");
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let data: Vec<_> =
        lines.filter(|line| line["target"] == "outbox").map(|mut line| line["data"].take()).collect();
    let bare: String = data.iter().map(|data| format!("{data}\n")).collect();
    let enveloped: String = data.iter().map(|data| format!("{}\n", json!({ "data": data }))).collect();
    for kept in [bare, enveloped] {
        let (code, said) = verify(&kept);
        assert_eq!((code, said.contains("2 published events checked: all as")), (Some(0), true), "{said}");
        let (code, said) = verify(&kept.replace("\"sequence\":2", "\"sequence\":3"));
        assert_eq!((code, said.contains("was published")), (Some(1), true), "{said}");
    }
}

#[test]
fn a_token_is_all_that_the_token_command_prints() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    let token = || run(BINARY, &["token", " Ann@Example.com", "--data-dir", data]);
    let first = token();
    assert!(first.status.success());
    assert!(String::from_utf8(first.stderr).unwrap().contains("made a new key in "));
    let output = token();
    assert!(output.status.success() && output.stderr.is_empty());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.trim().split('.').count(), 3);
    assert_eq!(text.lines().count(), 1);
    for (arguments, says) in [
        (vec!["token", "ann", "--data-dir", data], "e-mail"),
        (vec!["token", "\u{430}nn@example.com", "--data-dir", data], "ASCII"),
        (vec!["token", "ann@example.com", "--ttl", "8x", "--data-dir", data], "such as 8h"),
        (vec!["token", "--data-dir", data], "EMAIL"),
    ] {
        let output = run(BINARY, &arguments);
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(says), "{arguments:?}: {message}");
    }
}

/// A start that was interrupted leaves a key that nothing depends on: it is never taken for that of a database
/// with requests in it.
#[test]
fn the_key_of_an_interrupted_start_is_not_that_of_a_restored_database() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start(BINARY, directory.path());
    Service::create(&program.person("ann", "developer"), &Service::medium());
    program.signal("TERM");
    program.wait();
    let (key, first) =
        (directory.path().join("deployment.key"), directory.path().join("deployment.key.first"));
    let own = std::fs::read(&key).unwrap();
    std::fs::rename(&key, &first).unwrap();
    std::fs::write(&first, [7; 32]).unwrap();
    let output =
        run(BINARY, &["serve", "--listen", "127.0.0.1:0", "--data-dir", directory.path().to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("missing; restore it from a backup"), "{error}");
    // With the key restored as well, all is as it was, and the other one is gone.
    std::fs::write(&key, &own).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let program = Program::start(BINARY, directory.path());
    assert_eq!(
        program.person("ann", "developer").get("/v1/approvals").expect(200)["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(std::fs::read(&key).unwrap(), own);
    assert!(!first.exists());
}
