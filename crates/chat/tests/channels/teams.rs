//! Cards for Teams: small enough whatever is in them, with nothing to press and no Markdown but ours.

use crate::events::{
    LINK, LONGEST, anomaly, answer, assert_visible, body, class, full, hostile, longest, noisy, repeated,
    slow, summary, summary_with, with_justification,
};
use countersign_chat::summary::{Fact, Quote, Summary};
use countersign_chat::teams::{InvalidTeamsWebhook, MAX_BYTES, TeamsWebhook, outcome};
use countersign_delivery::outcome::{FailureClass, Outcome};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

const URL: &str =
    "https://prod-01.westeurope.logic.azure.com:443/workflows/s3cret/triggers/manual/paths/invoke?sig=s3cret";

fn message(summary: &Summary) -> Value {
    body(&TeamsWebhook::parse(URL).unwrap().post(summary))
}

fn elements(message: &Value) -> Vec<Value> {
    message["attachments"][0]["content"]["body"].as_array().unwrap().clone()
}

/// The text of an element, run by run.
fn runs(element: &Value) -> Vec<&str> {
    element["inlines"].as_array().unwrap().iter().map(|run| run["text"].as_str().unwrap()).collect()
}

#[test]
fn only_the_addresses_of_workflows_are_taken() {
    let power = "https://default1.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/1?sig=s3cret";
    for url in [URL, power, "https://default1.5a.environment.api.powerplatform.com:443/x"] {
        let webhook = TeamsWebhook::parse(url).unwrap();
        let printed = format!("{webhook:?}");
        assert!(!printed.contains("s3cret") && printed.contains(".com/..."), "{printed}");
    }
    for url in [
        "",
        "http://prod-01.westeurope.logic.azure.com/x",
        "https://logic.azure.com/x",
        "https://evillogic.azure.com/x",
        "https://prod.logic.azure.com.evil.example/x",
        "https://prod.logic.azure.com:8443/x",
        "https://a:b@prod.logic.azure.com/x",
        "https://hooks.slack.com/services/T/B/x",
    ] {
        assert_eq!(TeamsWebhook::parse(url), Err(InvalidTeamsWebhook::Other), "{url}");
    }
    for url in ["https://contoso.webhook.office.com/webhookb2/s3cret", "https://webhook.office.com/x"] {
        let error = TeamsWebhook::parse(url).unwrap_err();
        assert_eq!(error, InvalidTeamsWebhook::Retired);
        assert!(error.to_string().contains("retired in May 2026") && !error.to_string().contains("s3cret"));
    }
}

#[test]
fn a_card_is_laid_out_like_this() {
    let message = message(&summary(full()));
    assert_eq!(message["type"], "message");
    let attachment = &message["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(
        (&attachment["content"]["type"], &attachment["content"]["version"]),
        (&json!("AdaptiveCard"), &json!("1.4"))
    );
    let elements = elements(&message);
    assert_eq!(runs(&elements[0]), ["[high] Approval 1 of 2: delete_instance on prod-db-01"]);
    assert_eq!(elements[0]["inlines"][0]["color"], "warning");
    assert_eq!(runs(&elements[1]), ["Status: ", "pending"]);
    assert_eq!(runs(&elements[14]), ["Justification"]);
    assert_eq!(runs(&elements[15]), ["| moved to the new cluster"]);
    assert_eq!(runs(&elements[17]), ["| looks right"]);
    let link = format!("[What exactly will run, and where to decide]({LINK})");
    assert_eq!(elements[18]["text"], link);
    assert_eq!(elements.len(), 19);
}

