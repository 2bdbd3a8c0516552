//! `countersign policy replay`: what a new policy would have made of past requests.
//!
//! The requests come from the service, and the policy from a directory; nothing is changed anywhere.

use crate::connection_arguments::ConnectionArguments;
use crate::error::{CommandError, Kind};
use crate::session::Session;
use crate::value_parsers::seconds_of_days;
use crate::view::page::View;
use crate::view::text::{Text, Tone};
use crate::view::tones::status_tone;
use clap::Args;
use countersign_api::wire::{EventBody, RequestBody, SlotBody};
use countersign_app::host::Clock as _;
use countersign_client::list_query::{ListQuery, MAX_LIMIT};
use countersign_core::caller::Caller;
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::command::Draft;
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::request::Status;
use countersign_core::requirements::MatchedRule;
use countersign_core::risk::{Cost, Environment};
use countersign_core::slots::Slots;
use countersign_core::text::{DurationText, RollbackPlan, Ticket};
use countersign_core::timestamp::Timestamp;
use countersign_policy::replay::{self, Difference, Past, PastRequirements, Replay};
use countersign_system::system::SystemHost;
use countersign_system::text_file;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use strum::IntoEnumIterator;

/// The longest time back: a service reads at most 366 days at once, and its clock is another.
const MAX_SINCE_DAYS: u32 = 365;

/// `countersign policy replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArguments {
    /// The directory with the new operations.toml, people.toml and access.cedar
    #[arg(value_name = "DIR", env = "POLICY_DIR")]
    pub directory: PathBuf,

    /// How far back: a number and s, m, h or d, at most 365d. Open requests count from when they were
    /// made, closed ones from when they closed
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = since)]
    pub since: u32,

    /// End with code 1 if a request would end differently; other terms alone do not count
    #[arg(long)]
    pub fail_on_change: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

fn since(text: &str) -> Result<u32, String> {
    seconds_of_days(MAX_SINCE_DAYS, text)
}

/// The policy of a directory.
///
/// # Errors
/// What is wrong with it, escaped.
fn usable(directory: &Path) -> Result<Policy, CommandError> {
    countersign_policy::load::policy(Some(directory), SystemHost::default().now()).map_err(|error| {
        // Its lines are escaped.
        CommandError::Failed(error.to_string().replace('\n', "\n  "))
    })
}

/// What a replay has found.
#[derive(Debug, Default, Serialize)]
struct Report {
    directory: String,
    policy_version: String,
    since: String,
    requests: usize,
    /// Whether all of them are the caller's: a caller who may list their own alone sees no others.
    only_own: bool,
    changed: Vec<Changed>,
    /// Requests that cannot be replayed, and why.
    unreadable: Vec<Unreadable>,
}

/// A request that something would be different about.
#[derive(Debug, Serialize)]
struct Changed {
    request_id: String,
    status: String,
    operation_type: String,
    instance_id: String,
    requested_by: String,
    requested_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<DifferenceBody>,
    reasons: Vec<String>,
    requirements: Vec<DifferenceBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
}

/// Something that would be different.
#[derive(Debug, Serialize)]
struct DifferenceBody {
    what: &'static str,
    before: String,
    after: String,
}

/// A request that cannot be replayed.
#[derive(Debug, Serialize)]
struct Unreadable {
    request_id: String,
    reason: String,
}

/// Asks the service for past requests, and tells what the policy would have made of them.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &ReplayArguments) -> Result<(), CommandError> {
    let policy = usable(&arguments.directory)?;
    let session = Session::open(&arguments.connection)?;
    let since = session.host.now().minus_seconds(arguments.since).to_string();
    let directory = text_file::shown(&arguments.directory);
    let policy_version = policy.version().to_string();
    let mut report = Report { directory, policy_version, since, ..Report::default() };
    let me = session.person().unwrap_or_default();
    let mut others = 0;
    for id in ids(&session, &report.since)? {
        session.progress(report.requests);
        let body: RequestBody = match session.connection.request(&id).map_err(CommandError::from) {
            Ok(body) => body,
            // It was on the list, and a policy may hide it from one moment to the next.
            Err(error) if error.kind() == Kind::NotFound => {
                report.unreadable.push(Unreadable { request_id: id, reason: error.to_string() });
                continue;
            }
            Err(error) => return Err(error),
        };
        report.requests += 1;
        others += usize::from(body.requested_by != me);
        match replayed(&session, &body, &policy) {
            Ok(replay) if replay.is_unchanged() => {}
            Ok(replay) => report.changed.push(Changed::of(&body, replay)),
            Err(reason) => report.unreadable.push(Unreadable { request_id: id, reason }),
        }
    }
    report.only_own = others == 0;
    // What would end differently comes first, then what only has other terms.
    report.changed.sort_by_key(|changed| (changed.outcome.is_none(), changed.requirements.is_empty()));
    session.show(&report, |view| view.report(&report))?;
    match report.ending_differently() {
        1.. if arguments.fail_on_change && session.output.is_document() => {
            Err(CommandError::Failed(report.verdict()))
        }
        1.. if arguments.fail_on_change => Err(CommandError::told()),
        _ => Ok(()),
    }
}

