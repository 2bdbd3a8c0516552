//! The client commands, as a person or a script runs them: the real program against a real service.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests fail by panicking"
)]

mod answers;
mod auditor;
mod client;
mod commands;
mod dashboard;
mod decisions;
mod demands;
mod documents;
mod environment;
mod evidence;
mod examples;
mod executor;
mod export;
mod hostile;
mod inbox;
mod log;
mod login;
mod notifications;
mod permit;
mod policy;
mod population;
mod reports;
mod running;
mod running_at_terminal;
mod screens;
mod secrets;
mod stats;
mod strangers;
mod verify;
mod waiting;
mod webhooks;

use countersign_e2e::program::{Program, run_with};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;

const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");

/// A caller at a terminal, with a token.
struct Person {
    variables: BTreeMap<String, String>,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Person {
    fn at(base: &str, token: Option<String>) -> Self {
        let mut variables = BTreeMap::from([
            ("COUNTERSIGN_URL".to_owned(), base.to_owned()),
            ("HOME".to_owned(), "/nonexistent".to_owned()),
        ]);
        if let Some(token) = token {
            variables.insert("COUNTERSIGN_TOKEN".to_owned(), token);
        }
        Self { variables }
    }

    fn of(program: &Program, name: &str, groups: &str) -> Self {
        Self::at(program.base(), Some(program.token(name, groups)))
    }

    /// Runs a command without a terminal.
    fn run(&self, arguments: &[&str]) -> Ended {
        let ended = self.run_or_killed(arguments);
        assert!(ended.code < 128 || ended.code == 130, "{ended:?}");
        ended
    }

    /// Runs a command that may be killed: by signal 9, which is 137 as a shell has it.
    fn run_or_killed(&self, arguments: &[&str]) -> Ended {
        let output = run_with(BINARY, arguments, &self.variables);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().or(output.status.signal().map(|signal| 128 + signal));
        Ended { code: code.unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs a command that must succeed, and reads its JSON.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// Makes a request that needs two approvals, and gives its id.
    #[track_caller]
    fn create(&self) -> String {
        self.create_with(r#"{"target_instance_class":"db.r6g.xlarge"}"#)
    }

    /// The same with these parameters.
    #[track_caller]
    fn create_with(&self, parameters: &str) -> String {
        let request = self.json(&[
            "create",
            "modify_instance_class",
            "production-db-01",
            "--environment",
            "production",
            "--justification",
            "CPU has been at 95 % since Monday",
            "--parameters",
            parameters,
        ]);
        request["request_id"].as_str().unwrap().to_owned()
    }
}

impl Ended {
    /// Fails unless it ended with this code and said this.
    #[track_caller]
    fn expect(&self, code: i32, said: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.stdout.contains(said) || self.stderr.contains(said), "no `{said}` in {self:?}");
    }
}
