//! The routes that answer files: evidence of a request, and the files of the audit log. They are no operations of the API,
//! since what they answer is signed byte by byte, or is of another specification.

use crate::call::Input;
use crate::fields::Fields;
use crate::operation::Body;
use crate::problem::{Code, Problem};
use countersign_app::dependencies::Dependencies;
use countersign_app::log::{self, CHECKPOINT, LogIndex, LogStorage};
use countersign_app::policy_texts::PolicyTexts;
use countersign_app::ports::{LoadEvents, LoadRequest, RecordEvent};
use countersign_app::{attempts, audit, evidence};
use countersign_core::audit::call_record::Reading;
use countersign_core::principal::Principal;
use serde_json::Value;
use std::collections::BTreeMap;

/// Such a route. All of them are `GET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter)]
pub enum FileRoute {
    /// What an auditor takes away of a request.
    Evidence,
    /// A file of the audit log, as C2SP `tlog-tiles` has them.
    Log,
}

impl FileRoute {
    /// What events, lines of the log and functions call it.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Evidence => evidence::OPERATION,
            Self::Log => "log",
        }
    }

    /// What it is for, in few words.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Evidence => "Evidence of a request, signed",
            Self::Log => "A file of the audit log",
        }
    }

    /// The path, as API Gateway writes it: `{path+}` stands for several segments.
    #[must_use]
    pub const fn path_template(self) -> &'static str {
        match self {
            Self::Evidence => "/v1/approvals/{id}/evidence",
            Self::Log => "/v1/log/{path+}",
        }
    }

    /// Method and path.
    #[must_use]
    pub fn route_key(self) -> String {
        format!("GET {}", self.path_template())
    }
}

/// A file, as it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The media type.
    pub content_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Evidence of the request with this id. It is signed byte by byte, so that it is answered as it was signed. `id` and `query`
/// are as the call has them.
///
/// # Errors
/// A field that is not as it must be, and as for [`evidence::evidence`].
pub async fn evidence<S: LoadRequest + LoadEvents + RecordEvent + LogIndex>(
    dependencies: &Dependencies<S>,
    log: &impl LogStorage,
    policies: &impl PolicyTexts,
    id: String,
    query: String,
    actor: &Principal,
) -> Result<File, Problem> {
    let input = Input::Http {
        path: BTreeMap::from([("id".to_owned(), id)]),
        query,
        content_type: None,
        idempotency_key: None,
        if_none_match: None,
        body: Vec::new(),
    };
    let mut fields = Fields::read(input, Body::None)?;
    let id = fields.request_id();
    let redacted = fields.optional("redacted", boolean);
    let ((id, redacted), _) = fields.finish(id.zip(redacted))?;
    let redacted = redacted.unwrap_or_default();
    let made = evidence::evidence(dependencies, log, policies, id, redacted, actor).await?;
    Ok(File { content_type: "application/json", bytes: made.into_bytes() })
}

fn boolean(value: &Value) -> Result<bool, &'static str> {
    let read = value.as_str().and_then(|text| text.parse().ok());
    read.ok_or("must be true or false")
}

/// A file of the log, by its path below the log's own. A log holds the events of all requests: it is for those alone who may
/// query events, and that they read it is an event, once an hour.
///
/// # Errors
/// `not_permitted`; `not_found` for what is no file of the log; 503 when log or store cannot be read.
pub async fn log_file<S: RecordEvent + LoadEvents>(
    dependencies: &Dependencies<S>,
    log: &impl LogStorage,
    path: &str,
    actor: &Principal,
) -> Result<File, Problem> {
    audit::permit_all(dependencies, actor)?;
    let reading = Reading { operation: FileRoute::Log.slug(), filters: BTreeMap::new() };
    attempts::reading(dependencies, actor, &reading).await?;
    let found = log::file(log, path).await.map_err(|error| Problem::unavailable(error.to_string()))?;
    let bytes = found.ok_or_else(|| Problem::new(Code::NotFound, "the log has no such file"))?;
    let content_type =
        if path == CHECKPOINT { "text/plain; charset=utf-8" } else { "application/octet-stream" };
    Ok(File { content_type, bytes })
}
