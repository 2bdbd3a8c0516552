//! POST /v1/approvals/{id}/execution/claim. Reads and updates one request; publishes nothing.

use countersign_api::operations::claim::Claim;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_kms::alias::Aliases;
use countersign_kms::signing_keys::KmsSigningKeys;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    let aws = boot.aws()?;
    let aliases = boot.optional("PERMIT_KEY_ALIAS").map(Aliases::new);
    let keys = aliases.map(|aliases| KmsSigningKeys::connect(&aws, aliases, boot.clock()));
    boot.with_signing_keys(keys).serve::<Claim, _>(DynamoStore::connect(&aws, tables)).await
}
