//! `countersign explain`: why a request stands where it stands, and what would move it.

use crate::connection_arguments::RequestArguments;
use crate::error::CommandError;
use crate::session::Session;

/// Asks for the explanation of a request, and shows it.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &RequestArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let request = session.connection.find(&arguments.id)?;
    let explanation = session.connection.explanation(&request.request_id)?;
    session.show(&explanation, |view| view.explanation(&request, &explanation))
}
