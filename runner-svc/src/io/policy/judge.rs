//! A start and the rules of the node: allowed, or which rule forbids it.
//! Paths are compared as the kernel would follow them, with every link
//! resolved.

use super::{Allowed, NodePolicy, Rules};
use crate::io::users::{self, Account};
use process_model::spec::{Execution, IoClass, Resource};
use process_model::{ProcessSpec, Selector};
use runner_domain::SpawnError;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// Programs whose argument is a program of its own in a shell's language.
const SHELLS: [&str; 12] =
    ["sh", "ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "mksh", "rbash", "tcsh", "zsh"];

/// What is going to be started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) spec: &'a ProcessSpec,
    pub(crate) argv: &'a [String],
    pub(crate) account: &'a Account,
    pub(crate) working_dir: &'a str,
    /// `PATH` of its environment.
    pub(crate) search: &'a str,
}

impl NodePolicy {
    /// Whether files of environment may be read for `spec`. Asked before they
    /// are: an error must not tell what is in a file that is none of the
    /// spec's business.
    pub(crate) fn allow_env_files(&self, spec: &ProcessSpec) -> Result<(), SpawnError> {
        let Some(rules) = &self.0 else { return Ok(()) };
        for path in spec.execution.iter().flat_map(|execution| &execution.env_files) {
            rules.below("env_files", rules.env_files.as_deref(), Path::new(path.trim_start_matches('-')))?;
        }
        Ok(())
    }

    /// Whether a unit of systemd may be started and stopped from here. These
    /// are the machine's own; so without a file it is none.
    pub(crate) fn allow_unit(&self, unit: &str) -> Result<(), String> {
        let Some(rules) = &self.0 else {
            return Err(format!("{unit} is not allowed on this node: it has no policy file that lists it in units"));
        };
        let listed = rules.units.iter().any(|pattern| Selector::new(pattern.as_str()).matches(unit));
        if listed { Ok(()) } else { Err(rules.forbids("units", unit).message) }
    }

    /// Whether a start is allowed.
    pub(crate) fn allow(&self, start: Start<'_>) -> Result<(), SpawnError> {
        let Some(rules) = &self.0 else { return Ok(()) };
        rules.allow_account(start.account)?;
        rules.allow_program(start)?;
        rules.below("working_dirs", rules.working_dirs.as_deref(), Path::new(start.working_dir))?;
        let watched = start.spec.log_watchdog.as_ref().and_then(|watchdog| watchdog.log_file.as_ref());
        for file in start.spec.log_file.iter().chain(watched) {
            rules.below("log_files", rules.log_files.as_deref(), Path::new(file))?;
        }
        match start.spec.execution.as_deref().and_then(privilege) {
            Some(what) if !rules.privileged => Err(rules.forbids("privileged", &what)),
            Some(_) | None => Ok(()),
        }
    }
}

impl Rules {
    fn forbids(&self, rule: &str, what: &str) -> SpawnError {
        let message = format!("{what} is not allowed on this node: rule {rule} of {}", self.file.display());
        SpawnError { stage: "policy".to_owned(), message }
    }

    fn allow_account(&self, account: &Account) -> Result<(), SpawnError> {
        if let Some(Allowed::Numbers(users)) = &self.users
            && !users.contains(&account.uid)
        {
            return Err(self.forbids("users", &format!("user {}", account.name)));
        }
        let Some(identity) = &account.identity else { return Ok(()) };
        let listed = match (&self.groups, &self.users) {
            (Some(Allowed::Numbers(groups)), _) => groups.clone(),
            // Who may only be some users may not be everybody by way of a group.
            (None, Some(Allowed::Numbers(_))) => BTreeSet::new(),
            (Some(Allowed::Everybody), _) | (None, Some(Allowed::Everybody) | None) => return Ok(()),
        };
        let own = users::groups_of(account.uid);
        let mut wanted = std::iter::once(&identity.gid).chain(&identity.groups);
        let foreign = wanted.find(|group| !listed.contains(group) && !own.contains(group));
        match foreign {
            Some(group) => Err(self.forbids("groups", &format!("group {group} for user {}", account.name))),
            None => Ok(()),
        }
    }

    fn allow_program(&self, start: Start<'_>) -> Result<(), SpawnError> {
        let Some(name) = start.argv.first() else { return Ok(()) };
        if self.shell && self.programs.is_none() {
            return Ok(());
        }
        let found = find(name, start.working_dir, start.search);
        if !self.shell {
            let names = [Some(Path::new(name)), found.as_deref()];
            let mut names = names.into_iter().flatten().filter_map(|path| path.file_name()?.to_str());
            if let Some(shell) = names.find(|name| SHELLS.contains(name)) {
                return Err(self.forbids("shell", &format!("a command line for {shell}")));
            }
        }
        match (&self.programs, found) {
            (None, _) => Ok(()),
            (Some(_), Some(found)) => self.below("programs", self.programs.as_deref(), &found),
            // What is not there cannot be judged by where it is; it would not start anyway.
            (Some(_), None) => Err(self.forbids("programs", &format!("{name:?}, which is not found,"))),
        }
    }

