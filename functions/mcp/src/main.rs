//! Tools for agents, by the Model Context Protocol. A client of the API: reads no table, publishes nothing, invokes nothing.

use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Boot::begin()?.serve_mcp().await
}
