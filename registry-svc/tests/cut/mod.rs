//! Work that is cut off at a step: the test program runs itself again with
//! one test only, which is named [`NAME`], and a fail point.

#![allow(dead_code, unreachable_pub, missing_docs)]

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const NAME: &str = "a_registry_in_its_own_process";
const DIR: &str = "PM_TEST_HOME";

/// Lets the child work in `dir` until it comes to the point; `false` when it
/// never came there and did all of its work.
pub fn cut_off(dir: &Path, point: &str) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([NAME, "--exact", "--ignored", "--test-threads=1"]);
    let output = command.env(DIR, dir).env("PM_FAIL_POINT", format!("{point}:abort")).output().unwrap();
    let aborted = output.status.signal() == Some(6);
    assert!(aborted || output.status.success(), "{point}: {output:?}");
    aborted
}

/// Where the child works.
pub fn dir() -> PathBuf {
    std::env::var_os(DIR).expect("only run by another test").into()
}

/// Every file with its content, and every directory.
pub fn tree(dir: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
            found.insert(path, None);
        } else {
            let content = std::fs::read(&path).unwrap();
            found.insert(path, Some(content));
        }
    }
    found
}

pub fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = (entry.as_ref().unwrap().path(), entry.unwrap().file_name());
        if path.is_dir() {
            copy_tree(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
