//! On the way to AWS: Amazon's roots and those of `AWS_CA_BUNDLE`, and no others.

use crate::binary;
use countersign_e2e::deployment::Deployment;
use countersign_e2e::moto::Moto;
use serde_json::json;

#[test]
fn a_function_trusts_the_bundle_it_is_given_and_no_stranger() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("certificate.pem"), directory.path().join("key.pem"));
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, issued.cert.pem()).unwrap();
    std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    let moto = Moto::start_tls(&certificate, &key);

    // The tables are elsewhere: what counts is who answers.
    let asked = json!({ "request_id": "01930000-0000-4000-8000-0000000000aa" });
    let code = |deployment: &Deployment| deployment.invoke("get", &asked).unwrap_err().0;
    let stranger = Deployment::start(binary).with("AWS_ENDPOINT_URL", &moto.url());
    assert_eq!(code(&stranger), "store_unavailable");
    let trusted = Deployment::start(binary)
        .with("AWS_ENDPOINT_URL", &moto.url())
        .with("AWS_CA_BUNDLE", certificate.to_str().unwrap());
    assert_eq!(code(&trusted), "internal", "it answers that there is no such table");

    let missing = directory.path().join("missing.pem");
    let log = Deployment::start(binary)
        .with("AWS_CA_BUNDLE", missing.to_str().unwrap())
        .start_without("get", "nothing");
    assert!(log.contains("AWS_CA_BUNDLE names a file that cannot be read"), "{log}");
}
