//! `countersign evidence`: taken from a service, and verified without it.

use crate::auditor::Auditor;
use crate::{Ended, Person};
use countersign_e2e::service::Service;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

impl Auditor {
    fn take(&self, id: &str, options: &[&str]) -> Ended {
        self.person.run(&[&["evidence", id, "--file", &self.path("evidence.json")], options].concat())
    }

    /// Without a service.
    fn verify_evidence(&self, options: &[&str]) -> Ended {
        let (file, keys) = (self.path("evidence.json"), self.path("jwks.json"));
        let nobody = Person::at("http://127.0.0.1:1", None);
        nobody.run(&[&["evidence", "verify", &file, "--key", &keys], options].concat())
    }
}

#[test]
fn evidence_is_taken_from_a_service_and_verified_without_it() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    let path = service.approved(&service.requester("ann"));
    let id = Service::id(&path);
    auditor.take(id, &[]).expect(0, "");
    let file = auditor.home.path().join("evidence.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // To the byte what is written to stdout, without a line feed: the clock stands, and the key signs alike.
    assert_eq!(auditor.person.run(&["evidence", &id[..8]]).stdout, fs::read_to_string(&file).unwrap());

    let waiting = auditor.verify_evidence(&[]);
    waiting.expect(0, "the evidence is believed, as of 2026-01-01T00:00:00.000Z\n");
    for said in [
        &format!(
            "request {id}: modify_storage on dev-db-01, asked for by ann@example.com, approved at version 2"
        ),
        "2 events, none of them in the audit log yet",
        "it does not prove\n- that event 1 is in the log: it waits for it (pending_inclusion)",
        "- that the keys are the deployment's",
    ] {
        waiting.expect(0, said);
    }
    let refused = auditor.verify_evidence(&["--require-inclusion"]);
    refused
        .expect(1, "the evidence is not believed:\n- event 1 waits for the log\n- event 2 waits for the log");

    service.seal().unwrap();
    auditor.take(id, &["--redacted"]).expect(0, "");
    let sealed = auditor.verify_evidence(&["--require-inclusion"]);
    sealed.expect(0, "all of them in the audit log: 3 entries with root ");
    sealed.expect(0, ", without parameters, target and result");
    let answer: serde_json::Value =
        serde_json::from_str(&auditor.verify_evidence(&["--json"]).stdout).unwrap();
    assert_eq!((&answer["verified"], &answer["redacted"]), (&json!(true), &json!(true)));
    assert_eq!((&answer["request_id"], &answer["pending_inclusion"]), (&json!(id), &json!([])));
}

#[test]
fn evidence_that_is_not_believed_is_refused_with_everything_that_is_wrong() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    let path = service.approved(&service.requester("ann"));
    auditor.take(Service::id(&path), &[]).expect(0, "");
    let file = auditor.home.path().join("evidence.json");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, good.replace("The disk is nearly full", "The disk is nearly gone")).unwrap();
    let refused = auditor.verify_evidence(&[]);
    refused.expect(1, "\n- what is signed is not about this document: it was changed");
    refused.expect(1, "\n- the text justification_digest of event ");
    fs::write(&file, format!("{good}\n")).unwrap();
    auditor.verify_evidence(&[]).expect(1, "it is not evidence: it is not canonical JSON");
    fs::remove_file(&file).unwrap();
    auditor.verify_evidence(&[]).expect(1, "evidence.json: ");
    // Keys of another deployment.
    fs::write(&file, good).unwrap();
    fs::write(auditor.home.path().join("jwks.json"), r#"{"keys":[]}"#).unwrap();
    auditor.verify_evidence(&[]).expect(1, "the signature is not believed: its key is not among the keys");
    auditor.person.run(&["evidence"]).expect(2, "ID");
    auditor.person.run(&["evidence", "verify", "x"]).expect(2, "--key");
    let guest = Person::at(service.base(), Some(service.token("gus@example.com", &["guest"])));
    guest.run(&["evidence", Service::id(&path)]).expect(3, "no policy permits `query_audit` to group guest");
}
