//! What clients ask for, by chance.

use crate::judge::MAY_RUN_TWICE;
use crate::rig::Dice;
use process_model::spec::{Backoff, Command as Program, Placement, RestartMode, Singleton};
use process_model::{ActionVerb, ProcessSpec};
use registry_domain::{Apply, Order, Rollback, Switch};
use std::sync::Arc;
use std::time::Duration;

/// Few names, so that clients get into each other's way.
const NAMES: &[&str] = &["api", "batch", "db", SINGLETON, MAY_RUN_TWICE];
/// The one whose instances are singletons.
const SINGLETON: &str = "mail";

/// A wish of a client.
pub(crate) fn wish(dice: &Dice, reason: &str) -> Order {
    let name = dice.one_of(NAMES);
    match dice.between(0, 9) {
        0..=3 => apply(dice, vec![spec(dice, name, reason)]),
        4 => {
            let other = dice.one_of(NAMES);
            let specs = if other == name { vec![name] } else { vec![name, other] };
            apply(dice, specs.into_iter().map(|name| spec(dice, name, reason)).collect())
        }
        5 => Order::Delete { selectors: vec![name.to_owned()] },
        6..=8 => {
            use ActionVerb::{Reload, Restart, Start, Stop};
            let verb = dice.one_of(&[Start, Stop, Restart, Restart, Reload]);
            let selectors = vec![name.to_owned()];
            Order::Switch(Switch { verb, selectors, stop_timeout: None, traceparent: String::new() })
        }
        _ => {
            let process = name.parse().unwrap();
            Order::Rollback(Rollback { process, to: None, expected: None, traceparent: String::new() })
        }
    }
}

fn apply(dice: &Dice, specs: Vec<ProcessSpec>) -> Order {
    // Sometimes what it was seen to be is demanded, mostly in vain.
    let expects = dice.permille(150);
    let expected = specs.first().filter(|_| expects).map(|spec| (spec.name.to_string(), dice.between(0, 3)));
    let specs = specs.into_iter().map(Arc::new).collect();
    Order::Apply(Apply { specs, generations: expected.into_iter().collect(), ..Apply::default() })
}

fn spec(dice: &Dice, name: &str, reason: &str) -> ProcessSpec {
    let mut spec = ProcessSpec::new(name.parse().unwrap(), Program::Shell(format!("run {name}")));
    spec.instances = dice.between(0, 3) as u32;
    // What no other request wishes, so that every request changes something; some of it asks for another start.
    spec.env.insert("WISH".to_owned(), reason.to_owned());
    spec.restart.mode = dice.one_of(&[RestartMode::Always, RestartMode::OnFailure, RestartMode::Never]);
    spec.restart.backoff = Backoff { initial: Duration::from_millis(100), ..Backoff::default() };
    spec.stop.timeout = Duration::from_millis(300);
    if name == SINGLETON {
        // As short as it may be.
        spec.singleton = Some(Box::new(Singleton { lease: Duration::from_secs(5) }));
        spec.stop.kill_timeout = Duration::from_millis(300);
        spec.instances = spec.instances.min(1);
    }
    if [SINGLETON, MAY_RUN_TWICE].contains(&name) {
        let least = spec.fence().unwrap_or_default();
        let replace_after = Some(least + Duration::from_millis(dice.between(0, 700)));
        spec.placement = Some(Box::new(Placement { replace_after, ..Placement::default() }));
    }
    spec
}
