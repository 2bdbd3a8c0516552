//! `examples/kubernetes-webhook`: what it lets go on, and what it says is missing.

use super::{Example, World};
use countersign_e2e::signature::claims;
use countersign_permit::{Claims, KeyStatus, PrivateKey, Purpose, SigningInput, parameters_digest};
use serde_json::{Value, json};
use std::time::SystemTime;

/// The deletion of a namespace, with what the object's annotation holds.
fn deletion(permit: Option<&str>) -> Value {
    let annotations = permit.map_or(json!({}), |permit| json!({"countersign/permit": permit}));
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "review-1", "operation": "DELETE", "dryRun": false,
            "kind": {"group": "", "version": "v1", "kind": "Namespace"},
            "resource": {"group": "", "version": "v1", "resource": "namespaces"},
            "name": "shop", "namespace": "shop", "userInfo": {"username": "ann@example.com", "groups": []},
            "object": null,
            "oldObject": {
                "apiVersion": "v1", "kind": "Namespace", "status": {"phase": "Active"},
                "metadata": {"name": "shop", "uid": "object-1", "resourceVersion": "1", "annotations": annotations},
            },
        },
    })
}

fn scaling(old: u64, new: u64) -> Value {
    let object = |replicas: u64| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": replicas},
            "metadata": {"name": "web", "uid": "object-2"},
        })
    };
    let mut review = deletion(None);
    let request = &mut review["request"];
    request["operation"] = json!("UPDATE");
    request["resource"] = json!({"group": "apps", "version": "v1", "resource": "deployments"});
    request["name"] = json!("web");
    request["oldObject"] = object(old);
    request["object"] = object(new);
    review
}

/// Whether it may go on, and the message if not.
fn review_of(example: &Example, review: &Value) -> (bool, String) {
    let (status, answer) = example.post(&review.to_string(), &[("content-type", "application/json")]);
    assert_eq!(status, 200);
    assert_eq!(
        (&answer["apiVersion"], &answer["kind"]),
        (&json!("admission.k8s.io/v1"), &json!("AdmissionReview"))
    );
    let response = &answer["response"];
    assert_eq!(response["uid"], review["request"]["uid"]);
    let message = response["status"]["message"].as_str().unwrap_or_default();
    (response["allowed"].as_bool().unwrap(), message.to_owned())
}

/// What the webhook says is to be asked for: the instance and the parameters.
fn asked_for(message: &str) -> (String, Value) {
    let words = message.split_once("countersign create kubernetes_change ").unwrap().1;
    let (instance, words) = words.split_once(' ').unwrap();
    let parameters = words.split('\'').nth(1).unwrap();
    (instance.to_owned(), serde_json::from_str(parameters).unwrap())
}

#[track_caller]
fn refused(example: &Example, review: &Value, why: &str) {
    let (allowed, message) = review_of(example, review);
    assert!(!allowed && message.contains(why), "{allowed} {message}");
}

#[test]
fn what_is_selected_in_kubernetes_goes_on_with_a_permit_for_exactly_it_and_once() {
    let world = World::start();
    let webhook = world.example("kubernetes-webhook/admission.py", "executor", &[("CLUSTER", "shop-1")]);
    let (allowed, message) = review_of(&webhook, &deletion(None));
    assert!(!allowed && message.contains("countersign/permit is missing"), "{message}");
    let (instance, parameters) = asked_for(&message);
    assert_eq!(instance, "shop-1/namespaces/shop");
    assert_eq!(
        (&parameters["user"], &parameters["operation"], &parameters["uid"]),
        (&json!("ann@example.com"), &json!("DELETE"), &json!("object-1"))
    );
    let permit = world.permit("kubernetes_change", &instance, &parameters);
    let with_permit = deletion(Some(&permit));

    // Another user, another object, another cluster, another operation.
    let mut another = with_permit.clone();
    another["request"]["userInfo"]["username"] = json!("eve@example.com");
    refused(&webhook, &another, "its parameters_digest is another");
    let mut another = with_permit.clone();
    another["request"]["oldObject"]["metadata"]["labels"] = json!({"team": "shop"});
    refused(&webhook, &another, "its parameters_digest is another");
    let mut another = with_permit.clone();
    another["request"]["name"] = json!("");
    refused(&webhook, &another, "not a collection");
    // A permit for the same parameters, asked for where policy demands less.
    let easier = world.permit("read_file", &instance, &parameters);
    refused(&webhook, &deletion(Some(&easier)), "its operation_type is another");
    let easier = world.permit("kubernetes_change", "dev-1/namespaces/shop", &parameters);
    refused(&webhook, &deletion(Some(&easier)), "its instance_id is another");

    // A dry run spends nothing; what the cluster writes by itself is no change.
    let mut dry = with_permit.clone();
    dry["request"]["dryRun"] = json!(true);
    dry["request"]["oldObject"]["metadata"]["resourceVersion"] = json!("2");
    for _ in 0..2 {
        assert_eq!(review_of(&webhook, &dry), (true, String::new()));
    }
    assert_eq!(review_of(&webhook, &with_permit), (true, String::new()));
    refused(&webhook, &with_permit, "permit_spent");
    let id = claims(&permit)["sub"].as_str().unwrap().to_owned();
    let request = world.request(&id);
    assert_eq!((&request["status"], &request["claimed_by"]), (&json!("executed"), &json!("service:example")));
}

