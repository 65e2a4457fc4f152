//! What lines of an instance's output lead to: one follower of its output, one
//! set of expressions. Lines enter; matches of rules and, for a readiness that
//! waits for a line, that it has come, leave.
//!
//! Expressions take time linear in the line, whatever they are, and a rule that
//! has fired is quiet for its cooldown, so no output is too much.

mod cooldown;

use super::lines::{Lines, Position};
use super::program::LogFiles;
use crate::instance::Message;
use crate::mailbox;
pub(crate) use cooldown::Cooldowns;
use process_model::spec::{Check, LogRule};
use process_model::{InstanceId, ProcessSpec};
use regex::bytes::RegexSet;
use runner_domain::{Input, RunId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// So much of a line is told.
const MAX_LINE: usize = 512;

/// A program's last words are in its file before anybody hears that it has
/// ended: they are read on until nothing comes for so long, and for so long at
/// most.
const LAST_WORDS: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(1));

/// Whether anything waits for lines of this process.
pub(crate) fn wants_lines(spec: &ProcessSpec) -> bool {
    !spec.log_rules.is_empty() || ready_line(spec).is_some()
}

fn ready_line(spec: &ProcessSpec) -> Option<&str> {
    match &spec.readiness.as_ref()?.check {
        Check::Log { pattern } => Some(pattern),
        Check::Http(_) | Check::Tcp { .. } | Check::Exec { .. } | Check::Grpc { .. } | Check::Notify => None,
    }
}

/// Watches the output of one run.
pub(crate) struct LogRules {
    pub(crate) spec: Arc<ProcessSpec>,
    pub(crate) instance: InstanceId,
    pub(crate) files: LogFiles,
    /// Where the run's output begins.
    pub(crate) from: Position,
    pub(crate) run: RunId,
    pub(crate) inbox: mailbox::Sender<Message>,
    /// Of all instances: a rule that restarts is quiet also after its restart.
    pub(crate) cooldowns: Cooldowns,
}

impl LogRules {
    /// Until the run has `ended`, which says where its output does, and its last
    /// words are read; or until nothing is waited for any more.
    pub(crate) async fn run(self, mut ended: oneshot::Receiver<Position>) {
        let mut ready = ready_line(&self.spec);
        // The line that means ready is the last of the set.
        let patterns = self.spec.log_rules.iter().map(|rule| rule.pattern.as_str()).chain(ready);
        let set = match RegexSet::new(patterns) {
            Ok(set) => set,
            Err(e) => return self.refuse(&e.to_string()),
        };
        let mut lines = Lines::follow(self.files.clone(), self.from.clone());
        while !self.inbox.is_closed() && (!self.spec.log_rules.is_empty() || ready.is_some()) {
            let line = tokio::select! {
                biased;
                end = &mut ended => return self.last_words(&set, &mut lines, end.ok()).await,
                line = lines.next() => line,
            };
            let Some(line) = line else {
                return tracing::warn!(instance = %self.instance, "the output cannot be read; its rules do not hold");
            };
            match ended.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => self.judge(&set, &line.bytes, &mut ready),
                // It ended while the line was being read.
                over => {
                    let end = over.ok();
                    if end.as_ref().is_none_or(|end| end.is_after(&line)) {
                        self.judge(&set, &line.bytes, &mut None);
                    }
                    return self.last_words(&set, &mut lines, end).await;
                }
            }
        }
    }

    /// What the run wrote before its `end`. What comes after is the next run's,
    /// and somebody else's to read.
    async fn last_words(&self, set: &RegexSet, lines: &mut Lines, end: Option<Position>) {
        let by = Instant::now() + LAST_WORDS.1;
        while Instant::now() < by {
            let Ok(Some(line)) = tokio::time::timeout(LAST_WORDS.0, lines.next()).await else { return };
            if end.as_ref().is_none_or(|end| end.is_after(&line)) {
                self.judge(set, &line.bytes, &mut None);
            }
        }
    }

    fn judge(&self, set: &RegexSet, line: &[u8], ready: &mut Option<&str>) {
        for index in set.matches(line) {
            match self.spec.log_rules.get(index) {
                Some(rule) => self.matched(rule, line),
                None if ready.take().is_some() => self.tell(Input::ProbeSucceeded { run: self.run }),
                None => {}
            }
        }
    }

    fn matched(&self, rule: &LogRule, line: &[u8]) {
        if let Some(suppressed) = self.cooldowns.fire(&self.instance, rule, Instant::now()) {
            let (rule, action, line) = (rule.name.clone(), rule.action, cut(line));
            self.tell(Input::LogMatched { run: self.run, rule, action, line, suppressed });
        }
    }

    fn refuse(&self, why: &str) {
        tracing::warn!(instance = %self.instance, error = why, "a pattern of the process cannot be used");
        if ready_line(&self.spec).is_some() {
            self.tell(Input::ProbeFailed { run: self.run, why: why.to_owned() });
        }
    }

    fn tell(&self, input: Input) {
        let _ = self.inbox.send(input.into());
    }
}

