//! Logging in at an issuer on this machine, and the doctor at a service there: both are a few lines
//! over `std::net` that answer what a test tells them to. Time passes only when a test says so.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use countersign::commands::doctor::{Report, examine};
use countersign::commands::login::{device_login, forget};
use countersign::error::{CommandError, Kind};
use countersign_client::config::{Profile, ProfileName};
use countersign_client::oidc::{Client, Clock};
use countersign_client::profile::{Settings, TokenSource};
use countersign_client::secret::Secret;
use countersign_client::token_store::TokenStore;
use countersign_core::timestamp::Timestamp;
use countersign_identity::token::LocalKey;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NOW_SECONDS: i64 = 1_800_000_000;

/// What is answered: to a path and a body, a status and a document. No status is no answer.
type Answers = dyn Fn(&str, &str) -> (u16, Value) + Send;

/// A server on this machine that answers HTTP.
struct Peer {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    fn start(answers: impl FnOnce(&str) -> Box<Answers>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = answers(&url);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &log, &*answers);
            }
        });
        Self { url, asked }
    }

    /// What it was asked, and with what form.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<String>>, answers: &Answers) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_lowercase());
    }
    let Some(first) = lines.first() else { return };
    let path = first.split(' ').nth(1).unwrap().to_owned();
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    log.lock().unwrap().push(format!("{path} {body}"));
    let (status, document) = answers(&path, &body);
    let document = document.to_string();
    let date = "Fri, 15 Jan 2027 08:00:00 GMT";
    let answer = format!(
        "HTTP/1.1 {status} X\r\ndate: {date}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{document}",
        document.len()
    );
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
}

/// An ID token, whose signature is not checked here.
fn id_token(issuer: &str, left_seconds: i64) -> String {
    let claims = json!({"iss": issuer, "aud": "cli", "sub": "1", "email": "ann@example.com",
        "email_verified": true, "exp": NOW_SECONDS + left_seconds});
    format!("e30.{}.sig", base64url(claims.to_string().as_bytes()))
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for i in 0..=chunk.len() {
            text.push(char::from(LETTERS[(word >> (18 - 6 * i)) as usize & 63]));
        }
    }
    text
}

/// An issuer that goes through these answers at its token endpoint.
fn issuer(answers: impl Fn(&str) -> Vec<(u16, Value)> + 'static) -> Peer {
    Peer::start(move |url| {
        let url = url.to_owned();
        let left = Mutex::new(answers(&url).into_iter());
        Box::new(move |path, _| match path {
            "/.well-known/openid-configuration" => (
                200,
                json!({"issuer": url, "token_endpoint": format!("{url}/token"),
                    "device_authorization_endpoint": format!("{url}/device"),
                    "revocation_endpoint": format!("{url}/revoke"),
                    "scopes_supported": ["openid", "email"]}),
            ),
            "/device" => (
                200,
                json!({"device_code": "device-secret", "user_code": "ABCD\u{1b}[2J",
                    "verification_uri": format!("{url}/go"), "expires_in": 60, "interval": 2}),
            ),
            "/token" => left.lock().unwrap().next().unwrap(),
            "/revoke" => (200, json!({})),
            _ => (404, json!({})),
        })
    })
}

fn refusal(error: &str) -> (u16, Value) {
    (400, json!({"error": error}))
}

/// Time that passes when the program pauses.
#[derive(Default)]
struct FakePace {
    seconds: Cell<i64>,
    pauses: RefCell<Vec<u64>>,
}

impl Clock for FakePace {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond((NOW_SECONDS + self.seconds.get()) * 1000)
    }

    fn pause(&self, length: Duration) {
        self.pauses.borrow_mut().push(length.as_secs());
        self.seconds.set(self.seconds.get() + i64::try_from(length.as_secs()).unwrap());
    }
}

struct Home {
    _directory: tempfile::TempDir,
    store: TokenStore,
    name: ProfileName,
    client: Client,
    pace: FakePace,
    out: Vec<u8>,
}

impl Home {
    fn at(issuer: &Peer) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let profile = Profile {
            oidc_issuer: Some(issuer.url.clone()),
            oidc_client_id: Some("cli".to_owned()),
            ..Profile::default()
        };
        Self {
            store: TokenStore::at(&directory.path().join("tokens")),
            _directory: directory,
            name: ProfileName::parse("prod").unwrap(),
            client: Client::new(&profile, None).unwrap(),
            pace: FakePace::default(),
            out: Vec::new(),
        }
    }

    fn log_in(&mut self) -> Result<(), CommandError> {
        device_login(&self.client, &self.store, &self.name, &self.pace, &mut self.out).map(|_| ())
    }
}

