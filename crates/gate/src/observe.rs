//! A gate that only looks on: every call is forwarded as it came, and what would have been demanded is recorded and said.

use crate::call::{self, Caller};
use crate::described;
use crate::execution::blocking;
use crate::gate::Gate;
use crate::message::{Answer, INTERNAL_ERROR, Request};
use crate::meta::{self, MODE, OBSERVED};
use crate::notes::note;
use crate::observed::Demand;
use crate::upstream::Upstream;
use crate::wanted::{Subject, Wanted};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// How long an answer waits for what the service says of its call.
const PATIENCE: Duration = Duration::from_secs(2);

/// Forwards a call; nothing if its caller is gone first.
pub async fn call(gate: &Arc<Gate>, upstream: &Upstream, wanted: &Wanted, caller: &Caller) -> Option<Answer> {
    let looking = {
        let (gate, upstream, wanted) = (Arc::clone(gate), upstream.clone(), wanted.clone());
        tokio::spawn(async move {
            let demand = demand(&gate, &upstream, &wanted).await;
            let words = demand.words();
            note(&format!(
                "observe: {} as {}: {words}",
                demand.tool,
                demand.operation.as_deref().unwrap_or("no operation")
            ));
            let (observed, recorded) = (gate.observed.clone(), demand.clone());
            if !matches!(blocking(move || observed.record(&recorded)).await, Ok(Ok(()))) {
                note("observe: it could not be recorded");
            }
            demand
        })
    };
    let method = if wanted.subject == Subject::Resource { "resources/read" } else { "tools/call" };
    let params = Some(wanted.forwarded(&gate.configuration));
    let request = Request { id: json!("call"), method: method.to_owned(), params };
    let answer = tokio::select! {
        answer = upstream.request(request, &[], &caller.aside) => answer,
        () = caller.gone.wait() => return None,
    };
    let mut answer = answer.unwrap_or_else(|error| Answer::error(INTERNAL_ERROR, &error.to_string()));
    let demand = tokio::time::timeout(PATIENCE, looking).await;
    let mut said = vec![(MODE, json!("observe"))];
    if let Ok(Ok(demand)) = demand {
        said.push((OBSERVED, json!(demand)));
    }
    for (key, value) in said {
        match &mut answer {
            Answer::Result(result) => meta::add(result, key, value),
            Answer::Error(error) => meta::add_to_error(error, key, value),
        }
    }
    Some(answer)
}

/// What would have been demanded.
async fn demand(gate: &Arc<Gate>, upstream: &Upstream, wanted: &Wanted) -> Demand {
    let operation = wanted.operation(&gate.configuration);
    let demand = Demand::unknown(&gate.configuration, wanted.name(), operation.as_deref());
    let tool = match &wanted.subject {
        Subject::Tool(name) => match described::tool(gate, upstream, name, wanted.meta.as_ref()).await {
            Ok(tool) => Some(tool),
            Err(notice) => return demand.refused(&notice.code),
        },
        Subject::Resource => None,
    };
    let asked = match wanted.call(&gate.configuration, tool.as_ref()) {
        Ok(asked) => asked,
        Err(notice) => return demand.refused(&notice.code),
    };
    let Ok(calls) = gate.calls().await else { return demand };
    let simulated = blocking(move || calls.connection().simulate(&asked.body())).await;
    match simulated {
        Ok(Ok(simulation)) => demand.simulated(&simulation),
        Ok(Err(error)) => {
            let notice = call::notice_of(&error.into());
            if notice.code == crate::approvals::GATE_UNAVAILABLE {
                demand
            } else {
                demand.refused(&notice.code)
            }
        }
        Err(_) => demand,
    }
}
