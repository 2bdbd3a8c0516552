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
use serde_json::Value;

/// For how long a request that has closed is the answer to a call with its arguments, in seconds.
const REPLAY_SECONDS: u32 = 300;
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
        let since = self.settings.host.now().minus_seconds(REPLAY_SECONDS).to_string();
        let open = ["pending", "approved", "executing"].as_slice();
        let closed = ["rejected", "expired", "cancelled", "executed", "failed"].as_slice();
        for (statuses, from) in [(open, None), (closed, Some(since))] {
            let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let mut query: Vec<_> = statuses.iter().map(|status| named("status", status)).collect();
            query.extend([
                named("requested_by", &me),
                named("operation_type", operation),
                named("instance_id", instance),
                named("limit", "100"),
            ]);
            query.extend(from.map(|from| named("from", &from)));
            let listed: ListBody = match self.list(&query).await {
                // What the list refuses, making a request refuses with better words.
                Err(notice) if notice.code == "validation_failed" => return Ok(None),
                listed => listed?,
            };
            for summary in listed.items.iter().filter(|summary| may_be_same(body, summary)) {
                let request = self.request(&summary.request_id).await?;
                if is_same(body, &request) {
                    return Ok(Some(request));
                }
            }
        }
        Ok(None)
    }
}

/// Whether what was asked for may be this, as far as a list shows.
fn may_be_same(body: &Value, summary: &SummaryBody) -> bool {
    let cost = body.get("estimated_cost").and_then(Value::as_f64);
    cost == summary.estimated_cost && demands_no_more(body, &summary.risk_level, &summary.environment)
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

/// Whether a request is for what is asked for. Words may differ; whatever else cannot be compared is another thing.
fn is_same(body: &Value, request: &RequestBody) -> bool {
    let Some(asked) = body.as_object() else { return false };
    let is_member_same = |name: &str, value: &Value| match name {
        "operation_type" | "instance_id" | "environment" | "risk_level" | "estimated_cost" => true,
        "parameters" => Some(CanonicalJson::of(value).digest().to_string()) == request.parameters_digest,
        "ticket" => value.as_str() == request.ticket.as_deref(),
        "execution" => value.as_str() == Some(request.execution.as_deref().unwrap_or("manual")),
        "execute_at" => value.as_str() == request.execute_at.as_deref(),
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
