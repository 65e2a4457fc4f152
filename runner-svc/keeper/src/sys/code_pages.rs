//! madvise(2) on the program's own code: what only starting needed does not stay
//! in memory.
//!
//! The kernel maps sixteen pages of a program around each that is touched, so a
//! start that runs through argument parsing, a runtime and a few libraries leaves
//! far more code resident than what goes on needs.

#![allow(unsafe_code)] // a system call without a safe wrapper; its block says why it is sound

use std::fs;
use std::path::Path;

/// Unmaps the pages of this program's code; those that are needed come back from
/// the page cache when they are run. A refusal changes nothing.
pub fn give_back_code() {
    let (Ok(program), Ok(maps)) = (fs::read_link("/proc/self/exe"), fs::read_to_string("/proc/self/maps")) else {
        return;
    };
    for (start, length) in maps.lines().filter_map(|line| code_of(line, &program)) {
        // SAFETY: the range is a mapping of this program's file that is executable and not writable, private, and
        // stays for as long as the process does. Nobody has written it, so each page is that of the file, and
        // MADV_DONTNEED makes the kernel read the same bytes again when one is touched (madvise(2)). It is no memory
        // that anything in Rust holds a reference to but functions and constants, which are the same afterwards.
        unsafe {
            libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED);
        }
    }
}

/// Start and length, if the line of proc_pid_maps(5) is of the program's code.
fn code_of(line: &str, program: &Path) -> Option<(usize, usize)> {
    let mut fields = line.split_whitespace();
    let (range, rights) = (fields.next()?, fields.next()?);
    let path = fields.nth(3)?;
    // Only what nobody can have changed: relocated data would lose its relocations.
    if rights != "r-xp" || Path::new(path) != program {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    Some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_the_program_itself_is_given_back() {
        let program = Path::new("/usr/bin/pmctl");
        let line = |rights: &str, path: &str| format!("1000-3000 {rights} 00001000 fe:00 42    {path}");
        assert_eq!(code_of(&line("r-xp", "/usr/bin/pmctl"), program), Some((0x1000, 0x2000)));
        for other in
            [line("r--p", "/usr/bin/pmctl"), line("rwxp", "/usr/bin/pmctl"), line("r-xp", "/usr/lib/libc.so.6")]
        {
            assert_eq!(code_of(&other, program), None, "{other}");
        }
        assert_eq!(code_of("1000-3000 rw-p 00000000 00:00 0", program), None);
    }

    #[test]
    fn everything_works_as_before() {
        let before: u64 = (0..1000).sum();
        give_back_code();
        assert_eq!((0..1000).sum::<u64>(), before);
    }
}
