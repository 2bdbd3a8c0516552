//! /v1/webhooks and what is below it

use countersign_app::ports::{NewDelivery, Publish, PublishError, PutDelivery as _};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::outcome::FailureClass;
use countersign_delivery::state::Delivery;
use countersign_e2e::client::Client;
use countersign_e2e::endpoint::Sent;
use countersign_e2e::service::Service;
use countersign_webhook::secret::WebhookSecret;
use countersign_webhook::signature::{SignedHeaders, Unverified};
use serde_json::{Value, json};

const ALL: &str = "/v1/webhooks";
const URL: &str = "https://hooks.example.com/in";

fn admin(service: &Service) -> Client {
    service.person("root", &["admin"])
}

/// A webhook: its path and its secret.
fn made(admin: &Client, body: &Value) -> (String, String) {
    let answer = admin.post(ALL, body).expect(201);
    let path = format!("{ALL}/{}", answer["webhook_id"].as_str().unwrap());
    (path, answer["secret"].as_str().unwrap().to_owned())
}

fn signed(sent: &Sent) -> SignedHeaders {
    let value = |name: &str| sent.headers[name].clone();
    SignedHeaders {
        id: value("webhook-id"),
        timestamp: value("webhook-timestamp"),
        signature: value("webhook-signature"),
    }
}

fn verified(sent: &Sent, secret: &str) -> Result<(), Unverified> {
    signed(sent).verify(&sent.body, &WebhookSecret::parse(secret).unwrap(), sent.at)
}

/// Two events, on their way to the webhooks that take them.
fn happened(service: &Service) -> String {
    let path = Service::create(&service.requester("ann"), &Service::medium());
    Service::approve(&service.approver("bob"), &path).expect(200);
    service.deliver(&TakesAll);
    path
}

struct TakesAll;

impl Publish for TakesAll {
    async fn publish(&self, _: &CloudEvent) -> Result<(), PublishError> {
        Ok(())
    }
}

#[test]
fn a_webhook_shows_its_secret_once_and_values_of_headers_never() {
    let service = Service::start();
    let admin = admin(&service);
    let body = json!({
        "url": "https://Hooks.example.com:443/in?key=1", "description": "Change calendar",
        "events": ["APPROVAL_GRANTED"], "statuses": ["approved"], "risk_levels": ["high", "medium"],
        "environments": ["production"], "operations": ["modify_*"], "content": "thin", "format": "document",
        "headers": { "X-Gateway-Token": "s3cret" },
    });
    let answer = admin.post(ALL, &body);
    let location = answer.headers["location"].clone();
    let mut shown = answer.expect(201);
    assert_eq!(location, format!("{ALL}/{}", shown["webhook_id"].as_str().unwrap()));
    let secret = shown.as_object_mut().unwrap().remove("secret").unwrap();
    WebhookSecret::parse(secret.as_str().unwrap()).unwrap();
    for name in ["url", "description", "events", "statuses", "risk_levels", "environments", "operations"] {
        assert_eq!(shown[name], body[name], "{name}");
    }
    assert_eq!((&shown["content"], &shown["format"]), (&json!("thin"), &json!("document")));
    assert_eq!(shown["header_names"], json!(["x-gateway-token"]));
    assert_eq!((&shown["version"], &shown["enabled"]), (&json!(1), &json!(true)));
    assert_eq!(shown["created_by"], "root@example.com");
    assert_eq!(admin.get(&location).expect(200), shown);
    assert_eq!(admin.get(ALL).expect(200), json!({ "webhooks": [shown], "limit": 50 }));
    for path in [ALL.to_owned(), location.clone(), format!("{location}/events")] {
        let text = admin.get(&path).text;
        assert!(!text.contains("whsec_") && !text.contains("s3cret"), "{path}: {text}");
    }
    let defaults = admin.post(ALL, &json!({ "url": URL })).expect(201);
    for name in ["events", "statuses", "risk_levels", "environments", "operations", "header_names"] {
        assert_eq!(defaults[name], json!([]), "{name}");
    }
    assert_eq!((&defaults["content"], &defaults["format"]), (&json!("full"), &json!("cloudevents")));
    assert_eq!(admin.get(ALL).expect(200)["webhooks"].as_array().unwrap().len(), 2);
}

