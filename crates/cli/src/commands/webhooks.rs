//! `countersign webhooks`: who hears of what happens, and what became of the messages.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::json_argument;
use crate::session::Session;
use crate::value_parsers::{delivery_status, environment, event_type, risk_level, status, time};
use crate::view::text::Text;
use clap::{Args, Subcommand, ValueEnum};
use countersign_api::bodies::{
    ChangeWebhookBody, CreateWebhookBody, RedeliverWebhookBody, RotateWebhookBody,
};
use countersign_api::wire::WebhookBody;
use countersign_client::webhooks::DeliveriesQuery;
use countersign_core::event::EventType;
use countersign_core::ids::EventId;
use countersign_core::request::Status;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::text::escaped_line;
use countersign_delivery::state::DeliveryState;
use countersign_webhook::webhook::WebhookId;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// `countersign webhooks`.
#[derive(Debug, Clone, Args)]
pub struct WebhooksArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: WebhooksCommand,
}

/// The commands of `countersign webhooks`.
#[derive(Debug, Clone, Subcommand)]
pub enum WebhooksCommand {
    /// List webhooks
    #[command(visible_alias = "ls")]
    List(Box<ConnectionArguments>),
    /// Make a webhook, and show its secret this once
    Create(Box<CreateWebhookArguments>),
    /// Show a webhook, and how its endpoint fares
    Show(Box<WebhookArguments>),
    /// Change settings of a webhook; what is not named stays
    Change(Box<ChangeWebhookArguments>),
    /// Delete a webhook: what waits for it is not delivered
    Delete(Box<WebhookArguments>),
    /// Replace the secret of a webhook, and show the new one this once
    Rotate(Box<RotateArguments>),
    /// Have messages sent to a webhook again
    Enable(Box<WebhookArguments>),
    /// Have no messages sent to a webhook: they are skipped
    Disable(Box<WebhookArguments>),
    /// Send a test message, and say what the endpoint answered
    Test(Box<WebhookArguments>),
    /// Show what became of the messages to a webhook, the latest first
    Deliveries(Box<DeliveriesArguments>),
    /// Send messages again: one, or those of a span of time
    Redeliver(Box<RedeliverArguments>),
    /// Show who changed what of a webhook
    Events(Box<WebhookArguments>),
}

/// One webhook, and nothing else to say.
#[derive(Debug, Clone, Args)]
pub struct WebhookArguments {
    /// The webhook: its id, or the beginning of it
    #[arg(value_name = "ID")]
    pub id: String,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// What a webhook takes, and how.
#[derive(Debug, Clone, Args)]
pub struct SettingsArguments {
    /// What it is for
    #[arg(long, short = 'm', value_name = "TEXT", allow_hyphen_values = true)]
    pub description: Option<String>,

    /// Only these types of events, such as `APPROVAL_GRANTED`
    #[arg(long, short = 't', value_name = "TYPE", value_parser = event_type(), value_delimiter = ',')]
    pub events: Vec<EventType>,

    /// Only events that leave their request in one of these statuses
    #[arg(long, short = 's', value_name = "STATUS", value_parser = status(), value_delimiter = ',')]
    pub statuses: Vec<Status>,

    /// Only of requests with one of these risk levels
    #[arg(long, value_name = "RISK", value_parser = risk_level(), value_delimiter = ',')]
    pub risk_levels: Vec<RiskLevel>,

    /// Only of requests for one of these environments
    #[arg(long, value_name = "ENVIRONMENT", value_parser = environment(), value_delimiter = ',')]
    pub environments: Vec<Environment>,

    /// Only of requests for these operations: names, or patterns with * and ?
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub operations: Vec<String>,

    /// All that subscribers learn of an event, or only what the rest can be fetched by
    #[arg(long, value_enum)]
    pub content: Option<ContentArgument>,

    /// A `CloudEvents` document, or its data alone
    #[arg(long, value_enum)]
    pub format: Option<FormatArgument>,

    /// Headers to send, as a JSON object: @FILE, - for stdin, or the text itself, which others on this machine may see
    #[arg(long, value_name = "JSON")]
    pub headers: Option<String>,
}

/// How much a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ContentArgument {
    /// All that subscribers learn
    Full,
    /// Ids, the type, the time and the status
    Thin,
}

