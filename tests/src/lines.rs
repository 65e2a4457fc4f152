//! The output of a running program, taken up line by line as it comes, so that
//! a test can wait for a line and the program never blocks on a full pipe.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Lines so far, and the wait for more. Cloning gives another handle.
#[derive(Clone)]
pub struct Lines {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    /// Reads `source` to its end in a thread of its own.
    #[must_use]
    pub fn of(source: impl Read + Send + 'static) -> Self {
        let lines = Self { shared: Arc::default() };
        let shared = Arc::clone(&lines.shared);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(source);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                line.clear();
                shared.0.lock().unwrap().lines.push(text);
                shared.1.notify_all();
            }
            shared.0.lock().unwrap().ended = true;
            shared.1.notify_all();
        });
        lines
    }

    /// The first line that `wanted` accepts, now or later. `None` when the
    /// output ends or `wait` is over before.
    pub fn find(&self, wait: Duration, mut wanted: impl FnMut(&str) -> bool) -> Option<String> {
        let until = Instant::now() + wait;
        let mut looked_at = 0;
        let mut state = self.shared.0.lock().unwrap();
        loop {
            while let Some(line) = state.lines.get(looked_at) {
                if wanted(line) {
                    return Some(line.clone());
                }
                looked_at += 1;
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = self.shared.1.wait_timeout(state, left).unwrap().0;
        }
    }

    /// The first line that contains `text`.
    ///
    /// # Panics
    /// When none comes within the deadline; says what came instead.
    #[must_use]
    pub fn wait_for(&self, text: &str) -> String {
        self.find(crate::DEADLINE, |line| line.contains(text))
            .unwrap_or_else(|| panic!("no line with {text:?} in:\n{}", self.text()))
    }

    /// Waits until the output has ended; false when `wait` is over before.
    #[must_use]
    pub fn ended_within(&self, wait: Duration) -> bool {
        let state = self.shared.0.lock().unwrap();
        self.shared.1.wait_timeout_while(state, wait, |state| !state.ended).unwrap().0.ended
    }

    /// All lines so far.
    #[must_use]
    pub fn text(&self) -> String {
        let state = self.shared.0.lock().unwrap();
        state.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}
