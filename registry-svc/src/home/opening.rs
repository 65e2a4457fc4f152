//! Opening the log of a founded directory, and what its refusals mean.

use super::{Found, Home, HomeError, Identity};
use registry_log::{Floor, Log, OpenError, Position, Settings, Survey};
use registry_quorum::ReplicaId;
use std::io;
use uuid::Uuid;

impl Home {
    /// Opens the log of a founded directory and verifies all of it. `applied`:
    /// the last entry that the state got out of this log, if any; what it got
    /// as a snapshot from a peer may be ahead of the log and does not count.
    ///
    /// # Errors
    /// See the table of this module.
    pub fn open_log(
        &self,
        identity: &Identity,
        settings: &Settings,
        applied: Option<Position>,
    ) -> Result<(Log, Survey), HomeError> {
        let found = match self.look()? {
            Found::Founded(found) if found.is_of(identity) => found,
            Found::Founded(found) => return Err(self.foreign(&found, identity)),
            Found::Fresh | Found::Planned(_) => return Err(HomeError::NotFounded(self.path().to_owned())),
        };
        let floor = Floor { boot: found.boot, committed: applied };
        let (log, survey) = Log::open(&self.log(), &(&found).into(), settings, &floor)
            .map_err(|source| self.refused(&found, applied, source))?;
        self.note_boot(&found, survey.boot)?;
        self.tidy()?;
        Ok((log, survey))
    }

    /// The log has counted first: what the mark knows was always reached.
    fn note_boot(&self, found: &Identity, boot: u64) -> Result<(), HomeError> {
        match (Identity { boot, ..*found }).write(&self.identity()) {
            // A full disk keeps nobody from starting: an older mark refuses
            // less, and the next start makes up for it.
            Err(HomeError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => Ok(()),
            written => written,
        }
    }

    fn refused(&self, identity: &Identity, applied: Option<Position>, source: OpenError) -> HomeError {
        let (log, replica) = (self.log(), identity.replica);
        match (source, applied) {
            (OpenError::InUse(_), _) => HomeError::InUse(self.path().to_owned()),
            (OpenError::UnknownFormat { file, found }, _) => HomeError::UnknownFormat { file, found },
            (OpenError::Foreign { file, found, .. }, _) => {
                let (cluster, store) = (Uuid::from_bytes(found.cluster), Uuid::from_bytes(found.store));
                let found = Identity::new(cluster, found.epoch, ReplicaId(found.replica), store).to_string();
                HomeError::Foreign { file, found, wanted: identity.to_string(), replica }
            }
            (OpenError::WentBack { boot, .. }, Some(applied)) if boot >= identity.boot => {
                // Looked at once more only to say where it ends.
                let last = registry_log::verify(&log).ok().and_then(|survey| survey.extent.last);
                HomeError::LogBehind { log, last, applied, replica }
            }
            (OpenError::WentBack { boot, .. }, _) => HomeError::LogOld { log, boot, known: identity.boot, replica },
            (
                source @ (OpenError::Missing(_)
                | OpenError::WrongLength { .. }
                | OpenError::Damaged { .. }
                | OpenError::LostTail { .. }
                | OpenError::OldMarks { .. }
                | OpenError::LostHead { .. }),
                _,
            ) => HomeError::LogDamaged { replica, source },
            (
                source @ (OpenError::Exists(_)
                | OpenError::Settings { .. }
                | OpenError::DiskFull(_)
                | OpenError::Io { .. }
                | OpenError::Failed(_)),
                _,
            ) => HomeError::Log { path: log, source },
        }
    }
}
