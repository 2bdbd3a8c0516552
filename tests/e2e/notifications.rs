//! /v1/me/notifications, who would hear of a request, and how many hear of its creation

use crate::policy::policy_with;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const MINE: &str = "/v1/me/notifications";
const FILE: &str = r#"
[destinations.mail]
kind = "email"
from = "countersign@example.com"
transport = "smtp"
host = "mail.example.com"
[destinations.dm]
kind = "slack_bot"
token = "env:BOT"
[destinations.team]
kind = "slack_bot"
token = "env:BOT"
channel = "C0123456789"
[groups.approver]
members = ["bob@example.com", "carol@example.com", "ann@example.com"]
[routes.approvals]
to = ["approvers"]
via = ["mail", "team"]
[fallback]
to = ["person:head@example.com"]
via = ["mail"]
[reminders.soon]
before_expiry_seconds = [3600]
[escalations.late]
priority = "P2"
after_seconds = 600
to = ["group:approver"]
via = ["mail"]
[defaults]
channels = ["mail"]
quiet_hours = [{ days = ["sat", "sun"], from = "00:00", to = "24:00", zone = "Europe/Vienna" }]
"#;

fn service_with(file: &str) -> Service {
    let mut service = Service::start();
    service.notify_by_text(file);
    service
}

#[test]
fn a_person_reads_and_says_how_they_want_to_hear() {
    let service = service_with(FILE);
    let bob = service.approver("bob");
    let weekend =
        json!([{ "days": ["saturday", "sunday"], "from": "00:00", "to": "24:00", "zone": "Europe/Vienna" }]);
    let by_default = json!({
        "version": 0,
        "said": {},
        "in_force": {
            "channels": ["mail"], "channels_chosen": false, "quiet_hours": weekend, "muted_events": [],
        },
        "available_channels": [{ "name": "dm", "kind": "slack_bot" }, { "name": "mail", "kind": "email" }],
    });
    assert_eq!(bob.get(MINE).expect(200), by_default);
    let hours = json!([{ "days": ["monday"], "from": "18:00", "to": "08:00" }]);
    let digest = json!({ "period": "daily", "at": "08:00", "zone": "Europe/Vienna" });
    let body = json!({
        "version": 0, "channels": ["dm"], "quiet_hours": hours, "muted_events": ["COMMENT_ADDED"], "digest": digest,
    });
    let said = bob.put(MINE, &body).expect(200);
    assert_eq!((&said["version"], &said["said"]["quiet_hours"]), (&json!(1), &hours), "{said}");
    assert_eq!(said["in_force"]["channels"], json!(["dm"]));
    assert_eq!(said["in_force"]["channels_chosen"], true);
    assert_eq!(said["in_force"]["digest"], digest);
    assert_eq!(said["in_force"]["quiet_hours"][0]["zone"], "UTC");
    assert_eq!(bob.get(MINE).expect(200), said);
    // A lost answer is got by asking again.
    assert_eq!(bob.put(MINE, &body).expect(200), said);
    // By whichever of their programs: what another has changed meanwhile is not lost.
    let other = json!({ "version": 0, "channels": ["mail"] });
    let refused = bob.put(MINE, &other).expect_problem(409, "version_mismatch");
    assert!(refused["detail"].as_str().unwrap().contains("version 1"), "{refused}");
    assert_eq!(bob.get(MINE).expect(200), said);
    // What is left out or null is as the file has it again.
    let reset = bob.put(MINE, &json!({ "version": 1, "channels": null })).expect(200);
    assert_eq!(reset["in_force"], by_default["in_force"]);
    assert_eq!((&reset["version"], &reset["said"]), (&json!(2), &json!({})));
    // Carol has said nothing.
    assert_eq!(service.approver("carol").get(MINE).expect(200), by_default);
}

#[test]
fn every_member_that_breaks_a_rule_is_named() {
    let service = service_with(FILE);
    let bob = service.approver("bob");
    let body = json!({
        "version": -1, "channels": ["team"], "quiet_hours": [{ "from": "9", "to": "10" }], "muted_events": ["X"],
        "digest": "on", "person": "carol@example.com",
    });
    let refused = bob.put(MINE, &body).expect_problem(422, "validation_failed");
    let pointers: Vec<_> =
        refused["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    let all = ["/channels", "/digest", "/muted_events", "/person", "/quiet_hours", "/version"];
    assert_eq!(pointers, all.map(|pointer| json!(pointer)));
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("dm, mail"), "{refused}");
    let refused = bob.put(MINE, &json!({})).expect_problem(422, "validation_failed");
    assert_eq!(refused["errors"], json!([{ "pointer": "/version", "message": "is required" }]));
    bob.get(&format!("{MINE}?version=1")).expect_problem(422, "validation_failed");
    assert_eq!(bob.get(MINE).expect(200)["version"], 0);
}

