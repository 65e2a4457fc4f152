//! Load on logs, and oracles of what became of it.

use super::{Node, PATIENCE};
use runner_keeper::log::names::{Part, RotatedName};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A program that writes lines of 100 bytes, each with its number.
pub(crate) struct Writer {
    pub(crate) name: String,
    lines: u64,
    rate: u64,
    dir: PathBuf,
}

/// Writes blocks; in a file of its own it says how much, and how long the
/// longest write took.
const SCRIPT: &str = "import os,sys,time
name,lines,rate=sys.argv[1],int(sys.argv[2]),int(sys.argv[3])
pad=b'x'*86
said=open(name+'.said','wb',buffering=0)
began=time.monotonic(); worst=0.0; n=0
while n<lines:
    here=min(160,lines-n)
    block=b''.join(b'%012d %s\\n'%(i,pad) for i in range(n,n+here))
    while block:
        before=time.monotonic()
        done=os.write(1,block)
        worst=max(worst,time.monotonic()-before)
        block=block[done:]
    n+=here
    os.pwrite(said.fileno(),b'%015d %f\\n'%(n*100,worst),0)
    if rate:
        ahead=n*100/rate-(time.monotonic()-began)
        if ahead>0: time.sleep(ahead)
open(name+'.done','w').close()
";

impl Writer {
    /// Writes about `bytes`, at most `rate` bytes a second (0: as fast as it
    /// can).
    pub(crate) fn new(node: &Node, name: &str, bytes: u64, rate: u64) -> Self {
        fs::write(node.path("writer.py"), SCRIPT).unwrap();
        Self { name: name.to_owned(), lines: bytes / 100, rate, dir: node.dir.path().to_owned() }
    }

    /// Its command line.
    pub(crate) fn line(&self) -> String {
        format!("exec python3 writer.py {} {} {}", self.name, self.lines, self.rate)
    }

    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.lines * 100
    }

    pub(crate) fn is_done(&self) -> bool {
        self.dir.join(format!("{}.done", self.name)).exists()
    }

    pub(crate) async fn wait_until_done(&self) {
        until("the writer has ended", || self.is_done()).await;
    }

    fn words(&self) -> Option<(u64, f64)> {
        let text = fs::read_to_string(self.dir.join(format!("{}.said", self.name))).ok()?;
        let (bytes, worst) = text.trim().split_once(' ')?;
        Some((bytes.parse().ok()?, worst.parse().ok()?))
    }

    /// Bytes that it has written, as it says itself.
    pub(crate) fn said(&self, _: &Node) -> u64 {
        self.words().map_or(0, |(bytes, _)| bytes)
    }

    pub(crate) async fn wait_until_said(&self, node: &Node, bytes: u64) {
        until("the writer goes on", || self.said(node) >= bytes || self.is_done()).await;
    }

    /// Seconds that its longest write took.
    pub(crate) fn worst_write(&self, _: &Node) -> f64 {
        self.words().map_or(0.0, |(_, worst)| worst)
    }

    /// Bytes of it that are in files.
    pub(crate) fn written(&self, node: &Node) -> u64 {
        self.said(node)
    }

    pub(crate) async fn wait_for(&self, node: &Node, bytes: u64) {
        self.wait_until_said(node, bytes).await;
    }

    pub(crate) async fn wait_for_file(&self, path: &Path, bytes: u64) {
        until("the file grows", || fs::metadata(path).is_ok_and(|metadata| metadata.len() >= bytes)).await;
    }
}

/// Bounded looking at files, which nothing tells of.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// All files of an output, oldest first, decompressed; and how many there are.
pub(crate) fn history(active: &Path) -> (Vec<u8>, usize) {
    let name = active.file_name().unwrap().to_str().unwrap();
    // A file may be compressed while this is read: again, then.
    for _ in 0..50 {
        let mut files: Vec<(i64, Part, PathBuf)> = fs::read_dir(active.parent().unwrap())
            .unwrap()
            .filter_map(|entry| {
                let entry = entry.unwrap();
                let file_name = entry.file_name().into_string().unwrap();
                let rotated = RotatedName::parse(&file_name)?;
                (rotated.active == name && rotated.part != Part::Index)
                    .then(|| (rotated.at, rotated.part, entry.path()))
            })
            .collect();
        files.sort();
        files.dedup_by_key(|(at, ..)| *at);
        let read = || -> std::io::Result<Vec<u8>> {
            let mut all = Vec::new();
            for (_, part, path) in &files {
                let bytes = fs::read(path)?;
                match part {
                    Part::Zstd => all.extend(zstd::decode_all(&*bytes)?),
                    Part::Gzip => {
                        std::io::copy(&mut flate2::read::GzDecoder::new(&*bytes), &mut all)?;
                    }
                    Part::Plain | Part::Index => all.extend(bytes),
                }
            }
            all.extend(fs::read(active)?);
            Ok(all)
        };
        if let Ok(all) = read() {
            return (all, files.len() + 1);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{} cannot be read", active.display());
}

/// The number of the first line and the one after the last; every line is
/// whole, and follows the one before.
pub(crate) fn numbers(text: &[u8]) -> (u64, u64) {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').map(|line| {
        assert_eq!(line.len(), 100, "{}", String::from_utf8_lossy(line));
        std::str::from_utf8(&line[..12]).unwrap().parse::<u64>().unwrap()
    });
    let first = lines.next().expect("no line at all");
    let mut next = first + 1;
    for number in lines {
        assert_eq!(number, next, "not the line after the one before");
        next += 1;
    }
    (first, next)
}

