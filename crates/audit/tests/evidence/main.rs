//! Evidence of requests of every status: what is believed, and that nothing else is.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a broken fixture is a failed test"
)]

mod fixture;
mod reader;
mod refusals;

use countersign_audit::evidence::assembly::{Draft, NotSigned, Unmade};
use countersign_audit::evidence::dsse;
use countersign_audit::evidence::mismatch::Mismatch;
use countersign_audit::evidence::verification::{Demands, verify};
use fixture::{all_evidence, evidence_key, keys, lives, private, proofs, sources, with_proofs};
use std::path::Path;

const DEMANDING: Demands = Demands { require_inclusion: true };

#[test]
fn evidence_of_every_status_is_believed_and_says_what_it_does_not_prove() {
    for (name, evidence) in all_evidence() {
        let verified = verify(evidence.as_bytes(), &keys(), Demands::default());
        let verified = verified.unwrap_or_else(|mismatches| panic!("{name}: {mismatches:?}"));
        let limits = verified.not_proved();
        let says = |text: &str| limits.iter().any(|limit| limit.contains(text));
        assert_eq!(verified.key_id, evidence_key().key_id());
        assert_eq!(says("pending_inclusion"), name.contains("pending true"), "{name}");
        assert_eq!(says("can be guessed"), name.contains("redacted true"), "{name}");
        assert!(says("identity provider was honest") && says("without a request"), "{name}");
        assert_eq!(says("the permit of the execution"), name.starts_with("unknown"), "{name}");
        let has_later_policy = ["executing", "unknown", "executed", "failed", "rejected"];
        assert_eq!(
            says("files are not shown"),
            has_later_policy.iter().any(|life| name.starts_with(life)),
            "{name}"
        );
        // A text that went with its decision.
        assert_eq!(
            says("comment_digest in event 2"),
            ["rejected", "pending again", "expired by"].iter().any(|life| name.starts_with(life)),
            "{name}"
        );
        let demanding = verify(evidence.as_bytes(), &keys(), DEMANDING);
        if name.contains("pending true") {
            let sequence = verified.events.len() as u64;
            assert_eq!(demanding.unwrap_err(), [Mismatch::Pending { sequence }], "{name}");
        } else {
            assert_eq!(demanding.unwrap().checkpoint.unwrap().origin, verified.document.origin);
        }
    }
}

/// The example of docs/evidence.md, which other readers are held against as well.
#[test]
fn the_example_is_what_is_made() {
    let readers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/readers");
    let wanted = "executed redacted false pending true";
    let (_, evidence) = all_evidence().into_iter().find(|(name, _)| name == wanted).unwrap();
    for (file, made) in [("keys.json", fixture::jwks()), ("evidence.json", evidence)] {
        if std::fs::read_to_string(readers.join(file)).unwrap_or_default() != made {
            let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
            std::fs::write(&new, made).unwrap();
            panic!("tests/readers/{file} is not what is made: cp {} tests/readers/", new.display());
        }
    }
}

#[test]
fn what_is_signed_is_short_and_the_rest_is_not_in_it() {
    let lives = lives();
    let proofs = proofs(&lives);
    for (life, proofs) in lives.iter().zip(&proofs) {
        let events = with_proofs(life, proofs, false);
        let draft = Draft::assemble(sources(life, &events, false)).unwrap();
        assert!(draft.signed_bytes().len() < 1_024, "{}", draft.signed_bytes().len());
    }
    // The longest origin is of 255 characters, and everything else is of one length or a short name.
    const { assert!(dsse::MAX_SIGNED_BYTES > 1_024 + 255) };
}

#[test]
fn nothing_is_given_out_that_would_not_be_believed() {
    let lives = lives();
    let proofs = proofs(&lives);
    let (life, proofs) = (&lives[2], &proofs[2]);
    let events = with_proofs(life, proofs, false);
    let draft = || Draft::assemble(sources(life, &events, false)).unwrap();
    let bytes = draft().signed_bytes();
    let log_key = fixture::log_key();
    assert_eq!(draft().with_signature(&evidence_key(), &private(2).sign(&bytes)), Err(NotSigned));
    assert_eq!(draft().with_signature(&log_key, &private(2).sign(&bytes)), Err(NotSigned));
    assert_eq!(draft().with_signature(&evidence_key(), &private(1).sign(b"else")), Err(NotSigned));
    // A tail that was cut, and a request that was edited.
    assert!(matches!(Draft::assemble(sources(life, &events[..3], false)), Err(Unmade::Mismatched(_))));
    assert!(matches!(Draft::assemble(sources(life, &events[..0], false)), Err(Unmade::Mismatched(_))));
    let mut edited = lives;
    edited[2].request.decisions[0].person = fixture::person("mallory");
    assert!(matches!(Draft::assemble(sources(&edited[2], &events, false)), Err(Unmade::Mismatched(_))));
}