#[test]
fn only_people_have_settings_and_only_where_messages_are_sent() {
    let service = service_with(FILE);
    let program = service.program("deploy-bot", &["agent"]);
    program.get(MINE).expect_problem(403, "people_only");
    program.put(MINE, &json!({ "version": 0 })).expect_problem(403, "people_only");
    service.anonymous().get(MINE).expect_problem(401, "unauthenticated");
    let service = Service::start();
    let bob = service.approver("bob");
    bob.get(MINE).expect_problem(409, "not_configured");
    bob.put(MINE, &json!({ "version": 0 })).expect_problem(409, "not_configured");
    let path = Service::create(&service.requester("ann"), &Service::high());
    bob.get(&format!("{path}/notifies")).expect_problem(409, "not_configured");
}

#[test]
fn a_destination_that_the_file_has_no_more_is_ignored_and_said() {
    let mut service = service_with(FILE);
    let bob = service.approver("bob");
    bob.put(MINE, &json!({ "version": 0, "channels": ["dm"] })).expect(200);
    let without = FILE.replace("[destinations.dm]\nkind = \"slack_bot\"\ntoken = \"env:BOT\"\n", "");
    assert_ne!(without, FILE);
    service.notify_by_text(&without);
    let mine = bob.get(MINE).expect(200);
    assert_eq!(
        (&mine["said"]["channels"], &mine["in_force"]["channels"]),
        (&json!(["dm"]), &json!(["mail"]))
    );
    assert_eq!(mine["ignored"][0]["pointer"], "/channels");
    assert!(mine["ignored"][0]["message"].as_str().unwrap().ends_with(": dm"), "{mine}");
}

fn notifies(people: u64, destinations: u64) -> Value {
    json!({ "people": people, "destinations": destinations })
}

#[test]
fn create_and_simulate_say_how_many_hear_of_it() {
    let service = service_with(FILE);
    let ann = service.requester("ann");
    // Bob and carol, and not ann, who asks.
    let simulated = ann.post("/v1/approvals/simulate", &Service::high()).expect(200);
    assert_eq!(simulated["notifies"], notifies(2, 2), "{simulated}");
    let created = ann.post_with_key("/v1/approvals", &Service::high(), "one").expect(201);
    assert_eq!(created["notifies"], simulated["notifies"]);
    assert_eq!(
        ann.post_with_key("/v1/approvals", &Service::high(), "one").expect(200)["notifies"],
        notifies(2, 2)
    );
    // In that answer alone.
    let path = format!("/v1/approvals/{}", created["request_id"].as_str().unwrap());
    assert_eq!(ann.get(&path).expect(200).get("notifies"), None);
    let mut refused = Service::high();
    refused["risk_level"] = json!("low");
    refused["justification"] = json!("x");
    refused["execute_at"] = json!("2020-01-01T00:00:00Z");
    let simulated = ann.post("/v1/approvals/simulate", &refused).expect(200);
    assert_eq!(
        (&simulated["permitted"], &simulated["notifies"]),
        (&json!(false), &notifies(0, 0)),
        "{simulated}"
    );
    let mut original = Service::medium();
    original["operation"] = json!("create_request");
    assert_eq!(ann.post("/approvals", &original).expect(201)["notifies"], notifies(2, 2));

    let service = Service::start();
    let ann = service.requester("ann");
    for path in ["/v1/approvals", "/v1/approvals/simulate"] {
        assert_eq!(ann.post(path, &Service::high()).body.get("notifies"), None, "{path}");
    }
}

