//! What `pmctl up` says once everything is ready, or has said why not.

use crate::error::Failure;
use crate::output::{Format, Terminal, Tone, document, human};
use serde::{Deserialize, Serialize};
use serde_json::json;
use service_host::secret::Secret;
use std::path::PathBuf;

/// The state of things after the wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Where the gateway is.
    pub endpoint: String,
    /// The token's file. The token itself is in no message between processes.
    pub token_file: PathBuf,
    /// The process that runs it all.
    pub pid: u32,
    /// Instances that are ready.
    pub ready: usize,
    /// Instances that are wanted.
    pub wanted: usize,
    /// Who is not ready, and why.
    pub missing: Vec<(String, String)>,
    /// After how many seconds the wait was given up; `None` when it was not.
    pub gave_up_after: Option<u64>,
    /// Whether it runs in the background.
    pub detached: bool,
}

impl Summary {
    /// Prints it on stdout, which is its owner's: the token may be on it.
    ///
    /// # Errors
    /// It cannot be written, or the token cannot be read.
    pub fn print(&self, terminal: &Terminal, format: Format) -> Result<(), Failure> {
        if format.is_machine() {
            return self.print_document(terminal, format);
        }
        let paint = terminal.out;
        let head = if self.wanted == 0 {
            "up; no process is to run".to_owned()
        } else {
            format!("up: {} of {} ready", self.ready, human::count(self.wanted, "instance", "instances"))
        };
        let tone = if self.missing.is_empty() { Tone::Good } else { Tone::Warn };
        terminal.line(paint.paint(tone, head))?;
        for (id, why) in &self.missing {
            terminal.line(format_args!("  {id}: {}", human::shorten(why, 300)))?;
        }
        if let Some(seconds) = self.gave_up_after {
            terminal.line(format_args!("  not waited for longer than {seconds} s; it goes on"))?;
        }
        let token = Secret::from_file(&self.token_file).map_err(|e| Failure::failed(e.to_string()))?;
        let field = |name: &str, text: &str| {
            terminal.line(format_args!("  {} {text}", paint.paint(Tone::Title, format!("{name:<5}"))))
        };
        terminal.line("")?;
        field("API", &self.endpoint)?;
        field("try", &format!("curl -H \"Authorization: Bearer {}\" {}/status", token.expose(), self.endpoint))?;
        let see = if self.wanted == 0 {
            "pmctl apply -f FILE · pmctl register PATH --name NAME"
        } else {
            "pmctl status · pmctl logs -f NAME · pmctl events -f"
        };
        field("see", see)?;
        if self.detached {
            field("end", &format!("pmctl down    (pid {})", self.pid))?;
        } else {
            field("end", "Ctrl-C")?;
        }
        terminal.line("")
    }

    fn print_document(&self, terminal: &Terminal, format: Format) -> Result<(), Failure> {
        let missing: Vec<_> = self.missing.iter().map(|(id, why)| json!({ "instanceId": id, "why": why })).collect();
        let value = json!({
            "endpoint": self.endpoint,
            "tokenFile": self.token_file,
            "pid": self.pid,
            "ready": self.ready,
            "wanted": self.wanted,
            "notReady": missing,
            "timedOut": self.gave_up_after.is_some(),
        });
        match format {
            Format::Name => terminal.line(&self.endpoint),
            Format::Json | Format::Yaml | Format::Jsonl | Format::Table | Format::Wide => {
                document(terminal, format, &value)
            }
        }
    }
}
