//! The whole audit log as NDJSON: one entry a line, oldest first, in the
//! canonical JSON of the contract. Verified on the way out.

use super::stream::AuditStream;
use super::verify::Following;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::human;
use pm_proto::v1::read_audit_log_response::Frame;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

pub(super) fn run(context: &Context, path: &Path) -> Result<Exit, Failure> {
    context.block_on("audit", async {
        let mut stream = AuditStream::open(context.connect().await?).await?;
        let mut out = Out::create(context, path)?;
        let mut following = Following::new(None);
        // A broken log is exported too, whole: it is the evidence.
        let mut fault = None;
        let mut count = 0;
        while let Some(frame) = stream.next().await? {
            if let Frame::Entry(entry) = &frame {
                out.line(&pm_proto::json::to_value(entry)?)?;
                count += 1;
            }
            if fault.is_none() {
                fault = following.take(&frame).err();
            }
        }
        let verified = match fault {
            Some(fault) => Err(fault),
            None => following.finish(),
        };
        out.finish()?;
        let head = verified?.head;
        context.terminal.note(format_args!(
            "{}; head {}:{}",
            human::count(count, "entry", "entries"),
            head.number,
            head.hash
        ));
        Ok(Exit::Done)
    })
}

/// Where the lines go: standard output, or a file that has its name only once
/// it is complete.
enum Out<'a> {
    Terminal(&'a Context),
    File { writer: BufWriter<File>, aside: PathBuf, path: &'a Path },
}

impl<'a> Out<'a> {
    fn create(context: &'a Context, path: &'a Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Terminal(context));
        }
        let mut aside = path.as_os_str().to_owned();
        aside.push(".part");
        let aside = PathBuf::from(aside);
        let file = File::create(&aside).map_err(|e| unwritable(&aside, &e))?;
        Ok(Self::File { writer: BufWriter::new(file), aside, path })
    }

    fn line(&mut self, value: &serde_json::Value) -> Result<(), Failure> {
        match self {
            Self::Terminal(context) => context.terminal.line(value),
            Self::File { writer, aside, .. } => writeln!(writer, "{value}").map_err(|e| unwritable(aside, &e)),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Terminal(_) => Ok(()),
            Self::File { writer, aside, path } => {
                let file = writer.into_inner().map_err(|e| unwritable(&aside, e.error()))?;
                file.sync_all().map_err(|e| unwritable(&aside, &e))?;
                std::fs::rename(&aside, path).map_err(|e| unwritable(path, &e))
            }
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}
