//! A large file that is made durable while it is written, a stride at a time.
//! In one go at the end, some hundred megabytes would stand in the disk's
//! queue before the next sync of the log, and who writes waits for that.

use std::fs::File;
use std::io;
use std::path::Path;

/// A disk takes so much in a few milliseconds.
const STRIDE: u64 = 1 << 20;

/// Bytes of a file that were written since its last sync.
#[derive(Debug, Default)]
pub(super) struct Strides {
    loose: u64,
}

impl Strides {
    /// So many bytes more were written. After an error nobody knows which of
    /// the file's bytes the disk has: it cannot be gone on with.
    pub(super) fn wrote(&mut self, file: &File, bytes: usize) -> io::Result<()> {
        self.loose += bytes as u64;
        if self.loose >= STRIDE {
            self.loose = 0;
            file.sync_data()?;
        }
        Ok(())
    }
}

/// Empties and removes a file that cannot be gone on with, as far as the disk
/// lets it: what is still in memory would pass every check of its contents.
pub(super) fn forget(file: &File, path: &Path) {
    let _ = file.set_len(0);
    let _ = std::fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_synced_with_each_stride_and_a_failed_sync_is_told() {
        let (_reader, pipe) = std::io::pipe().unwrap();
        // A pipe cannot be synced: each attempt shows.
        let pipe = File::from(std::os::fd::OwnedFd::from(pipe));
        let mut strides = Strides::default();
        let mut synced = |bytes: usize| strides.wrote(&pipe, bytes).is_err();
        let quarter = STRIDE as usize / 4;
        let attempts = [1, quarter, quarter, quarter, quarter, quarter, 2 * STRIDE as usize, 1].map(&mut synced);
        assert_eq!(attempts, [false, false, false, false, true, false, true, false]);
    }
}