/// Around what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArgument {
    /// A `CloudEvents` document
    #[value(name = "cloudevents")]
    CloudEvents,
    /// Its data alone
    Document,
}

/// `countersign webhooks create`.
#[derive(Debug, Clone, Args)]
pub struct CreateWebhookArguments {
    /// Where messages are sent: https
    #[arg(value_name = "ADDRESS")]
    pub address: String,

    /// What it takes.
    #[command(flatten)]
    pub settings: SettingsArguments,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign webhooks change`.
#[derive(Debug, Clone, Args)]
pub struct ChangeWebhookArguments {
    /// The webhook: its id, or the beginning of it
    #[arg(value_name = "ID")]
    pub id: String,

    /// Where messages are sent from now on
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<String>,

    /// What it takes.
    #[command(flatten)]
    pub settings: SettingsArguments,

    /// Settings that go back to what they are without any
    #[arg(long, value_name = "SETTING", value_enum, value_delimiter = ',')]
    pub clear: Vec<Clearable>,

    /// The version that is changed, as `show` has it; the one of now if left out
    #[arg(long, value_name = "NUMBER")]
    pub version: Option<u64>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// What a webhook can be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the settings by their names")]
pub enum Clearable {
    Description,
    Events,
    Statuses,
    RiskLevels,
    Environments,
    Operations,
    Content,
    Format,
    Headers,
}

/// `countersign webhooks rotate`.
#[derive(Debug, Clone, Args)]
pub struct RotateArguments {
    /// The webhook: its id, or the beginning of it
    #[arg(value_name = "ID")]
    pub id: String,

    /// For how long the secret before signs as well: seconds, or a number and s, m, h or d; 1d if left out. 0 if others know it
    #[arg(long, value_name = "TIME", value_parser = overlap)]
    pub overlap: Option<u32>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign webhooks deliveries`.
#[derive(Debug, Clone, Args)]
pub struct DeliveriesArguments {
    /// The webhook: its id, or the beginning of it
    #[arg(value_name = "ID")]
    pub id: String,

    /// Only those that stand so
    #[arg(long, short = 's', value_name = "STATUS", value_parser = delivery_status(), value_delimiter = ',')]
    pub status: Vec<DeliveryState>,

    /// Of events not before this time, such as 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,

    /// Of events not after this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,

    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub limit: u32,

