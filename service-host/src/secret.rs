//! A bearer token, which is all the authentication between our own parts.
//!
//! Enters: random bytes, or a file that nobody else may read. Leaves: the text, only on an
//! explicit [`Secret::expose`]. Decides: whether a presented token is the same one.

use crate::private_file::too_open;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest token accepted, in bytes: a token is short, so a longer file is some other file given by mistake.
pub const MAX_LEN: usize = 4096;

/// Random bytes in a generated token: 256 bits.
const GENERATED_BYTES: usize = 32;

/// A token. Cheap to clone; `Debug` never shows it.
#[derive(Clone)]
pub struct Secret(Arc<str>);

/// Why a token is not usable.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness(#[source] io::Error),
    /// The file is not there or cannot be read.
    #[error("cannot read the token file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than the owner have access to the file.
    #[error("the token file {} has mode {mode:04o}, others than its owner have access to it; run: chmod 600 {}", path.display(), path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Nothing, or only white space.
    #[error("the token is empty")]
    Empty,
    /// Longer than [`MAX_LEN`].
    #[error("the token is longer than {MAX_LEN} bytes")]
    TooLong,
    /// It could not travel in a header.
    #[error("the token holds something else than visible ASCII characters")]
    NotPrintable,
}

impl Secret {
    /// A new random token: 32 bytes from the operating system, as 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`SecretError::NoRandomness`], which Linux gives only in very early boot or under a seccomp filter.
    pub fn try_generate() -> Result<Self, SecretError> {
        let mut bytes = [0_u8; GENERATED_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| SecretError::NoRandomness(io::Error::other(error)))?;
        let mut text = String::with_capacity(2 * GENERATED_BYTES);
        for byte in bytes {
            for nibble in [byte >> 4, byte & 0xf] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        Ok(Self(text.into()))
    }

    /// As [`Secret::try_generate`]; a machine without randomness must not run with a guessable token, so then
    /// the program ends.
    #[must_use]
    pub fn generate() -> Self {
        match Self::try_generate() {
            Ok(secret) => secret,
            Err(error) => crate::fatal::abort_on(error),
        }
    }

    /// A token given as text (from a test, a credential store). White space at both ends is dropped.
    ///
    /// # Errors
    /// When empty, longer than [`MAX_LEN`], or not visible ASCII.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if text.len() > MAX_LEN {
            return Err(SecretError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::NotPrintable);
        }
        Ok(Self(text.into()))
    }

    /// The token in a file; the newline at its end is not part of it. The mode is read from the open file, so the
    /// file that was judged is the file that is read.
    ///
    /// # Errors
    /// When it cannot be read, when others than its owner have access (of root's files a group may read), and as [`Secret::new`].
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let unreadable = |source| SecretError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if let Some(mode) = too_open(&metadata) {
            return Err(SecretError::TooOpen { path: path.to_owned(), mode });
        }
        let mut bytes = Vec::new();
        // Two bytes of room for a line end, one more to notice that there is more.
        file.take(MAX_LEN as u64 + 3).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::new(std::str::from_utf8(&bytes).map_err(|_| SecretError::NotPrintable)?)
    }

    /// Writes the token, and a newline, to a new file with mode 0600, and makes it durable.
    ///
    /// # Errors
    /// When the file exists already (`AlreadyExists`) or cannot be written.
    pub fn write_new(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        // The umask can only take bits away, a default ACL can add some: say what is meant.
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(format!("{}\n", self.0).as_bytes())?;
        file.sync_all()
    }

    /// The text itself: for a header or for the user who asked for it, never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `presented` is this token. Takes the same time wherever the first difference is; only the length
    /// shows, and that is no secret.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), presented.as_bytes());
        if ours.len() != theirs.len() {
            return false;
        }
        // `black_box` keeps the compiler from turning the fold into a loop with an early exit.
        let difference = ours.iter().zip(theirs).fold(0_u8, |seen, (a, b)| black_box(seen | (a ^ b)));
        black_box(difference) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests;
