//! GET /.well-known/jwks.json. Reads the public halves of the keys that sign permits.

use countersign_api::operations::keys::Keys;
use countersign_kms::alias::Aliases;
use countersign_kms::signing_keys::KmsSigningKeys;
use countersign_lambda::boot::{Boot, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let boot = Boot::begin()?;
    let aliases = Aliases::new(boot.required("PERMIT_KEY_ALIAS")?);
    let keys = KmsSigningKeys::connect(&boot.aws()?, aliases, boot.clock());
    boot.with_signing_keys(Some(keys)).serve_public::<Keys>().await
}
