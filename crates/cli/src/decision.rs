//! What approving and rejecting have in common: an approver decides only what was shown.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::{Session, Standing};
use crate::view::text::{Line, Text, Tone};
use crate::view::width::WIDTH;
use crate::view::words::{approvals, needs};
use countersign_api::wire::RequestBody;
use countersign_client::change::Change;
use countersign_client::content::digest_of_shown;
use std::io::Write as _;

/// All that a person decides about: the request, unless it is on the screen already, and what they say.
pub(crate) fn proposal(session: &Session, request: Option<&RequestBody>, words: Option<&str>) -> Text {
    let view = session.view();
    let mut text = request.map(|request| view.request(request)).unwrap_or_default();
    if let Some(words) = words {
        view.quote(&mut text, "You say", words);
    }
    text
}

/// A session in which an approver is asked only about what is shown.
pub(crate) fn session(connection: &ConnectionArguments, yes: bool) -> Result<Session, CommandError> {
    let session = Session::open(connection)?;
    if !session.output.is_for_people() && !yes {
        return Err(CommandError::Usage(
            "--json and -o show nothing to a person: add --yes, or leave them out".to_owned(),
        ));
    }
    Ok(session)
}

/// The digest of a request, if there is something to decide; the request is shown in any case.
///
/// # Errors
/// As for [`digest_of_shown`].
pub(crate) fn decidable(session: &Session, request: &RequestBody) -> Result<String, CommandError> {
    let digest = digest_of_shown(request);
    if digest.is_err() {
        shown(session, request)?;
    }
    Ok(digest?)
}

/// Shows all of a request to a person, and asks nothing.
pub(crate) fn shown(session: &Session, request: &RequestBody) -> Result<(), CommandError> {
    if !session.output.is_for_people() {
        return Ok(());
    }
    unless_unread(request, session.terminal.print(&session.view().request(request)))
}

/// What came of showing a request, and that it is left undecided if it could not be shown.
pub(crate) fn unless_unread<T>(
    request: &RequestBody,
    result: Result<T, CommandError>,
) -> Result<T, CommandError> {
    if result.is_err() {
        // Stdout has no reader, and stderr is all that is left.
        let _ = writeln!(std::io::stderr(), "{}", undecided(request));
    }
    result
}

/// Nothing was decided, which is not what the command is for.
pub(crate) fn undecided(request: &RequestBody) -> CommandError {
    CommandError::Failed(format!("{} is left undecided", request.request_id))
}

pub(crate) fn decided(
    session: &Session,
    request: &RequestBody,
    change: &Change,
) -> Result<Standing, CommandError> {
    let after = session.connection.change(&request.request_id, change, &session.fresh_key())?;
    let end = change.check(Some(request), &after).map_err(CommandError::from);
    Ok(Standing { request: after, end })
}

/// What became of a request that was shown before.
pub(crate) fn outcome(after: &RequestBody) -> Text {
    let mut text = Text::default();
    text.push(Line::new(Tone::Strong, &after.status).with(None, &format!(": {}", approvals(after))));
    // So many may have approved, and an approver of a group still be missing.
    if after.status == "pending" && !after.slots.is_empty() {
        let needs = needs(after.approvals_required, &after.slots);
        let needs = format!("takes in all: {needs}; `countersign explain` shows what is missing");
        text.wrapped(None, &needs, WIDTH);
    }
    text
}
