//! The types that hold now, of the node's own files and of its plugins; read
//! anew while the runner runs.

use super::types_plugins::Plugins;
use process_model::{Assignment, ProcessSpec};
use runner_domain::SpawnError;
use runner_types::{Files, Program, ResolveError, Subject, TypeSet};
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};

/// The types that hold now. What has been started keeps what it got.
#[derive(Debug)]
pub(crate) struct TypesInForce {
    own: RwLock<Arc<TypeSet>>,
    plugins: Plugins,
}

impl From<TypeSet> for TypesInForce {
    fn from(types: TypeSet) -> Self {
        Self { own: RwLock::new(types.into()), plugins: Plugins::default() }
    }
}

impl TypesInForce {
    /// The node's own types, and plugins for all others.
    pub(crate) fn new(types: TypeSet, plugins: Plugins) -> Self {
        Self { plugins, ..types.into() }
    }

    /// From now on, these hold; plugins are asked anew.
    pub(crate) fn replace(&self, types: TypeSet) {
        *self.own.write().unwrap_or_else(PoisonError::into_inner) = types.into();
        self.plugins.forget();
    }

    pub(crate) fn get(&self) -> Arc<TypeSet> {
        self.own.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What has to be awaited before `assignment` can be resolved; `None`:
    /// nothing. Over within seconds.
    pub(crate) fn prepare(
        &self,
        assignment: &Assignment,
    ) -> Option<impl Future<Output = Result<(), SpawnError>> + Send + use<>> {
        self.plugins.prepare(assignment, &self.get())
    }

    /// Whether nobody knows yet what the type of `spec` adds to it.
    pub(crate) fn is_unasked(&self, spec: &ProcessSpec) -> bool {
        self.plugins.is_unasked(spec, &self.get())
    }

    /// As [`TypeSet::resolve`], for what is prepared.
    pub(crate) fn resolve(&self, subject: Subject<'_>, files: &dyn Files) -> Result<Program, ResolveError> {
        match self.get().resolve(subject, files) {
            Err(ResolveError::Unknown { name, known, looks_like }) => {
                self.plugins.program(subject.spec).ok_or(ResolveError::Unknown { name, known, looks_like })
            }
            resolved @ (Ok(_) | Err(ResolveError::Unfit { .. })) => resolved,
        }
    }

    /// As [`TypeSet::complete`]; of a plugin's type once it was asked.
    pub(crate) fn complete(&self, spec: &ProcessSpec) -> Option<ProcessSpec> {
        self.get().complete(spec).or_else(|| self.plugins.complete(spec))
    }

    /// Ends the plugins.
    pub(crate) async fn close(&self) {
        self.plugins.close().await;
    }
}
