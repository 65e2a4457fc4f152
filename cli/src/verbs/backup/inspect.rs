//! `pmctl backup inspect`: offline.

use crate::context::Context;
use crate::error::{Failure, chain};
use crate::exit::Exit;
use crate::output::document;
use process_model::Timestamp;
use registry_svc::backup::{BackupError, Counts, Manifest, Reader};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl backup inspect registry.backup
  pmctl backup inspect registry.backup -o json")]
pub(super) struct Args {
    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let from = open(&args.file)?;
    let reader = Reader::open(from).map_err(|error| unusable(&args.file, &error))?;
    let facts = describe(reader.manifest());
    // What it says it is of is worth knowing even when it is damaged further on.
    let verdict = reader.verify().map_err(|error| unusable(&args.file, &error));
    show(context, &args.file, &facts)?;
    verdict?;
    if !context.format.is_machine() {
        context.terminal.line("sound      every checksum holds")?;
    }
    Ok(Exit::Done)
}

pub(super) fn open(path: &Path) -> Result<Box<dyn Read + Send>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
    Ok(Box::new(BufReader::new(file)))
}

pub(super) fn unusable(path: &Path, error: &BackupError) -> Failure {
    let exit = match error {
        BackupError::Io(_) | BackupError::Encode(_) => Exit::Failed,
        BackupError::NotABackup | BackupError::Format(_) | BackupError::Damaged { .. } => Exit::Untrue,
    };
    Failure::new(exit, format!("{}: {}", path.display(), chain(error)))
}

/// What a backup is of, by name.
pub(super) fn describe(manifest: &Manifest) -> Vec<(&'static str, Value)> {
    let about = &manifest.about;
    let Counts { rows, processes, instances, nodes, actions, events, audit, generations } = manifest.counts;
    vec![
        ("cluster", json!(manifest.cluster_id)),
        ("epoch", json!(about.epoch)),
        ("revision", json!(manifest.revision)),
        ("time", json!(rfc3339(about.time))),
        ("version", json!(about.version)),
        ("level", json!(manifest.level)),
        ("position", json!(format!("term {} index {}", about.term, about.index))),
        ("digest", json!(manifest.digest_hex())),
        ("bytes", json!(manifest.bytes)),
        ("rows", json!(rows)),
        ("processes", json!(processes)),
        ("instances", json!(instances)),
        ("nodes", json!(nodes)),
        ("actions", json!(actions)),
        ("events", json!(events)),
        ("audit", json!(audit)),
        ("generations", json!(generations)),
    ]
}

pub(super) fn show(context: &Context, path: &Path, facts: &[(&'static str, Value)]) -> Result<(), Failure> {
    if context.format.is_machine() {
        let mut fields: serde_json::Map<String, Value> =
            facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        fields.insert("file".to_owned(), json!(path.display().to_string()));
        return document(&context.terminal, context.format, &Value::Object(fields));
    }
    context.terminal.line(format_args!("{:<12}{}", "file", path.display()))?;
    for (name, value) in facts {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        context.terminal.line(format_args!("{name:<12}{text}"))?;
    }
    Ok(())
}

fn rfc3339(time: Timestamp) -> String {
    let since = std::time::Duration::from_nanos(u64::try_from(time.0).unwrap_or(0));
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
}
