//! Somebody outside of everything who says whether two copies ran at once: a
//! lock of the kernel (flock(2)) that every copy takes when it starts and that
//! goes with the last process of its tree. Who does not get it at once was
//! started beside another one.

use crate::Sandbox;

/// The lock, and what the copies wrote down.
pub struct LockOracle {
    lock: String,
    overlaps: String,
    story: String,
}

/// A copy that has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Where.
    pub node: String,
    /// Its fencing token; 0 when it got none.
    pub token: u64,
    /// Its main process.
    pub pid: u32,
}

impl LockOracle {
    /// One, whose files are in the sandbox.
    #[must_use]
    pub fn new(sandbox: &Sandbox) -> Self {
        Self { lock: sandbox.file("oracle.lock"), overlaps: sandbox.file("overlaps"), story: sandbox.file("starts") }
    }

    /// A program that takes the lock for as long as it lives. A stubborn one
    /// listens to nothing but SIGKILL.
    #[must_use]
    pub fn program(&self, is_stubborn: bool) -> String {
        let Self { lock, overlaps, story } = self;
        let trap = if is_stubborn { "trap '' TERM;" } else { "" };
        let who = "$PM_NODE ${PM_FENCING_TOKEN:-0} $$";
        format!(
            "{trap} exec 9>>{lock}; flock -n 9 || {{ echo \"{who}\" >>{overlaps}; flock 9; }}; \
             echo \"{who}\" >>{story}; while :; do sleep 0.2; done"
        )
    }

    /// Every start, oldest first.
    ///
    /// # Panics
    /// When a copy wrote something else.
    #[must_use]
    pub fn starts(&self) -> Vec<Started> {
        let text = std::fs::read_to_string(&self.story).unwrap_or_default();
        text.lines().map(|line| read(line).unwrap_or_else(|| panic!("{line:?}"))).collect()
    }

    /// Copies that were started while another one was there.
    #[must_use]
    pub fn overlaps(&self) -> Vec<String> {
        std::fs::read_to_string(&self.overlaps).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

fn read(line: &str) -> Option<Started> {
    let mut words = line.split(' ');
    let (node, token, pid) = (words.next()?.to_owned(), words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Started { node, token, pid })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    fn start(oracle: &LockOracle, sandbox: &Sandbox, node: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", &oracle.program(false)]).env("PM_NODE", node).current_dir(sandbox.path());
        command.spawn().unwrap()
    }

    #[test]
    fn a_second_copy_beside_the_first_is_noticed_and_one_after_it_is_not() {
        let sandbox = Sandbox::new();
        let oracle = LockOracle::new(&sandbox);
        let mut first = start(&oracle, &sandbox, "one");
        crate::until("the first copy runs", || oracle.starts().len() == 1);
        let mut second = start(&oracle, &sandbox, "two");
        crate::until("the second was noticed", || oracle.overlaps().len() == 1);
        assert!(oracle.overlaps()[0].starts_with("two 0 "));
        for child in [&mut first, &mut second] {
            crate::proc::descendants(child.id()).into_iter().for_each(crate::proc::kill_9);
            child.kill().unwrap();
            child.wait().unwrap();
        }
        crate::until("nobody holds it", || {
            Command::new("flock").args(["-n", &sandbox.file("oracle.lock"), "true"]).status().unwrap().success()
        });
        let mut third = start(&oracle, &sandbox, "three");
        crate::until("the third copy runs", || oracle.starts().iter().any(|one| one.node == "three"));
        assert_eq!(oracle.overlaps().len(), 1);
        third.kill().unwrap();
        third.wait().unwrap();
    }
}
