//! Stands between a command and the service, and takes the time in which the command waits for answers.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is read at once.
const CHUNK: usize = 64 * 1024;

/// It passes on what comes, for as long as this program runs.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    address: String,
    waited: Arc<Mutex<Duration>>,
}

impl Stopwatch {
    /// Stands before the service at this address.
    ///
    /// # Errors
    /// When it cannot listen.
    pub(crate) fn start(service: &str) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?.to_string();
        let waited = Arc::<Mutex<Duration>>::default();
        let (service, total) = (service.to_owned(), Arc::clone(&waited));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (service, total) = (service.clone(), Arc::clone(&total));
                // A connection that breaks ends the command, which says so.
                std::thread::spawn(move || {
                    TcpStream::connect(service).and_then(|to| pass(client, to, &total))
                });
            }
        });
        Ok(Self { address, waited })
    }

    /// Where commands find it: `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Begins anew.
    pub(crate) fn reset(&self) {
        *self.waited.lock().unwrap_or_else(PoisonError::into_inner) = Duration::ZERO;
    }

    /// How long answers have been waited for.
    pub(crate) fn waited(&self) -> Duration {
        *self.waited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes on what both sides send, until both have ended.
fn pass(client: TcpStream, service: TcpStream, waited: &Arc<Mutex<Duration>>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    service.set_nodelay(true)?;
    let asked = Arc::<Mutex<Option<Instant>>>::default();
    let (mut from_client, mut to_client) = (client.try_clone()?, client);
    let (mut from_service, mut to_service) = (service.try_clone()?, service);
    let asking = Arc::clone(&asked);
    let calls = std::thread::spawn(move || -> std::io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = from_client.read(&mut chunk)?;
            if length == 0 {
                return to_service.shutdown(Shutdown::Write);
            }
            to_service.write_all(chunk.get(..length).unwrap_or_default())?;
            *asking.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    });
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = from_service.read(&mut chunk)?;
        if let Some(asked) = asked.lock().unwrap_or_else(PoisonError::into_inner).take() {
            *waited.lock().unwrap_or_else(PoisonError::into_inner) += asked.elapsed();
        }
        if length == 0 {
            to_client.shutdown(Shutdown::Write)?;
            break;
        }
        to_client.write_all(chunk.get(..length).unwrap_or_default())?;
    }
    // Its thread has nobody to tell.
    let _ = calls.join();
    Ok(())
}
