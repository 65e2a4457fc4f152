//! Our registry beside Debian's etcd: the same number of servers, the same
//! client, the same disk, in turns within one run.
//!
//! | module | what |
//! |---|---|
//! | [`options`] | conditions, from the command line |
//! | [`cluster`], [`replica`], [`launch`], [`ports`] | servers of either side, and that nothing is left of them |
//! | [`door`], [`our_door`], [`etcd_door`], [`etcd_messages`], [`workload`] | the client and what it asks for |
//! | [`load`], [`throughput`], [`sequential`], [`metrics`] | many clients; one client |
//! | [`outage`], [`leadership`] | a new leader, wanted and not |
//! | [`scale`], [`archive`], [`restart`] | a large state; a long audit log; all killed at once |
//! | [`soak`], [`drive`] | load without a table |

mod archive;
mod cluster;
mod door;
mod drive;
mod etcd_door;
mod etcd_messages;
mod launch;
mod leadership;
mod load;
mod metrics;
mod options;
mod our_door;
mod outage;
mod ports;
mod replica;
mod restart;
mod scale;
mod sequential;
mod soak;
mod throughput;
mod workload;

pub(crate) use options::Options;

use crate::crowded;
use crate::floor::Floor;
use crate::table::{Demand, Row};
use anyhow::{Context as _, Result, bail};
use cluster::Cluster;
use options::{Instead, Part, Side};
use std::process::Command;
use std::time::Duration;
use system_tests::binary;

/// Starting is over: rows were written for the first time, ten seconds after it,
/// and its garbage was given back after that.
const SETTLED: Duration = Duration::from_secs(15);

/// Rows of all parts, under standard conditions.
pub(crate) fn run(floor: &Floor) -> Result<Vec<Row>> {
    run_with(floor, &Options::standard())
}

/// Rows of what the options ask for. Ctrl-C and SIGTERM end it with an error,
/// once all servers and their data are gone.
pub(crate) fn run_with(floor: &Floor, options: &Options) -> Result<Vec<Row>> {
    etcd_is_there()?;
    crowded::raise_open_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // On this thread, the main one: servers are tethered to the thread that
    // starts them.
    runtime.block_on(async {
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            rows = rows(floor, options) => rows,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            _ = terminated.recv() => bail!("terminated"),
        }
    })
}

async fn rows(floor: &Floor, options: &Options) -> Result<Vec<Row>> {
    match &options.instead {
        Some(Instead::Soak { minutes }) => soak::rows(*minutes, options).await,
        Some(Instead::Archive { entries, specs }) => archive::rows(*entries, *specs, options).await,
        Some(Instead::Drive { side, what }) => drive::until_interrupted(*side, *what, options).await,
        None => table(floor, options).await,
    }
}

async fn table(floor: &Floor, options: &Options) -> Result<Vec<Row>> {
    println!("{}\n", conditions(options)?);
    let mut rows = Vec::new();
    let beside_each_other = [Part::Memory, Part::Throughput, Part::Sequential, Part::Failover, Part::Handover]
        .iter()
        .any(|p| options.wants(*p));
    if beside_each_other {
        let mut ours = Cluster::found(Side::Ours, options).await?;
        let mut etcd = Cluster::found(Side::Etcd, options).await?;
        let clusters = (&mut ours, &mut etcd);
        let failed = compare(floor, options, clusters, &mut rows).await;
        // What was measured before stays worth seeing.
        rows.extend(failed.err().map(|error| Row::failed("registry", &error)));
    }
    if options.wants(Part::Scale) {
        rows.extend(
            scale::rows(options).await.unwrap_or_else(|error| vec![Row::failed("registry, large state", &error)]),
        );
    }
    Ok(rows)
}

async fn compare(
    floor: &Floor,
    options: &Options,
    (ours, etcd): (&mut Cluster, &mut Cluster),
    rows: &mut Vec<Row>,
) -> Result<()> {
    ours.fill().await?;
    etcd.fill().await?;
    if options.wants(Part::Memory) {
        rows.push(memory("memory of all servers, 1,000 keys (PSS)", ours, etcd, Demand::ValueAtMost(40.0)).await?);
    }
    if options.wants(Part::Throughput) {
        eprintln!("  writes and reads …");
        rows.extend(throughput::rows(ours, etcd, options).await?);
    }
    if options.wants(Part::Sequential) {
        eprintln!("  one write after another …");
        rows.extend(sequential::rows(ours, etcd, options, floor).await?);
    }
    if options.wants(Part::Memory) && options.wants(Part::Throughput) {
        rows.push(memory("memory of all servers after the load (PSS)", ours, etcd, Demand::Nothing).await?);
    }
    if options.wants(Part::Failover) {
        eprintln!("  fail-overs …");
        rows.extend(leadership::failovers(ours, etcd, options).await?);
    }
    if options.wants(Part::Handover) {
        eprintln!("  hand-overs …");
        rows.extend(leadership::handovers(ours, etcd, options).await?);
    }
    Ok(())
}

/// A measure of rest: there is no event for "nothing happens any more".
async fn memory(what: &str, ours: &Cluster, etcd: &Cluster, demand: Demand) -> Result<Row> {
    tokio::time::sleep(SETTLED).await;
    let mib = |cluster: &Cluster| Ok::<_, anyhow::Error>(cluster.pss()? / f64::from(1 << 20));
    Ok(Row::rival(what, mib(ours)?, mib(etcd)?, "MiB", demand))
}

/// What holds for all rows.
fn conditions(options: &Options) -> Result<String> {
    let output = Command::new("etcd").arg("--version").output().context("cannot run etcd")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = said.split_whitespace().nth(2).unwrap_or("of unknown version").to_owned();
    let delay = match options.fsync_delay {
        Some(delay) => format!("; every fsync {} longer, by strace", humantime::format_duration(delay)),
        None => String::new(),
    };
    Ok(format!(
        "registry beside etcd: {} replicas of ours, {} of etcd {version}, default settings; {} connections; values of {} bytes, {} keys; \
         medians of {} rounds in turns{delay}",
        options.replicas(Side::Ours),
        options.replicas(Side::Etcd),
        options.connections(),
        workload::VALUE_BYTES,
        workload::KEYS,
        options.rounds,
    ))
}

/// etcd, installed if it is missing.
fn etcd_is_there() -> Result<()> {
    if replica::etcd_program().is_some() {
        return Ok(());
    }
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["run", "--quiet", "--package", "xtask", "--", "etcd"]).current_dir(binary::workspace_root());
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("etcd is missing and cannot be installed");
    }
    Ok(())
}
