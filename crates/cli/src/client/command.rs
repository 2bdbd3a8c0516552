//! The commands that ask the service one thing and show the answer.

use crate::client::arguments::{
    CancelArguments, CommentArguments, ConnectionArguments, CreateArguments, DraftArguments, FinishArguments,
    GetArguments, ListArguments, RequestArguments, StartArguments, WhoamiArguments, WithdrawArguments,
};
use crate::client::connection::Connection;
use crate::client::effect::Change;
use crate::client::moment::{RelativeTime, Times};
use crate::client::operations;
use crate::client::output::Output;
use crate::client::show::View;
use crate::client::terminal::Terminal;
use crate::client::wait;
use crate::exit::{Exit, INTERRUPTED, Style};
use countersign_api::wire::{EventsBody, RequestBody};
use countersign_app::host::Host as _;
use countersign_core::canonical;
use countersign_core::ids::ExecutionId;
use countersign_core::person::PersonId;
use countersign_core::text::escaped_line;
use countersign_identity::claim_path::Claims;
use countersign_identity::claims::ClaimNames;
use countersign_identity::jws;
use countersign_policy::load;
use countersign_system::system::SystemHost;
use countersign_system::text_file;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

/// A connection, and how its answers are shown.
#[derive(Debug)]
pub struct Session {
    /// The service.
    pub connection: Connection,
    /// The terminal.
    pub terminal: Terminal,
    /// The clock, and fresh keys.
    pub host: SystemHost,
    /// In which form answers are printed.
    pub output: Output,
    times: Times,
}

/// Where a request stands after a command, and what that means for the command.
#[derive(Debug)]
pub struct Standing {
    /// The request.
    pub request: RequestBody,
    /// How the command ends once the request is shown.
    pub end: Result<(), Exit>,
}

impl From<RequestBody> for Standing {
    fn from(request: RequestBody) -> Self {
        Self { request, end: Ok(()) }
    }
}

impl Session {
    /// Opens one.
    ///
    /// # Errors
    /// As for [`Connection::open`].
    pub fn open(arguments: &ConnectionArguments) -> Result<Self, Exit> {
        Ok(Self {
            connection: Connection::open(arguments)?,
            terminal: Terminal::of_process(),
            host: SystemHost::default(),
            output: arguments.output(),
            times: arguments.times(),
        })
    }

    /// How things are shown now.
    pub fn view(&self) -> View {
        View {
            terminal: self.terminal,
            moment: RelativeTime { now: self.host.now(), times: self.times },
            width: self.terminal.width(),
        }
    }

    /// A key that names one change.
    pub fn fresh_key(&self) -> String {
        self.host.request_id().to_string()
    }

