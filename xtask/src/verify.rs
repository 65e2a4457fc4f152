//! `cargo xtask verify`: every check that runs no product code. Never writes
//! outside the target directory; `--locked` keeps Cargo.lock as it is.

use crate::exec;
use crate::policy;
use crate::report::Report;
use crate::tools::{buf, deny};
use crate::workspace::Workspace;
use anyhow::Result;

/// Runs all checks; the error names those that failed.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut report = Report::default();
    report.step("formatting", || exec::run(&mut workspace.cargo(&["fmt", "--all", "--", "--check"])));
    report.step("policy", || policy::check(workspace));
    report.step("contract: lint and format", || buf::lint(workspace));
    report.step("contract: compatible with the baseline", || buf::breaking(workspace));
    report.step("dependencies and licences", || deny::check(workspace));
    report.step("lints", || {
        let args = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        exec::run(&mut workspace.cargo(&args))
    });
    report.step("documentation", || {
        let args = ["doc", "--workspace", "--no-deps", "--locked"];
        exec::run(workspace.cargo(&args).env("RUSTDOCFLAGS", "-D warnings"))
    });
    report.finish()
}
