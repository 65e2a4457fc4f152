//! One run's cgroups.
//!
//! In version 2 the group holds the tree: who is born in it stays in it. A hook
//! or a probe of an instance has a group within that of its run, so that it is
//! limited with it, and can be ended without it. In version 1 the freezer
//! does, for programs with limits.

use super::find::{Cgroups, Kind, Version};
use super::limits::Limited;
use super::spare;
use super::watch::Watch;
use crate::launch::Beside;
use crate::protocol::SpawnRequest;
use process_model::spec::ResourceLimits;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Readings of the freezer's state until it is what it was told to be. A
/// process in the middle of a system call takes a moment; one in
/// uninterruptible sleep takes for ever.
const FREEZING: usize = 100;

/// The groups of a run.
#[derive(Debug)]
pub(crate) struct Group {
    pub(super) tree: Option<(Version, PathBuf)>,
    /// Other directories that were made for it: limits, version 1.
    pub(super) beside: Vec<PathBuf>,
    pub(super) limited: Option<Box<Limited>>,
    pub(super) watch: Option<Box<Watch>>,
}

/// A group that nobody is in yet.
pub(crate) struct Prepared {
    pub(crate) group: Option<Box<Group>>,
    /// What cannot be limited, in words.
    pub(crate) notes: Vec<String>,
}

impl Cgroups {
    /// Makes the groups of a run, and puts into `beside` how its main process
    /// gets into them. `of` is the run that a task belongs to.
    pub(crate) fn prepare(&mut self, request: &SpawnRequest, of: Option<&Group>, beside: &mut Beside<'_>) -> Prepared {
        let limits = request.limits.as_ref().filter(|limits| !limits.is_empty() && !request.is_task);
        let mut prepared = Prepared { group: None, notes: Vec::new() };
        let mut group = Group { tree: None, beside: Vec::new(), limited: None, watch: None };
        if let Some(base) = &self.unified {
            let dir = match of.and_then(Group::unified) {
                Some(run) if request.is_task => run.join(format!("task-{}", request.run)),
                _ => base.join(request.run.to_string()),
            };
            let spare = if limits.is_none() && !request.is_task { self.spare.take() } else { None };
            match spare.map_or_else(|| make_and_open(base, dir), Ok) {
                Ok((open, dir)) => {
                    beside.born_in = Some(open);
                    group.tree = Some((Version::V2, dir));
                }
                Err(e) => crate::diary::say!("{} starts without a cgroup: {e}", request.instance),
            }
        } else if limits.is_some()
            && let Some(base) = &self.freezer
        {
            let made = self.hold(base).and_then(|()| make_below(base, request.run));
            match made.and_then(|dir| Ok((enter(&dir)?, dir))) {
                Ok((procs, dir)) => {
                    beside.enters.push((procs, dir.display().to_string()));
                    group.tree = Some((Version::V1, dir));
                }
                Err(e) => crate::diary::say!("{} starts without a cgroup: {e}", request.instance),
            }
        }
        if let Some(limits) = limits {
            let mut limited = Limited::new(limits.clone());
            for kind in limited.kinds() {
                let outcome = self.limit(kind, request.run, &mut group, &mut limited, beside);
                let what = limited.describe(kind);
                prepared.notes.extend(outcome.err().map(|why| format!("{what} is not {}: {why}", limited.verb())));
            }
            group.limited = Some(Box::new(limited));
        }
        // A task shares the limits of its run: in version 1 by entering the same groups.
        if request.is_task
            && let Some(run) = of
        {
            for dir in &run.beside {
                beside.enters.extend(enter(dir).ok().map(|procs| (procs, dir.display().to_string())));
            }
        }
        let is_needed = group.tree.is_some() || group.limited.is_some();
        prepared.group = is_needed.then(|| Box::new(group));
        prepared
    }

