//! The schedule of the audit log. Gives events their places in it, writes its files and signs them; publishes nothing, and
//! changes no request.

use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_kms::audit_keys::KmsAuditKeys;
use countersign_lambda::boot::{Boot, Error};
use countersign_s3::log_bucket::LogBucket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let aws = boot.aws()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    let outbox = DynamoOutbox::connect(&aws, tables.outbox.clone());
    let bucket = LogBucket::connect(&aws, boot.required("AUDIT_LOG_BUCKET")?);
    let keys = KmsAuditKeys::connect(&aws, &boot.required("AUDIT_KEY_ALIAS")?, &boot.clock());
    boot.with_audit_keys(keys).serve_seal(DynamoStore::connect(&aws, tables), outbox, bucket).await
}
