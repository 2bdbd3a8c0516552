//! `gate.lock`: the description of each tool as it was first seen, or accepted. A tool that is described otherwise is not
//! called until an operator has accepted that.

use crate::definition::Definition;
use countersign_core::text::escaped_line;
use countersign_system::private_file::{self, Unsuitable};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The version of the file.
const VERSION: u32 = 1;
/// The most tools that are pinned of one server.
pub const MAX_PINNED: usize = 1_000;
/// The longest file, in bytes.
const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

/// The file, for one server.
#[derive(Debug, Clone)]
pub struct Pins {
    path: PathBuf,
    server: String,
}

/// What the file says of a tool that a server describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pinned {
    /// It is described as it was.
    Same,
    /// It was not known before, and is from now on.
    New,
    /// It is described otherwise.
    Changed,
    /// It was not known before, and no more tools of its server are pinned.
    OneTooMany,
}

/// A description of a tool in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// SHA-256 of it as canonical JSON.
    pub digest: String,
    /// What is described.
    pub described: Value,
}

/// A tool in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedTool {
    /// What counts.
    pub pinned: Description,
    /// What the server says now, if that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Description>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    servers: BTreeMap<String, BTreeMap<String, PinnedTool>>,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// It cannot be read, or others can change it.
    #[error("{}: {error}", shown(path))]
    Unsuitable {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: Unsuitable,
    },
    /// It cannot be written.
    #[error("{}: {error}", shown(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// It is none that this program has written.
    #[error("{} is no file of pins of this version: remove it only once you know why", shown(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
    },
    /// Descriptions are longer than any file is written.
    #[error("{}: descriptions of tools are too long: {MAX_FILE_BYTES} bytes are the most", shown(path))]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// There is no such tool in it, or nothing to accept of it.
    #[error("{}", escaped_line(reason))]
    NothingToAccept {
        /// Why.
        reason: String,
    },
}

fn shown(path: &Path) -> String {
    escaped_line(&path.display().to_string())
}

impl Description {
    fn of(tool: &Definition) -> Self {
        Self { digest: tool.digest.clone(), described: tool.described.clone() }
    }
}

impl Pins {
    /// The pins of a server in the file at a path.
    pub fn new(path: PathBuf, server: &str) -> Self {
        Self { path, server: server.to_owned() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Compares what a server says of its tools with the file. What is new is pinned; what has changed is written down, for an
    /// operator to look at.
    ///
    /// # Errors
    /// When the file cannot be read or written: no tool is to be called then.
    pub fn compare(&self, tools: &[&Definition]) -> Result<Vec<Pinned>, PinsError> {
        let known = self.read()?;
        let found: Vec<_> = tools.iter().map(|tool| found(&known, tool)).collect();
        if found.iter().all(|(_, is_written)| *is_written) {
            return Ok(found.into_iter().map(|(pinned, _)| pinned).collect());
        }
        self.change(|known| {
            let mut all = Vec::new();
            for tool in tools {
                let (pinned, _) = found_in(known, tool);
                all.push(pinned);
            }
            Ok(all)
        })
    }

    /// The tools in the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self) -> Result<BTreeMap<String, PinnedTool>, PinsError> {
        Ok(self.document()?.servers.remove(&self.server).unwrap_or_default())
    }

    /// Lets a tool be called as it is described now, if that is what was looked at.
    ///
    /// # Errors
    /// When there is nothing to accept, or the file cannot be written.
    pub fn accept(&self, name: &str, digest: &str) -> Result<(), PinsError> {
        self.change(|known| {
            let tool = known
                .get_mut(name)
                .filter(|tool| tool.offered.as_ref().is_some_and(|offered| offered.digest == digest));
            let Some((tool, offered)) =
                tool.and_then(|tool| tool.offered.take().map(|offered| (tool, offered)))
            else {
                let reason = format!("{name} is not offered with the digest {digest} (any more)");
                return Err(PinsError::NothingToAccept { reason });
            };
            tool.pinned = offered;
            Ok(())
        })
    }

    fn document(&self) -> Result<Document, PinsError> {
        let unreadable = || PinsError::Unreadable { path: self.path.clone() };
        match private_file::read(&self.path) {
            Ok(text) => {
                let document: Document = serde_json::from_str(&text).map_err(|_| unreadable())?;
                if document.version == VERSION { Ok(document) } else { Err(unreadable()) }
            }
            Err(error) if error.is_not_found() => Ok(Document { version: VERSION, servers: BTreeMap::new() }),
            Err(error) => Err(PinsError::Unsuitable { path: self.path.clone(), error }),
        }
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, PinnedTool>) -> Result<T, PinsError>,
    ) -> Result<T, PinsError> {
        let mut lock = self.path.clone().into_os_string();
        lock.push(".lock");
        let lock = PathBuf::from(lock);
        let _held = private_file::lock(&lock).map_err(|error| PinsError::Unsuitable { path: lock, error })?;
        let mut document = self.document()?;
        let changed = change(document.servers.entry(self.server.clone()).or_default())?;
        let io = |error| PinsError::Io { path: self.path.clone(), error };
        let text = serde_json::to_vec_pretty(&document).map_err(|error| io(error.into()))?;
        if text.len() > MAX_FILE_BYTES {
            return Err(PinsError::TooLong { path: self.path.clone() });
        }
        private_file::write(&self.path, &text).map_err(io)?;
        Ok(changed)
    }
}

