//! Claiming a request for a while, and giving the claim back. Nothing of the request changes.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::get::{check_visible, load};
use crate::held::HeldRequest;
use crate::ports::{LoadHold, LoadRequest, PutHold, StoredHold};
use crate::retry::Attempts;
use countersign_core::hold::{self, Hold, HoldTerms};
use countersign_core::ids::RequestId;
use countersign_core::principal::Principal;
use countersign_core::request::Request;
use futures_util::future::join;

/// Who was faster each time.
const TOO_MANY: &str = "others have claimed the request at the same moments";

/// Claims a request for the actor.
///
/// # Errors
/// What an approval by the actor would be refused for, and [`countersign_core::refusal::Refusal::Claimed`].
pub async fn hold<S: LoadRequest + PutHold>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    terms: HoldTerms,
    actor: &Principal,
) -> Result<HeldRequest, AppError> {
    let mut attempts = Attempts::begin(dependencies.host.as_ref());
    loop {
        let (request, before) = read(dependencies, id).await?;
        let (before, revision) = parts(before);
        let context = dependencies.host.command_context();
        let policy = &dependencies.policy;
        let hold = hold::hold(&request, before.as_ref(), terms, actor, &context, policy)?;
        if dependencies.store.put_hold(&hold, revision).await? {
            return Ok(HeldRequest { request, hold: Some(hold) });
        }
        if !attempts.again().await {
            return Err(AppError::Unavailable(TOO_MANY.to_owned()));
        }
    }
}

/// Gives the actor's claim of a request back. Without one nothing happens.
///
/// # Errors
/// [`countersign_core::refusal::Refusal::NotVisible`], and [`countersign_core::refusal::Refusal::Claimed`] if it is another
/// approver's.
pub async fn release<S: LoadRequest + PutHold>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    actor: &Principal,
) -> Result<HeldRequest, AppError> {
    let mut attempts = Attempts::begin(dependencies.host.as_ref());
    loop {
        let (request, before) = read(dependencies, id).await?;
        let (before, revision) = parts(before);
        let (policy, now) = (&dependencies.policy, dependencies.host.now());
        check_visible(policy, actor, &request, now)?;
        let Some(left) = hold::release(&request, before, actor, now, policy)? else {
            return Ok(HeldRequest { request, hold: None });
        };
        if dependencies.store.put_hold(&left, revision).await? {
            return Ok(HeldRequest { request, hold: None });
        }
        if !attempts.again().await {
            return Err(AppError::Unavailable(TOO_MANY.to_owned()));
        }
    }
}

/// The request and what was claimed of it last, both at once.
async fn read<S: LoadRequest + LoadHold>(
    dependencies: &Dependencies<S>,
    id: RequestId,
) -> Result<(Request, Option<StoredHold>), AppError> {
    let (request, stored) = join(load(dependencies, id), dependencies.store.load_hold(id)).await;
    Ok((request?, stored?))
}

fn parts(stored: Option<StoredHold>) -> (Option<Hold>, u64) {
    match stored {
        Some(StoredHold { hold, revision }) => (Some(hold), revision),
        None => (None, 0),
    }
}
