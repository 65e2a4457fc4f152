//! Making a log, and the way from an inspected directory to a running log.

use super::chores::Chores;
use super::keeping::Keeping;
use super::shared::Shared;
use super::state::{Judged, State};
use super::writer::Writer;
use crate::content::Tail;
use crate::disk::{Directory, MarksFile, Reserve, SegmentFile, new_tag, sync_directory};
use crate::format::{BLOCK, Change, Head, Mark, SegmentHeader};
use crate::recovery::{Scan, scan};
use crate::{Fault, Figures, Floor, Identity, OpenError, Refused, Settings, Space, Survey, failpoint};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

/// A running log.
pub(crate) struct Started {
    pub(crate) shared: Arc<Shared>,
    pub(crate) threads: Vec<JoinHandle<()>>,
    pub(crate) survey: Survey,
}

/// Makes a log aside and gives it its name when it is whole: what a crash
/// leaves is no log.
pub(crate) fn create(path: &Path, identity: &Identity, settings: &Settings) -> Result<(), OpenError> {
    check(settings)?;
    if std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) || path.is_file() {
        return Err(OpenError::Exists(path.to_owned()));
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(".making");
    let aside = PathBuf::from(aside);
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    let make = || -> io::Result<()> {
        if aside.exists() {
            std::fs::remove_dir_all(&aside)?;
        }
        std::fs::DirBuilder::new().mode(0o700).create(&aside)?;
        let directory = Directory::new(&aside);
        let header = SegmentHeader { identity: *identity, number: 1, bytes: settings.segment_bytes, tag: new_tag() };
        SegmentFile::create(&directory, &header)?;
        failpoint::hit("create.segment")?;
        let (end, committed) = ((1, BLOCK), None);
        let identity = *identity;
        let first = Mark { identity, sequence: 0, boot: 0, first: 1, last: 1, durable: 0, end, committed };
        MarksFile::create(&directory, &first)?;
        failpoint::hit("create.marks")?;
        directory.sync()?;
        std::fs::rename(&aside, path)?;
        failpoint::hit("create.named")?;
        sync_directory(parent)
    };
    make().map_err(OpenError::io("make the log", path))
}

fn check(settings: &Settings) -> Result<(), OpenError> {
    if settings.are_sound() {
        return Ok(());
    }
    Err(OpenError::Settings { segment_bytes: settings.segment_bytes })
}

/// Opens a log: inspects all of it, then makes it this opening's.
pub(crate) fn start(
    path: &Path,
    identity: &Identity,
    settings: &Settings,
    floor: &Floor,
) -> Result<Started, OpenError> {
    check(settings)?;
    let directory = Directory::new(path);
    let marks = MarksFile::open(&directory, false)?;
    let mut scan = scan(&directory, &marks, Some(identity), floor, true)?;
    prove(&scan)?;
    for leftover in scan.unlisted.drain(..).chain(Some(directory.making()).filter(|path| path.exists())) {
        std::fs::remove_file(&leftover).map_err(OpenError::io("remove", leftover))?;
    }
    let mark = Mark {
        sequence: scan.mark.sequence + 1,
        boot: scan.mark.boot + 1,
        durable: scan.lsn,
        end: scan.end,
        ..scan.mark
    };
    // Before the first record of this opening: a log is never ahead of its
    // marks in boots, or the marks are an old copy.
    marks.write(&mark).map_err(OpenError::io("write to", directory.marks()))?;
    failpoint::hit("open.marked").map_err(OpenError::io("write to", directory.marks()))?;
    run(directory, marks, mark, scan, settings)
}

/// Writes once more, and syncs, what lies behind the mark. It was read from
/// memory: if its sync once failed, the system may hold it there as written
/// although the disk never got it.
fn prove(scan: &Scan) -> Result<(), OpenError> {
    for (number, file) in scan.files.range(scan.mark.end.0..=scan.end.0) {
        let from = if *number == scan.mark.end.0 { scan.mark.end.1 } else { 0 };
        let to = if *number == scan.end.0 { scan.end.1 } else { file.bytes() };
        let again = || -> io::Result<()> {
            let mut piece = vec![0; (256 << 10).min(to.saturating_sub(from) as usize)];
            let mut offset = from;
            while offset < to {
                let len = piece.len().min((to - offset) as usize);
                file.read_at(&mut piece[..len], offset)?;
                file.write_at(&piece[..len], offset)?;
                offset += len as u64;
            }
            file.sync()
        };
        again().map_err(OpenError::io("sync", file.path()))?;
    }
    Ok(())
}

fn run(
    directory: Directory,
    marks: MarksFile,
    mark: Mark,
    scan: Scan,
    settings: &Settings,
) -> Result<Started, OpenError> {
    let head = Head { boot: mark.boot, ..scan.contents.head() };
    let state = State {
        durable_last: scan.contents.last(),
        committed: scan.survey.committed,
        contents: scan.contents,
        tail: Tail::new(settings.tail_bytes),
        layout: scan.layout,
        files: scan.files,
        next: scan.lsn + 1,
        queue: Default::default(),
        tickets: Default::default(),
        durable: scan.lsn,
        durable_end: scan.end,
        frees_before: mark.first,
        mark_due: None,
        mark_not_before: Instant::now(),
        no_space: false,
        space: Space::Ample,
        fault: None,
        closing: false,
        writer_is_done: false,
        figures: Figures::default(),
    };
    let reserve = Reserve::new(&directory, settings.reserve_bytes);
    let keeping = Keeping::new(marks, mark, scan.freed, reserve);
    let shared = Arc::new(Shared::new(state, directory, mark.identity, settings.clone()));
    let (writer, chores) = (Writer::new(shared.clone(), scan.crc), Chores::new(shared.clone(), keeping));
    let threads =
        vec![spawn(&shared, "log-writer", move || writer.run())?, spawn(&shared, "log-chores", move || chores.run())?];
    let started = Started { shared, threads, survey: Survey { boot: mark.boot, ..scan.survey } };
    // The first record of this opening differs from whatever a crash left
    // behind the end, so that none of that can ever follow it in the chain.
    let begun = started.shared.submit_judged(Judged::Change(Change::Head(head)), Box::new(drop));
    let begun = begun.and_then(|lsn| started.shared.wait(lsn).map_err(Refused::Failed));
    match begun {
        Ok(()) => Ok(started),
        Err(refused) => {
            let dir = started.shared.directory.path().to_owned();
            stop(&started.shared, started.threads);
            Err(match refused {
                Refused::Failed(fault) => OpenError::Failed(fault),
                Refused::DiskFull | Refused::Gap { .. } | Refused::Purged { .. } | Refused::TooLarge { .. } => {
                    OpenError::DiskFull(dir)
                }
            })
        }
    }
}

/// Ends the threads, and waits for that unless it is one of them that asks:
/// the last handle may be dropped in a callback.
pub(crate) fn stop(shared: &Shared, threads: Vec<JoinHandle<()>>) {
    shared.begin_closing();
    let me = std::thread::current().id();
    if threads.iter().any(|thread| thread.thread().id() == me) {
        return;
    }
    for thread in threads {
        // A panic was told as a fault.
        let _ = thread.join();
    }
}

/// A thread that panics ends the log, and says so to all who wait.
fn spawn(shared: &Arc<Shared>, name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let watched = shared.clone();
    let body = move || {
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            watched.fail(Fault::Panicked);
        }
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map_err(OpenError::io("start a thread for", shared.directory.path()))
}
