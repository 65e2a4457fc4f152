//! Looks at real files.

use super::look::MISSING;
use super::*;
use nix::unistd::Uid;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

fn watched(path: PathBuf, maker: Maker) -> Watched {
    Watched { path, maker }
}

#[test]
fn a_file_that_the_keeper_writes_to_is_never_made_by_the_watch() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web-1.stdout.log");
    let file = watched(path.clone(), Maker::Keeper);
    assert_eq!(file.look(), Some(MISSING));
    assert!(!path.exists(), "made");
    std::fs::write(&path, "x").unwrap();
    assert_eq!(file.look().unwrap().len, 1);
}

#[test]
fn a_log_that_is_gone_is_activity_once_and_silence_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web-1.stdout.log");
    std::fs::write(&path, "x").unwrap();
    let file = watched(path.clone(), Maker::Keeper);
    let mut judge = Silence::new(Duration::from_secs(3), Duration::ZERO);
    judge.look(file.look(), Duration::ZERO);
    std::fs::rename(&path, dir.path().join("web-1.stdout.log.1")).unwrap();
    assert_eq!(judge.look(file.look(), Duration::from_secs(2)), Finding::Changed);
    assert!(matches!(judge.look(file.look(), Duration::from_secs(5)), Finding::Silent { .. }));
}

#[test]
fn a_missing_file_is_made_with_its_folders_and_belongs_to_the_programs_user() {
    if !Uid::effective().is_root() {
        // Only root can act as somebody else.
        return;
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let maker = Maker::Watch { user: Some("nobody".to_owned()), execution: None };
    // Nobody may write in a folder of root's: nothing is made there by way of us.
    std::fs::create_dir(dir.path().join("root")).unwrap();
    let path = dir.path().join("root/app.log");
    std::os::unix::fs::chown(dir.path(), Some(nobody.uid.as_raw()), None).unwrap();
    assert_eq!(watched(path.clone(), maker.clone()).look(), Some(MISSING));
    assert!(!path.exists(), "made where its user may not");
    let path = dir.path().join("new/folder/app.log");
    assert_ne!(watched(path.clone(), maker).look(), Some(MISSING));
    let owners: Vec<u32> =
        [path.as_path(), path.parent().unwrap()].iter().map(|path| std::fs::metadata(path).unwrap().uid()).collect();
    assert_eq!(owners, [nobody.uid.as_raw(); 2]);
    std::fs::write(dir.path().join("root/mine"), "").expect("the thread kept the other identity");
}

/// Says that this process runs one test alone: its limits are the process's.
const ALONE: &str = "PM_TEST_ALONE";

#[test]
fn l13_without_watches_the_file_is_looked_at_and_that_is_told() {
    if std::env::var_os(ALONE).is_none() {
        let name = "io::log_watch::tests::l13_without_watches_the_file_is_looked_at_and_that_is_told";
        let alone = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&alone.stdout).into_owned();
        assert!(alone.status.success() && words.contains("1 passed"), "{words}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    std::fs::write(&path, "").unwrap();
    let (inbox, mut inputs) = mailbox::mailbox();
    let (notices, mut told) = broadcast::channel(64);
    let watch = LogWatch {
        files: vec![watched(path.clone(), Maker::Keeper)],
        timeout: Duration::from_secs(6),
        interval: Duration::from_secs(1),
        run: RunId(7),
        instance: "web-1".parse().unwrap(),
        inbox,
        notices,
    };
    let mut log = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    runtime.block_on(async {
        // What of the runtime needs a descriptor has one before there are none.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let (soft, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, 0, hard).unwrap();
        assert!(inotify::Inotify::init().is_err(), "the fault did not happen");
        let watching = tokio::spawn(watch.run());
        let first = told.recv().await.unwrap();
        assert_eq!(first.kind, NoticeKind::LogPolled, "{}", first.text);
        // From then on there is a look to compare with.
        let quiet = told.recv().await.unwrap();
        assert!(matches!(quiet.kind, NoticeKind::LogQuiet { .. }), "{quiet:?}");
        for _ in 0..3 {
            std::io::Write::write_all(&mut log, b"line\n").unwrap();
            // A look may come before the line.
            let mut news = told.recv().await.unwrap();
            while matches!(news.kind, NoticeKind::LogQuiet { .. }) {
                news = told.recv().await.unwrap();
            }
            assert!(matches!(news.kind, NoticeKind::LogGrew { .. }), "{news:?}");
        }
        let silent = Instant::now();
        let Some(Message::Input(input)) = inputs.recv().await else { panic!("it was not found") };
        assert!(matches!(*input, Input::WentSilent { run: RunId(7), .. }), "{input:?}");
        // Its time and an interval, and what a loaded machine adds.
        assert!(silent.elapsed() < Duration::from_secs(20), "{:?}", silent.elapsed());
        watching.await.unwrap();
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    });
}

#[tokio::test]
async fn activity_between_two_looks_is_seen_when_it_happens() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    std::fs::write(&path, "").unwrap();
    let files = [watched(path.clone(), Maker::Keeper)];
    let mut alarm = Alarm::new(&files).await;
    assert_eq!(alarm.news(), None);
    let soon = Duration::from_secs(20);
    std::fs::write(&path, "a").unwrap();
    tokio::time::timeout(soon, alarm.rings()).await.expect("a write was not told");
    alarm.calm_down(&files).await;
    assert!(tokio::time::timeout(Duration::from_millis(50), alarm.rings()).await.is_err(), "told twice");
    // Another file takes the name, and is the one that counts from then on.
    std::fs::rename(&path, dir.path().join("app.log.1")).unwrap();
    std::fs::write(&path, "b").unwrap();
    tokio::time::timeout(soon, alarm.rings()).await.expect("a rotation was not told");
    alarm.calm_down(&files).await;
    std::fs::write(&path, "cc").unwrap();
    tokio::time::timeout(soon, alarm.rings()).await.expect("a write to the new file was not told");
}