    /// Whether a path is one of the allowed ones, or below.
    fn below(&self, rule: &str, allowed: Option<&[PathBuf]>, path: &Path) -> Result<(), SpawnError> {
        let Some(allowed) = allowed else { return Ok(()) };
        let real = real(path);
        if allowed.iter().any(|prefix| real.starts_with(self::real(prefix))) {
            return Ok(());
        }
        let leads = if real == path { String::new() } else { format!(" (which is {})", real.display()) };
        Err(self.forbids(rule, &format!("{}{leads}", path.display())))
    }
}

/// The path with every link resolved, as far as it exists; what does not exist
/// cannot be a link.
fn real(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut at = path;
    loop {
        if let Ok(found) = at.canonicalize() {
            let mut whole = found;
            for part in missing.iter().rev() {
                match part {
                    Component::ParentDir => {
                        whole.pop();
                    }
                    Component::Normal(name) => whole.push(name),
                    Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
                }
            }
            return whole;
        }
        let (Some(parent), Some(last)) = (at.parent(), at.components().next_back()) else { return path.to_owned() };
        missing.push(last);
        at = parent;
    }
}

/// The program that execvp(3) would find, with every link resolved.
fn find(name: &str, working_dir: &str, search: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Path::new(working_dir).join(name).canonicalize().ok();
    }
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    let places = search.split(':').map(|place| if place.is_empty() { "." } else { place });
    let mut found = places.map(|place| Path::new(working_dir).join(place).join(name));
    found.find(is_program)?.canonicalize().ok()
}

