//! Process files from the command line: read, checked, joined. Everything that
//! is wrong in any of them is reported together, before anything is started.

use crate::error::Failure;
use process_model::ProcessSpec;
use process_model::document::{self, MAX_BYTES};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What the files say together.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The processes, in the order of files and within them.
    pub processes: Vec<ProcessSpec>,
    /// Valid, but probably not meant; each as `file:line:column: …`.
    pub warnings: Vec<String>,
}

/// Reads process files; `-` is standard input.
///
/// # Errors
/// A file cannot be read, or something in them is wrong.
pub fn read(paths: &[PathBuf]) -> Result<Files, Failure> {
    let mut read = Files::default();
    let mut faults = Vec::new();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for path in paths {
        let source = source_name(path);
        let text = bytes(path)?;
        match document::read(&source, &base_dir(path)?, &text) {
            Ok(document) => {
                read.warnings.extend(document.warnings.iter().map(ToString::to_string));
                for spec in document.processes {
                    if let Some(first) = seen.insert(spec.name.to_string(), source.clone()) {
                        faults.push(format!(
                            "{source}: processes.{}: it is defined in {first} already; rename one",
                            spec.name
                        ));
                    }
                    read.processes.push(spec);
                }
            }
            Err(wrong) => faults.extend(wrong.iter().map(ToString::to_string)),
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(invalid(paths, faults)) }
}

fn invalid(paths: &[PathBuf], faults: Vec<String>) -> Failure {
    let what = match paths {
        [one] => source_name(one),
        _ => "the files".to_owned(),
    };
    let verb = if paths.len() == 1 { "is" } else { "are" };
    let count = crate::output::human::count(faults.len(), "fault", "faults");
    Failure::usage(format!("{what} {verb} not valid: {count}; nothing was changed"))
        .reason(pm_proto::error::reason::INVALID_ARGUMENT)
        .faults(faults)
        .help("`pmctl schema` prints what may be written")
}

fn source_name(path: &Path) -> String {
    if path == Path::new("-") { "<stdin>".to_owned() } else { path.display().to_string() }
}

/// Relative paths in a file start from the file's folder.
fn base_dir(path: &Path) -> Result<PathBuf, Failure> {
    let here =
        || std::env::current_dir().map_err(|e| Failure::failed(format!("the current folder is not usable: {e}")));
    if path == Path::new("-") {
        return here();
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match folder {
        // Without `..` and links: the same file read from elsewhere says the same.
        Some(folder) => {
            folder.canonicalize().map_err(|e| Failure::failed(format!("cannot find {}: {e}", folder.display())))
        }
        None => here(),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |e: io::Error| Failure::usage(format!("cannot read {}: {e}", source_name(path)));
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(unreadable)?)
    };
    let mut text = Vec::new();
    // One byte more than allowed is enough to know that it is too much.
    source.take(MAX_BYTES as u64 + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() > MAX_BYTES {
        let limit = crate::output::human::bytes(MAX_BYTES as u64);
        return Err(Failure::usage(format!(
            "{} is larger than {limit}, the most a process file may have",
            source_name(path)
        ))
        .reason(pm_proto::error::reason::REQUEST_TOO_LARGE)
        .help("split it into several files"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn files_are_joined_and_a_name_in_two_of_them_is_a_fault() {
        let dir = tempfile::tempdir().unwrap();
        let one = file(dir.path(), "one.yaml", "processes:\n  web:\n    command: sleep 1\n");
        let two = file(dir.path(), "two.yaml", "processes:\n  db:\n    command: sleep 1\n");
        assert_eq!(read(&[one.clone(), two]).unwrap().processes.len(), 2);
        let again = file(dir.path(), "again.yaml", "processes:\n  web:\n    command: sleep 1\n");
        let refused = read(&[one, again]).unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        assert!(refused.to_string().contains("processes.web"), "{refused}");
    }

    #[test]
    fn a_fault_says_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let bad = file(dir.path(), "bad.yaml", "processes:\n  web:\n    command: sleep 1\n    instances: -1\n");
        let refused = read(&[bad]).unwrap_err().to_string();
        assert!(refused.contains("bad.yaml:4:") && refused.contains("instances"), "{refused}");
    }

    #[test]
    fn what_is_missing_or_too_large_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let refused = read(&[dir.path().join("none.yaml")]).unwrap_err();
        assert!(refused.exit() == Exit::Usage && refused.to_string().contains("none.yaml"));
        let large = file(dir.path(), "large.yaml", &"#".repeat(MAX_BYTES + 1));
        let refused = read(&[large]).unwrap_err();
        assert!(refused.exit() == Exit::Usage && refused.to_string().contains("larger"), "{refused}");
    }
}
