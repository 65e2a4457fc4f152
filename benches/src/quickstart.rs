//! `pmctl up` of the quickstart on an empty state, until it says that all is
//! ready.

use crate::floor::Floor;
use crate::quantile::Times;
use crate::table::Row;
use anyhow::Result;
use std::time::Instant;
use system_tests::{Sandbox, binary};

const ROUNDS: usize = 5;

/// A row for the median.
pub(crate) fn run(_floor: &Floor) -> Result<Vec<Row>> {
    let file = binary::workspace_root().join("examples/quickstart.yaml").display().to_string();
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let sandbox = Sandbox::new();
        let began = Instant::now();
        let up = sandbox.up_with(&["-f", &file], &[]);
        times.push(began.elapsed());
        drop(up);
    }
    let median = Times::new(times).p50();
    Ok(vec![Row::bound("pmctl up of the quickstart to all ready, p50", median.as_secs_f64(), Some(3.0), "s")])
}
