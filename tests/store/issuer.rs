//! Tokens of an OpenID Connect issuer: its keys from a file, from its own description over HTTP,
//! and again when they change.

use countersign::authentication::Authenticator;
use countersign::issuer::KeySource;
use countersign_app::host::Host as _;
use countersign_core::actor::Channel;
use countersign_e2e::client::Client;
use countersign_e2e::manual_host::ManualHost;
use countersign_e2e::program::{Program, run};
use countersign_e2e::service::Service;
use countersign_e2e::signature::{ISSUER_JWKS, issuer_token};
use countersign_identity::claims::ClaimNames;
use countersign_identity::token::{Keys, Verifier};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");

#[test]
fn tokens_of_an_issuer_are_accepted_and_then_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let jwks = directory.path().join("jwks.json");
    fs::write(&jwks, ISSUER_JWKS).unwrap();
    let arguments = [
        "--oidc-issuer",
        "https://id.example.com",
        "--oidc-audience",
        "countersign-app",
        "--jwks",
        jwks.to_str().unwrap(),
    ];
    let data = directory.path().join("data");
    let program = Program::start_with(BINARY, &data, &arguments);
    let caller = program.person("ann", "developer");
    let far = 4_000_000_000_u64;
    let good = json!({ "iss": "https://id.example.com", "aud": "countersign-app", "exp": far,
        "email": "Ann@Example.com", "email_verified": true, "cognito:groups": ["developer"] });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let create = |token: &str| {
        let authorization = format!("Bearer {token}");
        let headers = [("authorization", authorization.as_str())];
        caller.send("POST", "/v1/approvals", &headers, Service::high().to_string().as_bytes()).unwrap()
    };
    let created = create(&issuer_token(&good)).expect(201);
    assert_eq!(created["requested_by"], "ann@example.com");
    for claims in [
        with("iss", json!("https://elsewhere.example.com")),
        with("aud", json!("another-app")),
        with("exp", json!(1)),
        with("email_verified", json!(false)),
        with("email", json!("\u{430}nn@example.com")),
    ] {
        create(&issuer_token(&claims)).expect_problem(401, "unauthenticated");
    }
    // The data directory's own key is not a key of this server.
    caller.get("/v1/approvals").expect_problem(401, "unauthenticated");
}

#[test]
fn groups_in_an_object_count_and_each_of_several_audiences_will_do() {
    let directory = tempfile::tempdir().unwrap();
    let jwks = directory.path().join("jwks.json");
    fs::write(&jwks, ISSUER_JWKS).unwrap();
    let mut arguments = vec!["--oidc-issuer", "https://id.example.com", "--jwks", jwks.to_str().unwrap()];
    arguments.extend(["--oidc-audience", "one,two", "--oidc-audience", "three"]);
    let groups = r"https://example.com/groups,realm_access.roles,resource_access.my\.app.roles";
    arguments.extend(["--groups-claim", groups]);
    let program = Program::start_with(BINARY, &directory.path().join("data"), &arguments);
    let status = |audience: Value, groups: Value| {
        let mut claims = json!({ "iss": "https://id.example.com", "aud": audience, "exp": 4_000_000_000_u64,
            "email": "ann@example.com", "email_verified": true });
        claims.as_object_mut().unwrap().extend(groups.as_object().unwrap().clone());
        let caller = Client::new(program.base(), Some(issuer_token(&claims)));
        caller.post("/v1/approvals", &Service::high()).status
    };
    let nested = || json!({ "realm_access": { "roles": ["developer"] } });
    for audience in [json!("one"), json!("two"), json!("three"), json!(["x", "three"])] {
        assert_eq!(status(audience.clone(), nested()), 201, "{audience}");
    }
    for audience in [json!("one,two"), json!("x"), json!(""), json!(["x"]), json!({ "one": "one" })] {
        assert_eq!(status(audience.clone(), nested()), 401, "{audience}");
    }
    for (groups, expected) in [
        (json!({ "https://example.com/groups": "developer" }), 201),
        (json!({ "resource_access": { "my.app": { "roles": ["developer"] } } }), 201),
        (json!({ "realm_access.roles": "developer" }), 201),
        (json!({ "realm_access.roles": "nothing", "realm_access": { "roles": ["developer"] } }), 403),
        (json!({ "resource_access": { "my": { "app": { "roles": ["developer"] } } } }), 403),
        (json!({ "realm_access": { "groups": ["developer"] } }), 403),
        (json!({ "groups": ["developer"] }), 403),
        (json!({ "realm_access": "developer" }), 401),
        (json!({ "realm_access": { "roles": { "developer": true } } }), 401),
    ] {
        assert_eq!(status(json!("one"), groups.clone()), expected, "{groups}");
    }
    for (name, wrong) in [("--oidc-audience", "one,"), ("--groups-claim", "a..b")] {
        let output = run(BINARY, &["serve", "--oidc-issuer", "https://id.example.com", name, wrong]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(name) && error.contains("must be"), "{error}");
    }
}

