//! People sign in to the dashboard of the program at an issuer, stay signed in by its refresh tokens, and sign out of it.

use countersign_app::host::Clock as _;
use countersign_e2e::browser::{Browser, asks_to_sign_in};
use countersign_e2e::client::Client;
use countersign_e2e::issuer::{CLIENT, Issuer};
use countersign_e2e::program::{Program, run};
use countersign_e2e::signature::ISSUER_JWKS;
use countersign_system::system::SystemHost;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");
const ORIGIN: &str = "https://countersign.example.com";

/// A person whose tokens last so many seconds.
fn claims(name: &str, seconds: i64) -> Value {
    let now = SystemHost::default().now().as_millisecond() / 1000;
    json!({ "sub": name, "exp": now + seconds, "email": format!("{name}@example.com"), "email_verified": true,
        "groups": ["approver"] })
}

/// A program whose dashboard is the issuer's client.
struct Site {
    issuer: Issuer,
    program: Program,
    _directory: TempDir,
}

fn secret_file(directory: &Path, mode: u32) -> String {
    let path = directory.join("client-secret");
    fs::write(&path, format!("{}\n", CLIENT.1)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

impl Site {
    fn start() -> Self {
        let issuer = Issuer::start(ISSUER_JWKS);
        let directory = tempfile::tempdir().unwrap();
        let secret = secret_file(directory.path(), 0o600);
        let arguments = [
            "--oidc-issuer",
            issuer.url(),
            "--oidc-audience",
            CLIENT.0,
            "--oidc-client-id",
            CLIENT.0,
            "--oidc-client-secret-file",
            &secret,
            "--public-url",
            ORIGIN,
        ];
        let program = Program::start_with(BINARY, &directory.path().join("data"), &arguments);
        Self { issuer, program, _directory: directory }
    }

    fn browser(&self) -> Browser<'_> {
        let client = Client::new(self.program.base(), None);
        Browser::with(ORIGIN, move |method, target, headers, body| {
            let headers: Vec<_> =
                headers.iter().copied().chain([("host", "countersign.example.com")]).collect();
            client.send(method, target, &headers, body.as_bytes()).unwrap()
        })
    }

    /// Begins to sign in; gives where the issuer sends the browser back to.
    fn begin(&self, browser: &mut Browser<'_>, claims: &Value) -> String {
        let page = browser.get("/sign-in?return=%2Fhistory");
        let begun = browser.submit(&page.text, "/login", &[]);
        assert_eq!(begun.status, 303, "{}", begun.text);
        let back = self.issuer.sign_in(&begun.headers["location"], claims);
        back.strip_prefix(ORIGIN).unwrap().to_owned()
    }

    fn signed_in(&self, claims: &Value) -> Browser<'_> {
        let mut browser = self.browser();
        let back = self.begin(&mut browser, claims);
        let signed_in = browser.get(&back);
        assert_eq!(signed_in.status, 303, "{}", signed_in.text);
        assert_eq!(signed_in.headers["location"], "/history");
        browser
    }
}

#[test]
fn a_person_signs_in_at_the_issuer_and_out_of_it() {
    let site = Site::start();
    let mut bob = site.signed_in(&claims("bob", 3600));
    let history = bob.get("/history");
    assert!(history.status == 200 && history.text.contains("bob@example.com"), "{}", history.text);
    let out = bob.submit(&history.text, "/sign-out", &[]);
    assert!(out.headers["location"].starts_with(&format!("{}/end?", site.issuer.url())), "{out:?}");
    assert_eq!(site.issuer.revoked().len(), 1);
    assert!(asks_to_sign_in(&bob.get("/history")));
    let log = site.program.log();
    assert!(!log.contains("eyJ") && !log.contains("code 0") && !log.contains(CLIENT.1), "{log}");
}

#[test]
fn an_answer_of_the_issuer_is_for_the_browser_that_asked_and_once() {
    let site = Site::start();
    let (mut bob, mut eve) = (site.browser(), site.browser());
    let back = site.begin(&mut bob, &claims("bob", 3600));
    let of_eve = site.begin(&mut eve, &claims("eve", 3600));
    // Whose browser follows a link of another's sign-in is signed in as nobody.
    assert_eq!(bob.get(&of_eve).status, 403);
    let begun_again = site.begin(&mut bob, &claims("bob", 3600));
    assert_eq!(bob.get(&back).status, 403, "an older sign-in of the same browser");
    let again = site.begin(&mut bob, &claims("bob", 3600));
    for forged in
        [again.replace("state=", "state=x"), again.replace("code=", "code=x"), "/login/callback".to_owned()]
    {
        assert_eq!(bob.get(&forged).status, 403, "{forged}");
        assert!(asks_to_sign_in(&bob.get("/inbox")), "{forged}");
    }
    assert_ne!(begun_again, again);
    let last = site.begin(&mut bob, &claims("bob", 3600));
    assert_eq!(bob.get(&last).status, 303);
    assert_eq!(bob.get(&last).status, 403, "a code is redeemed once");
}

#[test]
fn a_token_is_renewed_in_time_and_for_the_same_person_only() {
    let site = Site::start();
    // Less than a minute before its end, each page gets another one.
    let mut bob = site.signed_in(&claims("bob", 50));
    let before = bob.cookies.clone();
    site.issuer.claim_next(&claims("bob", 3600));
    let history = bob.get("/history");
    assert_eq!(history.status, 200, "{}", history.text);
    assert_ne!(bob.cookies, before, "the session has another token");
    assert_eq!(bob.get("/history").status, 200);

    let mut carol = site.signed_in(&claims("carol", 50));
    site.issuer.claim_next(&claims("dave", 3600));
    let history = carol.get("/history");
    assert!(
        history.text.contains("carol@example.com") && !history.text.contains("dave@"),
        "{}",
        history.text
    );
    assert!(site.program.log().contains("whose sub is not what was asked for"), "{}", site.program.log());
}

#[test]
fn what_is_no_id_token_for_this_client_signs_no_person_in() {
    let site = Site::start();
    for (what, claims) in [
        ("expired", claims("bob", -10)),
        ("of another client", {
            let mut claims = claims("bob", 3600);
            claims["azp"] = json!("another");
            claims
        }),
        ("whose e-mail is not verified", {
            let mut claims = claims("bob", 3600);
            claims["email_verified"] = json!(false);
            claims
        }),
    ] {
        let mut browser = site.browser();
        let back = site.begin(&mut browser, &claims);
        let refused = browser.get(&back);
        assert_eq!(refused.status, 403, "{what}: {}", refused.text);
        assert!(asks_to_sign_in(&browser.get("/inbox")), "{what}");
    }
}

#[test]
fn a_client_that_cannot_work_is_refused_at_the_start() {
    let issuer = Issuer::start(ISSUER_JWKS);
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let readable = secret_file(directory.path(), 0o644);
    let start = |arguments: &[&str]| {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()];
        all.extend(["--oidc-issuer", issuer.url(), "--oidc-audience", "countersign"]);
        all.extend(arguments);
        let output = run(BINARY, &all);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let error = start(&["--oidc-client-id", "another"]);
    assert!(error.contains("--oidc-client-id another is not among --oidc-audience"), "{error}");
    let error = start(&["--oidc-client-id", "countersign", "--oidc-client-secret-file", &readable]);
    assert!(error.contains("--oidc-client-secret-file") && error.contains("client-secret"), "{error}");
    let error = start(&["--oidc-client-secret-file", &readable]);
    assert!(error.contains("--oidc-client-id"), "{error}");
}