#[test]
fn a_person_logs_in_as_fast_as_the_issuer_allows() {
    let issuer = issuer(|url| {
        vec![
            refusal("authorization_pending"),
            refusal("slow_down"),
            refusal("authorization_pending"),
            (200, json!({"id_token": id_token(url, 3600), "access_token": "a", "refresh_token": "r1"})),
        ]
    });
    let mut home = Home::at(&issuer);
    home.log_in().unwrap();
    assert_eq!(*home.pace.pauses.borrow(), [2, 2, 7, 7]);
    let login = home.store.read(&home.name).unwrap().unwrap();
    assert_eq!(login.token.expose(), id_token(&issuer.url, 3600));
    assert_eq!(login.expires_at_seconds, NOW_SECONDS + 3600);
    let said = String::from_utf8(home.out).unwrap();
    assert!(said.contains("/go") && said.contains("ABCD\\u{1b}[2J"), "{said}");
    assert!(said.contains("ann@example.com") && said.contains("59m left"), "{said}");
    for secret in [login.token.expose(), "device-secret", "r1"] {
        assert!(!said.contains(secret), "{said}");
    }
    // What the issuer does not know is not asked for.
    assert!(
        issuer.asked().contains(&"/device client_id=cli&scope=openid+email".to_owned()),
        "{:?}",
        issuer.asked()
    );
}

#[test]
fn a_person_who_says_no_or_nothing_is_not_logged_in() {
    for (answer, kind) in [
        ("access_denied", Kind::Refused),
        ("expired_token", Kind::TimedOut),
        ("invalid_client", Kind::Failed),
    ] {
        let issuer = issuer(move |_| vec![refusal(answer)]);
        let mut home = Home::at(&issuer);
        assert_eq!(home.log_in().unwrap_err().kind(), kind, "{answer}");
        assert_eq!(home.store.read(&home.name).unwrap(), None);
    }
    let issuer = issuer(|_| vec![refusal("authorization_pending"); 40]);
    let mut home = Home::at(&issuer);
    assert_eq!(home.log_in().unwrap_err().kind(), Kind::TimedOut);
    assert_eq!(home.pace.seconds.get(), 60);
}

#[test]
fn a_token_of_another_person_is_not_kept() {
    for (of, left) in [("https://elsewhere.example.com", 3600), ("", -1)] {
        let issuer = issuer(move |url| {
            let of = if of.is_empty() { url } else { of };
            vec![(200, json!({"id_token": id_token(of, left)}))]
        });
        let mut home = Home::at(&issuer);
        assert_eq!(home.log_in().unwrap_err().kind(), Kind::Failed);
        assert_eq!(home.store.read(&home.name).unwrap(), None);
    }
}

#[test]
fn a_login_is_renewed_until_the_issuer_wants_to_see_the_person() {
    let issuer = issuer(|url| {
        vec![
            (200, json!({"id_token": id_token(url, 100), "refresh_token": "r1"})),
            (200, json!({"id_token": id_token(url, 200)})),
            refusal("invalid_grant"),
        ]
    });
    let mut home = Home::at(&issuer);
    home.log_in().unwrap();
    let now = || home.pace.now();
    let renew = |login: &_| home.client.renew(login, now());
    let end = || {
        home.store
            .fresh(&home.name, &now, &renew, &|_| {})
            .map(|login| login.expires_at_seconds - NOW_SECONDS)
    };
    assert_eq!(end().unwrap(), 100);
    home.pace.pause(Duration::from_secs(50));
    assert_eq!(end().unwrap(), 200);
    // The refresh token that was not replaced is kept.
    home.pace.pause(Duration::from_secs(200));
    let error = CommandError::from(end().unwrap_err());
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.to_string().contains("countersign login"), "{error}");
    let renewals = issuer.asked().iter().filter(|asked| asked.contains("refresh_token=r1")).count();
    assert_eq!(renewals, 2);
}

#[test]
fn who_logs_out_is_forgotten_here_and_at_the_issuer() {
    let issuer = issuer(|url| vec![(200, json!({"id_token": id_token(url, 100), "refresh_token": "r1"}))]);
    let mut home = Home::at(&issuer);
    home.log_in().unwrap();
    forget(Some(&home.client), &home.store, &home.name, &mut home.out).unwrap();
    assert_eq!(home.store.read(&home.name).unwrap(), None);
    assert!(issuer.asked().iter().any(|asked| asked.starts_with("/revoke token=r1&")));
    forget(Some(&home.client), &home.store, &home.name, &mut home.out).unwrap();
}

fn service(status: u16) -> Peer {
    Peer::start(move |_| {
        Box::new(move |path, _| match path {
            "/health" => (200, json!({"status": "healthy", "version": "1.2.3", "policy_version": "abc"})),
            _ if status == 200 => (200, json!({"items": [], "next_cursor": null})),
            _ => (status, json!({"message": "Unauthorized"})),
        })
    })
}

