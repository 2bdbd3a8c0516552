//! Environment variables: one that is set to nothing counts as one that is not set.

use crate::{BINARY, Person};
use countersign_e2e::client::Client;
use countersign_e2e::program::{Program, run_with};
use countersign_e2e::service::Service;
use std::collections::{BTreeMap, BTreeSet};

/// Every variable of the program that its documents name.
fn documented() -> BTreeSet<String> {
    let pages = [
        include_str!("../../docs/serve.md"),
        include_str!("../../docs/cli.md"),
        include_str!("../../docs/policy.md"),
        include_str!("../../docs/deploy.md"),
        include_str!("../../docs/logging.md"),
    ];
    let is_name = |word: &&str| {
        word.contains('_')
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    let words = pages.iter().flat_map(|page| page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    words.filter(is_name).map(str::to_owned).chain(["JWKS".to_owned(), "HOME".to_owned()]).collect()
}

/// All of them, and more words of capitals: setting them to nothing changes nothing at all.
fn all_empty() -> BTreeMap<String, String> {
    let variables: BTreeMap<_, _> = documented().into_iter().map(|name| (name, String::new())).collect();
    for known in [
        "COUNTERSIGN_LISTEN",
        "COUNTERSIGN_DATA_DIR",
        "COUNTERSIGN_TRUSTED_PROXIES",
        "COUNTERSIGN_TLS_CERT",
        "COUNTERSIGN_TLS_KEY",
        "COUNTERSIGN_BEHIND_TLS_PROXY",
        "COUNTERSIGN_URL",
        "COUNTERSIGN_PROFILE",
        "COUNTERSIGN_TOKEN",
        "COUNTERSIGN_TOKEN_FILE",
        "COUNTERSIGN_CA_BUNDLE",
        "COUNTERSIGN_CONFIG",
        "AWS_CA_BUNDLE",
        "DEPLOYMENT_KEY",
        "EMAIL_CLAIM",
        "GROUPS_CLAIM",
        "OIDC_AUDIENCE",
        "OIDC_EMAIL_TRUSTED",
        "OIDC_ISSUER",
        "POLICY_DIR",
        "RUST_LOG",
    ] {
        assert!(variables.contains_key(known), "{known} is not documented");
    }
    variables
}

/// `countersign serve` with nothing but empty variables is `countersign serve` without variables.
#[test]
fn a_service_takes_no_notice_of_empty_variables() {
    let directory = tempfile::tempdir().unwrap();
    let plain = Program::start(BINARY, directory.path());
    let token = plain.token("ann", "developer");
    drop(plain);
    let mut program = Program::start_in(BINARY, directory.path(), &all_empty());
    let ann = Client::new(program.base(), Some(token));
    ann.post("/v1/approvals", &Service::low()).expect(201);
    program.signal("TERM");
    assert!(program.wait().success());
    // The log is that of `info`.
    assert!(program.log().contains("\"level\":\"INFO\""), "{}", program.log());
}

#[test]
fn commands_take_no_notice_of_empty_variables() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let mut variables = all_empty();
    let checked = run_with(BINARY, &["policy", "check"], &variables);
    assert!(checked.status.success(), "{checked:?}");
    let data = directory.path().to_str().unwrap();
    let token = run_with(BINARY, &["token", "ann@example.com", "--data-dir", data], &variables);
    assert!(token.status.success(), "{token:?}");
    assert!(token.stderr.is_empty(), "{token:?}");
    variables.insert("COUNTERSIGN_URL".to_owned(), program.base().to_owned());
    let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
    let ann = Person { variables: variables.clone() };
    ann.run(&["list"]).expect(3, "");
    let ann = Person {
        variables: [("COUNTERSIGN_TOKEN".to_owned(), token)].into_iter().collect::<BTreeMap<_, _>>(),
    };
    let ann = Person { variables: variables.into_iter().chain(ann.variables).collect() };
    ann.run(&["list"]).expect(0, "");
    ann.run(&["whoami"]).expect(0, "ann@example.com");
    ann.run(&["doctor"]).expect(0, "");
    // The one that is needed is missing, and not one that has a wrong value.
    ann.run(&["policy", "test"]).expect(2, "<DIR>");
}
