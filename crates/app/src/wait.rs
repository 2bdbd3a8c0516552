//! Reading one request once it has changed.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::get;
use crate::held::HeldRequest;
use crate::ports::{LoadHold, LoadRequest};
use crate::waiting::{Waiting, Woken};
use countersign_core::caller::Caller;
use countersign_core::ids::RequestId;
use countersign_core::policy::Policy;
use countersign_core::principal::Principal;
use countersign_core::timestamp::Timestamp;
use std::time::Duration;

/// A call that waits.
#[derive(Debug)]
pub struct Wait<'a> {
    /// The request that it waits for.
    pub request_id: RequestId,
    /// The version that the caller knows. The one at the time of asking, if they do not say.
    pub since_version: Option<u64>,
    /// How long it would wait.
    pub at_most: Duration,
    /// Who waits. Under another policy they may be another principal, or none.
    pub caller: &'a Caller,
    /// What lets it wait.
    pub waiting: &'a dyn Waiting,
}

/// The request, as `show` shows it to the actor: as soon as it has changed, or, if that does not happen in time, as it
/// is then. It has changed when its version is above the known one, when it is shown differently than at the time of
/// asking (a deadline has passed, or another policy is in force), or when `is_news` finds what is shown new. For a caller
/// who names no version, each change that is committed after the call has begun is one, whether or not the first look
/// has it already.
///
/// # Errors
/// As for [`get::get`], at the time of the answer: a policy may have come to hide the request, or to refuse the caller.
pub async fn wait<S: LoadRequest + LoadHold, T: PartialEq + Send>(
    dependencies: &Dependencies<S>,
    wait: Wait<'_>,
    actor: &Principal,
    show: impl Fn(&HeldRequest, &Principal, &Policy, Timestamp) -> T + Send + Sync,
    is_news: impl Fn(&T) -> bool + Send + Sync,
) -> Result<T, AppError> {
    // Before the request is read: what is committed in between is noticed.
    let mut watch = wait.waiting.watch(wait.request_id, wait.at_most);
    let mut held = get::load_held(dependencies, wait.request_id).await?;
    let since_version = wait.since_version.unwrap_or(held.request.version);
    let (mut actor, mut replaced, mut at_first) = (actor.clone(), None, None);
    let mut is_committed_since = false;
    loop {
        let now = dependencies.host.now();
        let policy = replaced.as_deref().unwrap_or(&dependencies.policy);
        get::check_visible(policy, &actor, &held.request, now)?;
        let shown = show(&held, &actor, policy, now);
        let has_changed = held.request.version > since_version
            || (is_committed_since && wait.since_version.is_none())
            || at_first.as_ref().is_some_and(|at_first| *at_first != shown)
            || is_news(&shown);
        let Some(watching) = watch.as_mut().filter(|_| !has_changed) else { return Ok(shown) };
        at_first.get_or_insert(shown);
        let deadline_in = held.request.deadline().and_then(|deadline| until(deadline, now));
        match watching.next(deadline_in).await {
            woken @ (Woken::Change | Woken::Look) => {
                held = get::load_held(dependencies, wait.request_id).await?;
                is_committed_since |= matches!(woken, Woken::Change);
            }
            // Nothing has been committed: what was read is as it was.
            Woken::Deadline => {}
            Woken::Policy(policy) => {
                actor = policy.people().resolve(wait.caller.clone())?;
                replaced = Some(policy);
            }
            Woken::End => watch = None,
        }
    }
}

/// How long it is until a time; `None` if that has passed.
fn until(time: Timestamp, now: Timestamp) -> Option<Duration> {
    let milliseconds = time.as_millisecond().saturating_sub(now.as_millisecond());
    u64::try_from(milliseconds).ok().filter(|left| *left > 0).map(Duration::from_millis)
}