#[test]
fn nobody_but_who_may_manage_webhooks_does_or_sees_anything() {
    let service = Service::start();
    let (path, _) = made(&admin(&service), &json!({ "url": URL }));
    let event = "01930000-0000-7000-8000-00000000beef";
    let calls = [
        ("POST", ALL.to_owned(), json!({ "url": URL })),
        ("GET", ALL.to_owned(), Value::Null),
        ("GET", path.clone(), Value::Null),
        ("PATCH", path.clone(), json!({ "version": 1, "url": URL })),
        ("DELETE", path.clone(), Value::Null),
        ("POST", format!("{path}/rotate"), json!({})),
        ("POST", format!("{path}/enable"), Value::Null),
        ("POST", format!("{path}/disable"), Value::Null),
        ("POST", format!("{path}/test"), Value::Null),
        ("POST", format!("{path}/redeliver"), json!({ "from": "2026-01-01T00:00:00Z" })),
        ("GET", format!("{path}/deliveries"), Value::Null),
        ("GET", format!("{path}/logs"), Value::Null),
        ("POST", format!("{path}/deliveries/{event}/redeliver"), Value::Null),
        ("GET", format!("{path}/events"), Value::Null),
    ];
    let before = admin(&service).get(&path).expect(200);
    for (method, path, body) in &calls {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let send = |client: &Client| client.send(method, path, &[], &body).unwrap();
        send(&service.anonymous()).expect_problem(401, "unauthenticated");
        for group in ["developer", "approver", "auditor", "agent", "executor", "guest"] {
            let refused = send(&service.person("eve", &[group])).expect_problem(403, "not_permitted");
            assert_eq!(
                refused["reasons"],
                json!([format!("no policy permits `manage_webhooks` to group {group}")]),
                "{method} {path}"
            );
        }
    }
    assert_eq!(service.endpoint.take(), []);
    assert_eq!(admin(&service).get(&path).expect(200), before);
}