#[test]
fn a_permit_in_kubernetes_that_is_old_or_by_another_key_or_for_another_is_refused() {
    let world = World::start();
    let webhook = world.example("kubernetes-webhook/admission.py", "executor", &[("CLUSTER", "shop-1")]);
    let (instance, parameters) = asked_for(&review_of(&webhook, &deletion(None)).1);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let good = Claims {
        iss: world.issuer.clone(),
        aud: "client".to_owned(),
        sub: "01930000-0000-7000-8000-0000000000aa".to_owned(),
        jti: "0193aaaa-0000-7000-8000-000000000001".to_owned(),
        iat: now - 60,
        exp: now + 600,
        operation_type: "kubernetes_change".to_owned(),
        instance_id: instance,
        environment: "production".to_owned(),
        risk_level: "high".to_owned(),
        content_digest: parameters_digest(&json!(1)),
        parameters_digest: parameters_digest(&parameters),
        target_digest: None,
        policy_version: "p1".to_owned(),
        requested_by: "ann@example.com".to_owned(),
        started_by: "ann@example.com".to_owned(),
        audit_head: parameters_digest(&json!(2)),
        approved_by: None,
    };
    let signed = |key: &PrivateKey, claims: Claims| {
        let public = key.public(Purpose::Permit, KeyStatus::Current);
        let input = SigningInput::new(public.key_id(), claims);
        let signature = key.sign(input.as_bytes());
        deletion(Some(&input.with_signature(&signature)))
    };
    let key = world.signing_key();
    let of = |claims: Claims| signed(&key, claims);
    // What is good but for its request, which is none, gets as far as the claim.
    refused(&webhook, &of(good.clone()), "not_found");
    refused(&webhook, &of(Claims { exp: now - 1, ..good.clone() }), "it has expired");
    refused(&webhook, &of(Claims { iat: now + 3600, exp: now + 4500, ..good.clone() }), "of a later time");
    refused(&webhook, &of(Claims { aud: "rds".to_owned(), ..good.clone() }), "its aud is another");
    refused(&webhook, &of(Claims { iss: "urn:another".to_owned(), ..good.clone() }), "its iss is another");
    refused(&webhook, &signed(&PrivateKey::from_bytes(&[9; 32]).unwrap(), good), "its signature");
    refused(&webhook, &deletion(Some("a.b.c")), "its signature");
    refused(&webhook, &deletion(Some("\u{e9}")), "its signature");
}

#[test]
fn kubernetes_scales_to_zero_with_a_permit_alone() {
    let world = World::start();
    let webhook = world.example("kubernetes-webhook/admission.py", "executor", &[("CLUSTER", "shop-1")]);
    assert!(review_of(&webhook, &scaling(3, 1)).0);
    assert!(review_of(&webhook, &scaling(0, 0)).0);
    let (allowed, message) = review_of(&webhook, &scaling(3, 0));
    assert!(!allowed, "{message}");
    let (instance, parameters) = asked_for(&message);
    assert_eq!(instance, "shop-1/shop/deployments.apps/web");
    let permit = world.permit("kubernetes_change", &instance, &parameters);
    let mut review = scaling(3, 0);
    review["request"]["object"]["metadata"]["annotations"] = json!({"countersign/permit": permit});
    assert_eq!(review_of(&webhook, &review), (true, String::new()));
    // What is no review is no permission either.
    assert_eq!(webhook.post("{}", &[]).0, 400);
    assert_eq!(webhook.post("", &[]).0, 400);
}
