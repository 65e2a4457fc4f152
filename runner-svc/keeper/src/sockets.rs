//! Listening sockets that outlive the runs which serve them.
//!
//! A socket belongs to an instance and has a name. It is opened at the first
//! start that asks for it and held until it is closed on request, so that
//! between two runs connections wait in its queue instead of being refused.

use crate::resume::{Found, Kept};
use process_model::spec::{Listen, Socket};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The sockets of all instances.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    held: BTreeMap<String, Vec<Held>>,
}

#[derive(Debug)]
struct Held {
    name: String,
    listen: Listen,
    socket: OwnedFd,
    /// Device and inode of a Unix socket's file: what is unlinked in the end.
    file: Option<(u64, u64)>,
}

/// A socket, written down.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SocketImage {
    instance: String,
    name: String,
    listen: Listen,
    /// Place of its descriptor.
    socket: u32,
}

/// A socket cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {name:?}: {source}")]
pub(crate) struct SocketError {
    address: String,
    name: String,
    source: io::Error,
}

impl Sockets {
    /// Opens those of `wanted` that are not open yet.
    pub(crate) fn open(&mut self, instance: &str, wanted: &[Socket]) -> Result<(), SocketError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let held = self.held.entry(instance.to_owned()).or_default();
        for socket in wanted {
            // The same name with another address: the old one goes first, for the two may overlap.
            held.retain(|h| h.name != socket.name || h.listen == socket.listen);
            let opened = match held.iter().find(|h| h.name == socket.name) {
                Some(open) => listen(&open.socket, socket),
                None => open(socket).map(|fresh| held.push(fresh)),
            };
            opened.map_err(|source| SocketError {
                address: address(&socket.listen),
                name: socket.name.clone(),
                source,
            })?;
        }
        Ok(())
    }

    /// Those of `wanted`, which are open, in that order, with their names.
    pub(crate) fn of<'a>(&'a self, instance: &str, wanted: &'a [Socket]) -> Vec<(BorrowedFd<'a>, &'a str)> {
        let Some(held) = self.held.get(instance).filter(|_| !wanted.is_empty()) else { return Vec::new() };
        let find = |socket: &&'a Socket| held.iter().find(|h| h.name == socket.name);
        wanted.iter().filter_map(|s| find(&s)).map(|held| (held.socket.as_fd(), held.name.as_str())).collect()
    }

    /// Closes those of an instance that are not to be kept.
    pub(crate) fn close(&mut self, instance: &str, keep: &[String]) {
        if let Some(held) = self.held.get_mut(instance) {
            held.retain(|h| keep.contains(&h.name));
            if held.is_empty() {
                self.held.remove(instance);
            }
        }
    }

    /// The sockets of an instance, written down.
    pub(crate) fn image<'a>(&'a self, instance: &str, kept: &mut Kept<'a>) -> Vec<SocketImage> {
        let held = self.held.get(instance).into_iter().flatten();
        held.map(|h| SocketImage {
            instance: instance.to_owned(),
            name: h.name.clone(),
            listen: h.listen.clone(),
            socket: kept.put(&h.socket),
        })
        .collect()
    }

    /// All sockets, written down.
    pub(crate) fn images<'a>(&'a self, kept: &mut Kept<'a>) -> Vec<SocketImage> {
        self.held.keys().flat_map(|instance| self.image(instance, kept)).collect()
    }

    /// Takes over what images say, as far as it came along.
    pub(crate) fn of_images(&mut self, images: Vec<SocketImage>, found: &mut Found) {
        for image in images {
            if let Some(socket) = found.take(image.socket) {
                self.restore(&image.instance, image.name, image.listen, socket);
            }
        }
    }

    /// Takes over a socket that was held before. One that is held already stays.
    fn restore(&mut self, instance: &str, name: String, listen: Listen, socket: OwnedFd) {
        let held = self.held.entry(instance.to_owned()).or_default();
        if held.iter().all(|h| h.name != name) {
            let file = file_of(&listen);
            held.push(Held { name, listen, socket, file });
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Somebody else may have put theirs in its place.
        if let Listen::Unix { path, .. } = &self.listen
            && self.file.is_some()
            && self.file == file_of(&self.listen)
        {
            let _ = fs::remove_file(path);
        }
    }
}

fn file_of(listen: &Listen) -> Option<(u64, u64)> {
    let Listen::Unix { path, .. } = listen else { return None };
    let metadata = fs::symlink_metadata(path).ok().filter(|m| m.file_type().is_socket())?;
    Some((metadata.dev(), metadata.ino()))
}

fn address(listen: &Listen) -> String {
    match listen {
        Listen::Tcp(address) => format!("tcp {address}"),
        Listen::Udp(address) => format!("udp {address}"),
        Listen::Unix { path, .. } => path.clone(),
    }
}

fn open(wanted: &Socket) -> io::Result<Held> {
    let socket = match &wanted.listen {
        Listen::Tcp(address) => inet(*address, SocketType::STREAM)?,
        Listen::Udp(address) => inet(*address, SocketType::DGRAM)?,
        Listen::Unix { path, mode } => unix(path, *mode)?,
    };
    let file = file_of(&wanted.listen);
    let held = Held { name: wanted.name.clone(), listen: wanted.listen.clone(), socket, file };
    listen(&held.socket, wanted)?;
    Ok(held)
}

