//! Services that are not Countersign, or not well.

use crate::Person;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A server that answers as it was set up to, and remembers what it was asked.
pub(crate) struct Stranger {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Stranger {
    pub(crate) fn answering(status: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self::serving(move |_| (status, body.clone()))
    }

    /// One that answers each line such as `GET /health HTTP/1.1` with a status and a body; the status 0
    /// hangs up.
    pub(crate) fn serving(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut line, mut length) = (String::new(), 0);
                if reader.read_line(&mut line).is_err() {
                    continue;
                }
                seen.lock().unwrap().push(line.trim().to_owned());
                loop {
                    let mut header = String::new();
                    if reader.read_line(&mut header).unwrap_or(0) <= 2 {
                        break;
                    }
                    if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                }
                let _ = reader.take(length).read_to_end(&mut Vec::new());
                let (status, body) = answer(line.trim());
                if status == 0 {
                    continue;
                }
                // Controls that HTTP lets pass (RFC 9110 section 5.5, obs-text).
                let answer = format!(
                    "HTTP/1.1 {status} X\u{9b}2J\r\ncontent-type: application/json\u{9b}2J\r\n\
                     location: http://127.0.0.1:1/\r\nx-request-id: \u{9b}2J\r\ndate: \u{9b}2J\r\n\
                     content-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, requests }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

#[test]
fn another_server_is_not_believed_and_cannot_paint_the_screen() {
    for (status, body, code, said) in [
        (200, "<html>hello</html>", 1, "does not answer as Countersign does"),
        (200, "{}", 1, "does not answer as Countersign does"),
        (302, "", 1, "status 302"),
        (401, r#"{"message":"Unauthorized"}"#, 3, "the gateway does not accept your token"),
        (403, r#"{"message":"\u001b[2JForbidden"}"#, 3, "\\u{1b}[2JForbidden"),
        (404, r#"{"message":"Not Found"}"#, 4, "there is no such route"),
        (429, r#"{"message":"Too Many Requests"}"#, 3, "wait a moment"),
        (502, "<html>Bad Gateway</html>", 1, "status 502"),
        (504, "", 7, "status 504"),
    ] {
        let stranger = Stranger::answering(status, body);
        let ended = Person::at(&stranger.base(), Some("token".to_owned())).run(&["list"]);
        ended.expect(code, said);
        assert!(!ended.stderr.contains('\u{1b}') && !ended.stdout.contains('\u{1b}'), "{ended:?}");
        assert_eq!(stranger.requests().len(), 1, "a redirect is not followed: {status}");
    }
}

#[test]
fn a_service_that_is_not_ready_is_asked_again_with_the_same_key() {
    let problem = r#"{"type":"urn:countersign:problem:store_unavailable","title":"Temporarily unavailable","status":503,
        "detail":"ask again","instance":"urn:uuid:0","code":"store_unavailable"}"#;
    let stranger = Stranger::answering(503, problem);
    let ann = Person::at(&stranger.base(), Some("token".to_owned()));
    let ended = ann.run(&["create", "reboot", "x", "-e", "production", "-m", "why"]);
    ended.expect(1, "(store_unavailable)");
    ended.expect(1, "urn:uuid:0");
    assert_eq!(stranger.requests().len(), 4);
}

#[test]
fn a_token_does_not_travel_in_the_clear() {
    for url in [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "ftp://x",
        "example.com",
        "http://127.0.0.1@example.com",
        "http://127.0.0.1:80@example.com",
        "http://127.0.0.1?@example.com",
    ] {
        let ended = Person::at(url, Some("token".to_owned())).run(&["list"]);
        assert_eq!(ended.code, 2, "{url}: {ended:?}");
        assert!(!ended.stderr.contains("token\n"), "{ended:?}");
    }
}

/// THREATS 53: a proxy of the environment is not asked for what is on this machine; it would read the token.
#[test]
fn threat_53_a_proxy_never_sees_a_call_to_this_machine() {
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        let proxy = Stranger::answering(502, "a proxy");
        let service = Stranger::answering(401, r#"{"message":"Unauthorized"}"#);
        let mut person = Person::at(&service.base(), Some("token".to_owned()));
        person.variables.insert(name.to_owned(), proxy.base());
        person.run(&["list"]).expect(3, "the gateway does not accept your token");
        assert_eq!((proxy.requests().len(), service.requests().len()), (0, 1), "{name}");
    }
}
