//! The table as it is written: read and checked, with the line of whatever is wrong.

use countersign_core::caller::Caller;
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::command::Draft;
use countersign_core::person::PersonId;
use countersign_core::policy::mistake::Mistake;
use countersign_core::policy::people::People;
use countersign_core::policy::rules::{MAX_JUSTIFICATION, read_slots};
use countersign_core::policy::source::Source;
use countersign_core::request::Status;
use countersign_core::requirements::RequiredField;
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::slots::{Groups, Slots};
use countersign_core::source_address::SourceAddress;
use countersign_core::text::{
    DurationText, Identifier, InstanceId, InvalidText, Justification, RollbackPlan, Ticket,
};
use countersign_core::timestamp::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use strum::{Display, IntoEnumIterator};
use toml::Spanned;

/// The name of the file, in messages.
pub const FILE: &str = "tests.toml";

/// Monday, 2026-03-02 at 10:00 UTC, in milliseconds.
const MADE_AT: i64 = 1_772_445_600_000;
/// How long after what came before it a step is taken, in seconds.
const PAUSE: u32 = 60;
/// How much of a text a message shows, in characters.
const MAX_SHOWN: usize = 60;
/// The codes that a refusal may have.
const CODES: [&str; 14] = [
    "not_found",
    "agent_cannot_approve",
    "self_approval",
    "not_permitted",
    "validation_failed",
    "expired",
    "not_pending",
    "not_approved",
    "already_decided",
    "not_decided",
    "approvals_insufficient",
    "digest_mismatch",
    "execution_mismatch",
    "idempotency_conflict",
];

/// A case: what is asked for, what then happens, and what it should come to.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The line it begins at, from 1.
    pub line: usize,
    pub(super) requester: Caller,
    pub(super) draft: Draft,
    pub(super) made_at: Timestamp,
    pub(super) steps: Vec<Step>,
    pub(super) expected: Expected,
}

/// What an actor does to the request, and what should come of it.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) action: StepAction,
    pub(super) actor: Caller,
    pub(super) at: Timestamp,
    pub(super) expected: Option<Ending>,
    pub(super) reason: Option<String>,
}

/// The kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(super) enum StepAction {
    #[default]
    Approve,
    Reject,
    Withdraw,
    Cancel,
    Comment,
    View,
    ViewParameters,
    Start,
    Succeed,
    Fail,
}

/// The code of a refusal, see [`countersign_core::refusal::Refusal::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(pub(super) &'static str);

/// What a step should come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Status(Status),
    Refused(Code),
}

