//! GET /v1/approvals/{id}/evidence. Reads a request, its events, their places in the log, and the log; signs what it answers,
//! and changes no request.

use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_kms::audit_keys::KmsAuditKeys;
use countersign_kms::signing_keys::KmsSigningKeys;
use countersign_lambda::boot::{Boot, Error};
use countersign_s3::log_bucket::LogBucket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let aws = boot.aws()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    let bucket = LogBucket::connect(&aws, boot.required("AUDIT_LOG_BUCKET")?);
    let of_audit = KmsAuditKeys::connect(&aws, &boot.required("AUDIT_KEY_ALIAS")?, &boot.clock());
    let alias = boot.optional("PERMIT_KEY_ALIAS");
    let of_permits = alias.map(|alias| KmsSigningKeys::of_permits(&aws, alias, boot.clock()));
    let boot = boot.with_audit_keys(of_audit).with_signing_keys(of_permits);
    boot.serve_evidence(DynamoStore::connect(&aws, tables), bucket).await
}
