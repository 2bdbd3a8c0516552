//! Asking for an approval once. A caller who asks again with the same arguments gets the request that is there: it is open, or has
//! closed so lately that the caller may not have heard of it. Nothing is remembered for that here: requests are looked for at the
//! service, so that it holds after a restart and on every machine.

use crate::calls::{Calls, unreadable};
use countersign_agents::notice::Notice;
use countersign_api::operation::Operation;
use countersign_api::outgoing::Api;
use countersign_api::wire::{ListBody, RequestBody, SummaryBody};
use countersign_core::canonical::CanonicalJson;
use countersign_core::digest::Digest;
use countersign_core::risk::RiskLevel;
use countersign_core::timestamp::Timestamp;
use serde_json::Value;

/// For how long a request that has closed is the answer to a call with its arguments, in seconds.
const REPLAY_SECONDS: u32 = 300;
/// How many pages of a list are looked through for a request that is there.
const PAGES: usize = 5;
/// The members that say why, and not what is done or what is demanded: a model words them anew each time.
const WORDS: [&str; 4] = ["justification", "rollback_plan", "estimated_duration", "priority"];

impl<P: Api> Calls<P> {
    /// The request for these arguments: one that is there, or a new one.
    pub(crate) async fn ask(&self, body: Value, key: Option<String>) -> Result<RequestBody, Box<Notice>> {
        if let Some(key) = key {
            return self.make(body, key).await;
        }
        if let Some(earlier) = self.earlier(&body).await? {
            return Ok(earlier);
        }
        let key = self.derived_key(&body);
        match self.make(body.clone(), key).await {
            // A call in other words was faster.
            Err(notice) if notice.code == "idempotency_conflict" => match self.earlier(&body).await? {
                Some(earlier) => Ok(earlier),
                None => Err(notice),
            },
            made => made,
        }
    }

    async fn make(&self, body: Value, key: String) -> Result<RequestBody, Box<Notice>> {
        let made = self.carry_out(Operation::Create, "", body, Some(key)).await?;
        serde_json::from_value(made).map_err(|_| unreadable())
    }

    /// One key for calls that are made at the same time, and for those that an index does not show yet. A request that was made
    /// with it has closed less than [`REPLAY_SECONDS`] ago, or is open.
    fn derived_key(&self, body: &Value) -> String {
        let span = self.settings.host.now().as_millisecond() / 1000 / i64::from(REPLAY_SECONDS);
        let mut same = body.clone();
        if let Some(members) = same.as_object_mut() {
            members.retain(|name, _| !WORDS.contains(&name.as_str()));
        }
        let canonical = CanonicalJson::of(&same);
        let digest = Digest::of(format!("countersign.mcp.request.v1\n{span}\n{}", canonical.as_str()));
        format!("mcp/{digest}")
    }

