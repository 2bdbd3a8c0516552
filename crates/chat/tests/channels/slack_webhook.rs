//! Incoming webhooks of Slack: which addresses they have and what they answer.

use crate::events::{answer, body, class, full, slow, summary};
use countersign_chat::slack_webhook::{SlackWebhook, outcome};
use countersign_delivery::outcome::{FailureClass, Outcome};
use std::time::Duration;

const URL: &str = "https://hooks.slack.com/services/T000/B000/s3cret";

#[test]
fn only_the_addresses_of_slack_are_taken() {
    for url in
        [URL, "https://hooks.slack-gov.com/services/T/B/x", "https://HOOKS.slack.com:443/services/T/B/x"]
    {
        assert!(SlackWebhook::parse(url).is_ok(), "{url}");
    }
    for url in [
        "",
        "http://hooks.slack.com/services/T/B/x",
        "https://hooks.slack.com/",
        "https://hooks.slack.com/services/",
        "https://hooks.slack.com/triggers/T/1/x",
        "https://hooks.slack.com:8443/services/T/B/x",
        "https://hooks.slack.com.evil.example/services/T/B/x",
        "https://evil.example/hooks.slack.com/services/T/B/x",
        "https://a@hooks.slack.com/services/T/B/x",
        "https://slack.com/services/T/B/x",
    ] {
        assert!(SlackWebhook::parse(url).is_err(), "{url}");
    }
}

#[test]
fn a_call_has_no_token_and_names_no_channel() {
    let call = SlackWebhook::parse(URL).unwrap().post(&summary(full()));
    assert_eq!(call.url.expose().as_str(), URL);
    let headers: Vec<_> = call.headers.iter().map(|(name, value)| (*name, value.expose())).collect();
    assert_eq!(headers, [("content-type", "application/json; charset=utf-8")]);
    let document = body(&call);
    let mut names: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["blocks", "mrkdwn", "text", "unfurl_links", "unfurl_media"]);
    assert!(!format!("{call:?}").contains("s3cret"));
}

#[test]
fn an_answer_means_this() {
    let delivered = Outcome::Delivered { status: Some(200), reference: None };
    assert_eq!(outcome(&answer(200, "ok")), delivered);
    assert_eq!(outcome(&answer(200, "ok\n")), delivered);
    for (status, text, expected) in [
        (200, "", FailureClass::Refused),
        (200, "<html>ok</html>", FailureClass::Refused),
        (302, "", FailureClass::Refused),
        (400, "invalid_payload", FailureClass::Refused),
        (400, "invalid_blocks", FailureClass::Refused),
        (400, "user_not_found", FailureClass::Refused),
        (400, "something_new", FailureClass::Refused),
        (403, "action_prohibited", FailureClass::Credentials),
        (403, "invalid_token", FailureClass::Credentials),
        (403, "something_new", FailureClass::Credentials),
        (404, "no_service", FailureClass::Gone),
        (403, "no_service", FailureClass::Gone),
        (404, "no_active_hooks", FailureClass::Gone),
        (404, "channel_not_found", FailureClass::Gone),
        (404, "user_not_found", FailureClass::Refused),
        (404, "", FailureClass::Gone),
        (410, "channel_is_archived", FailureClass::Gone),
        (429, "", FailureClass::Overloaded),
        (429, "invalid_payload", FailureClass::Overloaded),
        (500, "rollup_error", FailureClass::Overloaded),
        (500, "", FailureClass::Overloaded),
        (503, "<html>away</html>", FailureClass::Overloaded),
    ] {
        assert_eq!(class(&outcome(&answer(status, text))), expected, "{status} {text}");
    }
}

#[test]
fn an_answer_says_when_to_come_back_and_repeats_no_sentence() {
    let Outcome::Failed(failure) = outcome(&slow(429, "please wait, ann@example.com")) else { panic!() };
    assert_eq!(failure.retry_after, Some(Duration::from_secs(30)));
    assert_eq!((failure.status, failure.detail.as_str()), (Some(429), "Slack answered 429"));
    let Outcome::Failed(failure) = outcome(&answer(404, "no_service")) else { panic!() };
    assert_eq!((failure.retry_after, failure.detail.as_str()), (None, "Slack answered 404: no_service"));
}
