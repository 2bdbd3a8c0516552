//! Who would hear of a request: how many of its creation, and for those who may read it, who hears of it as it stands, and of
//! each reminder and escalation to come.

use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::get::get;
use crate::known_preferences::{self, PreferencesOfPeople};
use crate::ports::{LoadRequest, ReadPreferences as _};
use crate::preferences::PreferencesStore;
use countersign_core::digest::Digest;
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::policy::access::{AccessDecision, Action};
use countersign_core::principal::Principal;
use countersign_core::priority::Priority;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};
use countersign_core::timestamp::Timestamp;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::destination::{Destination, Kind};
use countersign_notifications::plan::{Happening, Notifies, Plan, PlannedMessage, Planning};
use countersign_notifications::timers::{Timed, Timer};

/// Who would hear of a request, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The request.
    pub request_id: RequestId,
    /// Where it is in its life.
    pub status: Status,
    /// Its priority.
    pub priority: Priority,
    /// Names the file that says who hears of what.
    pub notifications_version: Option<Digest>,
    /// Whether it waits for an approver and none is found.
    pub is_nobody_found: bool,
    /// What is sent, the earliest first.
    pub occasions: Vec<Occasion>,
}

/// What messages are sent for.
#[derive(Debug, Clone, PartialEq)]
pub struct Occasion {
    /// The timer; `None` for the request as it stands.
    pub timer: Option<Timer>,
    /// When.
    pub at: Timestamp,
    /// The messages, each with the kind of its destination.
    pub messages: Vec<(Kind, PlannedMessage)>,
}

/// How many hear of a request that is made, by the defaults of the file: what people have said is not read for it. `None`
/// where there is no file.
pub fn of_creation<S>(dependencies: &Dependencies<S>, request: &Request) -> Option<Notifies> {
    let configuration = dependencies.notifications.as_deref()?;
    let nothing = PreferencesOfPeople::new();
    let planning = Planning { configuration, policy: &dependencies.policy, preferences: &nothing };
    let event_id = request.last_event_id;
    let event_type = EventType::ApprovalRequestCreated;
    let happening = Happening { event_id, event_type, at: request.content.requested_at };
    Some(planning.plan(&happening, request).notifies())
}

/// Who would hear of a request. For those who may read all of it.
///
/// # Errors
/// As for [`get`]; [`Refusal::NotPermitted`] for those who see requests without parameters; [`AppError::NotConfigured`] without
/// `notifications.toml`.
pub async fn preview<S: LoadRequest + PreferencesStore>(
    dependencies: &Dependencies<S>,
    id: RequestId,
    actor: &Principal,
) -> Result<Preview, AppError> {
    let request = get(dependencies, id, actor).await?;
    let (policy, now) = (&dependencies.policy, dependencies.host.now());
    if let AccessDecision::Denied(reasons) = policy.may(Action::ViewParameters, actor, &request, now) {
        return Err(Refusal::NotPermitted(reasons).into());
    }
    let configuration = dependencies.notifications.as_deref().ok_or(AppError::NotConfigured)?;
    let (preferences, _) = known_preferences::all(dependencies.store.preferences().all_preferences().await?);
    let planning = Planning { configuration, policy, preferences: &preferences };
    Ok(previewed(&planning, request, now))
}

/// The same of a request that has been read.
pub fn previewed(planning: &Planning<'_>, request: Request, now: Timestamp) -> Preview {
    let status = request.status_under(&planning.policy.requirements_in_force(&request), now);
    // What has expired is previewed as such, written down or not.
    let request = Request { status, ..request };
    let happening = Happening { event_id: event_id(&request), event_type: event_type(&request), at: now };
    let plan = planning.plan(&happening, &request);
    let is_nobody_found = plan.is_nobody_found;
    let configuration = planning.configuration;
    let mut occasions =
        vec![Occasion { timer: None, at: now, messages: messages(configuration, plan, true) }];
    let timed = Timed { request: &request, claimed_until: None };
    for due in timed.upcoming(planning, now) {
        let plan = timed.plan(planning, &due.key.timer, due.at);
        let messages = messages(configuration, plan, false);
        occasions.push(Occasion { timer: Some(due.key.timer), at: due.at, messages });
    }
    Preview {
        request_id: request.id(),
        status,
        priority: planning.priority(&request),
        notifications_version: configuration.version(),
        is_nobody_found,
        occasions,
    }
}

/// The messages with the kinds of their destinations. Programs hear of no time that comes.
fn messages(configuration: &Configuration, plan: Plan, is_event: bool) -> Vec<(Kind, PlannedMessage)> {
    let kind = |name: &str| configuration.destination(name).map(Destination::kind);
    let messages =
        plan.messages.into_iter().filter_map(|message| Some((kind(&message.place.destination)?, message)));
    messages.filter(|(kind, _)| is_event || !kind.is_for_programs()).collect()
}

/// The event that has led to where a request stands.
fn event_type(request: &Request) -> EventType {
    match request.status {
        Status::Pending => EventType::ApprovalRequestCreated,
        // By policy, at its creation.
        Status::Approved if request.decisions.is_empty() => EventType::ApprovalRequestCreated,
        Status::Approved => EventType::ApprovalGranted,
        Status::Rejected => EventType::ApprovalRejected,
        Status::Expired => EventType::ApprovalExpired,
        Status::Cancelled => EventType::ApprovalCancelled,
        Status::Executing => EventType::ExecutionStarted,
        Status::Executed => EventType::ExecutionSucceeded,
        Status::Failed => EventType::ExecutionFailed,
    }
}

/// Its id; of an approval that of the last one, whatever has happened since.
fn event_id(request: &Request) -> EventId {
    let last = request.decisions.iter().max_by_key(|decision| decision.at);
    match request.status {
        Status::Approved => last.map_or(request.last_event_id, |decision| decision.event_id),
        Status::Pending
        | Status::Rejected
        | Status::Expired
        | Status::Cancelled
        | Status::Executing
        | Status::Executed
        | Status::Failed => request.last_event_id,
    }
}
