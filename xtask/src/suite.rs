//! `cargo xtask test`: what the tests need is made ready, everything is built
//! once (dev profile), every test runs. Nothing is skipped: a component that
//! cannot be had is an error, and so is a test that is switched off.

use crate::exec;
use crate::tally::Tally;
use crate::tools;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result, bail};
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::process::{Command, Stdio};

/// Ends with one line: `N passed, N failed`.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    println!("--- tools for the tests");
    let python = tools::of_tests(workspace)?;

    println!("\n--- build");
    println!("free on the disk of the target directory: {}", free(workspace)?);
    // The system tests start the binaries, so those have to be there first; a
    // build of all targets is the same work that `cargo test` would do next.
    exec::run(&mut workspace.cargo(&["build", "--workspace", "--all-targets", "--locked"]))?;

    println!("\n--- tests");
    println!("free on the disk of the target directory: {}", free(workspace)?);
    let mut command = workspace.cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    command.env("PM_TEST_PYTHON", &python).stdin(Stdio::null()).stdout(Stdio::piped());
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    println!("$ {}", exec::shown(&command));
    let mut child = command.spawn().context("cannot run cargo test")?;
    let output = child.stdout.take().context("cargo test has no standard output")?;
    let tally = shown_and_counted(output)?;
    let status = child.wait().context("cannot wait for cargo test")?;

    println!("\nfree on the disk of the target directory: {}", free(workspace)?);
    println!("{tally}");
    if tally.switched_off > 0 {
        bail!("{} tests are switched off: a test that does not run proves nothing", tally.switched_off);
    }
    if tally.passed == 0 {
        bail!("not one test ran");
    }
    if !status.success() || tally.failed > 0 {
        bail!("`cargo test` failed: {status}");
    }
    Ok(())
}

/// What is left of the disk, so that tests which fail for want of it are known by their log: a build takes about 10 GiB,
/// the images and file systems of the tests two at a time.
fn free(workspace: &Workspace) -> Result<String> {
    let mut command = Command::new("df");
    command.args(["--human-readable", "--output=avail"]).arg(workspace.target());
    let table = String::from_utf8(exec::read(&mut command)?).context("df writes what is no text")?;
    Ok(table.lines().last().unwrap_or_default().trim().to_owned())
}

/// Passes the output on as it comes and counts its results.
fn shown_and_counted(output: impl std::io::Read) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    let mut stdout = std::io::stdout().lock();
    loop {
        line.clear();
        // Bytes, not text: a test may print what is no UTF-8.
        if reader.read_until(b'\n', &mut line).context("cannot read the output of cargo test")? == 0 {
            return Ok(tally);
        }
        stdout.write_all(&line).and_then(|()| stdout.flush()).context("cannot write to standard output")?;
        tally.add(&String::from_utf8_lossy(&line));
    }
}
