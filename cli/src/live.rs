//! One line for one fact, as it happens (S2.9):
//!
//! ```text
//! 12:00:01 web-1     started with pid 123
//! 12:00:06 web-1     log grew from 0 B to 3 B
//! 12:00:36 web-1     waiting: no log activity for 30 s of 60 s
//! 12:01:06 web-1     timeout: no log activity for 60 s; restarting
//! ```

use crate::output::{Paint, Tone, human};
use pm_proto::v1::event::Detail;
use pm_proto::v1::{Event, ExitStatus};
use process_model::{InstanceId, Timestamp, event_type};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveLine {
    /// When.
    pub time: Option<Timestamp>,
    /// Whom it is about; empty when that goes without saying.
    pub subject: String,
    /// What happened.
    pub text: String,
    /// What it means.
    pub tone: Tone,
}

impl LiveLine {
    /// The line of an event.
    #[must_use]
    pub fn of_event(event: &Event) -> Self {
        let subject = [&event.instance_id, &event.process, &event.node].into_iter().find(|s| !s.is_empty());
        Self {
            time: human::time(event.time.as_ref()),
            subject: subject.map_or("registry", String::as_str).to_owned(),
            text: text(event),
            tone: tone(&event.r#type),
        }
    }

    /// The line of an event that only this process knows.
    #[must_use]
    pub fn new(time: Timestamp, instance: &InstanceId, kind: &str, message: &str) -> Self {
        let event = Event { r#type: kind.to_owned(), message: message.to_owned(), ..Event::default() };
        Self { time: Some(time), subject: instance.to_string(), text: text(&event), tone: tone(kind) }
    }

    /// The line for a terminal: the subject padded to `width`.
    #[must_use]
    pub fn render(&self, paint: Paint, width: usize, now: Timestamp) -> String {
        let time = paint.paint(Tone::Dim, human::clock(self.time.unwrap_or(now), now));
        let text = paint.paint(self.tone, human::shorten(&self.text, 500));
        if self.subject.is_empty() {
            format!("{time} {text}")
        } else {
            format!("{time} {:<width$} {text}", human::shorten(&self.subject, 80))
        }
    }
}

/// Whether the event is a step that only somebody who looks for it cares for.
#[must_use]
pub fn is_minor(event: &Event) -> bool {
    matches!(
        event.r#type.as_str(),
        event_type::ACTION_QUEUED
            | event_type::ACTION_DELIVERED
            | event_type::ACTION_DONE
            | event_type::INSTANCE_ASSIGNED
            | event_type::INSTANCE_REMOVED
    )
}

/// What the event says, led by a word for its kind where its message does not
/// begin with one.
fn text(event: &Event) -> String {
    let message = event.message.trim();
    let led = |word: &str| {
        if message.is_empty() {
            word.to_owned()
        } else if message.to_ascii_lowercase().starts_with(word) {
            message.to_owned()
        } else {
            format!("{word}: {message}")
        }
    };
    match event.r#type.as_str() {
        event_type::INSTANCE_STARTED => match pid(event) {
            Some(pid) if !message.contains(&pid.to_string()) => format!("started with pid {pid}"),
            Some(_) => message.to_owned(),
            None => led("started"),
        },
        event_type::INSTANCE_EXITED => match (message, exit(event)) {
            ("", Some(exit)) => format!("ended with {}", exit_text(exit)),
            ("", None) => "ended".to_owned(),
            (message, _) => message.to_owned(),
        },
        event_type::INSTANCE_WATCHDOG => led("timeout"),
        event_type::INSTANCE_UNHEALTHY => led("unhealthy"),
        event_type::INSTANCE_RELOADED => led("reloaded"),
        event_type::INSTANCE_STOPPING => led("stopping"),
        event_type::INSTANCE_BACKOFF => led("backoff"),
        event_type::INSTANCE_FAILED => led("failed"),
        event_type::INSTANCE_START_FAILED => led("cannot start"),
        event_type::INSTANCE_STOP_FAILED => led("cannot stop"),
        event_type::INSTANCE_LOST => led("lost"),
        kind => {
            let (about, words) = kind.split_once('.').unwrap_or(("", kind));
            let words = words.replace('_', " ");
            match &event.detail {
                // The subject stands in front already; the event's own message repeats it.
                Some(Detail::Action(action)) => {
                    let note = if action.message.is_empty() { String::new() } else { format!(": {}", action.message) };
                    format!("{} {words}{note}", crate::wait::verb_word(action.verb()))
                }
                Some(Detail::Rollout(_)) => message.to_owned(),
                Some(Detail::Instance(_)) | None if about == "process" => format!("process {words}"),
                Some(Detail::Instance(_)) | None if message.is_empty() => words,
                Some(Detail::Instance(_)) | None => message.to_owned(),
            }
        }
    }
}

fn pid(event: &Event) -> Option<u32> {
    match &event.detail {
        Some(Detail::Instance(instance)) => Some(instance.pid).filter(|pid| *pid > 0),
        Some(Detail::Action(_) | Detail::Rollout(_)) | None => None,
    }
}

fn exit(event: &Event) -> Option<&ExitStatus> {
    match &event.detail {
        Some(Detail::Instance(instance)) => instance.exit.as_ref(),
        Some(Detail::Action(_) | Detail::Rollout(_)) | None => None,
    }
}

/// How a program ended, in words.
#[must_use]
pub fn exit_text(exit: &ExitStatus) -> String {
    process_model::ExitStatus::try_from(exit).map_or_else(|_| "an unknown ending".to_owned(), |exit| exit.to_string())
}

fn tone(kind: &str) -> Tone {
    match kind {
        event_type::INSTANCE_STARTED
        | event_type::INSTANCE_READY
        | event_type::INSTANCE_ADOPTED
        | event_type::INSTANCE_RELOADED
        | event_type::NODE_READY
        | event_type::CLUSTER_CONFIRMED
        | event_type::CLUSTER_BRAKE_RELEASED
        | event_type::ACTION_DONE => Tone::Good,
        event_type::INSTANCE_EXITED
        | event_type::INSTANCE_BACKOFF
        | event_type::INSTANCE_UNREADY
        | event_type::INSTANCE_WATCHDOG
        | event_type::INSTANCE_UNHEALTHY
        | event_type::INSTANCE_LIMIT
        | event_type::INSTANCE_EXPIRED
        | event_type::INSTANCE_LOG_MATCH
        | event_type::CLUSTER_RESTORED
        | event_type::INSTANCE_FENCED
        | event_type::INSTANCE_REPLACED
        | event_type::NODE_SUSPECT
        | event_type::INSTANCE_STOPPING => Tone::Warn,
        event_type::INSTANCE_FAILED
        | event_type::INSTANCE_START_FAILED
        | event_type::INSTANCE_STOP_FAILED
        | event_type::INSTANCE_LOST
        | event_type::INSTANCE_HOOK_FAILED
        | event_type::INSTANCE_LOG_ALERT
        | event_type::INSTANCE_LOG_DEGRADED
        | event_type::NODE_LOST
        | event_type::CLUSTER_BRAKE_ENGAGED
        | event_type::ACTION_FAILED => Tone::Bad,
        event_type::ACTION_QUEUED
        | event_type::ACTION_DELIVERED
        | event_type::INSTANCE_ASSIGNED
        | event_type::INSTANCE_WAITING => Tone::Dim,
        // Also what a newer server says and this client does not know.
        _ => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_proto::v1::{InstanceDetail, exit_status::Status};

    fn event(kind: &str, message: &str, pid: u32) -> Event {
        Event {
            time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            r#type: kind.to_owned(),
            process: "web".to_owned(),
            instance_id: "web-1".to_owned(),
            message: message.to_owned(),
            detail: Some(Detail::Instance(InstanceDetail {
                pid,
                exit: Some(ExitStatus { status: Some(Status::Signal(9)) }),
                ..InstanceDetail::default()
            })),
            ..Event::default()
        }
    }

    #[test]
    fn a_start_names_its_pid_whether_the_message_has_it_or_not() {
        for message in ["", "started with pid 123"] {
            let line = LiveLine::of_event(&event(event_type::INSTANCE_STARTED, message, 123));
            assert_eq!((line.subject.as_str(), line.text.as_str()), ("web-1", "started with pid 123"));
        }
    }

    #[test]
    fn every_kind_is_led_by_its_word_once() {
        for (kind, message, expected) in [
            (
                event_type::INSTANCE_WATCHDOG,
                "no log activity for 3 s; restarting",
                "timeout: no log activity for 3 s; restarting",
            ),
            (event_type::INSTANCE_STOPPING, "SIGTERM to pid 5", "stopping: SIGTERM to pid 5"),
            (event_type::INSTANCE_EXITED, "", "ended with signal SIGKILL"),
            (event_type::INSTANCE_EXITED, "ended with exit code 1", "ended with exit code 1"),
            (event_type::INSTANCE_START_FAILED, "cannot start: exec: no such file", "cannot start: exec: no such file"),
            (event_type::INSTANCE_STOPPED, "stopped", "stopped"),
            ("instance.something_new", "", "something new"),
        ] {
            assert_eq!(LiveLine::of_event(&event(kind, message, 0)).text, expected, "{kind}");
        }
    }

    #[test]
    fn a_line_has_the_time_the_padded_subject_and_the_text() {
        let line = LiveLine::of_event(&event(event_type::INSTANCE_READY, "ready", 1));
        let now = line.time.unwrap();
        let text = line.render(Paint::off(), 8, now);
        assert!(text.ends_with(" web-1    ready") && text.as_bytes()[2] == b':', "{text}");
        assert!(line.render(Paint::on(), 8, now).contains('\u{1b}'));
    }

    #[test]
    fn a_program_cannot_write_to_the_terminal_through_a_message() {
        let line = LiveLine::of_event(&event(event_type::INSTANCE_FAILED, "x\u{1b}[2Jy\nz", 0));
        let text = line.render(Paint::off(), 0, Timestamp(0));
        assert!(!text.contains('\u{1b}') && !text.contains('\n'), "{text:?}");
    }
}