/// What is expected of a request; what is not said may be anything.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    #[serde(default, deserialize_with = "status")]
    pub(super) status: Option<Status>,
    pub(super) risk_level: Option<RiskLevel>,
    pub(super) environment: Option<Environment>,
    pub(super) approvals_required: Option<u8>,
    #[serde(default, deserialize_with = "slots")]
    pub(super) slots: Option<Slots>,
    pub(super) digest_required: Option<bool>,
    pub(super) pending_seconds: Option<u32>,
    pub(super) execute_within_seconds: Option<u32>,
    pub(super) pending_limit: Option<u16>,
    pub(super) approved_limit: Option<u16>,
    #[serde(default, deserialize_with = "cost")]
    pub(super) cost_limit: Option<Cost>,
    pub(super) justification_min: Option<u16>,
    pub(super) required_fields: Option<BTreeSet<RequiredField>>,
    pub(super) rules: Option<BTreeSet<String>>,
    #[serde(default, deserialize_with = "code")]
    pub(super) refused: Option<Code>,
    pub(super) reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestsFile {
    #[serde(default)]
    people: BTreeMap<Person, BTreeSet<Spanned<String>>>,
    cases: Vec<CaseTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseTable {
    name: Spanned<String>,
    request: RequestTable,
    #[serde(default)]
    steps: Vec<StepTable>,
    #[serde(default)]
    expect: Expected,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestTable {
    by: Spanned<Person>,
    groups: Option<Groups>,
    #[serde(default, deserialize_with = "kind")]
    kind: Option<PrincipalKind>,
    #[serde(default, deserialize_with = "channel")]
    channel: Option<Channel>,
    #[serde(default, deserialize_with = "address")]
    source_ip: Option<SourceAddress>,
    #[serde(default, deserialize_with = "time")]
    at: Option<Timestamp>,
    operation_type: Spanned<String>,
    instance_id: Spanned<String>,
    environment: Environment,
    risk_level: Option<RiskLevel>,
    #[serde(default, deserialize_with = "cost")]
    estimated_cost: Option<Cost>,
    #[serde(default, deserialize_with = "duration")]
    estimated_duration: Option<DurationText>,
    #[serde(default, deserialize_with = "ticket")]
    ticket: Option<Ticket>,
    #[serde(default, deserialize_with = "justification")]
    justification: Option<Justification>,
    #[serde(default, deserialize_with = "plan")]
    rollback_plan: Option<RollbackPlan>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTable {
    by: Spanned<Person>,
    #[serde(default)]
    action: StepAction,
    groups: Option<Groups>,
    #[serde(default, deserialize_with = "kind")]
    kind: Option<PrincipalKind>,
    #[serde(default, deserialize_with = "channel")]
    channel: Option<Channel>,
    #[serde(default, deserialize_with = "address")]
    source_ip: Option<SourceAddress>,
    #[serde(default, deserialize_with = "time")]
    at: Option<Timestamp>,
    #[serde(default, deserialize_with = "ending")]
    expect: Option<Ending>,
    reason: Option<String>,
}

/// A person or agent by their address; a service by `service:` and the subject of its token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Person(PersonId);

impl TryFrom<String> for Person {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let id = match text.strip_prefix("service:") {
            Some(subject) => PersonId::service(subject),
            None => PersonId::from_email(&text),
        };
        let shown = text.escape_debug();
        id.map(Self).map_err(|error| format!("`{shown}` {error}, or service: and the subject of a token"))
    }
}

/// Reads and checks the text of `tests.toml`, for a policy with these people and groups. A person in `[people]` is in
/// no other: they would be in none, and every case with them would fail with another reason. A request or
/// a step may name others, as a token may.
///
/// # Errors
/// Text that is not TOML, unknown keys, names and times that are none, an actor without groups or in one
/// that is not of the policy, a case that expects nothing: each with its line.
pub fn parse(text: &str, known: &People) -> Result<Vec<Case>, Mistake> {
    let source = Source { file: FILE, text };
    let file: TestsFile = source.read()?;
    let mut reader = Reader { source, people: BTreeMap::new() };
    for (person, groups) in file.people {
        if let Some(unknown) = groups.iter().find(|group| known.group(group.get_ref()).is_none()) {
            let name = unknown.get_ref().escape_debug();
            let rule = format!("names `{name}`, which is not one of the groups in people.toml");
            return Err(reader.refused(unknown.span().start, &format!("people.{}", person.0), rule));
        }
        reader.people.insert(person, groups.into_iter().map(Spanned::into_inner).collect());
    }
    if file.cases.is_empty() {
        return Err(reader.refused(0, "cases", "must not be empty"));
    }
    file.cases.into_iter().map(|case| reader.case(case)).collect()
}

struct Reader<'a> {
    source: Source<'a>,
    people: BTreeMap<Person, Groups>,
}

/// Who acts, as a request or a step says it.
struct Acting<'a> {
    by: &'a Spanned<Person>,
    groups: Option<Groups>,
    kind: Option<PrincipalKind>,
    channel: Option<Channel>,
    source_ip: Option<SourceAddress>,
}

impl Reader<'_> {
    fn refused(&self, offset: usize, place: &str, rule: impl ToString) -> Mistake {
        Mistake::refused(self.source.file, Some(self.source.line(offset)), place, rule.to_string())
    }

    fn case(&self, table: CaseTable) -> Result<Case, Mistake> {
        let start = table.name.span().start;
        let name = table.name.into_inner();
        if name.trim().is_empty() {
            return Err(self.refused(start, "name", "must not be empty"));
        }
        let request = table.request;
        let requester = self.actor(Acting {
            by: &request.by,
            groups: request.groups,
            kind: request.kind,
            channel: request.channel,
            source_ip: request.source_ip,
        })?;
        let refused = |text: &Spanned<String>, key: &'static str| {
            let start = text.span().start;
            move |error: InvalidText| self.refused(start, key, error)
        };
        let (operation_type, instance_id) = (&request.operation_type, &request.instance_id);
        Identifier::parse(operation_type.get_ref()).map_err(refused(operation_type, "operation_type"))?;
        InstanceId::parse(instance_id.get_ref()).map_err(refused(instance_id, "instance_id"))?;
        let draft = Draft::new(
            request.operation_type.get_ref(),
            request.instance_id.get_ref(),
            &json!({}),
            request.environment.as_str(),
            // A case that does not say why is not about how much is said.
            &"x".repeat(usize::from(MAX_JUSTIFICATION)),
        )
        .map_err(|error| self.refused(start, "request", error))?;
        let draft = Draft {
            declared_risk: request.risk_level,
            estimated_cost: request.estimated_cost,
            estimated_duration: request.estimated_duration,
            ticket: request.ticket,
            rollback_plan: request.rollback_plan,
            justification: request.justification.unwrap_or(draft.justification),
            ..draft
        };
        let made_at = request.at.unwrap_or(Timestamp::from_millisecond(MADE_AT));
        let steps = self.steps(table.steps, made_at)?;
        let expected = table.expect;
        let expects_nothing = expected == Expected::default()
            && steps.iter().all(|step| step.expected.is_none() && step.reason.is_none());
        if expects_nothing {
            return Err(self.refused(start, "expect", "is missing: this case can never fail"));
        }
        if expected.refused.is_some() && (expected.status.is_some() || !steps.is_empty()) {
            let rule = "leaves no request that could have a status or steps";
            return Err(self.refused(start, "expect.refused", rule));
        }
        if expected.reason.is_some() && expected.refused.is_none() {
            return Err(self.refused(start, "expect.reason", "is about a refusal: say refused as well"));
        }
        Ok(Case { name, line: self.source.line(start), requester, draft, made_at, steps, expected })
    }

    fn steps(&self, tables: Vec<StepTable>, made_at: Timestamp) -> Result<Vec<Step>, Mistake> {
        let mut before = made_at;
        let mut steps = Vec::new();
        for table in tables {
            let start = table.by.span().start;
            let at = table.at.unwrap_or(before.plus_seconds(PAUSE));
            if at < before {
                return Err(self.refused(
                    start,
                    "at",
                    format!("must not be before {before}, when something else happens"),
                ));
            }
            if table.reason.is_some() && !matches!(table.expect, Some(Ending::Refused(_))) {
                let rule = "is about a refusal: let expect be the code of one";
                return Err(self.refused(start, "reason", rule));
            }
            before = at;
            let actor = self.actor(Acting {
                by: &table.by,
                groups: table.groups,
                kind: table.kind,
                channel: table.channel,
                source_ip: table.source_ip,
            })?;
            steps.push(Step {
                action: table.action,
                actor,
                at,
                expected: table.expect,
                reason: table.reason,
            });
        }
        Ok(steps)
    }

    fn actor(&self, acting: Acting<'_>) -> Result<Caller, Mistake> {
        let person = acting.by.get_ref();
        let Some(groups) = acting.groups.as_ref().or_else(|| self.people.get(person)) else {
            let rule = "has no groups: list them here, or under [people]";
            return Err(self.refused(acting.by.span().start, person.0.as_str(), rule));
        };
        let is_service = person.0.as_str().starts_with("service:");
        let kind =
            acting.kind.unwrap_or(if is_service { PrincipalKind::Service } else { PrincipalKind::Human });
        let channel = acting.channel.unwrap_or(Channel::Api);
        let groups = groups.iter().map(String::as_str);
        let mut actor = Caller::new(person.0.clone(), kind, channel, groups);
        actor.source_ip = acting.source_ip;
        Ok(actor)
    }
}