    /// Where the page before ended, as it said
    #[arg(long, value_name = "ID")]
    pub after: Option<String>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign webhooks redeliver`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["delivery", "from"]))]
pub struct RedeliverArguments {
    /// The webhook: its id, or the beginning of it
    #[arg(value_name = "ID")]
    pub id: String,

    /// One delivery, by its whole id, whatever has become of it
    #[arg(long, value_name = "ID")]
    pub delivery: Option<String>,

    /// All of events not before this time, such as 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,

    /// And not after this time
    #[arg(long, value_name = "TIME", requires = "from")]
    pub to: Option<String>,

    /// And that stand so; dead and skipped ones if left out
    #[arg(long, short = 's', value_name = "STATUS", value_parser = delivery_status(), value_delimiter = ',', requires = "from")]
    pub status: Vec<DeliveryState>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

fn overlap(text: &str) -> Result<u32, String> {
    if text == "0" { Ok(0) } else { time(text) }
}

/// Carries it out.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &WebhooksArguments) -> Result<(), CommandError> {
    match &arguments.command {
        WebhooksCommand::List(connection) => {
            let session = Session::open(connection)?;
            let webhooks = session.connection.webhooks()?;
            session.show(&webhooks, |view| view.webhooks(&webhooks))
        }
        WebhooksCommand::Create(arguments) => create(arguments),
        WebhooksCommand::Show(arguments) => {
            let (session, id) = opened(arguments)?;
            show(&session, &session.connection.webhook(id)?)
        }
        WebhooksCommand::Change(arguments) => change(arguments),
        WebhooksCommand::Delete(arguments) => {
            let (session, id) = opened(arguments)?;
            show(&session, &session.connection.delete_webhook(id)?)
        }
        WebhooksCommand::Rotate(arguments) => {
            let session = Session::open(&arguments.connection)?;
            let id = found(&session, &arguments.id)?;
            let body = RotateWebhookBody { overlap_seconds: arguments.overlap };
            show(&session, &session.connection.rotate_webhook(id, &body)?)
        }
        WebhooksCommand::Enable(arguments) => switch(arguments, true),
        WebhooksCommand::Disable(arguments) => switch(arguments, false),
        WebhooksCommand::Test(arguments) => test(arguments),
        WebhooksCommand::Deliveries(arguments) => deliveries(arguments),
        WebhooksCommand::Redeliver(arguments) => redeliver(arguments),
        WebhooksCommand::Events(arguments) => events(arguments),
    }
}

fn opened(arguments: &WebhookArguments) -> Result<(Session, WebhookId), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let id = found(&session, &arguments.id)?;
    Ok((session, id))
}

/// The webhook that a person names: by its whole id, also if it is deleted, or by the beginning of one that is not.
fn found(session: &Session, name: &str) -> Result<WebhookId, CommandError> {
    if let Ok(id) = WebhookId::parse(name) {
        return Ok(id);
    }
    let all = session.connection.webhooks()?.webhooks;
    let beginning = |id: &str| id.starts_with(name) || id.trim_start_matches("wh_").starts_with(name);
    let ids: BTreeSet<&str> =
        all.iter().map(|webhook| webhook.webhook_id.as_str()).filter(|id| beginning(id)).collect();
    let name = escaped_line(name);
    match (ids.first(), ids.len()) {
        (Some(id), 1) => WebhookId::parse(id)
            .map_err(|_| CommandError::Failed("the service names a webhook by what is no id".to_owned())),
        (None, _) => Err(CommandError::NotFound(format!("no webhook has an id that begins with {name}"))),
        (Some(_), count) => {
            let message = format!("{count} webhooks have an id that begins with {name}: give more of it");
            Err(CommandError::Usage(message))
        }
    }
}

/// Shows a webhook; its secret too, where it is in the answer.
fn show(session: &Session, webhook: &WebhookBody) -> Result<(), CommandError> {
    session.show(webhook, |view| view.webhook(webhook))
}

fn names<T: Copy + Into<&'static str>>(values: &[T]) -> Option<Vec<String>> {
    let names = values.iter().map(|value| Into::<&'static str>::into(*value).to_owned());
    (!values.is_empty()).then(|| names.collect())
}

fn headers(text: &str) -> Result<BTreeMap<String, String>, CommandError> {
    let value = json_argument::read("headers", text)?;
    let headers = serde_json::from_value(value);
    headers.map_err(|_| CommandError::Usage("--headers: must be a JSON object of strings".to_owned()))
}

fn value_name<T: ValueEnum>(value: Option<T>) -> Option<String> {
    value.and_then(|value| value.to_possible_value()).map(|value| value.get_name().to_owned())
}

fn create(arguments: &CreateWebhookArguments) -> Result<(), CommandError> {
    let settings = &arguments.settings;
    let body = CreateWebhookBody {
        url: arguments.address.clone(),
        description: settings.description.clone(),
        events: names(&settings.events),
        statuses: names(&settings.statuses),
        risk_levels: names(&settings.risk_levels),
        environments: names(&settings.environments),
        operations: (!settings.operations.is_empty()).then(|| settings.operations.clone()),
        content: value_name(settings.content),
        format: value_name(settings.format),
        headers: settings.headers.as_deref().map(headers).transpose()?,
    };
    let session = Session::open(&arguments.connection)?;
    show(&session, &session.connection.create_webhook(&body)?)
}

fn change(arguments: &ChangeWebhookArguments) -> Result<(), CommandError> {
    let settings = &arguments.settings;
    let headers = settings.headers.as_deref().map(headers).transpose()?;
    let session = Session::open(&arguments.connection)?;
    let id = found(&session, &arguments.id)?;
    let version = match arguments.version {
        Some(version) => version,
        None => session.connection.webhook(id)?.version,
    };
    let value = |what: Clearable, given: Option<Value>| match (arguments.clear.contains(&what), given) {
        (true, Some(_)) => {
            let name = what.to_possible_value().map(|value| value.get_name().to_owned());
            let message = format!("--clear: {} is given as well", name.unwrap_or_default());
            Err(CommandError::Usage(message))
        }
        (true, None) => Ok(Some(Value::Null)),
        (false, given) => Ok(given),
    };
    let operations = (!settings.operations.is_empty()).then(|| json!(settings.operations));
    let body = ChangeWebhookBody {
        version,
        url: arguments.address.clone(),
        description: value(Clearable::Description, settings.description.as_ref().map(|text| json!(text)))?,
        events: value(Clearable::Events, names(&settings.events).map(|names| json!(names)))?,
        statuses: value(Clearable::Statuses, names(&settings.statuses).map(|names| json!(names)))?,
        risk_levels: value(Clearable::RiskLevels, names(&settings.risk_levels).map(|names| json!(names)))?,
        environments: value(
            Clearable::Environments,
            names(&settings.environments).map(|names| json!(names)),
        )?,
        operations: value(Clearable::Operations, operations)?,
        content: value(Clearable::Content, value_name(settings.content).map(|name| json!(name)))?,
        format: value(Clearable::Format, value_name(settings.format).map(|name| json!(name)))?,
        headers: value(Clearable::Headers, headers.map(|headers| json!(headers)))?,
    };
    show(&session, &session.connection.change_webhook(id, &body)?)
}

fn switch(arguments: &WebhookArguments, is_enabled: bool) -> Result<(), CommandError> {
    let (session, id) = opened(arguments)?;
    show(&session, &session.connection.switch_webhook(id, is_enabled)?)
}

fn test(arguments: &WebhookArguments) -> Result<(), CommandError> {
    let (session, id) = opened(arguments)?;
    let trial = session.connection.test_webhook(id)?;
    session.show(&trial, |view| view.trial(&trial))?;
    match trial.failure {
        None => Ok(()),
        Some(failure) => Err(CommandError::Failed(format!(
            "the endpoint did not take the message: {}",
            escaped_line(&failure.replace('_', " "))
        ))),
    }
}

fn deliveries(arguments: &DeliveriesArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let id = found(&session, &arguments.id)?;
    let query = DeliveriesQuery {
        from: arguments.from.clone(),
        to: arguments.to.clone(),
        status: names(&arguments.status).unwrap_or_default(),
        limit: Some(arguments.limit),
        after: arguments.after.clone(),
    };
    let page = session.connection.deliveries(id, &query)?;
    session.show(&page, |view| view.deliveries(&page))
}

fn redeliver(arguments: &RedeliverArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let id = found(&session, &arguments.id)?;
    if let Some(delivery) = &arguments.delivery {
        let event_id = EventId::parse(delivery)
            .map_err(|error| CommandError::Usage(format!("--delivery {error}, as `deliveries` shows it")))?;
        let delivery = session.connection.redeliver_one(id, event_id)?;
        return session.show(&delivery, |view| Text::from(vec![view.delivery(&delivery)]));
    }
    let mut body = RedeliverWebhookBody {
        from: arguments.from.clone().unwrap_or_default(),
        to: arguments.to.clone(),
        statuses: names(&arguments.status),
        after: None,
    };
    let mut redelivered = 0_u64;
    loop {
        let part = session.connection.redeliver(id, &body)?;
        redelivered = redelivered.saturating_add(part.redelivered);
        match part.next {
            None => break,
            // Each part gets further; one that does not would go on for ever.
            Some(next) if body.after.as_ref() == Some(&next) => {
                return Err(CommandError::Failed("the service answers with the same part again".to_owned()));
            }
            Some(next) => body.after = Some(next),
        }
    }
    let answer = json!({ "redelivered": redelivered });
    session.show(&answer, |view| view.redelivered(redelivered))
}

fn events(arguments: &WebhookArguments) -> Result<(), CommandError> {
    let (session, id) = opened(arguments)?;
    let trail = session.connection.webhook_events(id)?;
    session.show(&trail, |view| view.webhook_events(&trail))?;
    if trail.verified {
        return Ok(());
    }
    let findings = trail.findings.iter().map(|finding| escaped_line(finding)).collect::<Vec<_>>().join("; ");
    Err(CommandError::Failed(format!("the trail is not whole: {findings}")))
}
