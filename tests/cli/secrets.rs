//! Secrets that people put where they do not belong, and ways that they did not mean.

use crate::strangers::Stranger;
use crate::{BINARY, Person};
use countersign_e2e::program::run_with;
use std::collections::BTreeMap;

const PASSWORD: &str = "hunter2";

fn person(variables: &[(&str, &str)]) -> Person {
    let mut person = Person::at("http://127.0.0.1:1", Some("a.b.c".to_owned()));
    person.variables.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    person
}

#[test]
fn a_password_in_a_url_is_printed_by_no_command() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().to_str().unwrap();
    let config = format!("{home}/config.toml");
    let with = format!("https://user:{PASSWORD}@host.invalid");
    let query = format!("https://host.invalid?token={PASSWORD}");
    let fragment = format!("https://host.invalid/#{PASSWORD}");
    let caller = person(&[("HOME", home), ("COUNTERSIGN_CONFIG", &config)]);
    let mut lines: Vec<Vec<&str>> = Vec::new();
    for url in [&with, &query, &fragment] {
        lines.push(vec!["list", "--url", url]);
        lines.push(vec!["list", "--json", "--url", url]);
        lines.push(vec!["doctor", "--url", url]);
        lines.push(vec!["doctor", "--json", "--url", url]);
        lines.push(vec!["config", "set-profile", "p", "--url", url]);
        lines.push(vec!["config", "set-profile", "p", "--oidc-issuer", url]);
        lines.push(vec!["serve", "--data-dir", home, "--oidc-audience", "a", "--oidc-issuer", url]);
    }
    let jwks = format!("https://user:{PASSWORD}@host.invalid/keys?sig={PASSWORD}");
    let issuer =
        ["serve", "--data-dir", home, "--oidc-audience", "a", "--oidc-issuer", "https://host.invalid"];
    lines.push([&issuer[..], &["--jwks", &jwks]].concat());
    for line in &lines {
        let ended = caller.run(line);
        assert_ne!(ended.code, 0, "{line:?}");
        assert!(!format!("{ended:?}").contains(PASSWORD), "{line:?}: {ended:?}");
    }
    let keys = format!("https://127.0.0.1:1/keys?sig={PASSWORD}");
    let ended = caller.run(&[&issuer[..], &["--jwks", &keys]].concat());
    assert!(ended.code == 1 && !format!("{ended:?}").contains(PASSWORD), "{ended:?}");
    for name in ["COUNTERSIGN_URL", "OIDC_ISSUER", "JWKS"] {
        let person = person(&[(name, &with)]);
        for line in [&["serve", "--help"][..], &["list"], &["list", "--help"], &["whoami", "--json"]] {
            let ended = person.run(line);
            assert!(!format!("{ended:?}").contains(PASSWORD), "{name} {line:?}: {ended:?}");
        }
    }
    // What a person wrote into the file by hand.
    std::fs::write(&config, format!("[profiles.p]\nurl = \"{with}\"\noidc_issuer = \"{with}\"\n")).unwrap();
    std::fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    caller.run(&["config", "show"]).expect(0, "https://***@host.invalid");
    for line in [&["config", "show"][..], &["list", "--profile", "p"], &["login", "--profile", "p"]] {
        let ended = caller.run(line);
        assert!(!format!("{ended:?}").contains(PASSWORD), "{line:?}: {ended:?}");
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_named_and_not_passed_over() {
    for proxy in
        ["socks5://u:hunter2@127.0.0.1:1", "ftp://u:hunter2@x", "http://u:hunter2@127.0.0.1:99999", "%"]
    {
        for name in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
            let person = person(&[(name, proxy)]);
            let ended = person.run(&["list", "--url", "https://host.invalid"]);
            ended.expect(2, name);
            assert!(!ended.stderr.contains(PASSWORD), "{ended:?}");
            // What needs no proxy does not mind.
            person.run(&["list"]).expect(1, "http://127.0.0.1:1 cannot be reached: ");
        }
    }
    let excepted = person(&[("HTTPS_PROXY", "socks5://127.0.0.1:1"), ("NO_PROXY", "other.example,.invalid")]);
    excepted
        .run(&["list", "--url", "https://host.invalid"])
        .expect(1, "https://host.invalid cannot be reached: ");
    let away = person(&[("HTTPS_PROXY", "http://127.0.0.1:1")]);
    away.run(&["list", "--url", "https://host.invalid"])
        .expect(1, "cannot be reached through the proxy of the environment");
}

