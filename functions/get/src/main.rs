//! GET /v1/approvals/{id}. Reads one request; changes nothing.

use countersign_api::operations::get::Get;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve::<Get, _>(DynamoStore::connect(&boot.aws()?, tables)).await
}
