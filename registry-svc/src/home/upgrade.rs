//! A directory of the version before becomes one of this version, once.
//!
//! ```text
//! log.redb ─ read and verified as a whole, in memory
//!          ─ written anew aside (log.upgrade/), closed, named log/
//! identity ─ format 2, the step that counts: before it, all of this begins anew
//! log.redb ─ kept as log.redb.old
//! ```
//! The rows and snapshots beside it are left as they are.

use super::identity::Mark;
use super::{Home, HomeError, Identity, files};
use crate::home::old_log::OldLog;
use bytes::Bytes;
use registry_log::{Entry, Floor, Log, Refused, Settings, Write};
use registry_quorum::ReplicaId;
use uuid::Uuid;

pub use crate::home::old_log::OldEntry;

/// An entry as the new log has it.
pub type LogBytes = Bytes;

/// Bytes of entries that are written together.
const TOGETHER: usize = 1 << 20;

/// Makes format 2 of a directory of format 1, in which this replica was alone:
/// `cluster` is the number that its cluster gets, `translate` says how an
/// entry is written now. Repeating it, also after it was cut off anywhere, is
/// harmless.
///
/// # Errors
/// The directory has no format 1, or its log is damaged: nothing was changed
/// then; or the system said no.
pub fn upgrade(
    home: &Home,
    cluster: Uuid,
    settings: &Settings,
    translate: impl FnMut(OldEntry) -> LogBytes,
) -> Result<Identity, HomeError> {
    let (replica, store) = match Identity::read(&home.identity())? {
        Mark::First { replica, store } => (ReplicaId(replica), store),
        Mark::Current(identity) => {
            home.tidy()?;
            return Ok(identity);
        }
        Mark::Missing => return Err(HomeError::NotFounded(home.path().to_owned())),
    };
    let file = home.old_log();
    if !files::is_there(&file)? {
        return Err(HomeError::LogMissing { log: file, replica });
    }
    let bytes = std::fs::read(&file).map_err(HomeError::io("read", &file))?;
    let damaged = |what| HomeError::OldLogDamaged { file: file.clone(), what, replica };
    let old = OldLog::read(&bytes, &store).map_err(damaged)?;
    drop(bytes);
    let store = store.parse().map_err(|_| HomeError::IdentityDamaged(home.identity()))?;
    let identity = Identity::new(cluster, 1, replica, store);
    let boot = write_log(home, &identity, settings, old, translate)?;
    let identity = Identity { boot, ..identity };
    identity.write(&home.identity())?;
    files::step("home.mark", &home.identity())?;
    home.tidy()?;
    Ok(identity)
}

/// The new log under its name; returns how often it was opened.
fn write_log(
    home: &Home,
    identity: &Identity,
    settings: &Settings,
    old: OldLog,
    translate: impl FnMut(OldEntry) -> LogBytes,
) -> Result<u64, HomeError> {
    let aside = home.path().join("log.upgrade");
    files::remove_tree(&aside)?;
    files::step("home.begun", &aside)?;
    home.make_log(&aside, identity, settings)?;
    let failed = |source| HomeError::Log { path: aside.clone(), source };
    // Whoever hears of its notices is told by the opening that follows.
    let quiet = Settings { notify: None, reserve_bytes: 0, ..settings.clone() };
    let (log, survey) = Log::open(&aside, &identity.into(), &quiet, &Floor::default()).map_err(failed)?;
    fill(&log, old, translate).map_err(|error| HomeError::io("write", &aside)(std::io::Error::other(error)))?;
    log.close().map_err(|fault| failed(fault.into()))?;
    files::step("home.copied", &aside)?;
    // Of an upgrade that was cut off before its mark: nothing relied on it.
    files::remove_tree(&home.log())?;
    files::step("home.gone", &aside)?;
    files::rename(&aside, &home.log())?;
    files::step("home.log", &home.log())?;
    Ok(survey.boot)
}

/// Durable on return.
fn fill(log: &Log, old: OldLog, mut translate: impl FnMut(OldEntry) -> LogBytes) -> Result<(), Refused> {
    let submit = |write| log.submit(write, drop);
    if let Some(upto) = old.purged {
        submit(Write::Purge { upto })?;
    }
    if let Some(vote) = old.vote {
        submit(Write::Vote(vote))?;
    }
    let (mut together, mut bytes) = (Vec::new(), 0);
    for (at, entry) in old.entries {
        let entry = Entry { at, payload: translate(entry) };
        if bytes + entry.payload.len() > TOGETHER && !together.is_empty() {
            submit(Write::Append(std::mem::take(&mut together)))?;
            bytes = 0;
        }
        bytes += entry.payload.len();
        together.push(entry);
    }
    submit(Write::Append(together))?;
    let all = submit(Write::Flush)?;
    log.wait(all).map_err(Refused::Failed)
}
