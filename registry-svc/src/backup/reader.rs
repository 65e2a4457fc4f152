//! The bytes of a backup → verified parts. What follows the last part is
//! verified too, so only who has read to the end knows that it is whole.

use super::{BackupError, FORMAT, MAGIC, Manifest, PART, TRAILER};
use sha2::{Digest as _, Sha256};
use std::io::{ErrorKind, Read};

/// A manifest has some hundred bytes; more than this is damage.
const LONGEST_MANIFEST: u32 = 1 << 20;

/// A backup that is read.
pub struct Reader<R> {
    from: R,
    hasher: Sha256,
    offset: u64,
    /// Bytes of parts that are still to come, as the manifest says.
    left: u64,
    manifest: Manifest,
}

impl<R: Read> Reader<R> {
    /// Reads what it is of.
    ///
    /// # Errors
    /// It is no backup, of a later version, or damaged.
    pub fn open(mut from: R) -> Result<Self, BackupError> {
        let mut head = vec![0; MAGIC.len() + 8];
        match from.read_exact(&mut head) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(BackupError::NotABackup),
            read => read?,
        }
        let (magic, numbers) = head.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(BackupError::NotABackup);
        }
        let format = number(numbers);
        if format != FORMAT {
            return Err(BackupError::Format(format));
        }
        let length = number(&numbers[4..]);
        if length > LONGEST_MANIFEST {
            return Err(damaged(MAGIC.len() + 4, "the length of its manifest"));
        }
        let begin = head.len();
        head.resize(begin + length as usize, 0);
        exact(&mut from, &mut head[begin..], begin as u64)?;
        let mut crc = [0; 4];
        exact(&mut from, &mut crc, head.len() as u64)?;
        if crc32fast::hash(&head) != u32::from_be_bytes(crc) {
            return Err(damaged(begin, "the checksum of its manifest"));
        }
        let manifest: Manifest =
            rmp_serde::from_slice(&head[begin..]).map_err(|_| damaged(begin, "its manifest cannot be read"))?;
        let mut hasher = Sha256::new();
        hasher.update(&head);
        hasher.update(crc);
        Ok(Self { from, hasher, offset: (head.len() + 4) as u64, left: manifest.bytes, manifest })
    }

    /// What it is of.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The next part; nothing once all of it has been read and is whole.
    ///
    /// # Errors
    /// It is damaged.
    pub fn part(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        let at = self.offset;
        let mut length = [0; 4];
        self.take(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length == 0 {
            return self.end(at).map(|()| None);
        }
        if length as usize > PART || u64::from(length) > self.left {
            return Err(BackupError::Damaged { offset: at, why: "the length of a part" });
        }
        let mut crc = [0; 4];
        self.take(&mut crc)?;
        let mut bytes = vec![0; length as usize];
        self.take(&mut bytes)?;
        if crc32fast::hash(&bytes) != u32::from_be_bytes(crc) {
            return Err(BackupError::Damaged { offset: at, why: "the checksum of a part" });
        }
        self.left -= u64::from(length);
        Ok(Some(bytes))
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// It is damaged.
    pub fn verify(mut self) -> Result<Manifest, BackupError> {
        while self.part()?.is_some() {}
        Ok(self.manifest)
    }

    fn end(&mut self, at: u64) -> Result<(), BackupError> {
        if self.left != 0 {
            return Err(BackupError::Damaged { offset: at, why: "parts are missing" });
        }
        let expected: [u8; TRAILER] = self.hasher.clone().finalize().into();
        let mut trailer = [0; TRAILER];
        self.take(&mut trailer)?;
        if trailer != expected {
            return Err(BackupError::Damaged { offset: at, why: "the checksum over all of it" });
        }
        if self.from.read(&mut [0])? != 0 {
            return Err(BackupError::Damaged { offset: self.offset, why: "something follows its end" });
        }
        Ok(())
    }

    fn take(&mut self, to: &mut [u8]) -> Result<(), BackupError> {
        exact(&mut self.from, to, self.offset)?;
        self.hasher.update(&*to);
        self.offset += to.len() as u64;
        Ok(())
    }
}

fn exact(from: &mut impl Read, to: &mut [u8], offset: u64) -> Result<(), BackupError> {
    match from.read_exact(to) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(BackupError::Damaged { offset, why: "it is cut short" })
        }
        read => Ok(read?),
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn damaged(offset: usize, why: &'static str) -> BackupError {
    BackupError::Damaged { offset: offset as u64, why }
}
