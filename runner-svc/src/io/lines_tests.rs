use super::*;
use std::io::Write as _;
use std::time::Duration;

fn files(dir: &Path) -> LogFiles {
    LogFiles { stdout: dir.join("web-1.stdout.log"), stderr: dir.join("web-1.stderr.log") }
}

async fn next(lines: &mut Lines) -> (LogStream, String) {
    let line = tokio::time::timeout(Duration::from_secs(10), lines.next()).await.expect("no line").unwrap();
    (line.stream, String::from_utf8(line.bytes).unwrap())
}

fn append(path: &Path, text: &str) {
    std::fs::File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn lines_begin_where_the_outputs_ended_and_go_on_across_rotation_and_truncation() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    append(&files.stdout, "before\n");
    let mut lines = Lines::follow(files.clone(), Position::now(&files));
    append(&files.stdout, "one\ntw");
    assert_eq!(next(&mut lines).await, (LogStream::Stdout, "one".into()));
    append(&files.stdout, "o\r\n");
    assert_eq!(next(&mut lines).await, (LogStream::Stdout, "two".into()));
    append(&files.stderr, "oops\n");
    assert_eq!(next(&mut lines).await, (LogStream::Stderr, "oops".into()));
    std::fs::rename(&files.stdout, runner_keeper::log::names::rotated(&files.stdout, 1)).unwrap();
    append(&files.stdout, "three, in a new file\n");
    assert_eq!(next(&mut lines).await, (LogStream::Stdout, "three, in a new file".into()));
    std::fs::File::create(&files.stdout).unwrap();
    append(&files.stdout, "four\n");
    assert_eq!(next(&mut lines).await, (LogStream::Stdout, "four".into()));
}

#[tokio::test]
async fn a_file_that_was_rotated_away_since_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    append(&files.stdout, "before\n");
    let position = Position::now(&files);
    append(&files.stdout, "one\n");
    std::fs::rename(&files.stdout, runner_keeper::log::names::rotated(&files.stdout, 1)).unwrap();
    append(&files.stdout, "two\n");
    let mut lines = Lines::follow(files, position);
    assert_eq!(next(&mut lines).await.1, "one");
    assert_eq!(next(&mut lines).await.1, "two");
}

#[tokio::test]
async fn a_line_that_is_too_long_is_cut_and_the_next_one_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    let mut lines = Lines::follow(files.clone(), Position::now(&files));
    append(&files.stdout, &("x".repeat(5 * LONGEST / 2) + "\nnext\n"));
    assert_eq!(next(&mut lines).await.1.len(), LONGEST);
    assert_eq!(next(&mut lines).await.1, "next");
}

#[tokio::test]
async fn a_call_that_is_given_up_loses_nothing_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    let mut lines = Lines::follow(files.clone(), Position::now(&files));
    let mut seen = Vec::new();
    for i in 0..200 {
        append(&files.stdout, &format!("{i}\n"));
        // Given up at every stage that there is.
        if let Ok(line) = tokio::time::timeout(Duration::from_micros(i * 5), lines.next()).await {
            seen.push(String::from_utf8(line.unwrap().bytes).unwrap());
        }
    }
    while seen.len() < 200 {
        seen.push(next(&mut lines).await.1);
    }
    assert_eq!(seen, (0..200).map(|i| i.to_string()).collect::<Vec<_>>());
}