/// What a spec asks for that puts its program before others.
fn privilege(execution: &Execution) -> Option<String> {
    if let Some(nice) = execution.nice.filter(|nice| *nice < 0) {
        return Some(format!("nice: {nice}"));
    }
    if let Some(score) = execution.oom_score_adj.filter(|score| *score < 0) {
        return Some(format!("oom_score_adj: {score}"));
    }
    if execution.io_priority.is_some_and(|priority| priority.class == IoClass::Realtime) {
        return Some("io_priority: realtime".to_owned());
    }
    // With these the program could give itself what it may not be given.
    let raised = |resource: Resource, harmless: u64| {
        execution.rlimits.get(&resource).is_some_and(|limit| limit.hard.is_none_or(|hard| hard > harmless))
    };
    if raised(Resource::Rtprio, 0) {
        return Some("rlimits.rtprio".to_owned());
    }
    // 20 is nice 0 (getrlimit(2)).
    raised(Resource::Nice, 20).then(|| "rlimits.nice".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::spec::{Command, IoPriority, LogWatchdog, Rlimit};
    use runner_keeper::protocol::Identity;

    fn policy(dir: &Path, rules: &str) -> NodePolicy {
        let path = dir.join("node-policy.yaml");
        std::fs::write(&path, format!("version: 1\n{rules}")).unwrap();
        NodePolicy::load(&path).unwrap()
    }

    struct Case {
        spec: ProcessSpec,
        argv: Vec<String>,
        account: Account,
        working_dir: String,
    }

    fn case(argv: &[&str]) -> Case {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Argv(argv.clone()));
        spec.execution = Some(Box::default());
        let account = users::account(None, None).unwrap();
        Case { spec, argv, account, working_dir: "/".to_owned() }
    }

    impl Case {
        /// The rule that forbids it.
        fn rule(&self, policy: &NodePolicy) -> Option<String> {
            let Self { spec, argv, account, working_dir } = self;
            let start = Start { spec, argv, account, working_dir, search: "/usr/bin:/bin" };
            let error = policy.allow_env_files(spec).and_then(|()| policy.allow(start)).err()?;
            assert_eq!(error.stage, "policy");
            assert!(error.message.ends_with("node-policy.yaml"), "{error}");
            let rule = error.message.split("rule ").nth(1).unwrap().split(' ').next().unwrap();
            Some(rule.to_owned())
        }

        fn execution(&mut self) -> &mut Execution {
            self.spec.execution.as_mut().unwrap()
        }
    }

    #[test]
    fn without_a_policy_everything_is_allowed() {
        let mut case = case(&["sh", "-c", "true"]);
        case.execution().nice = Some(-20);
        case.execution().env_files = vec!["/etc/shadow".into()];
        assert_eq!(case.rule(&NodePolicy::default()), None);
    }

    #[test]
    fn a_user_has_to_be_listed_and_its_own_groups_come_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut case = case(&["true"]);
        case.account.uid = 12_345;
        case.account.identity = Some(Identity { uid: 12_345, gid: 77, groups: Vec::new() });
        assert_eq!(case.rule(&policy(dir.path(), "users: [12346]")).as_deref(), Some("users"));
        assert_eq!(case.rule(&policy(dir.path(), "users: [12345]")).as_deref(), Some("groups"), "a group of others");
        assert_eq!(case.rule(&policy(dir.path(), "users: [12345]\ngroups: [77]")), None);
        assert_eq!(case.rule(&policy(dir.path(), "users: ['*']")), None);
        assert_eq!(case.rule(&policy(dir.path(), "groups: [78]")).as_deref(), Some("groups"));
    }

    #[test]
    fn a_program_is_judged_by_where_it_really_is() {
        let dir = tempfile::tempdir().unwrap();
        let apps = dir.path().join("apps");
        std::fs::create_dir(&apps).unwrap();
        std::os::unix::fs::symlink("/bin/sleep", apps.join("innocent")).unwrap();
        std::fs::copy("/bin/sleep", apps.join("own")).unwrap();
        let policy = policy(dir.path(), &format!("programs: [{}]", apps.display()));
        let at = |name: &str| apps.join(name).to_string_lossy().into_owned();
        assert_eq!(case(&[&at("own")]).rule(&policy), None);
        assert_eq!(case(&[&at("innocent")]).rule(&policy).as_deref(), Some("programs"), "a link out of the folder");
        assert_eq!(case(&[&at("../apps-other/x")]).rule(&policy).as_deref(), Some("programs"));
        assert_eq!(case(&["sleep"]).rule(&policy).as_deref(), Some("programs"), "found by PATH");
        assert_eq!(case(&[&at("missing")]).rule(&policy).as_deref(), Some("programs"));
        let mut relative = case(&["./own"]);
        relative.working_dir = apps.to_string_lossy().into_owned();
        assert_eq!(relative.rule(&policy), None);
    }

    #[test]
    fn a_shell_is_refused_under_every_name() {
        let dir = tempfile::tempdir().unwrap();
        let policy = policy(dir.path(), "shell: false");
        let link = dir.path().join("innocent");
        std::os::unix::fs::symlink("/bin/sh", &link).unwrap();
        for program in ["/bin/sh", "bash", link.to_str().unwrap()] {
            assert_eq!(case(&[program, "-c", "true"]).rule(&policy).as_deref(), Some("shell"), "{program}");
        }
        assert_eq!(case(&["sleep", "1"]).rule(&policy), None);
    }

    #[test]
    fn folders_and_files_have_to_be_below_what_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("srv");
        std::fs::create_dir(&root).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
        let rules = format!("working_dirs: [{0}]\nlog_files: [{0}]\nenv_files: [{0}]", root.display());
        let policy = policy(dir.path(), &rules);
        let good = || {
            let mut case = case(&["true"]);
            case.working_dir = root.to_string_lossy().into_owned();
            case
        };
        let at = |name: &str| root.join(name).to_string_lossy().into_owned();
        let mut case = good();
        case.spec.log_file = Some(at("new/folder/app.log"));
        case.execution().env_files = vec![format!("-{}", at("x.env"))];
        assert_eq!(case.rule(&policy), None);
        case.working_dir = "/".into();
        assert_eq!(case.rule(&policy).as_deref(), Some("working_dirs"));
        case = good();
        case.spec.log_file = Some(at("../app.log"));
        assert_eq!(case.rule(&policy).as_deref(), Some("log_files"));
        case = good();
        case.spec.log_watchdog = Some(LogWatchdog::new(Some(at("link/app.log"))));
        assert_eq!(case.rule(&policy).as_deref(), Some("log_files"), "a link out of the folder");
        case = good();
        case.execution().env_files = vec![at("link/shadow")];
        assert_eq!(case.rule(&policy).as_deref(), Some("env_files"));
    }

    #[test]
    fn what_puts_a_program_before_others_needs_the_rule_privileged() {
        let dir = tempfile::tempdir().unwrap();
        let settings: [fn(&mut Execution); 5] = [
            |execution| execution.nice = Some(-1),
            |execution| execution.oom_score_adj = Some(-1),
            |execution| execution.io_priority = Some(IoPriority { class: IoClass::Realtime, level: 0 }),
            |execution| {
                execution.rlimits.insert(Resource::Rtprio, Rlimit { soft: Some(0), hard: None });
            },
            |execution| {
                execution.rlimits.insert(Resource::Nice, Rlimit { soft: Some(20), hard: Some(40) });
            },
        ];
        for setting in settings {
            let mut case = case(&["true"]);
            setting(case.execution());
            assert_eq!(case.rule(&policy(dir.path(), "")).as_deref(), Some("privileged"));
            assert_eq!(case.rule(&policy(dir.path(), "privileged: true")), None);
        }
        let mut humble = case(&["true"]);
        (humble.execution().nice, humble.execution().oom_score_adj) = (Some(19), Some(1000));
        assert_eq!(humble.rule(&policy(dir.path(), "")), None);
    }
}
