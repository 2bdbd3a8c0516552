//! Logging in and out, while an issuer does what it likes: hangs, or answers in another name.

use crate::{BINARY, Ended, Person};
use countersign_app::host::Clock as _;
use countersign_e2e::program::Program;
use countersign_e2e::signature::{base64url, claims};
use countersign_system::system::SystemHost;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// A service and its issuer at one address. Logs in Ann, then Bob; the token that it gives first is good for
/// half a minute, so that the next command renews it.
#[derive(Clone)]
struct Peer {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What the issuer does when a token is to be renewed: tells the test, waits for it, and names this subject.
struct Renewal {
    subject: &'static str,
    begun: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Peer {
    fn start(renewal: Renewal) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let peer = Self { base, asked: Arc::default() };
        let (own, renewal) = (peer.clone(), Arc::new(renewal));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (own, renewal) = (own.clone(), Arc::clone(&renewal));
                std::thread::spawn(move || own.serve(stream.unwrap(), &renewal));
            }
        });
        peer
    }

    fn serve(&self, mut stream: TcpStream, renewal: &Renewal) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
        let header = |name: &str| {
            head.iter().find_map(|line| line.to_lowercase().strip_prefix(name).map(str::to_owned))
        };
        let length = header("content-length: ").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let bearer =
            head.iter().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap_or_default();
        self.asked.lock().unwrap().push(format!("{path} {body}{bearer}"));
        let answer = self.answer(path, &body, renewal).to_string();
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length:";
        let _ = stream.write_all(format!("{head} {}\r\n\r\n{answer}", answer.len()).as_bytes());
    }

    fn answer(&self, path: &str, body: &str, renewal: &Renewal) -> Value {
        let base = &self.base;
        match path {
            "/.well-known/openid-configuration" => json!({
                "issuer": base, "token_endpoint": format!("{base}/token"),
                "device_authorization_endpoint": format!("{base}/device"),
                "revocation_endpoint": format!("{base}/revoke"),
            }),
            "/device" => {
                json!({ "device_code": "d", "user_code": "U", "verification_uri": format!("{base}/go"),
                "expires_in": 60, "interval": 1 })
            }
            "/token" if body.contains("grant_type=refresh_token") => {
                renewal.begun.send(()).unwrap();
                renewal.go_on.lock().unwrap().recv().unwrap();
                json!({ "id_token": self.token(renewal.subject, 3600), "refresh_token": "renewed" })
            }
            "/token" => match self.times_asked("/token") {
                1 => json!({ "id_token": self.token("ann", 30), "refresh_token": "first" }),
                _ => json!({ "id_token": self.token("bob", 3600), "refresh_token": "second" }),
            },
            _ => json!({ "items": [], "next_cursor": null }),
        }
    }

    /// Whose signature only a service would look at.
    fn token(&self, name: &str, seconds: i64) -> String {
        let exp = SystemHost::default().now().as_millisecond() / 1000 + seconds;
        let claims = json!({ "iss": self.base, "aud": "cli", "sub": name, "exp": exp, "email_verified": true,
            "email": format!("{name}@example.com") });
        format!("e30.{}.c2ln", base64url(claims.to_string().as_bytes()))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn times_asked(&self, path: &str) -> usize {
        self.asked().iter().filter(|asked| asked.starts_with(&format!("{path} "))).count()
    }

    /// Who has called the service itself.
    fn callers(&self) -> Vec<String> {
        let asked = self.asked();
        let tokens = asked
            .iter()
            .filter(|asked| asked.starts_with("/v1/"))
            .filter_map(|asked| asked.split(' ').nth(1));
        tokens.map(|token| claims(token)["email"].as_str().unwrap().to_owned()).collect()
    }
}

/// Ann's machine, with her profile for a service, on which she has logged in.
struct Machine {
    home: TempDir,
    person: Person,
    peer: Peer,
    begun: Receiver<()>,
    go_on: Sender<()>,
}

