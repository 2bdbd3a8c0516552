//! The example of docs/evidence.md, held against a library of others and against the schema.

use countersign_e2e::grants::root;
use countersign_e2e::moto;
use serde_json::Value;
use std::process::Command;

const EVIDENCE: &str = include_str!("../readers/evidence.json");
const SCHEMA: &str = include_str!("../../docs/schemas/evidence.json");

#[test]
fn a_library_of_others_verifies_the_envelope() {
    let readers = root().join("tests/readers");
    let verified = Command::new(moto::python())
        .args(["-B", "envelope.py", "evidence.json", "keys.json"])
        .current_dir(readers)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{said}");
    let statement: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
}

#[test]
fn the_example_is_as_the_schema_says() {
    let schema = serde_json::from_str(SCHEMA).unwrap();
    let schema = jsonschema::options().build(&schema).unwrap();
    let evidence: Value = serde_json::from_str(EVIDENCE).unwrap();
    let errors: Vec<_> = schema.iter_errors(&evidence).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    for (place, value) in [
        ("/format", Value::from("countersign.evidence.v2")),
        ("/redacted", true.into()),
        ("/events/0/inclusion", "soon".into()),
        ("/texts/0/key", "00".into()),
        ("/dsse/signatures", Value::Array(Vec::new())),
        ("/policies/0/version", Value::Null),
    ] {
        let mut edited = evidence.clone();
        *edited.pointer_mut(place).unwrap() = value;
        assert!(!schema.is_valid(&edited), "{place}");
    }
}
