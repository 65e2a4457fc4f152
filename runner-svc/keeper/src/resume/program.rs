//! Becoming another program with everything that is held, and back to the one
//! before when the other cannot read what was written down.

use super::image::Image;
use super::store;
use crate::diary::say;
use crate::{entry, sys};
use rustix::io::{FdFlags, fcntl_setfd};
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;

/// Number of the descriptor of the image, for the next program.
const IMAGE: &str = "PM_KEEPER_RESUME";

/// Why the program that this one was to become gave it back.
const REFUSED: &str = "PM_KEEPER_REFUSED";

/// Variables that only the next program of this process reads.
pub(crate) const VARIABLES: [&str; 2] = [IMAGE, REFUSED];

/// What the program before left.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) image: Image,
    /// Why the upgrade failed, when this is the old program again.
    pub(crate) refused: Option<String>,
}

/// Becomes `program`; returns only why that was not possible, and then
/// everything is as before. `held` are the descriptors that the image names.
pub(crate) fn become_program(program: &str, image: &Image, held: &[BorrowedFd<'_>]) -> io::Error {
    match prepare(program, image, held) {
        Ok(never) => match never {},
        Err(e) => {
            for descriptor in held {
                let _ = fcntl_setfd(descriptor, FdFlags::CLOEXEC);
            }
            e
        }
    }
}

fn prepare(program: &str, image: &Image, held: &[BorrowedFd<'_>]) -> io::Result<std::convert::Infallible> {
    let writer = File::open("/proc/self/exe")?;
    let file = store::write(image, &writer)?;
    for descriptor in held.iter().copied().chain([file.as_fd(), writer.as_fd()]) {
        fcntl_setfd(descriptor, FdFlags::empty())?;
    }
    exec(program, file.as_raw_fd(), None)
}

/// Same arguments, same environment, same process: only the program changes.
/// Blocked signals stay blocked, and those that are pending stay pending.
fn exec(program: &str, image: i32, refused: Option<&str>) -> io::Result<std::convert::Infallible> {
    let variables = std::env::vars_os().filter(|(name, _)| !VARIABLES.iter().any(|own| name == own));
    let own = [Some((IMAGE, image.to_string())), refused.map(|why| (REFUSED, why.to_owned()))];
    let own = own.into_iter().flatten().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let environment = variables.chain(own).map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        CString::new(name.into_vec())
    });
    let environment = environment.collect::<Result<Vec<_>, _>>()?;
    let arguments = entry::arguments().map(|argument| CString::new(argument.into_vec()));
    let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
    Ok(nix::unistd::execve(&CString::new(program)?, &arguments, &environment)?)
}

/// What the program before left, if this process was another one before.
///
/// # Errors
/// It left something that neither this program nor that one reads: what it
/// held is lost with it.
pub(crate) fn resumed() -> io::Result<Option<Resumed>> {
    let Some(number) = std::env::var_os(IMAGE).and_then(|text| text.to_str()?.parse().ok()) else { return Ok(None) };
    let mut file = File::from(sys::inherited::take(number)?);
    let header = store::read_header(&mut file)?;
    let writer = sys::inherited::take(header.writer);
    let refused = std::env::var(REFUSED).ok();
    match store::read_image(&mut file, header) {
        Ok(image) => Ok(Some(Resumed { image, refused })),
        // Nothing was taken yet: the program before finds everything as it left it.
        Err(e) if refused.is_none() => {
            say!("going back to the program before: {e}");
            let writer = writer?;
            fcntl_setfd(&file, FdFlags::empty())?;
            fcntl_setfd(&writer, FdFlags::empty())?;
            let program = format!("/proc/self/fd/{}", writer.as_raw_fd());
            exec(&program, file.as_raw_fd(), Some(&e.to_string())).map(|never| match never {})
        }
        Err(e) => Err(e),
    }
}