#[test]
fn a_preview_says_who_hears_by_what_why_and_when() {
    let service = service_with(FILE);
    let path = Service::create(&service.requester("ann"), &Service::high());
    service.approver("bob").put(MINE, &json!({ "version": 0, "channels": ["dm"] })).expect(200);
    let quiet = json!([{ "from": "00:00", "to": "12:00" }]);
    service.approver("carol").put(MINE, &json!({ "version": 0, "quiet_hours": quiet })).expect(200);
    let preview = service.approver("bob").get(&format!("{path}/notifies")).expect(200);
    assert_eq!(preview["request_id"], Service::id(&path));
    assert_eq!((&preview["status"], &preview["priority"]), (&json!("pending"), &json!("P2")));
    assert_eq!(preview["no_approver_found"], false);
    let occasions = preview["occasions"].as_array().unwrap();
    let kinds: Vec<_> = occasions.iter().map(|it| (it["occasion"].clone(), it["name"].clone())).collect();
    let named = |occasion: &str, name: Value| (json!(occasion), name);
    assert_eq!(
        kinds,
        [named("now", Value::Null), named("escalation", json!("late")), named("reminder", json!("soon"))]
    );
    let messages = occasions[0]["messages"].as_array().unwrap();
    let shown: Vec<_> = messages
        .iter()
        .map(|it| {
            assert_eq!(it["why"], "asks", "{it}");
            (it["destination"].as_str().unwrap(), it["recipient"].as_str().unwrap(), it["people"].clone())
        })
        .collect();
    let (bob, carol) = ("bob@example.com", "carol@example.com");
    assert_eq!(
        shown,
        [
            ("dm", "person", json!([bob])),
            ("mail", "person", json!([carol])),
            ("team", "shared", json!([bob, carol])),
        ]
    );
    // Urgent: a high risk in production waits for no quiet hours.
    assert!(messages.iter().all(|it| it["when"] == "at_once"), "{preview}");
    // No addresses but the ids of people, and no secret.
    assert!(
        !preview.to_string().contains("C0123456789") && !preview.to_string().contains("BOT"),
        "{preview}"
    );

    let path = Service::create(&service.requester("dan"), &Service::medium());
    let preview = service.approver("bob").get(&format!("{path}/notifies")).expect(200);
    let to_carol = preview["occasions"][0]["messages"].as_array().unwrap();
    let to_carol = to_carol.iter().find(|it| it["people"] == json!([carol])).unwrap();
    assert_eq!(to_carol["when"], "after_quiet_hours", "{preview}");
    assert!(to_carol["not_before"].as_str().unwrap().contains("T12:00:00"), "{preview}");
}

#[test]
fn a_preview_follows_the_request_and_is_for_those_who_may_read_it() {
    let service = service_with(FILE);
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    let preview = format!("{path}/notifies");
    service.requester("eve").get(&preview).expect_problem(404, "not_found");
    service.anonymous().get(&preview).expect_problem(401, "unauthenticated");
    let auditor = service.person("aud", &["auditor"]);
    auditor.get(&preview).expect(200);
    // Who sees the request without its parameters does not see who is asked.
    let forbid = "@id(\"blind\") forbid (principal in Group::\"auditor\", action == Action::\"view_parameters\", resource);";
    service.replace_policy(policy_with("", "", forbid));
    assert_eq!(auditor.get(&path).expect(200).get("parameters"), None);
    auditor.get(&preview).expect_problem(403, "not_permitted");
    ann.get(&format!("{preview}?all=true")).expect_problem(422, "validation_failed");
    ann.get("/v1/approvals/1/notifies").expect_problem(400, "malformed_id");
    service
        .approver("bob")
        .post(&format!("{path}/reject"), &json!({ "reason": "not now, sorry" }))
        .expect(200);
    let rejected = ann.get(&preview).expect(200);
    let occasions = rejected["occasions"].as_array().unwrap();
    assert_eq!(occasions.len(), 1, "{rejected}");
    let messages = occasions[0]["messages"].as_array().unwrap();
    let outcome: Vec<_> = messages.iter().filter(|it| it["why"] == "outcome").collect();
    assert_eq!(outcome.len(), 1, "{rejected}");
    assert_eq!(outcome[0]["people"], json!(["ann@example.com"]));

    let unstaffed =
        service_with(&FILE.replace("members = [\"bob@example.com\", \"carol@example.com\", ", "members = ["));
    let ann = unstaffed.requester("ann");
    let path = Service::create(&ann, &Service::high());
    let preview = ann.get(&format!("{path}/notifies")).expect(200);
    assert_eq!(preview["no_approver_found"], true, "{preview}");
    assert_eq!(preview["occasions"][0]["messages"][0]["people"], json!(["head@example.com"]));
}