    /// Prints an answer: as it came, or as people read it.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn show<T: Serialize>(&self, answer: &T, text: impl FnOnce(&View) -> String) -> Result<(), Exit> {
        self.output.print(self.terminal, answer, || text(&self.view()))
    }

    /// Goes through the requests that somebody names. One that fails holds up no other: its error is told
    /// where its answer would have been. Of one request the answer is the request; of several it is one
    /// document with a member for each.
    ///
    /// # Errors
    /// The last thing that went wrong.
    pub fn each(
        &self,
        names: &[String],
        mut act: impl FnMut(&str) -> Result<Standing, Exit>,
        text: impl Fn(&View, &RequestBody) -> String,
    ) -> Result<(), Exit> {
        if let [name] = names {
            let Standing { request, end } = act(name)?;
            self.show(&request, |view| text(view, &request))?;
            return end;
        }
        let mut items = Vec::new();
        let mut failures = Vec::new();
        for (index, name) in names.iter().enumerate() {
            if index > 0 && self.output.is_for_people() {
                self.terminal.print("\n")?;
            }
            let mut item = json!({ "id": name });
            let mut put = |member: &str, value: Value| {
                item.as_object_mut().map(|item| item.insert(member.to_owned(), value))
            };
            let end = match act(name) {
                Ok(Standing { request, end }) if self.output.is_document() => {
                    put("request", json!(request));
                    end
                }
                Ok(Standing { request, end }) => self.show(&request, |view| text(view, &request)).and(end),
                Err(exit) => Err(exit),
            };
            if let Err(exit) = end {
                put("error", exit.as_json());
                if !self.output.is_document() && !exit.message.is_empty() {
                    Exit { message: format!("{}: {}", escaped_line(name), exit.message), ..exit.clone() }
                        .tell(Style::Text);
                }
                failures.push(exit);
            }
            items.push(item);
            // Ctrl-C ends the whole command.
            if failures.last().is_some_and(|exit| exit.code == INTERRUPTED) {
                break;
            }
        }
        if self.output.is_document() {
            self.show(&json!({ "items": items }), |_| String::new())?;
        }
        let count = failures.len();
        match failures.pop() {
            None => Ok(()),
            Some(last) if self.output.is_document() => {
                Err(Exit { message: format!("{count} of {} failed", names.len()), answer: None, ..last })
            }
            // It is told already.
            Some(last) => Err(Exit { message: String::new(), ..last }),
        }
    }

    /// Says something besides the answer, to a person.
    pub fn note(&self, text: &str) {
        if !self.output.is_document() {
            // Nothing is lost if it cannot be written.
            let _ = writeln!(std::io::stderr(), "note: {text}");
        }
    }

    /// The caller, as answers name them; empty if their token does not say.
    ///
    /// # Errors
    /// When there is no token.
    pub fn person(&self) -> Result<String, Exit> {
        let Some(token) = self.connection.token()? else {
            return Err(Exit::refused(
                "nobody: set COUNTERSIGN_TOKEN to a token, or run `countersign login`".to_owned(),
            ));
        };
        let person = jws::claims(token.expose()).map(|claims| person(&claims)).unwrap_or_default();
        Ok(PersonId::from_email(&person).map_or(person, |person| person.to_string()))
    }

    fn show_request(&self, request: &RequestBody) -> Result<(), Exit> {
        self.show(request, |view| view.request(request))
    }

    /// Carries out a command on the request that somebody names, and shows what became of it.
    fn change(&self, name: &str, change: Change, body: Map<String, Value>) -> Result<(), Exit> {
        let before = self.connection.find(name)?;
        let path = format!("/v1/approvals/{}/{}", before.request_id, change.route());
        let (method, key) = (change.method(), self.fresh_key());
        let after = self.connection.change(method, &path, &Value::Object(body), &key)?;
        self.show_request(&after)?;
        change.check(Some(&before), &after)
    }
}

/// JSON of an argument, of a file, or of stdin; strict, as the service is.
fn document(option: &str, argument: &str) -> Result<Value, Exit> {
    let at = |error: &dyn std::fmt::Display| Exit::usage(format!("--{option}: {error}"));
    let text = match argument.strip_prefix('@') {
        Some(path) => text_file::read(path).map_err(|error| at(&format!("{path}: {error}")))?,
        None if argument == "-" => {
            let mut text = Vec::new();
            std::io::stdin().lock().read_to_end(&mut text).map_err(|error| at(&error))?;
            text
        }
        None => argument.as_bytes().to_vec(),
    };
    // To the service it is a body that is read; here it is what the option holds.
    canonical::read(&text).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.strip_prefix("the body is ").or_else(|| reason.strip_prefix("the body "));
        at(&reason.unwrap_or(&error.to_string()))
    })
}

/// The members that are there.
fn members<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// What is asked for, as the service is sent it.
///
/// # Errors
/// When the parameters cannot be read.
pub(crate) fn draft(arguments: &DraftArguments) -> Result<Value, Exit> {
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    let body = members([
        ("operation_type", Some(json!(arguments.operation_type))),
        ("instance_id", Some(json!(arguments.instance_id))),
        ("parameters", Some(document("parameters", &arguments.parameters)?)),
        ("environment", Some(json!(arguments.environment.as_str()))),
        ("justification", Some(json!(arguments.justification))),
        ("risk_level", arguments.risk_level.map(|level| json!(level.as_str()))),
        ("estimated_cost", arguments.estimated_cost.map(|cost| json!(cost))),
        ("estimated_duration", text(&arguments.estimated_duration)),
        ("ticket", text(&arguments.ticket)),
        ("rollback_plan", text(&arguments.rollback_plan)),
    ]);
    Ok(Value::Object(body))
}

/// `countersign create`.
///
/// # Errors
/// What is wrong, and what to do about it; see [`Exit`].
pub fn create(arguments: &CreateArguments) -> Result<(), Exit> {
    let session = Arc::new(Session::open(&arguments.connection)?);
    let body = draft(&arguments.draft)?;
    let key = arguments.idempotency_key.clone().unwrap_or_else(|| session.fresh_key());
    let request: RequestBody = session.connection.change("POST", "/v1/approvals", &body, &key)?;
    if let Some(note) = operations::unlisted(&request.rules, &request.operation_type) {
        session.note(&note);
    }
    match arguments.wait {
        None => session.show_request(&request),
        Some(seconds) => {
            let Standing { request, end } = wait::decided(&session, request, seconds)?;
            session.show_request(&request)?;
            end
        }
    }
}

