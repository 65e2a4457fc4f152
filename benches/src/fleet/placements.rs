//! Placements: a request is answered once its entry is committed by a majority
//! and applied; a placement counts once the runner of its node was told.

use super::options::Options;
use crate::crowded;
use crate::table::{Demand, Row};
use anyhow::{Context as _, Result, ensure};
use pm_proto::v1::process_service_client::ProcessServiceClient;
use pm_proto::v1::{ApplyProcessesRequest, ProcessSpec, process_spec};
use std::time::{Duration, Instant};
use system_tests::{Crowd, Sandbox, Trusted};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Processes of one request.
const PROCESSES: u32 = 100;
/// Clients that place one instance after the other, and how many they place.
const CLIENTS: u32 = 64;
const SINGLES: u32 = 5_000;

/// What one round took.
struct Round {
    acknowledged: Duration,
    told: Duration,
    reported: Duration,
}

/// Rows for large requests and for small ones. `decided`: what deciding alone
/// comes to.
pub(super) async fn rows(options: &Options, decided: Option<f64>) -> Result<Vec<Row>> {
    let sandbox = Sandbox::new();
    let fleet = Trusted::started(&sandbox, &["--heartbeat-interval", "1s"]);
    let crowd = Crowd::gather(fleet.invite(options.nodes as usize));
    crowded::until(&crowd, "all nodes are connected", |seen| seen.connected == crowd.size()).await?;
    let mut rounds = Vec::new();
    for round in 0..options.rounds {
        rounds.push(large(&fleet, &crowd, round, options.instances).await?);
    }
    let singles = singles(&fleet, &crowd).await?;
    ensure!(crowd.counts().told_lost == 0, "invalid: nodes were lost: {:?}", crowd.counts());
    let median = |time: fn(&Round) -> Duration| {
        let mut times: Vec<Duration> = rounds.iter().map(time).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    let rate = |count: u32, time: Duration| f64::from(count) / time.as_secs_f64();
    let title = format!(
        "committed placements/s, 3 replicas: one request for {} instances on {} connected nodes, until every runner was told",
        options.instances, options.nodes
    );
    let told = rate(options.instances, median(|round| round.told));
    let reported = rate(options.instances, median(|round| round.reported));
    let acknowledged = median(|round| round.acknowledged).as_secs_f64() * 1000.0;
    Ok(vec![
        Row::rival(&title, told, decided, "/s", Demand::ValueAtLeast(5_000.0)),
        Row::rival("  of that, until the request was answered", acknowledged, None, "ms", Demand::Nothing),
        Row::rival("  until all were reported as running, and that committed", reported, None, "/s", Demand::Nothing),
        Row::rival(
            &format!("  one instance in each request, {CLIENTS} clients"),
            rate(SINGLES, singles),
            decided,
            "/s",
            Demand::Nothing,
        ),
    ])
}

fn request(names: impl Iterator<Item = String>, instances: u32) -> ApplyProcessesRequest {
    let spec = |name| ProcessSpec {
        name,
        command: Some(process_spec::Command::Shell("exec a-program --with its --usual arguments".to_owned())),
        instances: Some(instances),
        ..ProcessSpec::default()
    };
    let request_id = Uuid::new_v4().to_string();
    ApplyProcessesRequest { specs: names.map(spec).collect(), request_id, ..ApplyProcessesRequest::default() }
}

/// One request for many.
async fn large(fleet: &Trusted<'_>, crowd: &Crowd, round: u32, instances: u32) -> Result<Round> {
    let mut client = ProcessServiceClient::new(fleet.operator());
    let request = request((0..PROCESSES).map(|n| format!("round-{round:02}-{n:03}")), instances / PROCESSES);
    let before = crowd.counts();
    let wanted = (instances / PROCESSES * PROCESSES) as usize;
    let began = Instant::now();
    let apply = async {
        client.apply_processes(request).await.context("the request is refused")?;
        Ok::<_, anyhow::Error>(began.elapsed())
    };
    let told = crowded::until(crowd, "every runner was told", |seen| seen.assigned >= before.assigned + wanted);
    let (acknowledged, told) = tokio::join!(apply, told);
    let reported = |seen: &system_tests::Counts| seen.reported >= before.reported + wanted;
    let reported = crowded::until(crowd, "all were reported", reported).await?;
    Ok(Round {
        acknowledged: acknowledged?,
        told: told?.duration_since(began),
        reported: reported.duration_since(began),
    })
}

/// Many requests for one each; until all runners were told.
async fn singles(fleet: &Trusted<'_>, crowd: &Crowd) -> Result<Duration> {
    let before = crowd.counts().assigned;
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let mut service = ProcessServiceClient::new(fleet.operator());
        clients.spawn(async move {
            for n in (client..SINGLES).step_by(CLIENTS as usize) {
                let request = request(std::iter::once(format!("single-{n:05}")), 1);
                service.apply_processes(request).await.context("a small request is refused")?;
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let all = before + SINGLES as usize;
    Ok(crowded::until(crowd, "all single ones were told", |seen| seen.assigned >= all).await?.duration_since(began))
}
