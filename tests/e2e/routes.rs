//! Paths that lead nowhere, and methods that a path does not have.

use countersign_e2e::service::Service;

#[test]
fn no_such_route_or_not_by_this_method() {
    let service = Service::start();
    let bob = service.approver("bob");
    let path = Service::create(&service.requester("ann"), &Service::medium());
    let unknown = [
        "/v1".to_owned(),
        "/v1/approvals/".to_owned(),
        "/v2/approvals".to_owned(),
        "/V1/approvals".to_owned(),
        "/health/".to_owned(),
        format!("{path}/"),
        format!("{path}/approve/"),
        format!("{path}/parameters"),
        format!("{path}/execution/1"),
        "/v1/metrics".to_owned(),
        "/.env".to_owned(),
    ];
    let wrong = [
        ("DELETE", path.clone()),
        ("PUT", path.clone()),
        ("PATCH", path.clone()),
        ("POST", path.clone()),
        ("GET", format!("{path}/approve")),
        ("PUT", format!("{path}/approve")),
        ("GET", format!("{path}/execution/claim")),
        ("GET", format!("{path}/target")),
        ("DELETE", format!("{path}/execution")),
        ("DELETE", format!("{path}/events")),
        ("POST", format!("{path}/events")),
        ("PUT", "/v1/approvals".to_owned()),
        ("DELETE", "/v1/approvals".to_owned()),
        ("GET", "/approvals".to_owned()),
        ("POST", "/health".to_owned()),
        ("TRACE", "/health".to_owned()),
        ("FROB", "/openapi.json".to_owned()),
    ];
    service.untouched(|| {
        for path in &unknown {
            for method in ["GET", "POST", "DELETE"] {
                let answer = bob.send(method, path, &[], b"").unwrap();
                answer.expect_problem(404, "route_not_found");
            }
        }
        for (method, path) in &wrong {
            let answer = bob.send(method, path, &[], b"").unwrap();
            assert!(answer.headers.contains_key("allow"), "{method} {path}");
            answer.expect_problem(405, "method_not_allowed");
        }
    });
}
