//! The process that a command becomes: started from the descriptor that was read, and waited for as a shell does.

use crate::bind::Bound;
use crate::file::Watched;
use crate::outcome::{Ended, Outcome};
use crate::parameters::Stdin;
use crate::signals::Signals;
use crate::streams::Streams;
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, WaitOptions, getpgrp, getpid, kill_process, waitpid};
use rustix::termios::tcgetpgrp;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The first bytes of a binary: the specification of ELF, "Identification".
const ELF: [u8; 4] = *b"\x7fELF";
/// How long a command must have been stopped for this process to stop too: Ctrl-Z has stopped both, and goes first.
const SETTLED: Duration = Duration::from_millis(100);

/// Why a command that was approved does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What it needs cannot be had.
    #[error("pipes of the command: {0}")]
    Pipes(io::Error),
    /// The system does not execute the file.
    #[error("{path}: {reason}")]
    NotExecuted {
        /// The file.
        path: String,
        /// Why, in the words of the system.
        reason: io::Error,
    },
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    signals: Signals,
    streams: Streams,
    started: Instant,
    watched: Vec<Watched>,
}

/// Starts what was bound: the bytes that were read, in place of what its path names by now.
///
/// # Errors
/// When it is not executed. Nothing has run then.
pub fn start(bound: Bound, keeps_output: bool, signals: &Signals) -> Result<Running, StartError> {
    let Bound { parameters, executable, stdin, environment, watched } = bound;
    let path = parameters.executable.path;
    let not_executed = |reason: io::Error| StartError::NotExecuted { path: path.clone(), reason };
    if !is_elf(&executable) {
        // An interpreter opens the descriptor once more.
        fcntl_setfd(&executable, FdFlags::empty()).map_err(|error| not_executed(error.into()))?;
    }
    // The kernel resolves it in the new process, where the descriptor has the same number.
    let descriptor: PathBuf = ["/proc/self/fd", &executable.as_raw_fd().to_string()].iter().collect();
    let (streams, ends) = Streams::open(keeps_output).map_err(StartError::Pipes)?;
    let mut words = parameters.command.iter();
    let mut command = Command::new(descriptor);
    command.arg0(words.next().map(String::as_str).unwrap_or_default()).args(words);
    command.current_dir(&parameters.directory).env_clear().envs(environment);
    command.stdout(ends.stdout).stderr(ends.stderr).stdin(match (parameters.stdin, stdin) {
        (Stdin::Inherit, _) => Stdio::inherit(),
        (Stdin::File(_), Some(file)) => Stdio::from(file),
        (Stdin::Null | Stdin::File(_), _) => Stdio::null(),
    });
    let started = Instant::now();
    let child = command.spawn().map_err(not_executed)?;
    signals.pass_to(Pid::from_child(&child));
    Ok(Running { child, signals: signals.clone(), streams, started, watched })
}

fn is_elf(file: &File) -> bool {
    let mut first = ELF.map(|_| 0);
    file.read_exact_at(&mut first, 0).is_ok() && first == ELF
}

