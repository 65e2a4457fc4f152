//! The fields that say how a program is executed. They stand beside the other
//! fields of a process, as in a systemd unit.

use super::fields::{IO_PRIORITY, RLIMIT};
use super::mapping::{Mapping, located};
use super::report::Report;
use super::scalar::{self, Look, Wrong, cut, segment};
use super::shared::Shared;
use super::suggest::suggest;
use super::tree::{Node, Value};
use super::value::{inner, list, word};
use super::{mode, paths, size};
use crate::spec::{Execution, IoClass, IoPriority, LimitMode, Resource, ResourceLimits, Rlimit, limits};
use std::collections::BTreeMap;

/// What the fields say; `None` if they say nothing.
pub(super) fn read(fields: &Mapping<'_>, shared: &Shared<'_>, report: &mut Report) -> Option<Box<Execution>> {
    let own = env_files(fields, shared, report);
    let narrow = |value: Option<i64>| value.and_then(|value| i16::try_from(value).ok());
    let execution = Execution {
        umask: fields.read("umask", report, mode::read),
        group: fields.literal("group", report).map(str::to_owned),
        supplementary_groups: fields
            .entry("groups")
            .map(|_| list(fields, "groups", report, |item| scalar::literal(item).map(str::to_owned))),
        rlimits: rlimits(fields, report),
        nice: fields.signed("nice", report).and_then(|nice| i8::try_from(nice).ok()),
        io_priority: io_priority(fields, report),
        oom_score_adj: narrow(fields.signed("oom_score_adj", report)),
        cpu_affinity: list(fields, "cpu_affinity", report, cpus).into_iter().flatten().collect(),
        no_new_privs: fields.flag("no_new_privs", report).unwrap_or_default(),
        env_files: shared.env_files.iter().cloned().chain(own).collect(),
        base_env: BTreeMap::new(),
    };
    (!execution.is_empty()).then(|| Box::new(execution))
}

/// Absolute paths; a `-` in front stays in front.
pub(super) fn env_files(fields: &Mapping<'_>, shared: &Shared<'_>, report: &mut Report) -> Vec<String> {
    list(fields, "env_files", report, |item| {
        let text = scalar::text(item)?;
        match text.strip_prefix('-') {
            Some(optional) => paths::absolute(shared.base_dir, optional).map(|path| format!("-{path}")),
            None => paths::absolute(shared.base_dir, text),
        }
    })
}

fn io_priority(fields: &Mapping<'_>, report: &mut Report) -> Option<IoPriority> {
    const LEVEL: u8 = 4; // the kernel's own middle (ioprio_set(2))
    let class = |node: &Node| word(node, &IoClass::ALL, IoClass::as_str);
    let entry = fields.entry("io_priority")?;
    match &entry.value.value {
        Value::Mapping(_) => {
            let map = Mapping::open(&IO_PRIORITY, &entry.value, fields.field("io_priority"), entry.key_at, report)?;
            let level = map.integer("level", report).and_then(|level| u8::try_from(level).ok());
            Some(IoPriority { class: map.read("class", report, class)?, level: level.unwrap_or(LEVEL) })
        }
        Value::Scalar(_) | Value::Sequence(_) => {
            fields.read("io_priority", report, class).map(|class| IoPriority { class, level: LEVEL })
        }
    }
}

/// A CPU, or a range of them as `2-5`.
fn cpus(node: &Node) -> Result<Vec<u16>, Wrong> {
    let range = match &node.value {
        Value::Scalar(scalar) if scalar.look() == Look::Text => scalar.text.split_once('-'),
        Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => None,
    };
    let Some((from, to)) = range else {
        let cpu = scalar::integer(node, &limits::CPU_NUMBER)?;
        return Ok(u16::try_from(cpu).into_iter().collect());
    };
    let number =
        |text: &str| text.trim().parse::<u16>().ok().filter(|cpu| limits::CPU_NUMBER.contains(&u32::from(*cpu)));
    match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to => Ok((from..=to).collect()),
        _ => Err(Wrong::found(node, "write CPU numbers of 0 to 1023, and ranges as \"2-5\"")),
    }
}

