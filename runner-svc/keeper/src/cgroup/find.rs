//! Which hierarchies are there, and which are ours to write: looked for once,
//! when the keeper begins. A controller of version 2 is switched on when the
//! first run needs it.
//!
//! Everything of a keeper is below `pm-…` in the cgroup that it is in itself,
//! so that whatever limits the keeper limits its programs.

use super::spare::Spare;
use crate::sys::spawn::can_be_born_in_cgroup;
use rustix::fs::{Access, AtFlags, CWD, FlockOperation, Mode, OFlags};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What may limit which kind of containment is used: `cgroup-v1` leaves version
/// 2 out, `session` all cgroups. For a machine on which something else wants
/// them for itself.
const SETTING: &str = "PM_CONTAINMENT";

/// Where a keeper of a delegated cgroup goes, so that controllers can be
/// switched on for those beside it (cgroups(7), "no internal processes").
const SUPERVISOR: &str = "pm-supervisor";

/// A resource that a controller limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Cpu,
    Pids,
    /// Only counts (version 1; version 2 always does).
    CpuCount,
}

impl Kind {
    fn controller(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
            Self::CpuCount => "cpuacct",
        }
    }
}

/// Version of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// Where this keeper may make cgroups.
#[derive(Debug, Default)]
pub(crate) struct Cgroups {
    /// Directory of the runs, version 2, with `cgroup.kill`.
    pub(super) unified: Option<PathBuf>,
    /// The same of the freezer, version 1.
    pub(super) freezer: Option<PathBuf>,
    /// Directories of the runs by controller, version 1.
    v1: Vec<(String, PathBuf)>,
    /// Groups for the next runs, version 2.
    pub(super) spare: Spare,
    /// Why trees are not held together by version 2.
    note: String,
    /// Holds the directories of the runs in each hierarchy that is used: another
    /// keeper that begins now does not take them for what was left behind, nor
    /// a group in them that nobody is in yet.
    holds: RefCell<BTreeMap<PathBuf, OwnedFd>>,
}

impl Cgroups {
    /// Looks around. `identity` tells keepers of one machine apart.
    pub(crate) fn find(identity: u64) -> Self {
        let setting = std::env::var(SETTING).unwrap_or_default();
        let mut found = Self::default();
        if setting == "session" {
            found.note = format!("{SETTING}=session");
            return found;
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let name = format!("pm-{identity:016x}");
        let v2 = if setting == "cgroup-v1" {
            Err(format!("{SETTING}=cgroup-v1"))
        } else {
            hierarchy(&mounts, &own, None).ok_or_else(|| "no cgroup version 2 is mounted".to_owned()).and_then(open_v2)
        };
        match v2 {
            Ok(dir) => {
                sweep(&dir);
                let dir = dir.join(&name);
                if found.hold(&dir).is_ok() {
                    found.unified = Some(dir);
                }
            }
            Err(why) => found.note = why,
        }
        for controller in ["freezer", "memory", "cpu", "cpuacct", "pids"] {
            if let Some(dir) = hierarchy(&mounts, &own, Some(controller)).filter(|dir| is_ours(dir)) {
                sweep(&dir);
                found.v1.push((controller.to_owned(), dir.join(&name)));
            }
        }
        found.freezer = found.v1.iter().find(|(c, _)| c == "freezer").map(|(_, dir)| dir.clone());
        if found.unified.is_none() && found.note.is_empty() {
            found.note = "no cgroup of version 2 can be made".to_owned();
        }
        found
    }

    /// Makes a directory of runs, unless it is there, and holds it from then on.
    pub(super) fn hold(&self, dir: &Path) -> io::Result<()> {
        let mut holds = self.holds.borrow_mut();
        if !holds.contains_key(dir) {
            holds.insert(dir.to_owned(), make_and_hold(dir)?);
        }
        Ok(())
    }

    /// How most runs are held together, as the protocol says it.
    pub(crate) fn containment(&self) -> &'static str {
        match (&self.unified, &self.freezer) {
            (Some(_), _) => "cgroup-v2",
            (None, Some(_)) => "cgroup-v1",
            (None, None) => "session",
        }
    }

    /// Why not better.
    pub(crate) fn note(&self) -> String {
        match self.containment() {
            "cgroup-v2" => String::new(),
            "cgroup-v1" => format!("{}; version 1 holds programs with limits, the session all others", self.note),
            _ => self.note.clone(),
        }
    }

