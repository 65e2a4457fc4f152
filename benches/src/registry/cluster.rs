//! All servers of one side: founded, ready, led, measured, and ended with all
//! their data.

use super::door::{Door, Standing};
use super::etcd_door::EtcdDoor;
use super::options::{Options, Side};
use super::our_door::{Bearer, OurDoor};
use super::replica::Replica;
use super::{ports, workload};
use crate::node::{memory, processor_time};
use crate::place::Place;
use anyhow::{Context as _, Result, bail, ensure};
use std::time::{Duration, Instant};
use system_tests::Invited;
use tonic::transport::Channel;

/// The file of the token that ours share.
pub(crate) const TOKEN_FILE: &str = "service.token";
const TOKEN: &str = "a-token-that-the-services-share-0123456789";
/// Longest wait for a cluster to serve; far above what is measured.
const PATIENCE: Duration = Duration::from_secs(90);
/// Writers that fill the store.
const FILLERS: usize = 50;
/// Between two looks at whether it does.
const PAUSE: Duration = Duration::from_millis(5);

/// All servers of one side. Killed, and their data removed, when it is dropped.
pub(crate) struct Cluster {
    // Dropped in this order: the servers before their folder.
    replicas: Vec<Replica>,
    side: Side,
    bearer: Bearer,
    _place: Place,
}

impl Cluster {
    /// Starts fresh servers, all together, and waits until each of them serves.
    pub(crate) async fn found(side: Side, options: &Options) -> Result<Self> {
        let place = Place::make()?;
        place.is_on_a_disk()?;
        let token = place.path().join(TOKEN_FILE);
        std::fs::write(&token, TOKEN).context("cannot write the token")?;
        std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let count = options.replicas(side);
        let numbers = ports::free(2 * count)?;
        let ports: Vec<_> = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let replica = |index| Replica::new(side, index, &ports, place.path(), options);
        let replicas = (0..count).map(replica).collect::<Result<Vec<_>>>()?;
        let mut cluster = Self { replicas, side, bearer: Bearer::new(TOKEN)?, _place: place };
        for replica in &mut cluster.replicas {
            replica.start()?;
        }
        cluster.until_serving().await?;
        Ok(cluster)
    }

    /// Writes every key once, so that each can be read; many at a time, since
    /// an fsync may be slow.
    pub(crate) async fn fill(&self) -> Result<()> {
        let door = self.door(self.leader().await?)?;
        let mut writers = tokio::task::JoinSet::new();
        for first in 0..FILLERS {
            let mut door = door.clone();
            writers.spawn(async move {
                for key in (first..workload::KEYS).step_by(FILLERS) {
                    door.write(key, workload::next_serial()).await?;
                }
                Ok::<_, tonic::Status>(())
            });
        }
        while let Some(ended) = writers.join_next().await {
            ended?.context("cannot fill the store")?;
        }
        Ok(())
    }

    /// Which side it is.
    pub(crate) fn side(&self) -> Side {
        self.side
    }

    /// How many servers there are.
    pub(crate) fn count(&self) -> usize {
        self.replicas.len()
    }

    /// A server.
    pub(crate) fn replica(&mut self, index: usize) -> Result<&mut Replica> {
        self.replicas.get_mut(index).context("there is no such replica")
    }

    /// A connection of its own to a server, made with the first call.
    pub(crate) fn door(&self, index: usize) -> Result<Door> {
        let replica = self.replicas.get(index).context("there is no such replica")?;
        let channel = Channel::from_shared(replica.url.clone())?.connect_timeout(Duration::from_secs(2)).connect_lazy();
        Ok(match self.side {
            Side::Ours => Door::Ours(Box::new(OurDoor::new(channel, self.bearer.clone()))),
            Side::Etcd => Door::Etcd(EtcdDoor::new(channel)),
        })
    }

