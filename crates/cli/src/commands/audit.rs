//! `countersign audit`: audit events across requests, as far as the service shows them; and the log that they are in.

use crate::commands::export::{self, ExportArguments};
use crate::commands::monitor::{self, MonitorArguments};
use crate::commands::population::{self, PopulationArguments};
use crate::commands::rebuild::{self, RebuildArguments};
use crate::commands::verify::{self, VerifyArguments};
use crate::complete;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::Session;
use crate::value_parsers::{event_type, group_by, time};
use clap::{Args, Subcommand};
use clap_complete::ArgValueCompleter;
use countersign_api::wire::AuditBody;
use countersign_client::audit_query::{AuditQuery, StatsQuery};
use countersign_core::event::EventType;
use countersign_core::timestamp::Timestamp;
use countersign_figures::report::GroupBy;
use std::time::Duration;

/// The most events on a page.
const MAX_LIMIT: u32 = 500;
/// How many events `tail` shows of what was before, unless it is said.
const LAST: u32 = 10;
/// How often `tail` asks, in seconds.
const INTERVAL_SECONDS: u32 = 2;

/// `countersign audit`.
#[derive(Debug, Clone, Args)]
pub struct AuditArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// The commands of `countersign audit`.
#[derive(Debug, Clone, Subcommand)]
pub enum AuditCommand {
    /// List events: who did what, to which request, when
    List(Box<AuditListArguments>),
    /// Show the last events, and each that comes
    Tail(Box<AuditTailArguments>),
    /// Show figures: how many requests, decisions and refused calls there were, and how long decisions took
    Stats(Box<AuditStatsArguments>),
    /// Compute figures anew from the audit log, and compare with those that are stored or answered
    Rebuild(Box<RebuildArguments>),
    /// Hold requests against their trails, and all against the audit log
    Verify(Box<VerifyArguments>),
    /// Make sure that the audit log begins with what was seen of it before
    Monitor(Box<MonitorArguments>),
    /// Write every request of a span of time into a table, made of the whole audit log; or recount such a table
    Population(Box<PopulationArguments>),
    /// Write the events of the whole audit log, a line each, for a program that collects them
    Export(Box<ExportArguments>),
}

/// Which events.
#[derive(Debug, Clone, Args)]
pub struct FilterArguments {
    /// What this person, agent or service did, under any of their addresses
    #[arg(long, value_name = "EMAIL")]
    pub user: Option<String>,

    /// What happened, or one of several, such as `APPROVAL_GRANTED`
    #[arg(long, short = 't', value_name = "TYPE", value_parser = event_type(), value_delimiter = ',')]
    pub event_type: Vec<EventType>,

    /// Of this request, by its whole id
    #[arg(long, value_name = "ID", add = ArgValueCompleter::new(complete::requests))]
    pub request: Option<String>,

    /// Of all requests for this instance
    #[arg(long, value_name = "INSTANCE")]
    pub instance_id: Option<String>,

    /// Of this stream: a kind, a slash and an id
    #[arg(long, value_name = "STREAM", conflicts_with = "request")]
    pub stream: Option<String>,
}

impl FilterArguments {
    fn query(&self) -> AuditQuery {
        AuditQuery {
            user: self.user.clone(),
            event_type: self.event_type.clone(),
            request_id: self.request.clone(),
            instance_id: self.instance_id.clone(),
            stream: self.stream.clone(),
            ..AuditQuery::default()
        }
    }
}

/// `countersign audit list`.
#[derive(Debug, Clone, Args)]
pub struct AuditListArguments {
    /// Which events.
    #[command(flatten)]
    pub filter: FilterArguments,

    /// Not before this day or time, such as 2026-01-31
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,

    /// Not after this day, all of which counts, or this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,

    /// The newest first
    #[arg(long)]
    pub newest_first: bool,

    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,

    /// Where the page before ended, as it said
    #[arg(long, value_name = "CURSOR", conflicts_with = "all", allow_hyphen_values = true)]
    pub cursor: Option<String>,

