//! A client of server-sent events as a browser is one: it reads, and when the
//! stream breaks it dials again behind the last id that it has seen.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two tries while nobody is there.
const AGAIN: Duration = Duration::from_millis(50);

/// One message of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sent {
    /// Its kind.
    pub event: String,
    /// Where to go on behind it; may be empty.
    pub id: String,
    /// What it says.
    pub data: String,
}

/// A stream that is read until it is dropped.
pub struct EventSource {
    shared: Arc<Shared>,
    reading: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    sent: Vec<Sent>,
    dials: usize,
}

impl EventSource {
    /// Follows `path` at `authority`.
    ///
    /// # Panics
    /// When no thread can be had.
    #[must_use]
    pub fn follow(authority: &str, token: &str, path: &str) -> Self {
        let shared = Arc::<Shared>::default();
        let head = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {token}\r\n");
        let (authority, told) = (authority.to_owned(), shared.clone());
        let reading = std::thread::spawn(move || {
            let mut last = String::new();
            while !told.ended.load(Ordering::SeqCst) {
                let Ok(stream) = TcpStream::connect(&authority) else {
                    std::thread::park_timeout(AGAIN);
                    continue;
                };
                told.heard().dials += 1;
                told.read(stream, &head, &mut last);
            }
        });
        Self { shared, reading: Some(reading) }
    }

    /// What came so far.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.shared.heard().sent.clone()
    }

    /// How often it has dialled.
    #[must_use]
    pub fn dials(&self) -> usize {
        self.shared.heard().dials
    }
}

impl Drop for EventSource {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        if let Some(reading) = self.reading.take() {
            reading.thread().unpark();
            let _ = reading.join();
        }
    }
}

impl Shared {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until the stream breaks.
    fn read(&self, mut stream: TcpStream, head: &str, last: &mut String) {
        let resumed = if last.is_empty() { String::new() } else { format!("last-event-id: {last}\r\n") };
        // Short, so that the end of the test is noticed; a line that is half read is kept.
        let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
        if stream.write_all(format!("{head}{resumed}\r\n").as_bytes()).is_err() {
            return;
        }
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        let mut next = Sent::default();
        loop {
            match reader.read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if self.ended.load(Ordering::SeqCst) {
                        return;
                    }
                    continue;
                }
                Err(_) => return,
            }
            if line.last() != Some(&b'\n') {
                return;
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            match text.split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut next.event),
                Some(("id", value)) => value.clone_into(&mut next.id),
                Some(("data", value)) => value.clone_into(&mut next.data),
                Some(_) => {}
                None if text.is_empty() && !next.data.is_empty() => {
                    let sent = std::mem::take(&mut next);
                    if !sent.id.is_empty() {
                        sent.id.clone_into(last);
                    }
                    self.heard().sent.push(sent);
                }
                None => {}
            }
        }
    }
}
