//! The tools for agents as a function: what an agent asks for is what the API records, and the function has no right of its own.

use crate::binary;
use countersign_e2e::client::Answer;
use countersign_e2e::deployment::Deployment;
use countersign_e2e::service::Service;
use countersign_e2e::signature::{issuer_token, issuer_token_with};
use countersign_e2e::website::Website;
use serde_json::{Value, json};

const HOST: &str = "countersign.example.com";

/// The gateway's event of a request at a path.
fn event(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Value {
    let mut all = json!({ "host": HOST, "accept": "application/json, text/event-stream", "content-type": "application/json" });
    for (name, value) in headers {
        all[*name] = json!(value);
    }
    json!({
        "version": "2.0", "routeKey": format!("{method} {path}"), "rawPath": path, "rawQueryString": "", "headers": all,
        "requestContext": {
            "apiId": "a1b2c3d4e5", "domainName": HOST, "stage": "$default",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.24" },
        },
        "body": body, "isBase64Encoded": false,
    })
}

fn call(function: &Website<'_>, token: &str, tool: &str, arguments: &Value) -> Answer {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": "no news is sent before the answer",
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": tool, "arguments": arguments, "_meta": meta } });
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", tool),
    ];
    function.handle(&event("POST", "/mcp", &headers, &body.to_string()))
}

fn token(name: &str, groups: &[&str]) -> String {
    issuer_token(&json!({
        "iss": "https://issuer.example", "aud": "countersign", "sub": name, "exp": 4_102_444_800_u64,
        "email": format!("{name}@example.com"), "email_verified": true, "cognito:groups": groups,
    }))
}

#[test]
fn an_agent_asks_waits_and_starts_through_the_function() {
    let deployment = Deployment::start(binary);
    let function = Website::start(&deployment, &binary("mcp"), &[]);
    let bot = token("deploy-bot", &["agent", "developer"]);
    let mut body = Service::medium();
    body.as_object_mut().unwrap().retain(|name, _| name != "requested_by");
    let result = |answer: Answer| answer.expect(200)["result"].clone();
    let pending = result(call(&function, &bot, "request_approval", &body));
    assert_eq!(pending["structuredContent"]["code"], json!("approval_pending"), "{pending}");
    let id = pending["structuredContent"]["request_id"].as_str().unwrap().to_owned();
    // Asked again it is the same one.
    let again =
        result(call(&function, &bot, "wait_for_decision", &json!({ "request_id": id, "seconds": 0 })));
    assert_eq!(again["structuredContent"]["request_id"], json!(id), "{again}");
    let path = format!("/v1/approvals/{id}/approve");
    let (status, approved) = deployment.send("bob", &["approver"], "POST", &path, &json!({}));
    assert_eq!((status, &approved["status"]), (200, &json!("approved")), "{approved}");
    let joined = result(call(&function, &bot, "request_approval", &body));
    assert_eq!(joined["structuredContent"]["request_id"], json!(id), "{joined}");
    let digest = joined["structuredContent"]["content_digest"].clone();
    let start = json!({ "request_id": id, "content_digest": digest });
    let started = result(call(&function, &bot, "start_execution", &start));
    assert_eq!(started["structuredContent"]["status"], json!("executing"), "{started}");
    // A human's token is refused, and no token or text is written down.
    let refused = result(call(&function, &token("ann", &["developer"]), "request_approval", &body));
    assert_eq!(refused["structuredContent"]["code"], json!("human_token"), "{refused}");
    let log = function.log();
    assert!(!log.contains(&bot) && !log.contains("content_digest"), "{log}");
}

#[test]
fn what_the_resource_says_of_itself_needs_no_token_and_pages_are_refused() {
    let deployment = Deployment::start(binary);
    let function = Website::start(&deployment, &binary("mcp"), &[]);
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let metadata = function.handle(&event("GET", path, &[], "")).expect(200);
        assert_eq!(metadata["resource"], json!(format!("https://{HOST}/mcp")));
        assert_eq!(metadata["authorization_servers"], json!(["https://issuer.example"]));
    }
    let refused = function.handle(&event("POST", "/mcp", &[], "{}"));
    assert_eq!(refused.status, 401);
    assert!(refused.headers["www-authenticate"].contains("resource_metadata="), "{refused:?}");
    // The gateway of this test takes every token that can be read; the function of the API does not.
    let claims = json!({ "iss": "https://issuer.example", "aud": "countersign", "sub": "x", "exp": 4_102_444_800_u64 });
    let forged = issuer_token_with("one", 1, &claims);
    let refused = call(&function, &forged, "list_my_requests", &json!({}));
    assert_eq!(refused.status, 401, "{refused:?}");
    assert!(refused.headers["www-authenticate"].contains("error=\"invalid_token\""), "{refused:?}");
    let refused = function.handle(&event("POST", "/mcp", &[("origin", "https://evil.example")], "{}"));
    assert_eq!(refused.status, 403);
}
