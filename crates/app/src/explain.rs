//! Explaining a request.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::get::get;
use crate::ports::LoadRequest;
use countersign_core::explain::{self, Explanation};
use countersign_core::ids::RequestId;
use countersign_core::principal::Principal;
use countersign_core::request::Request;

/// Hands an explanation of the request to `show`.
///
/// # Errors
/// As for [`get`].
pub async fn explain<S: LoadRequest, T>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    actor: &Principal,
    show: impl FnOnce(&Request, &Explanation<'_>) -> T,
) -> Result<T, AppError> {
    let request = get(dependencies, id, actor).await?;
    let context = dependencies.host.command_context();
    let explanation = explain::explain(&request, actor, &context, &dependencies.policy);
    Ok(show(&request, &explanation))
}
