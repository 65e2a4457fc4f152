//! kill -9 of the runner; start of the next one → every one of 1,000 instances
//! is adopted, as the registry hears it.

use crate::floor::Floor;
use crate::node::{Node, idle};
use crate::table::Row;
use anyhow::{Result, ensure};
use std::time::Instant;
use system_tests::Sandbox;

const INSTANCES: usize = 1_000;

/// A row for the whole.
pub(crate) fn run(floor: &Floor) -> Result<Vec<Row>> {
    let sandbox = Sandbox::new();
    let mut node = Node::start(&sandbox, &[]);
    node.run(&idle(&floor.word("idle"), INSTANCES), INSTANCES)?;
    let api = node.cluster.api();
    let before: Vec<u32> = api.instances().iter().map(|instance| instance.pid).collect();
    let mut events = api.events_from(api.revision() + 1);
    node.runner.kill_9();
    let began = Instant::now();
    node.runner = node.cluster.runner();
    for _ in 0..INSTANCES {
        let _ = events.wait_for("an adoption", |event| event.r#type == "instance.adopted");
    }
    let time = began.elapsed();
    let after: Vec<u32> = api.instances().iter().map(|instance| instance.pid).collect();
    ensure!(before == after, "instances were started anew instead of adopted");
    Ok(vec![Row::bound("runner restart with 1,000 instances, all adopted", time.as_secs_f64(), Some(1.0), "s")])
}
