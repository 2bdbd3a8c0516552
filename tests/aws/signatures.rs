//! What `countersign` signs with credentials of AWS: botocore signs the same call at the same time alike.

use crate::binary;
use countersign_e2e::grants::root;
use countersign_e2e::moto;
use countersign_e2e::program::run_with;
use countersign_e2e::stub::Stub;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

const KEY: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
];
const SESSION: (&str, &str) = ("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2VjEXAMPLE//////+token==");

/// What stands for the gateway: it refuses every call, as the gateway does, and remembers it.
struct Gateway(Stub);

impl Gateway {
    fn start() -> Self {
        Self(Stub::start(|| |_: &Value| (403, r#"{"message":"Forbidden"}"#.to_owned())))
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let url = [("COUNTERSIGN_URL", self.0.url.as_str())];
        let variables = variables.iter().chain(&url);
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        run_with(binary("countersign").to_str().unwrap(), arguments, &variables)
    }
}

/// The signatures of botocore.
pub(crate) fn by_botocore(calls: &[Value], region: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let mut child = Command::new(moto::python())
        .arg(root().join("tests/aws/signature.py"))
        .arg(region)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = calls.iter().map(|call| format!("{call}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "botocore cannot sign them");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn botocore_signs_every_call_alike() {
    let parameters = r#"{"note": "déjà vu % + & = ~ /"}"#;
    let commands: [&[&str]; 6] = [
        &["list"],
        &[
            "list",
            "--instance-id",
            "arn:aws:rds:eu-central-1:123456789012:db:prod+1/a b",
            "--status",
            "pending,approved",
        ],
        &["list", "--requested-by", "ann+1@example.com", "--from", "2026-01-31"],
        &["get", "5d3e7c1a-9f42-4b8e-8a31-0c6d2e9b7f10"],
        &[
            "create",
            "reboot",
            "production-db-01",
            "-e",
            "production",
            "--justification",
            "Zürich, 90 %",
            "--parameters",
            parameters,
        ],
        &["simulate", "reboot", "production-db-01", "-e", "production", "--justification", "x"],
    ];
    for session in [None, Some(SESSION)] {
        let gateway = Gateway::start();
        let credentials: Vec<_> = KEY.into_iter().chain(session).collect();
        let region = ("AWS_REGION", "eu-central-1");
        for command in commands {
            let variables: Vec<_> = credentials.iter().copied().chain([region]).collect();
            let refused = gateway.run(&[command, &["--auth", "aws"]].concat(), &variables);
            let message = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(
                !message.contains("your token")
                    && message.contains("IamApiUrl")
                    && message.contains("execute-api:Invoke"),
                "{command:?}: {message}"
            );
        }
        let calls = gateway.0.calls();
        assert!(calls.len() >= commands.len(), "{calls:?}");
        let signatures = by_botocore(&calls, "eu-central-1", &credentials);
        assert_eq!(signatures.len(), calls.len());
        for (call, signature) in calls.iter().zip(signatures) {
            assert_eq!(call["headers"]["authorization"], json!(signature), "{call}");
            assert_eq!(call["headers"]["x-amz-security-token"], json!(session.map(|(_, token)| token)));
            let signed = signature.split("SignedHeaders=").nth(1).unwrap();
            for header in ["content-type", "host", "idempotency-key", "x-amz-date", "x-amz-security-token"] {
                let is_signed = signed.split([';', ',']).any(|name| name == header);
                assert_eq!(is_signed, call["headers"].get(header).is_some(), "{header}: {call}");
            }
        }
        let methods: Vec<_> = calls.iter().map(|call| call["method"].as_str().unwrap()).collect();
        assert!(methods.contains(&"POST") && methods.contains(&"GET"), "{methods:?}");
    }
}

#[test]
fn a_profile_says_that_calls_are_signed_and_for_which_region() {
    let gateway = Gateway::start();
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    let config = [("COUNTERSIGN_CONFIG", config.to_str().unwrap())];
    let url = gateway.0.url.clone();
    let set = ["config", "set-profile", "prod", "--url", &url, "--auth", "aws", "--aws-region", "eu-west-1"];
    let made = gateway.run(&set, &config);
    assert!(made.status.success(), "{made:?}");
    let text = fs::read_to_string(config[0].1).unwrap();
    assert!(text.contains("auth = \"aws\"") && text.contains("aws_region = \"eu-west-1\""), "{text}");
    let odd = gateway.run(&["config", "set-profile", "prod", "--auth", "sigv4"], &config);
    assert!(!odd.status.success() && fs::read_to_string(config[0].1).unwrap() == text, "{odd:?}");

    let variables: Vec<_> = KEY.into_iter().chain(config).chain([("AWS_REGION", "eu-central-1")]).collect();
    gateway.run(&["list", "--profile", "prod"], &variables);
    let calls = gateway.0.calls();
    assert_eq!(calls.len(), 1);
    let [signature] = by_botocore(&calls, "eu-west-1", &KEY).try_into().unwrap();
    assert_eq!(calls[0]["headers"]["authorization"], json!(signature));
    // A token in the environment wins over the profile, and is sent as it is.
    let with_token: Vec<_> =
        variables.iter().copied().chain([("COUNTERSIGN_TOKEN", "e30.e30.c2ln")]).collect();
    gateway.run(&["list", "--profile", "prod"], &with_token);
    let call = gateway.0.calls().last().unwrap().clone();
    assert_eq!(call["headers"]["authorization"], "Bearer e30.e30.c2ln");
    assert_eq!(call["headers"].get("x-amz-date"), None);
}

#[test]
fn without_credentials_or_region_nothing_is_sent() {
    let gateway = Gateway::start();
    let none = [
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "none"),
        ("AWS_SHARED_CREDENTIALS_FILE", "none"),
    ];
    let region = [("AWS_REGION", "eu-central-1")];
    for (variables, advice) in
        [([&none[..], &region].concat(), "aws sso login"), ([&none[..], &KEY].concat(), "set AWS_REGION")]
    {
        let refused = gateway.run(&["list", "--auth", "aws"], &variables);
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success()
                && message.contains("calls cannot be signed")
                && message.contains(advice),
            "{message}"
        );
        assert!(!message.contains(KEY[1].1), "{message}");
    }
    assert_eq!(gateway.0.calls().len(), 0);
}
