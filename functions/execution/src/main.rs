//! GET /v1/approvals/{id}/execution. Reads one request and its trail; changes nothing.

use countersign_api::operations::execution::Execution;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve::<Execution, _>(DynamoStore::connect(&boot.aws()?, tables)).await
}