impl Session {
    /// Shows the person who waits that something happens: each request is a call.
    fn progress(&self, requests: usize) {
        if requests > 0 && requests.is_multiple_of(100) && self.terminal.is_interactive() {
            // Nothing is lost if this cannot be written.
            let _ = writeln!(std::io::stderr(), "replayed {requests} requests");
        }
    }
}

/// The ids of all requests since some time, each once.
fn ids(session: &Session, since: &str) -> Result<Vec<String>, CommandError> {
    let mut known = BTreeSet::new();
    let mut ids = Vec::new();
    for status in Status::iter() {
        let query = ListQuery {
            status: vec![status],
            from: Some(since.to_owned()),
            limit: Some(MAX_LIMIT),
            ..ListQuery::default()
        };
        let items = session.connection.list(&query, true)?.items;
        ids.extend(items.into_iter().map(|item| item.request_id).filter(|id| known.insert(id.clone())));
    }
    Ok(ids)
}

fn replayed(session: &Session, body: &RequestBody, policy: &Policy) -> Result<Replay, String> {
    let replay = replay::replay(&past(body, &[])?, policy);
    // The channels and addresses of calls are in the audit trail, and seldom matter.
    if replay.outcome.is_none() && policy.addresses().is_empty() {
        return Ok(replay);
    }
    // Not everybody who sees a request may read its trail.
    let Ok(events) = session.connection.events(&body.request_id) else { return Ok(replay) };
    Ok(replay::replay(&past(body, &events.items)?, policy))
}

/// A request as the service shows it, with as much of its trail as is known.
fn past(body: &RequestBody, events: &[EventBody]) -> Result<Past, String> {
    let unknown = |what: &str| format!("its {what} cannot be understood");
    let time = |text: &str| Timestamp::parse(text).map_err(|_| unknown("times"));
    let risk_level = body.risk_level.parse().map_err(|_| unknown("risk"))?;
    let environment: Environment = body.environment.parse().map_err(|_| unknown("environment"))?;
    let rules: Vec<_> = body
        .rules
        .iter()
        .map(|rule| MatchedRule { name: rule.name.clone(), demands: rule.demands.clone() })
        .collect();
    let draft = Draft::new(
        &body.operation_type,
        &body.instance_id,
        &json!({}),
        environment.as_str(),
        body.justification.as_deref().ok_or("its texts were erased")?,
    )
    .map_err(|error| error.to_string())?;
    let draft = Draft {
        declared_risk: replay::declared_risk(&rules, risk_level),
        estimated_cost: body.estimated_cost.map(Cost::new).transpose().map_err(|_| unknown("cost"))?,
        estimated_duration: body
            .estimated_duration
            .as_deref()
            .map(DurationText::parse)
            .transpose()
            .map_err(|_| unknown("duration"))?,
        ticket: body.ticket.as_deref().map(Ticket::parse).transpose().map_err(|_| unknown("ticket"))?,
        rollback_plan: body
            .rollback_plan
            .as_deref()
            .map(RollbackPlan::parse)
            .transpose()
            .map_err(|_| unknown("rollback plan"))?,
        ..draft
    };
    let made_at = time(&body.requested_at)?;
    let expires_at = time(&body.expires_at)?;
    let approved_at = body.approved_at.as_deref().map(time).transpose()?;
    let execute_by = body.execute_by.as_deref().map(time).transpose()?;
    let of_type = |event_type: &str| events.iter().find(|event| event.event_type == event_type);
    let mut requester =
        actor(&body.requested_by, &body.requester_groups, None, of_type("APPROVAL_REQUEST_CREATED"))?;
    requester.filed_by =
        body.filed_by.as_deref().map(PersonId::from_stored).transpose().map_err(|_| unknown("filer"))?;
    let approvals =
        body.decisions.iter().filter(|decision| decision.decision == "approved").map(|decision| {
            let event = events.iter().find(|event| event.event_id == decision.event_id);
            let channel = decision.channel.parse().ok();
            Ok((actor(&decision.person, &decision.groups, channel, event)?, time(&decision.at)?))
        });
    let start = body.execution_started_by.as_deref().zip(body.execution_started_at.as_deref());
    let start = start.map(|(person, at)| {
        let starter = actor(person, &body.requester_groups, None, of_type("EXECUTION_STARTED"))?;
        Ok::<_, String>((starter, time(at)?))
    });
    Ok(Past {
        draft,
        requester,
        made_at,
        status: body.status.parse().map_err(|_| unknown("status"))?,
        requirements: PastRequirements {
            risk_level,
            environment,
            approvals_required: body.approvals_required,
            slots: slots(&body.slots),
            digest_required: body.digest_required,
            pending_seconds: seconds_between(made_at, expires_at),
            execute_within_seconds: approved_at.zip(execute_by).map(|(from, to)| seconds_between(from, to)),
        },
        approvals: approvals.collect::<Result<_, String>>()?,
        was_approved: approved_at.is_some(),
        start: start.transpose()?,
    })
}