    /// A request of this caller for the same thing.
    async fn earlier(&self, body: &Value) -> Result<Option<RequestBody>, Box<Notice>> {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let (Some(operation), Some(instance)) = (text("operation_type"), text("instance_id")) else {
            return Ok(None);
        };
        let me = self.me().await?.person.clone();
        let since = self.settings.host.now().minus_seconds(REPLAY_SECONDS);
        let open = ["pending", "approved", "executing"].as_slice();
        let closed = ["rejected", "expired", "cancelled", "executed", "failed"].as_slice();
        for (statuses, from) in [(open, None), (closed, Some(since.to_string()))] {
            let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let mut query: Vec<_> = statuses.iter().map(|status| named("status", status)).collect();
            query.extend([
                named("requested_by", &me),
                named("operation_type", operation),
                named("instance_id", instance),
                named("limit", "100"),
            ]);
            query.extend(from.map(|from| named("from", &from)));
            let mut cursor: Option<String> = None;
            for _ in 0..PAGES {
                let mut page = query.clone();
                page.extend(cursor.iter().map(|cursor| named("cursor", cursor)));
                let listed: ListBody = match self.list(&page).await {
                    // What the list refuses, making a request refuses with better words.
                    Err(notice) if notice.code == "validation_failed" => return Ok(None),
                    listed => listed?,
                };
                for summary in listed.items.iter().filter(|summary| may_be_same(body, summary, since)) {
                    match self.request(&summary.request_id).await {
                        Ok(request) if is_same(body, &request) && !is_long_started(&request, since) => {
                            return Ok(Some(request));
                        }
                        Ok(_) => {}
                        // One that is damaged or gone is no answer, and keeps no other one from being asked for.
                        Err(notice) if matches!(notice.code.as_str(), "integrity" | "not_found") => {}
                        Err(notice) => return Err(notice),
                    }
                }
                cursor = listed.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(None)
    }
}

/// Whether what was asked for may be this, as far as a list shows.
fn may_be_same(body: &Value, summary: &SummaryBody, since: Timestamp) -> bool {
    let cost = body.get("estimated_cost").and_then(Value::as_f64);
    cost == summary.estimated_cost
        && demands_no_more(body, &summary.risk_level, &summary.environment)
        && !is_started_before(&summary.status, summary.execution_started_at.as_deref(), since)
}

/// Whether a request has been under way for so long that its caller has heard of it. A report may never come: it is not what all
/// later calls are answered with.
fn is_long_started(request: &RequestBody, since: Timestamp) -> bool {
    is_started_before(&request.status, request.execution_started_at.as_deref(), since)
}

fn is_started_before(status: &str, started_at: Option<&str>, since: Timestamp) -> bool {
    let started = started_at.and_then(|at| Timestamp::parse(at).ok());
    status == "executing" && started.is_none_or(|started| started < since)
}

/// Whether a request was made under at least the risk and the environment that are declared now. Policy raises them.
fn demands_no_more(body: &Value, risk_level: &str, environment: &str) -> bool {
    let declared = |name: &str| body.get(name).and_then(Value::as_str);
    let is_risk = match declared("risk_level") {
        None => true,
        Some(declared) => match (declared.parse::<RiskLevel>(), risk_level.parse::<RiskLevel>()) {
            (Ok(declared), Ok(effective)) => declared <= effective,
            _ => false,
        },
    };
    is_risk && (declared("environment") == Some(environment) || environment == "production")
}

/// Whether a time that is asked for is the stored one, in whatever offset and precision it is written.
fn are_same_time(asked: &Value, stored: Option<&str>) -> bool {
    let time = |text: Option<&str>| text.and_then(|text| Timestamp::parse(text).ok());
    time(asked.as_str()).is_some_and(|asked| time(stored) == Some(asked))
}

/// Whether a request is for what is asked for. Words may differ; whatever else cannot be compared is another thing.
fn is_same(body: &Value, request: &RequestBody) -> bool {
    let Some(asked) = body.as_object() else { return false };
    let is_member_same = |name: &str, value: &Value| match name {
        "operation_type" | "instance_id" | "environment" | "risk_level" | "estimated_cost" => true,
        "parameters" => Some(CanonicalJson::of(value).digest().to_string()) == request.parameters_digest,
        "ticket" => value.as_str() == request.ticket.as_deref(),
        "execution" => value.as_str() == Some(request.execution.as_deref().unwrap_or("manual")),
        "execute_at" => are_same_time(value, request.execute_at.as_deref()),
        "window" => request.window.as_ref().is_some_and(|window| {
            let end = |name: &str, stored: &str| {
                value.get(name).is_some_and(|value| are_same_time(value, Some(stored)))
            };
            value.as_object().is_some_and(|members| members.len() == 2)
                && end("from", &window.from)
                && end("to", &window.to)
        }),
        name => WORDS.contains(&name),
    };
    let is_absent_same = |name: &str, has: bool| asked.contains_key(name) || !has;
    asked.iter().all(|(name, value)| is_member_same(name, value))
        && is_absent_same("ticket", request.ticket.is_some())
        && is_absent_same("execution", request.execution.as_deref() == Some("automatic"))
        && is_absent_same("execute_at", request.execute_at.is_some())
        && is_absent_same("window", request.window.is_some())
        && asked.get("estimated_cost").and_then(Value::as_f64) == request.estimated_cost
        && demands_no_more(body, &request.risk_level, &request.environment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Holds, Settings};
    use crate::underway::Underway;
    use countersign_api::outgoing::{ApiAnswer, ApiCall};
    use countersign_app::host::{BoxFuture, Clock, Ids, Observer};
    use countersign_core::ids::{EventId, ExecutionId, RequestId};
    use countersign_core::text_key::TextKey;
    use serde_json::json;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    const NOW: &str = "2026-11-27T12:00:00.000Z";

    fn id(number: usize) -> String {
        format!("01930000-0000-4000-8000-{number:012}")
    }

    fn body() -> Value {
        json!({
            "operation_type": "create_snapshot", "instance_id": "db-1", "environment": "production",
            "parameters": { "name": "before" }, "justification": "why",
        })
    }

    fn stored(number: usize, status: &str, started_at: Option<&str>) -> Value {
        let mut request = json!({
            "request_id": id(number), "status": status, "operation_type": "create_snapshot",
            "instance_id": "db-1", "environment": "production", "risk_level": "medium",
            "requested_by": "bot@example.com", "requested_at": NOW, "approvals_required": 1,
            "approvals_received": 0, "approved_by": [], "expires_at": NOW, "comments": [], "decisions": [],
            "version": 1, "policy_version": "", "audit_head": "",
            "parameters_digest": CanonicalJson::of(&json!({ "name": "before" })).digest().to_string(),
        });
        if let Some(at) = started_at {
            request["execution_started_at"] = json!(at);
        }
        request
    }

    /// A service that has a list of one request a page, and keeps in mind what was made.
    struct Service {
        requests: Vec<Value>,
        made: Mutex<usize>,
    }

    impl Api for Service {
        async fn call(&self, call: ApiCall) -> ApiAnswer {
            let answer = |status, body: Value| ApiAnswer { status, body: body.to_string().into() };
            if call.path == "/v1/me" {
                return answer(
                    200,
                    json!({ "person": "bot@example.com", "kind": "agent", "groups": [], "sees_all": false,
                        "may_query_audit": false }),
                );
            }
            if call.method == http::Method::POST {
                *self.made.lock().unwrap() += 1;
                return answer(201, stored(999, "pending", None));
            }
            let Some((_, query)) = call.path.split_once('?') else {
                let found = self
                    .requests
                    .iter()
                    .find(|request| call.path.ends_with(request["request_id"].as_str().unwrap()));
                let found = found.unwrap().clone();
                return match found["damaged"].as_str() {
                    Some(code) => answer(
                        409,
                        json!({ "type": "x", "title": "x", "status": 409, "detail": "x", "instance": "x",
                            "code": code, "reasons": [], "errors": [] }),
                    ),
                    None => answer(200, found),
                };
            };
            if query.contains("status=failed") {
                return answer(200, json!({ "items": [], "next_cursor": null }));
            }
            let page = query.split_once("cursor=").map_or(0, |(_, page)| page.parse().unwrap());
            let next = (page + 1 < self.requests.len()).then(|| (page + 1).to_string());
            let items: Vec<_> = self.requests.get(page).into_iter().collect();
            answer(200, json!({ "items": items, "next_cursor": next }))
        }
    }

    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::parse(NOW).unwrap()
        }

        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }

