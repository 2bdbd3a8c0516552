//! The same by a program in another language, `tests/readers/evidence.py`, which knows docs/evidence.md and the
//! published keys only.

use crate::fixture::{all_evidence, jwks};
use crate::refusals::badly_signed;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn another_language_agrees_what_is_evidence() {
    let readers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/readers");
    let good = all_evidence();
    let pending: Vec<_> = good.iter().map(|(name, _)| name.contains("pending true")).collect();
    let good: Vec<_> = good.into_iter().map(|(_, evidence)| evidence).collect();
    let bad: Vec<_> = badly_signed().into_iter().map(|(_, evidence)| evidence).collect();
    let cases = json!({ "jwks": jwks(), "good": good, "pending": pending, "bad": bad, "step": 509 });
    let mut program = Command::new("python3")
        .arg("-B")
        .arg(readers.join("evidence_changes.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    program.stdin.take().unwrap().write_all(cases.to_string().as_bytes()).unwrap();
    let output = program.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (last, wrong) =
        text.trim_end().rsplit_once('\n').map_or((text.trim_end(), ""), |(wrong, last)| (last, wrong));
    assert_eq!(wrong, "", "the verifier in Python");
    let counts: Value = serde_json::from_str(last).expect("the program ends with what it has tried");
    assert_eq!(
        (counts["good"].as_u64(), counts["bad"].as_u64()),
        (Some(good.len() as u64), Some(bad.len() as u64))
    );
    assert!(counts["tried"].as_u64() > Some(30_000), "{counts}");
}
