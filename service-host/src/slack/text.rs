//! Program text that only a start or a burst has needed: taken out of the
//! process's memory. The kernel keeps it among its files for as long as it
//! likes, and maps what is called again, in pieces of 64 KiB.

#![allow(unsafe_code)] // madvise has no safe wrapper; its block says why it is sound

use procfs::process::{MMPermissions, MMapPath, Process};
use rustix::mm::{Advice, madvise};

/// Takes the program's own text out of this process's memory: a fault for each
/// piece that is still in use, a millisecond in all. Where /proc cannot be read,
/// or the kernel refuses, it stays as it is. Libraries are left alone: one that
/// the system loads to look up a name may just be going, and its place be taken.
///
/// Breakpoints of a debugger, and uprobes, are gone with it, as those are
/// changes of the process's own copy.
pub(super) fn give_back() {
    let Ok((me, program)) = Process::myself().and_then(|me| me.exe().map(|program| (me, program))) else { return };
    let Ok(maps) = me.maps() else { return };
    let program = MMapPath::Path(program);
    for map in &maps {
        let is_text = map.perms == (MMPermissions::READ | MMPermissions::EXECUTE | MMPermissions::PRIVATE);
        if !is_text || map.pathname != program {
            continue;
        }
        let (Ok(begin), Ok(end)) = (usize::try_from(map.address.0), usize::try_from(map.address.1)) else { continue };
        // SAFETY: a private mapping of this program's file that is not writable and stays for as long as the process
        // does. Nobody has written it: the linker relocates data only, and no code is generated. So each page is what
        // the file holds, and comes back from there with the next access.
        let _ = unsafe { madvise(std::ptr::with_exposed_provenance_mut(begin), end - begin, Advice::LinuxDontNeed) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of the test's own text in memory, and all of them.
    fn resident_and_whole() -> (u64, u64) {
        let me = Process::myself().unwrap();
        let program = MMapPath::Path(me.exe().unwrap());
        let maps = me.smaps().unwrap();
        let text = maps.iter().filter(|map| map.perms.contains(MMPermissions::EXECUTE) && map.pathname == program);
        text.fold((0, 0), |(resident, whole), map| {
            (resident + map.extension.map["Rss"], whole + map.address.1 - map.address.0)
        })
    }

    #[test]
    fn text_that_is_not_used_leaves_memory_and_what_is_used_comes_back() {
        let whole = resident_and_whole().1;
        // All of it, as a start would in time.
        let me = Process::myself().unwrap();
        let program = MMapPath::Path(me.exe().unwrap());
        for map in me.maps().unwrap().iter().filter(|map| map.perms.contains(MMPermissions::EXECUTE)) {
            if map.pathname == program {
                let (begin, end) = (map.address.0 as usize, map.address.1 as usize);
                // SAFETY: reads pages in, and changes nothing.
                unsafe {
                    madvise(std::ptr::with_exposed_provenance_mut(begin), end - begin, Advice::LinuxPopulateRead)
                }
                .unwrap();
            }
        }
        assert_eq!(resident_and_whole().0, whole);
        give_back();
        let left = resident_and_whole().0;
        // What runs is there, here and in the tests beside this one, and the pieces around it.
        assert!(left > 0 && left < whole, "{left} of {whole} bytes");
    }
}