fn rlimits(fields: &Mapping<'_>, report: &mut Report) -> BTreeMap<Resource, Rlimit> {
    let mut limits = BTreeMap::new();
    let Some(entry) = fields.wanted("rlimits", report) else { return limits };
    let Value::Mapping(entries) = &entry.value.value else {
        let wrong = Wrong::found(&entry.value, "write a map, as nofile: 65536");
        report.fault(entry.value.at, located(&fields.field("rlimits"), wrong));
        return limits;
    };
    for entry in entries.iter().filter(|entry| !entry.value.is_null()) {
        let field = format!("rlimits.{}", segment(&entry.key));
        let Some(resource) = Resource::ALL.into_iter().find(|resource| resource.as_str() == entry.key) else {
            inner(fields, &field, entry.key_at, unknown(&entry.key), report);
            continue;
        };
        let limit = match &entry.value.value {
            Value::Mapping(_) => {
                let map = Mapping::open(&RLIMIT, &entry.value, fields.field(&field), entry.key_at, report);
                map.and_then(|map| {
                    let (soft, hard) = (map.read("soft", report, limit), map.read("hard", report, limit));
                    Some(Rlimit { soft: soft?, hard: hard? })
                })
            }
            Value::Scalar(_) | Value::Sequence(_) => match limit(&entry.value) {
                Ok(both) => Some(Rlimit { soft: both, hard: both }),
                Err(wrong) => {
                    inner(fields, &field, entry.value.at, wrong, report);
                    None
                }
            },
        };
        limits.extend(limit.map(|limit| (resource, limit)));
    }
    limits
}

fn unknown(name: &str) -> Wrong {
    let known: Vec<&str> = Resource::ALL.iter().map(|resource| resource.as_str()).collect();
    let lower = name.to_lowercase();
    let bare = lower.strip_prefix("rlimit_").or_else(|| lower.strip_prefix("limit")).unwrap_or(&lower);
    if bare == "locks" {
        return Wrong::new("it has had no effect since Linux 2.4.25", "leave it out");
    }
    let exact = known.iter().copied().find(|known| *known == bare);
    let fix = exact
        .or_else(|| suggest(bare, &known))
        .map_or_else(|| format!("write one of {}", known.join(", ")), |meant| format!("did you mean {meant}?"));
    Wrong::new("it is no resource limit", fix)
}

/// A number, a size, or no limit.
fn limit(node: &Node) -> Result<Option<u64>, Wrong> {
    const FORM: &str = "write a number, a size as 64MiB, or unlimited";
    match &node.value {
        Value::Scalar(scalar) if scalar.text == "unlimited" || scalar.text == "infinity" => Ok(None),
        Value::Scalar(scalar) => match scalar.look() {
            // The kernel's own word for no limit is the largest number.
            Look::Number | Look::Text => size::read(node, &(0..=u64::MAX - 1)).map(Some).map_err(|wrong| {
                let known = wrong.problem.contains("out of range") || wrong.problem.contains("negative");
                if known {
                    Wrong::new(format!("{} is out of range", cut(&scalar.text)), FORM)
                } else {
                    Wrong::found(node, FORM)
                }
            }),
            Look::Null | Look::Flag(_) => Err(Wrong::found(node, FORM)),
        },
        Value::Sequence(_) | Value::Mapping(_) => Err(Wrong::found(node, FORM)),
    }
}

/// `limits`; what is left out is not limited.
pub(super) fn limits(fields: &Mapping<'_>, report: &mut Report) -> Option<Box<ResourceLimits>> {
    let map = fields.group("limits", report)?;
    let cpu = map.number("cpu", report);
    let mode = map.read("mode", report, |node| word(node, &LimitMode::ALL, LimitMode::as_str));
    Some(Box::new(ResourceLimits {
        memory: map.size("memory", report),
        cpu_millis: cpu.map(millis),
        pids: map.integer("pids", report),
        mode: mode.unwrap_or_default(),
    }))
}

/// Thousandths of CPUs. The number is in the range of the field table.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0.01 to 1024 CPUs, rounded")]
pub(super) fn millis(cpus: f64) -> u32 {
    (cpus * 1000.0).round() as u32
}
