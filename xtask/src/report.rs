//! Steps of a recipe: every one is run, the failed ones are named at the end,
//! so that one look shows all that is to be mended.

use anyhow::{Result, bail};
use std::time::Instant;

/// Collects how the steps went.
#[derive(Default)]
pub(crate) struct Report {
    failed: Vec<&'static str>,
    passed: usize,
}

impl Report {
    /// Runs one step and remembers its outcome.
    pub(crate) fn step(&mut self, name: &'static str, action: impl FnOnce() -> Result<()>) {
        println!("\n--- {name}");
        let began = Instant::now();
        let outcome = action();
        let seconds = began.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("--- {name}: ok, {seconds:.1} s");
            }
            Err(error) => {
                self.failed.push(name);
                println!("--- {name}: FAILED, {seconds:.1} s\n{error:#}");
            }
        }
    }

    /// Says how it went; an error when any step failed.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n{} steps passed, {} failed", self.passed, self.failed.len());
        if !self.failed.is_empty() {
            bail!("failed: {}", self.failed.join(", "));
        }
        Ok(())
    }
}
