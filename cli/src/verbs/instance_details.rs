//! Everything that is known of one instance, for people and for programs.

use super::instance_row::{Health, next, state, uptime};
use crate::error::Failure;
use crate::live::exit_text;
use crate::output::{Terminal, Tone, human};
use pm_proto::json::JsonError;
use pm_proto::v1::event::Detail;
use pm_proto::v1::exit_status::Status;
use pm_proto::v1::{Event, Instance, InstancePhase, InstanceSample};
use process_model::Timestamp;
use serde_json::{Value, json};

/// The instance, with its measurement and its newest events.
///
/// # Errors
/// Something in it cannot be JSON.
pub fn value(instance: &Instance, sample: Option<&InstanceSample>, events: &[&Event]) -> Result<Value, JsonError> {
    let mut value = pm_proto::json::to_value(instance)?;
    if let Some(fields) = value.as_object_mut() {
        if let Some(sample) = sample {
            fields.insert("sample".to_owned(), pm_proto::json::to_value(sample)?);
        }
        let events = events.iter().map(|event| pm_proto::json::to_value(*event)).collect::<Result<Vec<_>, _>>()?;
        fields.insert("events".to_owned(), json!(events));
    }
    Ok(value)
}

/// How the last run ended. Who was killed with SIGKILL was killed by somebody,
/// or by the kernel for want of memory: the event of the end knows which.
#[must_use]
pub fn last_exit(instance: &Instance, events: &[&Event]) -> Option<String> {
    let exit = instance.last_exit.as_ref()?;
    let text = exit_text(exit);
    let of_this_end = |event: &&&Event| match &event.detail {
        Some(Detail::Instance(detail)) => detail.exit.as_ref() == Some(exit),
        Some(Detail::Action(_) | Detail::Rollout(_)) | None => false,
    };
    let told = events.iter().rev().find(of_this_end).map_or("", |event| event.message.as_str());
    let starved = [told, instance.message.as_str()].iter().any(|text| text.to_lowercase().contains("out of memory"));
    let killed = matches!(exit.status, Some(Status::Signal(9)));
    Some(if killed && starved { format!("{text}: killed by the kernel, out of memory") } else { text })
}

/// What stands behind each name, in the order of reading.
#[must_use]
pub fn fields(
    terminal: &Terminal,
    instance: &Instance,
    sample: Option<&InstanceSample>,
    events: &[&Event],
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let health = Health::of(instance);
    let since = human::ago(human::time(instance.phase_time.as_ref()), now);
    let mut fields = vec![("state", format!("{} for {since}", terminal.out.paint(health.tone(), state(instance))))];
    let next = next(instance, now);
    // What rests until its time says when below.
    let says_when = health == Health::Resting && next.is_some();
    if !instance.message.is_empty() && health != Health::Well && !says_when {
        let waits = instance.message.strip_prefix("waits ").filter(|_| instance.phase() == InstancePhase::Pending);
        let name = if waits.is_some() { "waits" } else { "why" };
        fields.push((name, human::shorten(waits.unwrap_or(&instance.message), 1000)));
    }
    if !instance.status.is_empty() {
        fields.push(("says", human::shorten(&instance.status, 1000)));
    }
    if !instance.wanted {
        fields.push(("wanted", "no: it was stopped, or is not started by itself".to_owned()));
    }
    if instance.pid > 0 {
        let up = uptime(instance, now).map(|up| format!(", up {up}")).unwrap_or_default();
        fields.push(("pid", format!("{}{up}", instance.pid)));
    }
    fields.push(("restarts", instance.restarts.to_string()));
    fields.extend(last_exit(instance, events).map(|exit| ("last exit", exit)));
    if let (Some(next), Some(time)) = (next, human::time(instance.next_restart_time.as_ref())) {
        fields.push(("next", format!("{next}, at {}", human::clock(time, now))));
    }
    if !instance.containment.is_empty() {
        fields.push(("held by", containment(&instance.containment)));
    }
    if let Some(sample) = sample.filter(|sample| sample.pid == instance.pid && instance.pid > 0) {
        let text = format!(
            "cpu {:.1}%, memory {}, {}, {}, {}",
            sample.cpu_percent,
            human::bytes(sample.memory_bytes),
            human::count(sample.threads as usize, "thread", "threads"),
            human::count(sample.open_files as usize, "open file", "open files"),
            human::count(sample.processes as usize, "process", "processes"),
        );
        fields.push(("uses", text));
    }
    let node = if instance.node.is_empty() { "none yet" } else { &instance.node };
    fields.push(("node", format!("{node}, generation {}", instance.generation)));
    fields
}

