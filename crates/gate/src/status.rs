//! What `countersign gate status` shows: which gates run, in which mode, which tools have changed, and what was observed.

use crate::configuration::Mode;
use crate::observed::Observed;
use crate::pins::{Pins, PinsError};
use crate::state_directory::StateDirectory;
use countersign_system::private_file;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// The version of files.
const VERSION: u32 = 1;

/// A gate that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunningGate {
    version: u32,
    /// Its process.
    pub pid: u32,
    /// The server before which it is.
    pub server: String,
    /// Whether it holds calls back.
    pub mode: String,
    /// Since when.
    pub started_at: String,
    /// Where agents connect to it, if it listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listens: Option<String>,
}

impl RunningGate {
    /// This process.
    pub fn new(server: &str, mode: Mode, started_at: String, listens: Option<String>) -> Self {
        let mode = mode.as_str().to_owned();
        Self {
            version: VERSION,
            pid: std::process::id(),
            server: server.to_owned(),
            mode,
            started_at,
            listens,
        }
    }
}

/// Says that this gate runs, until it is dropped.
#[derive(Debug)]
pub struct Registration {
    path: PathBuf,
    lock: PathBuf,
    _held: File,
}

impl Registration {
    /// Writes it down.
    ///
    /// # Errors
    /// When the file system says no.
    pub fn new(state: &StateDirectory, gate: &RunningGate) -> io::Result<Self> {
        let (path, lock) = (state.running(gate.pid), state.running_lock(gate.pid));
        let held = private_file::lock(&lock).map_err(|error| io::Error::other(error.to_string()))?;
        private_file::write(&path, &serde_json::to_vec(gate)?)?;
        Ok(Self { path, lock, _held: held })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        for path in [&self.path, &self.lock] {
            // Without the lock it counts as ended in any case.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What there is to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Gates that run.
    pub gates: Vec<RunningGate>,
    /// Tools that are described otherwise than they are pinned, with the digest of what they are described as now.
    pub changed: BTreeMap<String, String>,
    /// How many tools are pinned.
    pub pinned: usize,
    /// What was observed, by what would have been demanded.
    pub observed: BTreeMap<String, usize>,
}

/// Looks.
///
/// # Errors
/// When the pins cannot be read.
pub fn status(state: &StateDirectory, pins: Option<&Pins>) -> Result<Status, PinsError> {
    let tools = pins.map(Pins::read).transpose()?.unwrap_or_default();
    let changed =
        tools.iter().filter_map(|(name, tool)| Some((name.clone(), tool.offered.as_ref()?.digest.clone())));
    let changed = changed.collect();
    let mut observed = BTreeMap::new();
    for demand in Observed::new(state.observed()).read() {
        *observed.entry(format!("{} {}: {}", demand.server, demand.tool, demand.words())).or_default() += 1;
    }
    Ok(Status { gates: running(state), changed, pinned: tools.len(), observed })
}

fn running(state: &StateDirectory) -> Vec<RunningGate> {
    let mut gates = Vec::new();
    for entry in std::fs::read_dir(state.all_running()).into_iter().flatten().flatten() {
        let text = private_file::read(&entry.path()).unwrap_or_default();
        let Ok(gate) = serde_json::from_str::<RunningGate>(&text) else { continue };
        let lock = state.running_lock(gate.pid);
        match private_file::try_lock(&lock) {
            // It has ended without a word.
            Ok(Some(_held)) => {
                for path in [entry.path(), lock] {
                    let _ = std::fs::remove_file(path);
                }
            }
            Ok(None) | Err(_) => gates.push(gate),
        }
    }
    gates.sort_by_key(|gate| gate.pid);
    gates
}
