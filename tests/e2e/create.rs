//! POST /v1/approvals

use countersign_e2e::service::Service;

#[test]
fn the_three_original_examples() {
    let service = Service::start();
    let ann = service.requester("ann");
    for (body, risk, required, status) in [
        (Service::high(), "high", 2, "pending"),
        (Service::medium(), "medium", 1, "pending"),
        (Service::low(), "low", 0, "approved"),
    ] {
        let created = ann.post("/v1/approvals", &body).expect(201);
        assert_eq!(created["risk_level"], risk);
        assert_eq!(created["approvals_required"], required);
        assert_eq!(created["status"], status);
        assert_eq!(created["requested_by"], "ann@example.com");
        assert_eq!(created["parameters"], body["parameters"]);
    }
}
