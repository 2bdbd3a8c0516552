//! Messages as Slack shows them: nothing that people write is markup, and no limit of Slack is passed.

use crate::events::{
    LINK, LONGEST, anomaly, assert_visible, body, full, hostile, longest, noisy, repeated, summary,
    summary_with, with_justification,
};
use countersign_chat::call::SecretUrl;
use countersign_chat::slack_webhook::SlackWebhook;
use countersign_chat::summary::{Fact, Quote, Summary};
use proptest::prelude::*;
use serde_json::{Value, json};

fn message(summary: &Summary) -> Value {
    let url = SecretUrl::parse("https://hooks.slack.com/services/T/B/x").unwrap();
    body(&SlackWebhook::at(url).post(summary))
}

/// All text objects of a message.
fn text_objects(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(text_objects).collect(),
        Value::Object(members) if members.get("text").is_some_and(Value::is_string) => vec![value],
        Value::Object(members) => members.values().flat_map(text_objects).collect(),
        _ => vec![],
    }
}

/// Whether a text has only `&`, `<` and `>` that are escaped.
fn is_escaped(text: &str) -> bool {
    let entities = ["&amp;", "&lt;", "&gt;"];
    let rest = entities.iter().fold(text.to_owned(), |rest, entity| rest.replace(entity, ""));
    !rest.contains(['&', '<', '>'])
}

/// Slack takes the message, and what is in it means what it says.
fn check(summary: &Summary) {
    let message = message(summary);
    let blocks = message["blocks"].as_array().unwrap();
    assert!((1..=50).contains(&blocks.len()), "{}", blocks.len());
    assert!(message["blocks"].to_string().len() <= 12_000, "{}", message["blocks"].to_string().len());
    for block in blocks {
        let kind = block["type"].as_str().unwrap();
        assert!(["header", "section", "context"].contains(&kind), "{kind}");
        let length = |text: &Value| text["text"].as_str().unwrap().encode_utf16().count();
        match kind {
            "header" => assert!((1..=150).contains(&length(&block["text"])), "{block}"),
            _ if block.get("fields").is_some() => {
                let fields = block["fields"].as_array().unwrap();
                assert!((1..=10).contains(&fields.len()));
                assert!(fields.iter().all(|field| (1..=2000).contains(&length(field))), "{block}");
            }
            "section" => assert!((1..=3000).contains(&length(&block["text"])), "{block}"),
            _ => assert_eq!(block["elements"].as_array().unwrap().len(), 1),
        }
    }
    let names: Vec<_> = summary.facts.iter().map(|fact| format!("*{}*", fact.name)).collect();
    for object in text_objects(&message["blocks"]) {
        let text = object["text"].as_str().unwrap();
        if object["type"] == "plain_text" {
            assert_eq!(object["emoji"], false);
            assert!(is_escaped(text), "{text}");
        } else {
            let link = format!("{}\n<{LINK}>", summary.link_title);
            assert!(names.iter().any(|name| name == text) || text == link, "{text}");
            assert_eq!((&object["type"], &object["verbatim"]), (&json!("mrkdwn"), &json!(true)));
        }
    }
    assert_eq!(message["mrkdwn"], false);
    let text = message["text"].as_str().unwrap();
    let link = format!("\n<{LINK}>");
    assert!(is_escaped(text.strip_suffix(&link).unwrap_or(text)), "{text}");
    assert!(text.encode_utf16().count() <= 4000 && text.lines().count() <= 3);
    assert_visible(&message);
}

#[test]
fn a_message_is_laid_out_like_this() {
    let message = message(&summary(full()));
    let plain = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
    let name = |text: &str| json!({ "type": "mrkdwn", "text": text, "verbatim": true });
    let blocks = message["blocks"].as_array().unwrap();
    let title = "[high] Approval 1 of 2: delete_instance on prod-db-01";
    assert_eq!(blocks[0], json!({ "type": "header", "text": plain(title) }));
    assert_eq!(blocks[1]["type"], "section");
    assert_eq!(blocks[1]["fields"][0], name("*Status*"));
    assert_eq!(blocks[1]["fields"][1], plain("pending"));
    assert_eq!(blocks[3]["fields"].as_array().unwrap().len(), 6);
    assert_eq!(blocks[4], json!({ "type": "context", "elements": [plain("Justification")] }));
    assert_eq!(blocks[5], json!({ "type": "section", "text": plain("| moved to the new cluster") }));
    assert_eq!(blocks[6], json!({ "type": "context", "elements": [plain("bob@example.com says")] }));
    assert_eq!(blocks[7], json!({ "type": "section", "text": plain("| looks right") }));
    let link = format!("What exactly will run, and where to decide:\n<{LINK}>");
    assert_eq!(blocks[8], json!({ "type": "section", "text": name(&link) }));
    assert_eq!(blocks.len(), 9);
    assert_eq!(message["text"], format!("{title}\n<{LINK}>"));
}

#[test]
fn text_beyond_2900_characters_is_cut_and_says_so() {
    let shown = |length: usize| {
        let message = message(&summary(with_justification(&"a".repeat(length))));
        message["blocks"][5]["text"]["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(shown(2898), format!("| {}", "a".repeat(2898)));
    let cut = shown(2899);
    assert_eq!(cut.chars().count(), 2900);
    assert!(cut.ends_with("\n[cut here: the whole text is with the request]"), "{cut}");
}

#[test]
fn mentions_links_and_entities_are_shown_as_they_were_written() {
    let text = "<!channel> <https://evil.example|ok> &amp; *b* :x:";
    let message = message(&summary(with_justification(text)));
    let shown = "| &lt;!channel&gt; &lt;https://evil.example|ok&gt; &amp;amp; *b* :x:";
    assert_eq!(message["blocks"][5]["text"], json!({ "type": "plain_text", "text": shown, "emoji": false }));
}

#[test]
fn whatever_is_written_fits() {
    for c in LONGEST {
        let texts = (repeated(*c, 4000), repeated(*c, 2000), repeated(*c, 200));
        check(&summary_with(longest(&texts.0, &texts.1, &texts.2), noisy(&texts.1)));
    }
}

#[test]
fn a_report_of_any_length_fits_and_says_what_is_left_out() {
    let mut report = summary(full());
    report.facts = (0..200).map(|n| Fact { name: "Person", value: format!("{n}") }).collect();
    report.quotes = (0..20).map(|n| Quote { title: "Words".to_owned(), text: format!("{n}") }).collect();
    let message = message(&report);
    assert!(message["blocks"].as_array().unwrap().len() <= 50);
    assert!(message.to_string().contains("[154 more are left out here]"), "{message}");
}

#[test]
fn an_empty_value_is_a_hyphen() {
    let mut odd = summary(full());
    odd.facts = vec![Fact { name: "Person", value: " ".to_owned() }];
    assert_eq!(message(&odd)["blocks"][1]["fields"][1]["text"], "-");
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