/// `countersign list`.
///
/// # Errors
/// See [`Exit`].
pub fn list(arguments: &ListArguments) -> Result<(), Exit> {
    let session = Session::open(&arguments.connection)?;
    let limit = if arguments.all { "100".to_owned() } else { arguments.limit.to_string() };
    let status = one_of(arguments.status.iter().map(|status| status.as_str()));
    let risk = one_of(arguments.risk.iter().map(|level| level.as_str()));
    let environment = one_of(arguments.environment.iter().map(|environment| environment.as_str()));
    let operation = one_of(arguments.operation.iter().map(String::as_str));
    let filters = [
        ("status", status.as_deref()),
        ("risk_level", risk.as_deref()),
        ("environment", environment.as_deref()),
        ("operation_type", operation.as_deref()),
        ("requested_by", arguments.requested_by.as_deref()),
        ("instance_id", arguments.instance_id.as_deref()),
        ("from", arguments.from.as_deref()),
        ("to", arguments.to.as_deref()),
        ("cursor", arguments.cursor.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    let query: Vec<_> = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let list = session.connection.list(&query, arguments.all)?;
    session.show(&list, |view| view.list(&list))?;
    if let (Output::Id, Some(cursor)) = (session.output, &list.next_cursor) {
        session.note(&format!("there are more: add --all, or --cursor {cursor}"));
    }
    Ok(())
}

/// Several values of one filter; none is no filter.
fn one_of<'a>(values: impl Iterator<Item = &'a str>) -> Option<String> {
    let values: Vec<_> = values.collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// `countersign get`.
///
/// # Errors
/// See [`Exit`].
pub fn get(arguments: &GetArguments) -> Result<(), Exit> {
    let session = Arc::new(Session::open(&arguments.connection)?);
    let look = |name: &str| {
        let request = session.connection.find(name)?;
        match arguments.wait {
            None => Ok(request.into()),
            Some(seconds) => wait::decided(&session, request, seconds),
        }
    };
    session.each(&arguments.ids, look, |view, request| view.request(request))
}

/// `countersign events`.
///
/// # Errors
/// See [`Exit`].
pub fn events(arguments: &RequestArguments) -> Result<(), Exit> {
    let session = Session::open(&arguments.connection)?;
    let id = session.connection.find(&arguments.id)?.request_id;
    let events: EventsBody = session.connection.get(&format!("/v1/approvals/{id}/events"), &[])?;
    session.show(&events, |view| view.events(&events.items))
}

/// `countersign withdraw`.
///
/// # Errors
/// See [`Exit`].
pub fn withdraw(arguments: &WithdrawArguments) -> Result<(), Exit> {
    let session = Session::open(&arguments.request.connection)?;
    let body = members([("reason", arguments.reason.as_ref().map(|reason| json!(reason)))]);
    session.change(&arguments.request.id, Change::Withdraw, body)
}

/// `countersign cancel`.
///
/// # Errors
/// See [`Exit`].
pub fn cancel(arguments: &CancelArguments) -> Result<(), Exit> {
    let session = Session::open(&arguments.request.connection)?;
    let body = members([("reason", arguments.reason.as_ref().map(|reason| json!(reason)))]);
    session.change(&arguments.request.id, Change::Cancel, body)
}

/// `countersign comment`.
///
/// # Errors
/// See [`Exit`].
pub fn comment(arguments: &CommentArguments) -> Result<(), Exit> {
    let session = Session::open(&arguments.connection)?;
    session.change(&arguments.id, Change::Comment, members([("text", Some(json!(arguments.text)))]))
}

/// `countersign start`.
///
/// # Errors
/// See [`Exit`].
pub fn start(arguments: &StartArguments) -> Result<(), Exit> {
    let session = Session::open(&arguments.request.connection)?;
    let digest = |digest: &Option<String>| digest.as_ref().map(|digest| json!(digest));
    let body = members([
        ("content_digest", digest(&arguments.content_digest)),
        ("parameters_digest", digest(&arguments.parameters_digest)),
    ]);
    session.change(&arguments.request.id, Change::Start, body)
}

/// `countersign finish`.
///
/// # Errors
/// See [`Exit`].
pub fn finish(arguments: &FinishArguments) -> Result<(), Exit> {
    let session = Session::open(&arguments.connection)?;
    let result = arguments.result.as_ref().map(|result| document("result", result)).transpose()?;
    let execution_id = match &arguments.execution_id {
        Some(id) => id.to_string(),
        None => running(&session.connection.find(&arguments.id)?)?,
    };
    let body = members([
        ("execution_id", Some(json!(execution_id))),
        ("outcome", Some(json!(arguments.outcome.as_str()))),
        ("result", result),
        ("actual_cost", arguments.actual_cost.map(|cost| json!(cost))),
    ]);
    session.change(&arguments.id, Change::Finish(arguments.outcome), body)
}

/// The execution that is running.
fn running(request: &RequestBody) -> Result<String, Exit> {
    let id = request.execution_id.as_deref().and_then(|id| ExecutionId::parse(id).ok());
    match (request.status.as_str(), id) {
        ("executing", Some(id)) => Ok(id.to_string()),
        (status, _) => Err(Exit::of_status(
            409,
            format!("no execution of {} is running: it is {}", request.request_id, escaped_line(status)),
        )),
    }
}

/// What a token says of its bearer.
#[derive(Debug, Serialize)]
struct Whoami {
    url: String,
    person: String,
    groups: Vec<String>,
    /// The groups of a policy that they count as, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    counting_groups: Option<BTreeSet<String>>,
    expires_at: Option<String>,
}

/// Whom a token names; nobody if it does not say.
pub(crate) fn person(claims: &Claims) -> String {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    text("email").or_else(|| text("sub")).unwrap_or_default()
}

/// `countersign whoami`: what the token says, and that the service accepts it.
///
/// # Errors
/// See [`Exit`].
pub fn whoami(arguments: &WhoamiArguments) -> Result<(), Exit> {
    let session = Session::open(&arguments.connection)?;
    let Some(token) = session.connection.token()? else {
        return Err(Exit::refused(
            "nobody: set COUNTERSIGN_TOKEN to a token, or run `countersign login`".to_owned(),
        ));
    };
    // Who bears the token is the service's business: it is asked for anything at all.
    session.connection.list(&[("limit", "1")], false)?;
    let claims = jws::claims(token.expose()).map_err(|_| {
        Exit::from("the service accepts your token, but it does not say who you are".to_owned())
    })?;
    let names = ClaimNames::default();
    let groups =
        names.groups.iter().filter_map(|path| path.find(&claims).ok().flatten()).flat_map(|groups| {
            match groups {
                Value::Array(groups) => groups.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                Value::String(group) => vec![group.clone()],
                _ => Vec::new(),
            }
        });
    let expires_at = claims.get("exp").and_then(Value::as_i64).map(|seconds| {
        countersign_core::timestamp::Timestamp::from_millisecond(seconds.saturating_mul(1000)).to_string()
    });
    let groups: Vec<String> = groups.collect();
    let now = SystemHost::default().now();
    let policy = arguments.policy_dir.as_deref().map(|directory| load::policy(Some(directory), now));
    let policy = policy.transpose()?;
    let counts_as = |group: &String| Some(policy.as_ref()?.people().group(group)?.to_owned());
    let whoami = Whoami {
        url: session.connection.url().to_owned(),
        person: person(&claims),
        counting_groups: policy.as_ref().map(|_| groups.iter().filter_map(counts_as).collect()),
        groups,
        expires_at,
    };
    session.show(&whoami, |view| {
        let mut text = format!("{} at {}\n", escaped_line(&whoami.person), escaped_line(&whoami.url));
        for group in &whoami.groups {
            let meaning = match counts_as(group) {
                Some(name) if name == *group => String::new(),
                Some(name) => format!(" counts as {}", escaped_line(&name)),
                None if policy.is_some() => " means nothing to this policy".to_owned(),
                None => String::new(),
            };
            text.push_str(&format!("  group {}{meaning}\n", escaped_line(group)));
        }
        // Only the service has its policy.
        text.push_str(match whoami.groups.as_slice() {
            [] => "  no group\n",
            _ if policy.is_some() => "",
            _ => "  (which groups count is for the policy of the service to say: see --policy-dir)\n",
        });
        if let Some(expires_at) = &whoami.expires_at {
            text.push_str(&format!("  token: {}\n", view.moment.deadline(expires_at)));
        }
        text
    })
}
