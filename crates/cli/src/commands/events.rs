//! `countersign events`: the audit trail of a request.

use crate::connection_arguments::RequestArguments;
use crate::error::CommandError;
use crate::session::Session;

/// Shows the trail.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &RequestArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let id = session.connection.find(&arguments.id)?.request_id;
    let events = session.connection.events(&id)?;
    session.show(&events, |view| view.events(&events.items))
}