    /// A channel of its own to a server of ours, with the token, for other calls.
    pub(crate) fn channel(
        &self,
        index: usize,
    ) -> Result<tonic::service::interceptor::InterceptedService<Channel, Bearer>> {
        let replica = self.replicas.get(index).context("there is no such replica")?;
        let channel = Channel::from_shared(replica.url.clone())?.connect_lazy();
        Ok(tonic::service::interceptor::InterceptedService::new(channel, self.bearer.clone()))
    }

    /// So many nodes that know this server of ours alone.
    pub(crate) fn invite(&self, index: usize, count: u32) -> Result<Vec<Invited>> {
        let url = &self.replicas.get(index).context("there is no such replica")?.url;
        Ok((0..count).map(|number| Invited::with_token(format!("node-{number:05}"), url, TOKEN)).collect())
    }

    /// One connection to each server.
    pub(crate) fn doors(&self) -> Result<Vec<Door>> {
        (0..self.replicas.len()).map(|index| self.door(index)).collect()
    }

    /// How every server sees the cluster; an error when one does not answer.
    pub(crate) async fn standings(&self) -> Result<Vec<Standing>> {
        let mut standings = Vec::new();
        for mut door in self.doors()? {
            let answer = tokio::time::timeout(Duration::from_secs(2), door.standing()).await;
            standings.push(answer.context("a replica does not answer")?.map_err(|status| {
                anyhow::anyhow!("a replica does not say how it stands: {:?} {}", status.code(), status.message())
            })?);
        }
        Ok(standings)
    }

    /// The place of the leader, when all servers agree on it.
    pub(crate) async fn leader(&self) -> Result<usize> {
        let standings = self.standings().await?;
        let leader = standings.first().map_or(0, |standing| standing.leader);
        ensure!(
            leader != 0 && standings.iter().all(|s| s.leader == leader),
            "the replicas do not agree: {standings:?}"
        );
        standings.iter().position(|standing| standing.me == leader).context("the leader is none of the replicas")
    }

    /// Waits until all servers follow one leader and each of them has taken a
    /// write and a read. Answers the leader's place.
    pub(crate) async fn until_serving(&self) -> Result<usize> {
        let began = Instant::now();
        loop {
            match self.serving().await {
                Ok(leader) => return Ok(leader),
                Err(error) if began.elapsed() > PATIENCE => {
                    let words: Vec<String> = self.replicas.iter().map(Replica::last_words).collect();
                    bail!("{:?} does not serve after {PATIENCE:?}: {error:#}{}", self.side, words.join("\n    --"));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn serving(&self) -> Result<usize> {
        let leader = self.leader().await?;
        for mut door in self.doors()? {
            let patience = Duration::from_secs(10);
            tokio::time::timeout(patience, door.write(0, workload::next_serial())).await??;
            tokio::time::timeout(patience, door.read(0)).await??;
        }
        Ok(leader)
    }

    /// The processes that serve.
    pub(crate) fn pids(&self) -> Result<Vec<u32>> {
        self.replicas.iter().map(Replica::pid).collect()
    }

    /// Proportional memory of all servers, in bytes.
    pub(crate) fn pss(&self) -> Result<f64> {
        Ok(self.each_pss()?.into_iter().sum())
    }

    /// Proportional memory of the server that has most, in megabytes.
    pub(crate) fn largest(&self) -> Result<f64> {
        Ok(self.each_pss()?.into_iter().fold(0.0, f64::max) / 1e6)
    }

    fn each_pss(&self) -> Result<Vec<f64>> {
        self.pids()?.into_iter().map(|pid| memory(pid, "Pss")).collect()
    }

    /// Processor time that all servers have had.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        self.pids()?.into_iter().map(processor_time).sum()
    }

    /// Where a server's metrics are.
    pub(crate) fn metrics(&self, index: usize) -> Result<&str> {
        self.replicas.get(index).map(|replica| replica.metrics.as_str()).context("there is no such replica")
    }
}
