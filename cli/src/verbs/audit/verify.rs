//! Whether the audit log is what was written.

use super::Anchor;
use super::checker::{Checker, broken};
use super::file;
use super::stream::AuditStream;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Format, Tone, document, human};
use pm_proto::v1::AuditEntry as Wire;
use pm_proto::v1::read_audit_log_response::Frame;
use process_model::audit::{AuditEntry, Verified};
use serde_json::json;
use std::path::Path;

/// The registry's log: from its anchor to its head.
pub(super) fn registry(context: &Context, known: Option<Anchor>) -> Result<Exit, Failure> {
    context.block_on("audit", async {
        let mut stream = AuditStream::open(context.connect().await?).await?;
        let mut following = Following::new(known);
        while let Some(frame) = stream.next().await? {
            following.take(&frame)?;
        }
        report(context, &following.finish()?)
    })
}

/// An export.
pub(super) fn file(context: &Context, path: &Path, known: Option<Anchor>) -> Result<Exit, Failure> {
    let mut checker = Checker::new(None, known);
    for entry in file::read(path)? {
        checker.take(&entry?)?;
    }
    report(context, &checker.finish(None)?)
}

/// The frames of a stream, verified as they come.
pub(super) struct Following {
    known: Option<Anchor>,
    checker: Option<Checker>,
    head: Option<Anchor>,
}

impl Following {
    pub(super) fn new(known: Option<Anchor>) -> Self {
        Self { known, checker: None, head: None }
    }

    pub(super) fn take(&mut self, frame: &Frame) -> Result<(), Failure> {
        match frame {
            Frame::Anchor(anchor) => {
                let anchor = Anchor::try_from(anchor).map_err(|fault| broken(anchor.number, &fault.to_string()))?;
                self.checker = Some(Checker::new(Some(anchor), self.known));
            }
            Frame::Entry(entry) => {
                let checker = self.checker.get_or_insert_with(|| Checker::new(None, self.known));
                checker.take(&read(entry)?)?;
            }
            Frame::Head(head) => {
                self.head = Some(Anchor::try_from(head).map_err(|fault| broken(head.number, &fault.to_string()))?);
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Verified, Failure> {
        let (Some(checker), Some(head)) = (self.checker, self.head) else {
            return Err(Failure::failed("the registry broke off in the middle of the audit log").help("try again"));
        };
        checker.finish(Some(head))
    }
}

/// What came over the wire; what does not read as an entry is not one that the
/// registry wrote.
fn read(entry: &Wire) -> Result<AuditEntry, Failure> {
    AuditEntry::try_from(entry).map_err(|fault| broken(entry.number, &fault.to_string()))
}

fn report(context: &Context, verified: &Verified) -> Result<Exit, Failure> {
    let Verified { entries, before_chain, head } = verified;
    let known = format!("{}:{}", head.number, head.hash);
    match context.format {
        Format::Table | Format::Wide => {
            let count = usize::try_from(*entries).unwrap_or(usize::MAX);
            let text = format!("the audit log holds: {}", human::count(count, "entry", "entries"));
            context.terminal.line(context.terminal.out.paint(Tone::Good, text))?;
            if *before_chain > 0 {
                let text = format!("{before_chain} older ones were written by an earlier version and have no hash");
                context.terminal.line(text)?;
            }
            context.terminal.line(format_args!("head {known}"))?;
            context.terminal.note(
                "keep the head elsewhere: `pmctl audit --verify --known HEAD` then also finds a log written anew",
            );
        }
        Format::Name => context.terminal.line(known)?,
        Format::Json | Format::Yaml | Format::Jsonl => {
            // 64-bit numbers are strings, as in every answer.
            let value = json!({
                "holds": true,
                "entries": entries.to_string(),
                "beforeChain": before_chain.to_string(),
                "head": { "number": head.number.to_string(), "hash": head.hash.to_string() },
            });
            document(&context.terminal, context.format, &value)?;
        }
    }
    Ok(Exit::Done)
}
