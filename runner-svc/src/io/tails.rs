//! Log readings that the monitor asked for: one task each, which sends no
//! more than it has credit for.

use super::log_store::plan::{Wanted, has_no_run_before};
use super::program::LogFiles;
use super::tail::Tail;
use crate::instance::Seen;
use pm_proto::convert::{timestamp_from_wire, timestamp_to_wire};
use pm_proto::v1;
use pm_proto::v1::run_intake_request::Message as Up;
use process_model::Timestamp;
use regex::bytes::Regex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

/// Readings of one intake session; dropped with it.
#[derive(Debug)]
pub(crate) struct Tails {
    up: mpsc::Sender<v1::RunIntakeRequest>,
    log_dir: PathBuf,
    tasks: JoinSet<()>,
    readings: BTreeMap<u64, (Arc<Semaphore>, Vec<AbortHandle>)>,
}

impl Tails {
    pub(crate) fn new(up: mpsc::Sender<v1::RunIntakeRequest>, log_dir: PathBuf) -> Self {
        Self { up, log_dir, tasks: JoinSet::new(), readings: BTreeMap::new() }
    }

    /// Begins a reading.
    pub(crate) fn begin(&mut self, request: &v1::TailRequest, seen: Option<&Seen>) {
        self.forget_finished();
        let credit = Arc::new(Semaphore::new(permits(request.credit)));
        let mut aborts = Vec::new();
        let files = self.files(request, seen);
        let single = files.len() == 1;
        let unseen = Arc::new(AtomicUsize::new(files.len()));
        for (stream, path) in files {
            // One file may stand for both outputs: its end is then the end of all that was asked for.
            let asked = if single { request.stream() } else { stream };
            let reading = Reading {
                up: self.up.clone(),
                request_id: request.request_id,
                instance_id: request.instance_id.clone(),
                stream,
                asked,
                credit: credit.clone(),
                unseen: unseen.clone(),
            };
            let wanted = wanted(request, stream);
            aborts.push(self.tasks.spawn(reading.run(path, wanted)));
        }
        self.readings.insert(request.request_id, (credit, aborts));
    }

    /// The files of a reading; `None` as path: the instance is not here.
    fn files(&self, request: &v1::TailRequest, seen: Option<&Seen>) -> Vec<(v1::LogStream, Option<PathBuf>)> {
        let Some(seen) = seen else { return vec![(v1::LogStream::Stdout, None)] };
        let files = LogFiles::of(&seen.assignment.spec, &seen.assignment.instance, &self.log_dir);
        let merged = files.stdout == files.stderr;
        let stdout = (v1::LogStream::Stdout, Some(files.stdout));
        let stderr = (v1::LogStream::Stderr, Some(files.stderr));
        match request.stream() {
            _ if merged => vec![stdout],
            v1::LogStream::Unspecified => vec![stdout, stderr],
            v1::LogStream::Stdout => vec![stdout],
            v1::LogStream::Stderr => vec![stderr],
        }
    }

    pub(crate) fn credit(&mut self, credit: v1::TailCredit) {
        if let Some((semaphore, _)) = self.readings.get(&credit.request_id) {
            let room = Semaphore::MAX_PERMITS.saturating_sub(semaphore.available_permits());
            semaphore.add_permits(permits(credit.bytes).min(room));
        }
    }

    pub(crate) fn cancel(&mut self, request_id: u64) {
        for abort in self.readings.remove(&request_id).map(|(_, aborts)| aborts).unwrap_or_default() {
            abort.abort();
        }
    }

    fn forget_finished(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.readings.retain(|_, (_, aborts)| aborts.iter().any(|abort| !abort.is_finished()));
    }
}

/// What is wanted of one output; `Err` is what to tell the reader.
fn wanted(request: &v1::TailRequest, stream: v1::LogStream) -> Result<Wanted, String> {
    let time = |field: &'static str, time: Option<&prost_types::Timestamp>| {
        time.map(|time| timestamp_from_wire(field, time).map(|time| time.0).map_err(|e| e.to_string())).transpose()
    };
    let output = output(&request.instance_id, stream);
    let place = request.cursors.iter().filter_map(|cursor| cursor.rsplit_once('/')).find(|(of, _)| *of == output);
    let grep = Some(&request.grep).filter(|pattern| !pattern.is_empty());
    Ok(Wanted {
        tail: request.tail,
        since: time("since", request.since.as_ref())?,
        until: time("until", request.until.as_ref())?,
        grep: grep.map(|pattern| Regex::new(pattern).map_err(|e| e.to_string())).transpose()?,
        previous: request.previous,
        cursor: place.map(|(_, place)| place.parse().map_err(|e| format!("{place}: {e}"))).transpose()?,
        timestamps: request.timestamps,
        follow: request.follow,
    })
}

/// What a cursor begins with.
fn output(instance_id: &str, stream: v1::LogStream) -> String {
    let stream = match stream {
        v1::LogStream::Stderr => "stderr",
        v1::LogStream::Stdout | v1::LogStream::Unspecified => "stdout",
    };
    format!("{instance_id}/{stream}")
}

fn permits(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS / 2)
}

/// One file of one reading.
struct Reading {
    up: mpsc::Sender<v1::RunIntakeRequest>,
    request_id: u64,
    instance_id: String,
    stream: v1::LogStream,
    /// What its end is the end of.
    asked: v1::LogStream,
    credit: Arc<Semaphore>,
    /// Outputs of which it is not known yet that they have no run before the last one.
    unseen: Arc<AtomicUsize>,
}

impl Reading {
    async fn run(self, path: Option<PathBuf>, wanted: Result<Wanted, String>) {
        let error = match (path, wanted) {
            (Some(path), Ok(wanted)) => self.read(&path, wanted).await.err().unwrap_or_default(),
            (Some(_), Err(error)) => error,
            (None, _) => format!("instance {} is not on this node", self.instance_id),
        };
        let end = v1::LogEnd { instance_id: self.instance_id.clone(), stream: self.asked.into(), error };
        self.send(Up::TailEnd(v1::TailEnd { request_id: self.request_id, end: Some(end) })).await;
    }

    /// `Err` is what to tell the reader.
    async fn read(&self, path: &Path, wanted: Wanted) -> Result<(), String> {
        let describe = |e: std::io::Error| format!("cannot read {}: {e}", path.display());
        let mut tail = match Tail::open(path, wanted).await {
            // A program that is silent on one output has runs all the same, as the other one shows.
            Err(error) if has_no_run_before(&error) && self.unseen.fetch_sub(1, Ordering::AcqRel) > 1 => return Ok(()),
            opened => opened.map_err(describe)?,
        };
        while let Some(piece) = tail.next().await.map_err(describe)? {
            // A closed semaphore is impossible: nobody closes it.
            if let Ok(permit) = self.credit.acquire_many(u32::try_from(piece.data.len()).unwrap_or(u32::MAX)).await {
                permit.forget();
            }
            let chunk = v1::LogChunk {
                instance_id: self.instance_id.clone(),
                stream: self.stream.into(),
                offset: piece.offset,
                data: piece.data.into(),
                time: piece.time.map(|time| timestamp_to_wire(Timestamp(time))),
                file: piece.file,
                cursor: format!("{}/{}", output(&self.instance_id, self.stream), piece.after),
            };
            self.send(Up::TailChunk(v1::TailChunk { request_id: self.request_id, chunk: Some(chunk) })).await;
        }
        Ok(())
    }

    async fn send(&self, message: Up) {
        // The session has ended when nobody receives; this task ends with it.
        let _ = self.up.send(v1::RunIntakeRequest { message: Some(message) }).await;
    }
}
