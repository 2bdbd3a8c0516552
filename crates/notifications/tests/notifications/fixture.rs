//! A policy with slots, a configuration with a destination of each kind, and a request that lives by real decisions.

use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::command::{Command, Draft, Shown};
use countersign_core::command_context::CommandContext;
use countersign_core::creation;
use countersign_core::decide::{self, Outcome};
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::policy::{Policy, PolicyText};
use countersign_core::principal::Principal;
use countersign_core::priority::Priority;
use countersign_core::refusal::Refusal;
use countersign_core::request::Request;
use countersign_core::text::CommentText;
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::plan::{Happening, Plan, PlannedMessage, Planning};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Takes one of the dba group and one of finance or controlling.
pub(crate) const SLOTTED: &str = "restore_from_snapshot";
/// Takes two approvals of anybody.
pub(crate) const HIGH: &str = "modify_instance_class";
/// Takes one.
pub(crate) const MEDIUM: &str = "create_snapshot";

pub(crate) const OPERATIONS: &str = r#"
[defaults]
pending_seconds = 28_800
execute_within_seconds = 3_600
[approvals]
low = 0
medium = 1
high = 2
[environments]
non_production_instances = ["dev-*"]
[operations.create_snapshot]
production = "medium"
non_production = "low"
[operations.modify_instance_class]
production = "high"
non_production = "medium"
[operations.restore_from_snapshot]
production = "high"
non_production = "medium"
[rules.restores]
operations = ["restore_from_snapshot"]
slots = { dba = 1, "finance | controlling" = 1 }
"#;

pub(crate) const PEOPLE: &str = r#"
groups = ["developer", "approver", "dba", "finance", "controlling", "admin", "agent"]
[people."bob@x.org"]
addresses = ["robert@x.org"]
[people."mallory@x.org"]
disabled = true
[agents."bot@x.org"]
owner = "olga@x.org"
"#;

pub(crate) const ACCESS: &str = r#"
@id("see") permit (principal, action in [Action::"list", Action::"view", Action::"view_parameters"], resource);
@id("ask") permit (principal, action in [Action::"create", Action::"cancel", Action::"execute"], resource) when { context.own };
@id("approve") permit (principal, action in [Action::"approve", Action::"reject"], resource) when {
  context.groups.contains("approver") || context.groups.contains("dba") ||
  context.groups.contains("finance") || context.groups.contains("controlling")
};
"#;

pub(crate) const NOTIFICATIONS: &str = r#"
[destinations.topic]
kind = "sns"
topic_arn = "arn:aws:sns:eu-central-1:111122223333:events"
[destinations.mail]
kind = "email"
from = "countersign@x.org"
transport = "ses"
[destinations.bot]
kind = "slack_bot"
token = "env:SLACK_TOKEN"
[destinations.room]
kind = "slack_bot"
token = "env:SLACK_TOKEN"
channel = "C01"
[destinations.pager]
kind = "pagerduty"
routing_key = "secretsmanager:countersign/pagerduty"
[groups.approver]
members = ["ann@x.org", "robert@x.org", "carol@x.org", "mallory@x.org", "olga@x.org"]
[groups.dba]
members = ["dan@x.org", "eve@x.org", "carol@x.org"]
[groups.finance]
members = ["fred@x.org"]
[groups.controlling]
members = ["gina@x.org", "dan@x.org"]
[groups.watchers]
members = ["walter@x.org"]
email = "watchers@x.org"
[defaults]
channels = ["mail"]
[routes.programs]
via = ["topic"]
[routes.approvers]
to = ["approvers"]
via = ["mail"]
"#;

pub(crate) fn policy() -> Policy {
    policy_of(ACCESS)
}

pub(crate) fn policy_of(access: &str) -> Policy {
    let text = PolicyText { operations: OPERATIONS, people: PEOPLE, access };
    countersign_policy::load::parse(&text).unwrap()
}

pub(crate) fn configuration(more: &str) -> Configuration {
    configured(&format!("{NOTIFICATIONS}{more}"))
}

pub(crate) fn configured(text: &str) -> Configuration {
    Configuration::parse(text, policy().people().groups()).unwrap_or_else(|mistake| panic!("{mistake}"))
}

/// A Thursday.
pub(crate) fn at(time: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-01-15T{time}Z")).unwrap()
}

