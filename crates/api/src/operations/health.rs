//! GET /health and GET /openapi.json: no token needed, no request read.

use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::PublicEndpoint;
use crate::wire::HealthBody;
use countersign_app::dependencies::Dependencies;
use std::borrow::Cow;
use std::sync::OnceLock;

/// Says that the service is there, and which one it is.
#[derive(Debug)]
pub struct Health;

impl PublicEndpoint for Health {
    const OPERATION: Operation = Operation::Health;

    async fn answer<S: Sync>(dependencies: &Dependencies<S>) -> Result<Reply, Problem> {
        Ok(Reply::json(
            200,
            &HealthBody {
                status: "healthy".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                policy_version: dependencies.policy.version().to_string(),
                notifications_version: dependencies
                    .notifications
                    .as_ref()
                    .and_then(|notifications| notifications.version())
                    .map(|version| version.to_string()),
            },
        ))
    }
}

/// Gives out the description of the API.
#[derive(Debug)]
pub struct Openapi;

impl PublicEndpoint for Openapi {
    const OPERATION: Operation = Operation::Openapi;

    async fn answer<S: Sync>(_: &Dependencies<S>) -> Result<Reply, Problem> {
        Ok(Reply { body: Cow::Borrowed(description()), ..Reply::json(200, &()) })
    }
}

/// The description as it is sent, without the white space of the file. It is in memory once, however
/// many callers ask for it.
fn description() -> &'static str {
    static DESCRIPTION: OnceLock<String> = OnceLock::new();
    DESCRIPTION.get_or_init(|| {
        // INVARIANT: the file is JSON; a test compares it with what the code describes.
        let document: serde_json::Value =
            serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap_or_default();
        document.to_string()
    })
}
