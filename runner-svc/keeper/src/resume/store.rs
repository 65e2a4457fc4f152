//! An image in a memfd. Its header is the same in all versions for ever, so
//! that a program which cannot read the image can still go back to the one
//! that wrote it.
//!
//! ```text
//!  magic 8 │ version 4 │ descriptor of the program that wrote it 4 │ length 8 │ image (MessagePack)
//! ```

use super::image::Image;
use rustix::fs::{MemfdFlags, SeekFrom, memfd_create, seek};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};

const MAGIC: [u8; 8] = *b"PMKEEPER";

/// Of the image. The next program reads it if it knows this one or the one
/// before.
pub(crate) const VERSION: u32 = 1;

/// Oldest version that this program reads.
const OLDEST: u32 = 1;

/// Longest image: some 100,000 runs.
const MAX_LENGTH: u64 = 256 << 20;

/// What is written ahead of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: u32,
    /// Number of a descriptor of the program that wrote it.
    pub(crate) writer: RawFd,
    length: u64,
}

/// Writes an image down.
pub(crate) fn write(image: &Image, writer: &File) -> io::Result<File> {
    let body = rmp_serde::to_vec_named(image).map_err(io::Error::other)?;
    let mut file = File::from(memfd_create("pm-keeper", MemfdFlags::CLOEXEC)?);
    file.write_all(&MAGIC)?;
    file.write_all(&VERSION.to_le_bytes())?;
    file.write_all(&writer.as_raw_fd().to_le_bytes())?;
    file.write_all(&(body.len() as u64).to_le_bytes())?;
    file.write_all(&body)?;
    seek(&file, SeekFrom::Start(0))?;
    Ok(file)
}

/// Reads the header; the file is then at the image.
pub(crate) fn read_header(file: &mut File) -> io::Result<Header> {
    seek(&*file, SeekFrom::Start(0))?;
    let (mut magic, mut version, mut writer, mut length) = ([0; 8], [0; 4], [0; 4], [0; 8]);
    file.read_exact(&mut magic)?;
    file.read_exact(&mut version)?;
    file.read_exact(&mut writer)?;
    file.read_exact(&mut length)?;
    if magic != MAGIC {
        return Err(io::Error::other("this is no state of a keeper"));
    }
    Ok(Header {
        version: u32::from_le_bytes(version),
        writer: RawFd::from_le_bytes(writer),
        length: u64::from_le_bytes(length),
    })
}

/// Reads the image behind the header.
pub(crate) fn read_image(file: &mut File, header: Header) -> io::Result<Image> {
    if !(OLDEST..=VERSION).contains(&header.version) || header.length > MAX_LENGTH {
        let words = format!("state of version {}; this program reads {OLDEST} to {VERSION}", header.version);
        return Err(io::Error::other(words));
    }
    let mut body = Vec::new();
    file.take(header.length).read_to_end(&mut body)?;
    rmp_serde::from_slice(&body).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn image() -> Image {
        Image {
            lock: 4,
            listener: 5,
            nofile: (1024, 4096),
            runner: None,
            runs: Vec::new(),
            sockets: Default::default(),
            fences: Vec::new(),
        }
    }

    #[test]
    fn an_image_reads_back_and_names_the_program_that_wrote_it() {
        let writer = File::open("/proc/self/exe").unwrap();
        let mut file = write(&image(), &writer).unwrap();
        let header = read_header(&mut file).unwrap();
        assert_eq!((header.version, header.writer), (VERSION, writer.as_raw_fd()));
        assert_eq!(read_image(&mut file, header).unwrap().nofile, (1024, 4096));
    }

    #[test]
    fn a_version_that_is_not_known_is_refused_and_its_writer_is_known_all_the_same() {
        let mut file = write(&image(), &File::open("/proc/self/exe").unwrap()).unwrap();
        let header = Header { version: VERSION + 1, ..read_header(&mut file).unwrap() };
        assert!(read_image(&mut file, header).is_err());
    }

    /// As written by the first program that could be upgraded. Kept for ever.
    #[test]
    fn an_image_of_version_1_reads_and_fields_that_are_not_known_are_passed_over() {
        #[derive(serde::Serialize)]
        struct Later<'a> {
            lock: i32,
            listener: i32,
            nofile: (u64, u64),
            something_new: &'a str,
        }
        let later = Later { lock: 1, listener: 2, nofile: (7, 8), something_new: "x" };
        let image: Image = rmp_serde::from_slice(&rmp_serde::to_vec_named(&later).unwrap()).unwrap();
        assert_eq!((image.listener, image.nofile, image.runs.len()), (2, (7, 8), 0));
    }

    proptest! {
        #[test]
        fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), lie in any::<bool>()) {
            let mut file = File::from(memfd_create("test", MemfdFlags::CLOEXEC).unwrap());
            if lie {
                file.write_all(&MAGIC).unwrap();
            }
            file.write_all(&bytes).unwrap();
            if let Ok(header) = read_header(&mut file) {
                let _ = read_image(&mut file, header);
            }
        }
    }
}
