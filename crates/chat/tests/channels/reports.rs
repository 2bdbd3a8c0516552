//! Reports in Slack and Teams: figures that a tired person understands, and names that do nothing.

use countersign_chat::report;
use countersign_chat::slack_webhook::SlackWebhook;
use countersign_chat::summary::Summary;
use countersign_chat::teams::{self, TeamsWebhook};
use countersign_core::digest::DeploymentKey;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::origin::Origin;
use countersign_core::period::{Period, Span};
use countersign_core::timestamp::Timestamp;
use countersign_figures::period_report::{
    Alert, DeadLetters, DecisionTimes, OldestRequest, Outcomes, PeriodReport, PersonFigures, Standing,
    Waiting,
};
use serde_json::Value;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn january(names: &[&str]) -> PeriodReport {
    let now = at("2026-02-01T08:00:00Z");
    let oldest = OldestRequest {
        request_id: RequestId::parse("01930000-0000-7000-8000-00000000beef").unwrap(),
        requested_at: at("2026-01-31T05:30:00Z"),
    };
    let standing = Standing {
        waiting: Waiting { count: 4, more: false, oldest: Some(oldest) },
        dead_letters: Some(DeadLetters { events: 1, deliveries: 12 }),
        uncounted: 0,
    };
    let report = PeriodReport::of(&Span::last_whole(Period::Monthly, now), [], 4_711, standing, now);
    let person =
        |name: &&str| PersonFigures { person: (*name).to_owned(), requested: 3, approved: 2, rejected: 1 };
    PeriodReport {
        outcomes: Outcomes { requested: 40, approved: 20, rejected: 10, expired: 2, ..Outcomes::default() },
        rejection_rate: Some(0.3333),
        time_to_decision: Some(DecisionTimes {
            count: 30,
            average_milliseconds: 90_000_000,
            shortest_milliseconds: 4_000,
            longest_milliseconds: 259_200_000,
            p95_milliseconds: 172_800_000,
        }),
        people: names.iter().map(person).collect(),
        alerts: vec![Alert::ManyRejections, Alert::SlowDecisions],
        ..report
    }
}

fn summary(report: &PeriodReport) -> Summary {
    let id = EventId::parse("01930000-0000-7000-8000-0000000000aa").unwrap();
    let link = Some("https://approvals.example.com/insights".to_owned());
    report::summary(id, &Origin::of(&DeploymentKey::new([7; 32])), report, link)
}

fn slack(report: &PeriodReport) -> Value {
    let webhook = SlackWebhook::parse("https://hooks.slack.com/services/T000/B000/0a1b2c3d").unwrap();
    serde_json::from_slice(&webhook.post(&summary(report)).body).unwrap()
}

fn teams(report: &PeriodReport) -> Value {
    let address = "https://prod-1.westeurope.logic.azure.com/workflows/a/triggers/b?sig=c";
    serde_json::from_slice(&TeamsWebhook::parse(address).unwrap().post(&summary(report)).body).unwrap()
}

/// All texts of a message, one after the other.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value) {
                ("text", Value::String(text)) => vec![text.clone()],
                (_, value) => texts(value),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_report_says_first_what_deserves_attention_and_then_all_figures() {
    let report = january(&["ann@example.com"]);
    let summary = summary(&report);
    assert_eq!(summary.title(), "[alert] Monthly report: 2026-01");
    assert_eq!(
        summary.notes,
        [
            "ALERT: 33.3 % of decisions were rejections: 10 of 30.",
            "ALERT: a decision took 1 d 1 h on average.",
            "Figures of all 4711 events of the audit log; days in UTC.",
        ]
    );
    let facts: Vec<_> = summary.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value)).collect();
    for fact in [
        "Requested: 40",
        "Approved: 20",
        "Rejected: 10",
        "Expired: 2",
        "Time to decide: 1 d 1 h on average, 4 s at least, 3 d at most, 95 of 100 within 2 d",
        "Waiting now: 4, the oldest for 1 d 2 h, since 2026-01-31 05:30 UTC: 01930000-0000-7000-8000-00000000beef",
        "Stuck runs: 0: executions of which nothing was heard",
        "Dead letters: 1 events, 12 deliveries, as of now",
    ] {
        assert!(facts.iter().any(|found| found == fact), "{fact}: {facts:?}");
    }
    for message in [slack(&report), teams(&report)] {
        let texts = texts(&message).join("\n");
        for part in
            ["Monthly report: 2026-01", "ann@example.com", "3 requested, 2 approved, 1 rejected", "/insights"]
        {
            assert!(texts.contains(part), "{part}: {texts}");
        }
    }
    let line = report::line(&summary);
    assert!(!line.contains('\n') && line.contains("ann@example.com: 3 requested"), "{line}");
}

#[test]
fn a_period_that_is_not_over_or_not_counted_says_so() {
    let report = PeriodReport { over: false, uncounted: 12, alerts: Vec::new(), ..january(&[]) };
    let summary = summary(&report);
    assert_eq!((summary.label, summary.table), (None, None));
    assert_eq!(
        summary.notes,
        [
            "The period is not over: its figures will grow.",
            "Figures of the first 4711 events of the audit log, 12 are not counted yet; days in UTC.",
        ]
    );
}

#[test]
fn names_mention_no_channel_and_make_no_lines_or_links_of_their_own() {
    let hostile = [
        "<!channel> <https://evil.example|click> & :tada:",
        "a\nRejected: 0\u{202e}",
        "[click](https://evil.example) *b* {{DATE(2026-01-31T00:00:00Z)}}",
    ];
    let report = january(&hostile);
    let slack = slack(&report);
    let shown = texts(&slack).join("\n");
    for part in ["<!channel>", "<https://evil", "\nRejected: 0", "\u{202e}"] {
        assert!(!shown.contains(part), "{part}: {shown}");
    }
    // Only our own link is formatted.
    let formatted: Vec<_> = slack["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|block| block["text"]["type"] == "mrkdwn")
        .collect();
    assert_eq!(formatted.len(), 1, "{formatted:?}");
    let teams = teams(&report);
    let shown = texts(&teams).join("\n");
    for part in ["\nRejected: 0", "\u{202e}", "{{DATE"] {
        assert!(!shown.contains(part), "{part}: {shown}");
    }
    let body = teams["attachments"][0]["content"]["body"].as_array().unwrap();
    let markdown: Vec<_> = body.iter().filter(|element| element["type"] == "TextBlock").collect();
    assert_eq!(markdown.len(), 1, "names stand in text runs: {markdown:?}");
    let line = report::line(&summary(&report));
    assert!(!line.contains(['\n', '\u{202e}']), "{line}");
}

#[test]
fn a_report_with_the_longest_names_fits() {
    let names: Vec<String> =
        (0..25).map(|number| format!("{number:0>64}@{}.example", "&".repeat(181))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let report = january(&names);
    let blocks = slack(&report)["blocks"].to_string();
    assert!(blocks.len() <= 13_000, "{}", blocks.len());
    let all = slack(&report);
    for text in texts(&all["blocks"]) {
        assert!(text.encode_utf16().count() <= 3_000, "{}", text.len());
    }
    assert!(all["blocks"].as_array().unwrap().len() <= 50);
    assert!(teams(&report).to_string().len() <= teams::MAX_BYTES);
}
