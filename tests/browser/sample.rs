//! A service with three weeks of requests, made up, at times that are the same in each run: what pages are looked at with.

use countersign_e2e::service::Service;
use serde_json::{Value, json};

/// A page, by the name of its picture.
pub(crate) struct Page {
    /// The name.
    pub name: &'static str,
    /// Path and query.
    pub path: String,
    /// Its heading.
    pub heading: &'static str,
}

/// A service, and the pages of it.
pub(crate) struct Sample {
    /// The service.
    pub service: Service,
    /// The pages, for those who are signed in.
    pub pages: Vec<Page>,
}

impl Sample {
    /// The person who looks.
    pub(crate) fn token(&self) -> String {
        self.service.token("bob@example.com", &["approver", "auditor", "developer"])
    }
}

fn minutes(service: &Service, minutes: i64) {
    service.host.advance_milliseconds(minutes * 60_000);
}

fn request(
    operation: &str,
    instance: &str,
    environment: &str,
    parameters: Value,
    justification: &str,
) -> Value {
    json!({
        "operation_type": operation,
        "instance_id": instance,
        "environment": environment,
        "parameters": parameters,
        "justification": justification,
    })
}

/// Three weeks of days on which requests were approved, carried out, rejected and left to expire.
fn past(service: &Service) {
    let [ann, eve] = ["ann", "eve"].map(|name| service.requester(name));
    let [bob, carol, dan] = ["bob", "carol", "dan"].map(|name| service.approver(name));
    for day in 0..21_i64 {
        minutes(service, 9 * 60 + day * 7 % 45);
        let storage = json!({ "allocated_storage": 200 + day * 10 });
        let body = request(
            "modify_storage",
            "staging-orders-db",
            "non-production",
            storage,
            "The disk is nearly full",
        );
        let path = Service::create(if day % 2 == 0 { &ann } else { &eve }, &body);
        minutes(service, 20 + day * 37 % 300);
        match day % 7 {
            5 => drop(
                dan.post(&format!("{path}/reject"), &json!({ "reason": "Delete old exports first" }))
                    .expect(200),
            ),
            3 => {}
            _ => {
                Service::approve(if day % 3 == 0 { &carol } else { &dan }, &path).expect(200);
                let requester = if day % 2 == 0 { &ann } else { &eve };
                let execution = Service::started(requester, &path);
                minutes(service, 4);
                let outcome = if day == 9 { "failed" } else { "succeeded" };
                let report = json!({ "execution_id": execution, "outcome": outcome, "actual_cost": 12.5 });
                requester.put(&format!("{path}/execution"), &report).expect(200);
            }
        }
        if day % 4 == 1 {
            let body = request(
                "reboot",
                "production-orders-db",
                "production",
                json!({ "force_failover": false }),
                "Memory leaks",
            );
            let path = Service::create(&eve, &body);
            minutes(service, 95);
            Service::approve(&carol, &path).expect(200);
            minutes(service, 40);
            Service::approve(&bob, &path).expect(200);
            let execution = Service::started(&eve, &path);
            minutes(service, 6);
            let report = json!({ "execution_id": execution, "outcome": "succeeded" });
            eve.put(&format!("{path}/execution"), &report).expect(200);
        }
        // The next day begins at midnight.
        let now = countersign_app::host::Clock::now(&service.host).as_millisecond();
        service.host.advance_milliseconds(86_400_000 - now % 86_400_000);
        service.expire();
    }
}