/// Answers GET requests with what a path stands for, until the process ends. Gives its address.
fn serve_documents(documents: impl Fn(&str, &str) -> Option<String> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let own = base.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let path = request.split(' ').nth(1).unwrap_or_default();
            let (status, body) = match documents(path, &own) {
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", String::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close", body.len());
            stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
        }
    });
    base
}

#[test]
fn an_issuer_describes_where_its_keys_are() {
    let issuer = serve_documents(|path, own| match path {
        "/.well-known/openid-configuration" => Some(json!({ "jwks_uri": format!("{own}/keys") }).to_string()),
        "/keys" => Some(ISSUER_JWKS.to_owned()),
        _ => None,
    });
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--oidc-issuer", &issuer, "--oidc-audience", "countersign-app"];
    let program = Program::start_with(BINARY, directory.path(), &arguments);
    let claims = json!({ "iss": issuer, "aud": ["other", "countersign-app"], "exp": 4_000_000_000_u64,
        "email": "ann@example.com", "email_verified": true, "groups": ["developer"] });
    let authorization = format!("Bearer {}", issuer_token(&claims));
    let headers = [("authorization", authorization.as_str())];
    let caller = Client::new(program.base(), None);
    caller.send("GET", "/v1/approvals", &headers, b"").unwrap().expect(200);
}

#[test]
fn new_keys_are_found_and_withdrawn_ones_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks.json");
    fs::write(&path, r#"{"keys":[]}"#).unwrap();
    let source = KeySource::File(path.to_str().unwrap().to_owned());
    let verifier = Verifier {
        keys: Keys::Issuer(source.read().unwrap()),
        issuer: "https://id.example.com".to_owned(),
        audiences: vec!["countersign-app".to_owned()],
        claim_names: ClaimNames::default(),
        channel: Channel::Local,
    };
    let authenticator = Authenticator::of_issuer(verifier, source);
    let host = ManualHost::default();
    let claims = json!({ "iss": "https://id.example.com", "aud": "countersign-app",
        "exp": 4_000_000_000_u64, "email": "ann@example.com", "email_verified": true });
    let header = format!("Bearer {}", issuer_token(&claims));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let is_known = || runtime.block_on(authenticator.authenticate(&[header.as_str()], &host)).is_ok();
    let wait = |seconds| runtime.block_on(host.pause(Duration::from_secs(seconds)));

    assert!(!is_known());
    fs::write(&path, ISSUER_JWKS).unwrap();
    assert!(!is_known(), "the keys were read just now: an unknown key is no burden to the issuer");
    wait(31);
    assert!(is_known());
    fs::write(&path, r#"{"keys":[]}"#).unwrap();
    wait(59 * 60);
    assert!(is_known());
    wait(2 * 60);
    assert!(!is_known(), "a withdrawn key is trusted for an hour at most");
}
