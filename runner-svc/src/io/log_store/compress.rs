//! Compressing a file that was rotated away: written aside, on the disk, then
//! renamed, and only then is the plain file deleted.

use flate2::write::GzEncoder;
use runner_keeper::log::names::{Part, with_suffix};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// What a file's name ends with while it is being written.
pub(crate) const UNFINISHED: &str = ".tmp";

/// zstd's own default: about 300 MB/s, and a window of 2 MiB that is given
/// back.
const LEVEL: i32 = 3;

/// Compresses `plain`; nothing is left of it then. `to` is how.
pub(crate) fn compress(plain: &Path, to: Part) -> io::Result<()> {
    let (packed, aside) =
        (with_suffix(plain, to.suffix()), with_suffix(plain, &format!("{}{UNFINISHED}", to.suffix())));
    // In a folder of a program's user, any name may be a link to anywhere.
    let no_link = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed();
    let mut source = OpenOptions::new().read(true).custom_flags(no_link).open(plain)?;
    let metadata = source.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mode = metadata.permissions().mode() & 0o777;
    match fs::remove_file(&aside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside)?;
    let written = (|| {
        let (file, read) = match to {
            Part::Gzip => {
                let mut encoder = GzEncoder::new(file, flate2::Compression::default());
                let read = io::copy(&mut source, &mut encoder)?;
                (encoder.finish()?, read)
            }
            Part::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(file, LEVEL)?;
                encoder.include_checksum(true)?;
                let read = io::copy(&mut source, &mut encoder)?;
                (encoder.finish()?, read)
            }
            Part::Plain | Part::Index => return Err(io::Error::other("there is nothing to compress to")),
        };
        // Its owner as before, where we may say so.
        let _ = std::os::unix::fs::fchown(&file, Some(owner(&metadata).0), Some(owner(&metadata).1));
        flush(file)?;
        Ok(read)
    })();
    let read = match written {
        Ok(read) => read,
        Err(e) => {
            let _ = fs::remove_file(&aside);
            return Err(e);
        }
    };
    fs::rename(&aside, &packed)?;
    if let Some(folder) = plain.parent() {
        File::open(folder)?.sync_all()?;
    }
    match fs::metadata(plain) {
        // Somebody who had it open still wrote to it: once more, later.
        Ok(now) if now.len() != read => fs::remove_file(&packed),
        Ok(_) => fs::remove_file(plain),
        // It was deleted meanwhile, being one too many: so is this one.
        Err(e) if e.kind() == io::ErrorKind::NotFound => fs::remove_file(&packed),
        Err(e) => Err(e),
    }
}

fn owner(metadata: &fs::Metadata) -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;
    (metadata.uid(), metadata.gid())
}

fn flush(mut file: File) -> io::Result<()> {
    file.flush()?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::log_store::segment;

    #[test]
    fn a_link_in_place_of_a_log_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (secret, active) = (dir.path().join("secret"), dir.path().join("log"));
        fs::write(&secret, "secret").unwrap();
        let plain = runner_keeper::log::names::rotated(&active, 1);
        std::os::unix::fs::symlink(&secret, &plain).unwrap();
        compress(&plain, Part::Gzip).unwrap_err();
        fs::remove_file(&plain).unwrap();
        fs::write(&plain, "log").unwrap();
        std::os::unix::fs::symlink(&secret, with_suffix(&plain, ".gz.tmp")).unwrap();
        compress(&plain, Part::Gzip).unwrap();
        assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
    }

    #[test]
    fn a_file_that_was_compressed_since_it_was_listed_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let active = dir.path().join("web-1.stdout.log");
        let plain = runner_keeper::log::names::rotated(&active, 1);
        fs::write(&plain, "one\n").unwrap();
        let listed = segment::list(&active);
        compress(&plain, Part::Zstd).unwrap();
        assert_eq!(listed[0].open().unwrap().unwrap().read(0, 99).unwrap(), b"one\n");
        assert_eq!(listed[0].len().unwrap(), 4);
    }

    #[test]
    fn what_was_compressed_reads_as_before_and_the_plain_file_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let active = dir.path().join("web-1.stdout.log");
        let content: Vec<u8> = (0..50_000).flat_map(|i| format!("line {i} \0\u{1}\n").into_bytes()).collect();
        for (at, part) in [(1, Part::Gzip), (2, Part::Zstd)] {
            let plain = runner_keeper::log::names::rotated(&active, at);
            fs::write(&plain, &content).unwrap();
            fs::set_permissions(&plain, fs::Permissions::from_mode(0o640)).unwrap();
            compress(&plain, part).unwrap();
            assert!(!plain.exists());
            let packed = with_suffix(&plain, part.suffix());
            let metadata = fs::metadata(&packed).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
            assert!(metadata.len() < content.len() as u64 / 4);
        }
        for segment in segment::list(&active).iter().filter(|segment| segment.at.is_some()) {
            let mut source = segment.open().unwrap().unwrap();
            assert_eq!(segment.len().unwrap(), content.len() as u64);
            assert_eq!(source.read(1000, 77).unwrap(), content[1000..1077]);
            assert_eq!(source.read(10, 5).unwrap(), content[10..15], "back again");
            // As a reader goes on: each time some bytes before where it was.
            let (mut at, mut size) = (0, 1);
            while at < content.len() {
                let data = source.read(at as u64, size).unwrap();
                assert!(data == content[at..(at + size).min(content.len())], "{size} bytes at {at}");
                at += (data.len() * 2 / 3).max(1);
                size = size * 7 % 5003 + 1;
            }
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "something is left over");
    }
}