    /// Sets one limit.
    fn limit(
        &self,
        kind: Kind,
        run: u64,
        group: &mut Group,
        limited: &mut Limited,
        beside: &mut Beside<'_>,
    ) -> Result<(), String> {
        let counts_already = kind == Kind::CpuCount && group.unified().is_some();
        let (version, base) = match group.unified() {
            Some(dir) if counts_already => (Version::V2, dir.to_path_buf()),
            _ => self.controller(kind)?,
        };
        let text = |e: io::Error| e.to_string();
        let dir = match (version, group.unified()) {
            (Version::V2, Some(dir)) => dir.to_path_buf(),
            (Version::V2, None) => return Err("the program has no cgroup".to_owned()),
            (Version::V1, _) => {
                let dir = make_below(&base, run).map_err(text)?;
                // Two controllers may share a hierarchy.
                if !group.beside.contains(&dir) && group.tree.as_ref().is_none_or(|(_, tree)| *tree != dir) {
                    beside.enters.push((enter(&dir).map_err(text)?, dir.display().to_string()));
                    group.beside.push(dir.clone());
                }
                dir
            }
        };
        limited.set(kind, version, dir).map_err(text)
    }

    /// The groups of a run that another keeper, or this one before it was
    /// replaced, has made: they are where they were.
    /// `name` is what it had there, if that is known.
    pub(crate) fn find_again(
        &self,
        run: u64,
        name: Option<&str>,
        limits: Option<&ResourceLimits>,
    ) -> Option<Box<Group>> {
        let here = |base: &Path| Some(base.join(run.to_string())).filter(|dir| dir.is_dir());
        let there = |base: &Path| match name {
            Some(name) => Some(base.join(name)).filter(|dir| dir.is_dir()),
            None => here(base),
        };
        let unified = self.unified.as_deref().and_then(there).map(|dir| (Version::V2, dir));
        let tree = unified.or_else(|| self.freezer.as_deref().and_then(here).map(|dir| (Version::V1, dir)));
        let mut group = Group { tree, beside: Vec::new(), limited: None, watch: None };
        if let Some(limits) = limits.filter(|limits| !limits.is_empty()) {
            let mut limited = Limited::new(limits.clone());
            for kind in limited.kinds() {
                let found = match group.unified() {
                    Some(dir) if kind == Kind::CpuCount => Some((Version::V2, dir.to_path_buf())),
                    _ => self.controller(kind).ok().and_then(|(version, base)| Some((version, here(&base)?))),
                };
                if let Some((version, dir)) = found {
                    if version == Version::V1 && !group.beside.contains(&dir) {
                        group.beside.push(dir.clone());
                    }
                    limited.take_over(kind, version, dir);
                }
            }
            group.limited = Some(Box::new(limited));
        }
        (group.tree.is_some() || group.limited.is_some()).then(|| Box::new(group))
    }
}

