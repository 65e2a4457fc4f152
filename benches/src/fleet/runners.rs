//! Thousands of runners that show each second that they live: what the leader
//! spends on them, and what becomes of them when it is killed.

use super::SETTLED;
use super::options::Options;
use crate::crowded;
use crate::node::{memory, processor_time};
use crate::table::{Demand, Row};
use anyhow::{Context as _, Result};
use pm_proto::v1::ListEventsRequest;
use pm_proto::v1::event_service_client::EventServiceClient;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use system_tests::{Crowd, Sandbox, Trusted};

/// How many runners a registry receives in a second, and at once.
const RECEIVED: u32 = 500;
const AT_ONCE: u32 = 100;
/// Lease of a node.
const LEASE: Duration = Duration::from_secs(10);
/// Between two looks at the replicas while everybody comes back, and how many are a second.
const LOOK: Duration = Duration::from_millis(200);
const SECOND: usize = 5;

/// Processor time of each replica at a moment.
type Spent = (Instant, BTreeMap<String, Duration>);

/// Rows for quiet, memory and a failover.
pub(super) async fn rows(options: &Options) -> Result<Vec<Row>> {
    let sandbox = Sandbox::new();
    let mut fleet = Trusted::started(&sandbox, &["--heartbeat-interval", "1s"]);
    let all = options.runners as usize;
    tokio::time::sleep(SETTLED).await;
    let empty: BTreeMap<String, f64> = replicas(&fleet, "Pss")?;
    let invited = fleet.invite(all);
    let began = Instant::now();
    let crowd = Crowd::gather(invited);
    let connected = crowded::until(&crowd, "everybody is connected", |seen| seen.connected == all).await?;
    let leader = fleet.leader().context("nobody has the sessions")?;
    let early = events(&fleet, "node.suspect").await?;
    tokio::time::sleep(2 * SETTLED).await;
    let full = memory(fleet.pid(&leader), "Pss")?;
    let each = (full - empty.get(&leader).copied().unwrap_or_default()) / f64::from(options.runners) / 1024.0;

    let (before, beats) = (spent(&fleet)?, crowd.heartbeats());
    tokio::time::sleep(options.window).await;
    let (after, beats) = (spent(&fleet)?, crowd.heartbeats() - beats);
    let lasted = after.0.duration_since(before.0);
    let cores = |name: &String| cores(&before, &after, name);
    let (leads, together) = (cores(&leader), before.1.keys().map(cores).sum::<f64>());

    let failover = Failover::watch(&mut fleet, &crowd, &leader).await?;
    // Everybody's lease of the new leader would be over by then, and the time that all had to come.
    tokio::time::sleep(LEASE + Duration::from_secs(1) + Duration::from_secs(2) * (options.runners / RECEIVED)).await;
    let (lost, suspected) = (events(&fleet, "node.lost").await?, events(&fleet, "node.suspect").await?);
    let title = format!("{all} runners (gRPC over mTLS), a heartbeat each second: the leader");
    let mut rows = vec![
        Row::alone(&title, leads, "processors", Demand::ValueAtMost(1.0)),
        Row::alone("  heartbeats answered", beats as f64 / lasted.as_secs_f64(), "/s", Demand::Nothing),
        Row::alone("  all three replicas", together, "processors", Demand::Nothing),
        Row::alone(
            "  everybody connected, all at once",
            connected.duration_since(began).as_secs_f64(),
            "s",
            Demand::Nothing,
        ),
        Row::alone("  memory of the leader for each connected runner (PSS)", each, "KiB", Demand::ValueAtMost(64.0)),
        Row::alone(
            "  nodes wrongly lost, in quiet and after kill -9 of the leader",
            lost,
            "",
            Demand::ValueAtMost(0.0),
        ),
        Row::alone("  nodes suspected while everybody connected at once", early, "", Demand::Nothing),
        Row::alone("  nodes suspected after that", suspected - early, "", Demand::Nothing),
    ];
    rows.extend(failover.rows());
    Ok(rows)
}

/// What came after the leader's death.
struct Failover {
    /// When everybody was back.
    back: Duration,
    sent_away: usize,
    /// Runners that the new leader received, by its own count: in each second, and the most in any.
    received: Vec<u64>,
    most: f64,
    /// Processors in the busiest second of the new leader.
    busiest: f64,
}

