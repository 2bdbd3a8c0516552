//! What a gate records that only looks on: a line of JSON for each call, without its arguments.

use crate::configuration::Configuration;
use crate::notes::named;
use countersign_api::wire::SimulateBody;
use countersign_app::host::Clock as _;
use countersign_system::private_file::{self};
use countersign_system::system::SystemHost;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The version of lines.
const VERSION: u32 = 1;
/// How large the file becomes, in bytes, before another one is begun. The one before it is kept.
const LIMIT: u64 = 16 * 1024 * 1024;

/// The file. Copies share it.
#[derive(Debug, Clone)]
pub struct Observed {
    path: PathBuf,
    writing: Arc<Mutex<()>>,
}

/// What would have been demanded of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// The version of the line.
    pub version: u32,
    /// When it was called.
    pub at: String,
    /// The server.
    pub server: String,
    /// The tool.
    pub tool: String,
    /// The operation.
    pub operation: Option<String>,
    /// Whether the request could have been made; absent if the service could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permitted: Option<bool>,
    /// Why not, as codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<String>,
    /// How risky it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk_level: Option<String>,
    /// How many people would have had to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals_required: Option<u8>,
}

impl Demand {
    /// One of which nothing is known yet.
    pub fn unknown(configuration: &Configuration, tool: &str, operation: Option<&str>) -> Self {
        Self {
            version: VERSION,
            at: SystemHost::default().now().to_string(),
            server: configuration.server.clone(),
            tool: named(tool),
            operation: operation.map(str::to_owned),
            permitted: None,
            refusals: Vec::new(),
            risk_level: None,
            approvals_required: None,
        }
    }

    /// One that would have been refused.
    #[must_use]
    pub fn refused(self, code: &str) -> Self {
        Self { permitted: Some(false), refusals: vec![code.to_owned()], ..self }
    }

    /// The same, with what the service says.
    #[must_use]
    pub fn simulated(self, simulation: &SimulateBody) -> Self {
        Self {
            permitted: Some(simulation.permitted),
            refusals: simulation.refusals.iter().map(|refusal| refusal.code.clone()).collect(),
            risk_level: Some(simulation.risk_level.clone()),
            approvals_required: Some(simulation.approvals_required),
            ..self
        }
    }

    /// In a few words.
    pub fn words(&self) -> String {
        match (self.permitted, self.approvals_required) {
            (None, _) => {
                "what would have been demanded is not known: the service could not be asked".to_owned()
            }
            (Some(false), _) => format!("it would have been refused: {}", self.refusals.join(", ")),
            (Some(true), Some(0) | None) => "nothing would have been demanded".to_owned(),
            (Some(true), Some(1)) => "1 approval would have been demanded".to_owned(),
            (Some(true), Some(many)) => format!("{many} approvals would have been demanded"),
        }
    }
}

impl Observed {
    /// The file at a path.
    pub fn new(path: PathBuf) -> Self {
        Self { path, writing: Arc::default() }
    }

    /// Adds a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(&self, demand: &Demand) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = serde_json::to_vec(demand)?;
        line.push(b'\n');
        loop {
            let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
            // Other gates write to it too. INVARIANT: only a gate that holds its lock begins another one.
            file.lock()?;
            let held = file.metadata()?;
            if !fs::metadata(&self.path).is_ok_and(|current| current.ino() == held.ino()) {
                continue;
            }
            if held.len() < LIMIT {
                return file.write_all(&line);
            }
            fs::rename(&self.path, self.earlier())?;
        }
    }

    /// All lines that can be read, the earlier ones first.
    pub fn read(&self) -> Vec<Demand> {
        let texts =
            [self.earlier(), self.path.clone()].map(|path| private_file::read(&path).unwrap_or_default());
        let lines = texts.iter().flat_map(|text| text.lines());
        lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The file before the one that is written to.
    fn earlier(&self) -> PathBuf {
        self.path.with_extension("1.jsonl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_full_is_kept_once_and_another_is_begun() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("observed.jsonl");
        let observed = Observed::new(path.clone());
        let full = u64::try_from(serde_json::to_vec(&demand("count")).unwrap().len()).unwrap() + 1;
        for tool in ["look", "count", "drop"] {
            observed.record(&demand(tool)).unwrap();
            let mut file = OpenOptions::new().append(true).open(&path).unwrap();
            assert!(file.metadata().unwrap().len() <= full, "one line");
            file.write_all(&vec![b'\n'; usize::try_from(LIMIT).unwrap()]).unwrap();
        }
        let read: Vec<_> = observed.read().into_iter().map(|demand| demand.tool).collect();
        assert_eq!(read, ["count", "drop"]);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    fn demand(tool: &str) -> Demand {
        Demand {
            version: VERSION,
            at: "2026-01-31T09:30:00.000Z".to_owned(),
            server: "files".to_owned(),
            tool: tool.to_owned(),
            operation: None,
            permitted: None,
            refusals: Vec::new(),
            risk_level: None,
            approvals_required: None,
        }
    }
}
