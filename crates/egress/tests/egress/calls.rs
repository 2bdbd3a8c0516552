//! What a call sends, what is kept of its answer, and how it fails.

use crate::server::{AMPLE, Answers, Authority, NoNames, Server, now, opened, post};
use bytes::Bytes;
use countersign_delivery::outcome::FailureClass;
use countersign_egress::client::{MAX_MESSAGE_BYTES, is_reserved};
use countersign_egress::{Address, Client};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A time limit that calls run into on purpose.
pub(crate) const SHORT: Duration = Duration::from_secs(2);
/// Many times less than the limit: what is sent at this interval never pauses for as long.
const DRIP: Duration = Duration::from_millis(100);

/// A client that trusts the authority for hosts on loopback, and the address of a server.
pub(crate) fn client_of(server: &Server, authority: &Authority, path: &str) -> (Client, Address) {
    let rules = opened(server.port());
    let text = format!("https://127.0.0.1:{}{path}", server.port());
    let address = Address::parse(&text, &rules).unwrap();
    (Client::with_resolver(rules, NoNames, Some(authority.pem.as_bytes())).unwrap(), address)
}

#[tokio::test]
async fn a_call_sends_what_it_is_given_and_nothing_of_its_own() {
    let authority = Authority::new(&["127.0.0.1"]);
    let answer = "HTTP/1.1 429 Too Many Requests\r\nset-cookie: a=b\r\nretry-after: 120\r\ncontent-length: 4\r\n\r\nbusy";
    let server = Server::answering("127.0.0.1:0", &authority, answer).await;
    let (client, address) = client_of(&server, &authority, "/a/b?c=d");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.append("x-two", HeaderValue::from_static("1"));
    headers.append("x-two", HeaderValue::from_static("2"));
    for _ in 0..2 {
        let body = Bytes::from_static(b"{\"a\":1}");
        let answer = client.post(&address, &headers, body, AMPLE, now()).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (429, b"busy".as_slice()));
        assert_eq!(answer.retry_after, Some(Duration::from_secs(120)));
    }
    let expected = format!(
        "POST /a/b?c=d HTTP/1.1\r\ncontent-type: application/json\r\nx-two: 1\r\nx-two: 2\r\nhost: 127.0.0.1:{}\r\n\
         content-length: 7\r\n\r\n{{\"a\":1}}",
        server.port()
    );
    // No cookie of the first answer is in the second request.
    assert_eq!(*server.requests.lock().unwrap(), [expected.as_str(), expected.as_str()]);
    assert_eq!(server.connections().await, 2);
}

/// A connection that the server would keep is not used again.
#[tokio::test]
async fn every_call_connects_anew() {
    let authority = Authority::new(&["127.0.0.1"]);
    let server = Server::tls("127.0.0.1:0", &authority, |mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.ok();
        assert!(rest.is_empty());
    })
    .await;
    let (client, address) = client_of(&server, &authority, "/");
    for count in 1..=3 {
        assert_eq!(post(&client, &address, AMPLE).await.unwrap().body, b"ok");
        assert_eq!(server.connections().await, count);
    }
}

#[tokio::test]
async fn a_header_that_frames_the_message_is_not_sent() {
    let authority = Authority::new(&["127.0.0.1"]);
    let server = Server::answering("127.0.0.1:0", &authority, "HTTP/1.1 204 No Content\r\n\r\n").await;
    let (client, address) = client_of(&server, &authority, "/");
    for name in [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "Proxy-Authorization",
        "Proxy-Authenticate",
        "Proxy-Connection",
        "HTTP2-Settings",
    ] {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        assert!(is_reserved(&name));
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_static("1"))]);
        let failure = client.post(&address, &headers, Bytes::new(), AMPLE, now()).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Unusable);
    }
    assert!(!is_reserved(&HeaderName::from_static("authorization")));
    assert_eq!(server.connections().await, 0);
}