#[test]
fn every_rule_that_settings_break_is_named_where_they_break_it() {
    let service = Service::start();
    let admin = admin(&service);
    let pointers = |body: Value| -> Vec<String> {
        let refused = admin.post(ALL, &body).expect_problem(422, "validation_failed");
        let errors = refused["errors"].as_array().unwrap().iter();
        errors.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(pointers(json!({})), ["/url"]);
    let all = json!({
        "url": "http://hooks.example.com/", "description": "\u{202e}", "events": ["APPROVED", "APPROVAL_GRANTED"],
        "statuses": ["pending", "pending"], "risk_levels": ["extreme"], "environments": ["staging"],
        "operations": ["a b"], "content": "none", "format": "xml",
        "headers": { "Host": "a", "x-a": "b\n" }, "secret": "mine",
    });
    let expected = [
        "/content",
        "/description",
        "/environments/0",
        "/events/0",
        "/format",
        "/headers/Host",
        "/headers/x-a",
        "/operations/0",
        "/risk_levels/0",
        "/secret",
        "/statuses/1",
        "/url",
    ];
    assert_eq!(pointers(all), expected);
    for (name, value) in [
        ("events", json!("APPROVAL_GRANTED")),
        ("events", json!([1])),
        ("headers", json!(["x-a"])),
        ("headers", json!({ "x-a": 1 })),
        ("description", json!(null)),
        ("url", json!(1)),
    ] {
        let mut body = json!({ "url": URL });
        body[name] = value;
        assert_eq!(pointers(body), [format!("/{name}")]);
    }
    for url in [
        "http://hooks.example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://localhost/",
        "https://hooks.internal/",
        "https://user@hooks.example.com/",
        "https://hooks.example.com/#a",
        "https://hooks_example.com/",
        "https://hooks.example.com:8443/",
        "https://hooks.example.com./",
        "ftp://hooks.example.com/",
        "hooks.example.com",
    ] {
        assert_eq!(pointers(json!({ "url": url })), ["/url"], "{url}");
    }
    assert_eq!(admin.get(ALL).expect(200)["webhooks"], json!([]));
}

#[test]
fn a_change_names_the_version_and_leaves_what_it_does_not_name() {
    let service = Service::start();
    let admin = admin(&service);
    let body = json!({
        "url": URL, "description": "a", "statuses": ["approved"], "content": "thin",
        "headers": { "x-a": "b" },
    });
    let (path, secret) = made(&admin, &body);
    let change = |body: Value| admin.patch(&path, &body);
    let changed = change(json!({ "version": 1, "events": ["APPROVAL_GRANTED"] })).expect(200);
    assert_eq!((&changed["version"], &changed["statuses"]), (&json!(2), &json!(["approved"])));
    assert_eq!(changed["header_names"], json!(["x-a"]));
    for version in [1, 3] {
        let refused = change(json!({ "version": version, "description": "b" }));
        let refused = refused.expect_problem(409, "version_mismatch");
        assert_eq!(refused["detail"], "the webhook is at version 2");
    }
    for (body, pointer) in [
        (json!({ "description": "b" }), "/version"),
        (json!({ "version": 2, "url": null }), "/url"),
        (json!({ "version": 2, "url": "https://10.0.0.1/" }), "/url"),
        (json!({ "version": 2, "secret": "mine" }), "/secret"),
        (json!({ "version": 2, "enabled": false }), "/enabled"),
        (json!({ "version": 2, "operations": [""] }), "/operations/0"),
    ] {
        let refused = change(body).expect_problem(422, "validation_failed");
        assert_eq!(refused["errors"][0]["pointer"], pointer);
    }
    let cleared = json!({
        "version": 2, "description": null, "events": null, "statuses": null, "content": null, "headers": null,
    });
    let changed = change(cleared).expect(200);
    assert_eq!(changed["version"], 3);
    assert_eq!(changed.get("description"), None);
    for name in ["events", "statuses", "header_names"] {
        assert_eq!(changed[name], json!([]), "{name}");
    }
    assert_eq!(changed["content"], "full");
    let same = change(json!({ "version": 3, "url": URL })).expect(200);
    assert_eq!(same["version"], 3, "what changes nothing is no change");
    let moved = change(json!({ "version": 3, "url": "https://other.example.com/" })).expect(200);
    assert_eq!(moved["url"], "https://other.example.com/");
    admin.command(&format!("{path}/test")).expect(200);
    let sent = service.endpoint.take();
    assert_eq!(sent[0].url, "https://other.example.com/");
    verified(&sent[0], &secret).unwrap();
}

#[test]
fn a_rotation_has_both_secrets_sign_for_its_overlap() {
    let service = Service::start();
    let admin = admin(&service);
    let (path, first) = made(&admin, &json!({ "url": URL }));
    let secret = |answer: Value| answer["secret"].as_str().unwrap().to_owned();
    let rotated = admin.command(&format!("{path}/rotate")).expect(200);
    assert_eq!((&rotated["secret_generation"], &rotated["version"]), (&json!(2), &json!(2)));
    let until = rotated["previous_secret_until"].as_str().unwrap();
    assert_eq!(Timestamp::parse(until).unwrap(), service.now().plus_seconds(24 * 60 * 60));
    let second = secret(rotated);
    let verify = |secrets: [(&str, bool); 3]| {
        admin.command(&format!("{path}/test")).expect(200);
        let sent = service.endpoint.take();
        for (secret, is_good) in secrets {
            assert_eq!(verified(&sent[0], secret).is_ok(), is_good);
        }
    };
    let stranger = WebhookSecret::new([1; 32]).reveal();
    verify([(&first, true), (&second, true), (&stranger, false)]);
    service.host.advance_milliseconds(24 * 60 * 60 * 1000);
    verify([(&first, false), (&second, true), (&stranger, false)]);
    assert_eq!(admin.get(&path).expect(200).get("previous_secret_until"), None);
    let at_once = admin.post(&format!("{path}/rotate"), &json!({ "overlap_seconds": 0 })).expect(200);
    let third = secret(at_once);
    verify([(&second, false), (&third, true), (&first, false)]);
    for seconds in [json!(604_801), json!(-1), json!("60"), json!(1.5), json!(null)] {
        let refused = admin.post(&format!("{path}/rotate"), &json!({ "overlap_seconds": seconds }));
        let refused = refused.expect_problem(422, "validation_failed");
        assert_eq!(refused["errors"][0]["pointer"], "/overlap_seconds");
    }
    admin.post(&format!("{path}/rotate"), &json!({ "overlap_seconds": 604_800 })).expect(200);
}

#[test]
fn fifty_webhooks_are_the_most() {
    let service = Service::start();
    let admin = admin(&service);
    let paths: Vec<_> = (0..50).map(|_| made(&admin, &json!({ "url": URL })).0).collect();
    admin.post(ALL, &json!({ "url": URL })).expect_problem(409, "webhook_limit");
    admin.delete(&paths[7]).expect(200);
    admin.post(ALL, &json!({ "url": URL })).expect(201);
    admin.post(ALL, &json!({ "url": URL })).expect_problem(409, "webhook_limit");
    assert_eq!(admin.get(ALL).expect(200)["webhooks"].as_array().unwrap().len(), 50);
}

#[test]
fn a_disabled_webhook_takes_nothing_and_what_it_missed_comes_when_it_is_asked_for() {
    let service = Service::start();
    let admin = admin(&service);
    let (path, secret) = made(&admin, &json!({ "url": URL }));
    let disabled = admin.command(&format!("{path}/disable")).expect(200);
    assert_eq!((&disabled["enabled"], &disabled["disabled_reason"]), (&json!(false), &json!("operator")));
    assert_eq!(admin.command(&format!("{path}/disable")).expect(200), disabled);
    happened(&service);
    service.call_webhooks();
    assert_eq!(service.endpoint.take(), []);
    let log = admin.get(&format!("{path}/deliveries")).expect(200);
    let statuses: Vec<_> = log["deliveries"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, ["skipped", "skipped"]);
    let of_one =
        format!("{path}/deliveries/{}/redeliver", log["deliveries"][0]["delivery_id"].as_str().unwrap());
    let range = json!({ "from": "2026-01-01T00:00:00Z" });
    admin.command(&format!("{path}/test")).expect_problem(409, "webhook_disabled");
    admin.post(&format!("{path}/redeliver"), &range).expect_problem(409, "webhook_disabled");
    admin.command(&of_one).expect_problem(409, "webhook_disabled");
    let enabled = admin.command(&format!("{path}/enable")).expect(200);
    assert_eq!((&enabled["enabled"], enabled.get("disabled_at")), (&json!(true), None));
    service.call_webhooks();
    assert_eq!(service.endpoint.take(), []);
    let redelivered = admin.post(&format!("{path}/redeliver"), &range).expect(200);
    assert_eq!(redelivered, json!({ "redelivered": 2, "next": null }));
    service.call_webhooks();
    let sent = service.endpoint.take();
    assert_eq!(sent.len(), 2);
    sent.iter().for_each(|sent| verified(sent, &secret).unwrap());
    let again = admin.post(&format!("{path}/redeliver"), &range).expect(200);
    assert_eq!(again["redelivered"], 0, "only what is dead or was skipped");
}

#[test]
fn a_test_says_what_the_endpoint_answered_and_changes_no_log() {
    let service = Service::start();
    let admin = admin(&service);
    let (path, secret) = made(&admin, &json!({ "url": URL, "headers": { "x-a": "b" } }));
    let taken = admin.command(&format!("{path}/test")).expect(200);
    assert_eq!((&taken["status"], taken.get("failure")), (&json!(204), None));
    assert!(taken["milliseconds"].is_u64());
    let sent = service.endpoint.take().remove(0);
    verified(&sent, &secret).unwrap();
    assert_eq!(sent.headers["webhook-id"], taken["event_id"].as_str().unwrap());
    assert_eq!((sent.url.as_str(), sent.headers["x-a"].as_str()), (URL, "b"));
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["type"], "countersign.webhook.ping.v1");
    for (class, status) in [(FailureClass::Gone, Some(410)), (FailureClass::Timeout, None)] {
        service.endpoint.fail(class, status);
        let failed = admin.command(&format!("{path}/test")).expect(200);
        assert_eq!(failed["failure"], class.as_str());
        assert_eq!(failed.get("status"), status.map(|status| json!(status)).as_ref());
    }
    assert_eq!(admin.get(&path).expect(200)["enabled"], true, "a test disables nothing");
    assert_eq!(admin.get(&format!("{path}/deliveries")).expect(200)["deliveries"], json!([]));
}

