//! Carries out approved operations on Amazon RDS. It calls the API as a service of its own, signed with the credentials of
//! its role; it has no right on the tables, and neither approves nor rejects.

mod signer;

use countersign_client::connection::Connection;
use countersign_client::executor::ServiceApprovals;
use countersign_executor::rds::Operation;
use countersign_executor::registry::ExecutorName;
use countersign_lambda::boot::{Boot, Error};
use countersign_rds::{RdsExecutor, Settings};
use signer::RoleSigner;
use std::path::Path;
use strum::IntoEnumIterator as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let aws = boot.aws()?;
    let signer = Box::new(boot.part(RoleSigner::of(&aws, boot.clock()).await)?);
    let ca_bundle = boot.optional("AWS_CA_BUNDLE");
    let api = Connection::signed(&boot.required("IAM_API_URL")?, ca_bundle.as_deref().map(Path::new), signer);
    let operations = Operation::iter().map(|operation| operation.to_string()).collect();
    let name = ExecutorName::Rds.to_string();
    let approvals = ServiceApprovals::new(boot.part(api)?, name, operations, None, Vec::new());
    let allowed_arns = boot.names("RDS_EXECUTOR_ARNS");
    let settings = Settings { allowed_arns, monitoring_role_arn: boot.optional("RDS_MONITORING_ROLE_ARN") };
    boot.serve_executor(approvals, RdsExecutor::connect(&aws, settings)).await
}
