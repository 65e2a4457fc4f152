//! Whether a process runs.

/// Not ended: neither collected, nor a zombie, nor one that the kernel takes apart. The latter has left its cgroup and
/// closed its files before it is shown as a zombie, and does nothing more.
pub(crate) fn is_running(pid: u32) -> bool {
    /// `PF_EXITING` of the kernel's `linux/sched.h`.
    const EXITING: u64 = 0x4;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    // Behind state, parent, group, session, terminal and its group.
    let flags = fields.split_ascii_whitespace().nth(6).and_then(|flags| flags.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & EXITING == 0)
}