/// Listens, or listens with another backlog from now on.
fn listen(socket: &OwnedFd, wanted: &Socket) -> io::Result<()> {
    match wanted.listen {
        Listen::Udp(_) => Ok(()),
        Listen::Tcp(_) | Listen::Unix { .. } => {
            Ok(rustix::net::listen(socket, i32::try_from(wanted.backlog).unwrap_or(i32::MAX))?)
        }
    }
}

fn inet(address: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    if kind == SocketType::STREAM {
        // Connections of the time before, in TIME_WAIT, do not hold the port. (For UDP it would let two share a port.)
        rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

fn unix(path: &str, mode: u32) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let path = Path::new(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    remove_abandoned(path);
    // Before: what is there afterwards is what was made. In a folder of a program's user any name may be a link to
    // anywhere at any moment.
    let folder = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    if rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    // The file is made with the socket's mode: nobody gets in before it is narrowed. (The umask is of all threads.)
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode))?;
    rustix::net::bind(&socket, &address)?;
    widen(&folder, name, mode)?;
    Ok(socket)
}

/// Gives a socket's file what the umask has taken from it.
fn widen(folder: &OwnedFd, name: &OsStr, mode: u32) -> io::Result<()> {
    let file = rustix::fs::openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    let is_ours = FileType::from_raw_mode(stat.st_mode) == FileType::Socket
        && stat.st_uid == rustix::process::geteuid().as_raw()
        && stat.st_nlink == 1;
    if is_ours && stat.st_mode & 0o777 != mode {
        // What was opened, not what has the name (proc_pid_fd(5)).
        rustix::fs::chmod(format!("/proc/self/fd/{}", file.as_raw_fd()), Mode::from_raw_mode(mode))?;
    }
    Ok(())
}

/// Removes a socket's file on which nobody listens any more, as a crash leaves
/// it behind. Anything else in that place stays, and binding fails.
fn remove_abandoned(path: &Path) {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::PermissionsExt;

    fn tcp(name: &str, address: SocketAddr) -> Socket {
        Socket { name: name.into(), listen: Listen::Tcp(address), backlog: 16 }
    }

    /// An address that nobody else is given as long as the socket is held, for who listens with `SO_REUSEADDR`.
    fn reserved() -> (OwnedFd, SocketAddr) {
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        rustix::net::sockopt::set_socket_reuseaddr(&socket, true).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = rustix::net::getsockname(&socket).unwrap().try_into().unwrap();
        (socket, address)
    }

    /// Waits until nobody listens any more: a child that another test begins does, too, until it is a program.
    fn until_refused<T>(connect: impl Fn() -> io::Result<T>) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while connect().is_ok() {
            assert!(std::time::Instant::now() < deadline, "it is open still");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_socket_stays_open_until_it_is_closed_or_its_address_changes() {
        let ((_one, one), (_two, two)) = (reserved(), reserved());
        let mut sockets = Sockets::default();
        sockets.open("web-1", &[tcp("http", one)]).unwrap();
        let number = |sockets: &Sockets| sockets.of("web-1", &[tcp("http", one)])[0].0.as_raw_fd();
        let first = number(&sockets);
        sockets.open("web-1", &[tcp("http", one)]).unwrap();
        assert_eq!(number(&sockets), first, "opened anew");
        TcpStream::connect(one).unwrap();
        sockets.open("web-1", &[tcp("http", two)]).unwrap();
        until_refused(|| TcpStream::connect(one));
        TcpStream::connect(two).unwrap();
        sockets.close("web-1", &["http".into()]);
        assert_eq!(sockets.held["web-1"].len(), 1);
        sockets.close("web-1", &[]);
        until_refused(|| TcpStream::connect(two));
        assert!(sockets.held.is_empty());
    }

    #[test]
    fn an_address_in_use_is_named_with_the_reason() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = Sockets::default().open("web-1", &[tcp("http", address)]).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("os error 98"), "{error}");
    }

    #[test]
    fn a_unix_socket_has_its_mode_takes_the_place_of_an_abandoned_one_and_goes_with_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        until_refused(|| UnixStream::connect(&path));
        let listen = Listen::Unix { path: path.to_str().unwrap().into(), mode: 0o620 };
        let wanted = [Socket { name: "web".into(), listen, backlog: 1 }];
        let mut sockets = Sockets::default();
        sockets.open("web-1", &wanted).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o620);
        UnixStream::connect(&path).unwrap();
        assert!(Sockets::default().open("web-2", &wanted).is_err(), "taken from somebody who listens");
        sockets.close("web-1", &[]);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_is_no_socket_is_never_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("precious");
        fs::write(&path, "data").unwrap();
        let listen = Listen::Unix { path: path.to_str().unwrap().into(), mode: 0o600 };
        let mut sockets = Sockets::default();
        assert!(sockets.open("web-1", &[Socket { name: "web".into(), listen, backlog: 1 }]).is_err());
        drop(sockets);
        assert_eq!(fs::read_to_string(&path).unwrap(), "data");
    }

    #[test]
    fn what_was_held_goes_on_in_another_keeper() {
        let (_held, address) = reserved();
        let mut before = Sockets::default();
        before.open("web-1", &[tcp("http", address)]).unwrap();
        let mut kept = Kept::default();
        let images = before.images(&mut kept);
        let handed: Vec<OwnedFd> = kept.0.iter().map(|fd| fd.try_clone_to_owned().unwrap()).collect();
        let mut after = Sockets::default();
        after.of_images(images, &mut Found::from(handed));
        drop(before);
        TcpStream::connect(address).unwrap();
        after.open("web-1", &[tcp("http", address)]).unwrap();
        after.close("web-1", &[]);
        until_refused(|| TcpStream::connect(address));
    }
}
