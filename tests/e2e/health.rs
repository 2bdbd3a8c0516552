//! GET /health and GET /openapi.json

use countersign_api::operation::{Body, Operation};
use countersign_e2e::service::Service;
use strum::IntoEnumIterator;

#[test]
fn both_answer_without_a_token_and_without_the_database() {
    let service = Service::start();
    let health = service.anonymous().get("/health").expect(200);
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["policy_version"].as_str().unwrap().len(), 64);
    assert_eq!(service.anonymous().get("/openapi.json").expect(200)["openapi"], "3.1.0");
    assert_eq!(service.transport.take_calls(), Vec::<String>::new());
}

#[test]
fn the_description_names_every_route_and_no_other() {
    let service = Service::start();
    let document = service.anonymous().get("/openapi.json").expect(200);
    let mut described: Vec<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let mut served: Vec<_> = Operation::iter().map(Operation::route_key).collect();
    described.sort();
    served.sort();
    assert_eq!(described, served);
}

#[test]
fn every_route_but_these_asks_who_calls() {
    let service = Service::start();
    let id = "01930000-0000-7000-8000-000000000000";
    for operation in Operation::iter() {
        let path = operation.path(id);
        let body: &[u8] = if operation.body() == Body::None { b"" } else { b"{}" };
        let answer = service.anonymous().send(operation.method().into(), &path, &[], body).unwrap();
        if operation.is_public() {
            answer.expect(200);
        } else {
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{path}");
            answer.expect_problem(401, "unauthenticated");
        }
    }
}

#[test]
fn no_answer_is_kept_by_a_cache() {
    let service = Service::start();
    for path in ["/health", "/v1/approvals", "/nowhere"] {
        let answer = service.requester("ann").get(path);
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        assert!(answer.headers.contains_key("x-correlation-id"), "{path}");
    }
}

/// `create_request` through the original endpoint is a 201, too.
#[test]
fn the_description_knows_that_the_original_endpoint_creates() {
    let service = Service::start();
    service.requester("ann").post("/approvals", &Service::low()).expect(201);
    let document = service.anonymous().get("/openapi.json").expect(200);
    assert!(document["paths"]["/approvals"]["post"]["responses"]["201"].is_object());
}
