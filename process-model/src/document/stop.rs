//! `stop`: signal and times, or steps.

use super::command;
use super::fields::STEP;
use super::mapping::{Mapping, located};
use super::report::Report;
use super::scalar::{Wrong, cut};
use super::tree::{Node, Value};
use super::value::word;
use crate::spec::limits::default;
use crate::spec::{Fault, Hook, Hooks, Scope, Signal, StopPolicy, StopStep};

/// The policy; the default of what is not there or not right.
pub(super) fn read(fields: &Mapping<'_>, report: &mut Report) -> StopPolicy {
    let default = StopPolicy::default();
    let Some(stop) = fields.group("stop", report) else { return default };
    let steps = steps(&stop, report);
    if !steps.is_empty() {
        for name in ["signal", "timeout"] {
            if let Some(entry) = stop.entry(name) {
                let fix = "leave it out, or write it as a step";
                report.warn(entry.key_at, Fault::new(stop.field(name), "the steps take its place", fix));
            }
        }
    }
    StopPolicy {
        signal: signal(&stop, report).unwrap_or(default.signal),
        timeout: stop.duration("timeout", report).unwrap_or(default.timeout),
        kill_timeout: stop.duration("kill_timeout", report).unwrap_or(default.kill_timeout),
        steps,
    }
}

fn signal(map: &Mapping<'_>, report: &mut Report) -> Option<Signal> {
    let text = map.literal("signal", report)?;
    let known = text.parse::<Signal>().map_err(|_| {
        Wrong::new(format!("{:?} is no signal", cut(text)), "write a name as SIGTERM or a number from 1 to 31")
    });
    map.read("signal", report, |_| known)
}

fn steps(stop: &Mapping<'_>, report: &mut Report) -> Vec<StopStep> {
    let Some(entry) = stop.wanted("steps", report) else { return Vec::new() };
    let Value::Sequence(items) = &entry.value.value else {
        let wrong = Wrong::found(&entry.value, "write a list, as [{signal: SIGINT, wait: 10s}]");
        report.fault(entry.value.at, located(&stop.field("steps"), wrong));
        return Vec::new();
    };
    let read = |(index, item)| step(stop.field(&format!("steps[{index}]")), item, report);
    items.iter().enumerate().filter_map(read).collect()
}

fn step(path: String, item: &Node, report: &mut Report) -> Option<StopStep> {
    const SCOPES: [(&str, Scope); 2] = [("tree", Scope::Tree), ("main", Scope::Main)];
    let map = Mapping::open(&STEP, item, path, item.at, report)?;
    let (signal, wait) = (signal(&map, report), map.duration("wait", report));
    let to = map.read("to", report, |node| word(node, &SCOPES, |(word, _)| word)).map(|(_, scope)| scope);
    let (run, timeout) = (command::read(&map, "run", report), map.duration("timeout", report));
    match (map.entry("signal"), map.entry("run"), map.entry("wait")) {
        (Some(_), Some(run), _) => {
            report.fault(run.key_at, Fault::new(map.field("run"), "it is given beside signal", "write two steps"));
            None
        }
        (None, Some(_), Some(wait)) => {
            let fault = Fault::new(map.field("wait"), "it is given beside run", "write timeout, or two steps");
            report.fault(wait.key_at, fault);
            None
        }
        (Some(_), None, _) => Some(StopStep::Signal {
            signal: signal?,
            to: to.unwrap_or_default(),
            wait: wait.unwrap_or(default::STOP_TIMEOUT),
        }),
        (None, Some(_), None) => {
            Some(StopStep::Hook(Hook { command: run?, timeout: timeout.unwrap_or(default::HOOK_TIMEOUT) }))
        }
        (None, None, Some(_)) => wait.map(StopStep::Wait),
        (None, None, None) => {
            report.fault(map.at, Fault::new(map.path.clone(), "it does nothing", "write signal, run or wait"));
            None
        }
    }
}

/// `hooks`; `None` if there is none.
pub(super) fn hooks(fields: &Mapping<'_>, report: &mut Report) -> Option<Box<Hooks>> {
    let map = fields.group("hooks", report)?;
    let hooks = Hooks {
        pre_start: command::hook(&map, "pre_start", report),
        post_start: command::hook(&map, "post_start", report),
        reload: command::hook(&map, "reload", report),
        pre_stop: command::hook(&map, "pre_stop", report),
        post_stop: command::hook(&map, "post_stop", report),
    };
    (!hooks.is_empty()).then(|| Box::new(hooks))
}
