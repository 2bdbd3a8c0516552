//! SIGHUP: the policy and the certificates are read again, and what is refused changes nothing.

use countersign_e2e::client::Client;
use countersign_e2e::program::{Program, run};
use countersign_e2e::service::Service;
use rcgen::{CertificateParams, KeyPair};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");
const ACCESS: &str = include_str!("../../policy/access.cedar");
const OPERATIONS: &str = include_str!("../../policy/operations.toml");
const PEOPLE: &str = include_str!("../../policy/people.toml");

/// Asks until the log holds so many lines with a text.
#[track_caller]
fn await_log(program: &Program, text: &str, count: usize) {
    let began = Instant::now();
    while program.log().matches(text).count() < count {
        assert!(began.elapsed() < Duration::from_secs(20), "{text}: {}", program.log());
        std::thread::yield_now();
    }
}

fn policy_version(base: &str) -> String {
    let health = Client::new(base, None).get("/health").expect(200);
    health["policy_version"].as_str().unwrap().to_owned()
}

fn policy(directory: &Path) -> PathBuf {
    let policy = directory.join("policy");
    fs::create_dir(&policy).unwrap();
    fs::write(policy.join("access.cedar"), ACCESS).unwrap();
    fs::write(policy.join("operations.toml"), OPERATIONS).unwrap();
    fs::write(policy.join("people.toml"), PEOPLE).unwrap();
    policy
}

#[test]
fn a_policy_is_read_again_and_a_wrong_one_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let policy = policy(directory.path());
    let data = directory.path().join("data");
    let arguments = ["--policy-dir", policy.to_str().unwrap()];
    let mut program = Program::start_with(BINARY, &data, &arguments);
    let ann = program.person("ann", "developer");
    let first = policy_version(program.base());

    fs::write(policy.join("access.cedar"), ACCESS.replace(");", ")")).unwrap();
    program.signal("HUP");
    await_log(&program, "refused; what was in force stays", 1);
    assert!(program.log().contains("access.cedar:"), "the place is named: {}", program.log());
    assert_eq!(policy_version(program.base()), first);
    ann.get("/v1/approvals").expect(200);

    let freeze = "@id(\"everything\")\nforbid (principal, action, resource);\n";
    fs::write(policy.join("access.cedar"), format!("{ACCESS}\n{freeze}")).unwrap();
    program.signal("HUP");
    await_log(&program, "read again", 1);
    let second = policy_version(program.base());
    assert_ne!(second, first);
    assert!(program.log().contains(&second), "the log says which is in force");
    ann.get("/v1/approvals").expect_problem(403, "not_permitted");
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn notifications_are_read_again_with_the_policy_or_nothing_is() {
    let directory = tempfile::tempdir().unwrap();
    let policy = policy(directory.path());
    let file = policy.join("notifications.toml");
    let data = directory.path().join("data");
    let mut program = Program::start_with(BINARY, &data, &["--policy-dir", policy.to_str().unwrap()]);
    let version = |program: &Program| {
        Client::new(program.base(), None).get("/health").expect(200).get("notifications_version").cloned()
    };
    assert_eq!(version(&program), None);
    fs::write(&file, "[destinations.lines]\nkind = \"log\"\n[routes.all]\nvia = [\"lines\"]\n").unwrap();
    program.signal("HUP");
    await_log(&program, "read again", 1);
    let first = version(&program);
    assert!(first.is_some());
    let before = policy_version(program.base());
    // What is wrong with one file keeps the other out as well.
    fs::write(&file, "[destinations.lines]\nkind = \"pigeon\"\n").unwrap();
    fs::write(policy.join("access.cedar"), format!("{ACCESS}\n// another\n")).unwrap();
    program.signal("HUP");
    await_log(&program, "refused; what was in force stays", 1);
    assert!(program.log().contains("notifications.toml"), "the file is named: {}", program.log());
    assert_eq!((version(&program), policy_version(program.base())), (first, before.clone()));
    program.person("ann", "developer").post("/v1/approvals", &Service::low()).expect(201);
    await_log(&program, "countersign.approval.created.v1", 1);
    fs::remove_file(&file).unwrap();
    program.signal("HUP");
    await_log(&program, "read again", 2);
    assert_eq!(version(&program), None);
    assert_ne!(policy_version(program.base()), before);
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
}

