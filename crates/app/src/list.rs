//! Listing requests, as far as the actor may see them.

use crate::cursor::Cursors;
use crate::damage;
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::held;
use crate::ports::{ListHolds, ListQuery, ListRequests, RequestSummary};
use countersign_core::hold::Hold;
use countersign_core::open_decision::OpenDecision;
use countersign_core::policy::Policy;
use countersign_core::policy::access::{AccessDecision, Action};
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::timestamp::Timestamp;
use futures_util::future::join;
use std::collections::{BTreeMap, HashMap};

/// How often the store is asked for one page, whatever filters and policy leave out: a page may then be
/// short, or empty, and not the last. In `docs/api.md`. More than there are partitions that the next
/// request can be in, which are at most seven: so every page gets further.
pub const MAX_QUERIES: usize = 25;

/// An entry of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedRequest {
    /// The request.
    pub summary: RequestSummary,
    /// What is open to the caller, if the list is of what waits for them.
    pub open_decision: Option<OpenDecision>,
    /// Which approver looks at it.
    pub hold: Option<Hold>,
}

/// One page, as the caller gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The requests.
    pub items: Vec<ListedRequest>,
    /// The cursor of the next page; `None` on the last.
    pub next_cursor: Option<String>,
    /// How many rows were left out because they cannot be read.
    pub damaged: usize,
}

/// One page of the requests that match and that the actor may see: the first, or the one that a cursor
/// names. Where `is_waiting_for_actor`, of those alone on which the actor can decide.
///
/// # Errors
/// [`AppError::MalformedCursor`] before anything else; [`Refusal::NotPermitted`] for an actor who may see
/// no list.
pub async fn list<S: ListRequests + ListHolds>(
    dependencies: &Dependencies<S>,
    mut query: ListQuery,
    cursor: Option<&str>,
    actor: &Principal,
    is_waiting_for_actor: bool,
) -> Result<Listed, AppError> {
    let policy = &dependencies.policy;
    let cursors = Cursors::of(&query, actor, &dependencies.deployment_key);
    query.after = cursor.map(|cursor| cursors.open(cursor)).transpose()?;
    if !policy.may_list(actor, false, query.now).is_permitted() {
        if let AccessDecision::Denied(reasons) = policy.may_list(actor, true, query.now) {
            return Err(Refusal::NotPermitted(reasons).into());
        }
        if query.requested_by.is_empty() {
            query.requested_by.clone_from(&actor.addresses);
        } else if !query.requested_by.iter().any(|person| policy.is_actor(actor, person)) {
            // The answer does not reveal whether others have requests.
            return Ok(Listed { items: Vec::new(), next_cursor: None, damaged: 0 });
        }
    }
    let mut view = View { policy, actor, now: query.now, known: HashMap::new() };
    let open = |entry: &RequestSummary| {
        is_waiting_for_actor.then(|| OpenDecision::of(entry, actor, policy, query.now))
    };
    let keep = |entry: &RequestSummary| view.permits(entry) && open(entry).is_none_or(|open| open.is_any());
    // At the same time: what is held is few, and all of it is one query.
    let holds = async {
        match asks_for_open(&query) {
            true => held::hints(&dependencies.store, query.now).await,
            false => BTreeMap::new(),
        }
    };
    let (page, mut holds) = join(dependencies.store.list(&query, keep), holds).await;
    let page = page?;
    damage::report(dependencies.host.as_ref(), &page.damaged);
    Ok(Listed {
        items: page
            .items
            .into_iter()
            .map(|summary| {
                let hold = holds.remove(&summary.id);
                let hold = hold.filter(|hold| hold.is_shown(&summary, summary.status, policy, query.now));
                ListedRequest { open_decision: open(&summary), hold, summary }
            })
            .collect(),
        next_cursor: page.next.map(|position| cursors.seal(&position)).transpose()?,
        damaged: page.damaged.len(),
    })
}

/// Whether there may be requests in the list that wait for approvers.
fn asks_for_open(query: &ListQuery) -> bool {
    query.statuses.is_empty() || query.statuses.iter().any(|status| status.is_decidable())
}

/// Which entries the actor may see.
struct View<'a> {
    policy: &'a Policy,
    actor: &'a Principal,
    now: Timestamp,
    /// Answers by whether an entry is the actor's own, where policy looks at nothing else.
    known: HashMap<bool, bool>,
}

impl View<'_> {
    fn permits(&mut self, entry: &RequestSummary) -> bool {
        let is_own = self.policy.is_own(self.actor, entry);
        if let Some(known) = self.known.get(&is_own) {
            return *known;
        }
        let permits = self.policy.may(Action::View, self.actor, entry, self.now).is_permitted();
        if !self.policy.tells_requests_apart(Action::View) {
            self.known.insert(is_own, permits);
        }
        permits
    }
}
