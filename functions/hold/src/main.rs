//! POST and DELETE /v1/approvals/{id}/claim. Reads one request and writes who looks at it; changes no request.

use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve_hold(DynamoStore::connect(&boot.aws()?, tables)).await
}