    /// All of them. As JSON, each event is a line of its own
    #[arg(long)]
    pub all: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign audit tail`.
#[derive(Debug, Clone, Args)]
pub struct AuditTailArguments {
    /// Which events.
    #[command(flatten)]
    pub filter: FilterArguments,

    /// How many of what was before
    #[arg(long, value_name = "NUMBER", default_value_t = LAST, value_parser = clap::value_parser!(u32).range(0..=500))]
    pub last: u32,

    /// How often the service is asked: seconds, or a number and s, m, h or d
    #[arg(long, value_name = "TIME", value_parser = time, default_value_t = INTERVAL_SECONDS)]
    pub interval: u32,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// `countersign audit stats`.
#[derive(Debug, Clone, Args)]
pub struct AuditStatsArguments {
    /// The first day in UTC, such as 2026-01-31; 29 days before the last if left out
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,

    /// The last day in UTC, all of it; today if left out
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,

    /// What is told apart
    #[arg(long, short = 'g', value_name = "GROUP", value_parser = group_by(), default_value = "day")]
    pub group_by: GroupBy,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Queries, counts and verifies events.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &AuditArguments) -> Result<(), CommandError> {
    match &arguments.command {
        AuditCommand::List(arguments) => list(arguments),
        AuditCommand::Tail(arguments) => tail(arguments),
        AuditCommand::Stats(arguments) => stats(arguments),
        AuditCommand::Rebuild(arguments) => rebuild::run(arguments),
        AuditCommand::Verify(arguments) => verify::run(arguments),
        AuditCommand::Monitor(arguments) => monitor::run(arguments),
        AuditCommand::Population(arguments) => population::run(arguments),
        AuditCommand::Export(arguments) => export::run(arguments),
    }
}

fn list(arguments: &AuditListArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let mut query = AuditQuery {
        from: arguments.from.clone(),
        to: arguments.to.clone(),
        is_descending: arguments.newest_first,
        limit: Some(if arguments.all { MAX_LIMIT } else { arguments.limit }),
        cursor: arguments.cursor.clone(),
        ..arguments.filter.query()
    };
    if arguments.all {
        let (count, settled_until) = walk(&session, &mut query)?;
        session.note(&format!("{count} events, all there were until {settled_until}"));
        return Ok(());
    }
    let page = session.connection.audit(&query)?;
    session.show(&page, |view| view.audit(&page))?;
    findings(&session, &page);
    Ok(())
}

/// Prints the events of all pages; how many there were, and until when all of them.
fn walk(session: &Session, query: &mut AuditQuery) -> Result<(u64, String), CommandError> {
    let mut count = 0_u64;
    loop {
        let page = session.connection.audit(query)?;
        count += u64::try_from(page.items.len()).unwrap_or_default();
        session.show_each(&page.items, |view, event| view.audit_event(event))?;
        findings(session, &page);
        match page.next_cursor {
            None => return Ok((count, page.settled_until)),
            // Each page gets further; one that does not would go on for ever.
            Some(cursor) if query.cursor.as_ref() == Some(&cursor) => {
                return Err(CommandError::Failed("the service answers with the same page again".to_owned()));
            }
            Some(cursor) => query.cursor = Some(cursor),
        }
    }
}

/// What cannot be read is not on a page. That is said aloud: a list that is not whole must not look whole.
fn findings(session: &Session, page: &AuditBody) {
    for finding in &page.findings {
        session.warn(finding);
    }
}

fn tail(arguments: &AuditTailArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let filter = arguments.filter.query();
    let before = AuditQuery { is_descending: true, limit: Some(arguments.last.max(1)), ..filter.clone() };
    let mut page = session.connection.audit(&before)?;
    page.items.truncate(usize::try_from(arguments.last).unwrap_or(usize::MAX));
    page.items.reverse();
    session.show_each(&page.items, |view, event| view.audit_event(event))?;
    findings(&session, &page);
    let mut settled_until = page.settled_until;
    loop {
        std::thread::sleep(Duration::from_secs(arguments.interval.into()));
        let mut query = AuditQuery {
            from: Some(next_millisecond(&settled_until)?),
            limit: Some(MAX_LIMIT),
            ..filter.clone()
        };
        settled_until = walk(&session, &mut query)?.1;
    }
}

fn stats(arguments: &AuditStatsArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let group_by: &str = arguments.group_by.into();
    let query = StatsQuery {
        from: arguments.from.clone(),
        to: arguments.to.clone(),
        group_by: Some(group_by.to_owned()),
    };
    let stats = session.connection.stats(&query)?;
    session.show(&stats, |view| view.stats(&stats))
}

fn next_millisecond(time: &str) -> Result<String, CommandError> {
    let time = Timestamp::parse(time);
    let time =
        time.map_err(|_| CommandError::Failed("the service names no time that is settled".to_owned()))?;
    Ok(Timestamp::from_millisecond(time.as_millisecond().saturating_add(1)).to_string())
}
