//! A service that is measured: the release binary in a process of its own, with a data directory on the disk that is asked
//! for.

use crate::serve::http::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The ticks in which Linux counts the CPU time of a process, in a second: `USER_HZ`, the same on every architecture that
/// Rust builds for.
const TICKS: u64 = 100;

/// The running service. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    program: PathBuf,
    directory: TempDir,
    address: String,
}

impl Service {
    /// Starts one on an empty data directory.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(program: &Path, on: &Path) -> Result<Self, String> {
        Self::start_with(program, on, &[])
    }

    /// The same, with further arguments of `serve`.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start_with(program: &Path, on: &Path, arguments: &[&OsStr]) -> Result<Self, String> {
        let directory = tempfile::tempdir_in(on).map_err(|error| format!("{}: {error}", on.display()))?;
        // A log that is read by nobody, on the same disk: as a unit of systemd has it.
        let log = File::create(directory.path().join("log")).map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory.path().join("data"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let stdout = child.stdout.take().ok_or("there is no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        let Some((_, address)) = line.trim_end().split_once("listening on http://") else {
            let log = fs::read_to_string(directory.path().join("log")).unwrap_or_default();
            return Err(format!("the service does not listen: {line}{log}"));
        };
        let address = address.to_owned();
        Ok(Self { child, program: program.to_owned(), directory, address })
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The data directory.
    pub(crate) fn data_directory(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A token, as `countersign token` makes it.
    ///
    /// # Errors
    /// When it makes none.
    pub(crate) fn token(&self, email: &str, groups: &str) -> Result<String, String> {
        let output = Command::new(&self.program)
            .args(["token", email, "--groups", groups, "--data-dir"])
            .arg(self.data_directory())
            .output()
            .map_err(|error| error.to_string())?;
        let token = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() {
            Ok(token)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// The CPU time that the service has used, of all its threads.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn cpu(&self) -> Result<Duration, String> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        // After the name, which may have blanks in it: the times are the 12th and 13th.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks: Vec<u64> =
            fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        match ticks.as_slice() {
            [user, system] => Ok(Duration::from_millis((user + system) * 1000 / TICKS)),
            _ => Err(format!("{path}: no times")),
        }
    }
}

impl Service {
    /// Has it end in good order; its data directory stays until this is dropped.
    pub(crate) fn stop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // If it is gone already, nothing is left to do.
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A process that has been waited for has no id any more that could be another's by now.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

/// The body of a request that needs one approval.
pub(crate) fn request_body() -> String {
    json!({
        "operation_type": "modify_storage",
        "instance_id": "dev-db-01",
        "parameters": { "allocated_storage": 200, "apply_immediately": true },
        "environment": "non-production",
        "justification": "The disk is nearly full",
        "estimated_cost": 25.5,
    })
    .to_string()
}

/// Makes a request; its id.
///
/// # Errors
/// When it is refused.
pub(crate) fn create(
    connection: &mut Connection,
    token: &str,
    body: &str,
) -> Result<(String, Duration), String> {
    let answer = connection.call("POST", "/v1/approvals", token, body)?;
    let made: Value = serde_json::from_str(answer.text()?).map_err(|error| error.to_string())?;
    let id = made.get("request_id").and_then(Value::as_str).ok_or("the answer names no request")?;
    Ok((id.to_owned(), answer.took))
}