/// Examines a service with a token for Ann that ends in an hour, at so many seconds after the
/// service's own time.
fn examined(url: &str, groups: &[&str], late_seconds: i64) -> Report {
    let ann = countersign_core::person::PersonId::from_email("ann@example.com").unwrap();
    let groups: Vec<_> = groups.iter().map(|group| (*group).to_owned()).collect();
    let now = Timestamp::from_millisecond((NOW_SECONDS + late_seconds) * 1000);
    let token = LocalKey::new([1; 32]).issue(&ann, &groups, now, 3600);
    let token = TokenSource::Environment(Secret::new(&token));
    let settings =
        Settings { url: url.to_owned(), ca_bundle: None, aws_ca_bundle: None, token, profile: None };
    examine(&settings, &|| now)
}

fn problems(report: &Report) -> Vec<&str> {
    report.checks.iter().filter(|check| !check.ok).map(|check| check.name).collect()
}

#[test]
fn the_doctor_finds_what_is_wrong_and_nothing_else() {
    let content = service(200);
    let report = examined(&content.url, &["developer", "everyone"], 0);
    assert!(report.ok, "{report:?}");
    assert!(report.checks.iter().any(|check| check.found.contains("version 1.2.3")));
    // Which names mean anything is the business of the service; none at all mean nothing anywhere.
    assert_eq!(problems(&examined(&content.url, &[], 0)), ["groups"]);
    assert_eq!(problems(&examined(&content.url, &["developer"], 60)), ["clock"]);
    assert_eq!(problems(&examined(&content.url, &["developer"], -60)), ["clock"]);
    assert_eq!(problems(&examined(&service(401).url, &["developer"], 0)), ["accepted"]);
    assert_eq!(problems(&examined("http://example.com", &["developer"], 0)), ["url", "service"]);
}

/// THREATS 69.
#[test]
fn threat_69_a_renewal_is_kept_if_it_is_for_us_however_that_is_written() {
    for (name, member, more, is_kept) in [
        ("another client", "id_token", json!({"aud": "other"}), false),
        ("another issuer", "id_token", json!({"iss": "https://other"}), false),
        ("another issuer", "access_token", json!({"iss": "https://other"}), false),
        ("another subject", "id_token", json!({"sub": "2"}), false),
        ("another subject", "access_token", json!({"sub": "2"}), false),
        ("the same", "id_token", json!({}), true),
        ("a list of one", "id_token", json!({"aud": ["cli"]}), true),
        ("one more audience", "id_token", json!({"aud": ["x", "cli"]}), true),
        ("no ID token", "access_token", json!({"aud": "account"}), true),
        ("no audience", "access_token", json!({"aud": null}), true),
    ] {
        let issuer = issuer(move |url| {
            let mut claims = json!({"iss": url, "aud": "cli", "sub": "1", "exp": NOW_SECONDS + 3600});
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            let renewed = format!("e30.{}.c2ln", base64url(claims.to_string().as_bytes()));
            vec![
                (200, json!({"id_token": id_token(url, 10), "refresh_token": "r1"})),
                (200, json!({(member): renewed, "refresh_token": "r2"})),
            ]
        });
        let mut home = Home::at(&issuer);
        home.log_in().unwrap();
        let login = home.store.read(&home.name).unwrap().unwrap();
        let renewed = home.client.renew(&login, home.pace.now());
        assert_eq!(renewed.is_ok(), is_kept, "{name}, {member}: {renewed:?}");
    }
}

#[test]
fn an_answer_that_is_no_answer_of_an_issuer_ends_the_login_at_once() {
    for answer in [
        (404, json!({})),
        (302, json!({})),
        (500, json!("no")),
        (200, json!({"id_token": 1})),
        (200, json!([])),
    ] {
        let said = format!("status {}", answer.0);
        let issuer = issuer(move |_| vec![answer.clone()]);
        let mut home = Home::at(&issuer);
        let error = home.log_in().unwrap_err();
        assert!(error.kind() == Kind::Failed && error.to_string().contains(&said), "{error:?}");
        assert_eq!(home.pace.pauses.borrow().len(), 1);
    }
}

#[test]
fn a_token_without_a_subject_or_that_no_header_takes_is_not_kept() {
    for odd in [
        |url: &str| format!("{}\r\nX: S", id_token(url, 3600)),
        |url: &str| {
            let claims =
                json!({"iss": url, "aud": "cli", "email": "ann@example.com", "exp": NOW_SECONDS + 3600});
            format!("e30.{}.c2ln", base64url(claims.to_string().as_bytes()))
        },
    ] {
        let issuer = issuer(move |url| vec![(200, json!({"id_token": odd(url)}))]);
        let mut home = Home::at(&issuer);
        assert_eq!(home.log_in().unwrap_err().kind(), Kind::Failed);
        assert_eq!(home.store.read(&home.name).unwrap(), None);
    }
}