/// A line for people: cut, and as text.
fn cut(line: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(line.get(..MAX_LINE).unwrap_or(line)).into_owned();
    // Bytes that are no text become longer than they were.
    let mut end = text.len().min(MAX_LINE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::spec::{Command, LogAction, Probe};
    use std::io::Write;

    fn rule(name: &str, pattern: &str, cooldown: Duration) -> LogRule {
        LogRule { name: name.into(), pattern: pattern.into(), action: LogAction::Event, cooldown }
    }

    /// Output in one file, and what is told of it.
    struct Watching {
        _dir: tempfile::TempDir,
        output: std::fs::File,
        told: mailbox::Receiver<Message>,
        task: tokio::task::JoinHandle<()>,
        files: LogFiles,
        ended: oneshot::Sender<Position>,
    }

    fn watch(rules: Vec<LogRule>, ready: Option<&str>) -> Watching {
        let dir = tempfile::tempdir().unwrap();
        let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Shell("true".into()));
        spec.log_rules = rules;
        spec.readiness = ready.map(|pattern| Probe::new(Check::Log { pattern: pattern.into() }));
        assert!(wants_lines(&spec));
        let instance = "web-1".parse().unwrap();
        let files = LogFiles::of(&spec, &instance, dir.path());
        let mut output = std::fs::File::create(&files.stdout).unwrap();
        output.write_all(b"boom of the run before\nready\n").unwrap();
        let from = Position::now(&files);
        let (inbox, told) = mailbox::mailbox();
        let rules = LogRules {
            spec: spec.into(),
            instance,
            files: files.clone(),
            from,
            run: RunId(7),
            inbox,
            cooldowns: Cooldowns::default(),
        };
        let (ended, end) = oneshot::channel();
        Watching { _dir: dir, output, told, task: tokio::spawn(rules.run(end)), files, ended }
    }

    impl Watching {
        async fn next(&mut self) -> Input {
            let told = tokio::time::timeout(Duration::from_secs(20), self.told.recv()).await.unwrap();
            let Some(Message::Input(input)) = told else { panic!("{told:?}") };
            *input
        }
    }

    #[tokio::test]
    async fn a_line_of_this_run_is_told_cut_and_as_text_and_what_follows_is_counted() {
        let mut watching =
            watch(vec![rule("boom", "bo+m", Duration::from_secs(3600)), rule("end", "^end$", Duration::ZERO)], None);
        let mut long = b"\xff\0 boom ".to_vec();
        long.extend([b'x'; 2000]);
        long.push(b'\n');
        watching.output.write_all(&long).unwrap();
        let Input::LogMatched { run, rule, line, suppressed, .. } = watching.next().await else { panic!() };
        assert_eq!((run, rule.as_str(), suppressed), (RunId(7), "boom", 0));
        assert!(line.starts_with("\u{fffd}\0 boom xxx") && line.len() <= MAX_LINE, "{line}");
        watching.output.write_all(b"boom\nboom\nend\n").unwrap();
        let Input::LogMatched { rule, line, .. } = watching.next().await else { panic!() };
        assert_eq!((rule.as_str(), line.as_str()), ("end", "end"), "it was not quiet");
        watching.task.abort();
    }

    #[tokio::test]
    async fn the_last_words_of_a_run_are_read_after_its_end_and_that_comes_to_an_end() {
        let mut watching =
            watch(vec![rule("panic", "no more", Duration::ZERO), rule("next", "next", Duration::ZERO)], None);
        watching.output.write_all(b"fine\npanic: no more\n").unwrap();
        let end = Position::now(&watching.files);
        // The next run's, before the reader of this one has come so far.
        watching.output.write_all(b"the next run\n").unwrap();
        let (ended, _) = oneshot::channel();
        std::mem::replace(&mut watching.ended, ended).send(end).unwrap();
        let Input::LogMatched { line, suppressed, .. } = watching.next().await else { panic!() };
        assert_eq!((line.as_str(), suppressed), ("panic: no more", 0));
        tokio::time::timeout(Duration::from_secs(20), watching.task).await.expect("it reads on").unwrap();
        assert!(watching.told.recv().await.is_none(), "it told of a line of the next run");
    }

    #[tokio::test]
    async fn the_line_that_means_ready_is_waited_for_once_and_then_nothing_is_read() {
        let mut watching = watch(Vec::new(), Some("^ready"));
        watching.output.write_all(b"not ready\nread").unwrap();
        watching.output.write_all(b"y now\nready\n").unwrap();
        assert_eq!(watching.next().await, Input::ProbeSucceeded { run: RunId(7) });
        assert!(watching.told.recv().await.is_none(), "told twice");
        watching.task.await.unwrap();
    }

    #[tokio::test]
    async fn a_pattern_that_would_backtrack_for_ever_elsewhere_costs_nothing() {
        let mut watching = watch(vec![rule("evil", "(a+)+$", Duration::ZERO)], Some("ready"));
        let mut line = vec![b'a'; 60_000];
        line.extend(b"!\nready\n");
        watching.output.write_all(&line).unwrap();
        assert_eq!(watching.next().await, Input::ProbeSucceeded { run: RunId(7) });
        watching.task.abort();
    }

    #[test]
    fn a_cut_line_is_never_longer_than_its_bound() {
        for line in [vec![0xff; 1000], vec![b'x'; 1000], "ä€😀".repeat(300).into_bytes(), Vec::new()] {
            assert!(cut(&line).len() <= MAX_LINE);
        }
        assert_eq!(cut(b"short"), "short");
    }
}
