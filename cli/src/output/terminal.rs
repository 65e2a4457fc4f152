//! stdout and stderr, each with its own choice of colour. A reader that has
//! gone (`pmctl list | head -1`) ends the verb quietly.

use super::{ColourWish, Paint};
use crate::error::Failure;
use crate::exit::Exit;
use anstream::{AutoStream, ColorChoice};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// The two output streams.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// How stdout is coloured.
    pub out: Paint,
    /// How stderr is coloured.
    pub err: Paint,
    /// Whether stdout is a terminal.
    pub out_is_terminal: bool,
    /// Whether stderr is a terminal.
    pub err_is_terminal: bool,
    quiet: bool,
}

fn choice(paint: Paint) -> ColorChoice {
    // `AlwaysAnsi` passes text through; `Never` also strips what others put in.
    if paint.is_on() { ColorChoice::AlwaysAnsi } else { ColorChoice::Never }
}

/// What a failed write to stdout means.
fn write_failure(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Failure::silent(Exit::Done)
    } else {
        Failure::failed(format!("cannot write to standard output: {error}"))
    }
}

impl Terminal {
    /// The process's own streams.
    #[must_use]
    pub fn new(wish: &ColourWish, quiet: bool) -> Self {
        let (out_is_terminal, err_is_terminal) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            out: wish.for_stream(out_is_terminal),
            err: wish.for_stream(err_is_terminal),
            out_is_terminal,
            err_is_terminal,
            quiet,
        }
    }

    /// A line of the verb's answer.
    ///
    /// # Errors
    /// Silent when the reader has gone; else what the system says.
    pub fn line(&self, text: impl Display) -> Result<(), Failure> {
        let mut stdout = AutoStream::new(io::stdout().lock(), choice(self.out));
        writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(|e| write_failure(&e))
    }

    /// Bytes of the verb's answer, exactly as they are.
    ///
    /// # Errors
    /// As [`Terminal::line`].
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|e| write_failure(&e))
    }

    /// A word beside the answer, on stderr; `-q` leaves it out. A stderr that
    /// cannot be written is no reason to fail.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            self.complain(text);
        }
    }

    /// An error or a warning, on stderr.
    pub fn complain(&self, text: impl Display) {
        let mut stderr = AutoStream::new(io::stderr().lock(), choice(self.err));
        let _ = writeln!(stderr, "{text}");
    }
}
