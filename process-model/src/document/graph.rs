//! What the processes of a file want of each other: circles are faults, what
//! is not in the file is a warning, because it may be registered already.

use super::locate;
use super::mapping::Mapping;
use super::report::Report;
use super::suggest::suggest;
use super::tree::Position;
use crate::spec::{Condition, Dependency, Fault, RestartMode};
use crate::{ProcessName, ProcessSpec};
use std::collections::BTreeMap;

/// Names of a circle that a message holds.
const SHOWN: usize = 8;
/// Words that are compared with every name of the file.
const GUESSES: usize = 20;

/// Reports on the dependencies of all processes of the file.
pub(super) fn check(processes: &[(ProcessSpec, Mapping<'_>)], report: &mut Report) {
    let mut index: BTreeMap<&ProcessName, usize> = BTreeMap::new();
    for (at, (spec, _)) in processes.iter().enumerate() {
        index.entry(&spec.name).or_insert(at);
    }
    outside(processes, &index, report);
    circles(processes, &index, report);
}

fn place(fields: &Mapping<'_>, dependency: &Dependency, problem: String, fix: String) -> (Position, Fault) {
    locate::place(Fault::new(format!("depends_on.{}", dependency.process), problem, fix), fields)
}

/// What is not in the file, or never gets where it is waited for.
fn outside(processes: &[(ProcessSpec, Mapping<'_>)], index: &BTreeMap<&ProcessName, usize>, report: &mut Report) {
    let mut guesses = 0;
    for (spec, fields) in processes {
        for dependency in &spec.depends_on {
            let name = dependency.process.as_str();
            let Some((other, _)) = index.get(&dependency.process).and_then(|at| processes.get(*at)) else {
                guesses += 1;
                let names: Vec<&str> = index.keys().map(|name| name.as_str()).collect();
                let meant = if guesses <= GUESSES { suggest(name, &names) } else { None };
                let fix = meant.map_or_else(
                    || format!("apply {name} too, or {} waits for ever", spec.name),
                    |meant| format!("did you mean {meant}?"),
                );
                let (at, warning) = place(fields, dependency, format!("{name} is not in this file"), fix);
                report.warn(at, warning);
                continue;
            };
            let ends = matches!(dependency.condition, Condition::Completed | Condition::CompletedOk);
            let returns = match other.restart.mode {
                RestartMode::Always | RestartMode::UnlessStopped => other.restart.codes.never_restart.is_empty(),
                RestartMode::OnFailure | RestartMode::Never => false,
            };
            if ends && returns {
                let problem = format!("{name} is always restarted, so that it is never complete");
                let fix = format!("write restart: never, or on-failure, for {name}");
                let (at, warning) = place(fields, dependency, problem, fix);
                report.warn(at, warning);
            }
        }
    }
}

/// Where a walk along the dependencies is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Every dependency that closes a circle. Each is walked along once, without
/// recursion: a chain may be as long as the file.
fn circles(processes: &[(ProcessSpec, Mapping<'_>)], index: &BTreeMap<&ProcessName, usize>, report: &mut Report) {
    let mut marks = vec![Mark::New; processes.len()];
    for start in 0..processes.len() {
        if marks.get(start) != Some(&Mark::New) {
            continue;
        }
        // The way so far: a process, and how many of its dependencies are done.
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        set(&mut marks, start, Mark::Open);
        while let Some((at, next)) = way.last_mut() {
            let at = *at;
            let Some((spec, fields)) = processes.get(at) else { break };
            let Some(dependency) = spec.depends_on.get(*next) else {
                set(&mut marks, at, Mark::Done);
                way.pop();
                continue;
            };
            *next += 1;
            // A process that depends on itself is refused by its own rules.
            let Some(other) = index.get(&dependency.process).copied().filter(|other| *other != at) else { continue };
            match marks.get(other) {
                Some(Mark::New) => {
                    set(&mut marks, other, Mark::Open);
                    way.push((other, 0));
                }
                Some(Mark::Open) => {
                    let circle = way.iter().skip_while(|(on, _)| *on != other).map(|(on, _)| *on);
                    let problem = format!("it goes round in a circle: {}", show(circle, other, processes));
                    let (at, fault) = place(fields, dependency, problem, "leave one of them out".to_owned());
                    report.fault(at, fault);
                }
                Some(Mark::Done) | None => {}
            }
        }
    }
}

fn set(marks: &mut [Mark], at: usize, mark: Mark) {
    if let Some(slot) = marks.get_mut(at) {
        *slot = mark;
    }
}

/// The names of a circle, from one back to itself.
fn show(circle: impl Iterator<Item = usize>, end: usize, processes: &[(ProcessSpec, Mapping<'_>)]) -> String {
    let mut text = String::new();
    for (count, at) in circle.chain([end]).enumerate() {
        if count > SHOWN {
            text.push_str(" → …");
            break;
        }
        if count > 0 {
            text.push_str(" → ");
        }
        text.push_str(processes.get(at).map_or("?", |(spec, _)| spec.name.as_str()));
    }
    text
}
