//! POST /approvals, the original single endpoint. Does what all the others do; publishes nothing.

use countersign_api::operations::dispatch::Dispatch;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_kms::signing_keys::KmsSigningKeys;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    let aws = boot.aws()?;
    let alias = boot.optional("PERMIT_KEY_ALIAS");
    let keys = alias.map(|alias| KmsSigningKeys::of_permits(&aws, alias, boot.clock()));
    boot.with_signing_keys(keys).serve::<Dispatch, _>(DynamoStore::connect(&aws, tables)).await
}
