//! What of a request's item is about its execution: when it is to begin, what was found of the target, and its lease.

use crate::attribute::{InvalidAttribute, read, read_option, text};
use countersign_core::canonical::CanonicalJson;
use countersign_core::digest::Digest;
use countersign_core::execution::{Execution, Schedule, Target, Window};
use countersign_core::person::PersonId;
use countersign_core::text_key::DigestedDocument;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// How and when it is to be carried out; absent where its requester starts it at any time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScheduleItem {
    mode: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    execute_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_to: Option<String>,
}

/// What an executor has found, as one canonical JSON string; once that is erased, its digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TargetItem {
    by: String,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

/// For how long an execution may be silent, and a permit be spent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LeaseItem {
    pub(crate) permit_expires_at: String,
    pub(crate) seconds: u32,
    pub(crate) until: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unknown_since: Option<String>,
}

impl From<&Schedule> for ScheduleItem {
    fn from(schedule: &Schedule) -> Self {
        Self {
            mode: schedule.mode.to_string(),
            execute_at: text(schedule.execute_at),
            window_from: text(schedule.window.map(|window| window.from)),
            window_to: text(schedule.window.map(|window| window.to)),
        }
    }
}

impl TryFrom<&ScheduleItem> for Schedule {
    type Error = InvalidAttribute;

    fn try_from(item: &ScheduleItem) -> Result<Self, InvalidAttribute> {
        let from = read_option("schedule.window_from", item.window_from.as_ref(), Timestamp::parse)?;
        let to = read_option("schedule.window_to", item.window_to.as_ref(), Timestamp::parse)?;
        Ok(Self {
            mode: read("schedule.mode", &item.mode, str::parse)?,
            execute_at: read_option("schedule.execute_at", item.execute_at.as_ref(), Timestamp::parse)?,
            window: match (from, to) {
                (Some(from), Some(to)) => Some(Window { from, to }),
                (None, None) => None,
                (Some(_), None) | (None, Some(_)) => return Err(InvalidAttribute::Value("schedule")),
            },
        })
    }
}

impl From<&Target> for TargetItem {
    fn from(target: &Target) -> Self {
        Self {
            by: target.by.to_string(),
            at: target.at.to_string(),
            document: text(target.document.kept().map(CanonicalJson::as_str)),
            digest: target.document.kept().is_none().then(|| target.digest().to_string()),
        }
    }
}

impl TryFrom<&TargetItem> for Target {
    type Error = InvalidAttribute;

    fn try_from(item: &TargetItem) -> Result<Self, InvalidAttribute> {
        Ok(Self {
            by: read("target.by", &item.by, PersonId::from_stored)?,
            at: read("target.at", &item.at, Timestamp::parse)?,
            document: match (&item.document, &item.digest) {
                (Some(document), None) => {
                    DigestedDocument::Kept(read("target.document", document, CanonicalJson::from_stored)?)
                }
                (None, Some(digest)) => {
                    DigestedDocument::Erased(read("target.digest", digest, Digest::parse)?)
                }
                (Some(_), Some(_)) | (None, None) => {
                    return Err(InvalidAttribute::Value("target.document"));
                }
            },
        })
    }
}

impl From<&Execution> for LeaseItem {
    fn from(execution: &Execution) -> Self {
        Self {
            permit_expires_at: execution.permit_expires_at.to_string(),
            seconds: execution.lease_seconds,
            until: execution.lease_until.to_string(),
            unknown_since: text(execution.unknown_since),
        }
    }
}
