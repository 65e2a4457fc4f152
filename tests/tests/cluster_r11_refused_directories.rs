//! R11 and R04: a directory that is empty, older, another cluster's or damaged
//! is refused, with an exit code, a reason and a way back; the cluster takes no
//! harm, and the right directory is taken back.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use system_tests::{Load, Replicas, Sandbox, Workload};

/// Writes that show that the load runs.
const SOME: usize = 30;
/// Configuration that cannot be right: sysexits(3), EX_CONFIG.
const NOT_OURS: i32 = 78;
/// Data that cannot be right: EX_DATAERR.
const DAMAGED: i32 = 65;
/// The replica that gets them.
const VICTIM: usize = 2;

/// A running cluster, and what its last replica had when it was stopped last.
struct Scene {
    load: Workload,
    replicas: Replicas,
    right: PathBuf,
    /// Everything of the scene is in it, and goes with it.
    _sandbox: Sandbox,
}

impl Scene {
    fn start() -> Self {
        let sandbox = Sandbox::new();
        let replicas = Replicas::start(&sandbox, 3);
        let load = Load::of(4).start(&replicas);
        load.wait_for_successes(SOME, "at the beginning");
        let right = sandbox.path().join("right");
        Self { load, replicas, right, _sandbox: sandbox }
    }

    /// Ends the victim, keeps what it has, and changes that.
    fn with(&mut self, change: impl FnOnce(&mut Replicas)) {
        self.replicas.kill(VICTIM);
        let _ = std::fs::remove_dir_all(&self.right);
        self.replicas.copy_directory(VICTIM, &self.right);
        self.load.wait_for_successes(SOME, "without the victim");
        change(&mut self.replicas);
    }

    /// It is refused so; the cluster goes on; the right directory is taken.
    #[track_caller]
    fn is_refused(&mut self, codes: &[i32], texts: &[&str]) {
        self.replicas.replica(VICTIM).spawn();
        self.replicas.replica(VICTIM).is_refused(codes, texts);
        self.load.wait_for_successes(SOME, "after the refusal");
        self.replicas.put_directory(VICTIM, &self.right);
        self.replicas.restart(VICTIM);
        self.load.wait_for_successes(SOME, "with the right directory");
    }

    fn end(self) {
        let _ = self.load.finish().is_good();
        self.replicas.wait_until_equal();
    }
}

#[test]
fn r11_an_empty_directory_in_the_place_of_a_known_replica_is_refused() {
    let mut scene = Scene::start();
    scene.with(|replicas| replicas.wipe(VICTIM));
    scene.is_refused(&[NOT_OURS], &["--join"]);
    scene.end();
}

#[test]
fn r11_another_clusters_directory_is_refused() {
    let mut scene = Scene::start();
    let foreign = Sandbox::new();
    let copy = foreign.path().join("copy");
    let mut others = Replicas::start(&foreign, 3);
    others.kill(VICTIM);
    others.copy_directory(VICTIM, &copy);
    // Else it would be one of them again, only elsewhere.
    drop(others);
    scene.with(|replicas| replicas.put_directory(VICTIM, &copy));
    scene.is_refused(&[NOT_OURS], &["cluster"]);
    scene.end();
}

#[test]
fn r04_a_damaged_log_is_refused() {
    let mut scene = Scene::start();
    scene.with(|replicas| flip_a_byte(&newest_log(replicas.replica(VICTIM).directory())));
    scene.is_refused(&[DAMAGED], &["damaged"]);
    scene.end();
}

/// The file below a directory that was written last and has something of ours.
fn newest_log(directory: &Path) -> PathBuf {
    let mut folders = vec![directory.to_path_buf()];
    let mut segments = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "seg") {
                segments.push((entry.metadata().unwrap().modified().unwrap(), entry));
            }
        }
    }
    segments.sort();
    segments.pop().expect("the log has segments").1
}

/// In the middle of what was written, not in the zeros after it.
fn flip_a_byte(path: &Path) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).expect("something is written") + 1;
    let place = written / 2;
    file.seek(SeekFrom::Start(place as u64)).unwrap();
    file.write_all(&[bytes[place] ^ 0x40]).unwrap();
    file.sync_all().unwrap();
}
