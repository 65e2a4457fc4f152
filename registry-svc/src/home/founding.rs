//! From an empty directory to a replica's. A founding is cut off anywhere
//! without harm. Its steps, each durable before the next:
//!
//! ```text
//! an unused log of an earlier try gets another name, and goes
//! log/        made aside, then named        nothing is acknowledged before the mark stands, so a
//! identity    written aside, then named     log without one that was never opened is a try
//! founding    removed; the next opening does it too
//! ```

use super::founding_file::FoundingFile;
use super::{Found, Home, HomeError, Identity, files};
use registry_log::{Log, Settings};
use registry_quorum::founding::FoundingPlan;
use std::path::Path;
use uuid::Uuid;

impl Home {
    /// The number of this directory, under which it introduces itself: made
    /// and written down when it is first asked for.
    ///
    /// # Errors
    /// As [`look`](Self::look), or it cannot be written.
    pub fn store(&self) -> Result<Uuid, HomeError> {
        let _alone = self.one_at_a_time();
        self.own_number()
    }

    fn own_number(&self) -> Result<Uuid, HomeError> {
        if let Found::Founded(identity) = self.look()? {
            return Ok(identity.store);
        }
        if let Some(file) = FoundingFile::read(&self.founding())? {
            return Ok(file.store);
        }
        let file = FoundingFile { store: Uuid::new_v4(), plan: None };
        file.write(&self.founding())?;
        Ok(file.store)
    }

    /// Writes the plan of a cluster down; durable on return. Saying the same
    /// twice is harmless.
    ///
    /// # Errors
    /// Another plan stands, or the directory is founded already, or it cannot
    /// be written.
    pub fn plan(&self, plan: &FoundingPlan) -> Result<(), HomeError> {
        let _alone = self.one_at_a_time();
        match self.look()? {
            Found::Fresh => {
                FoundingFile { store: self.own_number()?, plan: Some(plan.clone()) }.write(&self.founding())
            }
            Found::Planned(standing) if standing == *plan => Ok(()),
            Found::Planned(_) => Err(HomeError::OtherPlan(self.founding())),
            Found::Founded(identity) if plans(plan, &identity) => Ok(()),
            Found::Founded(identity) => Err(HomeError::Foreign {
                file: self.identity(),
                found: identity.to_string(),
                wanted: format!("a founder of cluster {}", plan.cluster),
                replica: identity.replica,
            }),
        }
    }

    /// Makes it the directory of a replica: durable on return. Repeating it,
    /// also after it was cut off anywhere, is harmless. `settings` are those
    /// that the log will be opened with.
    ///
    /// # Errors
    /// The directory is another replica's, or its plan says something else,
    /// or the system said no.
    pub fn found(&self, identity: &Identity, settings: &Settings) -> Result<(), HomeError> {
        let _alone = self.one_at_a_time();
        match self.look()? {
            Found::Founded(found) if found.is_of(identity) => return Ok(()),
            Found::Founded(found) => return Err(self.foreign(&found, identity)),
            Found::Fresh | Found::Planned(_) => self.must_be_planned(identity)?,
        }
        let gone = self.path().join("log.gone");
        files::remove_tree(&gone)?;
        if files::is_there(&self.log())? {
            files::rename(&self.log(), &gone)?;
            files::step("home.gone", &gone)?;
            files::remove_tree(&gone)?;
        }
        files::sync_directory_of(self.path())?;
        files::step("home.begun", self.path())?;
        self.make_log(&self.log(), identity, settings)?;
        files::step("home.log", &self.log())?;
        identity.write(&self.identity())?;
        files::step("home.mark", &self.identity())?;
        self.tidy()
    }

    /// The number that was shown to peers, and the plan if there is one, must
    /// be what is founded now.
    fn must_be_planned(&self, identity: &Identity) -> Result<(), HomeError> {
        let Some(file) = FoundingFile::read(&self.founding())? else { return Ok(()) };
        if file.store == identity.store && file.plan.as_ref().is_none_or(|plan| plans(plan, identity)) {
            return Ok(());
        }
        Err(HomeError::NotPlanned { plan: self.founding(), wanted: identity.to_string() })
    }

    pub(super) fn make_log(&self, path: &Path, identity: &Identity, settings: &Settings) -> Result<(), HomeError> {
        Log::create(path, &identity.into(), settings).map_err(|source| HomeError::Log { path: path.to_owned(), source })
    }
}

/// Whether the plan says that this directory becomes this replica.
fn plans(plan: &FoundingPlan, identity: &Identity) -> bool {
    plan.cluster == identity.cluster.to_string()
        && plan.founders.get(&identity.replica).is_some_and(|one| one.store == identity.store.to_string())
}