impl Failover {
    /// Kills the leader and waits until everybody is back.
    async fn watch(fleet: &mut Trusted<'_>, crowd: &Crowd, leader: &str) -> Result<Self> {
        let before = crowd.counts();
        let killed = Instant::now();
        fleet.kill(leader);
        let all = crowd.size();
        let back = crowded::until(crowd, "everybody is back", |seen| {
            seen.connected == all && seen.welcomed >= before.welcomed + all
        });
        tokio::pin!(back);
        let mut looks = vec![(spent(fleet)?, received(fleet))];
        let mut look = tokio::time::interval_at(tokio::time::Instant::now() + LOOK, LOOK);
        loop {
            tokio::select! {
                back = &mut back => {
                    back?;
                    break;
                }
                _ = look.tick() => looks.push((spent(fleet)?, received(fleet))),
            }
        }
        looks.push((spent(fleet)?, received(fleet)));
        let now = fleet.leader().context("nobody has the sessions")?;
        let received = |look: &BTreeMap<String, u64>| look.get(&now).copied().unwrap_or_default();
        let seconds = looks.windows(SECOND + 1).filter_map(|looks| Some((looks.first()?, looks.last()?)));
        let each = seconds.map(|(first, last)| {
            let lasted = last.0.0.duration_since(first.0.0).as_secs_f64().max(1.0);
            (cores(&first.0, &last.0, &now), (received(&last.1) - received(&first.1)) as f64 / lasted)
        });
        let (busiest, most) = each.fold((0.0, 0.0), |(busy, most): (f64, f64), (b, m)| (busy.max(b), most.max(m)));
        let counts: Vec<u64> = looks.iter().step_by(SECOND).chain(looks.last()).map(|look| received(&look.1)).collect();
        Ok(Self {
            back: crowd.welcomes_since(killed).last().copied().unwrap_or_default(),
            sent_away: crowd.counts().sent_away - before.sent_away,
            received: counts.windows(2).map(|pair| pair[1] - pair[0]).collect(),
            most,
            busiest,
        })
    }

    fn rows(&self) -> Vec<Row> {
        let each: Vec<String> = self.received.iter().map(ToString::to_string).collect();
        let back = self.back.as_secs_f64();
        vec![
            Row::alone("  kill -9 of the leader → everybody is back", back, "s", Demand::ValueAtMost(60.0)),
            Row::alone(
                "  most received in one second, by the registry's count",
                self.most,
                "",
                Demand::ValueAtMost(f64::from(RECEIVED + AT_ONCE)),
            ),
            Row::note("  received in each second after the death", &each.join(" ")),
            Row::alone(
                "  times that somebody was told to come again later",
                self.sent_away as f64,
                "",
                Demand::Nothing,
            ),
            Row::alone("  busiest second of the new leader", self.busiest, "processors", Demand::Nothing),
        ]
    }
}

/// Runners that each replica has received since it began.
fn received(fleet: &Trusted<'_>) -> BTreeMap<String, u64> {
    let names = fleet.replicas().into_iter().map(|(name, _)| name);
    names.map(|name| (name.clone(), fleet.metric(&name, "pm_registry_sessions_received_total"))).collect()
}

/// A figure of each replica that runs, in bytes.
fn replicas(fleet: &Trusted<'_>, field: &str) -> Result<BTreeMap<String, f64>> {
    fleet.replicas().into_iter().map(|(name, pid)| Ok((name, memory(pid, field)?))).collect()
}

fn spent(fleet: &Trusted<'_>) -> Result<Spent> {
    let each = fleet.replicas().into_iter().map(|(name, pid)| Ok((name, processor_time(pid)?)));
    Ok((Instant::now(), each.collect::<Result<_>>()?))
}

/// How many processors a replica had between two looks.
fn cores(before: &Spent, after: &Spent, name: &String) -> f64 {
    let of = |spent: &Spent| spent.1.get(name).copied().unwrap_or_default();
    of(after).saturating_sub(of(before)).as_secs_f64() / after.0.duration_since(before.0).as_secs_f64()
}

/// Events of a type, of all that are kept.
async fn events(fleet: &Trusted<'_>, kind: &str) -> Result<f64> {
    let mut client = EventServiceClient::new(fleet.operator());
    let mut count = 0;
    let mut page_token = String::new();
    loop {
        let types = vec![kind.to_owned()];
        let request = ListEventsRequest { types, page_size: 1_000, page_token, ..ListEventsRequest::default() };
        let answer = client.list_events(request).await.context("events cannot be listed")?.into_inner();
        count += answer.events.len();
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok(count as f64);
        }
    }
}
