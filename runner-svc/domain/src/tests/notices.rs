//! What is told of a run beside its life.

use super::world::{running, spec};
use crate::{Input, RunId};
use process_model::event_type;
use process_model::spec::{LogAction, RestartMode};

#[test]
fn limits_and_trouble_with_output_are_told_of_the_run_that_there_is() {
    let mut world = running(spec(RestartMode::Always));
    let run = world.current();
    world.step(Input::LimitReached { run, message: "would have been killed above 64 MiB".into() });
    world.step(Input::LogTrouble { run, message: "No space left on device".into(), dropped: 0 });
    assert_eq!(world.told(event_type::INSTANCE_LIMIT), Some("would have been killed above 64 MiB"));
    assert_eq!(world.told(event_type::INSTANCE_LOG_DEGRADED), Some("No space left on device"));
    world.step(Input::LogTrouble { run, message: String::new(), dropped: 12 });
    assert_eq!(world.told(event_type::INSTANCE_LOG_DEGRADED), Some("output is written again; 12 bytes are missing"));
    let told = world.reports.len();
    world.step(Input::LimitReached { run: RunId(999), message: "x".into() });
    world.step(Input::LogTrouble { run: RunId(999), message: "x".into(), dropped: 0 });
    assert_eq!(world.reports.len(), told, "an older run's");
}

#[test]
fn the_last_words_of_a_program_are_told_after_its_end_and_restart_nothing() {
    let mut world = running(spec(RestartMode::Never));
    let run = world.current();
    world.exits(1, true);
    for action in LogAction::ALL {
        world.step(Input::LogMatched { run, rule: "r".into(), action, line: "panic".into(), suppressed: 0 });
    }
    assert_eq!(world.told(event_type::INSTANCE_LOG_ALERT), Some("rule r: panic"));
    assert_eq!((world.spawns, world.has_failed()), (1, true));
}
