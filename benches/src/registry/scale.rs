//! A large state: simulated runners on sessions of their own, and instances on
//! them that all run. What the registries then weigh, how soon they serve after
//! all of them were killed, how long the first page of a list takes, and a write.

use super::cluster::Cluster;
use super::options::{Options, Side};
use super::our_door::Bearer;
use super::restart;
use super::workload;
use crate::crowded;
use crate::quantile::Times;
use crate::table::{Demand, Row};
use anyhow::{Context as _, Result, ensure};
use pm_proto::v1::instance_service_client::InstanceServiceClient;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use pm_proto::v1::{ApplyProcessesRequest, ListInstancesRequest, ProcessSpec, process_spec};
use std::time::{Duration, Instant};
use system_tests::Crowd;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

/// Instances of one process, and so rows of the list that is measured: a page.
const PAGE: u32 = 1_000;
/// Lists that are taken, and writes.
const LISTS: usize = 50;

type Calls = InterceptedService<Channel, Bearer>;

/// Rows for memory, restart and list.
pub(crate) async fn rows(options: &Options) -> Result<Vec<Row>> {
    eprintln!("  a large state …");
    let mut cluster = Cluster::found(Side::Ours, options).await?;
    let leader = cluster.leader().await?;
    let wanted = (options.nodes as usize, (options.nodes * options.instances) as usize);
    let began = Instant::now();
    let crowd = Crowd::gather(cluster.invite(leader, options.nodes)?);
    crowded::until(&crowd, "all sessions begin", |seen| seen.connected == wanted.0).await?;
    let connected = began.elapsed();
    let instances = options.nodes * options.instances;
    let began = Instant::now();
    apply(cluster.channel(leader)?, instances).await?;
    crowded::until(&crowd, "all instances are reported", |seen| seen.reported >= wanted.1).await?;
    let built = began.elapsed();
    tokio::time::sleep(super::SETTLED).await;

    let before = cluster.largest()?;
    let first = lists(cluster.channel(leader)?, &ListInstancesRequest::default()).await?;
    let named = ListInstancesRequest { selectors: vec![process(0)], ..ListInstancesRequest::default() };
    let named = lists(cluster.channel(leader)?, &named).await?;
    let writes = writes(cluster.channel(leader)?).await?;
    drop(crowd);
    let restart = restart::after_kill(&mut cluster, serves).await?;
    tokio::time::sleep(super::SETTLED).await;
    let after = cluster.largest()?;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    Ok(vec![
        Row::alone(
            &format!("{} nodes × {} instances: memory of the largest registry (PSS)", options.nodes, options.instances),
            before,
            "MB",
            Demand::ValueAtMost(500.0),
        ),
        Row::alone(
            "  all killed → the first linearizable answer",
            restart.as_secs_f64(),
            "s",
            Demand::ValueAtMost(10.0),
        ),
        Row::alone("  memory of the largest after that", after, "MB", Demand::Nothing),
        Row::alone(
            &format!("  first {PAGE} of the list of all instances, p50"),
            ms(first.p50()),
            "ms",
            Demand::ValueAtMost(20.0),
        ),
        Row::alone("  p99 of it", ms(first.p99()), "ms", Demand::Nothing),
        Row::alone("  list of one process's instances, p50", ms(named.p50()), "ms", Demand::Nothing),
        Row::alone("  one write after another beside all that, p50", ms(writes.p50()), "ms", Demand::Nothing),
        Row::alone("  all sessions begun", connected.as_secs_f64(), "s", Demand::Nothing),
        Row::alone(
            "  apply → all placed, told, reported as running, committed",
            built.as_secs_f64(),
            "s",
            Demand::Nothing,
        ),
        Row::alone("  placements/s of that", f64::from(instances) / built.as_secs_f64(), "", Demand::Nothing),
    ])
}

/// Processes of a page of instances each.
async fn apply(channel: Calls, instances: u32) -> Result<()> {
    let mut client = ProcessServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let sizes = (0..instances.div_ceil(PAGE)).map(|n| (n, PAGE.min(instances - n * PAGE)));
    let specs = sizes.map(|(n, size)| ProcessSpec {
        name: process(n),
        command: Some(process_spec::Command::Shell("exec a-program --with its --usual arguments".to_owned())),
        instances: Some(size),
        ..ProcessSpec::default()
    });
    let request_id = workload::request_id(workload::next_serial());
    let request = ApplyProcessesRequest { specs: specs.collect(), request_id, ..ApplyProcessesRequest::default() };
    client.apply_processes(request).await.context("the processes of the large state are refused")?;
    Ok(())
}

fn process(n: u32) -> String {
    format!("large-{n:04}")
}

async fn lists(channel: Calls, request: &ListInstancesRequest) -> Result<Times> {
    let mut client = InstanceServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let mut times = Vec::new();
    for _ in 0..LISTS {
        let began = Instant::now();
        let answer = client.list_instances(request.clone()).await.context("the list is refused")?.into_inner();
        times.push(began.elapsed());
        ensure!(!answer.instances.is_empty(), "the list is empty");
    }
    Ok(Times::new(times))
}

/// Changes of a process without instances: what they cost besides is what the
/// others make them cost.
async fn writes(channel: Calls) -> Result<Times> {
    let mut client = ProcessServiceClient::new(channel);
    let mut times = Vec::new();
    for n in 0..LISTS {
        let spec = ProcessSpec {
            name: "beside".to_owned(),
            command: Some(process_spec::Command::Shell(format!("exec a-program {n}"))),
            instances: Some(0),
            ..ProcessSpec::default()
        };
        let request_id = workload::request_id(workload::next_serial());
        let request = ApplyProcessesRequest { specs: vec![spec], request_id, ..ApplyProcessesRequest::default() };
        let began = Instant::now();
        client.apply_processes(request).await.context("the write is refused")?;
        times.push(began.elapsed());
    }
    Ok(Times::new(times))
}

/// Whether the server at a place has the large state.
async fn serves(cluster: &Cluster, index: usize) -> Result<bool> {
    let mut client = InstanceServiceClient::new(cluster.channel(index)?).max_decoding_message_size(64 << 20);
    let request = ListInstancesRequest { selectors: vec![process(0)], ..ListInstancesRequest::default() };
    let answer = client.list_instances(request).await;
    Ok(matches!(&answer, Ok(answer) if !answer.get_ref().instances.is_empty()))
}
