//! Who may do what, by group: the default groups of the design.
//!
//! These are permissions only. That nobody decides their own request, that only humans decide and
//! that each person counts once are rules of [`crate::decide`], and no group is exempt from them.

use crate::actor::{AGENT_GROUP, Actor};
use crate::request::Request;

/// Something a group may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Ask for an operation.
    Create,
    /// See one's own requests.
    ViewOwn,
    /// See everybody's requests.
    ViewAll,
    /// See what exactly is to be run, and what came of it, in everybody's requests.
    ViewAllParameters,
    /// Approve or reject.
    Decide,
    /// Withdraw one's own request.
    CancelOwn,
    /// Comment on one's own request.
    CommentOwn,
    /// Comment on everybody's requests.
    CommentAll,
    /// Start and finish one's own approved request.
    ExecuteOwn,
    /// Finish somebody else's stuck execution as failed.
    Administer,
}

/// Whether a group of this name allows an action. A name that is not listed allows nothing.
fn group_allows(group: &str, action: Action) -> bool {
    use Action::{
        Administer, CancelOwn, CommentAll, CommentOwn, Create, Decide, ExecuteOwn, ViewAll,
        ViewAllParameters, ViewOwn,
    };
    let allowed: &[Action] = match group {
        "developer" => &[Create, ViewOwn, CancelOwn, CommentOwn, ExecuteOwn],
        "approver" => &[ViewOwn, ViewAll, ViewAllParameters, Decide, CommentOwn, CommentAll],
        "auditor" => &[ViewOwn, ViewAll, ViewAllParameters],
        "admin" => &[
            Create,
            ViewOwn,
            ViewAll,
            ViewAllParameters,
            Decide,
            CancelOwn,
            CommentOwn,
            CommentAll,
            ExecuteOwn,
            Administer,
        ],
        "guest" => &[ViewOwn, ViewAll],
        AGENT_GROUP => &[Create, ViewOwn, ExecuteOwn],
        _ => &[],
    };
    allowed.contains(&action)
}

/// Whether being in a group of this name means anything.
pub fn is_known_group(group: &str) -> bool {
    group_allows(group, Action::ViewOwn)
}

/// Whether any of the actor's groups allows an action.
pub fn allows(actor: &Actor, action: Action) -> bool {
    actor.groups.iter().any(|group| group_allows(group, action))
}

/// Whether the request was made by or for this actor.
pub fn is_own(actor: &Actor, request: &Request) -> bool {
    request.requested_by == actor.person || request.filed_by.as_ref() == Some(&actor.person)
}

/// Whether the actor may know that the request exists.
pub fn may_view(actor: &Actor, request: &Request) -> bool {
    allows(actor, Action::ViewAll) || (allows(actor, Action::ViewOwn) && is_own(actor, request))
}

/// Whether the actor may see the request's parameters, its execution result and its audit events.
pub fn may_view_parameters(actor: &Actor, request: &Request) -> bool {
    allows(actor, Action::ViewAllParameters) || is_own(actor, request)
}

/// Whether the actor may comment on the request.
pub fn may_comment(actor: &Actor, request: &Request) -> bool {
    allows(actor, Action::CommentAll) || (allows(actor, Action::CommentOwn) && is_own(actor, request))
}