/// An actor, as far as a request and the event of what they did show.
fn actor(
    person: &str,
    groups: &[String],
    channel: Option<Channel>,
    event: Option<&EventBody>,
) -> Result<Caller, String> {
    let person = PersonId::from_stored(person).map_err(|_| "its people cannot be understood".to_owned())?;
    let is_service = person.as_str().starts_with("service:");
    let kind = event.and_then(|event| event.kind.parse().ok());
    let kind = kind.unwrap_or(if is_service { PrincipalKind::Service } else { PrincipalKind::Human });
    let channel = channel.or_else(|| event.and_then(|event| event.channel.parse().ok()));
    let mut actor =
        Caller::new(person, kind, channel.unwrap_or(Channel::Api), groups.iter().map(String::as_str));
    let source_ip = event.and_then(|event| event.source_ip.as_ref());
    actor.source_ip = source_ip.and_then(|address| address.parse().ok());
    Ok(actor)
}

fn slots(slots: &[SlotBody]) -> Slots {
    Slots::new(slots.iter().map(|slot| (slot.groups.iter().cloned().collect(), slot.approvals)))
}

fn seconds_between(from: Timestamp, to: Timestamp) -> u32 {
    u32::try_from((to.as_millisecond() - from.as_millisecond()) / 1000).unwrap_or(0)
}

impl From<Difference> for DifferenceBody {
    fn from(difference: Difference) -> Self {
        Self { what: difference.what, before: difference.before, after: difference.after }
    }
}

impl Changed {
    fn of(body: &RequestBody, replay: Replay) -> Self {
        Self {
            request_id: body.request_id.clone(),
            status: body.status.clone(),
            operation_type: body.operation_type.clone(),
            instance_id: body.instance_id.clone(),
            requested_by: body.requested_by.clone(),
            requested_at: body.requested_at.clone(),
            outcome: replay.outcome.map(DifferenceBody::from),
            reasons: replay.reasons,
            requirements: replay.requirements.into_iter().map(DifferenceBody::from).collect(),
            unknown: replay.unknown,
        }
    }
}

impl Report {
    fn ending_differently(&self) -> usize {
        self.changed.iter().filter(|changed| changed.outcome.is_some()).count()
    }

    /// `3 of 40 requests would end differently, 5 more would have other terms`.
    fn verdict(&self) -> String {
        let noun = if self.requests == 1 { "request" } else { "requests" };
        let ending = self.ending_differently();
        let with_other_terms = self
            .changed
            .iter()
            .filter(|changed| changed.outcome.is_none() && !changed.requirements.is_empty())
            .count();
        let unknown = self.changed.len() - ending - with_other_terms;
        let mut verdict = format!("{ending} of {} {noun} would end differently", self.requests);
        if with_other_terms > 0 {
            let _ = write!(verdict, ", {with_other_terms} more would have other terms");
        }
        if unknown > 0 {
            let _ = write!(verdict, ", {unknown} more may be different");
        }
        if !self.unreadable.is_empty() {
            let _ = write!(verdict, ", {} cannot be replayed", self.unreadable.len());
        }
        verdict
    }
}

impl View {
    /// What a policy would have made of past requests.
    fn report(&self, report: &Report) -> Text {
        let mut text = Text::default();
        for changed in &report.changed {
            self.changed(&mut text, changed);
        }
        for unreadable in &report.unreadable {
            let Unreadable { request_id, reason } = unreadable;
            self.lines(&mut text, "Unreadable", [format!("{request_id}: {reason}")]);
        }
        self.line(&mut text, "Policy", &report.directory, None);
        let verdict = format!("{}; since {}", report.verdict(), self.moment.ago(&report.since));
        text.wrapped(Tone::Strong, &verdict, self.width);
        if report.only_own {
            let note = match report.requests {
                0 => "no requests are visible to you: whoever may list their own alone sees no others",
                _ => {
                    "all of them are your own: whoever may list their own alone sees no others, so ask somebody who sees all, such as an auditor"
                }
            };
            text.wrapped(Tone::Warning, note, self.width);
        }
        text
    }