/// Teams takes the card, and what is in it means what it says.
fn check(summary: &Summary) {
    let call = TeamsWebhook::parse(URL).unwrap().post(summary);
    assert!(call.body.len() < MAX_BYTES, "{}", call.body.len());
    let message = body(&call);
    assert!(!message.to_string().contains("\"Action."), "{message}");
    assert!(message["attachments"][0]["content"].get("actions").is_none());
    for element in elements(&message) {
        if element["type"] == "TextBlock" {
            assert_eq!(element["text"], format!("[{}]({LINK})", summary.link_title.trim_end_matches(':')));
            continue;
        }
        assert_eq!(element["type"], "RichTextBlock");
        for run in element["inlines"].as_array().unwrap() {
            assert_eq!(run["type"], "TextRun");
            assert!(run.get("selectAction").is_none());
            let text = run["text"].as_str().unwrap();
            assert!(!text.contains('\n') && !text.contains("{{"), "{text}");
        }
    }
    assert_visible(&message);
}

#[test]
fn a_long_text_is_cut_and_says_so() {
    let text = "a".repeat(4000);
    let whole = message(&summary(with_justification(&text)));
    assert!(whole.to_string().contains(&format!("| {text}")) && !whole.to_string().contains("[cut"));
    let whole = message(&summary(with_justification(&"\u{1f600}".repeat(4000)))).to_string();
    assert!(whole.contains(&"\u{1f600}".repeat(4000)), "16 KB fit");
    let cut = message(&summary(with_justification(&repeated('\u{202e}', 4000)))).to_string();
    assert!(cut.contains("[cut here: the whole text is with the request]"));
    let lines = message(&summary(with_justification(&"a\n".repeat(2000)))).to_string();
    assert!(lines.contains("[cut here: the whole text is with the request]"));
}

#[test]
fn whatever_is_written_fits() {
    for c in LONGEST {
        let texts = (repeated(*c, 4000), repeated(*c, 2000), repeated(*c, 200));
        check(&summary_with(longest(&texts.0, &texts.1, &texts.2), noisy(&texts.1)));
    }
    let mut report = summary(full());
    let long = "\u{1f600}".repeat(2000);
    report.headline = long.clone();
    report.facts = (0..200).map(|_| Fact { name: "Person", value: long.clone() }).collect();
    report.quotes = (0..20).map(|_| Quote { title: long.clone(), text: format!("{long}\n{long}") }).collect();
    report.notes = vec![long.clone(); 200];
    report.advice = Some(format!("{long}\n{long}"));
    check(&report);
    assert!(message(&report).to_string().contains("[399 more are left out here]"));
}

#[test]
fn an_answer_means_this() {
    for status in [200, 202] {
        assert_eq!(
            outcome(&answer(status, "")),
            Outcome::Delivered { status: Some(status), reference: None }
        );
    }
    let turned_off = r#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"of ann@example.com"}}"#;
    for (status, body, expected) in [
        (204, "", FailureClass::Refused),
        (302, "", FailureClass::Refused),
        (400, r#"{"error":{"code":"InvalidRequestContent","message":"x"}}"#, FailureClass::Refused),
        (400, turned_off, FailureClass::Credentials),
        (401, r#"{"error":{"code":"DirectApiAuthorizationRequired"}}"#, FailureClass::Credentials),
        (403, "", FailureClass::Credentials),
        (404, r#"{"error":{"code":"WorkflowNotFound"}}"#, FailureClass::Gone),
        (410, "", FailureClass::Gone),
        (413, "", FailureClass::Refused),
        (429, "", FailureClass::Overloaded),
        (500, "", FailureClass::Overloaded),
        (502, r#"{"error":{"code":"NoResponse"}}"#, FailureClass::Overloaded),
    ] {
        assert_eq!(class(&outcome(&answer(status, body))), expected, "{status} {body}");
    }
    let Outcome::Failed(failure) = outcome(&slow(429, turned_off)) else { panic!() };
    assert_eq!(failure.retry_after, Some(Duration::from_secs(30)));
    assert_eq!(failure.detail, "Teams answered 429: WorkflowTriggerIsNotEnabled");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_people_write_is_markup(
        justification in hostile(4000), remark in hostile(2000), duration in hostile(200), note in hostile(300)
    ) {
        check(&summary_with(longest(&justification, &remark, &duration), noisy(&note)));
        check(&anomaly(&note));
    }
}