#[test]
fn the_log_has_each_delivery_and_any_of_them_can_begin_anew() {
    let service = Service::start();
    let admin = admin(&service);
    let (path, _) = made(&admin, &json!({ "url": URL, "events": ["APPROVAL_GRANTED"] }));
    for _ in 0..3 {
        happened(&service);
        service.host.advance_milliseconds(60_000);
    }
    service.endpoint.fail(FailureClass::Refused, Some(500));
    service.call_webhooks();
    assert_eq!(service.endpoint.take().len(), 3);
    let log = admin.get(&format!("{path}/deliveries")).expect(200);
    assert_eq!(admin.get(&format!("{path}/logs")).expect(200), log);
    let deliveries = log["deliveries"].as_array().unwrap();
    assert_eq!((deliveries.len(), &log["next"]), (3, &Value::Null));
    assert!(deliveries.is_sorted_by(|a, b| a["created_at"].as_str() >= b["created_at"].as_str()));
    for delivery in deliveries {
        assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("waiting"), &json!(1)));
        let attempt = &delivery["last_attempt"];
        assert_eq!((&attempt["status"], &attempt["failure"]), (&json!(500), &json!("refused")));
        assert_eq!(attempt["host"], "hooks.example.com");
    }
    let page = |query: &str| admin.get(&format!("{path}/deliveries?{query}")).expect(200);
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let part = page(&format!("limit=1{after}"));
        seen.extend(part["deliveries"].as_array().unwrap().clone());
        match part["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(&seen, deliveries);
    assert_eq!(page("status=delivered")["deliveries"], json!([]));
    assert_eq!(page("status=waiting,dead")["deliveries"].as_array().unwrap().len(), 3);
    assert_eq!(page("to=2025-01-01T00:00:00Z")["deliveries"], json!([]));
    for query in ["status=superseded", "limit=0", "limit=201", "from=yesterday", "after=x", "page=2"] {
        let refused = admin.get(&format!("{path}/deliveries?{query}"));
        refused.expect_problem(422, "validation_failed");
    }
    // A page that goes on after an event of another time begins at the beginning, or is empty.
    let before = "limit=1&after=00000000-0000-7000-8000-000000000000";
    assert_eq!(page(before)["deliveries"], json!([]));
    let beyond = "after=ffffffff-ffff-7fff-bfff-ffffffffffff";
    assert_eq!(page(beyond)["deliveries"].as_array().unwrap().len(), 3);
    service.endpoint.recover();
    let id = deliveries[1]["delivery_id"].as_str().unwrap();
    let one = admin.command(&format!("{path}/deliveries/{id}/redeliver")).expect(200);
    assert_eq!((&one["delivery_id"], &one["round"]), (&json!(id), &json!(2)));
    assert_eq!((&one["status"], &one["attempts"]), (&json!("waiting"), &json!(0)));
    service.call_webhooks();
    let sent = service.endpoint.take();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].headers["webhook-id"], id);
    let delivered = page("status=delivered");
    assert_eq!(delivered["deliveries"][0]["delivery_id"], id);
    let all = json!({ "from": "2026-01-01T00:00:00Z", "statuses": ["waiting", "delivered"] });
    assert_eq!(admin.post(&format!("{path}/redeliver"), &all).expect(200)["redelivered"], 3);
    let unknown = format!("{path}/deliveries/01930000-0000-7000-8000-00000000beef/redeliver");
    admin.command(&unknown).expect_problem(404, "not_found");
    for body in [
        json!({}),
        json!({ "from": "2026-01-01" }),
        json!({ "from": "2026-01-01T00:00:00Z", "statuses": ["superseded"] }),
    ] {
        admin.post(&format!("{path}/redeliver"), &body).expect_problem(422, "validation_failed");
    }
}