impl Machine {
    fn logged_in(subject_of_renewal: &'static str) -> Self {
        let ((begun, is_begun), (go_on, may_go_on)) = (channel(), channel());
        let renewal = Renewal { subject: subject_of_renewal, begun, go_on: Mutex::new(may_go_on) };
        let (home, peer) = (tempfile::tempdir().unwrap(), Peer::start(renewal));
        let variables = [("HOME".to_owned(), home.path().to_str().unwrap().to_owned())].into();
        let person = Person { variables };
        let profile = ["--url", &peer.base, "--oidc-issuer", &peer.base, "--oidc-client-id", "cli"];
        person.run(&[&["config", "set-profile", "prod"][..], &profile].concat()).expect(0, "prod");
        person.run(&["config", "use", "prod"]).expect(0, "prod");
        person.run(&["login"]).expect(0, "Logged in as ann@example.com");
        Self { home, person, peer, begun: is_begun, go_on }
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(".local/state/countersign/tokens/prod.json")
    }

    /// Runs `whoami`, and something else once the issuer has been asked for the next token.
    fn whoami_while(&self, command: impl FnOnce()) -> Ended {
        let person = &self.person;
        std::thread::scope(|scope| {
            let whoami = scope.spawn(|| person.run(&["whoami"]));
            self.begun.recv().unwrap();
            command();
            self.go_on.send(()).unwrap();
            whoami.join().unwrap()
        })
    }
}

/// THREATS 69.
#[test]
fn threat_69_a_logout_holds_against_a_renewal_that_began_before_it() {
    let ann = Machine::logged_in("ann");
    let ended = ann.whoami_while(|| ann.person.run(&["logout"]).expect(0, "Logged out"));
    ended.expect(3, "nobody is logged in");
    assert!(!ann.file().exists());
    assert!(ann.peer.callers().is_empty());
    // Neither the token that was given up nor the one that came too late is left at the issuer.
    for token in ["token=first&", "token=renewed&"] {
        assert!(
            ann.peer.asked().iter().any(|asked| asked.starts_with("/revoke ") && asked.contains(token)),
            "{token}"
        );
    }
    ann.person.run(&["whoami"]).expect(3, "nobody is logged in");
}

/// THREATS 69.
#[test]
fn threat_69_a_new_login_holds_against_a_renewal_that_began_before_it() {
    let ann = Machine::logged_in("ann");
    let ended = ann.whoami_while(|| ann.person.run(&["login"]).expect(0, "Logged in as bob@example.com"));
    ended.expect(3, "another person has logged in at profile prod");
    ann.person.run(&["whoami"]).expect(0, "bob@example.com");
    assert!(std::fs::read_to_string(ann.file()).unwrap().contains("second"));
    assert_eq!(ann.peer.callers(), ["bob@example.com"]);
}