/// What is known of a tool, and whether the file says so already.
fn found(known: &BTreeMap<String, PinnedTool>, tool: &Definition) -> (Pinned, bool) {
    match known.get(&tool.name) {
        None if known.len() >= MAX_PINNED => (Pinned::OneTooMany, true),
        None => (Pinned::New, false),
        Some(known) if known.pinned.digest == tool.digest => (Pinned::Same, known.offered.is_none()),
        Some(known) => {
            (Pinned::Changed, known.offered.as_ref().is_some_and(|offered| offered.digest == tool.digest))
        }
    }
}

/// The same, written into what is known.
fn found_in(known: &mut BTreeMap<String, PinnedTool>, tool: &Definition) -> (Pinned, bool) {
    let (pinned, is_written) = found(known, tool);
    match (&pinned, known.get_mut(&tool.name)) {
        (Pinned::OneTooMany, _) => {}
        (Pinned::Same, Some(entry)) => entry.offered = None,
        (Pinned::Changed, Some(entry)) => entry.offered = Some(Description::of(tool)),
        _ => {
            let entry = PinnedTool { pinned: Description::of(tool), offered: None };
            known.insert(tool.name.clone(), entry);
        }
    }
    (pinned, is_written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(description: &str) -> Definition {
        Definition::of(&json!({ "name": "a", "description": description })).unwrap()
    }

    #[test]
    fn a_tool_is_pinned_at_first_sight_and_a_change_waits_to_be_accepted() {
        let directory = tempfile::tempdir().unwrap();
        let pins = Pins::new(directory.path().join("gate.lock"), "files");
        let compare = |tool: &Definition| pins.compare(&[tool]).unwrap().remove(0);
        let (first, other, third) = (tool("one"), tool("two"), tool("three"));
        assert_eq!(compare(&first), Pinned::New);
        assert_eq!(compare(&first), Pinned::Same);
        assert_eq!(compare(&other), Pinned::Changed);
        assert_eq!(compare(&other), Pinned::Changed);
        assert!(pins.accept("a", &third.digest).is_err());
        assert!(pins.accept("b", &other.digest).is_err());
        pins.accept("a", &other.digest).unwrap();
        assert_eq!(compare(&other), Pinned::Same);
        assert_eq!(compare(&first), Pinned::Changed);
        // What is offered no more cannot be accepted.
        assert_eq!(compare(&other), Pinned::Same);
        assert!(pins.accept("a", &first.digest).is_err());
        let elsewhere = Pins::new(directory.path().join("gate.lock"), "others");
        assert_eq!(elsewhere.compare(&[&third]).unwrap(), [Pinned::New]);
        assert_eq!(compare(&other), Pinned::Same);
    }

    #[test]
    fn a_server_has_so_many_tools_and_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let pins = Pins::new(directory.path().join("gate.lock"), "files");
        let named = |number: usize| Definition::of(&json!({ "name": number.to_string() })).unwrap();
        let tools: Vec<_> = (0..=MAX_PINNED).map(named).collect();
        let found = pins.compare(&tools.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!((&found[MAX_PINNED - 1], &found[MAX_PINNED]), (&Pinned::New, &Pinned::OneTooMany));
        assert_eq!(pins.read().unwrap().len(), MAX_PINNED);
        assert_eq!(pins.compare(&[&tools[0]]).unwrap(), [Pinned::Same]);
        assert_eq!(pins.compare(&[&tools[MAX_PINNED]]).unwrap(), [Pinned::OneTooMany]);
        let long =
            Definition::of(&json!({ "name": "0", "description": "x".repeat(MAX_FILE_BYTES) })).unwrap();
        assert!(matches!(pins.compare(&[&long]), Err(PinsError::TooLong { .. })));
        assert_eq!(pins.compare(&[&tools[0]]).unwrap(), [Pinned::Same]);
    }

    #[test]
    fn a_file_of_another_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gate.lock");
        let pins = Pins::new(path.clone(), "files");
        for text in ["{}", "{\"version\":2,\"servers\":{}}", "", "{\"version\":1,\"servers\":{},\"x\":1}"] {
            private_file::write(&path, text.as_bytes()).unwrap();
            assert!(pins.compare(&[&tool("one")]).is_err(), "{text}");
        }
    }
}
