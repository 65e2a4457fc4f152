//! A failure as its user reads it: what, why, what to do. Everything that goes
//! wrong in a verb becomes one of these; `lib.rs` prints it once, on stderr.
//!
//! ```text
//! error: cannot start nosuch: no process matches "nosuch"
//!   reason: NOT_FOUND
//!   help: `pmctl list` shows what there is
//! ```

use crate::exit::Exit;
use crate::output::{Format, Paint, Tone};
use pm_proto::error::reason_of;
use serde_json::{Value, json};
use std::fmt::{self, Write as _};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// What went wrong, for people and for scripts.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure(Box<Parts>);

#[derive(Debug, Clone, PartialEq)]
struct Parts {
    exit: Exit,
    summary: String,
    reason: Option<String>,
    code: Option<String>,
    trace: Option<String>,
    faults: Vec<String>,
    help: Vec<String>,
    silent: bool,
}

impl Failure {
    /// A failure with this exit code and this first line.
    pub fn new(exit: Exit, summary: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            exit,
            summary: summary.into(),
            reason: None,
            code: None,
            trace: None,
            faults: Vec::new(),
            help: Vec::new(),
            silent: false,
        }))
    }

    /// Ends with this code without a word: everything has been said, or the
    /// reader has gone.
    #[must_use]
    pub fn silent(exit: Exit) -> Self {
        let mut failure = Self::new(exit, "");
        failure.0.silent = true;
        failure
    }

    /// Wrong usage.
    pub fn usage(summary: impl Into<String>) -> Self {
        Self::new(Exit::Usage, summary)
    }

    /// Something outside went wrong.
    pub fn failed(summary: impl Into<String>) -> Self {
        Self::new(Exit::Failed, summary)
    }

    /// A call that the server refused. `what` completes "cannot …".
    #[must_use]
    pub fn of_status(what: &str, status: &Status) -> Self {
        let mut lines = status.message().lines();
        let first = lines.next().unwrap_or("no message");
        let verdict = if status.code() == Code::PermissionDenied { "not allowed to" } else { "cannot" };
        let mut failure = Self::new(Exit::of_status(status), format!("{verdict} {what}: {first}"));
        failure.0.faults = lines.map(str::to_owned).collect();
        failure.0.reason = reason_of(status);
        failure.0.code = Some(code_name(status.code()).to_owned());
        failure.0.trace = service_host::trace_context::traceparent_of_current_span()
            .and_then(|parent| parent.split('-').nth(1).map(str::to_owned));
        if let Some(help) = status.get_details_help() {
            failure.0.help.extend(help.links.into_iter().map(|link| link.url));
        }
        failure
    }

    /// Adds a line that says what to do.
    #[must_use]
    pub fn help(mut self, line: impl Into<String>) -> Self {
        self.0.help.push(line.into());
        self
    }

    /// Adds the reason line.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    /// Adds single faults, each a line of its own.
    #[must_use]
    pub fn faults(mut self, faults: impl IntoIterator<Item = String>) -> Self {
        self.0.faults.extend(faults);
        self
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    /// The first line, without `error:`.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.0.summary
    }

    /// Whether there is nothing to print.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.0.silent
    }

    /// The text for stderr: for people, or one line of `problem+json` when the
    /// caller asked for JSON.
    #[must_use]
    pub fn render(&self, format: Format, paint: Paint) -> String {
        match format {
            Format::Json | Format::Jsonl => self.problem().to_string(),
            Format::Table | Format::Wide | Format::Yaml | Format::Name => self.text(paint),
        }
    }

    fn text(&self, paint: Paint) -> String {
        let parts = &self.0;
        let mut text = format!("{} {}", paint.paint(Tone::Bad, "error:"), parts.summary);
        for fault in &parts.faults {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {fault}");
        }
        if let Some(reason) = &parts.reason {
            let _ = write!(text, "\n  reason: {reason}");
            if let Some(trace) = &parts.trace {
                let _ = write!(text, "   trace: {trace}");
            }
        }
        for help in &parts.help {
            let _ = write!(text, "\n  {} {help}", paint.paint(Tone::Title, "help:"));
        }
        text
    }

    /// RFC 9457 problem details.
    fn problem(&self) -> Value {
        let parts = &self.0;
        let mut problem = json!({
            "type": parts.reason.as_ref().map_or_else(|| "about:blank".to_owned(), |r| format!("urn:pm:error:{r}")),
            "title": parts.code.clone().unwrap_or_else(|| parts.exit.word().to_owned()),
            "detail": parts.summary,
            "exitCode": parts.exit.code(),
        });
        if let Some(object) = problem.as_object_mut() {
            if let Some(reason) = &parts.reason {
                object.insert("reason".to_owned(), json!(reason));
            }
            if let Some(trace) = &parts.trace {
                object.insert("trace_id".to_owned(), json!(trace));
            }
            if !parts.faults.is_empty() {
                let errors: Vec<Value> = parts.faults.iter().map(|fault| json!({ "message": fault })).collect();
                object.insert("errors".to_owned(), json!(errors));
            }
            if !parts.help.is_empty() {
                object.insert("help".to_owned(), json!(parts.help));
            }
        }
        problem
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Paint::off()))
    }
}

impl std::error::Error for Failure {}

impl From<pm_proto::json::JsonError> for Failure {
    fn from(error: pm_proto::json::JsonError) -> Self {
        Self::failed(format!("cannot write the answer as JSON: {error}"))
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some errors quote their cause already.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// The canonical name of a gRPC code.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_proto::error::{reason, status};

    fn refused() -> Failure {
        let status = status(Code::NotFound, reason::NOT_FOUND, "no process matches \"wbe\"; did you mean web?", &[]);
        Failure::of_status("start wbe", &status).help("`pmctl list` shows what there is")
    }

    #[test]
    fn a_refusal_names_what_why_and_what_to_do() {
        assert_eq!(
            refused().to_string(),
            "error: cannot start wbe: no process matches \"wbe\"; did you mean web?\n  reason: NOT_FOUND\n  help: `pmctl list` shows what there is"
        );
        assert_eq!(refused().exit(), Exit::NotFound);
    }

    #[test]
    fn with_json_the_error_is_one_line_of_problem_json() {
        let line = refused().render(Format::Json, Paint::on());
        assert!(!line.contains('\n') && !line.contains('\u{1b}'));
        let problem: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(problem["title"], "NOT_FOUND");
        assert_eq!(problem["reason"], "NOT_FOUND");
        assert_eq!(problem["exitCode"], 4);
    }

    #[test]
    fn every_fault_of_a_spec_has_its_own_line() {
        let fault = |f: &str| process_model::spec::Fault::new(f, "bad", "write another");
        let status = pm_proto::error::invalid(&[fault("name"), fault("command")]);
        let text = Failure::of_status("apply x.yaml", &status).to_string();
        assert!(
            text.contains("name: bad; write another") && text.contains("\n  command: bad; write another"),
            "{text}"
        );
    }
}
