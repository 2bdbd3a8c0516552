//! The server on stdin and stdout, for a client that has started the program: one message a line.

use crate::http::MAX_BODY_BYTES;
use crate::server::Server;
use crate::strict::{self, Answer};
use countersign_api::outgoing::Api;
use rmcp::ServiceExt as _;
use rmcp::model::ErrorCode;
use rmcp::service::{RoleServer, RxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::Value;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, stdin, stdout};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// What some clients begin with.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Why the server ended otherwise than by the end of its input.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    /// The client does not speak the protocol, or has gone in the middle of it.
    #[error("the client does not speak the Model Context Protocol")]
    Handshake,
    /// The server ended by itself.
    #[error("the server ended by itself")]
    Ended,
}

/// Serves until the client closes its end.
///
/// # Errors
/// See [`StdioError`].
pub async fn serve<P: Api + Send + Sync + 'static>(server: Server<P>) -> Result<(), StdioError> {
    let running = match server.serve(Lines::new(stdin(), stdout())).await {
        Ok(running) => running,
        // A client that only looks whether the program starts.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        // What it has sent may hold arguments: it is not printed.
        Err(_) => return Err(StdioError::Handshake),
    };
    running.waiting().await.map(drop).map_err(|_| StdioError::Ended)
}

/// Messages as lines. Each is read strictly before it goes on.
struct Lines<R, W> {
    read: BufReader<R>,
    /// The line so far. It is kept here because the library drops a read whenever it has something to send.
    line: Vec<u8>,
    write: Arc<Mutex<W>>,
    /// The answer to a line that does not go on. It is written before the next line is read.
    refusal: Option<JoinHandle<io::Result<()>>>,
}

/// What a line comes to.
enum Line {
    /// It goes on.
    Message(Box<RxJsonRpcMessage<RoleServer>>),
    /// It is answered here.
    Refused(Box<Answer>),
    /// It is passed over.
    Nothing,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Lines<R, W> {
    fn new(read: R, write: W) -> Self {
        let (read, write) = (BufReader::new(read), Arc::new(Mutex::new(write)));
        Self { read, line: Vec::new(), write, refusal: None }
    }

    /// Reads up to the end of a line; false at the end of the input. Of a line that is too long, as much is kept as shows that.
    async fn read_line(&mut self) -> io::Result<bool> {
        loop {
            let available = self.read.fill_buf().await?;
            if available.is_empty() {
                return Ok(false);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            let room = (MAX_BODY_BYTES + 1).saturating_sub(self.line.len());
            self.line.extend(available.iter().take(taken.min(room)));
            self.read.consume(taken);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

async fn write_line<W: AsyncWrite + Unpin>(write: Arc<Mutex<W>>, answer: Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    let mut write = write.lock().await;
    write.write_all(&line).await?;
    write.flush().await
}

fn read(line: &[u8]) -> Line {
    if line.len() > MAX_BODY_BYTES {
        let words = format!("the line is longer than {MAX_BODY_BYTES} bytes");
        return Line::Refused(Box::new(strict::error(ErrorCode::INVALID_REQUEST, words, &[])));
    }
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Line::Nothing;
    }
    if let Some(refusal) = strict::refusal(line) {
        return Line::Refused(Box::new(refusal));
    }
    match serde_json::from_slice(line) {
        Ok(message) => Line::Message(Box::new(message)),
        Err(_) if is_answered(line) => {
            let words = "the line is no message of the protocol".to_owned();
            Line::Refused(Box::new(strict::error(ErrorCode::INVALID_REQUEST, words, line)))
        }
        Err(_) => Line::Nothing,
    }
}

/// Whether what is no message is to be answered. A notification is not, nor is an answer: two sides that answer each other's answers
/// would never end.
fn is_answered(line: &[u8]) -> bool {
    let Ok(Value::Object(message)) = serde_json::from_slice(line) else { return true };
    let has = |name: &str| message.contains_key(name);
    let is_notification = has("method") && !has("id");
    let is_answer = !has("method") && (has("result") || has("error"));
    !is_notification && !is_answer
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    type Error = io::Error;

    fn send(&mut self, answer: Answer) -> impl Future<Output = io::Result<()>> + Send + 'static {
        write_line(Arc::clone(&self.write), answer)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(refusal) = &mut self.refusal {
                let is_written = refusal.await.is_ok_and(|written| written.is_ok());
                self.refusal = None;
                if !is_written {
                    return None;
                }
            }
            if !self.read_line().await.unwrap_or_default() {
                return None;
            }
            let line = std::mem::take(&mut self.line);
            match read(&line) {
                Line::Message(message) => return Some(*message),
                // In a task of its own, so that half of it is never all that is written.
                Line::Refused(answer) => {
                    self.refusal = Some(tokio::spawn(write_line(Arc::clone(&self.write), *answer)));
                }
                Line::Nothing => {}
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.write.lock().await.shutdown().await
    }
}
