//! What this node lets programs be, whatever the registry says: a file of the
//! node's own. What it forbids is refused at the start, with the rule's name.
//!
//! | file | what |
//! |---|---|
//! | `policy` | the rules, and reading them |
//! | `places` | where the keeper may listen for programs |
//! | `judge` | the rules and one start → allowed, or why not |

mod judge;
mod places;

use super::users;
use crate::options::PolicyFile;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

pub(crate) use judge::Start;

use places::Places;

/// Longest policy file.
const MAX_BYTES: u64 = 1024 * 1024;

/// What programs may be on this node. The default forbids nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NodePolicy(Option<Arc<Rules>>);

/// The rules of a file. A list that is left out forbids nothing.
#[derive(Debug, PartialEq, Eq)]
struct Rules {
    file: PathBuf,
    users: Option<Allowed>,
    groups: Option<Allowed>,
    programs: Option<Vec<PathBuf>>,
    working_dirs: Option<Vec<PathBuf>>,
    log_files: Option<Vec<PathBuf>>,
    env_files: Option<Vec<PathBuf>>,
    sockets: Option<Places>,
    shell: bool,
    privileged: bool,
    units: Vec<String>,
}

/// Users or groups.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    Everybody,
    Numbers(BTreeSet<u32>),
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    users: Option<Vec<String>>,
    groups: Option<Vec<String>>,
    programs: Option<Vec<PathBuf>>,
    working_dirs: Option<Vec<PathBuf>>,
    log_files: Option<Vec<PathBuf>>,
    env_files: Option<Vec<PathBuf>>,
    sockets: Option<Vec<String>>,
    #[serde(default = "yes")]
    shell: bool,
    #[serde(default)]
    privileged: bool,
    #[serde(default)]
    units: Vec<String>,
}

fn yes() -> bool {
    true
}

/// Why a policy file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolicyError {
    /// It cannot be read.
    #[error("cannot read the node policy {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not in the form of a policy.
    #[error("{path}:{line}:{column}: {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What is wrong.
        problem: String,
    },
    /// A value makes no sense.
    #[error("{path}: {field}: {problem}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Which field.
        field: &'static str,
        /// What is wrong, and what to write instead.
        problem: String,
    },
}

impl NodePolicy {
    /// The policy of a runner that begins.
    ///
    /// # Errors
    /// As of [`NodePolicy::load`].
    pub(crate) fn of(file: &PolicyFile) -> Result<Self, PolicyError> {
        match file {
            PolicyFile::Nowhere => Ok(Self::default()),
            PolicyFile::Named(path) => Self::load(path),
            PolicyFile::Usual(path) => match Self::load(path) {
                Err(PolicyError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    Ok(Self::default())
                }
                read => read,
            },
        }
    }

    /// The policy that comes after this one. Rules are not taken back by a file
    /// that is gone: whoever wants none leaves an empty one.
    ///
    /// # Errors
    /// As of [`NodePolicy::load`].
    pub(crate) fn renewed(&self, file: &PolicyFile) -> Result<Self, PolicyError> {
        match file {
            PolicyFile::Usual(path) if self.0.is_some() => Self::load(path),
            PolicyFile::Nowhere | PolicyFile::Named(_) | PolicyFile::Usual(_) => Self::of(file),
        }
    }

    /// Reads a policy. It holds for every start from the moment at which a
    /// runner is given it; what runs goes on.
    ///
    /// # Errors
    /// The file's first fault, with its place; keep the policy before, then.
    fn load(path: &Path) -> Result<Self, PolicyError> {
        let text = text(path).map_err(|source| PolicyError::Unreadable { path: path.to_owned(), source })?;
        let written: Written = serde_saphyr::from_str(&text).map_err(|e| {
            let place = e.location().map_or((1, 1), |place| (place.line(), place.column()));
            let problem = e.without_snippet().to_string();
            PolicyError::Malformed { path: path.to_owned(), line: place.0, column: place.1, problem }
        })?;
        Rules::check(written, path).map(|rules| Self(Some(Arc::new(rules))))
    }
}

fn text(path: &Path) -> io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_BYTES} bytes")));
    }
    Ok(text)
}

impl Rules {
    fn check(written: Written, file: &Path) -> Result<Self, PolicyError> {
        let invalid = |field, problem| PolicyError::Invalid { path: file.to_owned(), field, problem };
        if written.version != 1 {
            return Err(invalid("version", format!("{} is not known here; write 1", written.version)));
        }
        let number_of_user = |name: &str| users::account(Some(name), None).ok().map(|account| account.uid);
        let users = allowed(written.users, number_of_user).map_err(|problem| invalid("users", problem))?;
        let groups = allowed(written.groups, users::group_number).map_err(|problem| invalid("groups", problem))?;
        let paths = |field, paths: Option<Vec<PathBuf>>| {
            let relative = paths.iter().flatten().find(|path| !path.is_absolute());
            match relative {
                Some(path) => Err(invalid(field, format!("{} is no absolute path; begin with /", path.display()))),
                None => Ok(paths),
            }
        };
        Ok(Self {
            file: file.to_owned(),
            programs: paths("programs", written.programs)?,
            working_dirs: paths("working_dirs", written.working_dirs)?,
            log_files: paths("log_files", written.log_files)?,
            env_files: paths("env_files", written.env_files)?,
            sockets: Places::of_rules(written.sockets, users.as_ref())
                .map_err(|problem| invalid("sockets", problem))?,
            users,
            groups,
            shell: written.shell,
            privileged: written.privileged,
            units: units(written.units).map_err(|problem| invalid("units", problem))?,
        })
    }
}