/// A certificate for this machine that is valid until the end of a year, and its key, in these files.
fn certificate(chain: &Path, key: &Path, last_year: i32) -> String {
    let mut parameters = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(last_year, 12, 31);
    let pair = KeyPair::generate().unwrap();
    let made = parameters.self_signed(&pair).unwrap();
    fs::write(chain, made.pem()).unwrap();
    fs::write(key, pair.serialize_pem()).unwrap();
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    made.pem()
}

/// Whether a service shows a certificate that this one vouches for.
fn shows(program: &Program, certificate: &str) -> bool {
    let root = ureq::tls::Certificate::from_pem(certificate.as_bytes()).unwrap().to_owned();
    let tls = ureq::tls::TlsConfig::builder().root_certs(vec![root].into()).build();
    let agent: ureq::Agent = ureq::Agent::config_builder().tls_config(tls).build().into();
    agent.get(format!("{}/health", program.base())).call().is_ok()
}

#[test]
fn certificates_are_read_again_with_the_policy_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let policy = policy(directory.path());
    let (chain, key) = (directory.path().join("tls.pem"), directory.path().join("tls.key"));
    let first = certificate(&chain, &key, 2090);
    let arguments = [
        "--tls-cert",
        chain.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
        "--policy-dir",
        policy.to_str().unwrap(),
    ];
    let data = directory.path().join("data");
    let program = Program::start_with(BINARY, &data, &arguments);
    assert!(shows(&program, &first));
    assert!(!program.log().contains("has expired"));

    // The new chain is there and its key is not yet; the policy is new as well.
    let old_key = fs::read(&key).unwrap();
    let second = certificate(&chain, &key, 2090);
    let new_key = fs::read(&key).unwrap();
    fs::write(&key, old_key).unwrap();
    fs::write(policy.join("access.cedar"), format!("{ACCESS}\n")).unwrap();
    program.signal("HUP");
    await_log(&program, "refused; what was in force stays", 1);
    assert!(shows(&program, &first) && !shows(&program, &second));

    // The key has come, and the policy cannot be used.
    fs::write(&key, new_key).unwrap();
    fs::write(policy.join("access.cedar"), "permit").unwrap();
    program.signal("HUP");
    await_log(&program, "refused; what was in force stays", 2);
    assert!(shows(&program, &first) && !shows(&program, &second));

    fs::write(policy.join("access.cedar"), ACCESS).unwrap();
    program.signal("HUP");
    await_log(&program, "read again", 1);
    assert!(shows(&program, &second) && !shows(&program, &first));

    certificate(&chain, &key, 2021);
    program.signal("HUP");
    await_log(&program, "the certificate has expired", 1);
    assert!(program.log().contains("\"not_after\":\"2021-12-31"), "{}", program.log());
    drop(program);
    let program = Program::start_with(BINARY, &data, &arguments);
    await_log(&program, "the certificate has expired", 1);
}

#[test]
fn a_private_key_that_others_can_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (chain, key) = (directory.path().join("tls.pem"), directory.path().join("tls.key"));
    certificate(&chain, &key, 2090);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let data = directory.path().join("data");
    let serve = |key: &Path| {
        let arguments =
            ["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap(), "--tls-cert"];
        let output = run(
            BINARY,
            &[&arguments[..], &[chain.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]].concat(),
        );
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let message = serve(&key);
    assert!(message.contains("tls.key: others can read or change it"), "{message}");
    let message = serve(directory.path());
    assert!(message.contains("not a regular file"), "{message}");
}
