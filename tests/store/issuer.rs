//! Tokens of an OpenID Connect issuer: its keys from a file, from its own description over HTTP,
//! and again when they change.

use countersign_api::problem::Code;
use countersign_app::host::Clock as _;
use countersign_core::caller::Channel;
use countersign_e2e::client::Client;
use countersign_e2e::manual_host::ManualHost;
use countersign_e2e::program::{Program, run};
use countersign_e2e::service::Service;
use countersign_e2e::signature::{ISSUER_JWKS, base64url, issuer_token, issuer_token_of, issuer_token_with};
use countersign_identity::claims::ClaimNames;
use countersign_identity::token::{Keys, Verifier};
use countersign_issuer::authenticator::Authenticator;
use countersign_server::issuer::{IssuerOptions, source};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
        "/.well-known/openid-configuration" => {
            Some(json!({ "issuer": own, "jwks_uri": format!("{own}/keys") }).to_string())
        }
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

fn options(key_set: &str) -> IssuerOptions {
    IssuerOptions {
        issuer: "https://id.example.com".to_owned(),
        audiences: vec!["countersign-app".to_owned()],
        key_set: Some(key_set.to_owned()),
        claim_names: ClaimNames::default(),
        registration: None,
    }
}

/// One with the keys that are there now.
fn authenticator(key_set: &str, host: &ManualHost) -> Arc<Authenticator> {
    let options = options(key_set);
    let source = source(&options).unwrap();
    let verifier = Verifier {
        keys: Keys::Issuer(runtime().block_on(source.read()).unwrap()),
        issuer: options.issuer,
        audiences: options.audiences,
        claim_names: options.claim_names,
        channel: Channel::Local,
    };
    Arc::new(Authenticator::renewed_by_sweeps(verifier, source, host))
}

fn claims() -> Value {
    json!({ "iss": "https://id.example.com", "aud": "countersign-app", "exp": 4_000_000_000_u64,
        "email": "ann@example.com", "email_verified": true })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn new_keys_are_found_and_withdrawn_ones_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks.json");
    fs::write(&path, r#"{"keys":[]}"#).unwrap();
    let host = ManualHost::default();
    let authenticator = authenticator(path.to_str().unwrap(), &host);
    let token = issuer_token(&claims());
    let runtime = runtime();
    let answer = || runtime.block_on(authenticator.authenticate(&token, &host));
    let is_known = || answer().is_ok();
    let wait = |seconds| runtime.block_on(host.pause(Duration::from_secs(seconds)));
    let renew = || runtime.block_on(authenticator.renew_keys(&host));

    assert!(!is_known());
    fs::write(&path, ISSUER_JWKS).unwrap();
    assert!(!is_known(), "the keys were read just now: an unknown key is no burden to the issuer");
    wait(31);
    assert!(is_known());
    fs::write(&path, r#"{"keys":[]}"#).unwrap();
    assert!(is_known());
    wait(31);
    renew();
    assert!(!is_known(), "what is withdrawn is not trusted after the next fetch");

    fs::write(&path, ISSUER_JWKS).unwrap();
    wait(31);
    assert!(is_known());
    fs::write(&path, "no key set").unwrap();
    wait(5 * 60 * 60);
    renew();
    assert!(is_known(), "an issuer that is away locks no caller out");
    wait(60 * 60 + 1);
    renew();
    assert_eq!(answer().unwrap_err().code, Code::StoreUnavailable, "not trusted for ever");
    fs::write(&path, ISSUER_JWKS).unwrap();
    wait(31);
    renew();
    assert!(is_known());
}

/// THREATS 56: the bearer of a token with a known key never waits for the issuer, and the issuer is asked
/// once, however many tokens name keys that are not known.
#[test]
fn threat_56_a_hanging_issuer_delays_no_caller_whose_key_is_known() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&fetches);
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close", ISSUER_JWKS.len());
                stream.write_all(format!("{head}\r\n\r\n{ISSUER_JWKS}").as_bytes()).unwrap();
            }
            // The others are accepted and never answered.
            held.push(stream);
        }
    });
    let host = ManualHost::default();
    let authenticator = authenticator(&url, &host);
    let good = issuer_token(&claims());
    let unknown = issuer_token_with("two", 1, &claims());
    runtime().block_on(async {
        host.advance_elapsed(Duration::from_secs(60));
        let strangers: Vec<_> = (0..50)
            .map(|_| {
                let (authenticator, host, unknown) =
                    (Arc::clone(&authenticator), host.clone(), unknown.clone());
                tokio::spawn(async move { authenticator.authenticate(&unknown, &host).await })
            })
            .collect();
        while fetches.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for _ in 0..100 {
            authenticator.authenticate(&good, &host).await.unwrap();
        }
        assert!(!strangers.iter().any(tokio::task::JoinHandle::is_finished), "the good ones came first");
        for stranger in strangers {
            assert_eq!(stranger.await.unwrap().unwrap_err().code, Code::Unauthenticated);
        }
        host.advance_elapsed(Duration::from_secs(10));
        authenticator.authenticate(&unknown, &host).await.unwrap_err();
        authenticator.authenticate(&good, &host).await.unwrap();
        assert_eq!(fetches.load(Ordering::SeqCst), 2, "at the start, and once for all strangers");
    });
}

