//! The real program as a child process, on a data directory of its own.

use crate::client::Client;
use crate::inspection;
use countersign_core::digest::DeploymentKey;
use countersign_core::request::Request;
use countersign_embedded::Embedded;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A running `countersign serve`.
#[derive(Debug)]
pub struct Program {
    binary: String,
    child: Child,
    data_directory: String,
    base: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// How long a command may take that ends by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a command of the program to its end. One that does not end, such as a service that should have refused
/// to start, is killed.
pub fn run(binary: &str, arguments: &[&str]) -> Output {
    output(Command::new(binary).args(arguments).env_remove("RUST_LOG"))
}

/// The same, with these variables and no others.
pub fn run_with(binary: &str, arguments: &[&str], variables: &BTreeMap<String, String>) -> Output {
    output(Command::new(binary).args(arguments).env_clear().envs(variables))
}

fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program runs");
    let id = child.id().to_string();
    let (ended, has_ended) = channel::<()>();
    std::thread::spawn(move || {
        if has_ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-s", "KILL", &id]).status();
        }
    });
    let output = child.wait_with_output().expect("the program ends");
    drop(ended);
    output
}

impl Program {
    /// Starts it and waits until it says where it listens.
    pub fn start(binary: &str, data_directory: &Path) -> Self {
        Self::start_with(binary, data_directory, &[])
    }

    /// The same, and its stderr is not read.
    pub fn start_unread(binary: &str, data_directory: &Path) -> Self {
        Self::spawn(Command::new(binary), binary, data_directory, &[], &BTreeMap::new(), false)
    }

    /// The same, with further arguments.
    pub fn start_with(binary: &str, data_directory: &Path, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(binary), binary, data_directory, arguments, &BTreeMap::new(), true)
    }

    /// The same, with these variables besides those of this process.
    pub fn start_in(binary: &str, data_directory: &Path, variables: &BTreeMap<String, String>) -> Self {
        Self::spawn(Command::new(binary), binary, data_directory, &[], variables, true)
    }

    /// The same, where it may have so many files open.
    pub fn start_with_files(binary: &str, data_directory: &Path, arguments: &[&str], files: u32) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\""), binary]);
        Self::spawn(shell, binary, data_directory, arguments, &BTreeMap::new(), true)
    }

    fn spawn(
        mut command: Command,
        binary: &str,
        data_directory: &Path,
        arguments: &[&str],
        variables: &BTreeMap<String, String>,
        reads_log: bool,
    ) -> Self {
        let data_directory = data_directory.to_str().unwrap().to_owned();
        let listen = if arguments.contains(&"--listen") { &[][..] } else { &["--listen", "127.0.0.1:0"] };
        let mut child = command
            .args(["serve", "--data-dir", &data_directory])
            .args(listen)
            .args(arguments)
            .env_remove("RUST_LOG")
            .envs(variables)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&log);
        let stderr = if reads_log { child.stderr.take() } else { None };
        let reader = std::thread::spawn(move || {
            let Some(stderr) = stderr else { return };
            let mut stderr = BufReader::new(stderr);
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|length| length > 0) {
                written.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base = line.trim().strip_prefix("listening on ").map(str::to_owned);
        let base = base.unwrap_or_else(|| panic!("it does not listen: {line}{}", log.lock().unwrap()));
        Self { binary: binary.to_owned(), child, data_directory, base, log, reader: Some(reader) }
    }

    /// Where it listens.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `name@example.com` in some groups, with a token from `countersign token`.
    pub fn person(&self, name: &str, groups: &str) -> Client {
        Client::new(&self.base, Some(self.token(name, groups)))
    }

    /// A token for `name@example.com`, from `countersign token`.
    pub fn token(&self, name: &str, groups: &str) -> String {
        let email = format!("{name}@example.com");
        let output =
            run(&self.binary, &["token", &email, "--groups", groups, "--data-dir", &self.data_directory]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// How much of its memory is in use, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Sends a signal by name, such as `TERM` or `KILL`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits until it has ended, however it does.
    pub fn wait(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Opens the database of a program that has ended and checks all of it.
pub fn inspect(data_directory: &Path) -> Vec<Request> {
    let embedded = Embedded::open(&data_directory.join("countersign.db")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let key = std::fs::read(data_directory.join("deployment.key")).unwrap();
    let key = DeploymentKey::new(key.try_into().unwrap());
    runtime.block_on(inspection::check_with(&countersign_embedded::client(embedded), &key))
}

/// The ids of all events in the database of a program that has ended.
pub fn event_ids(data_directory: &Path) -> std::collections::BTreeSet<String> {
    let embedded = Embedded::open(&data_directory.join("countersign.db")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(inspection::events(&countersign_embedded::client(embedded)))
}
