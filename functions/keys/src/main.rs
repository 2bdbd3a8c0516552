//! GET /.well-known/jwks.json. Reads the public halves of the keys that sign permits, checkpoints of the audit log, and
//! evidence.

use countersign_api::operations::keys::Keys;
use countersign_kms::audit_keys::KmsAuditKeys;
use countersign_kms::signing_keys::KmsSigningKeys;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let aws = boot.aws()?;
    let of_permits = KmsSigningKeys::of_permits(&aws, boot.required("PERMIT_KEY_ALIAS")?, boot.clock());
    let of_audit = KmsAuditKeys::connect(&aws, &boot.required("AUDIT_KEY_ALIAS")?, &boot.clock());
    boot.with_signing_keys(Some(of_permits)).with_audit_keys(of_audit).serve_public::<Keys>().await
}
