//! GET /.well-known/jwks.json: the keys that permits, the audit log and evidence are verified by. No token needed, no
//! request read.

use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::PublicEndpoint;
use countersign_app::dependencies::Dependencies;
use countersign_app::error::AppError;
use serde_json::json;

/// For how long an answer may be kept. A key is published long before it signs, and after it has.
const KEPT: &str = "public, max-age=300";

/// Gives out the next, current and past keys.
#[derive(Debug)]
pub struct Keys;

impl PublicEndpoint for Keys {
    const OPERATION: Operation = Operation::Keys;

    async fn answer<S: Sync>(dependencies: &Dependencies<S>) -> Result<Reply, Problem> {
        let of_permits = dependencies.signing_keys.published().await.map_err(AppError::from)?;
        let of_audit = dependencies.audit_keys.published().await.map_err(AppError::from)?;
        let keys = of_permits.iter().map(|key| key.to_json()).chain(of_audit.iter().map(|key| key.to_json()));
        let keys = json!({ "keys": keys.collect::<Vec<_>>() });
        Ok(Reply::json(200, &keys).with_header("cache-control", KEPT.to_owned()))
    }
}
