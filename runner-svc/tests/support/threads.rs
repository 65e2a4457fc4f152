//! What the kernel says of a process, thread by thread.

/// This file of `/proc/PID/task/TID`, of each thread that has not ended.
pub(crate) fn of_threads(pid: u32, file: &str) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join(file)).ok()).collect()
}
