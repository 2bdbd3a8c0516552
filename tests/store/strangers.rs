//! THREATS 67: those without a token connect as often as they like, send what they like and read
//! nothing. HTTP/2 is written by hand here: a client that keeps to the rules could do none of it.

use countersign_e2e::client::Client;
use countersign_e2e::program::Program;
use countersign_e2e::service::Service;
use serde_json::Value;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_countersign-under-test");
/// As many as a service may have open at a low but common limit.
const FILES: u32 = 160;
/// By how much memory may grow while strangers do what they can.
const GROWTH_BYTES: u64 = 64 * 1024 * 1024;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn connect(program: &Program) -> TcpStream {
    let stream = TcpStream::connect(program.base().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    stream
}

/// Strangers send until they are stopped: what cannot be written any more is let go.
fn send(mut stream: &TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
}

/// Waits until the service ends a connection.
#[track_caller]
fn expect_end(mut stream: &TcpStream) {
    let mut sink = [0; 16 * 1024];
    loop {
        match stream.read(&mut sink) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("it was not ended: {error}"),
        }
    }
}

/// A frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The preface and settings under which nothing may be sent to us.
fn zero_window() -> Vec<u8> {
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]));
    bytes
}

/// A request's head (RFC 7541): the method by its index, the path and the host written out.
fn head(stream: u32, method: u8, path: &str, has_body: bool) -> Vec<u8> {
    let mut block = vec![method, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path.as_bytes());
    block.extend([0x01, 1, b'x']);
    frame(1, if has_body { 4 } else { 5 }, stream, &block)
}

const GET: u8 = 0x82;
const POST: u8 = 0x83;

#[track_caller]
fn is_well(program: &Program, before: u64, what: &str) {
    let began = Instant::now();
    Client::new(program.base(), None).get("/health").expect(200);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{what}: /health took {took:?}");
    let grown = program.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES, "{what}: grown by {} MiB", grown / 1024 / 1024);
}

#[test]
fn threat_67_strangers_exhaust_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start_with_files(BINARY, directory.path(), &[], FILES);
    let ann = program.person("ann", "developer");
    let path = Service::create(&ann, &Service::medium());
    let before = program.resident_bytes();

    // Each answer is large, and nothing of it is ever taken.
    let unread: Vec<_> = (0..20)
        .map(|_| {
            let stream = connect(&program);
            let mut bytes = zero_window();
            for number in 0..200 {
                bytes.extend(head(2 * number + 1, GET, "/openapi.json", false));
            }
            send(&stream, &bytes);
            stream
        })
        .collect();
    is_well(&program, before, "unread answers");

    // Bodies of those who are not known, by HTTP/2 and HTTP/1, all but their last byte.
    let bodies: Vec<_> = (0..6)
        .map(|_| {
            let stream = connect(&program);
            let mut bytes = zero_window();
            for number in 0..100 {
                let number = 2 * number + 1;
                bytes.extend(head(number, POST, "/v1/approvals", true));
                for _ in 0..15 {
                    bytes.extend(frame(0, 0, number, &[b' '; 16 * 1024]));
                }
            }
            stream.set_nonblocking(true).unwrap();
            send(&stream, &bytes);
            stream
        })
        .collect();
    let slow: Vec<_> = (0..40)
        .map(|_| {
            let stream = connect(&program);
            send(&stream, b"POST /v1/approvals HTTP/1.1\r\nhost: x\r\ncontent-length: 262144\r\n\r\n");
            send(&stream, &[b' '; 262_143]);
            stream
        })
        .collect();
    is_well(&program, before, "bodies of strangers");

    let half: Vec<_> = (0..40)
        .map(|number| {
            let stream = connect(&program);
            send(&stream, &PREFACE[..number % PREFACE.len()]);
            stream
        })
        .collect();
    let silent: Vec<_> = (0..200).map(|_| connect(&program)).collect();
    is_well(&program, before, "silent connections");

    ann.get(&path).expect(200);
    drop((unread, bodies, slow, half, silent));
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    let log = program.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let said = |reason: &str| lines.iter().filter(|line| line["reason"] == reason).count();
    assert_eq!(said("no_room"), 1, "the log says it, and once: {log}");
    assert!(lines.len() < 200, "strangers do not fill the log: {}", lines.len());
}