#[test]
fn a_thousand_deliveries_begin_anew_in_one_call_and_the_rest_in_the_next() {
    let service = Service::start();
    let admin = admin(&service);
    let (path, _) = made(&admin, &json!({ "url": URL }));
    let destination = DestinationId::webhook(path.strip_prefix("/v1/webhooks/").unwrap()).unwrap();
    let event = |number: usize| EventId::parse(&format!("019b76da-a800-7000-8000-{number:012x}")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for number in 0..1203 {
        let (destination, request) = (destination.clone(), RequestId::parse(&event(0).to_string()).unwrap());
        let kind = EventType::CommentAdded;
        let made = Delivery::new(destination, event(number), request, Some(1), kind, service.now());
        let delivery = if number % 400 == 0 { made } else { made.skip() };
        let new = NewDelivery { delivery: &delivery, document: "none", seal: None };
        assert!(runtime.block_on(service.deliveries().put_new(new)).unwrap());
    }
    let redeliver = |after: Value| {
        let mut body = json!({ "from": "2026-01-01T00:00:00Z" });
        if !after.is_null() {
            body["after"] = after;
        }
        admin.post(&format!("{path}/redeliver"), &body).expect(200)
    };
    let first = redeliver(Value::Null);
    assert_eq!(first["redelivered"], 1000);
    let rest = redeliver(first["next"].clone());
    assert_eq!(rest, json!({ "redelivered": 199, "next": null }), "all but the four that waited");
    assert_eq!(redeliver(Value::Null)["redelivered"], 0);
    let trail = admin.get(&format!("{path}/events")).expect(200);
    let counts: Vec<_> =
        trail["events"].as_array().unwrap()[1..].iter().map(|it| &it["change"]["deliveries"]).collect();
    assert_eq!(counts, [1000, 199]);
}

#[test]
fn of_a_deleted_webhook_its_trail_and_its_log_are_left() {
    let service = Service::start();
    let admin = admin(&service);
    let body = json!({ "url": "https://hooks.example.com/secret-path", "headers": { "x-a": "s3cret" } });
    let (path, _) = made(&admin, &body);
    happened(&service);
    service.call_webhooks();
    assert_eq!(service.endpoint.take().len(), 2);
    happened(&service);
    let deleted = admin.delete(&path).expect(200);
    assert_eq!(deleted["deleted_at"].as_str(), Some(service.now().to_string()).as_deref());
    assert_eq!(
        (&deleted["url"], &deleted["header_names"]),
        (&json!("https://hooks.example.com/"), &json!([]))
    );
    assert_eq!(deleted["enabled"], false);
    service.call_webhooks();
    assert_eq!(service.endpoint.take(), [], "what waited is not delivered");
    for (method, path) in [
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("POST", format!("{path}/rotate")),
        ("POST", format!("{path}/enable")),
        ("POST", format!("{path}/disable")),
        ("POST", format!("{path}/test")),
    ] {
        admin.send(method, &path, &[], b"").unwrap().expect_problem(404, "not_found");
    }
    admin.patch(&path, &json!({ "version": 2 })).expect_problem(404, "not_found");
    let range = json!({ "from": "2026-01-01T00:00:00Z" });
    admin.post(&format!("{path}/redeliver"), &range).expect_problem(404, "not_found");
    assert_eq!(admin.get(ALL).expect(200)["webhooks"], json!([]));
    let log = admin.get(&format!("{path}/deliveries")).expect(200);
    assert_eq!(log["deliveries"].as_array().unwrap().len(), 4);
    let trail = admin.get(&format!("{path}/events")).expect(200);
    assert_eq!(
        (&trail["verified"], &trail["events"][1]["change"]["type"]),
        (&json!(true), &json!("deleted"))
    );
    let stored = service.webhook_items();
    assert!(!stored.contains("secret-path") && !stored.contains("s3cret"));
}

#[test]
fn the_trail_says_who_changed_what() {
    let service = Service::start();
    let (admin, other) = (admin(&service), service.person("olga", &["admin"]));
    let (path, _) = made(&admin, &json!({ "url": "https://hooks.example.com/secret" }));
    other
        .patch(&path, &json!({ "version": 1, "url": "https://b.example.com/", "content": "thin" }))
        .expect(200);
    other.command(&format!("{path}/rotate")).expect(200);
    other.command(&format!("{path}/disable")).expect(200);
    other.command(&format!("{path}/enable")).expect(200);
    service.endpoint.fail(FailureClass::Refused, Some(500));
    other.command(&format!("{path}/test")).expect(200);
    let trail = admin.get(&format!("{path}/events")).expect(200);
    let events = trail["events"].as_array().unwrap();
    let changes: Vec<_> = events.iter().map(|event| &event["change"]).collect();
    let expected = json!([
        { "type": "created", "host": "hooks.example.com" },
        { "type": "changed", "members": ["url", "content"], "host": "b.example.com" },
        { "type": "rotated", "generation": 2, "overlap_seconds": 86_400 },
        { "type": "disabled", "reason": "operator" },
        { "type": "enabled" },
        { "type": "tested", "status": 500, "failure": "refused" },
    ]);
    assert_eq!(json!(changes), expected);
    let actors: Vec<_> = events.iter().map(|event| event["actor"].as_str().unwrap()).collect();
    assert_eq!(actors[..2], ["root@example.com", "olga@example.com"]);
    assert_eq!(trail["verified"], true);
    assert_eq!(trail.get("findings"), None);
}

#[test]
fn an_id_that_is_none_is_refused_before_anything_else() {
    let service = Service::start();
    let admin = admin(&service);
    let id = "wh_01930000-0000-7000-8000-00000000beef";
    for wrong in ["1", "wh_", "01930000-0000-7000-8000-00000000beef", &id.to_uppercase(), "wh_%20"] {
        admin.get(&format!("{ALL}/{wrong}")).expect_problem(400, "malformed_id");
        admin.patch(&format!("{ALL}/{wrong}"), &json!({})).expect_problem(400, "malformed_id");
    }
    for end in ["", "/deliveries", "/events"] {
        admin.get(&format!("{ALL}/{id}{end}")).expect_problem(404, "not_found");
    }
    let (path, _) = made(&admin, &json!({ "url": URL }));
    admin.command(&format!("{path}/deliveries/1/redeliver")).expect_problem(400, "malformed_id");
    for (method, path) in
        [("PUT", path.clone()), ("DELETE", ALL.to_owned()), ("GET", format!("{path}/rotate"))]
    {
        admin.send(method, &path, &[], b"").unwrap().expect_problem(405, "method_not_allowed");
    }
}
