//! POST and DELETE /v1/approvals/{id}/claim. One function carries both out.

use crate::fields::{Fields, boolean};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::{ChangeMade, Reply};
use crate::run::Endpoint;
use crate::wire::RequestBody;
use countersign_app::dependencies::Dependencies;
use countersign_app::held::HeldRequest;
use countersign_app::hold;
use countersign_app::ports::{LoadRequest, PutHold};
use countersign_core::hold::{DEFAULT_MINUTES, HoldTerms, MAX_MINUTES};
use countersign_core::principal::Principal;
use serde_json::Value;

/// Claims a request.
#[derive(Debug)]
pub struct Hold;

impl<S: LoadRequest + PutHold> Endpoint<S> for Hold {
    const OPERATION: Operation = Operation::Hold;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        let terms = terms(&mut fields);
        let ((id, terms), _) = fields.finish(id.zip(terms))?;
        let held = hold::hold(dependencies, id, terms, actor).await?;
        Ok(changed(dependencies, actor, &held))
    }
}

/// Gives a claim back.
#[derive(Debug)]
pub struct Release;

impl<S: LoadRequest + PutHold> Endpoint<S> for Release {
    const OPERATION: Operation = Operation::Release;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        let (id, _) = fields.finish(id)?;
        let held = hold::release(dependencies, id, actor).await?;
        Ok(changed(dependencies, actor, &held))
    }
}

/// For how long, and whether it replaces the claim of another approver.
pub(crate) fn terms(fields: &mut Fields) -> Option<HoldTerms> {
    let minutes = fields.optional("minutes", minutes);
    let takes = fields.optional("take", boolean);
    Some(HoldTerms { minutes: minutes?.unwrap_or(DEFAULT_MINUTES), takes: takes?.unwrap_or_default() })
}

fn minutes(value: &Value) -> Result<u32, String> {
    let rule = || format!("must be a whole number from 1 to {MAX_MINUTES}");
    let minutes = value.as_u64().ok_or_else(rule)?;
    u32::try_from(minutes).ok().filter(|minutes| (1..=MAX_MINUTES).contains(minutes)).ok_or_else(rule)
}

fn changed<S>(dependencies: &Dependencies<S>, actor: &Principal, held: &HeldRequest) -> Reply {
    let body = RequestBody::held(held, actor, &dependencies.policy, dependencies.host.now());
    Reply { change: Some(ChangeMade::Hold(held.request.id())), ..Reply::json(200, &body) }
}
