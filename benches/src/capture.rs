//! 1 GiB of 100-byte lines from a program into log files, rotated, indexed and
//! compressed behind its back; floor: the same program with `| cat > file`. A
//! second run has the runner killed half-way. In both every line is looked for.

use crate::floor::Floor;
use crate::node::{Node, memory};
use crate::table::Row;
use anyhow::{Context as _, Result, bail, ensure};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use system_tests::Sandbox;

/// Lines of 100 bytes: 1 GiB.
const LINES: u64 = (1 << 30) / 100;

/// Each side is taken so often, in turns; the best of each counts: what else
/// the machine does only ever adds.
const ROUNDS: usize = 3;

/// Rows for throughput, loss and memory.
pub(crate) fn run(floor: &Floor) -> Result<Vec<Row>> {
    let (mut ours, mut cat) = (Duration::MAX, Duration::MAX);
    let mut grown: f64 = 0.0;
    for _ in 0..ROUNDS {
        cat = cat.min(piped(floor)?);
        let captured = captured(floor, false)?;
        ours = ours.min(captured.time);
        grown = grown.max(captured.grown);
    }
    let killed = captured(floor, true)?;
    Ok(vec![
        Row::ratio("1 GiB of 100-byte lines captured", ours, cat, Some(1.3)),
        // Both counted line by line: a loss is an error, which is shown instead.
        Row::ratio("  the same with the runner killed half-way, 0 lines lost", killed.time, cat, None),
        Row::bound("  memory that the keeper grows by", grown.max(killed.grown) / 1024.0, Some(1024.0), "KiB"),
    ])
}

fn fifo(path: &Path) -> Result<()> {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .context("cannot make a FIFO")
}

/// `program | cat > file`.
fn piped(floor: &Floor) -> Result<Duration> {
    let sandbox = Sandbox::new();
    let go = sandbox.file("go");
    fifo(Path::new(&go))?;
    let line = format!("'{}' {LINES} '{go}' | cat > '{}'", floor.word("firehose"), sandbox.file("out"));
    let mut shell = Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).spawn().context("cannot run sh")?;
    // Opened when the program has, too.
    let opened = File::options().write(true).open(&go).context("cannot open the FIFO")?;
    let began = Instant::now();
    ensure!(shell.wait()?.success(), "the floor failed");
    drop(opened);
    let time = began.elapsed();
    let len = std::fs::metadata(sandbox.file("out"))?.len();
    ensure!(len == LINES * 100, "the floor wrote {len} bytes");
    Ok(time)
}

struct Captured {
    time: Duration,
    /// Bytes of anonymous memory that the keeper has more afterwards.
    grown: f64,
}

fn captured(floor: &Floor, kill: bool) -> Result<Captured> {
    let sandbox = Sandbox::new();
    let mut node = Node::start(&sandbox, &[]);
    let go = sandbox.file("go");
    fifo(Path::new(&go))?;
    let document = format!(
        "processes:\n  hose:\n    command: ['{}', '{LINES}', '{go}']\n    restart: never\n    logs: {{max_files: 100}}\n",
        floor.word("firehose")
    );
    node.run(&document, 1)?;
    let api = node.cluster.api();
    let keeper = node.own()[1];
    let before = memory(keeper, "Anonymous")?;
    let mut events = api.events_from(api.revision() + 1);
    let opened = File::options().write(true).open(&go).context("cannot open the FIFO")?;
    let began = Instant::now();
    if kill {
        std::thread::sleep(Duration::from_millis(400));
        node.runner.kill_9();
        node.runner = node.cluster.runner();
    }
    let _ = events.wait_for("the end of the program", |event| event.r#type == "instance.exited");
    let time = began.elapsed();
    drop(opened);
    let grown = (memory(keeper, "Anonymous")? - before).max(0.0);
    count(&sandbox, &node)?;
    Ok(Captured { time, grown })
}

/// Reads everything back, across all files: each line once, in order.
fn count(sandbox: &Sandbox, node: &Node<'_>) -> Result<()> {
    let (endpoint, token) = (node.cluster.url(0), sandbox.file("admin.token"));
    let own = ["--endpoint", &endpoint, "--token-file", &token, "logs", "hose", "--stream", "stdout"];
    let mut logs = sandbox.command(&own);
    let mut child = logs.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot run pmctl")?;
    let Some(stdout) = child.stdout.take() else { bail!("no output") };
    let (mut reader, mut line, mut next) = (BufReader::with_capacity(1 << 20, stdout), Vec::new(), 0_u64);
    while reader.read_until(b'\n', &mut line)? > 0 {
        let number: u64 =
            std::str::from_utf8(line.get(..12).unwrap_or_default())?.parse().context("a line without number")?;
        ensure!(number == next && line.len() == 100, "line {next} is {number}, of {} bytes", line.len());
        next += 1;
        line.clear();
    }
    ensure!(child.wait()?.success(), "pmctl logs failed");
    ensure!(next == LINES, "{next} of {LINES} lines are there");
    Ok(())
}
