//! The types of a node by name.

use crate::builtin::BUILT_IN;
use crate::definition::Definition;
use crate::fault::DefinitionFault;
use crate::files::Files;
use crate::read::{Read, read};
use crate::resolve::{Program, ResolveError};
use crate::subject::Subject;
use process_model::ProcessSpec;
use process_model::spec::{Command, Hook, RuntimeType, Signal};
use std::collections::BTreeMap;

/// The types of a node by name.
#[derive(Debug, Clone, Default)]
pub struct TypeSet {
    types: BTreeMap<RuntimeType, Known>,
}

#[derive(Debug, Clone)]
struct Known {
    definition: Definition,
    /// The file that it was read from; `None`: it is built in.
    file: Option<String>,
}

impl TypeSet {
    /// The types that every node has.
    #[must_use]
    pub fn built_in() -> Self {
        let mut set = Self::default();
        for (file, text) in BUILT_IN {
            // That each of them is right is what a test of this crate shows.
            if let Ok(Read { definition, .. }) = read(file, text) {
                set.types.insert(definition.name.clone(), Known { definition, file: None });
            }
        }
        set
    }

    /// Adds the type that a file defines; it may take the place of a built-in
    /// one.
    ///
    /// # Errors
    /// All faults of the file, or that another file has defined the type
    /// already; the set is as before.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), Vec<DefinitionFault>> {
        let Read { definition, name_at: (line, column) } = read(file, text)?;
        if let Some(first) = self.types.get(&definition.name).and_then(|known| known.file.as_ref()) {
            let problem = format!("name: {} is defined in {first} already; keep one", definition.name);
            return Err(vec![DefinitionFault { file: file.to_owned(), line, column, problem }]);
        }
        self.types.insert(definition.name.clone(), Known { definition, file: Some(file.to_owned()) });
        Ok(())
    }

    /// The types, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.types.values().map(|known| &known.definition)
    }

    /// What is to be started for `subject`.
    ///
    /// # Errors
    /// There is no such type, or it does not go with the process.
    pub fn resolve(&self, subject: Subject<'_>, files: &dyn Files) -> Result<Program, ResolveError> {
        match self.types.get(&subject.spec.runtime) {
            Some(known) => known.definition.resolve(subject, files),
            None => Err(ResolveError::Unknown {
                name: subject.spec.runtime.to_string(),
                known: self.types.keys().map(ToString::to_string).collect(),
                looks_like: self.detect(subject, files),
            }),
        }
    }

    /// The types that the application's files look like, by name.
    #[must_use]
    pub fn detect(&self, subject: Subject<'_>, files: &dyn Files) -> Vec<String> {
        self.iter().filter(|known| known.fits(subject, files)).map(|known| known.name.to_string()).collect()
    }

    /// The spec with what its type says where it says nothing itself: how it
    /// is known to be ready, the signal in place of SIGTERM, what tidies up after
    /// an end. `None`: there is nothing to add.
    #[must_use]
    pub fn complete(&self, spec: &ProcessSpec) -> Option<ProcessSpec> {
        let definition = &self.types.get(&spec.runtime)?.definition;
        let probe = if spec.readiness.is_none() { definition.probe(spec) } else { None };
        let signal =
            definition.stop_signal.filter(|signal| spec.stop.signal == Signal::TERM && *signal != Signal::TERM);
        let silent = spec.hooks.as_ref().is_none_or(|hooks| hooks.post_stop.is_none());
        let post_stop = definition.post_stop.as_ref().filter(|_| silent);
        if probe.is_none() && signal.is_none() && post_stop.is_none() {
            return None;
        }
        let mut complete = spec.clone();
        complete.readiness = probe.or(complete.readiness);
        complete.stop.signal = signal.unwrap_or(complete.stop.signal);
        if let Some(line) = post_stop {
            complete.hooks.get_or_insert_default().post_stop = Some(Hook::new(Command::Shell(line.clone())));
        }
        Some(complete)
    }
}
