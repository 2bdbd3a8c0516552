//! GET /v1/me. Reads no request; changes nothing.

use countersign_api::operations::me::Me;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve::<Me, _>(DynamoStore::connect(&boot.aws()?, tables)).await
}