/// Waits until an output has all these bytes.
pub(crate) async fn settled(active: &Path, bytes: u64) {
    until("everything is in the files", || history(active).0.len() as u64 >= bytes).await;
}

/// Waits until a file grows no more.
pub(crate) async fn quiet(path: &Path) {
    stands_still(|| fs::metadata(path).map_or(0, |metadata| metadata.len())).await;
}

/// Waits until something has not changed for a while.
pub(crate) async fn stands_still(value: impl Fn() -> u64) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let (mut last, mut times) = (value(), 0);
    while times < 10 {
        assert!(tokio::time::Instant::now() < deadline, "it goes on and on");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = value();
        times = if now == last { times + 1 } else { 0 };
        last = now;
    }
}

/// Bytes of all files in a folder.
pub(crate) fn on_disk(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Anonymous memory of a process in bytes.
pub(crate) fn anonymous(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Anonymous:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// How many bytes a mark says are missing; `None`: it is no mark.
pub(crate) fn missing(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?.strip_prefix("[pm: ")?;
    text.split(' ').next()?.parse().ok()
}

/// Line ends that marks brought with them.
pub(crate) fn marks_within_a_line(text: &[u8]) -> u64 {
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let brought = lines.windows(2).filter(|pair| missing(pair[1]).is_some() && pair[0].len() != 100);
    brought.filter(|pair| missing(pair[0]).is_none()).count() as u64
}

/// Waits until nothing that a program has written waits for its keeper any more.
pub(crate) async fn read_by_its_keeper(program: u32) {
    // Of one that has ended nothing is asked.
    let Ok(pipe) = fs::File::open(format!("/proc/{program}/fd/1")) else { return };
    until("its output was read", || rustix::io::ioctl_fionread(&pipe).unwrap() == 0).await;
}

/// Takes what is in a file away, while its writer stands still.
pub(crate) async fn take(path: &Path, writer: &u32) -> Vec<u8> {
    super::kill(*writer, rustix::process::Signal::STOP);
    read_by_its_keeper(*writer).await;
    quiet(path).await;
    let text = fs::read(path).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap();
    super::kill(*writer, rustix::process::Signal::CONT);
    text
}

/// A small disk.
pub(crate) struct Disk {
    pub(crate) path: PathBuf,
}

impl Disk {
    /// `None`: this machine does not let us.
    pub(crate) fn mount(path: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path).output().ok()?;
        mount.status.success().then(|| Self { path: path.to_owned() })
    }

    /// Fills it; returns the file that does.
    pub(crate) fn fill(&self) -> PathBuf {
        use std::io::Write as _;
        let ballast = self.path.join("ballast");
        let mut file = fs::File::create(&ballast).unwrap();
        while file.write(&[0; 4096]).is_ok() {}
        ballast
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// The numbers of a process's descriptors of a file.
pub(crate) fn numbers_of(process: u32, path: &Path) -> Vec<u32> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap().map(|entry| entry.unwrap().path());
    let of_it = descriptors.filter(|descriptor| fs::read_link(descriptor).is_ok_and(|file| file == path));
    of_it.map(|descriptor| descriptor.file_name().unwrap().to_str().unwrap().parse().unwrap()).collect()
}

/// A disk that can be made to hang: an ext4 on a loop device.
pub(crate) struct HangingDisk {
    pub(crate) path: PathBuf,
    hangs: bool,
}

impl HangingDisk {
    /// `None`: this machine does not let us.
    pub(crate) fn mount(path: &Path, mebibytes: u64) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let image = path.with_extension("img");
        fs::File::create(&image).unwrap().set_len(mebibytes << 20).unwrap();
        let done = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
        let made = done(Command::new("mkfs.ext4").arg("-q").arg(&image));
        let mounted = made && done(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(path));
        mounted.then(|| Self { path: path.to_owned(), hangs: false })
    }

    /// Whoever writes from now on waits, and cannot even be killed.
    pub(crate) fn hang(&mut self) {
        self.freeze("--freeze");
        self.hangs = true;
    }

    pub(crate) fn answer(&mut self) {
        self.freeze("--unfreeze");
        self.hangs = false;
    }

    fn freeze(&self, how: &str) {
        let status = Command::new("fsfreeze").arg(how).arg(&self.path).status().unwrap();
        assert!(status.success(), "fsfreeze {how}: {status}");
    }
}

impl Drop for HangingDisk {
    fn drop(&mut self) {
        if self.hangs {
            let _ = Command::new("fsfreeze").arg("--unfreeze").arg(&self.path).status();
        }
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
