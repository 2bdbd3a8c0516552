//! A policy of one's own: a directory in the place of what is built in.

use crate::binary;
use countersign_core::digest::Digest;
use countersign_e2e::deployment::Deployment;
use countersign_e2e::grants::root;
use serde_json::{Value, json};

const FILES: [&str; 3] = ["access.cedar", "operations.toml", "people.toml"];

#[test]
fn a_directory_takes_the_place_of_the_built_in_policy_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    // What `sha256sum` prints of the files; its own digest is the policy's version.
    let mut listing = String::new();
    for file in FILES {
        let mut text = std::fs::read_to_string(root().join("policy").join(file)).unwrap();
        if file == "operations.toml" {
            text.push_str("\n# Ours.\n");
        }
        std::fs::write(directory.path().join(file), &text).unwrap();
        listing.push_str(&format!("{}  {file}\n", Digest::of(text)));
    }
    let own = json!(Digest::of(listing).to_string());
    let version = |deployment: &Deployment| -> Value {
        deployment.invoke("health", &json!({})).unwrap()["policy_version"].clone()
    };
    // As the template leaves it without a parameter.
    assert_ne!(version(&Deployment::start(binary).with("POLICY_DIR", "")), own);
    let deployment = Deployment::start(binary).with("POLICY_DIR", directory.path().to_str().unwrap());
    assert_eq!(version(&deployment), own);

    for file in FILES {
        let path = directory.path().join(file);
        let text = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let log = deployment.start_without("health", "nothing");
        assert!(log.contains("does not start") && log.contains(file), "{file}: {log}");
        std::fs::write(&path, text).unwrap();
    }
}
