//! What policy lets an anomaly do to the requests of a person: one level of risk more, for some time, and never less.

use crate::policy::policy_with;
use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const HOUR: i64 = 60 * 60 * 1000;

/// Five refused attempts of dora, looked at.
fn refused(service: &Service) -> Client {
    let dora = service.person("dora", &["developer", "approver"]);
    let path = Service::create(&dora, &Service::high());
    for _ in 0..5 {
        Service::approve(&dora, &path).expect_problem(403, "self_approval");
    }
    dora.post(&format!("{path}/cancel"), &json!({})).expect(200);
    service.seal().unwrap();
    let report = service.detect().unwrap();
    assert_eq!(report.found.len(), 1, "{report:?}");
    dora
}

fn made(client: &Client, body: &Value) -> (String, u64, Option<String>) {
    let simulated = client.post("/v1/approvals/simulate", body).expect(200);
    let made = client.get(&Service::create(client, body)).expect(200);
    assert_eq!(simulated["risk_level"], made["risk_level"]);
    let rules = made["rules"].as_array().unwrap();
    let raised = rules.iter().find(|rule| rule["name"] == "anomalies");
    let raised = raised.map(|rule| rule["demands"][0].as_str().unwrap().to_owned());
    let risk = made["risk_level"].as_str().unwrap().to_owned();
    (risk, made["approvals_required"].as_u64().unwrap(), raised)
}

#[test]
fn an_anomaly_raises_what_the_person_asks_for_and_not_for_ever() {
    let service = Service::under(policy_with("[anomalies]\nraise_hours = 24", "", ""));
    let ann = service.requester("ann");
    let dora = refused(&service);
    let (risk, approvals, raised) = made(&dora, &Service::low());
    assert_eq!((risk.as_str(), approvals), ("medium", 1));
    assert_eq!(
        raised.unwrap(),
        "risk medium, because refused_attempts was found at 2026-01-01T00:00:00.000Z"
    );
    let (risk, approvals, raised) = made(&dora, &Service::medium());
    assert_eq!((risk.as_str(), approvals, raised.is_some()), ("high", 2, true));
    let (risk, approvals, raised) = made(&dora, &Service::high());
    assert_eq!((risk.as_str(), approvals, raised), ("high", 2, None), "there is no more");
    assert_eq!(made(&ann, &Service::medium()), ("medium".to_owned(), 1, None), "of another person");
    // What was raised stays; what is made a day later is not.
    let path = Service::create(&dora, &Service::medium());
    service.host.advance_milliseconds(24 * HOUR);
    assert_eq!(made(&dora, &Service::medium()).0, "high", "to the last moment");
    service.host.advance_milliseconds(1);
    assert_eq!(made(&dora, &Service::medium()), ("medium".to_owned(), 1, None));
    assert_eq!(dora.get(&path).expect(200)["risk_level"], "high");
}

/// The finding of last month counts in this one, and that of one address for the person's others.
#[test]
fn neither_another_month_nor_another_address_escapes() {
    let people = "[people.\"dora@example.com\"]\naddresses = [\"dora.d@example.com\"]";
    let service = Service::under(policy_with("[anomalies]\nraise_hours = 48", people, ""));
    service.host.advance_milliseconds((30 * 24 + 23) * HOUR);
    let dora = refused(&service);
    service.host.advance_milliseconds(2 * HOUR);
    assert_eq!(made(&dora, &Service::medium()).0, "high");
    let other = service.person("dora.d", &["developer"]);
    assert_eq!(made(&other, &Service::medium()).0, "high");
}

/// Without a word of policy nothing is raised.
#[test]
fn an_anomaly_alone_changes_nothing() {
    let service = Service::start();
    let dora = refused(&service);
    assert_eq!(made(&dora, &Service::medium()), ("medium".to_owned(), 1, None));
}

/// Doubt is no reason to demand less: where the events cannot be read, nothing is made.
#[test]
fn where_it_is_not_known_nothing_is_made() {
    use countersign_e2e::transport::Fault;
    let service = Service::under(policy_with("[anomalies]\nraise_hours = 24", "", ""));
    let dora = refused(&service);
    let before = service.snapshot();
    service.transport.set_plan(|operation| (operation == "Query").then_some(Fault::ServerError));
    dora.post("/v1/approvals", &Service::low()).expect_problem(503, "store_unavailable");
    service.transport.heal();
    assert_eq!(service.snapshot(), before);
}
