//! What a program is built from.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

/// The beginning of a program that its build id is looked for in: it stands
/// right behind the headers.
const HEAD: u64 = 64 * 1024;

/// Tells builds of this program apart: its version, and 16 digits of the
/// linker's build id (a hash of the content, in an ELF note), or of the file's
/// identity when it was linked without one.
#[must_use]
pub fn build() -> String {
    format!("{}+{:016x}", env!("CARGO_PKG_VERSION"), File::open("/proc/self/exe").map_or(0, identity))
}

fn identity(file: File) -> u64 {
    let metadata = file.metadata().ok();
    let mut head = Vec::new();
    let _ = file.take(HEAD).read_to_end(&mut head);
    match (build_id(&head), metadata) {
        (Some(id), _) => hash(id),
        (None, Some(m)) => {
            let numbers = [m.dev(), m.ino(), m.size(), m.mtime().unsigned_abs(), m.mtime_nsec().unsigned_abs()];
            hash(&numbers.map(u64::to_le_bytes).concat())
        }
        (None, None) => 0,
    }
}

/// The note of type 3 (`NT_GNU_BUILD_ID`) by `GNU`, of 20 or 16 bytes.
fn build_id(head: &[u8]) -> Option<&[u8]> {
    [20_u32, 16, 8].into_iter().find_map(|size| {
        let note = [4_u32.to_le_bytes(), size.to_le_bytes(), 3_u32.to_le_bytes(), *b"GNU\0"].concat();
        let at = head.windows(note.len()).position(|window| window == note)? + note.len();
        head.get(at..at + size as usize)
    })
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_the_same_each_time_and_differs_with_the_build_id() {
        assert_eq!(build(), build());
        let mut program = vec![0x7f, b'E', b'L', b'F'];
        program.extend([4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0]);
        program.extend(b"GNU\0");
        program.extend([7; 20]);
        assert_eq!(build_id(&program), Some(&[7; 20][..]));
        assert_eq!(build_id(&program[..30]), None);
        assert_ne!(hash(&[7; 20]), hash(&[8; 20]));
    }
}
