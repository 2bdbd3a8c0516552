//! `countersign webhooks`, of a running service.

use crate::Person;
use countersign_delivery::outcome::FailureClass;
use countersign_e2e::service::Service;
use serde_json::Value;

const URL: &str = "https://hooks.example.com/in";

fn admin(service: &Service) -> Person {
    Person::at(service.base(), Some(service.token("root@example.com", &["admin"])))
}

/// The id of a new webhook.
fn made(admin: &Person) -> String {
    let ended = admin.run(&["webhooks", "create", URL, "--json"]);
    let webhook: Value = serde_json::from_str(&ended.stdout).unwrap();
    webhook["webhook_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_secret_is_shown_once_with_what_that_means() {
    let service = Service::start();
    let admin = admin(&service);
    let created =
        admin.run(&["webhooks", "create", URL, "-m", "calendar", "--statuses", "approved,rejected"]);
    created.expect(0, "secret        whsec_");
    created.expect(0, "the only time that the secret is shown");
    created.expect(0, "statuses      approved, rejected");
    let id = created.stdout.lines().next().unwrap().to_owned();
    for words in [["webhooks", "show", &id], ["webhooks", "events", &id], ["webhooks", "enable", &id]] {
        let ended = admin.run(&words);
        ended.expect(0, "");
        assert!(!ended.stdout.contains("whsec_"), "{ended:?}");
    }
    let listed = admin.run(&["webhooks", "list"]);
    listed.expect(0, "1 webhook of at most 50");
    listed.expect(0, "enabled  calendar");
    assert!(!listed.stdout.contains("whsec_"), "{listed:?}");
    let rotated = admin.run(&["webhooks", "rotate", &id, "--overlap", "2d"]);
    rotated.expect(0, "secret        whsec_");
    rotated.expect(0, "old secret    ");
    admin.run(&["webhooks", "rotate", &id, "--overlap", "0"]).expect(0, "whsec_");
    admin.run(&["webhooks", "rotate", &id, "--overlap", "8d"]).expect(3, "overlap_seconds");
}

#[test]
fn a_webhook_is_named_by_the_beginning_of_its_id_and_changed_part_by_part() {
    let service = Service::start();
    let admin = admin(&service);
    let id = made(&admin);
    let beginning = &id[..30];
    let changed = admin.run(&["webhooks", "change", beginning, "--content", "thin", "--risk-levels", "high"]);
    changed.expect(0, "content       thin, as cloudevents");
    let headers = "{\"x-a\":\"s3cret\"}";
    let changed = admin.run(&["webhooks", "change", &id, "--headers", headers, "--clear", "risk_levels"]);
    changed.expect(0, "headers       x-a");
    assert!(!changed.stdout.contains("risk levels") && !changed.stdout.contains("s3cret"), "{changed:?}");
    admin.run(&["webhooks", "change", &id, "-m", "x", "--version", "1"]).expect(5, "version 3");
    admin
        .run(&["webhooks", "change", &id, "-m", "x", "--clear", "description"])
        .expect(2, "--clear: description");
    admin.run(&["webhooks", "show", "wh_ffff"]).expect(4, "no webhook has an id that begins with wh_ffff");
    made(&admin);
    admin.run(&["webhooks", "show", "wh_"]).expect(2, "2 webhooks have an id that begins with wh_");
    admin.run(&["webhooks", "create", "http://a.example.com/"]).expect(3, "url: must begin with https://");
    let stranger = Person::at(service.base(), Some(service.token("dev@example.com", &["developer"])));
    stranger.run(&["webhooks", "list"]).expect(3, "no policy permits `manage_webhooks` to group developer");
}

#[test]
fn a_test_fails_as_the_endpoint_does_and_deliveries_are_shown_and_sent_again() {
    let service = Service::start();
    let admin = admin(&service);
    let id = made(&admin);
    admin.run(&["webhooks", "test", &id]).expect(0, "outcome       taken");
    service.endpoint.fail(FailureClass::Timeout, None);
    admin.run(&["webhooks", "test", &id]).expect(1, "the endpoint did not take the message: timeout");
    let disabled = admin.run(&["webhooks", "disable", &id]);
    disabled.expect(0, "disabled by an operator");
    admin.run(&["webhooks", "test", &id]).expect(5, "the webhook is disabled; enable it first");
    admin.run(&["webhooks", "deliveries", &id]).expect(0, "0 deliveries shown");
    admin.run(&["webhooks", "enable", &id]).expect(0, "state         enabled");
    let from = ["--from", "2026-01-01T00:00:00Z"];
    admin
        .run(&[&["webhooks", "redeliver", &id], from.as_slice()].concat())
        .expect(0, "0 messages are sent again");
    admin.run(&["webhooks", "redeliver", &id]).expect(2, "--from");
    let unknown = ["--delivery", "01930000-0000-7000-8000-00000000beef"];
    admin.run(&[&["webhooks", "redeliver", &id], unknown.as_slice()].concat()).expect(4, "no such delivery");
    let trail = admin.run(&["webhooks", "events", &id]);
    trail.expect(0, "the trail is whole");
    trail.expect(0, "disabled  root@example.com");
    admin.run(&["webhooks", "delete", &id]).expect(0, "state         deleted");
    admin.run(&["webhooks", "show", &id]).expect(4, "no such webhook");
    admin.run(&["webhooks", "events", &id]).expect(0, "deleted  root@example.com");
}