/// Reads a text that is there by some rule of its own.
fn text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    read(&text).map(Some).map_err(|rule| {
        let shown: String = text.chars().take(MAX_SHOWN).collect();
        D::Error::custom(format!("`{}` {rule}", shown.escape_debug()))
    })
}

fn one_of<T: FromStr + IntoEnumIterator + Into<&'static str>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("must be one of {}", names::<T>()))
}

fn names<T: IntoEnumIterator + Into<&'static str>>() -> String {
    let names: Vec<&str> = T::iter().map(Into::into).collect();
    names.join(", ")
}

fn code_of(text: &str) -> Option<Code> {
    CODES.into_iter().find(|code| *code == text).map(Code)
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Status>, D::Error> {
    text(deserializer, one_of)
}

fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Code>, D::Error> {
    text(deserializer, |text| code_of(text).ok_or_else(|| format!("must be one of {}", CODES.join(", "))))
}

fn ending<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ending>, D::Error> {
    text(deserializer, |text| {
        // `expired` is both: a request that is expired, and the refusal to do anything to it. A step
        // leads to neither status but by being refused.
        if let Some(code) = code_of(text) {
            return Ok(Ending::Refused(code));
        }
        text.parse().map(Ending::Status).map_err(|_| {
            let statuses = names::<Status>();
            format!("must be a status ({statuses}) or the code of a refusal ({})", CODES.join(", "))
        })
    })
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PrincipalKind>, D::Error> {
    text(deserializer, one_of)
}

fn channel<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Channel>, D::Error> {
    text(deserializer, one_of)
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SourceAddress>, D::Error> {
    text(deserializer, |text| text.parse().map_err(|_| "must be an IP address".to_owned()))
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    text(deserializer, |text| Timestamp::parse(text).map_err(|error| error.to_string()))
}

fn ticket<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ticket>, D::Error> {
    text(deserializer, |text| Ticket::parse(text).map_err(|error| error.to_string()))
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DurationText>, D::Error> {
    text(deserializer, |text| DurationText::parse(text).map_err(|error| error.to_string()))
}

fn justification<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Justification>, D::Error> {
    text(deserializer, |text| Justification::parse(text).map_err(|error| error.to_string()))
}

fn plan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RollbackPlan>, D::Error> {
    text(deserializer, |text| RollbackPlan::parse(text).map_err(|error| error.to_string()))
}

fn cost<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cost>, D::Error> {
    let amount = f64::deserialize(deserializer)?;
    Cost::new(amount).map(Some).map_err(D::Error::custom)
}

/// `{ dba = 1, "finance|controlling" = 1 }`, as rules demand them.
fn slots<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Slots>, D::Error> {
    let slots = BTreeMap::<String, u8>::deserialize(deserializer)?;
    read_slots(&slots).map(|slots| Some(Slots::new(slots))).map_err(D::Error::custom)
}
