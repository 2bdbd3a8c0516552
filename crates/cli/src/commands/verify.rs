//! `countersign audit verify`: requests held against their trails. Of a service, by asking it and checking its
//! answer here; of a stopped service or a deployment, by reading the store; of either against the audit log, or the log alone.

use crate::audit_log::AuditLog;
use crate::aws;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::Session;
use crate::view::output::Output;
use crate::view::terminal::Terminal;
use crate::view::text::Text;
use clap::Args;
use countersign_api::problem::Code;
use countersign_api::wire::{EventBody, RequestBody};
use countersign_app::error::AppError;
use countersign_app::verify::{self, Published, Verification};
use countersign_app::verify_log::{self, LogComparison};
use countersign_audit::places::Places;
use countersign_audit::verification::WholeLog;
use countersign_client::list_query::{ListQuery, MAX_LIMIT};
use countersign_core::canonical::CanonicalJson;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::ids::RequestId;
use countersign_core::refusal::Refusal;
use countersign_core::request::Status;
use countersign_core::text::escaped_line;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_server::stopped_service::StoppedService;
use countersign_system::system::SystemHost;
use countersign_system::text_file;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use strum::IntoEnumIterator;

/// `countersign audit verify`, which is `countersign verify` too.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("which_requests").required(true).multiple(true))]
pub struct VerifyArguments {
    /// The requests: their ids, or of the service the beginning of them
    #[arg(value_name = "ID", group = "which_requests", conflicts_with = "all")]
    pub ids: Vec<String>,

    /// The same
    #[arg(long = "request", value_name = "ID", group = "which_requests", conflicts_with_all = ["all", "ids"])]
    pub requests: Vec<String>,

    /// Every request, every trail and every message
    #[arg(long, group = "which_requests")]
    pub all: bool,

    /// The data directory of a stopped service, in place of a service that is asked
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// A deployment, such as prod, whose tables are read with your AWS region and credentials
    #[arg(long, value_name = "NAME", conflicts_with = "data_dir")]
    pub environment: Option<String>,

    /// The deployment's key, as Secrets Manager has it; for --environment
    #[arg(long, value_name = "KEY", env = "DEPLOYMENT_KEY")]
    pub deployment_key: Option<String>,

    /// The audit log: the URL of a service, or a directory with the log's files. Alone, all of it is verified by itself; with
    /// requests, they are held against it
    #[arg(long, value_name = "URL|DIR", group = "which_requests", requires = "key")]
    pub log: Option<String>,

    /// The service's public keys, as /.well-known/jwks.json answers them; for --log
    #[arg(long, value_name = "JWKS_FILE", requires = "log")]
    pub key: Option<PathBuf>,

    /// What was published, one JSON document a line: what `countersign serve` has written, or messages that a
    /// subscriber has kept. Each event in it must still be in the store
    #[arg(long, value_name = "FILE")]
    pub published: Option<PathBuf>,

