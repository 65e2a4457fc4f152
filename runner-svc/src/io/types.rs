//! The types of this node: built-in ones and those of its types directory;
//! and the disk, as types ask for an application's files.

use runner_types::{Files, TypeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Longest file that is read to see what an application is.
const MAX_BYTES: u64 = 1024 * 1024;

/// The types of a node.
pub(crate) struct Loaded {
    pub(crate) types: TypeSet,
    /// What of the directory is left out, and why: a line each.
    pub(crate) left_out: Vec<String>,
}

/// The built-in types and those that `dir` defines, in the order of its files'
/// names. No directory at all is no fault.
pub(crate) fn load(dir: Option<&Path>) -> Loaded {
    let (mut types, mut left_out) = (TypeSet::built_in(), Vec::new());
    let files = match dir.map_or_else(|| Ok(Vec::new()), definitions) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let dir = dir.unwrap_or(Path::new("/")).display();
            left_out.push(format!("{dir}: {error}; only built-in types are known"));
            Vec::new()
        }
    };
    for path in files {
        let file = path.to_string_lossy();
        match text(&path) {
            Ok(text) => {
                let faults = types.add(&file, &text).err().unwrap_or_default();
                left_out.extend(faults.iter().map(ToString::to_string));
            }
            Err(error) => left_out.push(format!("{file}: {error}")),
        }
    }
    Loaded { types, left_out }
}

fn definitions(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        // What editors leave beside a file begins with a dot.
        if is_yaml && !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn text(path: &Path) -> io::Result<String> {
    // Asked before it is opened: opening a FIFO would wait.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// The files of this machine.
pub(crate) struct Disk;

impl Files for Disk {
    fn is_file(&self, path: &str) -> bool {
        std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
    }

    fn read(&self, path: &str) -> Option<String> {
        text(Path::new(path)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "name: deno\ndescription: Deno\nrun:\n  - command: [deno, run, \"{{args}}\"]\n";

    fn names(loaded: &Loaded) -> Vec<&str> {
        loaded.types.iter().map(|known| known.name().as_str()).collect()
    }

    #[test]
    fn a_broken_file_leaves_the_others() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.yaml"), "name: broken\nrun: [").unwrap();
        std::fs::write(dir.path().join("b.yaml"), OWN).unwrap();
        std::fs::write(dir.path().join("c.txt"), "no definition").unwrap();
        std::fs::create_dir(dir.path().join("d.yaml")).unwrap();
        let loaded = load(Some(dir.path()));
        assert!(names(&loaded).contains(&"deno") && names(&loaded).contains(&"python"));
        assert_eq!(names(&loaded).len(), names(&load(None)).len() + 1);
        let [broken, folder] = &loaded.left_out[..] else { panic!("{:?}", loaded.left_out) };
        assert!(broken.starts_with(&format!("{}/a.yaml:2:", dir.path().display())), "{broken}");
        assert!(folder.ends_with("d.yaml: it is no file"), "{folder}");
    }

    #[test]
    fn no_directory_is_no_fault() {
        let loaded = load(Some(Path::new("/no/such/types.d")));
        assert_eq!((names(&loaded), loaded.left_out.len()), (names(&load(None)), 0));
    }

    #[test]
    fn what_is_no_text_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("package.json");
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(Disk.is_file(path.to_str().unwrap()) && Disk.read(path.to_str().unwrap()).is_none());
        assert!(!Disk.is_file(dir.path().to_str().unwrap()));
    }
}
