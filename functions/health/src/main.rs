//! GET /health and GET /openapi.json. Reads nothing.

use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Boot::begin()?.serve_health().await
}
