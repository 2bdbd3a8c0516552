//! GET /v1/audit-logs. Reads the audit table and its indexes; changes nothing.

use countersign_api::operations::audit::Audit;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    boot.serve::<Audit, _>(DynamoStore::connect(&boot.aws()?, tables)).await
}
