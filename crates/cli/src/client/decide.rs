//! Approving and rejecting: nobody decides what they have not been shown.

use crate::client::arguments::{ApproveArguments, ConnectionArguments, RejectArguments};
use crate::client::command::{Session, Standing};
use crate::client::content::digest_of_shown;
use crate::client::effect::Change;
use crate::client::show::{View, WIDTH, approvals, needs, wrapped};
use crate::client::terminal::{Sight, Tone};
use crate::exit::Exit;
use countersign_api::wire::RequestBody;
use countersign_core::text::escaped_line;
use serde_json::{Value, json};
use std::io::Write as _;

/// `countersign approve`.
///
/// # Errors
/// The last thing that went wrong; the other requests are gone through all the same.
pub fn approve(arguments: &ApproveArguments) -> Result<(), Exit> {
    let session = session(&arguments.connection, arguments.yes)?;
    let decide = |name: &str| {
        let request = session.connection.find(name)?;
        let digest = decidable(&session, &request)?;
        let comment = arguments.comment.as_deref();
        if arguments.yes {
            shown(&session, &request)?;
        } else {
            let text = |_| proposal(&session, Some(&request), comment);
            let question = question("Approve", &request);
            let answer = session.terminal.confirm(&mut Sight::new()?, text, &question, "--yes");
            if !unless_unread(&request, answer)? {
                return Err(undecided(&request));
            }
        }
        let body = match comment {
            Some(comment) => json!({ "content_digest": digest, "comments": comment }),
            None => json!({ "content_digest": digest }),
        };
        decided(&session, &request, Change::Approve, &body)
    };
    session.each(&arguments.ids, decide, outcome)
}

/// `countersign reject`.
///
/// # Errors
/// As for [`approve`].
pub fn reject(arguments: &RejectArguments) -> Result<(), Exit> {
    let session = session(&arguments.connection, arguments.yes)?;
    let decide = |name: &str| {
        let request = session.connection.find(name)?;
        let digest = decidable(&session, &request)?;
        let question = question("Reject", &request);
        let mut sight = Sight::new()?;
        let reason = match &arguments.reason {
            Some(reason) => reason.clone(),
            None => {
                let text = |_| proposal(&session, Some(&request), None);
                let question = format!("{question} Say why (nothing leaves it undecided):");
                let reason = session.terminal.ask(&mut sight, text, &question, "--reason and --yes");
                unless_unread(&request, reason)?.trim().to_owned()
            }
        };
        if reason.is_empty() {
            return Err(undecided(&request));
        }
        if arguments.yes {
            shown(&session, &request)?;
        } else {
            let text =
                |is_there: bool| proposal(&session, Some(&request).filter(|_| !is_there), Some(&reason));
            let answer = session.terminal.confirm(&mut sight, text, &question, "--yes");
            if !unless_unread(&request, answer)? {
                return Err(undecided(&request));
            }
        }
        decided(&session, &request, Change::Reject, &json!({ "reason": reason, "content_digest": digest }))
    };
    session.each(&arguments.ids, decide, outcome)
}

/// What a person is asked: it names again what may have left the screen.
pub(crate) fn question(verb: &str, request: &RequestBody) -> String {
    escaped_line(&format!(
        "{verb} {} on {} ({}, {} risk)?",
        request.operation_type, request.instance_id, request.environment, request.risk_level
    ))
}

/// All that a person decides about: the request, unless it is on the screen already, and what they say.
fn proposal(session: &Session, request: Option<&RequestBody>, words: Option<&str>) -> String {
    let view = session.view();
    let mut text = request.map(|request| view.request(request)).unwrap_or_default();
    if let Some(words) = words {
        view.quote(&mut text, "You say", words);
    }
    text
}

/// A session in which nobody is asked about what they are not shown.
fn session(connection: &ConnectionArguments, yes: bool) -> Result<Session, Exit> {
    let session = Session::open(connection)?;
    if !session.output.is_for_people() && !yes {
        return Err(Exit::usage(
            "--json and -o show nothing to a person: add --yes, or leave them out".to_owned(),
        ));
    }
    Ok(session)
}

/// The digest of a request, if there is something to decide; the request is shown in any case.
///
/// # Errors
/// As for [`digest_of_shown`].
fn decidable(session: &Session, request: &RequestBody) -> Result<String, Exit> {
    let digest = digest_of_shown(request);
    if digest.is_err() {
        shown(session, request)?;
    }
    digest
}

/// Shows all of a request to a person, and asks nothing.
fn shown(session: &Session, request: &RequestBody) -> Result<(), Exit> {
    if !session.output.is_for_people() {
        return Ok(());
    }
    unless_unread(request, session.terminal.print(&session.view().request(request)))
}

/// What came of showing a request, and that it is left undecided if it could not be shown.
fn unless_unread<T>(request: &RequestBody, result: Result<T, Exit>) -> Result<T, Exit> {
    if result.is_err() {
        // Nobody reads stdout, and stderr is all that is left.
        let _ = writeln!(std::io::stderr(), "{}", undecided(request));
    }
    result
}

/// Nothing was decided, which is not what the command is for.
fn undecided(request: &RequestBody) -> Exit {
    Exit::from(format!("{} is left undecided", request.request_id))
}

fn decided(session: &Session, request: &RequestBody, change: Change, body: &Value) -> Result<Standing, Exit> {
    let path = format!("/v1/approvals/{}/{}", request.request_id, change.route());
    let after: RequestBody = session.connection.change("POST", &path, body, &session.fresh_key())?;
    let end = change.check(Some(request), &after);
    Ok(Standing { request: after, end })
}

/// What became of a request that was shown before.
fn outcome(view: &View, after: &RequestBody) -> String {
    let status = view.terminal.paint(Tone::Strong, &escaped_line(&after.status));
    let required = after.approvals_required;
    // So many may have agreed, and somebody of a group still be missing.
    let needs = match (after.status.as_str(), after.slots.as_slice()) {
        ("pending", [_, ..]) => {
            let needs = needs(required, &after.slots);
            let text = format!("takes in all: {needs}; `countersign explain` shows what is missing");
            wrapped(&escaped_line(&text), WIDTH)
        }
        _ => Vec::new(),
    };
    std::iter::once(format!("{status}: {}", approvals(after))).chain(needs).collect::<Vec<_>>().join("\n")
}
