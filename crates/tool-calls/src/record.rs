//! What is on the disk of a call: docs/agents.md, "State". One JSON document each, version 1.

use countersign_agents::notice::Notice;
use countersign_api::bodies::CreateBody;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of records.
pub(crate) const VERSION: u32 = 1;

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// The service that it is asked of.
    pub(crate) service: String,
    /// Who asks.
    pub(crate) caller: String,
    /// The `Idempotency-Key` that it is asked for with.
    pub(crate) idempotency_key: String,
    /// The request, once the service has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
    /// Since when no caller waits for it, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left_at: Option<i64>,
    /// Whether its caller was answered that it waits, and is to call again: it is no caller's then, and wanted all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_put_off: bool,
    /// How far it has come.
    pub(crate) state: State,
}

/// By what the end of a call is found that another process runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detached {
    /// Names the call among those that run.
    pub name: String,
    /// What it was approved to be run with, as a digest: what was run with something else has not been run as approved.
    pub content: String,
}

/// How far a call has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub(crate) enum State {
    /// It is about to be asked for, or was.
    Asked {
        /// What is sent, until the service has answered: a key goes with one body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Box<CreateBody>>,
    },
    /// Its approval is about to be spent. Nothing was run.
    Starting,
    /// It may have been run.
    Running {
        /// Names its execution.
        execution_id: String,
        /// By what a report finds it, if it is another process that runs it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detached: Option<Detached>,
    },
    /// It was run, or it is not known.
    Ended {
        /// Names its execution.
        execution_id: String,
        /// The time of the end, in milliseconds since the Unix epoch.
        at: i64,
        /// Whether it succeeded.
        is_success: bool,
        /// What is reported of it.
        result: Value,
        /// Whether the service knows.
        is_reported: bool,
        /// What a retry is answered.
        kept: Kept,
    },
}

/// What a retry is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kept {
    /// Nothing: a retry asks anew.
    Nothing,
    /// The result.
    Result(Value),
    /// That it is not known what was done.
    Notice(Box<Notice>),
}