#[test]
fn threat_67_every_wait_has_an_end() {
    let directory = tempfile::tempdir().unwrap();
    let limits = ["--request-timeout", "1s", "--idle-timeout", "1s", "--answer-timeout", "1s"];
    let program = Program::start_with(BINARY, directory.path(), &limits);
    let (silent, half, slow) = (connect(&program), connect(&program), connect(&program));
    send(&half, &PREFACE[..10]);
    send(&slow, b"GET /health HTTP/1.1\r\nhost:");
    // Past the preface, and then without a request.
    let settled = connect(&program);
    send(&settled, &zero_window());
    let unread = connect(&program);
    send(&unread, &[zero_window(), head(1, GET, "/openapi.json", false)].concat());
    let idle = connect(&program);
    send(&idle, b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
    for stream in [&silent, &half, &slow, &settled, &unread, &idle] {
        expect_end(stream);
    }
    // The log is written and read beside what ends the connections.
    let is_said = |log: &str| log.contains("no_request") && log.contains("answer_not_taken");
    let until = Instant::now() + Duration::from_secs(20);
    while !is_said(&program.log()) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = program.log();
    assert!(is_said(&log), "{log}");
}

/// Who calls is known from the headers: nothing else of a stranger is waited for.
#[test]
fn threat_67_a_body_is_read_of_those_who_are_known() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    for expect in ["expect: 100-continue\r\n", ""] {
        let mut stream = connect(&program);
        let request = format!("POST /v1/approvals HTTP/1.1\r\nhost: x\r\n{expect}content-length: 9\r\n\r\n");
        send(&stream, request.as_bytes());
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401", "{expect}");
    }
    let anonymous = Client::new(program.base(), None);
    let large = vec![b' '; 300 * 1024];
    for body in [&b"{"[..], &large] {
        anonymous.send("POST", "/v1/approvals", &[], body).unwrap().expect_problem(401, "unauthenticated");
    }
    let ann = program.person("ann", "developer");
    ann.send("POST", "/v1/approvals", &[], &large).unwrap().expect_problem(413, "payload_too_large");
}

/// THREATS 44, 67: a caller whose bodies never end keeps no approver from deciding, and refusals of strangers do
/// not fill the log.
#[test]
fn threat_67_neither_unfinished_bodies_nor_refusals_are_worth_sending() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start(BINARY, directory.path());
    // As many guests as have calls for every body's place between them.
    let tokens = ["eve", "mallory", "trudy"].map(|name| program.token(name, "guest"));
    let held: Vec<_> = (0..120)
        .zip(tokens.iter().cycle())
        .map(|(_, token)| {
            let stream = connect(&program);
            let head = "POST /v1/approvals HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100";
            send(&stream, format!("{head}\r\nauthorization: Bearer {token}\r\n\r\n{{").as_bytes());
            stream
        })
        .collect();
    let (ann, bob) = (program.person("ann", "developer"), program.person("bob", "approver"));
    let path = Service::create(&ann, &Service::medium());
    bob.post(&format!("{path}/reject"), &serde_json::json!({ "reason": "no" })).expect(200);
    for stream in &held {
        stream.set_nonblocking(true).unwrap();
        let mut stream: &TcpStream = stream;
        let read = stream.read(&mut [0; 1]);
        assert!(read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "still under way");
    }
    drop(held);
    let stranger = Client::new(program.base(), None);
    for _ in 0..200 {
        stranger.post("/v1/approvals", &Service::medium()).expect_problem(401, "unauthenticated");
        for file in ["/metrics", "/v1/log/checkpoint", "/v1/approvals/x/evidence"] {
            stranger.get(file).expect_problem(401, "unauthenticated");
        }
    }
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    let refused = program.log().lines().filter(|line| line.contains("\"unauthenticated\"")).count();
    assert!((1..=120).contains(&refused), "{refused} lines");
}