        fn pause(&self, _: Duration) -> BoxFuture<'_, ()> {
            Box::pin(async {})
        }
    }

    impl Ids for Still {
        fn event_id(&self) -> EventId {
            panic!("nothing asks for it")
        }

        fn request_id(&self) -> RequestId {
            panic!("nothing asks for it")
        }

        fn execution_id(&self) -> ExecutionId {
            panic!("nothing asks for it")
        }

        fn text_key(&self) -> TextKey {
            panic!("nothing asks for it")
        }

        fn secret(&self) -> [u8; 32] {
            panic!("nothing asks for it")
        }

        fn nonce(&self) -> [u8; 12] {
            panic!("nothing asks for it")
        }
    }

    impl Observer for Still {}

    /// The request that a call is answered with, and how many were made for it.
    async fn asked(requests: Vec<Value>) -> (String, usize) {
        let service = Arc::new(Service { requests, made: Mutex::new(0) });
        let settings = Settings {
            token: String::new(),
            holds: Holds::default(),
            dashboard_url: None,
            takes_humans: false,
            underway: Underway::default(),
            host: Arc::new(Still),
        };
        let calls = Calls::new(Arc::clone(&service), Arc::new(settings), None);
        let request = calls.ask(body(), None).await.unwrap();
        let made = *service.made.lock().unwrap();
        (request.request_id, made)
    }

    #[tokio::test]
    async fn an_execution_is_joined_only_while_it_is_news() {
        let started = |at| vec![stored(1, "executing", at)];
        assert_eq!(asked(started(Some("2026-11-27T11:56:00.000Z"))).await, (id(1), 0));
        assert_eq!(asked(started(Some("2026-11-27T11:54:00.000Z"))).await, (id(999), 1));
        assert_eq!(asked(started(None)).await, (id(999), 1));
    }

    #[tokio::test]
    async fn further_pages_are_looked_through_and_damaged_requests_passed_over() {
        let other = |number| {
            let mut request = stored(number, "pending", None);
            request["parameters_digest"] = json!("");
            request
        };
        let damaged = |number, code: &str| {
            let mut request = stored(number, "pending", None);
            request["damaged"] = json!(code);
            request
        };
        let pages =
            vec![other(1), damaged(2, "integrity"), damaged(3, "not_found"), stored(4, "pending", None)];
        assert_eq!(asked(pages).await, (id(4), 0));
        assert_eq!(asked(vec![damaged(1, "integrity")]).await, (id(999), 1));
        let many = (0..=PAGES).map(other).chain([stored(900, "pending", None)]);
        assert_eq!(asked(many.collect()).await, (id(999), 1), "it ends some time");
    }
}
