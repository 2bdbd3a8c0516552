//! Long calls on the disk: what a call was that goes on by itself, and what came of it. docs/agents-gate.md, "State".

use crate::message::Answer;
use countersign_system::private_file;
use countersign_tool_calls::{CallKey, ToolCall};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::path::PathBuf;

/// The version of files.
const VERSION: u32 = 1;
/// How long a task is kept that has no answer, in milliseconds: policy lets a request wait for 30 days, and as long once it is
/// approved (docs/limits.md).
const MAX_AGE: i64 = 61 * 24 * 60 * 60 * 1000;

/// The directory.
#[derive(Debug, Clone)]
pub struct TaskDirectory {
    path: PathBuf,
}

/// A long call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredTask {
    version: u32,
    /// The request for approval, which is the name of the task.
    pub request_id: String,
    /// When it was made, in milliseconds since the Unix epoch.
    created_at: i64,
    /// The service that it is asked of.
    pub service: String,
    /// Who asks.
    pub caller: String,
    /// The name of what is kept of the call, until its result is delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept_as: Option<String>,
    operation: String,
    instance: String,
    environment: String,
    /// What it is bound to.
    pub parameters: Value,
    justification: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<String>,
    /// The answer once there is one, and since when, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ended {
    at: i64,
    answer: Value,
}

/// Whose a task is.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The service that it is asked of.
    pub service: String,
    /// Who asks.
    pub caller: String,
    /// What names the call on this machine.
    pub kept_as: Option<CallKey>,
}

impl StoredTask {
    /// A call that has just been asked for.
    pub fn new(call: &ToolCall, request_id: &str, created_at: i64, place: Place) -> Self {
        let Place { service, caller, kept_as } = place;
        let ToolCall { operation, instance, environment, parameters, justification, ticket, priority } =
            call.clone();
        Self {
            version: VERSION,
            request_id: request_id.to_owned(),
            created_at,
            service,
            caller,
            kept_as: kept_as.map(|key| key.to_string()),
            operation,
            instance,
            environment,
            parameters,
            justification,
            ticket,
            priority,
            ended: None,
        }
    }

    /// The call.
    pub fn call(&self) -> ToolCall {
        let Self { operation, instance, environment, parameters, justification, ticket, priority, .. } =
            self.clone();
        ToolCall { operation, instance, environment, parameters, justification, ticket, priority }
    }

    /// What the operator calls the server that it is for.
    pub fn server(&self) -> Option<&str> {
        self.parameters.get("server")?.as_str()
    }

    /// What names the call whose result is kept.
    pub fn kept_as(&self) -> Option<CallKey> {
        CallKey::parse(self.kept_as.as_ref()?)
    }

    /// The same once nothing is kept of the call.
    #[must_use]
    pub fn delivered(self) -> Self {
        Self { kept_as: None, ..self }
    }

    /// The answer, if there is one.
    pub fn answer(&self) -> Option<Answer> {
        Answer::of_value(&self.ended.as_ref()?.answer)
    }

    /// The same with its answer.
    #[must_use]
    pub fn ended(self, answer: &Answer, at: i64) -> Self {
        Self { ended: Some(Ended { at, answer: answer.to_value() }), ..self }
    }

    /// Whether the answer has been kept for longer than this, or none will come any more.
    fn is_over(&self, now: i64, replay_milliseconds: i64) -> bool {
        match &self.ended {
            Some(ended) => now.saturating_sub(ended.at) > replay_milliseconds,
            None => now.saturating_sub(self.created_at) > MAX_AGE,
        }
    }
}

impl TaskDirectory {
    /// The directory at a path, which is there.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The file of a task; none if that is no name of one.
    fn file(&self, request_id: &str) -> Option<PathBuf> {
        let is_name =
            request_id.len() == 36 && request_id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        is_name.then(|| self.path.join(format!("{request_id}.json")))
    }

    /// A task.
    pub fn read(&self, request_id: &str) -> Option<StoredTask> {
        let text = private_file::read(&self.file(request_id)?).ok()?;
        serde_json::from_str::<StoredTask>(&text).ok().filter(|task| task.version == VERSION)
    }

    /// Writes a task; it is on the disk when this returns.
    ///
    /// # Errors
    /// When the file system says no.
    pub fn write(&self, task: &StoredTask) -> io::Result<()> {
        let path = self.file(&task.request_id).ok_or(io::ErrorKind::InvalidInput)?;
        private_file::write(&path, &serde_json::to_vec(task)?)
    }

    /// Removes tasks whose answers have been kept long enough.
    pub fn clear(&self, now: i64, replay_milliseconds: i64) {
        for entry in std::fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            if self.read(name).is_some_and(|task| task.is_over(now, replay_milliseconds)) {
                // Another gate may have removed it.
                let _ = std::fs::remove_file(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_task_is_kept_until_its_answer_is_old() {
        let directory = tempfile::tempdir().unwrap();
        let tasks = TaskDirectory::new(directory.path().to_owned());
        let id = "0198c0de-0000-7000-8000-000000000001";
        let call = ToolCall {
            operation: "o".to_owned(),
            instance: "i".to_owned(),
            environment: "production".to_owned(),
            parameters: json!({ "tool": "t" }),
            justification: "because".to_owned(),
            ticket: None,
            priority: None,
        };
        let key = CallKey::parse(&format!("{}.7", "a".repeat(64)));
        let place = Place { service: "s".to_owned(), caller: "c".to_owned(), kept_as: key.clone() };
        let task = StoredTask::new(&call, id, 1_000, place);
        assert!(key.is_some() && task.kept_as() == key && task.clone().delivered().kept_as().is_none());
        assert_eq!(task.call(), call);
        tasks.write(&task).unwrap();
        assert_eq!(tasks.read(id), Some(task.clone()));
        for odd in ["../lock", "", "0198c0de-0000-7000-8000-00000000000g"] {
            assert_eq!(tasks.read(odd), None);
        }
        tasks.clear(1_000 + MAX_AGE, 0);
        assert_eq!(tasks.read(id), Some(task.clone()));
        tasks.clear(1_001 + MAX_AGE, 0);
        assert_eq!(tasks.read(id), None);
        let answer = Answer::Result(json!({ "content": [] }));
        tasks.write(&task.ended(&answer, 1_000)).unwrap();
        tasks.clear(2_000, 1_000);
        assert_eq!(tasks.read(id).unwrap().answer(), Some(answer));
        tasks.clear(2_001, 1_000);
        assert_eq!(tasks.read(id), None);
    }
}
