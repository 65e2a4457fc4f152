//! Whom `pmctl up` talks to: a terminal, or the parent that waits for a
//! detached one and then the log file.

use super::daemon::Message;
use super::summary::Summary;
use crate::context::Context;
use crate::error::Failure;
use crate::live::LiveLine;
use crate::output::{Format, Paint, Terminal, Tone, human};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pm_proto::v1::Event;
use std::time::Duration;

/// Whom `pmctl up` talks to.
pub struct Reporter {
    terminal: Terminal,
    format: Format,
    width: usize,
    bar: Option<ProgressBar>,
    /// True: stdout goes to the parent, stderr to the log.
    detached: bool,
    /// True: the parent has heard all that it waits for.
    announced: bool,
}

impl Reporter {
    /// To the terminal of this process.
    #[must_use]
    pub fn terminal(context: &Context) -> Self {
        Self {
            terminal: context.terminal,
            format: context.format,
            width: 12,
            bar: None,
            detached: false,
            announced: false,
        }
    }

    /// To the waiting parent and the log.
    #[must_use]
    pub fn parent(context: &Context) -> Self {
        Self { detached: true, ..Self::terminal(context) }
    }

    /// How much the services log when nobody says how much: in a terminal only
    /// what needs its owner.
    #[must_use]
    pub fn log_level(&self) -> &'static str {
        if self.detached { "info" } else { "error" }
    }

    /// Whether it runs in the background.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        self.detached
    }

    /// The width of the column of instances.
    pub fn set_width(&mut self, width: usize) {
        self.width = width.clamp(8, 40);
    }

    /// Something worth a line before all is ready, not an event.
    pub fn say(&self, tone: Tone, text: &str) {
        if self.detached {
            Message::Line(text.to_owned()).send();
            self.terminal.complain(text);
        } else {
            self.aside(|| self.terminal.note(self.terminal.err.paint(tone, text)));
        }
    }

    /// How many are ready so far.
    pub fn progress(&mut self, ready: usize, wanted: usize) {
        if self.detached || !self.terminal.err_is_terminal || self.format.is_machine() {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // A template that does not parse only costs the spinner its looks.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(format!("{ready} of {wanted} ready"));
    }

    /// An event of the registry, as a line or as a document.
    pub fn event(&mut self, event: &Event) {
        match self.format {
            Format::Jsonl if !self.detached => {
                if let Ok(value) = pm_proto::json::to_value(event) {
                    let _ = self.terminal.line(value);
                }
            }
            Format::Jsonl | Format::Table | Format::Wide | Format::Json | Format::Yaml | Format::Name => {
                self.live(&LiveLine::of_event(event));
            }
        }
    }

    /// A line of the live log.
    pub fn live(&mut self, line: &LiveLine) {
        let now = human::now();
        if self.detached {
            let text = line.render(Paint::off(), self.width, now);
            if !self.announced {
                Message::Line(text.clone()).send();
            }
            self.terminal.complain(text);
        } else if self.format.is_machine() {
            self.terminal.note(line.render(self.terminal.err, self.width, now));
        } else {
            let text = line.render(self.terminal.out, self.width, now);
            // A reader that has gone does not end what runs.
            self.aside(|| drop(self.terminal.line(text)));
        }
    }

    /// Everything is ready, or has said why not.
    ///
    /// # Errors
    /// The token cannot be read.
    pub fn announce(&mut self, summary: &Summary) -> Result<(), Failure> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.announced = true;
        if self.detached {
            Message::Ready(summary.clone()).send();
            self.terminal
                .complain(format_args!("up at {}, {} of {} ready", summary.endpoint, summary.ready, summary.wanted));
            return Ok(());
        }
        match summary.print(&self.terminal, self.format) {
            Err(failure) if failure.is_silent() => Ok(()),
            result => result,
        }
    }

    /// A debug dump.
    pub fn dump(&self, text: &str) {
        self.aside(|| self.terminal.complain(text));
    }

    /// The end begins.
    pub fn stopping(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.terminal.note("stopping everything; once more to be faster");
    }

    /// The end.
    pub fn stopped(&self) {
        self.terminal.note("stopped");
    }

    fn aside(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}
