//! The server on stdin and stdout, for a client that has started the program.

use crate::server::Server;
use countersign_api::outgoing::Api;
use rmcp::ServiceExt as _;
use rmcp::transport::stdio;

/// Why the server ended otherwise than by the end of its input.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    /// The client does not speak the protocol, or has gone in the middle of it.
    #[error("the client does not speak the Model Context Protocol")]
    Handshake,
    /// The server ended by itself.
    #[error("the server ended by itself")]
    Ended,
}

/// Serves until the client closes its end.
///
/// # Errors
/// See [`StdioError`].
pub async fn serve<P: Api + Send + Sync + 'static>(server: Server<P>) -> Result<(), StdioError> {
    let running = match server.serve(stdio()).await {
        Ok(running) => running,
        // A client that only looks whether the program starts.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        // What it has sent may hold arguments: it is not printed.
        Err(_) => return Err(StdioError::Handshake),
    };
    running.waiting().await.map(drop).map_err(|_| StdioError::Ended)
}
