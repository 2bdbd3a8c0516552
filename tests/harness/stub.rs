//! A server over HTTP that answers what a test says, and remembers what it was asked.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A call as it arrived: `method`, `url`, `headers` and `body`.
pub type Call = Value;

/// The server. It ends with the test's process.
#[derive(Debug)]
pub struct Stub {
    /// Where it listens.
    pub url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Stub {
    /// Starts one. What answers is made in the server's thread, and is asked for one call after another.
    pub fn start<F: FnMut(&Call) -> (u16, String)>(make: impl FnOnce() -> F + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let (seen, base) = (Arc::clone(&calls), url.clone());
        std::thread::spawn(move || {
            let mut answer = make();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let call = read(&stream, &base);
                seen.lock().unwrap().push(call.clone());
                let (status, body) = answer(&call);
                let head = format!(
                    "HTTP/1.1 {status} Answer\r\nconnection: close\r\ncontent-type: application/json\r\n\
                     content-length: {}",
                    body.len()
                );
                // The caller may have gone away.
                let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
            }
        });
        Self { url, calls }
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream, base: &str) -> Call {
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let [method, target] = [0, 1].map(|at| line.split(' ').nth(at).unwrap().to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        lines.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = String::new();
    lines.take(length).read_to_string(&mut body).unwrap();
    json!({ "method": method, "url": format!("{base}{target}"), "headers": headers, "body": body })
}
