//! `countersign notifications`: how the caller hears of requests.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::Session;
use crate::value_parsers::{NONE, digest, muted_event, quiet_hours};
use clap::{Args, Subcommand, ValueEnum};
use countersign_api::bodies::SetNotificationsBody;
use countersign_api::wire::{NotificationsBody, QuietHoursBody};
use countersign_core::canonical;
use countersign_system::text_file;
use serde_json::{Value, json};
use std::io::Read as _;

/// `countersign notifications`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct NotificationsArguments {
    /// What to do; without a command, your settings are shown.
    #[command(subcommand)]
    pub command: Option<NotificationsCommand>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// The commands of `countersign notifications`.
#[derive(Debug, Clone, Subcommand)]
pub enum NotificationsCommand {
    /// Say how you want to hear; what is not named stays as it is
    Set(Box<SetArguments>),
}

/// `countersign notifications set`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true)
    .args(["file", "channels", "mute", "quiet_hours", "digest", "clear", "reset"]))]
pub struct SetArguments {
    /// All of your settings as a JSON object, as `said` of `notifications --json` has them: a file, or - for stdin
    #[arg(value_name = "FILE|-", conflicts_with_all = ["channels", "mute", "quiet_hours", "digest", "clear", "reset"])]
    pub file: Option<String>,

    /// Hear by these destinations alone, as `notifications` lists them; none for the dashboard alone
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub channels: Vec<String>,

    /// Do not hear of these events, such as `COMMENT_ADDED`; none for hearing of all
    #[arg(long, value_name = "EVENT", value_parser = muted_event(), value_delimiter = ',')]
    pub mute: Vec<String>,

    /// Hold messages then: days, times and a time zone, such as "mon-fri 18:00-08:00 Europe/Vienna"; every day and UTC if left
    /// out. Several times for several spans; none for no quiet hours
    #[arg(long, value_name = "SPAN", value_parser = quiet_hours)]
    pub quiet_hours: Vec<Span>,

    /// Get what is for your information only as one message: daily, weekly or monthly, a time, and a time zone, such as
    /// "daily@08:00 Europe/Vienna"; off for at once
    #[arg(long, value_name = "WHEN", value_parser = digest)]
    pub digest: Option<Value>,

    /// Take these back to what the service has by default
    #[arg(long, value_name = "SETTING", value_enum, value_delimiter = ',')]
    pub clear: Vec<Clearable>,

    /// Take everything back to what the service has by default
    #[arg(long, conflicts_with_all = ["channels", "mute", "quiet_hours", "digest", "clear"])]
    pub reset: bool,

    /// The version that is changed, as `notifications` shows it; the one of now if left out
    #[arg(long, value_name = "NUMBER")]
    pub version: Option<u64>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// A span, or that there is none.
pub type Span = Option<QuietHoursBody>;

/// What can be as the service has it by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the settings by their names")]
pub enum Clearable {
    Channels,
    QuietHours,
    MutedEvents,
    Digest,
}

/// Carries it out.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &NotificationsArguments) -> Result<(), CommandError> {
    match &arguments.command {
        None => {
            let session = Session::open(&arguments.connection)?;
            show(&session, &session.connection.notifications()?)
        }
        Some(NotificationsCommand::Set(arguments)) => set(arguments),
    }
}

fn show(session: &Session, notifications: &NotificationsBody) -> Result<(), CommandError> {
    session.show(notifications, |view| view.notifications(notifications))
}

fn set(arguments: &SetArguments) -> Result<(), CommandError> {
    let file = arguments.file.as_deref().map(of_file).transpose()?;
    let session = Session::open(&arguments.connection)?;
    let now = session.connection.notifications()?;
    let body = match file {
        Some(mut file) => {
            file.version =
                arguments.version.or(Some(file.version).filter(|it| *it > 0)).unwrap_or(now.version);
            file
        }
        None => changed(arguments, now)?,
    };
    show(&session, &session.connection.set_notifications(&body)?)
}

/// What has been said, with what the options say.
fn changed(arguments: &SetArguments, now: NotificationsBody) -> Result<SetNotificationsBody, CommandError> {
    let version = arguments.version.unwrap_or(now.version);
    if arguments.reset {
        return Ok(SetNotificationsBody { version, ..SetNotificationsBody::default() });
    }
    let SetArguments { channels, mute, quiet_hours, digest, clear, .. } = arguments;
    let is_cleared = |what: Clearable| clear.contains(&what);
    let said = now.said;
    let spans = quiet_hours.iter().flatten().cloned().collect::<Vec<_>>();
    if quiet_hours.contains(&None) && quiet_hours.len() > 1 {
        return Err(CommandError::Usage(format!("--quiet-hours: `{NONE}` stands alone")));
    }
    let digest = digest.clone();
    Ok(SetNotificationsBody {
        version,
        channels: merged(is_cleared(Clearable::Channels), names("channels", channels)?, said.channels),
        quiet_hours: merged(
            is_cleared(Clearable::QuietHours),
            (!quiet_hours.is_empty()).then_some(spans),
            said.quiet_hours,
        ),
        muted_events: merged(is_cleared(Clearable::MutedEvents), names("mute", mute)?, said.muted_events),
        digest: merged(is_cleared(Clearable::Digest), digest, said.digest),
    })
}

fn merged<T>(is_cleared: bool, given: Option<T>, said: Option<T>) -> Option<T> {
    if is_cleared { given } else { given.or(said) }
}

/// The names of an option; nothing where it is not given.
fn names(option: &str, given: &[String]) -> Result<Option<Vec<String>>, CommandError> {
    match given {
        [] => Ok(None),
        [one] if one == NONE => Ok(Some(Vec::new())),
        several if several.iter().any(|name| name == NONE) => {
            Err(CommandError::Usage(format!("--{option}: `{NONE}` stands alone")))
        }
        several => Ok(Some(several.to_vec())),
    }
}

/// The settings of a file, or of stdin. The version may be left out.
fn of_file(name: &str) -> Result<SetNotificationsBody, CommandError> {
    let at = |error: &dyn std::fmt::Display| CommandError::Usage(format!("{name}: {error}"));
    let text = if name == "-" {
        let mut text = Vec::new();
        std::io::stdin().lock().read_to_end(&mut text).map_err(|error| at(&error))?;
        text
    } else {
        text_file::read(name).map_err(|error| at(&error))?
    };
    let mut document = canonical::read(&text).map_err(|error| at(&error))?;
    let Some(members) = document.as_object_mut() else {
        return Err(at(&"must be a JSON object of channels, quiet_hours, muted_events and digest"));
    };
    if !members.contains_key("version") {
        members.insert("version".to_owned(), json!(0));
    }
    let known = ["version", "channels", "quiet_hours", "muted_events", "digest"];
    if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(at(&format!("has `{name}`, which is none of {}", known.join(", "))));
    }
    serde_json::from_value(document).map_err(|error| at(&error))
}
