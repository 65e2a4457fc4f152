//! A start and the rules of the node: allowed, or which rule forbids it.
//! Paths are compared as the kernel would follow them, with every link
//! resolved.

use super::{Allowed, NodePolicy, Rules};
use crate::io::users::{self, Account};
use process_model::spec::{Execution, IoClass, Listen, Resource};
use process_model::{ProcessSpec, Selector};
use runner_domain::SpawnError;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
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
    /// Its environment: `PATH` decides what is started.
    pub(crate) env: &'a [(String, String)],
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

    /// Whether the keeper may listen on what `spec` asks for.
    pub(crate) fn allow_sockets(&self, spec: &ProcessSpec) -> Result<(), SpawnError> {
        self.0.as_ref().map_or(Ok(()), |rules| rules.allow_sockets(spec))
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
        let found = find(name, start).map_err(|(path, error)| {
            self.forbids("programs", &format!("{}, where nobody can look ({error}),", path.display()))
        })?;
        if !self.shell {
            let names = std::iter::once(Path::new(name)).chain(found.iter().map(PathBuf::as_path));
            let mut names = names.filter_map(|path| path.file_name()?.to_str());
            if let Some(shell) = names.find(|name| SHELLS.contains(name)) {
                return Err(self.forbids("shell", &format!("a command line for {shell}")));
            }
        }
        if self.programs.is_some() && found.is_empty() {
            // What is not there cannot be judged by where it is; it would not start anyway.
            return Err(self.forbids("programs", &format!("{name:?}, which is not found,")));
        }
        found.iter().try_for_each(|found| self.below("programs", self.programs.as_deref(), found))
    }

    fn allow_sockets(&self, spec: &ProcessSpec) -> Result<(), SpawnError> {
        let Some(places) = &self.sockets else { return Ok(()) };
        for socket in &spec.sockets {
            match &socket.listen {
                Listen::Unix { path, .. } => self.below("sockets", Some(&places.paths), Path::new(path))?,
                listen @ (Listen::Tcp(address) | Listen::Udp(address)) if !places.has_port_of(listen) => {
                    return Err(self.forbids("sockets", &format!("port {}", address.port())));
                }
                Listen::Tcp(_) | Listen::Udp(_) => {}
            }
        }
        Ok(())
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

/// Every file that the keeper may come to, with every link resolved: it goes on
/// to the next where one may not be run, which depends on more than its mode.
fn find(name: &str, start: Start<'_>) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let mut found = Vec::new();
    for place in runner_keeper::candidates(name, start.env) {
        let path = Path::new(start.working_dir).join(place);
        match path.canonicalize().and_then(|file| Ok((file.metadata()?.is_file(), file))) {
            Ok((true, file)) => found.push(file),
            Ok((false, _)) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            // Another user may get further than we do, and then nobody knows where.
            Err(error) if start.account.identity.is_some() => return Err((path, error)),
            Err(_) => {}
        }
    }
    Ok(found)
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
    use process_model::spec::{Command, IoPriority, LogWatchdog, Rlimit, Socket};
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
        search: String,
    }

    fn case(argv: &[&str]) -> Case {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Argv(argv.clone()));
        spec.execution = Some(Box::default());
        let account = users::account(None, None).unwrap();
        Case { spec, argv, account, working_dir: "/".to_owned(), search: "/usr/bin:/bin".to_owned() }
    }

    impl Case {
        /// The rule that forbids it.
        fn rule(&self, policy: &NodePolicy) -> Option<String> {
            let Self { spec, argv, account, working_dir, .. } = self;
            let env = [("PATH".to_owned(), self.search.clone())];
            let start = Start { spec, argv, account, working_dir, env: &env };
            let judged = policy.allow_env_files(spec).and_then(|()| policy.allow_sockets(spec));
            let error = judged.and_then(|()| policy.allow(start)).err()?;
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
    fn every_file_that_a_search_may_come_to_is_judged_and_none_that_it_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (good, bad) = (dir.path().join("good"), dir.path().join("bad"));
        for folder in [&good, &bad] {
            std::fs::create_dir(folder).unwrap();
            // May not be run, or by some only: the keeper would go on to the next.
            std::fs::write(folder.join("tool"), "").unwrap();
        }
        std::os::unix::fs::symlink("/bin/sh", bad.join("innocent")).unwrap();
        std::fs::write(good.join("innocent"), "").unwrap();
        let (good, bad) = (good.to_string_lossy(), bad.to_string_lossy());
        let programs = policy(dir.path(), &format!("programs: [{good}]"));
        let shells = policy(dir.path(), "shell: false");
        let mut case = case(&["tool"]);
        case.working_dir = bad.clone().into_owned();
        for (search, rule) in [
            (format!("{good}"), None),
            (format!("{good}:{bad}"), Some("programs")),
            (format!("{bad}:{good}"), Some("programs")),
            (format!("{good}:."), Some("programs")),
            // The keeper passes over what is empty.
            (format!(":{good}:"), None),
        ] {
            case.search = search;
            assert_eq!(case.rule(&programs).as_deref(), rule, "{}", case.search);
        }
        // A loop of links, as a place that only the program's user may enter: what is there cannot be judged.
        std::os::unix::fs::symlink("tool", dir.path().join("tool")).unwrap();
        case.search = format!("{}:{good}", dir.path().display());
        assert_eq!(case.rule(&programs), None, "nor can it be run, by the same user");
        case.account.identity = Some(Identity { uid: 12_345, gid: 77, groups: Vec::new() });
        assert_eq!(case.rule(&programs).as_deref(), Some("programs"));
        case.account.identity = None;
        case.argv = vec!["innocent".into()];
        case.search = format!("{good}:{bad}");
        assert_eq!(case.rule(&shells).as_deref(), Some("shell"));
    }

    #[test]
    fn what_the_keeper_listens_on_is_listed_or_what_users_may_have_by_themselves() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        std::fs::create_dir(&run).unwrap();
        std::os::unix::fs::symlink("/", run.join("link")).unwrap();
        let unix = |name: &str| Listen::Unix { path: run.join(name).to_string_lossy().into_owned(), mode: 0o666 };
        let tcp = |port| Listen::Tcp(([0, 0, 0, 0], port).into());
        let rule = |listen: Listen, rules: &str| {
            let mut case = case(&["true"]);
            case.spec.sockets = vec![Socket { name: "x".into(), listen, backlog: 1 }];
            case.rule(&policy(dir.path(), rules))
        };
        let users = format!("users: [{}]", users::account(None, None).unwrap().uid);
        let listed = format!("{users}\nsockets: [{}, 80, 8000-8001]", run.display());
        for (listen, by_users, by_list) in [
            (tcp(80), true, false),
            (tcp(79), true, true),
            (tcp(8001), false, false),
            (tcp(8002), false, true),
            (tcp(0), false, true),
            (Listen::Udp(([127, 0, 0, 1], 53).into()), true, true),
            (unix("a.sock"), true, false),
            (unix("link/run/b.sock"), true, true),
        ] {
            assert_eq!(rule(listen.clone(), ""), None, "{listen:?}");
            assert_eq!(rule(listen.clone(), &users), by_users.then(|| "sockets".into()), "{listen:?}");
            assert_eq!(rule(listen.clone(), &listed), by_list.then(|| "sockets".into()), "{listen:?}");
        }
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
