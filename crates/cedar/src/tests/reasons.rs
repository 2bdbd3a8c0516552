//! The words of a policy's author in a refusal.

use super::{EVERYTHING, Situation, denied, parsed, refused, valid};
use countersign_core::policy::access::AccessDecision;
use countersign_core::timestamp::Timestamp;

fn with(annotations: &str) -> String {
    format!(
        "{EVERYTHING}@id(\"freeze\") {annotations} forbid (principal, action == Action::\"approve\", resource);"
    )
}

#[test]
fn a_refusal_repeats_the_words_of_the_author() {
    let access =
        valid(&with("@reason(\"Frozen until 7 January: ask in #releases — \\\"why\\\" is in the wiki\")"));
    assert_eq!(
        Situation::usual().put_to(&access),
        denied(
            "forbidden by policy `freeze`: Frozen until 7 January: ask in #releases — \"why\" is in the wiki"
        )
    );
    assert_eq!(Situation::usual().put_to(&valid(&with(""))), denied("forbidden by policy `freeze`"));
    // Doubt has its author, too.
    let failing = parsed(
        &with("@reason(\"sums\")")
            .replace("resource);", "resource) when { 9223372036854775807 + context.hour + 1 > 0 };"),
    );
    let failing = Situation::usual().put_to(&failing);
    let AccessDecision::Denied(reasons) = failing else { panic!("permitted") };
    assert!(
        reasons.contains(&"policy `freeze` in access.cedar cannot be evaluated: sums".to_owned()),
        "{reasons:?}"
    );
}

#[test]
fn words_that_cannot_be_shown_as_they_are_are_refused() {
    let of = |words: &str| with(&format!("@reason(\"{words}\")"));
    valid(&of(&"é".repeat(200)));
    let long = "é".repeat(201);
    for (words, rule) in [
        (long.as_str(), "the @reason must be at most 200 characters, not 201"),
        ("", "the @reason must not be empty"),
        ("  ", "the @reason must not be empty"),
        ("two\\nlines", "the @reason must be one line without control, format or bidirectional characters"),
        ("\\u{1b}[2J", "the @reason must be one line"),
        ("a\\u{202e}b", "the @reason must be one line"),
        ("a\\u{200b}b", "the @reason must be one line"),
    ] {
        let error = refused(&of(words));
        assert!(error.starts_with("access.cedar:2:1: ") && error.contains(rule), "{error}");
    }
    let error = refused(&with("@reason"));
    assert!(error.contains("the @reason must not be empty"), "{error}");
}

#[test]
fn annotations_that_no_caller_is_shown_are_found() {
    let names = |text: &str| -> Vec<&str> {
        valid(text).lint(Timestamp::EARLIEST).iter().map(|warning| warning.name.into()).collect()
    };
    assert_eq!(names(&with("@reason(\"frozen\")")), Vec::<&str>::new());
    assert_eq!(names(&with("@resaon(\"frozen\")")), ["unknown-annotation"]);
    assert_eq!(
        names("@id(\"it\") @reason(\"why not\") permit (principal, action, resource);"),
        ["reason-never-shown"]
    );
}
