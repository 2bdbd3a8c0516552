//! `countersign release`: giving the claim of a request back.

use crate::connection_arguments::RequestArguments;
use crate::error::CommandError;
use crate::session::Session;

/// Carries it out, and shows the request.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &RequestArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let request = session.connection.find(&arguments.id)?;
    session.show_request(&session.connection.release(&request.request_id)?)
}