/// THREATS 69: the person who has read the request decides, not one who logs in before the answer.
#[test]
fn threat_69_a_decision_that_one_person_began_is_not_made_by_another() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let ann = Person::of(&program, "ann", "developer");
    let id = ann.create_with("{}");
    let home = tempfile::tempdir().unwrap();
    let mut person =
        Person { variables: [("HOME".to_owned(), home.path().to_str().unwrap().to_owned())].into() };
    let issuer = "http://127.0.0.1:1";
    let profile = ["--url", program.base(), "--oidc-issuer", issuer, "--oidc-client-id", "cli"];
    person.run(&[&["config", "set-profile", "prod"][..], &profile].concat()).expect(0, "prod");
    person.variables.insert("COUNTERSIGN_PROFILE".to_owned(), "prod".to_owned());
    let log_in = |name: &str| {
        let login = json!({ "service": program.base(), "issuer": issuer, "client_id": "cli",
            "token": program.token(name, "approver"), "expires_at_seconds": 4_000_000_000_u64, "refresh_token": null });
        let tokens = home.path().join(".local/state/countersign/tokens");
        std::fs::create_dir_all(&tokens).unwrap();
        std::fs::write(tokens.join("prod.json"), login.to_string()).unwrap();
        std::fs::set_permissions(tokens.join("prod.json"), std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    for (other, code) in [("carol", 3), ("bob", 0)] {
        log_in("bob");
        let terminal = person.at_terminal(&["approve", &id], (80, 60));
        terminal.wait_for("[y/N]");
        log_in(other);
        terminal.press("y\r");
        let (ended, written) = terminal.end();
        assert_eq!(ended, code, "{written}");
        ann.decided(&id, usize::from(code == 0));
    }
}

/// THREATS 69.
#[test]
fn threat_69_a_renewal_in_another_name_is_refused() {
    let ann = Machine::logged_in("eve");
    let before = std::fs::read_to_string(ann.file()).unwrap();
    ann.whoami_while(|| {}).expect(3, "another subject");
    assert_eq!(std::fs::read_to_string(ann.file()).unwrap(), before);
    assert!(ann.peer.callers().is_empty(), "{:?}", ann.peer.callers());
}

/// THREATS 69.
#[test]
fn threat_69_a_login_is_sent_to_the_service_that_it_was_made_for() {
    let ann = Machine::logged_in("ann");
    ann.whoami_while(|| {}).expect(0, "ann@example.com");
    let other = Machine::logged_in("ann").peer;
    let asked = (ann.peer.asked(), other.asked());
    ann.person.run(&["config", "set-profile", "prod", "--url", &other.base]).expect(0, "prod");
    for command in [&["whoami"][..], &["list"]] {
        ann.person.run(command).expect(3, "your login was made for");
    }
    ann.person.run(&["doctor"]).expect(1, "your login was made for");
    let tokens = |asked: &[String]| asked.iter().filter(|asked| asked.contains("e30.")).count();
    assert_eq!(tokens(&other.asked()), tokens(&asked.1), "no token reached the other service");
    assert_eq!(ann.peer.asked(), asked.0, "and the issuer was not asked for one");
    // Logging in anew is the way.
    ann.person.run(&["login"]).expect(0, "Logged in as bob@example.com");
    ann.person.run(&["whoami"]).expect(0, "bob@example.com");
}

/// THREATS 70: configuration and tokens that others can read, or have put there.
#[test]
fn threat_70_files_that_are_not_the_owners_alone_are_refused() {
    let ann = Machine::logged_in("ann");
    ann.whoami_while(|| {}).expect(0, "ann@example.com");
    let token_file = ann.home.path().join("token");
    std::fs::write(&token_file, ann.peer.token("ann", 3600)).unwrap();
    let config = ann.home.path().join(".config/countersign/config.toml");
    let by_file = ["whoami", "--token-file", token_file.to_str().unwrap()];
    for (path, command, code) in
        [(&config, &["whoami"][..], 2), (&ann.file(), &["whoami"], 1), (&token_file, &by_file, 1)]
    {
        let set_mode = |mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        set_mode(0o600);
        ann.person.run(command).expect(0, "ann@example.com");
        let calls = ann.peer.callers().len();
        for mode in [0o644, 0o640, 0o622] {
            set_mode(mode);
            let ended = ann.person.run(command);
            ended.expect(code, "chmod 600");
            assert!(ended.stderr.contains(path.to_str().unwrap()), "{}", ended.stderr);
        }
        set_mode(0o600);
        let elsewhere = ann.home.path().join("elsewhere");
        std::fs::rename(path, &elsewhere).unwrap();
        symlink(&elsewhere, path).unwrap();
        ann.person.run(command).expect(code, "symbolic link");
        assert_eq!(ann.peer.callers().len(), calls, "{}: nothing was sent", path.display());
        std::fs::rename(&elsewhere, path).unwrap();
        ann.person.run(command).expect(0, "ann@example.com");
    }
}
