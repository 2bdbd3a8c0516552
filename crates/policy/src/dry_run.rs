//! A request that is made and decided on under a policy without anything being stored: what tables of
//! cases and replays are made of.
//!
//! Nothing is decided here: people are identified and commands decided by the functions that the
//! service itself uses.

use countersign_core::caller::Caller;
use countersign_core::command::{Command, Draft, Shown};
use countersign_core::command_context::CommandContext;
use countersign_core::creation;
use countersign_core::decide::{self, Outcome};
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::policy::Policy;
use countersign_core::policy::access::Action;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use uuid::Uuid;

/// A request, and the policy that it lives under.
#[derive(Debug, Clone)]
pub(crate) struct DryRun<'a> {
    policy: &'a Policy,
    request: Request,
}

impl<'a> DryRun<'a> {
    /// Makes the request, if it may be made.
    pub(crate) fn begin(
        draft: Draft,
        actor: Caller,
        at: Timestamp,
        policy: &'a Policy,
    ) -> Result<Self, Refusal> {
        let actor = policy.people().resolve(actor)?;
        let id = RequestId::derived(&actor.person, "dry_run");
        let assessment = creation::assess(&draft, &actor, policy);
        let created = creation::create(id, draft, &assessment, &actor, &context(1, at), policy, None)?;
        // INVARIANT: what `create` yields is a creation.
        let request = Request::create(&created).map_err(|error| Refusal::not_permitted(error.to_string()))?;
        Ok(Self { policy, request })
    }

    /// Gives a command, and tells the status that it leads to.
    pub(crate) fn give(
        &mut self,
        command: &Command,
        actor: Caller,
        at: Timestamp,
    ) -> Result<Status, Refusal> {
        let actor = self.policy.people().resolve(actor)?;
        let context = context(self.request.version + 1, at);
        match decide::decide(&self.request, command, &actor, &context, self.policy, None)? {
            Outcome::Event(event) => self.request.apply(&event),
            // INVARIANT: without a key no command is taken for a retry.
            Outcome::AlreadyApplied => {}
        }
        Ok(self.status_at(at))
    }

    /// Shows the request, with its parameters or without them, and tells the status that is shown.
    pub(crate) fn view(
        &self,
        with_parameters: bool,
        actor: Caller,
        at: Timestamp,
    ) -> Result<Status, Refusal> {
        let actor = self.policy.people().resolve(actor)?;
        if !self.policy.may(Action::View, &actor, &self.request, at).is_permitted() {
            return Err(Refusal::NotVisible);
        }
        if with_parameters {
            self.policy.may(Action::ViewParameters, &actor, &self.request, at).or_refused()?;
        }
        Ok(self.status_at(at))
    }

    /// The request as it stands.
    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    /// What an approver is shown names it by its digests.
    pub(crate) fn shown(&self) -> Shown {
        Shown::of(&self.request)
    }

    /// The status at a time, deadlines included.
    pub(crate) fn status_at(&self, at: Timestamp) -> Status {
        self.request.status_under(&self.policy.requirements_in_force(&self.request), at)
    }
}

/// Ids that differ: they leave no dry run.
fn context(number: u64, now: Timestamp) -> CommandContext {
    let id = Uuid::from_u128(u128::from(number));
    CommandContext {
        now,
        event_id: EventId::new(id),
        execution_id: ExecutionId::new(id),
        // Nothing of it is kept.
        text_key: TextKey::new([0; 16]),
    }
}