    /// The directory of the runs in the hierarchy that has this controller,
    /// ready for limits, or why there is none.
    pub(super) fn controller(&self, kind: Kind) -> Result<(Version, PathBuf), String> {
        let controller = kind.controller();
        if let Some((_, dir)) = self.v1.iter().find(|(name, _)| name == controller) {
            return match self.hold(dir) {
                Ok(()) => Ok((Version::V1, dir.clone())),
                Err(e) => Err(format!("{}: {e}", dir.display())),
            };
        }
        let Some(dir) = &self.unified else { return Err(format!("no writable {controller} controller")) };
        make(dir)
            .and_then(|()| switch_on(dir, controller))
            .map_err(|e| format!("no writable {controller} controller: {e}"))?;
        Ok((Version::V2, dir.clone()))
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        self.remove_spare();
        // What is not empty stays, and is swept up when it is.
        for dir in self.unified.iter().chain(self.v1.iter().map(|(_, dir)| dir)) {
            let _ = fs::remove_dir(dir);
        }
    }
}

/// Where a hierarchy shows the cgroup that we are in.
fn hierarchy(mounts: &str, own: &str, controller: Option<&str>) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_it = match controller {
            None => controllers.is_empty(),
            Some(controller) => controllers.split(',').any(|c| c == controller),
        };
        is_it.then_some(path)
    })?;
    mounts.lines().find_map(|line| {
        // ID parent device root mount-point options [tags] - type source options (proc(5))
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let mut system = system.split(' ');
        let (kind, options) = (system.next()?, system.nth(1)?);
        let is_it = match controller {
            None => kind == "cgroup2",
            Some(controller) => kind == "cgroup" && options.split(',').any(|o| o == controller),
        };
        // A mount may show a part only; one that does not show us is of no use.
        let below = Path::new(path).strip_prefix(root).ok().filter(|_| is_it)?;
        let is_plain = !below.components().any(|c| c == std::path::Component::ParentDir);
        is_plain.then(|| Path::new(point).join(below))
    })
}

/// Our own directory of version 2, if trees can be held together there.
fn open_v2(dir: PathBuf) -> Result<PathBuf, String> {
    // Where an earlier keeper of this place has put itself, its runner and us.
    let dir = if dir.ends_with(SUPERVISOR) { dir.parent().map(Path::to_path_buf).unwrap_or(dir) } else { dir };
    if !is_ours(&dir) || !is_ours(&dir.join("cgroup.procs")) {
        return Err(format!("{} is not ours to write", dir.display()));
    }
    if !can_be_born_in_cgroup() {
        return Err("this kernel does not start programs in a cgroup (clone3)".to_owned());
    }
    let trial = dir.join(format!("pm-trial-{}", std::process::id()));
    fs::create_dir(&trial).map_err(|e| format!("{}: {e}", trial.display()))?;
    let can_kill = trial.join("cgroup.kill").exists();
    let _ = fs::remove_dir(&trial);
    if can_kill { Ok(dir) } else { Err("this kernel has no cgroup.kill (Linux 5.14)".to_owned()) }
}

/// Whether we may write there; a read-only mount says no, too.
fn is_ours(path: &Path) -> bool {
    rustix::fs::accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

/// Makes a directory unless it is there.
fn make(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes a directory and locks it. Somebody who sweeps up may remove it until
/// it is locked.
fn make_and_hold(dir: &Path) -> io::Result<OwnedFd> {
    loop {
        make(dir)?;
        let open = match rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => continue,
            open => open?,
        };
        match rustix::fs::flock(&open, FlockOperation::NonBlockingLockExclusive) {
            // Being looked at by somebody who sweeps up, for an instant.
            Err(rustix::io::Errno::WOULDBLOCK) => continue,
            locked => locked?,
        }
        let held = rustix::fs::fstat(&open)?.st_ino;
        if fs::metadata(dir).is_ok_and(|there| there.ino() == held) {
            return Ok(open);
        }
    }
}

/// Switches a controller on for the runs in `dir` (version 2).
fn switch_on(dir: &Path, controller: &str) -> io::Result<()> {
    for parent in dir.parent().into_iter().chain([dir]) {
        let has = |file: &str| {
            fs::read_to_string(parent.join(file)).is_ok_and(|text| text.split_whitespace().any(|c| c == controller))
        };
        if has("cgroup.subtree_control") {
            continue;
        }
        if !has("cgroup.controllers") {
            return Err(io::Error::other("version 2 does not have it here"));
        }
        let write = || fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}"));
        match write() {
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) && is_delegated(parent) => {
                let others = fs::read_to_string(parent.join(SUPERVISOR).join("cgroup.procs")).unwrap_or_default();
                may_step_aside(parent, &others)?;
                step_aside(parent)?;
                write()?;
            }
            other => other?,
        }
    }
    Ok(())
}

