//! Signals of a process that runs a command: each reaches the command once.
//!
//! The command is in the process group of this process. What the terminal sends, it sends to both, and what another
//! process sends to this one is passed on. What stops this process stops it as any other: a shell sees the job stop.

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What would end this process, and is for the command.
const ENDING: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
/// How far up a sender is looked for below the command.
const MAX_ANCESTORS: usize = 64;

/// What has come of signals, as long as this process lasts.
#[derive(Debug, Clone)]
pub struct Signals {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    command: Option<Pid>,
    received: Vec<i32>,
}

impl Signals {
    /// From now on signals end this process no more. `before_command` is called for each that comes while there is no
    /// command yet.
    ///
    /// # Errors
    /// When there can be no thread, or no handler.
    pub fn start(before_command: impl Fn() + Send + 'static) -> io::Result<Self> {
        let signals = Self { state: Arc::default() };
        // What is ignored here stays ignored, here and in the command: that is what `nohup` is for.
        let ignored = ignored();
        let handled = ENDING.into_iter().filter(|signal| !is_in(ignored, *signal));
        let mut received = SignalsInfo::<WithOrigin>::new(handled)?;
        let to = signals.clone();
        let thread = std::thread::Builder::new().name("run-signals".to_owned());
        thread.spawn(move || {
            for origin in received.forever() {
                if to.receive(&origin) {
                    before_command();
                }
            }
        })?;
        Ok(signals)
    }

    /// The first signal that came while there was no command.
    pub fn received(&self) -> Option<i32> {
        self.state().received.first().copied()
    }

    /// From now on signals are passed on; so are those that came while the command was started.
    pub(crate) fn pass_to(&self, command: Pid) {
        let mut state = self.state();
        state.command = Some(command);
        for signal in std::mem::take(&mut state.received) {
            pass(signal, command);
        }
    }

    /// The command has ended, and its number may become that of another process.
    pub(crate) fn keep(&self) {
        self.state().command = None;
    }

    /// Whether there is no command yet.
    fn receive(&self, origin: &Origin) -> bool {
        let mut state = self.state();
        let Some(command) = state.command else {
            state.received.push(origin.signal);
            return true;
        };
        let sender = origin.process.and_then(|process| Pid::from_raw(process.pid.max(0)));
        let has_it_already = matches!(origin.cause, Cause::Kernel);
        if !has_it_already && !sender.is_some_and(|sender| is_below(sender, command)) {
            pass(origin.signal, command);
        }
        false
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pass(signal: i32, command: Pid) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        // It may just have ended.
        let _ = kill_process(command, signal);
    }
}

/// Whether a process is the command or was started by it: what it sends to all of its group, the command has or has sent.
fn is_below(sender: Pid, command: Pid) -> bool {
    let mut process = Some(sender);
    for _ in 0..MAX_ANCESTORS {
        match process {
            Some(process) if process == command => return true,
            Some(other) => process = parent(other),
            None => return false,
        }
    }
    false
}

fn parent(process: Pid) -> Option<Pid> {
    let status = std::fs::read_to_string(status_of(&process.as_raw_nonzero().to_string())).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    parent.trim().parse().ok().and_then(Pid::from_raw)
}

/// The signals that this process ignores, a bit for each.
fn ignored() -> u64 {
    let status = std::fs::read_to_string(status_of("self")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

fn is_in(mask: u64, signal: i32) -> bool {
    u32::try_from(signal - 1).is_ok_and(|bit| mask.checked_shr(bit).unwrap_or_default() & 1 == 1)
}

fn status_of(process: &str) -> PathBuf {
    ["/proc", process, "status"].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpid;

    #[test]
    fn a_process_is_below_those_that_started_it() {
        let own = getpid();
        assert!(is_below(own, own));
        let above = parent(own).unwrap();
        assert!(is_below(own, above));
        assert!(!is_below(above, own));
    }

    #[test]
    fn a_mask_has_a_bit_for_each_signal() {
        let mask = u64::from_str_radix("0000000000001003", 16).unwrap();
        let found: Vec<_> = (1..=64).filter(|signal| is_in(mask, *signal)).collect();
        assert_eq!(found, [1, 2, 13]);
    }
}
