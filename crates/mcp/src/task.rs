//! A request as a task (`io.modelcontextprotocol/tasks`): the store of requests is the store of tasks, so that a task is there
//! after a restart and on every machine.

use crate::answer::{answered, document, refused};
use crate::waiting::{is_waiting, pace};
use countersign_agents::notice::Notice;
use countersign_agents::progress::progress;
use countersign_api::wire::RequestBody;
use countersign_core::timestamp::Timestamp;
use rmcp::model::{CallToolResult, DetailedTask, Task, TaskPayload, TaskStatus};
use serde_json::json;
use std::time::Duration;

/// What an agent does whose request has closed.
const AGAIN: &str = "only if it is to be done after all, or once more: call request_approval with an idempotency_key that you have not \
    used; that makes a new request";

/// What a call gives whose request has come to this, once it does not wait any more.
pub(crate) fn result(request: &RequestBody, dashboard_url: Option<&str>) -> CallToolResult {
    match request.status.as_str() {
        "pending" => refused(&Notice::pending(request, dashboard_url)),
        "approved" => answered(json!(request)),
        // An approval is spent once. To an agent that takes it for one that is still to be spent, it would be done twice.
        _ => refused(&closed(request, dashboard_url)),
    }
}

/// What has become of a request. For a while the same call gives the same again, so that another request takes a key.
fn closed(request: &RequestBody, dashboard_url: Option<&str>) -> Notice {
    let notice = Notice::closed(request, dashboard_url);
    match request.status.as_str() {
        "cancelled" | "expired" | "executed" | "failed" => Notice { next_step: AGAIN.to_owned(), ..notice },
        _ => notice,
    }
}

/// The task of a request. It lasts until the deadline of the decision.
pub(crate) fn task(request: &RequestBody, now: Timestamp) -> Task {
    let millisecond = |text: &str| Timestamp::parse(text).map_or(0, Timestamp::as_millisecond);
    let span = |from: i64, to: i64| u64::try_from(to.saturating_sub(from)).unwrap_or_default();
    let (made, deadline) = (millisecond(&request.requested_at), millisecond(&request.expires_at));
    let age = Duration::from_millis(span(made, now.as_millisecond()));
    let poll = u64::try_from(pace(age).as_millis()).unwrap_or(u64::MAX);
    let status = if is_waiting(request) { TaskStatus::Working } else { TaskStatus::Completed };
    Task::new(&request.request_id, status, &request.requested_at, last_change(request))
        .with_status_message(progress(request, now))
        .with_ttl_ms(span(made, deadline))
        .with_poll_interval_ms(poll)
}

/// The same with what has come of it.
pub(crate) fn detailed(request: &RequestBody, now: Timestamp, dashboard_url: Option<&str>) -> DetailedTask {
    let payload = match request.status.as_str() {
        "pending" => TaskPayload::Working,
        "cancelled" => TaskPayload::Cancelled,
        _ => TaskPayload::Completed { result: document(&result(request, dashboard_url)) },
    };
    DetailedTask::new(task(request, now), payload)
}

/// The time of the last thing that has happened, as far as an answer says.
fn last_change(request: &RequestBody) -> &str {
    let decided = request.decisions.iter().map(|decision| decision.at.as_str());
    let others = [&request.approved_at, &request.execution_started_at, &request.closed_at];
    let times = decided.chain(others.into_iter().flatten().map(String::as_str));
    times.max().unwrap_or(&request.requested_at)
}