/// Whether this cgroup was given to us to do with as we like (systemd's
/// `Delegate=`).
fn is_delegated(dir: &Path) -> bool {
    let marked = |name: &str| rustix::fs::getxattr(dir, name, &mut [0_u8; 8][..]).is_ok();
    marked("trusted.delegate") || marked("user.delegate")
}

/// Whether nobody is hurt by that. systemd starts a service again in the
/// service's own cgroup, which it cannot enter once controllers are switched on
/// there, unless the unit names a group below (`DelegateSubgroup=`): then the
/// runner is in it. A scope is not started again.
fn may_step_aside(dir: &Path, aside: &str) -> io::Result<()> {
    let own = std::process::id().to_string();
    if dir.extension().is_none_or(|kind| kind != "service") || aside.lines().any(|pid| pid != own) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "systemd could not start the runner again; its unit needs DelegateSubgroup={SUPERVISOR}, which is known to \
         systemd from 254 on"
    )))
}

/// Moves this process and its runner into a cgroup of their own: where
/// processes are, controllers cannot be switched on.
fn step_aside(dir: &Path) -> io::Result<()> {
    let aside = dir.join(SUPERVISOR);
    make(&aside)?;
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    let members = fs::read_to_string(dir.join("cgroup.procs"))?;
    for pid in [Some(std::process::id()), parent].into_iter().flatten() {
        if members.lines().any(|line| line.parse() == Ok(pid)) {
            fs::write(aside.join("cgroup.procs"), pid.to_string())?;
        }
    }
    Ok(())
}

/// Removes what keepers that are gone have left, as far as it is empty: the
/// kernel does not remove a cgroup that somebody is in.
fn sweep(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_of_a_keeper = entry.file_name().to_str().is_some_and(|name| {
            name.strip_prefix("pm-").is_some_and(|id| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()))
        });
        if !is_of_a_keeper {
            continue;
        }
        let Ok(left) = fs::File::open(entry.path()) else { continue };
        // Locked while its keeper lives. Held until it is removed: nobody else takes it up meanwhile.
        if left.try_lock().is_ok() {
            super::group::remove_empty(&entry.path());
        }
    }
    let _ = fs::remove_dir(dir.join(SUPERVISOR));
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
30 23 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
";
    const OWN: &str = "5:memory:/docker/abc/app\n4:cpu,cpuacct:/\n3:pids:/\n2:freezer:/../x\n0::/pm.service\n";

    #[test]
    fn our_own_place_in_each_hierarchy_is_found_through_partial_and_joint_mounts() {
        let find = |controller| hierarchy(MOUNTS, OWN, controller);
        assert_eq!(find(None), Some("/sys/fs/cgroup/unified/pm.service".into()));
        assert_eq!(find(Some("cpu")), Some("/sys/fs/cgroup/cpu,cpuacct".into()));
        assert_eq!(find(Some("memory")), Some("/sys/fs/cgroup/memory/app".into()));
        assert_eq!(find(Some("pids")), None, "not mounted");
        assert_eq!(find(Some("freezer")), None);
    }

    #[test]
    fn a_service_is_left_as_it_is_unless_its_runner_is_started_below() {
        let own = std::process::id().to_string();
        let may = |dir: &str, aside: &str| may_step_aside(Path::new(dir), aside).is_ok();
        let service = "/sys/fs/cgroup/system.slice/pm-runner.service";
        assert!(!may(service, ""), "systemd starts the runner there again");
        assert!(!may(service, &format!("{own}\n")), "we alone have moved before");
        assert!(may(service, &format!("{own}\n1\n")), "somebody was started below");
        assert!(may("/sys/fs/cgroup/user.slice/run-7.scope", ""), "a scope is not started again");
    }

    #[test]
    fn a_mount_that_does_not_show_us_is_of_no_use() {
        let own = "5:memory:/elsewhere\n0::/../outside\n";
        assert_eq!(hierarchy(MOUNTS, own, Some("memory")), None);
        assert_eq!(hierarchy(MOUNTS, own, None), None);
    }
}