/// A pattern is of whole names, too: `app-*.service`.
fn units(patterns: Vec<String>) -> Result<Vec<String>, String> {
    for pattern in &patterns {
        // What the stars stand for is part of a name.
        process_model::check_unit_name(&pattern.replace(['*', '?'], "x"))?;
    }
    Ok(patterns)
}

/// Names are looked up once, when the file is read: a user that is made later
/// is allowed from the next reading on.
fn allowed(names: Option<Vec<String>>, number: impl Fn(&str) -> Option<u32>) -> Result<Option<Allowed>, String> {
    let Some(names) = names else { return Ok(None) };
    if names.iter().any(|name| name == "*") {
        return Ok(Some(Allowed::Everybody));
    }
    let mut numbers = BTreeSet::new();
    for name in names {
        let number = name.parse().ok().or_else(|| number(&name));
        numbers.insert(number.ok_or_else(|| format!("{name:?} does not exist on this node; leave it out"))?);
    }
    Ok(Some(Allowed::Numbers(numbers)))
}

/// The policy that holds now; replaced as a whole.
#[derive(Debug, Default)]
pub(crate) struct PolicyInForce(RwLock<NodePolicy>);

impl PolicyInForce {
    pub(crate) fn new(policy: NodePolicy) -> Self {
        Self(RwLock::new(policy))
    }

    /// From now on, starts are judged by `policy`.
    pub(crate) fn replace(&self, policy: NodePolicy) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    pub(crate) fn get(&self) -> NodePolicy {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<NodePolicy, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node-policy.yaml");
        std::fs::write(&path, text).unwrap();
        NodePolicy::load(&path).map_err(|e| e.to_string().replace(&dir.path().display().to_string(), ""))
    }

    #[test]
    fn a_file_is_read_with_what_it_leaves_out() {
        let policy = load("version: 1\nusers: [root, 1234]\nprograms: [/usr/bin]\nshell: false\n").unwrap();
        let rules = policy.0.unwrap();
        assert_eq!(rules.users, Some(Allowed::Numbers(BTreeSet::from([0, 1234]))));
        assert_eq!(rules.programs, Some(vec![PathBuf::from("/usr/bin")]));
        assert_eq!((rules.working_dirs.is_none(), rules.shell, rules.privileged), (true, false, false));
        let rules = load("version: 1\nusers: ['*']\n").unwrap().0.unwrap();
        assert_eq!((&rules.users, rules.shell), (&Some(Allowed::Everybody), true));
    }

    #[test]
    fn a_unit_is_left_alone_unless_a_file_names_it() {
        let refused = |policy: &NodePolicy, unit: &str| policy.allow_unit(unit).unwrap_err();
        let policy = load("version: 1\nunits: [nginx.service, 'app-*.timer']\n").unwrap();
        assert_eq!(policy.allow_unit("nginx.service"), Ok(()));
        assert_eq!(policy.allow_unit("app-one.timer"), Ok(()));
        assert!(refused(&policy, "sshd.service").contains("rule units of"), "{}", refused(&policy, "sshd.service"));
        assert!(refused(&load("version: 1\n").unwrap(), "nginx.service").contains("rule units of"));
        assert!(refused(&NodePolicy::default(), "nginx.service").contains("no policy file"));
    }

    #[test]
    fn a_fault_is_told_with_its_place() {
        for (text, expected) in [
            ("version: 1\nuser: [x]\n", "/node-policy.yaml:2:1: "),
            ("version: 1\nshell: maybe\n", "/node-policy.yaml:2:8: "),
            ("users: ['*']\n", "version"),
            ("version: 2\n", "/node-policy.yaml: version: 2 is not known here; write 1"),
            ("version: 1\nusers: [no-such-user]\n", "users: \"no-such-user\" does not exist on this node"),
            ("version: 1\nprograms: [bin]\n", "programs: bin is no absolute path; begin with /"),
            ("version: 1\nsockets: [run]\n", "sockets: \"run\" is no absolute path, port or range of ports"),
            ("version: 1\nsockets: [80-70]\n", "sockets: \"80-70\" is no"),
            ("version: 1\nunits: [nginx]\n", "units: \"nginx\" does not end in the kind of a unit"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_usual_file_may_come_later_and_rules_are_not_taken_back_by_one_that_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node-policy.yaml");
        let file = PolicyFile::Usual(path.clone());
        let none = NodePolicy::of(&file).unwrap();
        assert_eq!(none, NodePolicy::default());
        assert_eq!(none.renewed(&file).unwrap(), none);
        std::fs::write(&path, "version: 1\nshell: false\n").unwrap();
        let some = none.renewed(&file).unwrap();
        assert_eq!(some, NodePolicy::load(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(some.renewed(&file), Err(PolicyError::Unreadable { .. })));
        assert!(matches!(NodePolicy::of(&PolicyFile::Named(path)), Err(PolicyError::Unreadable { .. })));
    }

    #[test]
    fn a_file_that_is_named_has_to_be_there() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(NodePolicy::load(&dir.path().join("none")), Err(PolicyError::Unreadable { .. })));
        assert!(matches!(NodePolicy::load(dir.path()), Err(PolicyError::Unreadable { .. })), "a folder is no file");
    }
}