/// THREATS 67: an answer that is taken up byte by byte is not taken up, whatever else goes on meanwhile.
#[test]
fn threat_67_a_reader_of_single_bytes_is_waited_for_like_any_other() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start_with(BINARY, directory.path(), &["--answer-timeout", "2s"]);
    let ann = program.person("ann", "developer");
    let mut large = Service::medium();
    large["parameters"] = serde_json::json!({ "text": "x".repeat(60_000) });
    let path = Service::create(&ann, &large);
    let token = program.token("ann", "developer");
    let stream = connect(&program);
    // The largest window for the connection, and one byte for each stream.
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(4, 0, 0, &[0, 4, 0, 0, 0, 1]));
    for number in 0..30 {
        let mut block = vec![GET, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
        block.extend(path.as_bytes());
        block.extend([0x01, 1, b'x', 0x0f, 0x08]);
        // RFC 7541 section 5.1: a length beyond seven bits.
        let value = format!("Bearer {token}");
        let mut rest = value.len() - 127;
        block.push(0x7f);
        while rest >= 128 {
            block.push(u8::try_from(rest % 128).unwrap() | 0x80);
            rest /= 128;
        }
        block.push(u8::try_from(rest).unwrap());
        block.extend(value.as_bytes());
        bytes.extend(frame(1, 5, 2 * number + 1, &block));
    }
    let before = program.resident_bytes();
    send(&stream, &bytes);
    let began = Instant::now();
    // Something is always going on besides.
    let mut number = 61;
    while began.elapsed() < Duration::from_secs(20) {
        let mut other = head(number, GET, "/health", false);
        other.extend(frame(8, 0, number, &[0, 1, 0, 0]));
        number += 2;
        let mut stream: &TcpStream = &stream;
        if stream.write_all(&other).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(began.elapsed() < Duration::from_secs(20), "it was not ended");
    is_well(&program, before, "single bytes");
}

/// As many bodies at once as one connection of HTTP/2 has streams for, all of one caller's, with what they send
/// mixed: those that wait must not take up the window of those that are read.
#[test]
fn bodies_of_one_connection_do_not_lock_each_other_out() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let token = program.token("ann", "developer");
    let mut body = Service::medium();
    body["parameters"] = serde_json::json!({ "text": "x".repeat(60_000) });
    let body = body.to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let statuses = runtime.block_on(async {
        let address = program.base().strip_prefix("http://").unwrap().to_owned();
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut answers = Vec::new();
        for _ in 0..32 {
            client = client.ready().await.unwrap();
            let request = http::Request::post(format!("http://{address}/v1/approvals"))
                .header("authorization", format!("Bearer {token}"))
                .header("content-type", "application/json")
                .body(())
                .unwrap();
            let (answer, mut stream) = client.send_request(request, false).unwrap();
            stream.send_data(body.clone().into(), true).unwrap();
            // All answers are read as they come: they share a window, too.
            answers.push(tokio::spawn(async move {
                let mut answer = answer.await.unwrap();
                while let Some(data) = answer.body_mut().data().await {
                    let length = data.unwrap().len();
                    answer.body_mut().flow_control().release_capacity(length).unwrap();
                }
                answer.status().as_u16()
            }));
        }
        let mut statuses = Vec::new();
        for answer in answers {
            statuses.push(answer.await.unwrap());
        }
        statuses
    });
    assert_eq!(statuses, [201; 32]);
}

/// A reader that is slow and goes on is waited for: each piece of an answer has its time.
#[test]
fn an_answer_that_is_read_slowly_arrives_whole() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start_with(BINARY, directory.path(), &["--answer-timeout", "2s"]);
    let mut large = Service::medium();
    large["parameters"] = serde_json::json!({ "text": "x".repeat(60_000) });
    let path = Service::create(&program.person("ann", "developer"), &large);
    let token = program.token("ann", "developer");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (length, took) = runtime.block_on(async {
        let address = program.base().strip_prefix("http://").unwrap().to_owned();
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let (client, connection) =
            h2::client::Builder::new().initial_window_size(4096).handshake::<_, &[u8]>(stream).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get(format!("http://{address}{path}"))
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .unwrap();
        let (answer, _) = client.ready().await.unwrap().send_request(request, true).unwrap();
        let mut answer = answer.await.unwrap();
        let (began, mut length) = (Instant::now(), 0);
        while let Some(data) = answer.body_mut().data().await {
            let data = data.unwrap();
            length += data.len();
            tokio::time::sleep(Duration::from_millis(300)).await;
            answer.body_mut().flow_control().release_capacity(data.len()).unwrap();
        }
        (length, began.elapsed())
    });
    assert!(length > 60_000 && took > Duration::from_secs(3), "{length} bytes in {took:?}");
}