#[tokio::test]
async fn a_message_has_at_most_256_kib() {
    let authority = Authority::new(&["127.0.0.1"]);
    let server = Server::answering("127.0.0.1:0", &authority, "HTTP/1.1 204 No Content\r\n\r\n").await;
    let (client, address) = client_of(&server, &authority, "/");
    let sent = async |size| {
        let body = Bytes::from(vec![b'x'; size]);
        client.post(&address, &HeaderMap::new(), body, AMPLE, now()).await
    };
    assert_eq!(sent(MAX_MESSAGE_BYTES).await.unwrap().status, 204);
    assert_eq!(sent(MAX_MESSAGE_BYTES + 1).await.unwrap_err().class, FailureClass::Unusable);
    assert_eq!(server.connections().await, 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_its_target_is_not_called() {
    let target = Server::counting("127.0.0.1:0").await;
    let authority = Authority::new(&["127.0.0.1"]);
    for status in [301, 302, 303, 307, 308] {
        let location = format!("HTTP/1.1 {status} Found\r\nlocation: https://{}/\r\n\r\n", target.address);
        let server = Server::answering("127.0.0.1:0", &authority, location.leak()).await;
        let (client, address) = client_of(&server, &authority, "/");
        assert_eq!(post(&client, &address, AMPLE).await.unwrap().status, status);
        assert_eq!(server.connections().await, 1);
    }
    assert_eq!(target.connections().await, 0);
}

/// The server would send 1 GiB if it could: what it got rid of is in buffers of the system, and bounds what the client held.
#[tokio::test]
async fn an_answer_without_end_is_cut_at_64_kib_and_its_connection_closed() {
    for head in ["content-length: 1073741824\r\n", "", "transfer-encoding: chunked\r\n"] {
        let authority = Authority::new(&["127.0.0.1"]);
        let written = Arc::new(AtomicUsize::new(0));
        let (closed, mut is_closed) = tokio::sync::mpsc::unbounded_channel();
        let server = Server::tls("127.0.0.1:0", &authority, {
            let written = Arc::clone(&written);
            move |mut stream| {
                let (written, closed) = (Arc::clone(&written), closed.clone());
                async move {
                    let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n");
                    stream.write_all(head.as_bytes()).await.unwrap();
                    let mut block = [b'x'; 8192].to_vec();
                    if head.contains("chunked") {
                        block = [b"2000\r\n".as_slice(), &block, b"\r\n"].concat();
                    }
                    while written.load(Ordering::SeqCst) < 1 << 30 && stream.write_all(&block).await.is_ok() {
                        written.fetch_add(block.len(), Ordering::SeqCst);
                    }
                    closed.send(()).unwrap();
                }
            }
        })
        .await;
        let (client, address) = client_of(&server, &authority, "/");
        let answer = post(&client, &address, AMPLE).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 64 * 1024));
        assert!(answer.body.iter().all(|byte| *byte == b'x') && answer.body.capacity() <= 128 * 1024);
        // The server ends because the connection is closed, long before it is done.
        tokio::time::timeout(AMPLE, is_closed.recv()).await.unwrap().unwrap();
        assert!(
            written.load(Ordering::SeqCst) < 10 << 20,
            "{} bytes were taken",
            written.load(Ordering::SeqCst)
        );
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_left_at_the_time_limit() {
    let authority = Authority::new(&["127.0.0.1"]);
    let (closed, mut is_closed) = tokio::sync::mpsc::unbounded_channel();
    let silent_before_tls = Server::plain("127.0.0.1:0", {
        let closed = closed.clone();
        move |mut stream| {
            let closed = closed.clone();
            async move {
                stream.read_to_end(&mut Vec::new()).await.ok();
                closed.send(()).unwrap();
            }
        }
    })
    .await;
    let silent_after_request = Server::tls("127.0.0.1:0", &authority, move |mut stream| {
        let closed = closed.clone();
        async move {
            stream.read_to_end(&mut Vec::new()).await.ok();
            closed.send(()).unwrap();
        }
    })
    .await;
    for server in [silent_before_tls, silent_after_request] {
        let (client, address) = client_of(&server, &authority, "/");
        let begin = Instant::now();
        let failure = post(&client, &address, SHORT).await.unwrap_err();
        assert_eq!((failure.class, failure.status), (FailureClass::Timeout, None));
        assert!(begin.elapsed() >= SHORT && begin.elapsed() < AMPLE);
        // No socket is left open.
        tokio::time::timeout(AMPLE, is_closed.recv()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_server_that_sends_byte_by_byte_is_left_at_the_time_limit_of_the_whole_call() {
    let authority = Authority::new(&["127.0.0.1"]);
    for (at_once, status) in [("HTTP/1.1 200 OK\r\nx: ", None), ("HTTP/1.1 200 OK\r\n\r\n", Some(200))] {
        let server = Server::tls("127.0.0.1:0", &authority, move |mut stream| async move {
            stream.write_all(at_once.as_bytes()).await.unwrap();
            while stream.write_all(b"a").await.is_ok() {
                tokio::time::sleep(DRIP).await;
            }
        })
        .await;
        let (client, address) = client_of(&server, &authority, "/");
        let begin = Instant::now();
        let failure = post(&client, &address, SHORT).await.unwrap_err();
        assert_eq!((failure.class, failure.status), (FailureClass::Timeout, status));
        assert!(begin.elapsed() >= SHORT && begin.elapsed() < AMPLE);
    }
}

/// A resolver that hangs is within the time limit too.
#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_failure_of_its_own() {
    #[derive(Debug)]
    struct Hanging;
    impl aws_smithy_runtime_api::client::dns::ResolveDns for Hanging {
        fn resolve_dns<'a>(&'a self, _: &'a str) -> aws_smithy_runtime_api::client::dns::DnsFuture<'a> {
            aws_smithy_runtime_api::client::dns::DnsFuture::new(std::future::pending())
        }
    }
    let address = Address::parse("https://hooks.example.com/", &opened(443)).unwrap();
    let client = Client::with_resolver(opened(443), NoNames, None).unwrap();
    let failure = post(&client, &address, AMPLE).await.unwrap_err();
    assert_eq!((failure.class, failure.detail.as_str()), (FailureClass::Name, "the name does not resolve"));
    let client = Client::with_resolver(opened(443), Answers::new(&[&[]]), None).unwrap();
    assert_eq!(post(&client, &address, AMPLE).await.unwrap_err().class, FailureClass::Name);
    let client = Client::with_resolver(opened(443), Hanging, None).unwrap();
    assert_eq!(post(&client, &address, SHORT).await.unwrap_err().class, FailureClass::Timeout);
}

/// The system knows `localhost` without asking a server.
#[tokio::test]
async fn the_system_resolves_names() {
    let authority = Authority::new(&["localhost"]);
    let server = Server::answering("127.0.0.1:0", &authority, "HTTP/1.1 204 No Content\r\n\r\n").await;
    let rules = opened(server.port());
    let address = Address::parse(&format!("https://localhost:{}/", server.port()), &rules).unwrap();
    let client = Client::new(rules, Some(authority.pem.as_bytes())).unwrap();
    assert_eq!(post(&client, &address, AMPLE).await.unwrap().status, 204);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_for_another_host_is_a_failure_of_tls() {
    let authority = Authority::new(&["127.0.0.1"]);
    let stranger = Authority::new(&["127.0.0.1"]);
    let elsewhere = Authority::new(&["other.example.com"]);
    for (shown, bundle, detail) in [
        (&authority, None, "the certificate is not under a root that is trusted"),
        (&stranger, Some(&authority), "the certificate is not under a root that is trusted"),
        (&elsewhere, Some(&elsewhere), "the certificate is for another host"),
    ] {
        let server = Server::answering("127.0.0.1:0", shown, "HTTP/1.1 204 No Content\r\n\r\n").await;
        let (_, address) = client_of(&server, &authority, "/");
        let bundle = bundle.map(|bundle| bundle.pem.as_bytes());
        let client = Client::with_resolver(opened(server.port()), NoNames, bundle).unwrap();
        let failure = post(&client, &address, AMPLE).await.unwrap_err();
        assert_eq!((failure.class, failure.detail.as_str()), (FailureClass::Tls, detail));
        assert!(server.requests.lock().unwrap().is_empty());
    }
    let no_tls = Server::plain("127.0.0.1:0", |mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        stream.read_to_end(&mut Vec::new()).await.ok();
    })
    .await;
    let (client, address) = client_of(&no_tls, &authority, "/");
    assert_eq!(post(&client, &address, AMPLE).await.unwrap_err().class, FailureClass::Tls);
}

/// The public address is never connected to: the first address of an answer is tried first, and it is there.
#[tokio::test]
async fn roots_of_the_operator_count_for_hosts_in_opened_networks_alone() {
    let authority = Authority::new(&["hooks.example.com"]);
    let server = Server::answering("127.0.0.1:0", &authority, "HTTP/1.1 204 No Content\r\n\r\n").await;
    let rules = opened(server.port());
    let address = Address::parse(&format!("https://hooks.example.com:{}/", server.port()), &rules).unwrap();
    let bundle = Some(authority.pem.as_bytes());
    let client = Client::with_resolver(rules.clone(), Answers::new(&[&["127.0.0.1"]]), bundle).unwrap();
    assert_eq!(post(&client, &address, AMPLE).await.unwrap().status, 204);
    let both = Answers::new(&[&["127.0.0.1", "93.184.216.34"]]);
    let client = Client::with_resolver(rules, both, bundle).unwrap();
    let failure = post(&client, &address, AMPLE).await.unwrap_err();
    assert_eq!((failure.class, server.connections().await), (FailureClass::Tls, 2));
}

#[tokio::test]
async fn a_connection_that_is_refused_or_ends_early_is_a_failure_of_the_connection() {
    let authority = Authority::new(&["127.0.0.1"]);
    for (answer, status) in [
        ("", None),
        ("HTTP/1.1 200 OK\r\n", None),
        ("not HTTP at all\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", Some(200)),
    ] {
        let server = Server::answering("127.0.0.1:0", &authority, answer).await;
        let (client, address) = client_of(&server, &authority, "/");
        let failure = post(&client, &address, AMPLE).await.unwrap_err();
        assert_eq!(
            (failure.class, failure.status),
            (FailureClass::Connection, status),
            "{answer}: {failure:?}"
        );
        // A message that may have been taken in is not sent again by the client itself.
        assert_eq!(server.connections().await, 1);
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = Address::parse(&format!("https://127.0.0.1:{free}/SECRET"), &opened(free)).unwrap();
    let client = Client::with_resolver(opened(free), NoNames, None).unwrap();
    let failure = post(&client, &address, AMPLE).await.unwrap_err();
    assert_eq!(
        (failure.class, failure.detail.as_str()),
        (FailureClass::ConnectionRefused, "the connection is refused")
    );
}