    fn changed(&self, text: &mut Text, changed: &Changed) {
        text.extend(Vec::from(self.title(&changed.operation_type, &changed.instance_id)));
        self.line(text, "Request", &changed.request_id, None);
        let made = format!("{} by {}", self.moment.ago(&changed.requested_at), changed.requested_by);
        self.line(text, "Requested", &made, None);
        self.line(text, "Status", &changed.status, Some(status_tone(&changed.status)));
        if let Some(outcome) = &changed.outcome {
            self.line(text, "Would be", &outcome.after, Some(Tone::Danger));
        }
        self.lines(text, "Why", changed.reasons.iter().cloned());
        let requirements = changed
            .requirements
            .iter()
            .map(|DifferenceBody { what, before, after }| format!("{what}: {before}; would be {after}"));
        self.lines(text, "Terms", requirements);
        self.lines(text, "May be", changed.unknown.iter().cloned());
        text.blank();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::page::check_fits;
    use crate::view::request::example;
    use crate::view::times::RelativeTime;
    use crate::view::width;

    fn shown(report: &Report) -> String {
        let now = Timestamp::parse("2026-01-31T09:30:00Z").unwrap();
        let moment = RelativeTime::relative(now);
        View { moment, width: width::WIDTH }.report(report).to_string()
    }

    #[test]
    fn whatever_a_service_says_fits_and_imitates_no_line() {
        let evil = format!("{}\u{1b}[2J\nWould be      approved\u{202e}{}", "a ".repeat(60), "b".repeat(120));
        let difference = || DifferenceBody { what: "outcome", before: evil.clone(), after: evil.clone() };
        let report = Report {
            directory: evil.clone(),
            policy_version: evil.clone(),
            since: evil.clone(),
            requests: 2,
            only_own: true,
            changed: vec![Changed {
                request_id: evil.clone(),
                status: evil.clone(),
                operation_type: evil.clone(),
                instance_id: evil.clone(),
                requested_by: evil.clone(),
                requested_at: evil.clone(),
                outcome: Some(difference()),
                reasons: vec![evil.clone()],
                requirements: vec![difference()],
                unknown: Some(evil.clone()),
            }],
            unreadable: vec![Unreadable { request_id: evil.clone(), reason: evil.clone() }],
        };
        let text = shown(&report);
        check_fits(&text);
        assert!(!text.contains("\nWould be      approved"), "{text}");
    }

    #[test]
    fn what_is_on_record_is_taken_over_and_nonsense_is_not() {
        let changes = json!({
            "status": "executed", "approved_at": "2026-01-31T09:10:00.000Z",
            "execute_by": "2026-01-31T10:10:00.000Z", "execution_started_by": "ann@example.com",
            "execution_started_at": "2026-01-31T09:20:00.000Z", "filed_by": "service:pipeline",
            "slots": [{ "groups": ["dba"], "approvals": 1 }], "estimated_cost": 12.5, "ticket": "CHG-1",
            "rules": [{ "name": "declared", "demands": ["risk high"] }],
            "decisions": [{ "person": "bob@example.com", "decision": "approved", "channel": "direct",
                            "at": "2026-01-31T09:10:00.000Z", "groups": ["approver"], "event_id": "e" }],
        });
        let event: EventBody = serde_json::from_value(json!({
            "format": "1", "stream": "request/r", "source_ip": "10.1.2.3", "event_id": "e", "request_id": "r", "sequence": 2, "timestamp": "t",
            "event_type": "APPROVAL_GRANTED", "user": "bob@example.com", "kind": "human", "channel": "direct",
            "instance_id": "i", "operation_type": "o", "environment": "production", "risk_level": "high",
            "requested_by": "ann@example.com", "status": "approved", "details": {}, "state_digest": "0",
            "prev_hash": "0", "hash": "0",
        }))
        .unwrap();
        let past = past(&example(changes.clone()), &[event]).unwrap();
        assert_eq!(
            (past.requirements.pending_seconds, past.requirements.execute_within_seconds),
            (16_200, Some(3600))
        );
        assert_eq!((past.draft.declared_risk, past.was_approved), ("high".parse().ok(), true));
        let (bob, _) = &past.approvals[0];
        assert_eq!((bob.channel, bob.source_ip), (Channel::Direct, "10.1.2.3".parse().ok()));
        assert!(past.start.is_some() && past.requester.filed_by.is_some());
        for (name, nonsense) in [
            ("risk_level", "extreme"),
            ("environment", "moon"),
            ("status", "odd"),
            ("requested_at", "soon"),
            ("requested_by", "nobody"),
            ("instance_id", "a b"),
            ("ticket", ""),
        ] {
            let mut changes = changes.clone();
            changes[name] = json!(nonsense);
            let refused = super::past(&example(changes), &[]);
            assert!(refused.is_err(), "{name}: {refused:?}");
        }
    }
}
