//! Calls that are signed: whom an event of the API for callers of AWS stands for, by the policy's people, and which
//! events stand for no caller.

use crate::binary;
use countersign_core::policy::BUNDLED_PEOPLE;
use countersign_core::policy::{Policy, PolicyText};
use countersign_e2e::deployment::Deployment;
use countersign_e2e::functions::Functions;
use countersign_e2e::gateway::{self, Request};
use countersign_e2e::grants::root;
use countersign_e2e::inspection::snapshot_without_attempts;
use countersign_e2e::service::Service;
use countersign_e2e::signature::{ISSUER_JWKS, issuer_token};
use countersign_policy::load;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

pub(crate) const ON: [(&str, &str); 4] = [
    ("IAM_CALLERS", "true"),
    ("OIDC_ISSUER", "https://id.example.com"),
    ("OIDC_AUDIENCE", "countersign"),
    ("JWKS", ISSUER_JWKS),
];
const PIPELINE: &str = "arn:aws:sts::123456789012:assumed-role/pipeline/deploy-4711";
const APPROVER: &str = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Approver_0123456789abcdef";

/// A pipeline that is in every group that there is, and a permission set of approvers.
const LISTED: &str = "
[services.pipeline]
owner = \"erin@example.com\"
arns = [\"arn:aws:iam::123456789012:role/ci/pipeline\"]
groups = [\"developer\", \"approver\", \"admin\"]

[identity_center.\"arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-central-1/\
AWSReservedSSO_Approver_0123456789abcdef\"]
role_id = \"AROAEXAMPLE\"
groups = [\"approver\"]
";

fn people() -> String {
    format!("{BUNDLED_PEOPLE}{LISTED}")
}

fn policy() -> Policy {
    load::parse(&PolicyText { people: &people(), ..load::BUNDLED }).unwrap()
}

/// A call that this user or session has signed.
fn signed(method: &str, path: &str, body: &Value, arn: &str) -> Value {
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: String::new(),
        headers: BTreeMap::from([("authorization".to_owned(), "AWS4-HMAC-SHA256 Credential=x".to_owned())]),
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
    };
    signed_event(&request, arn)
}

/// The event of a call that this user or session has signed.
pub(crate) fn signed_event(request: &Request, arn: &str) -> Value {
    let mut event = gateway::event(request, None);
    event["requestContext"]["authorizer"] = json!({ "iam": {
        "accessKey": "ASIAEXAMPLE", "accountId": "123456789012", "callerId": "AROAEXAMPLE:x",
        "cognitoIdentity": null, "principalOrgId": "o-example", "userArn": arn, "userId": "AROAEXAMPLE:x",
    } });
    event
}

fn answer(functions: &Functions, name: &str, event: &Value) -> (u64, Value) {
    let answer = functions.invoke(name, &event.to_string()).unwrap();
    let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    (answer["statusCode"].as_u64().unwrap(), body)
}

#[test]
fn a_pipeline_asks_and_people_who_sign_approve() {
    let functions = Functions::start_with(&ON, &policy());
    let (status, request) =
        answer(&functions, "create", &signed("POST", "/v1/approvals", &Service::high(), PIPELINE));
    assert_eq!((status, &request["requested_by"]), (201, &json!("service:pipeline")), "{request}");
    let path = format!("/v1/approvals/{}", request["request_id"].as_str().unwrap());
    let approve = |arn: &str| {
        let event = signed("POST", &format!("{path}/approve"), &json!({}), arn);
        answer(&functions, "approve", &event)
    };
    for arn in [PIPELINE, "arn:aws:sts::123456789012:assumed-role/pipeline/bob@example.com"] {
        let (status, refused) = approve(arn);
        assert_eq!((status, &refused["code"]), (403, &json!("agent_cannot_approve")), "{refused}");
    }
    let (status, refused) = approve(&format!("{APPROVER}/erin@example.com"));
    assert_eq!((status, &refused["code"]), (403, &json!("self_approval")), "its owner: {refused}");
    let (status, approved) = approve(&format!("{APPROVER}/bob@example.com"));
    assert_eq!((status, &approved["approvals_received"]), (200, &json!(1)), "{approved}");

    let (status, trail) =
        answer(&functions, "events", &signed("GET", &format!("{path}/events"), &Value::Null, PIPELINE));
    assert_eq!(status, 200, "{trail}");
    let auth =
        |place: usize| (trail["items"][place]["auth"].clone(), trail["items"][place]["channel"].clone());
    let signer = |arn: &str| (json!({ "issuer": "iam.amazonaws.com", "subject": arn }), json!("api"));
    assert_eq!(auth(0), signer(PIPELINE));
    assert_eq!(auth(1), signer(&format!("{APPROVER}/bob@example.com")));
    assert_eq!(trail["items"][1]["user"], "bob@example.com");
}

#[test]
fn a_signed_call_of_whom_nothing_is_known_changes_nothing() {
    let functions = Functions::start_with(&ON, &policy());
    let before = functions.block_on(snapshot_without_attempts(&functions.database));
    let create = |arn: &str, change: &dyn Fn(&mut Value)| {
        let mut event = signed("POST", "/v1/approvals", &Service::high(), arn);
        change(&mut event);
        answer(&functions, "create", &event)
    };
    let unlisted = "arn:aws:sts::123456789012:assumed-role/pipeline2/deploy-4711";
    let (status, refused) = create(unlisted, &|_| {});
    assert_eq!((status, &refused["code"]), (403, &json!("not_permitted")), "{refused}");
    assert!(
        refused["detail"].as_str().unwrap().contains("`arn:aws:iam::123456789012:role/pipeline2`"),
        "{refused}"
    );
    let claims = json!({ "iss": "https://id.example.com", "aud": "countersign", "sub": "7e1c", "exp": 4_102_444_800_u64,
        "email": "ann@example.com", "email_verified": true, "cognito:groups": ["developer"] });
    let bearer = json!(format!("Bearer {}", issuer_token(&claims)));
    for (name, change) in [
        (
            "the root",
            &(|event: &mut Value| {
                event["requestContext"]["authorizer"]["iam"]["userArn"] =
                    json!("arn:aws:iam::123456789012:root");
            }) as &dyn Fn(&mut Value),
        ),
        ("another account", &|event| {
            event["requestContext"]["authorizer"]["iam"]["accountId"] = json!("210987654321")
        }),
        ("a guest of a pool", &|event| {
            event["requestContext"]["authorizer"]["iam"]["cognitoIdentity"] = json!({ "identityId": "x" });
        }),
        ("a bearer token besides", &|event| event["headers"]["authorization"] = bearer.clone()),
        ("no authorizer", &|event| event["requestContext"]["authorizer"] = Value::Null),
        ("an authorizer that says nothing", &|event| {
            event["requestContext"]["authorizer"] = json!({ "iam": null })
        }),
    ] {
        assert_eq!(create(PIPELINE, change).0, 401, "{name}");
    }
    let mut both = signed("POST", "/v1/approvals", &Service::high(), PIPELINE);
    both["requestContext"]["authorizer"]["jwt"] = json!({ "claims": claims, "scopes": null });
    let refused = functions.invoke("create", &both.to_string()).unwrap_err();
    assert_eq!(refused.0, "unsupported_event", "two authorizers");
    let mut named = Service::high();
    named["requested_by"] = json!("ann@example.com");
    let (status, refused) = answer(&functions, "create", &signed("POST", "/v1/approvals", &named, PIPELINE));
    assert_eq!((status, &refused["code"]), (403, &json!("identity_mismatch")), "{refused}");
    assert_eq!(
        functions.block_on(snapshot_without_attempts(&functions.database)),
        before,
        "nothing was written"
    );
}

/// Who may invoke a function could say that any role has signed.
#[test]
fn signed_calls_are_refused_unless_the_deployment_takes_them() {
    for variables in
        [&ON[1..], &[("IAM_CALLERS", "false"), ON[1], ON[2]], &[("IAM_CALLERS", ""), ON[1], ON[2]]]
    {
        let functions = Functions::start_with(variables, &policy());
        for arn in [PIPELINE, &format!("{APPROVER}/bob@example.com")] {
            let event = signed("POST", "/v1/approvals", &Service::high(), arn);
            assert_eq!(answer(&functions, "create", &event).0, 401, "{arn}");
        }
    }
}

/// The samples, by the built functions.
#[test]
fn signed_samples_do_what_they_say() {
    let directory = tempfile::tempdir().unwrap();
    for file in ["access.cedar", "operations.toml"] {
        fs::copy(root().join("policy").join(file), directory.path().join(file)).unwrap();
    }
    fs::write(directory.path().join("people.toml"), people()).unwrap();
    let deployment = Deployment::start(binary)
        .with("POLICY_DIR", directory.path().to_str().unwrap())
        .with("IAM_CALLERS", "true");
    let sample = |name: &str| fs::read_to_string(root().join("events").join(name)).unwrap();
    let (status, created) = deployment.send_event(&serde_json::from_str(&sample("create/iam.json")).unwrap());
    assert_eq!((status, &created["requested_by"]), (201, &json!("service:pipeline")), "{created}");
    let id = created["request_id"].as_str().unwrap();
    let approve = sample("approve/iam_refused.json").replace("5d3e7c1a-9f42-4b8e-8a31-0c6d2e9b7f10", id);
    let (status, refused) = deployment.send_event(&serde_json::from_str(&approve).unwrap());
    assert_eq!((status, &refused["code"]), (403, &json!("agent_cannot_approve")), "{refused}");
}
