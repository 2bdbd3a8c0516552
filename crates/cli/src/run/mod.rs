//! A command that runs once it is approved: bound, asked for, waited for, bound again, started, and reported.
//!
//! INVARIANT: a command is started only when an approval of exactly its parameters has been spent on it, and when a
//! second reading of all that it is bound to has found the same. Doubt ends it before the start.

pub mod report;

use self::report::Report;
use crate::connection_arguments::ConnectionArguments;
use crate::error::{CommandError, Kind};
use crate::operation_names::unlisted;
use crate::patience::Patience;
use crate::session::{Session, Standing};
use crate::wait;
use countersign_api::bodies::{CancelBody, CreateBody};
use countersign_api::wire::RequestBody;
use countersign_app::host::Clock as _;
use countersign_client::change::Change;
use countersign_client::environment::Environment;
use countersign_client::error::Error;
use countersign_client::execution::Execution;
use countersign_client::limits::Limits;
use countersign_core::text::escaped_line;
use countersign_run::bind::{Bound, CommandLine, Surroundings, bind};
use countersign_run::child::{self, StartError};
use countersign_run::error::BindError;
use countersign_run::outcome::name;
use countersign_run::parameters::Parameters;
use countersign_run::signals::Signals;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How long to call again while the service is away, to start an execution or to report it.
const AWAY: Duration = Duration::from_secs(10 * 60);
/// How long until a report, or a lease that could not be renewed, is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How soon a person who presses Ctrl-C is heard meanwhile.
const LOOK: Duration = Duration::from_millis(200);
/// How often a lease is renewed before it ends.
const RENEWALS: u32 = 3;

/// How long things may take, and what is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How long to wait for the decision.
    pub(crate) patience: Patience,
    /// Whether the result holds what the command has written.
    pub(crate) keeps_output: bool,
}

/// Runs a command.
///
/// # Errors
/// Why it was not run, or how it ended if that is no success.
pub(crate) fn run(
    connection: &ConnectionArguments,
    line: &CommandLine,
    request: impl FnOnce(&Parameters) -> CreateBody,
    bounds: &Bounds,
    report: &mut Report,
) -> Result<(), CommandError> {
    let limits = Limits::of(&Environment::of_process())?;
    // Before there is any thread.
    let surroundings = Surroundings::of_process()?;
    let bound = bind(line, &surroundings)?.parameters;
    let run = Run {
        session: Arc::new(Session::open(connection)?),
        line,
        surroundings,
        bound,
        _held: wait::Held::start()?,
        signals: Signals::start(wait::interrupt).map_err(|error| format!("signals: {error}"))?,
    };
    let draft = request(&run.bound);
    run.session.connection.check_limits(&draft, limits)?;
    let request = run.session.connection.create(&draft, &run.session.fresh_key())?;
    report.request_id = Some(request.request_id.clone());
    let approved = run.approved(request, bounds)?;
    let execution = run.begin(&approved)?;
    report.execution_id = Some(execution.execution_id.clone());
    let (result, end) = run.carried_out(&execution, bounds, report);
    report.result = Some(result.clone());
    report.is_reported = run.report(&execution, end.is_ok(), result);
    end
}

/// A command on its way.
struct Run<'a> {
    session: Arc<Session>,
    line: &'a CommandLine,
    surroundings: Surroundings,
    /// What approvers are shown.
    bound: Parameters,
    signals: Signals,
    _held: wait::Held,
}

