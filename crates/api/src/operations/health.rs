//! GET /health and GET /openapi.json: no token needed, nothing read.

use crate::call::Reply;
use crate::openapi;
use crate::wire::HealthBody;
use countersign_app::dependencies::Dependencies;
use std::sync::OnceLock;

/// Whether the service is there, and which one it is.
pub fn health<S>(dependencies: &Dependencies<S>) -> Reply {
    Reply::json(
        200,
        &HealthBody {
            status: "healthy".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            policy_version: dependencies.policy.version().to_string(),
        },
    )
}

/// The description of the API.
pub fn description() -> &'static Reply {
    // It never changes while the program runs, and anybody may ask for it as often as they like.
    static DESCRIPTION: OnceLock<Reply> = OnceLock::new();
    DESCRIPTION.get_or_init(|| Reply::json(200, &openapi::document()))
}
