//! A caller over HTTP/1.1 that keeps its connection: as little work as possible, so that what is measured is the service.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long an answer may take before the measurement is given up.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    line: String,
}

/// What was answered, and how long that took.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) took: Duration,
}

impl Answer {
    /// The body as text, if the status is a success.
    ///
    /// # Errors
    /// The answer, if it is a refusal or a failure.
    pub(crate) fn text(&self) -> Result<&str, String> {
        let text = std::str::from_utf8(&self.body).map_err(|error| error.to_string())?;
        if (200..300).contains(&self.status) { Ok(text) } else { Err(format!("{}: {text}", self.status)) }
    }
}

impl Connection {
    /// Opens one to `host:port`.
    ///
    /// # Errors
    /// When nothing listens there.
    pub(crate) fn open(address: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(|error| error.to_string())?;
        Ok(Self { stream: BufReader::new(stream), line: String::new() })
    }

    /// Makes a call and reads the whole answer.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no HTTP.
    pub(crate) fn call(
        &mut self,
        method: &str,
        target: &str,
        token: &str,
        body: &str,
    ) -> Result<Answer, String> {
        let length = body.len();
        let content = match method {
            "GET" => String::new(),
            _ => format!("content-type: application/json\r\ncontent-length: {length}\r\n"),
        };
        let call = format!(
            "{method} {target} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{content}\r\n{body}"
        );
        let began = Instant::now();
        self.stream.get_mut().write_all(call.as_bytes()).map_err(|error| error.to_string())?;
        let status = self.status()?;
        let mut length = 0_usize;
        loop {
            self.read_line()?;
            let line = self.line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(|_| format!("no length: {line}"))?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).map_err(|error| error.to_string())?;
        Ok(Answer { status, body, took: began.elapsed() })
    }

    fn status(&mut self) -> Result<u16, String> {
        self.read_line()?;
        let status = self.line.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.ok_or_else(|| format!("no status: {:?}", self.line))
    }

    fn read_line(&mut self) -> Result<(), String> {
        self.line.clear();
        match self.stream.read_line(&mut self.line) {
            Ok(0) => Err("the connection was closed".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}
