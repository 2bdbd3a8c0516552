//! What verifying a whole audit log takes: time and memory for a million events.

use countersign_audit::checkpoint::Checkpoint;
use countersign_audit::edge::Edge;
use countersign_audit::key::{KeyStatus, PrivateKey, Purpose};
use countersign_audit::key_set::KeySet;
use countersign_audit::tile::{Content, Tile, WIDTH, bytes_of, push_entry};
use countersign_audit::tree::leaf_hash;
use countersign_audit::verification::whole_log;
use countersign_core::canonical::CanonicalJson;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// The argument by which this program tells that it has started itself.
pub(crate) const CHILD: &str = "verify-log";
/// How many events there are, and how many of them in a stream.
const EVENTS: u64 = 1_000_000;
const IN_STREAM: u64 = 4;
/// What is claimed: seconds, and MiB.
const MOST_SECONDS: f64 = 30.0;
const MOST_MIB: u64 = 256;

const ORIGIN: &str = "urn:countersign:deployment:4f0c8a6e2b1d4f0c8a6e2b1d4f0c8a6e";

fn key() -> PrivateKey {
    PrivateKey::from_bytes(&[7; 32])
}

/// Makes a log, verifies it in a process of its own, and says what that took and whether it is what is claimed.
pub(crate) fn measure() -> Result<(String, bool), String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let bytes = write(directory.path()).map_err(|error| error.to_string())?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program).arg(CHILD).arg(directory.path()).output();
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (seconds, mib) =
        said.trim().split_once(' ').ok_or_else(|| format!("the log was not verified: {said}"))?;
    let seconds: f64 = seconds.parse().map_err(|_| said.clone())?;
    let mib: u64 = mib.parse().map_err(|_| said.clone())?;
    let holds = seconds <= MOST_SECONDS && mib <= MOST_MIB;
    let verdict = if holds { "holds" } else { "DOES NOT HOLD" };
    let size = bytes / 1024 / 1024;
    let line = format!(
        "{EVENTS} events in {} streams, {size} MiB: {seconds:.1} s (at most {MOST_SECONDS}), {mib} MiB of memory (at most \
         {MOST_MIB})  {verdict}\n",
        EVENTS / IN_STREAM
    );
    Ok((line, holds))
}

/// Verifies a log; gives seconds, and the most memory that this process has had, in MiB.
pub(crate) fn verify(directory: &str) -> Result<String, String> {
    let directory = Path::new(directory);
    let keys = KeySet::new(vec![key().public(Purpose::Log, KeyStatus::Current)]);
    let began = Instant::now();
    let note = fs::read_to_string(directory.join("checkpoint")).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::open(&note, &keys).map_err(|error| error.to_string())?;
    let read = |path: &str| match fs::read(directory.join(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    };
    let whole = whole_log(&checkpoint, read, |_, _| Ok(())).map_err(|failure| failure.to_string())?;
    let seconds = began.elapsed().as_secs_f64();
    if whole.entries != EVENTS {
        return Err("the log has another number of events".to_owned());
    }
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak: u64 = peak.and_then(|peak| peak.parse().ok()).ok_or("the memory is not known")?;
    Ok(format!("{seconds} {}\n", peak / 1024))
}

/// Writes the files of a log; gives the length of its entries.
fn write(directory: &Path) -> io::Result<u64> {
    let put = |tile: Tile, bytes: &[u8]| {
        let path = directory.join(tile.to_string());
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, bytes)
    };
    let mut edge = Edge::default();
    let mut bundle = Vec::new();
    let mut written = 0;
    let mut head = String::new();
    for index in 0..EVENTS {
        let (stream, sequence) = (index / IN_STREAM, index % IN_STREAM + 1);
        if sequence == 1 {
            head = "0".repeat(64);
        }
        let (entry, hash) = event(stream, sequence, &head);
        head = hash;
        push_entry(&mut bundle, entry.as_bytes()).map_err(io::Error::other)?;
        written += entry.len() as u64;
        let mut full = Vec::new();
        edge.append(leaf_hash(entry.as_bytes()), &mut |tile, hashes| full.push((tile, bytes_of(hashes))));
        for (tile, bytes) in full {
            put(tile, &bytes)?;
        }
        if (index + 1) % WIDTH == 0 || index + 1 == EVENTS {
            let tile = Tile::of_tree(Content::Entries, index / WIDTH, index + 1);
            tile.map_or(Ok(()), |tile| put(tile, &bundle))?;
            bundle.clear();
        }
    }
    for (tile, bytes) in edge.partial_bytes() {
        put(tile, &bytes)?;
    }
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: edge.size(), root: edge.root() };
    let public = key().public(Purpose::Log, KeyStatus::Current);
    let note = checkpoint.signed(&public, &key().sign(checkpoint.text().as_bytes()));
    fs::write(directory.join("checkpoint"), note)?;
    Ok(written)
}

/// An approval, as long as one is.
fn event(stream: u64, sequence: u64, head: &str) -> (String, String) {
    let id = format!("01930000-0000-7000-8000-{stream:012x}");
    let mut event = json!({
        "format": "countersign.audit.v1", "origin": ORIGIN, "stream": format!("request/{id}"), "sequence": sequence,
        "event_id": format!("01930000-0000-7000-9000-{:012x}", stream * IN_STREAM + sequence),
        "timestamp": "2026-11-25T19:03:21.482Z", "event_type": "APPROVAL_GRANTED", "user": "bob@example.com",
        "kind": "human", "channel": "api", "source_ip": "203.0.113.7",
        "auth": { "issuer": "https://login.example.com", "subject": "00u1a2b3c4d5e6f7", "at": "2026-11-25T19:00:00.000Z" },
        "request_id": id, "operation_type": "modify_instance_class", "instance_id": "production-db-01",
        "environment": "production", "risk_level": "high", "requested_by": "ann@example.com", "status": "approved",
        "details": { "content_digest": "7".repeat(64), "comment_digest": "8".repeat(64), "policy_version": "9".repeat(64),
                     "groups": ["approver", "dba"] },
        "state_digest": "a".repeat(64), "prev_hash": head,
    });
    let hash = CanonicalJson::of(&event).digest().to_string();
    if let Some(members) = event.as_object_mut() {
        members.insert("hash".to_owned(), Value::String(hash.clone()));
    }
    (CanonicalJson::of(&event).as_str().to_owned(), hash)
}