impl Running {
    /// Waits until the command has ended. If it stops, so does this process, for the shell that waits for it.
    ///
    /// # Errors
    /// When the system does not say what became of it.
    pub fn wait(self) -> io::Result<Outcome> {
        let command = Pid::from_child(&self.child);
        let ended = loop {
            match waitpid(Some(command), WaitOptions::UNTRACED) {
                Ok(Some((_, status))) => {
                    if let Some(status) = status.exit_status() {
                        break Ended::Status(status);
                    }
                    if let Some(signal) = status.terminating_signal() {
                        break Ended::Signal(signal);
                    }
                    if status.stopped() {
                        stop_with(command);
                    }
                }
                Ok(None) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        self.signals.keep();
        let duration = self.started.elapsed();
        let (stdout, stderr) = self.streams.end();
        let changed = self.watched.iter().filter_map(Watched::changed).map(str::to_owned).collect();
        Ok(Outcome { ended, duration, stdout, stderr, changed })
    }
}

/// Stops this process as well if a person is at the terminal, who would otherwise wait for a command that does not go on.
fn stop_with(command: Pid) {
    let is_in_front = File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(terminal) == Ok(getpgrp()));
    std::thread::sleep(SETTLED);
    if is_in_front && is_stopped(command) {
        // A process may always stop itself.
        let _ = kill_process(getpid(), Signal::STOP);
    }
}

fn is_stopped(process: Pid) -> bool {
    let stat: PathBuf = ["/proc", &process.as_raw_nonzero().to_string(), "stat"].iter().collect();
    let stat = std::fs::read_to_string(stat).unwrap_or_default();
    // The name before the state may have parentheses in it.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::{CommandLine, StdinChoice, Surroundings, bind};
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::sync::Mutex;

    /// A process that another test starts has the files of all tests open until it executes something, and what is open
    /// for writing cannot be executed.
    static STARTS: Mutex<()> = Mutex::new(());

    fn surroundings(directory: &Path) -> Surroundings {
        let path = std::env::var_os("PATH").unwrap();
        let environment = BTreeMap::from([("PATH".into(), path), ("KEY".into(), "secret".into())]);
        Surroundings { directory: directory.to_owned(), environment, umask: 0o22 }
    }

    fn line(words: &[&str]) -> CommandLine {
        CommandLine { words: words.iter().map(Into::into).collect(), ..CommandLine::default() }
    }

    fn run(bound: Bound) -> Outcome {
        let signals = Signals::start(|| {}).unwrap();
        start(bound, false, &signals).unwrap().wait().unwrap()
    }

    #[test]
    fn what_was_read_runs_though_its_name_is_another_files_by_now() {
        let _alone = STARTS.lock().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        let write = |text: &str| {
            let new = directory.path().join("new");
            fs::write(&new, text).unwrap();
            fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
            fs::rename(&new, &script).unwrap();
        };
        write("#!/bin/sh\nexit 7\n");
        let bound = bind(&line(&["./script"]), &surroundings(directory.path())).unwrap();
        write("#!/bin/sh\nexit 8\n");
        let outcome = run(bound);
        assert_eq!(outcome.ended, Ended::Status(7));
        assert_eq!(outcome.changed.len(), 1, "{outcome:?}");
    }

    #[test]
    fn a_command_gets_its_words_place_stdin_and_environment_and_nothing_else() {
        let _alone = STARTS.lock().unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("input"), "from the file\n").unwrap();
        let script = r#"test "$1" = "a b" && test "$2" = '' && test "$#" = 2 && read line &&
            test "$line" = "from the file" && test "$KEY" = secret && test "$(env | grep -c =)" -le 6 &&
            test "$(cat)" = '' && test -z "$COUNTERSIGN_TOKEN" && echo > here"#;
        let asked = CommandLine {
            stdin: StdinChoice::File("input".into()),
            secret_environment: vec!["KEY".to_owned()],
            ..line(&["sh", "-c", script, "sh", "a b", ""])
        };
        let outcome = run(bind(&asked, &surroundings(directory.path())).unwrap());
        assert_eq!(outcome.ended, Ended::Status(0), "{outcome:?}");
        assert!(directory.path().join("here").exists());
        let outcome = run(bind(&line(&["sh", "-c", "kill -9 $$"]), &surroundings(directory.path())).unwrap());
        assert_eq!(outcome.ended, Ended::Signal(9));
    }

    #[test]
    fn what_the_system_does_not_execute_has_not_run() {
        let _alone = STARTS.lock().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("text");
        for text in ["no program\n", "#!/nonexistent/interpreter\n"] {
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            let bound = bind(&line(&["./text"]), &surroundings(directory.path())).unwrap();
            let refused = start(bound, false, &Signals::start(|| {}).unwrap()).unwrap_err();
            assert!(matches!(refused, StartError::NotExecuted { .. }), "{refused}");
        }
    }
}