/// What is open now; gives the path of the request that is looked at.
fn present(service: &Service) -> String {
    let [ann, eve, bob] = ["ann", "eve", "bob"].map(|name| service.requester(name));
    let [carol, dan] = ["carol", "dan"].map(|name| service.approver(name));
    minutes(service, 8 * 60 + 30);
    let own = json!({ "snapshot_id": "before-migration", "tags": { "team": "orders" } });
    let own = request(
        "create_snapshot",
        "production-orders-db",
        "production",
        own,
        "Before the migration of tonight",
    );
    let own = Service::create(&bob, &own);
    minutes(service, 12);
    Service::approve(&dan, &own).expect(200);
    let body = request(
        "modify_storage",
        "qa-orders-db",
        "non-production",
        json!({ "allocated_storage": 120 }),
        "Load test",
    );
    Service::create(&bob, &body);
    let mut body = request(
        "modify_instance_class",
        "production-orders-db",
        "production",
        json!({
            "apply_immediately": true,
            "target_instance_class": "db.r6g.2xlarge",
            "maintenance": { "notify": ["orders-oncall", "payments-oncall"], "read_only_minutes": 15 },
        }),
        "CPU has been above 95 % since Monday, and the sale begins on Friday.\nThe larger class was tried in staging.",
    );
    body["estimated_cost"] = json!(250.5);
    body["estimated_duration"] = json!("15 minutes");
    body["ticket"] = json!("OPS-4721");
    body["rollback_plan"] = json!("Go back to db.r6g.xlarge; no data is touched.");
    let high = Service::create(&ann, &body);
    minutes(service, 9);
    let comment = json!({ "text": "The maintenance window is agreed with the payments team." });
    ann.post(&format!("{high}/comments"), &comment).expect(200);
    minutes(service, 3);
    carol.post(&format!("{high}/approve"), &json!({ "comments": "Staging looks good." })).expect(200);
    for (instance, storage) in [("staging-orders-db", 420), ("staging-search-db", 300)] {
        minutes(service, 6);
        let storage = json!({ "allocated_storage": storage });
        let body = request("modify_storage", instance, "non-production", storage, "The disk is nearly full");
        Service::create(&eve, &body);
    }
    let parameters = json!({ "parameters": { "max_connections": "400" } });
    let body = request(
        "modify_parameter_group",
        "dev-orders-db",
        "non-production",
        parameters,
        "Connections run out",
    );
    Service::create(&ann, &body);
    minutes(service, 17);
    high
}

/// The service, and what there is to see of it.
pub(crate) fn sample() -> Sample {
    let service = Service::for_browsers();
    past(&service);
    let high = present(&service);
    service.seal().unwrap();
    service.fold().unwrap();
    let id = Service::id(&high).to_owned();
    let approver = service.approver("bob");
    let list = approver.get("/v1/approvals?status=pending").expect(200);
    let of_staging = list["items"].as_array().unwrap().iter().filter(|item| {
        item["operation_type"] == "modify_storage"
            && item["instance_id"].as_str().unwrap().starts_with("staging-")
    });
    let review: Vec<_> =
        of_staging.map(|item| format!("id={}", item["request_id"].as_str().unwrap())).collect();
    let draft = "operation=modify_storage&instance=staging-orders-db&environment=non-production\
                 &parameters=%7B%22allocated_storage%22%3A440%7D&justification=The+disk+is+nearly+full&ticket_name=OPS-4730";
    let page = |name, path: &str, heading| Page { name, path: path.to_owned(), heading };
    let pages = vec![
        page("request", &format!("/approvals/{id}"), "modify_instance_class on production-orders-db"),
        page("inbox", "/inbox", "Inbox"),
        page("review", &format!("/review?{}", review.join("&")), "Review 2 requests"),
        page("requests", "/requests", "My requests"),
        page("new-request", &format!("/requests/new?{draft}"), "New request"),
        page("instances", "/instances", "Instances"),
        page("instance", "/instances?id=production-orders-db", "production-orders-db"),
        page("history", "/history?from=2026-01-14&to=2026-01-22", "History"),
        page("insights", "/insights", "Insights"),
        page("audit", &format!("/audit?request={id}"), "Audit"),
        page("settings", "/settings", "Settings"),
        page("not-found", "/nothing", "Not found"),
    ];
    Sample { service, pages }
}
