//! A program's environment, in layers; a later one comes over an earlier one:
//!
//! ```text
//! a few variables of the runner's own ◀ the account's ◀ the type's ◀ the whole file's ◀ env_files ◀ the spec's ◀ PM_…
//! ```

use crate::io::env_files;
use crate::io::users::Account;
use process_model::{Assignment, NodeName, ProcessSpec};
use runner_domain::SpawnError;
use runner_types::Program;
use std::collections::BTreeMap;

/// Variables of the runner's own environment that programs get: where
/// programs and temporary files are, language and time zone. Nothing else is
/// inherited.
const INHERITED: [&str; 5] = ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// What a spec and its files say.
pub(super) fn own(spec: &ProcessSpec) -> Result<BTreeMap<String, String>, SpawnError> {
    let mut env = BTreeMap::new();
    if let Some(execution) = &spec.execution {
        env.extend(execution.base_env.clone());
        env.extend(env_files::read(&execution.env_files)?);
    }
    env.extend(spec.env.clone());
    Ok(env)
}

/// All of it, with what was read of its `own`.
pub(super) fn of(
    assignment: &Assignment,
    node: &NodeName,
    account: &Account,
    program: &Program,
    own: BTreeMap<String, String>,
    traceparent: Option<String>,
) -> Vec<(String, String)> {
    let (spec, instance) = (&assignment.spec, &assignment.instance);
    let mut env = BTreeMap::new();
    for name in INHERITED {
        if let Ok(value) = std::env::var(name) {
            env.insert(name.to_owned(), value);
        }
    }
    env.insert("HOME".to_owned(), account.home.clone());
    env.insert("USER".to_owned(), account.name.clone());
    env.insert("LOGNAME".to_owned(), account.name.clone());
    env.insert("SHELL".to_owned(), account.shell.clone());
    env.extend(traceparent.map(|value| ("TRACEPARENT".to_owned(), value)));
    env.extend(program.env.clone());
    env.extend(own);
    env.insert("PM_PROCESS".to_owned(), instance.process.to_string());
    env.insert("PM_INSTANCE".to_owned(), instance.to_string());
    env.insert("PM_INSTANCE_INDEX".to_owned(), instance.index.to_string());
    env.insert("PM_NODE".to_owned(), node.to_string());
    if spec.singleton.is_some() {
        env.insert("PM_FENCING_TOKEN".to_owned(), assignment.fencing_token.to_string());
    }
    env.into_iter().collect()
}
