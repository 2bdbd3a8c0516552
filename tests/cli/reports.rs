//! `countersign report`, of a running service.

use crate::Person;
use crate::auditor::Auditor;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

#[test]
fn a_report_is_shown_with_alerts_figures_and_persons_and_as_json() {
    let service = Service::start();
    let auditor = Auditor::of(&service);
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(60_000);
    Service::approve(&bob, &path).expect(200);
    let path = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(3 * 60_000);
    bob.post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
    Service::create(&ann, &Service::medium());
    service.seal().unwrap();
    service.fold().unwrap();
    let ended = auditor.person.run(&["report", "monthly", "--date", "2026-01-15"]);
    for said in [
        "monthly report: 2026-01, 2026-01-01 to 2026-01-31 in UTC",
        "the period is not over: its figures will grow",
        "30 % or more of decisions were rejections",
        "requested     3",
        "approved      1",
        "rejected      1",
        "rejection     50.0 % of decisions",
        "decided in    2m on average, 1m at least, 3m at most, ",
        "waiting now   1; the oldest is ",
        "dead letters  0 events, 0 deliveries, as of now",
        "                 requested  approved  rejected",
        "ann@example.com          3         0         0",
        "bob@example.com          0         1         1",
        "of all ",
    ] {
        ended.expect(0, said);
    }
    let ended = auditor.person.run(&["report", "daily", "--json"]);
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&answer["name"], &answer["over"]), (&json!("2025-12-31"), &json!(true)));
    auditor.person.run(&["report", "weekly"]).expect(0, "weekly report: 2025-W52, 2025-12-22 to 2025-12-28");
    auditor.person.run(&["report", "daily", "--date", "soon"]).expect(3, "2026-01-31");
    auditor.person.run(&["report", "yearly"]).expect(2, "daily, weekly, monthly");
    auditor.person.run(&["report"]).expect(2, "PERIOD");
    let guest = Person::at(service.base(), Some(service.token("gus@example.com", &["guest"])));
    guest.run(&["report", "daily"]).expect(3, "query_audit");
}
