//! GET /.well-known/jwks.json: the keys that permits are verified by. No token needed, no request read.

use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::PublicEndpoint;
use countersign_app::dependencies::Dependencies;
use countersign_app::error::AppError;

/// For how long an answer may be kept. A key is published long before it signs, and after it has.
const KEPT: &str = "public, max-age=300";

/// Gives out the next, current and past keys.
#[derive(Debug)]
pub struct Keys;

impl PublicEndpoint for Keys {
    const OPERATION: Operation = Operation::Keys;

    async fn answer<S: Sync>(dependencies: &Dependencies<S>) -> Result<Reply, Problem> {
        let keys = dependencies.signing_keys.published().await.map_err(AppError::from)?;
        Ok(Reply::json(200, &keys.to_json()).with_header("cache-control", KEPT.to_owned()))
    }
}