    /// Further certificates to trust on the way to AWS, PEM
    #[arg(long, value_name = "FILE", env = "AWS_CA_BUNDLE")]
    pub aws_ca_bundle: Option<PathBuf>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Checks, and says what is not as it was written. Exit code 1 if anything is not.
///
/// # Errors
/// Findings, or that nothing could be checked.
pub fn run(arguments: &VerifyArguments) -> Result<(), CommandError> {
    let published = arguments.published.as_deref().map(published).transpose()?.unwrap_or_default();
    let log = arguments.log.as_deref().zip(arguments.key.as_deref());
    let log = log.map(|(log, key)| AuditLog::open(log, key, &arguments.connection)).transpose()?;
    if let Some(log) = &log
        && !arguments.all
        && arguments.names().is_empty()
    {
        let (whole, _) = log.whole()?;
        return log.report(whole, arguments.connection.output());
    }
    if arguments.environment.is_none() && arguments.data_dir.is_none() {
        if arguments.published.is_some() {
            return Err(CommandError::Usage(
                "--published is held against a store: add --data-dir or --environment".to_owned(),
            ));
        }
        return of_service(arguments, log.as_ref());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime does not start: {error}"))?;
    let (verification, of_log) = runtime.block_on(async {
        match (&arguments.environment, &arguments.data_dir) {
            (Some(environment), _) => {
                let aws = aws::configuration(arguments.aws_ca_bundle.as_deref()).await?;
                let tables = TableNames::of_environment(environment);
                let outbox = DynamoOutbox::connect(&aws, tables.outbox.clone());
                let store = DynamoStore::connect(&aws, tables);
                of_store(arguments, &store, &outbox, &deployment_key(arguments)?, &published, log).await
            }
            (None, Some(directory)) => {
                let stopped = StoppedService::open(directory)?;
                let key = stopped.directory.deployment_key()?;
                let outbox = DynamoOutbox::new(stopped.client.clone(), stopped.tables.outbox.clone());
                let store = DynamoStore::new(stopped.client, stopped.tables);
                of_store(arguments, &store, &outbox, &key, &published, log).await
            }
            (None, None) => Ok((Verification::default(), Vec::new())),
        }
    })?;
    report(&verification, &of_log, arguments.connection.output())
}

impl VerifyArguments {
    /// The requests that are named.
    fn names(&self) -> &[String] {
        if self.ids.is_empty() { &self.requests } else { &self.ids }
    }
}

/// The key as the functions make it of the secret's text.
fn deployment_key(arguments: &VerifyArguments) -> Result<DeploymentKey, CommandError> {
    let Some(secret) = &arguments.deployment_key else {
        return Err(CommandError::Usage(
            "--environment needs the deployment's key: set DEPLOYMENT_KEY to the secret's text".to_owned(),
        ));
    };
    Ok(DeploymentKey::new(*Digest::of(secret).as_bytes()))
}

async fn of_store(
    arguments: &VerifyArguments,
    store: &DynamoStore,
    outbox: &DynamoOutbox,
    key: &DeploymentKey,
    published: &[Published],
    log: Option<AuditLog>,
) -> Result<(Verification, Vec<(String, String)>), CommandError> {
    let host = SystemHost::default();
    // Before the store: what is written meanwhile is then what is not in the log yet.
    let entries = log.as_ref().filter(|_| arguments.all).map(AuditLog::whole).transpose()?;
    let mut of_log = Vec::new();
    let failed = |error: AppError| CommandError::Failed(format!("the store cannot be read: {error}"));
    let mut verification = if arguments.all {
        verify::all(&host, store, outbox, key).await.map_err(failed)?
    } else {
        let mut verification = Verification::default();
        for id in arguments.names() {
            let request_id = RequestId::parse(id)
                .map_err(|error| CommandError::Usage(format!("`{}` {error}", escaped_line(id))))?;
            let finding =
                verify::request(&host, store, key, request_id).await.map_err(|error| match error {
                    AppError::Refused(Refusal::NotVisible) => {
                        CommandError::NotFound(format!("there is no request {id}"))
                    }
                    error => failed(error),
                })?;
            verification.requests += 1;
            verification.findings.extend(finding.map(|finding| (id.clone(), finding)));
            if let Some(log) = &log {
                of_log.extend(log.holds_request(store, outbox, request_id).await?);
            }
        }
        verification
    };
    if let (Some(log), Some((whole, mut places))) = (&log, entries) {
        let size = log.checkpoint.size;
        let compared = verify_log::all(store, outbox, &mut places, size).await.map_err(failed)?;
        print_counts(arguments, whole, &compared)?;
        of_log.extend(log.findings(&compared)?);
    }
    verification.check_published(store, published).await.map_err(failed)?;
    Ok((verification, of_log))
}

/// For people: how much of the log was compared.
fn print_counts(
    arguments: &VerifyArguments,
    whole: WholeLog,
    compared: &LogComparison,
) -> Result<(), CommandError> {
    if !arguments.connection.output().is_for_people() {
        return Ok(());
    }
    let waiting = match compared.waiting {
        0 => String::new(),
        waiting => format!(", {waiting} of the store not in it yet"),
    };
    print(&format_args!("log: {} events of {} streams{waiting}", whole.entries, whole.streams))
}

/// The events that a file of CloudEvents names. Lines about anything else are passed over.
fn published(path: &Path) -> Result<Vec<Published>, CommandError> {
    let text = text_file::read_to_string(path)
        .map_err(|error| format!("--published {}: {error}", text_file::shown(path)))?;
    let read = |line: &str| {
        let document: Value = serde_json::from_str(line).ok()?;
        // What was published before it was a CloudEvent has these members without an envelope.
        let data = document.get("data").unwrap_or(&document);
        let member = |name: &str| data.get(name).and_then(Value::as_str);
        Some(Published {
            request_id: RequestId::parse(member("request_id")?).ok()?,
            sequence: data.get("sequence")?.as_u64()?,
            hash: member("hash")?.to_owned(),
        })
    };
    Ok(text.lines().filter_map(read).collect())
}

fn report(
    verification: &Verification,
    of_log: &[(String, String)],
    output: Output,
) -> Result<(), CommandError> {
    let Verification { requests, streams, messages, published, findings } = verification;
    let findings: Vec<_> = findings
        .iter()
        .map(|(id, finding)| (id.clone(), finding.to_string()))
        .chain(of_log.iter().cloned())
        .collect();
    if output.is_document() {
        let findings: Vec<_> =
            findings.iter().map(|(id, finding)| json!({ "id": id, "finding": finding })).collect();
        let report = json!({
            "verified": findings.is_empty(), "requests": requests, "streams": streams, "messages": messages,
            "published": published, "findings": findings,
        });
        output.print(Terminal::plain(), &report, Text::default)?;
    } else {
        for (id, finding) in &findings {
            print(&format_args!("{}  {}", escaped_line(id), escaped_line(finding)))?;
        }
        let counted = |count: &usize, noun: &str| {
            let plural = if *count == 1 { "" } else { "s" };
            format!("{count} {noun}{plural}")
        };
        let mut checked = vec![counted(requests, "request")];
        checked.extend((*streams > 0).then(|| counted(streams, "other stream")));
        checked.extend((*messages > 0).then(|| counted(messages, "message")));
        checked.extend((*published > 0).then(|| counted(published, "published event")));
        let outcome = match findings.len() {
            0 => "all as they were written".to_owned(),
            count => counted(&count, "finding"),
        };
        print(&format_args!("{} checked: {outcome}", checked.join(", ")))?;
    }
    ended(findings.len(), output)
}

fn print(line: &dyn std::fmt::Display) -> Result<(), CommandError> {
    writeln!(std::io::stdout(), "{line}").map_err(CommandError::stdout)
}

/// Findings are printed already; the JSON for programs says that they are why it failed.
fn ended(findings: usize, output: Output) -> Result<(), CommandError> {
    match findings {
        0 => Ok(()),
        _ if output.is_document() => Err(CommandError::Failed(format!("findings: {findings}"))),
        _ => Err(CommandError::told()),
    }
}

/// What was found out about one request of a service.
struct Checked {
    id: String,
    findings: Vec<String>,
    /// How many of its events the log has not.
    unlogged: usize,
}

/// Asks the service, which holds each request against its trail, and checks here what can be checked
/// without trusting it: the chain of hashes, and the digest of the content.
///
/// Of all requests, those whose trail the caller may not read are counted as unread. Whatever else fails
/// ends the check, and what was found before is printed all the same.
fn of_service(arguments: &VerifyArguments, log: Option<&AuditLog>) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let places = log.map(AuditLog::whole).transpose()?.map(|(_, places)| places);
    let (ids, damaged) = if arguments.all { all_ids(&session)? } else { (arguments.names().to_vec(), 0) };
    let mut checked = Vec::new();
    let mut unread = 0;
    let mut failure = None;
    for name in &ids {
        match check(&session, name, places.as_ref()) {
            Ok(request) => checked.push(request),
            Err(error) if arguments.all && is_hidden(&error) => unread += 1,
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    let requests = checked.len();
    if damaged > 0 {
        let finding = format!("{damaged} damaged and left out; the service's log names them");
        checked.push(Checked { id: "lists".to_owned(), findings: vec![finding], unlogged: 0 });
    }
    let findings: usize = checked.iter().map(|request| request.findings.len()).sum();
    if session.output.is_document() {
        let found: Vec<_> = checked
            .iter()
            .flat_map(|request| {
                request.findings.iter().map(|finding| json!({ "id": request.id, "finding": finding }))
            })
            .collect();
        let report = json!({
            "verified": found.is_empty() && failure.is_none(),
            "requests": requests, "unread": unread, "findings": found,
        });
        session.show(&report, |_| Text::default())?;
    } else {
        for request in &checked {
            for finding in &request.findings {
                print(&format_args!("{}  {}", escaped_line(&request.id), escaped_line(finding)))?;
            }
        }
        let outcome = match findings {
            0 => "all as their trails have made them".to_owned(),
            1 => "1 finding".to_owned(),
            count => format!("{count} findings"),
        };
        let plural = if requests == 1 { "" } else { "s" };
        if requests > 0 || failure.is_none() {
            print(&format_args!("{requests} request{plural} checked: {outcome}"))?;
        }
        let unlogged: usize = checked.iter().map(|request| request.unlogged).sum();
        if unlogged > 0 {
            let plural = if unlogged == 1 { "" } else { "s" };
            print(&format_args!("{unlogged} event{plural} not in the log yet"))?;
        }
        if unread > 0 {
            print(&format_args!("{unread} not checked: you may not read their trails"))?;
        }
    }
    match failure {
        Some(error) => Err(error),
        None => ended(findings, session.output),
    }
}

/// Whether a trail is not for the caller to read: they may list a request and not audit it, and one may be
/// hidden from them between the list and the check.
fn is_hidden(error: &CommandError) -> bool {
    matches!(error.problem(), Some(Code::NotPermitted | Code::NotFound))
}

/// The ids of all requests that the caller may see: the open ones, and those that closed within the
/// longest range of time that a list reads. And how many rows the lists left out because they are damaged.
fn all_ids(session: &Session) -> Result<(Vec<String>, usize), CommandError> {
    let from = session.view().moment.now.minus_seconds(365 * 24 * 60 * 60).to_string();
    let mut ids = Vec::new();
    let mut damaged = 0;
    for status in Status::iter() {
        let query = ListQuery {
            status: vec![status],
            from: (!status.is_open()).then(|| from.clone()),
            limit: Some(MAX_LIMIT),
            ..ListQuery::default()
        };
        let list = session.connection.list(&query, true)?;
        ids.extend(list.items.into_iter().map(|item| item.request_id));
        damaged += list.damaged;
    }
    Ok((ids, damaged))
}

/// A command may come between the reads of the request and of its trail, so a finding counts if the request
/// is found with it twice in the same version.
fn check(session: &Session, name: &str, places: Option<&Places>) -> Result<Checked, CommandError> {
    let mut before = None;
    loop {
        let (version, checked) = check_once(session, name, places)?;
        if checked.findings.is_empty() || before == Some(version) {
            return Ok(checked);
        }
        before = Some(version);
    }
}

/// The version of a request, if it can be read, and what was found.
fn check_once(
    session: &Session,
    name: &str,
    places: Option<&Places>,
) -> Result<(Option<u64>, Checked), CommandError> {
    let request: RequestBody = match session.connection.find(name).map_err(CommandError::from) {
        Ok(request) => request,
        // A damaged request is a finding, and the next one is looked at.
        Err(error) if error.problem() == Some(Code::Integrity) => {
            let findings = vec![error.to_string()];
            return Ok((None, Checked { id: name.to_owned(), findings, unlogged: 0 }));
        }
        Err(error) => return Err(error),
    };
    let id = request.request_id.clone();
    let trail = session.connection.events(&id)?;
    let mut findings = trail.findings.clone();
    if !trail.verified && findings.is_empty() {
        findings.push("the service says that the trail is not the request's".to_owned());
    }
    findings.extend(broken_chain(&trail.items, &request.audit_head));
    let mut unlogged = 0;
    if let Some(places) = places {
        match held_against_log(&trail.items, places) {
            Ok(waiting) => unlogged = waiting,
            Err(finding) => findings.push(finding),
        }
    }
    if let (Some(content), Some(named)) = (&request.content, &request.content_digest) {
        let digest = CanonicalJson::of(content).digest().to_string();
        let created =
            trail.items.first().and_then(|event| event.details.get("content_digest")).and_then(Value::as_str);
        if digest != *named || created != Some(named.as_str()) {
            findings.push("the content is not what the request was made with".to_owned());
        }
    }
    Ok((Some(request.version), Checked { id, findings, unlogged }))
}

/// How many events are not in the log: those that came last may not be in it yet.
///
/// # Errors
/// The first one that is not the one in the log.
fn held_against_log(events: &[EventBody], places: &Places) -> Result<usize, String> {
    let mut unlogged = 0;
    for event in events {
        let Some(place) = places.get(&event.stream, event.sequence) else {
            unlogged += 1;
            continue;
        };
        if unlogged > 0 || Digest::from_bytes(place.hash).to_string() != event.hash {
            return Err(format!("event {} is not the one that was logged", event.sequence));
        }
    }
    Ok(unlogged)
}

/// Recomputes the chain of a trail.
fn broken_chain(events: &[EventBody], head: &str) -> Option<String> {
    let mut last = Digest::ZERO.to_string();
    for (expected, event) in (1..).zip(events) {
        let mut body = serde_json::to_value(event).unwrap_or_default();
        if let Some(body) = body.as_object_mut() {
            body.remove("hash");
        }
        let is_whole = CanonicalJson::of(&body).digest().to_string() == event.hash;
        if event.sequence != expected || event.prev_hash != last || !is_whole {
            return Some(format!("event {expected} is edited, missing or out of place"));
        }
        last.clone_from(&event.hash);
    }
    (last != head).then(|| "the trail does not end where its request says it does".to_owned())
}
