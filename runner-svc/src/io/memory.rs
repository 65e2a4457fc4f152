//! The memory that trees use, for those whose restart policy has an opinion on
//! it. One watch for all: a pass over the processes of the machine every few
//! seconds while there is anybody to be weighed, and nothing at all otherwise.
//!
//! Weighed is what is resident. Pages that several processes of a tree share
//! (as after fork(2)) would count several times, so a tree that seems to be too
//! heavy is weighed again by its proportional share (`smaps_rollup`, proc(5)).
//! A cgroup's own number is no use here: it holds the page cache, too.

use super::sampler::census::Census;
use crate::instance::Message;
use crate::mailbox;
use runner_domain::{Input, RunId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time from one weighing to the next.
const INTERVAL: Duration = Duration::from_secs(5);

/// Cheap handle on the one watch of a runner.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryWatch(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    trees: BTreeMap<RunId, Tree>,
    is_watching: bool,
    interval: Duration,
}

impl Default for Table {
    fn default() -> Self {
        Self { trees: BTreeMap::new(), is_watching: false, interval: INTERVAL }
    }
}

/// A tree that is weighed.
#[derive(Debug, Clone)]
struct Tree {
    main: i32,
    most: u64,
    inbox: mailbox::Sender<Message>,
}

/// Ends the weighing of a tree when it is dropped.
#[derive(Debug)]
pub(crate) struct Weighing {
    watch: MemoryWatch,
    run: RunId,
}

impl Drop for Weighing {
    fn drop(&mut self) {
        self.watch.lock().trees.remove(&self.run);
    }
}

impl MemoryWatch {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, `inbox` hears when the tree of `main` has more than `most`
    /// resident bytes.
    pub(crate) fn weigh(&self, run: RunId, main: u32, most: u64, inbox: &mailbox::Sender<Message>) -> Weighing {
        let mut table = self.lock();
        if let Ok(main) = i32::try_from(main) {
            table.trees.insert(run, Tree { main, most, inbox: inbox.clone() });
        }
        if !std::mem::replace(&mut table.is_watching, true) {
            tokio::spawn(self.clone().run());
        }
        Weighing { watch: self.clone(), run }
    }

    /// As long as there is somebody to be weighed.
    async fn run(self) {
        loop {
            let interval = self.lock().interval;
            tokio::time::sleep(interval).await;
            let trees = {
                let mut table = self.lock();
                if table.trees.is_empty() {
                    table.is_watching = false;
                    return;
                }
                table.trees.clone()
            };
            let mains: Vec<(i32, u64)> = trees.values().map(|tree| (tree.main, tree.most)).collect();
            let Ok(weights) = tokio::task::spawn_blocking(move || too_heavy(&mains)).await else { continue };
            for ((run, tree), bytes) in trees.into_iter().zip(weights) {
                if let Some(bytes) = bytes {
                    // Said again at the next weighing, until nobody wants to know any more.
                    let _ = tree.inbox.send(Input::MemoryExceeded { run, bytes }.into());
                }
            }
        }
    }
}

/// For each main process and its bound: the bytes of its tree, if they are
/// more.
fn too_heavy(mains: &[(i32, u64)]) -> Vec<Option<u64>> {
    let pids: Vec<i32> = mains.iter().map(|(pid, _)| *pid).collect();
    let mut members: Vec<Vec<(i32, u64)>> = vec![Vec::new(); mains.len()];
    for (tree, pid, counted) in Census::take().members(&pids) {
        if let Some(tree) = members.get_mut(tree) {
            tree.push((pid, counted.pages * procfs::page_size()));
        }
    }
    let weigh = |((_, most), members): (&(i32, u64), Vec<(i32, u64)>)| {
        let resident: u64 = members.iter().map(|(_, bytes)| bytes).sum();
        if resident <= *most {
            return None;
        }
        // Who may not be looked into weighs what is resident.
        let shared = members.iter().map(|(pid, bytes)| proportional(*pid).unwrap_or(*bytes)).sum();
        (shared > *most).then_some(shared)
    };
    mains.iter().zip(members).map(weigh).collect()
}

/// Its own pages, and its part of those that it shares.
fn proportional(pid: i32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    /// Runs a script; returns once it has said a line.
    fn python(script: &str) -> std::process::Child {
        let mut child = std::process::Command::new("python3")
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        child
    }

    #[test]
    fn a_tree_is_weighed_with_everybody_below_it() {
        let ballast = "x = bytearray(60 * 1024 * 1024); print('up', flush=True); input()";
        let mut child = python(ballast);
        let weights = too_heavy(&[(own(), 50 << 20), (own(), 1 << 40), (i32::try_from(child.id()).unwrap(), 50 << 20)]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(weights[1], None, "far below its bound");
        assert!(weights[2].unwrap() > 60 << 20, "{weights:?}");
    }

    #[test]
    fn pages_that_are_shared_count_once() {
        // Four processes that share 40 MiB weigh far less than four times that.
        let forks = "import os, sys, time\nx = bytearray(b'1') * (40 << 20)\n[os.fork() or time.sleep(1000) for _ in range(3)]\nprint('up', flush=True)\ninput()";
        let mut child = python(forks);
        let main = i32::try_from(child.id()).unwrap();
        let census = Census::take();
        let members: Vec<i32> = census.members(&[main]).map(|(_, pid, _)| pid).collect();
        let resident: u64 = census.members(&[main]).map(|(_, _, counted)| counted.pages * procfs::page_size()).sum();
        let weight = too_heavy(&[(main, 1 << 20)])[0].unwrap();
        let readable = proportional(main).is_some();
        for pid in &members {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), nix::sys::signal::SIGKILL);
        }
        child.wait().unwrap();
        assert_eq!(members.len(), 4, "the forks are not there");
        assert!(resident > 150 << 20, "{resident}");
        assert!(!readable || weight < 100 << 20, "{weight} of {resident}");
    }

    #[tokio::test]
    async fn who_is_too_heavy_is_told_until_nobody_wants_to_know_and_then_nobody_watches() {
        let watch = MemoryWatch::default();
        watch.lock().interval = Duration::from_millis(20);
        let (inbox, mut news) = mailbox::mailbox();
        let weighing = watch.weigh(RunId(7), std::process::id(), 1, &inbox);
        for _ in 0..2 {
            let Some(Message::Input(input)) = news.recv().await else { panic!() };
            assert!(matches!(*input, Input::MemoryExceeded { run: RunId(7), bytes } if bytes > 1), "{input:?}");
        }
        drop(weighing);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while watch.lock().is_watching {
            assert!(tokio::time::Instant::now() < deadline, "it watches nobody");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let _again = watch.weigh(RunId(8), std::process::id(), 1, &inbox);
        assert!(news.recv().await.is_some(), "nobody watches any more");
    }
}