impl Run<'_> {
    /// The request, once it is approved; what is not approved any more is given up.
    fn approved(&self, request: RequestBody, bounds: &Bounds) -> Result<RequestBody, CommandError> {
        self.shows_what_was_bound(&request)?;
        if let Some(note) = unlisted(&request.rules, &request.operation_type) {
            self.session.note(&note);
        }
        let id = request.request_id.clone();
        if let Some(interrupted) = self.interrupted(&id) {
            return Err(interrupted);
        }
        let standing = wait::decided(&self.session, request, bounds.patience);
        let Standing { request, end } = match standing {
            Err(error) if error.kind() == Kind::Interrupted => {
                return Err(self.interrupted(&id).unwrap_or_else(|| self.given_up(&id, 2)));
            }
            standing => standing?,
        };
        match (request.status.as_str(), end) {
            ("approved", Ok(())) => {}
            ("pending", _) => {
                let given_up = self.cancel(&id, "its requester waited too long");
                return Err(CommandError::TimedOut(format!("{id} was not decided in time; {given_up}")));
            }
            ("expired", _) => {
                return Err(CommandError::TimedOut(format!("{id} has expired: it was not decided in time")));
            }
            ("rejected", _) => return Err(CommandError::Refused(rejection(&request))),
            (_, Err(error)) => return Err(error),
            (status, Ok(())) => {
                return Err(CommandError::Conflict(format!(
                    "{id} is {status} already; nothing was run here"
                )));
            }
        }
        self.shows_what_was_bound(&request)?;
        match request.approved_by.as_slice() {
            [] => {}
            approvers => self.session.note(&format!("approved by {}", escaped_line(&approvers.join(", ")))),
        }
        Ok(request)
    }

    /// What is approved is what was read here, whatever the service says of it.
    fn shows_what_was_bound(&self, request: &RequestBody) -> Result<(), CommandError> {
        if request.parameters.as_ref() == Some(&json!(self.bound)) {
            return Ok(());
        }
        let id = &request.request_id;
        Err(CommandError::Failed(format!(
            "the service shows other parameters of {id} than it was sent; nothing was run"
        )))
    }

    /// Spends the approval, if a second reading finds what was approved.
    fn begin(&self, approved: &RequestBody) -> Result<Execution, CommandError> {
        let id = &approved.request_id;
        if let Some(interrupted) = self.interrupted(id) {
            return Err(interrupted);
        }
        if let Err(changed) = self.bound_again() {
            let given_up = self.cancel(id, &format!("target_changed: {changed}"));
            return Err(CommandError::TargetChanged(format!("{changed}\n  nothing was run; {given_up}")));
        }
        let (key, connection) = (self.session.fresh_key(), &self.session.connection);
        let begun = self
            .until_reached("to start it", || connection.start(approved, &key))
            .and_then(|started| self.until_reached("to claim it", || connection.claim(&started, &key)));
        let execution = begun.map_err(|error| {
            let message = format!(
                "{error}\n  nothing was run; `countersign get {id}` shows whether its approval is spent"
            );
            CommandError::from(error).explained(message)
        })?;
        self.shows_what_was_bound(&execution.request)?;
        Ok(execution)
    }

    /// Calls again while the service is away, and until a person presses Ctrl-C.
    fn until_reached<T>(&self, what: &str, call: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        let end = self.session.host.elapsed() + AWAY;
        let mut is_first = true;
        loop {
            match call() {
                Err(error) if error.is_passing() && self.session.host.elapsed() < end => {
                    if std::mem::take(&mut is_first) {
                        let again = "trying again, Ctrl-C gives up";
                        self.session.note(&format!("the service cannot be reached {what}; {again}"));
                    }
                    if !self.pause(AGAIN) {
                        return Err(error);
                    }
                }
                answer => return answer,
            }
        }
    }

    /// What was bound, read again; else what has changed, in words.
    fn bound_again(&self) -> Result<Bound, String> {
        let again = bind(self.line, &self.surroundings).map_err(|error| error.to_string())?;
        match self.bound.differences(&again.parameters).as_slice() {
            [] if self.bound == again.parameters => Ok(again),
            differences => Err(format!("changed since it was asked for: {}", differences.join("; "))),
        }
    }

    /// Runs the command; gives what is to be reported, and how this ends.
    fn carried_out(
        &self,
        execution: &Execution,
        bounds: &Bounds,
        report: &mut Report,
    ) -> (Value, Result<(), CommandError>) {
        // Once more: the calls have taken time.
        let bound = match self.bound_again() {
            Ok(bound) => bound,
            Err(changed) => {
                let result = json!({ "error": "target_changed", "detail": changed });
                return (result, Err(CommandError::TargetChanged(format!("{changed}\n  nothing was run"))));
            }
        };
        if let Some(signal) = self.signals.received() {
            let message = format!("{}: nothing was run", name(signal));
            return (json!({ "error": "interrupted" }), Err(ended_by(signal, message)));
        }
        let heartbeat = Heartbeat::start(&self.session, execution);
        let running = match child::start(bound, bounds.keeps_output, &self.signals) {
            Ok(running) => running,
            Err(error) => {
                let detail = escaped_line(&error.to_string());
                let result = json!({ "error": "not_executable", "detail": detail });
                return (result, Err(error.into()));
            }
        };
        report.has_run = true;
        let outcome = running.wait();
        drop(heartbeat);
        match outcome {
            Ok(outcome) => {
                if !outcome.changed.is_empty() {
                    let files = escaped_line(&outcome.changed.join(", "));
                    self.session.note(&format!("changed while the command ran: {files}"));
                }
                let end = match outcome.is_success() {
                    true => Ok(()),
                    false => Err(CommandError::Command { code: outcome.exit_code(), message: String::new() }),
                };
                (outcome.result(), end)
            }
            Err(error) => {
                let message = format!("the system does not say how the command ended: {error}");
                (json!({ "error": "lost" }), Err(CommandError::Failed(message)))
            }
        }
    }

    /// Reports what came of it, also to a service that is away for a while. Gives whether it was.
    fn report(&self, execution: &Execution, is_success: bool, result: Value) -> bool {
        // The execution is reported once, however often it is tried.
        let key = format!("report-{}", execution.execution_id);
        let report = || self.session.connection.report(execution, is_success, Some(result.clone()), &key);
        let Err(error) = self.until_reached("to report it", report) else { return true };
        let outcome = if is_success { "succeeded" } else { "failed" };
        let (id, error) = (&execution.request.request_id, escaped_line(&error.to_string()));
        self.session.note(&format!(
            "it was not reported that the command {outcome}, so {id} stays executing; `countersign finish {id} {outcome}` \
             reports it: {error}"
        ));
        false
    }

    /// Waits; gives whether no signal came meanwhile.
    fn pause(&self, duration: Duration) -> bool {
        let end = self.session.host.elapsed() + duration;
        while self.session.host.elapsed() < end {
            if self.signals.received().is_some() {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }

    /// If a signal came: how this ends, with the request given up.
    fn interrupted(&self, id: &str) -> Option<CommandError> {
        self.signals.received().map(|signal| self.given_up(id, signal))
    }

    fn given_up(&self, id: &str, signal: i32) -> CommandError {
        let given_up = self.cancel(id, "its requester gave it up");
        ended_by(signal, format!("nothing was run; {given_up}"))
    }

    /// Cancels a request that nothing waits for any more; gives what came of that, in words.
    fn cancel(&self, id: &str, reason: &str) -> String {
        let change = Change::Cancel(CancelBody { reason: Some(shortened(reason)), ..CancelBody::default() });
        let cancelled = self.session.connection.change(id, &change, &self.session.fresh_key());
        let cancelled = cancelled.and_then(|after| Ok(change.check(None, &after)?));
        match cancelled {
            Ok(()) => format!("{id} is cancelled"),
            Err(error) => {
                let error = error.to_string();
                let error = escaped_line(error.lines().next().unwrap_or_default());
                format!("{id} could not be cancelled ({error}): `countersign cancel {id}` tries again")
            }
        }
    }
}

/// The longest reason, in characters: docs/limits.md.
const REASON: usize = 2000;

fn shortened(reason: &str) -> String {
    escaped_line(reason).chars().take(REASON).collect()
}

fn rejection(request: &RequestBody) -> String {
    let by = request.decisions.iter().find(|decision| decision.decision == "rejected");
    let by = by.map(|decision| {
        let comment = decision.comment.as_deref().unwrap_or_default();
        format!(" by {}: {}", escaped_line(&decision.person), escaped_line(comment))
    });
    format!("{} is rejected{}; nothing was run", request.request_id, by.unwrap_or_default())
}

/// What a shell says of a program that a signal has ended.
fn ended_by(signal: i32, message: String) -> CommandError {
    match signal {
        2 => CommandError::Interrupted(message),
        other => CommandError::Command { code: u8::try_from(other + 128).unwrap_or(1), message },
    }
}

/// Renews the lease of an execution until it is dropped.
struct Heartbeat {
    _ended: Sender<()>,
}

impl Heartbeat {
    /// Without a thread the lease is not renewed, which is no reason not to run the command: the service then says that
    /// nothing is known of it, until it is reported.
    fn start(session: &Arc<Session>, execution: &Execution) -> Self {
        let (ended, end) = channel();
        let (session, execution) = (Arc::clone(session), execution.clone());
        let interval = execution.lease / RENEWALS;
        let renew = move || {
            let mut pause = interval;
            while end.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let renewed = session.connection.renew(&execution);
                pause = if renewed.as_ref().is_err_and(Error::is_passing) {
                    AGAIN.min(interval)
                } else {
                    interval
                };
            }
        };
        let _ = std::thread::Builder::new().name("run-lease".to_owned()).spawn(renew);
        Self { _ended: ended }
    }
}

impl From<BindError> for CommandError {
    fn from(error: BindError) -> Self {
        let message = escaped_line(&error.to_string());
        match error {
            BindError::NotFound { .. } => Self::Command { code: 127, message },
            BindError::NotExecutable { .. } | BindError::Unreadable { .. } => {
                Self::Command { code: 126, message }
            }
            BindError::File { .. }
            | BindError::NotRegular { .. }
            | BindError::TooLarge { .. }
            | BindError::NotUtf8 { .. }
            | BindError::NoVariable { .. }
            | BindError::VariableName { .. }
            | BindError::ShownSecret { .. }
            | BindError::Token => Self::Usage(message),
            BindError::Surroundings { .. } => Self::Failed(message),
        }
    }
}

impl From<StartError> for CommandError {
    fn from(error: StartError) -> Self {
        let message = escaped_line(&error.to_string());
        match error {
            StartError::Pipes(_) => Self::Failed(message),
            StartError::NotExecuted { .. } => Self::Command { code: 126, message },
        }
    }
}