pub(crate) fn id(name: &str) -> PersonId {
    PersonId::from_email(&format!("{name}@x.org")).unwrap()
}

pub(crate) fn names<'a>(people: impl IntoIterator<Item = &'a PersonId>) -> Vec<&'a str> {
    people.into_iter().map(|person| person.as_str().split('@').next().unwrap()).collect()
}

/// A person with all groups that their token says.
pub(crate) fn human(name: &str, groups: &[&str]) -> Principal {
    Principal::assumed(id(name), PrincipalKind::Human, Channel::Api, groups.iter().copied())
}

fn context(number: u128, now: Timestamp) -> CommandContext {
    CommandContext {
        now,
        event_id: EventId::new(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 + number)),
        execution_id: ExecutionId::new(Uuid::from_u128(number)),
        text_key: TextKey::new([1; 16]),
    }
}

/// A request and the last thing that happened to it.
#[derive(Debug, Clone)]
pub(crate) struct Living {
    pub(crate) request: Request,
    pub(crate) happening: Happening,
}

impl Living {
    pub(crate) fn new(
        operation: &str,
        instance: &str,
        by: &Principal,
        policy: &Policy,
        now: Timestamp,
    ) -> Self {
        let draft = Draft::new(
            operation,
            instance,
            &json!({"secret": "of parameters"}),
            "production",
            "CPU is at 95 % since Monday",
        )
        .unwrap();
        Self::drafted(draft, by, policy, now)
    }

    fn drafted(draft: Draft, by: &Principal, policy: &Policy, now: Timestamp) -> Self {
        let request_id = RequestId::parse("01930000-0000-7000-8000-0000000000aa").unwrap();
        let assessment = creation::assess(&draft, by, policy);
        let event =
            creation::create(request_id, draft, &assessment, by, &context(1, now), policy, None).unwrap();
        let request = Request::create(&event).unwrap();
        let happening = Happening { event_id: event.id, event_type: event.change.event_type(), at: event.at };
        Self { request, happening }
    }

    pub(crate) fn with_priority(operation: &str, priority: Option<Priority>, policy: &Policy) -> Self {
        let draft = Draft::new(operation, "orders-db", &json!({}), "production", "CPU is at 95 %").unwrap();
        let draft = Draft { priority, ..draft };
        Self::drafted(draft, &human("ann", &["developer"]), policy, at("10:00:00"))
    }

    pub(crate) fn of_ann(operation: &str, policy: &Policy) -> Self {
        Self::new(operation, "orders-db", &human("ann", &["developer"]), policy, at("10:00:00"))
    }

    pub(crate) fn command(
        &mut self,
        command: &Command,
        actor: &Principal,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let context = context(u128::from(self.request.version) + 1, now);
        let outcome = decide::decide(&self.request, command, actor, &context, policy, None)?;
        let Outcome::Event(event) = outcome else { panic!("applied before") };
        self.request.apply(&event);
        self.happening =
            Happening { event_id: event.id, event_type: event.change.event_type(), at: event.at };
        Ok(())
    }

    pub(crate) fn approve(
        &mut self,
        name: &str,
        groups: &[&str],
        policy: &Policy,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let command = Command::Approve { comment: None, shown: Shown::default() };
        let actor = policy.people().resolve(countersign_core::caller::Caller::new(
            id(name),
            PrincipalKind::Human,
            Channel::Api,
            groups.iter().copied(),
        ))?;
        self.command(&command, &actor, policy, now)
    }

    pub(crate) fn plan(&self, configuration: &Configuration, policy: &Policy) -> Plan {
        let preferences = BTreeMap::new();
        let planning = Planning { configuration, policy, preferences: &preferences };
        planning.plan(&self.happening, &self.request)
    }
}

pub(crate) fn text(text: &str) -> CommentText {
    CommentText::parse(text).unwrap()
}

pub(crate) fn reject() -> Command {
    Command::Reject { reason: text("not during the sale"), shown: Shown::default() }
}

/// `mail ann@x.org Act` or `topic - Information`.
pub(crate) fn shown(message: &PlannedMessage) -> String {
    let address = message.address.as_deref().unwrap_or("-");
    format!("{} {address} {:?}", message.place.destination, message.kind)
}

pub(crate) fn all_shown(plan: &Plan) -> Vec<String> {
    plan.messages.iter().map(shown).collect()
}