impl Group {
    /// As the protocol says it; empty: not by a group.
    pub(crate) fn containment(&self) -> &'static str {
        match &self.tree {
            Some((Version::V2, _)) => "cgroup-v2",
            Some((Version::V1, _)) => "cgroup-v1",
            None => "session",
        }
    }

    /// What its limits are.
    pub(crate) fn limits(&self) -> Option<&ResourceLimits> {
        self.limited.as_ref().map(|limited| limited.limits())
    }

    pub(super) fn unified(&self) -> Option<&Path> {
        self.tree.as_ref().filter(|(version, _)| *version == Version::V2).map(|(_, dir)| dir.as_path())
    }

    /// Whether everybody of the tree is in it, from the first on.
    pub(crate) fn holds_tree(&self) -> bool {
        matches!(self.tree, Some((Version::V2, _)))
    }

    /// Its name in the directory of the runs, version 2.
    pub(crate) fn name(&self) -> Option<String> {
        Some(self.unified()?.file_name()?.to_str()?.to_owned())
    }

    /// Whether certainly nobody is in it. Who is of a task within it is not of
    /// its tree.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.tree {
            None => true,
            Some((Version::V2, dir)) => {
                // Most often, in one reading. The group itself has gone: nobody can be in it.
                let is_empty = match populated(dir) {
                    Ok(populated) => !populated,
                    Err(e) => e.kind() == io::ErrorKind::NotFound,
                };
                is_empty || self.members().is_ok_and(|members| members.is_empty())
            }
            Some((Version::V1, _)) => self.members().is_ok_and(|members| members.is_empty()),
        }
    }

    /// Everybody in it, tasks aside.
    pub(crate) fn members(&self) -> io::Result<Vec<u32>> {
        let mut members = Vec::new();
        if let Some((_, dir)) = &self.tree {
            collect(dir, &mut members)?;
        }
        Ok(members)
    }

    /// Whether a process is in it.
    pub(crate) fn contains(&self, pid: u32) -> bool {
        self.members().is_ok_and(|members| members.contains(&pid))
    }

    /// Kills everybody in it, tasks too, at once: `signal` is for version 1,
    /// where the kernel has no call for it, and hits one process.
    pub(crate) fn kill(&self, mut signal: impl FnMut(u32)) {
        match &self.tree {
            None => {}
            Some((Version::V2, dir)) => {
                let _ = fs::write(dir.join("cgroup.kill"), "1");
            }
            Some((Version::V1, dir)) => {
                // Who is frozen cannot fork, nor end and leave its number to somebody else.
                let state = dir.join("freezer.state");
                let _ = fs::write(&state, "FROZEN");
                let is_frozen = || fs::read_to_string(&state).is_ok_and(|text| text.trim() == "FROZEN");
                let _ = (0..FREEZING).find(|_| is_frozen());
                self.members().unwrap_or_default().into_iter().for_each(&mut signal);
                let _ = fs::write(&state, "THAWED");
            }
        }
    }

    /// The file whose change tells that the group has become empty (version 2).
    pub(super) fn populated_file(&self) -> Option<PathBuf> {
        self.unified().map(|dir| dir.join("cgroup.events"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for dir in self.tree.iter().map(|(_, dir)| dir).chain(&self.beside) {
            remove_empty(dir);
        }
    }
}

/// Whether somebody is in a group of version 2, or in one within it.
fn populated(dir: &Path) -> io::Result<bool> {
    let mut text = [0; 64];
    let read = fs::File::open(dir.join("cgroup.events"))?.read(&mut text)?;
    let text = text.get(..read).unwrap_or_default();
    Ok(!text.split(|byte| *byte == b'\n').any(|line| line == b"populated 0"))
}

/// Makes a directory for a run, and opens it.
fn make_and_open(base: &Path, dir: PathBuf) -> io::Result<(OwnedFd, PathBuf)> {
    match fs::create_dir(&dir) {
        Ok(()) => {}
        // Another keeper has swept up the empty base.
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(base)?;
            fs::create_dir(&dir)?;
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(e),
    }
    Ok((spare::open(&dir)?, dir))
}

fn make_below(base: &Path, run: u64) -> io::Result<PathBuf> {
    let dir = base.join(run.to_string());
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// The file that a process gets in by.
fn enter(dir: &Path) -> io::Result<OwnedFd> {
    let options = OpenOptions::new().write(true).custom_flags(libc::O_CLOEXEC).open(dir.join("cgroup.procs"))?;
    Ok(options.into())
}

fn collect(dir: &Path, members: &mut Vec<u32>) -> io::Result<()> {
    let text = match fs::read_to_string(dir.join("cgroup.procs")) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(libc::ENODEV) => return Ok(()),
        Err(e) => return Err(e),
    };
    // 0: somebody of another PID namespace; nobody whom we could signal.
    members.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|pid| *pid != 0));
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let is_task = entry.file_name().to_string_lossy().starts_with("task-");
        if entry.file_type()?.is_dir() && !is_task {
            collect(&entry.path(), members)?;
        }
    }
    Ok(())
}

/// Removes a cgroup with those in it. The kernel refuses what is not empty.
pub(super) fn remove_empty(dir: &Path) {
    match fs::remove_dir(dir) {
        Ok(()) => return,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return,
        // Somebody is in it, or a group is: most often neither.
        Err(_) => {}
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty(&entry.path());
        }
    }
    let _ = fs::remove_dir(dir);
}
