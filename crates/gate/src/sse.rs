//! Streams of events over HTTP: <https://html.spec.whatwg.org/multipage/server-sent-events.html>, as MCP uses them: one
//! message is the data of one event.

use crate::message::{MAX_BYTES, Message};

/// Reads the data of events from bytes as they come.
#[derive(Debug, Default)]
pub struct EventReader {
    rest: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
}

/// An event is longer than any message may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {MAX_BYTES} bytes")]
pub struct TooLong;

impl EventReader {
    /// The data of the events that these bytes complete.
    ///
    /// # Errors
    /// When one is too long.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut events = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.rest);
                    let line = line.strip_suffix(b"\r").unwrap_or(&line);
                    events.extend(self.line(line));
                }
                byte => self.rest.push(*byte),
            }
            if self.rest.len() + self.data.len() > MAX_BYTES {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn line(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return std::mem::take(&mut self.has_data).then_some(data);
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        }
        None
    }
}

/// A message as an event. JSON has no line breaks of its own.
pub fn event(message: &Message) -> Vec<u8> {
    let mut event = b"event: message\ndata: ".to_vec();
    event.extend(message.to_bytes());
    event.extend_from_slice(b"\n\n");
    event
}

/// What keeps a stream open while there is no message.
pub const KEEP_ALIVE: &[u8] = b": waiting\n\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let stream =
            b": hello\r\nid: 1\r\nevent: message\r\ndata: {\"a\":\r\ndata:1}\r\n\r\nretry: 10\n\ndata: x\n\n";
        for size in 1..stream.len() {
            let mut reader = EventReader::default();
            let events: Vec<_> = stream.chunks(size).flat_map(|chunk| reader.read(chunk).unwrap()).collect();
            assert_eq!(events, [b"{\"a\":\n1}".to_vec(), b"x".to_vec()], "{size}");
        }
    }
}