/// THREATS 68: what one reader takes for another token than the next is no token, and what issuers really
/// send is one.
#[test]
fn threat_68_odd_tokens_of_the_issuer() {
    const ELSE: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#;
    let own = |more: &str| {
        ISSUER_JWKS.replace(r#""kid":"one","#, more).replace(r#"{"keys":["#, "").replace("]}", "")
    };
    let header = |more: &str| format!(r#"{{"alg":"EdDSA"{more}}}"#);
    let one = header(r#","kid":"one""#);
    let payload = |more: &str| claims().to_string().replacen('{', &format!("{{{more}"), 1);
    let plain = payload("");
    let set = |keys: &[&str]| format!(r#"{{"keys":[{}]}}"#, keys.join(","));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks.json");
    let runtime = runtime();
    for (name, keys, header, payload, is_good) in [
        ("as it should be", ISSUER_JWKS.to_owned(), one.clone(), plain.clone(), true),
        (
            "a claim twice",
            ISSUER_JWKS.to_owned(),
            one.clone(),
            payload(r#""email":"eve@example.com","#),
            false,
        ),
        ("a group twice", ISSUER_JWKS.to_owned(), one.clone(), payload(r#""a":{"b":1,"b":2},"#), false),
        (
            "a header twice",
            ISSUER_JWKS.to_owned(),
            header(r#","kid":"one","kid":"one""#),
            plain.clone(),
            false,
        ),
        (
            "a large number",
            ISSUER_JWKS.to_owned(),
            one.clone(),
            payload(r#""n":18446744073709551615,"#),
            true,
        ),
        (
            "issuers",
            ISSUER_JWKS.to_owned(),
            one.clone(),
            plain.replace(r#""https://id.example.com""#, r#"["https://id.example.com"]"#),
            false,
        ),
        ("crit", ISSUER_JWKS.to_owned(), header(r#","kid":"one","crit":["exp"]"#), plain.clone(), false),
        (
            "at+jwt",
            ISSUER_JWKS.to_owned(),
            header(r#","kid":"one","typ":"application/AT+jwt""#),
            plain.clone(),
            true,
        ),
        (
            "a logout token",
            ISSUER_JWKS.to_owned(),
            header(r#","kid":"one","typ":"logout+jwt""#),
            plain.clone(),
            false,
        ),
        (
            "two of one name",
            set(&[&format!(r#"{ELSE},"kid":"one"}}"#), &own(r#""kid":"one","#)]),
            one.clone(),
            plain.clone(),
            true,
        ),
        (
            "two of one name, one for another use",
            set(&[&format!(r#"{ELSE},"kid":"one","use":"enc"}}"#), &own(r#""kid":"one","#)]),
            one.clone(),
            plain.clone(),
            true,
        ),
        ("without names", set(&[&format!("{ELSE}}}"), &own("")]), header(""), plain.clone(), true),
        (
            "without names, a token with one",
            set(&[&format!("{ELSE}}}"), &own("")]),
            one.clone(),
            plain.clone(),
            true,
        ),
        (
            "a token without a name",
            set(&[&format!(r#"{ELSE},"kid":"two"}}"#), &own(r#""kid":"one","#)]),
            header(""),
            plain.clone(),
            true,
        ),
        (
            "another key of that name",
            set(&[&format!(r#"{ELSE},"kid":"one"}}"#), &own(r#""kid":"two","#)]),
            one.clone(),
            plain.clone(),
            false,
        ),
        (
            "a key for encryption",
            set(&[&own(r#""kid":"one","#).replace(r#""use":"sig""#, r#""use":"enc""#)]),
            one,
            plain,
            false,
        ),
    ] {
        fs::write(&path, keys).unwrap();
        let host = ManualHost::default();
        let authenticator = authenticator(path.to_str().unwrap(), &host);
        let token = issuer_token_of(&header, &payload);
        let answer = runtime.block_on(authenticator.authenticate(&token, &host));
        match answer {
            Ok(actor) => assert!(is_good && actor.person.as_str() == "ann@example.com", "{name}"),
            Err(problem) => {
                assert!(!is_good && problem.code == Code::Unauthenticated, "{name}: {problem:?}")
            }
        }
    }
}

/// THREATS 68: a description, and keys, that are not the issuer's.
#[test]
fn threat_68_a_service_does_not_start_with_keys_of_another_issuer_or_weak_ones() {
    let issuer = serve_documents(|path, own| match path {
        "/other/.well-known/openid-configuration" => {
            Some(json!({ "issuer": "https://id.example.com", "jwks_uri": format!("{own}/keys") }).to_string())
        }
        "/none/.well-known/openid-configuration" => {
            Some(json!({ "jwks_uri": format!("{own}/keys") }).to_string())
        }
        "/open/.well-known/openid-configuration" => Some(
            json!({ "issuer": format!("{own}/open"), "jwks_uri": "http://id.example.com/keys" }).to_string(),
        ),
        "/weak/.well-known/openid-configuration" => Some(
            json!({ "issuer": format!("{own}/weak"), "jwks_uri": format!("{own}/weak/keys") }).to_string(),
        ),
        "/weak/keys" => {
            let n = base64url(&[0xff; 128]);
            Some(json!({ "keys": [{ "kty": "RSA", "kid": "k", "n": n, "e": "AQAB" }] }).to_string())
        }
        "/keys" => Some(ISSUER_JWKS.to_owned()),
        _ => None,
    });
    for (path, said) in [
        ("other", "describes another issuer, https://id.example.com"),
        ("none", "describes another issuer, nothing"),
        ("open", "jwks_uri http://id.example.com/keys: what is sent would travel in the clear"),
        ("weak", "no key that can verify a token: k: it is an RSA key of less than 2048 bits"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let url = format!("{issuer}/{path}");
        let arguments =
            ["serve", "--oidc-issuer", &url, "--oidc-audience", "app", "--data-dir", data.to_str().unwrap()];
        let output = run(BINARY, &arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(said), "{path}: {error}");
        assert!(!data.exists(), "nothing was opened");
    }
}