/// What holds a tree together, and what that is good for.
fn containment(word: &str) -> String {
    match word {
        "cgroup-v2" => "cgroup v2: nobody of its tree can escape".to_owned(),
        "cgroup-v1" => "cgroup v1: nobody of its tree can escape".to_owned(),
        "session" => "its session: who leaves it is looked for by descent and environment".to_owned(),
        // A newer runner's word.
        other => human::shorten(other, 100),
    }
}

/// Prints it.
///
/// # Errors
/// It cannot be written.
pub fn describe(
    terminal: &Terminal,
    instance: &Instance,
    sample: Option<&InstanceSample>,
    events: &[&Event],
    now: Timestamp,
) -> Result<(), Failure> {
    terminal.line(terminal.out.paint(Tone::Title, &instance.id))?;
    fields(terminal, instance, sample, events, now)
        .into_iter()
        .try_for_each(|(name, text)| terminal.line(format_args!("  {name:<14}{text}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::ColourWish;
    use pm_proto::v1::{ExitStatus, InstanceDetail};

    fn shown(instance: &Instance, events: &[&Event]) -> String {
        let terminal = Terminal::new(&ColourWish { no_color: true, ..ColourWish::default() }, false);
        let fields = fields(&terminal, instance, None, events, Timestamp::from_parts(100, 0));
        fields.iter().map(|(name, text)| format!("{name}={text}\n")).collect()
    }

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    #[test]
    fn what_waits_says_for_what_and_until_when() {
        let waiting = Instance {
            phase: InstancePhase::Pending.into(),
            message: "waits for db-1 to be ready".to_owned(),
            wanted: true,
            ..Instance::default()
        };
        assert!(shown(&waiting, &[]).contains("waits=for db-1 to be ready"));
        let scheduled = Instance {
            phase: InstancePhase::Exited.into(),
            next_restart_time: at(280),
            wanted: true,
            ..Instance::default()
        };
        let text = shown(&scheduled, &[]);
        assert!(text.contains("next=next run in 3m, at "), "{text}");
        let failing = Instance { phase: InstancePhase::Backoff.into(), next_restart_time: at(104), ..scheduled };
        assert!(shown(&failing, &[]).contains("next=next start in 4s"), "{}", shown(&failing, &[]));
    }

    #[test]
    fn what_holds_it_and_what_it_says_of_itself_is_shown() {
        let instance = Instance {
            containment: "cgroup-v2".to_owned(),
            status: "serving 3 clients".to_owned(),
            ..Instance::default()
        };
        let text = shown(&instance, &[]);
        assert!(text.contains("says=serving 3 clients") && text.contains("held by=cgroup v2"), "{text}");
        assert!(!shown(&Instance::default(), &[]).contains("held by"));
    }

    #[test]
    fn a_kill_for_want_of_memory_is_told_from_one_by_hand() {
        let killed = || Some(ExitStatus { status: Some(Status::Signal(9)) });
        let instance = Instance { last_exit: killed(), ..Instance::default() };
        let event = |message: &str| Event {
            message: message.to_owned(),
            detail: Some(Detail::Instance(InstanceDetail { exit: killed(), ..InstanceDetail::default() })),
            ..Event::default()
        };
        let by_hand = event("ended with signal SIGKILL");
        assert_eq!(last_exit(&instance, &[&by_hand]).unwrap(), "signal SIGKILL");
        let starved = event("ended with signal SIGKILL: out of memory");
        assert!(last_exit(&instance, &[&starved]).unwrap().contains("out of memory"));
        // The newest end counts.
        assert_eq!(last_exit(&instance, &[&starved, &by_hand]).unwrap(), "signal SIGKILL");
    }
}