/// THREATS 53.
#[test]
fn threat_53_every_spelling_of_this_machine_is_this_machine() {
    let proxy = Stranger::answering(502, "a proxy");
    let service = Stranger::answering(401, r#"{"message":"Unauthorized"}"#);
    let port = service.base().rsplit(':').next().unwrap().to_owned();
    let person = person(&[("ALL_PROXY", &proxy.base())]);
    for host in ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.000.000.001", "LOCALHOST"] {
        let ended = person.run(&["list", "--url", &format!("http://{host}:{port}")]);
        ended.expect(3, "the gateway does not accept your token");
    }
    for host in ["127.1", "0.0.0.0", "[::]", "0", "api.localhost", "[::ffff:127.0.0.1]"] {
        assert_ne!(person.run(&["list", "--url", &format!("https://{host}:{port}")]).code, 0);
    }
    assert_eq!(proxy.requests(), Vec::<String>::new());
}

/// THREATS 17: a path is one line.
#[test]
fn threat_17_a_path_makes_no_line_of_its_own() {
    let odd = "nope\ncountersign: all is well";
    for line in [
        &["outbox", "list", "--data-dir", odd][..],
        &["key", "list", "--data-dir", odd],
        &["permit", "verify", "x", "--key", odd],
        &["verify", "--all", "--data-dir", odd],
        &["serve", "--policy-dir", odd],
        &["serve", "--tls-cert", odd, "--tls-key", odd],
        &["serve", "--oidc-issuer", "https://x.invalid", "--oidc-audience", "a", "--jwks", odd],
        &["serve", "--oidc-issuer", odd, "--oidc-audience", "a"],
        &["list", "--ca-bundle", odd],
        &["policy", "check", odd],
        &["get", odd],
        &["list", "--status", odd],
        &[odd],
    ] {
        let ended = person(&[]).run(line);
        assert_ne!(ended.code, 0, "{line:?}");
        assert!(!ended.stderr.lines().any(|line| line == "countersign: all is well"), "{line:?}: {ended:?}");
    }
}

/// THREATS 70: a pipe is not waited for, a device not read.
#[test]
fn threat_70_a_pipe_or_a_device_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let pipe = path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let data = path("data");
    for odd in [pipe.as_str(), "/dev/zero", directory.path().to_str().unwrap()] {
        for line in [
            &["list", "--ca-bundle", odd, "--url", "https://host.invalid"][..],
            &["serve", "--data-dir", &data, "--tls-cert", odd, "--tls-key", odd],
            &[
                "serve",
                "--data-dir",
                &data,
                "--oidc-issuer",
                "https://x.invalid",
                "--oidc-audience",
                "a",
                "--jwks",
                odd,
            ],
        ] {
            let ended = person(&[]).run(line);
            assert!(ended.code != 0 && ended.stderr.contains("is not a regular file"), "{line:?}: {ended:?}");
        }
    }
}

#[test]
fn a_variable_that_is_not_text_is_not_passed_over() {
    use std::os::unix::ffi::OsStringExt as _;
    for name in ["COUNTERSIGN_URL", "COUNTERSIGN_PROFILE", "COUNTERSIGN_TOKEN"] {
        let mut command = std::process::Command::new(BINARY);
        command.env_clear().env("HOME", "/nonexistent").env("COUNTERSIGN_TOKEN", "a.b.c");
        command.env(name, std::ffi::OsString::from_vec(b"https://\xff".to_vec()));
        let output = command.arg("list").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {output:?}");
    }
    let output =
        run_with(BINARY, &["list"], &BTreeMap::from([("COUNTERSIGN_TOKEN".to_owned(), "a b".to_owned())]));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
