//! Tickets: what a form says of the page that it stands on. Sealed, so that a form decides what was shown on that page, by
//! that session, and nothing else.

use crate::session::Session;
use crate::site::Site;
use crate::visit::Visit;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

const PURPOSE: &str = "countersign.dashboard.ticket.v1";
/// How long a page may be decided on: what was read longer ago is to be read again.
pub(crate) const LASTS: i64 = 30 * 60 * 1000;

/// What a form does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Action {
    Approve,
    Reject,
    Withdraw,
    Comment,
    Cancel,
    Start,
    Finish,
    Create,
}

impl Action {
    /// Its name, in paths and in `explain`.
    pub(crate) fn name(self) -> &'static str {
        self.into()
    }

    /// Whether it is about what would run, so that all of that has to be shown. To give up, to take an approval back and to
    /// comment is safe whatever the request holds.
    pub(crate) fn is_of_content(self) -> bool {
        !matches!(self, Self::Withdraw | Self::Comment | Self::Cancel)
    }
}

/// What a form stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub session: String,
    pub action: Action,
    /// The request; empty for one that is to be made.
    pub request: String,
    /// The version that was shown.
    pub version: u64,
    /// The digest of the content that was shown.
    pub content_digest: Option<String>,
    /// Whether the visitor must say that all of it was read.
    pub needs_reading: bool,
    /// The execution that is reported on.
    pub execution_id: Option<String>,
    /// The `Idempotency-Key`: a form counts once, however often it is sent.
    pub key: String,
    pub at: i64,
}

/// Why a ticket is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// Not sealed by us, or for another session, request or action.
    Foreign,
    /// Too old.
    Old(Box<Ticket>),
}

/// Makes the tickets of one page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tickets<'a> {
    pub site: &'a Site,
    pub session: &'a Session,
    pub visit: &'a Visit,
}

impl Tickets<'_> {
    /// A ticket for a new request.
    pub(crate) fn for_creation(&self) -> Option<String> {
        self.seal(&Ticket {
            session: self.session.id.clone(),
            action: Action::Create,
            request: String::new(),
            version: 0,
            content_digest: None,
            needs_reading: false,
            execution_id: None,
            key: self.key(Action::Create, ""),
            at: self.visit.now.as_millisecond(),
        })
    }

    /// The key of an action on a request.
    pub(crate) fn key(&self, action: Action, request: &str) -> String {
        self.visit.random_name("ticket key", &format!("{} {request}", action.name()))
    }

    /// Seals a ticket.
    pub(crate) fn seal(&self, ticket: &Ticket) -> Option<String> {
        self.site.keys.seal(PURPOSE, ticket, self.visit)
    }

    /// The ticket that a form carries, if it is for this session, request and action.
    pub(crate) fn open(&self, sealed: &str, action: Action, request: &str) -> Result<Ticket, Invalid> {
        let ticket: Ticket = self.site.keys.open(PURPOSE, sealed).ok_or(Invalid::Foreign)?;
        let is_ours =
            ticket.session == self.session.id && ticket.action == action && ticket.request == request;
        match (is_ours, self.visit.since(ticket.at) > LASTS) {
            (false, _) => Err(Invalid::Foreign),
            (true, true) => Err(Invalid::Old(Box::new(ticket))),
            (true, false) => Ok(ticket),
        }
    }
}
