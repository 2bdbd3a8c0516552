//! GET /v1/log/{path+}. Reads a file of the log.

use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_lambda::boot::{Boot, Error};
use countersign_s3::log_bucket::LogBucket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let aws = boot.aws()?;
    let tables = TableNames::read(|name| boot.required(name))?;
    let bucket = LogBucket::connect(&aws, boot.required("AUDIT_LOG_BUCKET")?);
    boot.serve_log(DynamoStore::connect(&aws, tables), bucket).await
}
