//! Files of `NAME=VALUE` lines that a spec names: read on the node at each
//! start, so that secrets need not be in the spec. A value never appears in an
//! error or a log.

mod parse;

use runner_domain::SpawnError;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Longest file: the kernel takes no more environment than a few MiB
/// (execve(2)).
const MAX_BYTES: u64 = 1024 * 1024;

/// What the files say together; a later one comes over an earlier one. A path
/// that begins with `-` may be missing.
pub(crate) fn read(paths: &[String]) -> Result<BTreeMap<String, String>, SpawnError> {
    let mut env = BTreeMap::new();
    for path in paths {
        let (path, optional) = path.strip_prefix('-').map_or((path.as_str(), false), |path| (path, true));
        let fault = |message: String| SpawnError { stage: "env_files".to_owned(), message };
        match bytes(Path::new(path)) {
            Ok(bytes) => env.extend(parse::parse(&bytes).map_err(|e| fault(format!("{path}:{e}")))?),
            Err(e) if optional && e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(fault(format!("{path}: {e}"))),
        }
    }
    Ok(env)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    // Without waiting: opening a FIFO would wait for a writer.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_BYTES} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_file_comes_over_an_earlier_one_and_an_optional_one_may_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        std::fs::write(path("a"), "A=1\nB=1\n").unwrap();
        std::fs::write(path("b"), "B=2\n").unwrap();
        let env = read(&[path("a"), format!("-{}", path("missing")), path("b")]).unwrap();
        assert_eq!(env.into_iter().collect::<Vec<_>>(), [("A".into(), "1".into()), ("B".into(), "2".into())]);
        let error = read(&[path("missing")]).unwrap_err();
        assert_eq!(error.stage, "env_files");
        assert!(error.message.contains("missing: No such file"), "{error}");
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        for path in [fifo.as_path(), dir.path(), Path::new("/dev/zero")] {
            let error = read(&[format!("-{}", path.display())]).unwrap_err();
            assert!(error.message.contains("it is no file"), "{error}");
        }
    }

    #[test]
    fn a_fault_is_told_with_its_place_and_without_the_value() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets");
        std::fs::write(&path, "OK=1\nTOKEN='hunter2\nKEY=x\n").unwrap();
        let error = read(&[path.to_string_lossy().into_owned()]).unwrap_err().to_string();
        assert!(error.contains("secrets:2:7: "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
