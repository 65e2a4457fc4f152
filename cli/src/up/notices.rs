//! The runner's own news as lines (S2.9).

use crate::live::LiveLine;
use crate::output::Tone;
use runner_svc::{Notice, NoticeKind};

/// Lifecycle events come from the registry, in their order and with their
/// revision. Of silence, the second half of the wait is news.
pub(super) fn is_worth_a_line(notice: &Notice) -> bool {
    match &notice.kind {
        NoticeKind::Lifecycle { .. } => false,
        NoticeKind::LogQuiet { silence, timeout } => *silence * 2 >= *timeout,
        NoticeKind::LogGrew { .. } | NoticeKind::LogChanged | NoticeKind::LogUnreadable | NoticeKind::LogPolled => true,
    }
}

/// The line of a notice.
#[must_use]
pub fn line_of_notice(notice: &Notice) -> LiveLine {
    let tone = match &notice.kind {
        NoticeKind::Lifecycle { event } => return LiveLine::new(notice.time, &notice.instance, event, &notice.text),
        NoticeKind::LogGrew { .. } | NoticeKind::LogChanged => Tone::Dim,
        NoticeKind::LogQuiet { .. } | NoticeKind::LogUnreadable | NoticeKind::LogPolled => Tone::Warn,
    };
    LiveLine { time: Some(notice.time), subject: notice.instance.to_string(), text: notice.text.clone(), tone }
}
