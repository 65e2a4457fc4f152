//! Replicas of a registry as processes of their own, on real directories and
//! real ports, and everything that can happen to such a process.
//!
//! | file | what |
//! |---|---|
//! | `plan` | where each replica is and how it is started |
//! | `log_reader` | who reads what it logs, and may stop |
//! | `replica` | one process: start, signals, end, log |
//! | here | all of them together: who leads, what they hold |
//!
//! A cluster of one is started without peers; larger ones found themselves
//! from the peers that each is told of. All of it ends when it is dropped; the
//! logs of a test that fails are printed.

mod log_reader;
mod plan;
mod replica;

use crate::{DEADLINE, RegistryClient};
pub use log_reader::LogReader;
pub use plan::Plan;
use pm_proto::v1::GetClusterStatusResponse;
pub use replica::{End, Replica};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest call of a test itself: one that fails is to be the registry's answer, not a machine that was busy for a moment.
const PATIENT: Duration = Duration::from_secs(15);
/// Between two looks at who leads: short beside an election.
const LOOK: Duration = Duration::from_millis(20);

/// The replicas of one cluster, by their place: 0 is the first.
pub struct Replicas {
    replicas: Vec<Replica>,
    clients: Vec<RegistryClient>,
    /// Of those who look at one after the other, and pass over who does not answer.
    looking: Vec<RegistryClient>,
    token: String,
}

impl Replicas {
    /// Starts so many on loopback, in a sandbox, and waits until they serve.
    ///
    /// # Panics
    /// When they do not come up within the deadline.
    #[must_use]
    pub fn start(sandbox: &crate::Sandbox, count: usize) -> Self {
        Plan::new(sandbox, count).start()
    }

    fn planned(replicas: Vec<Replica>, token: String) -> Self {
        let patient = |replica: &Replica| RegistryClient::with_deadline(&replica.url(), &token, PATIENT);
        let clients = replicas.iter().map(patient).collect();
        let looking = replicas.iter().map(|replica| RegistryClient::new(&replica.url(), &token)).collect();
        Self { replicas, clients, looking, token }
    }

    /// How many there are, running or not.
    #[must_use]
    pub fn count(&self) -> usize {
        self.replicas.len()
    }

    /// All places.
    #[must_use]
    pub fn places(&self) -> Vec<usize> {
        (0..self.count()).collect()
    }

    /// The places of those whose process runs.
    #[must_use]
    pub fn running(&self) -> Vec<usize> {
        self.places().into_iter().filter(|i| self.replicas[*i].is_running()).collect()
    }

    /// One of them.
    #[must_use]
    pub fn replica(&mut self, i: usize) -> &mut Replica {
        &mut self.replicas[i]
    }

    /// A client of one of them, which others share.
    #[must_use]
    pub fn client(&self, i: usize) -> &RegistryClient {
        &self.clients[i]
    }

    /// New clients, one of each replica, with connections of their own.
    #[must_use]
    pub fn new_clients(&self) -> Vec<RegistryClient> {
        self.replicas.iter().map(|replica| RegistryClient::new(&replica.url(), &self.token)).collect()
    }

    /// A client of one of them that waits for as long as a test waits: how long
    /// the replica itself takes for an answer is what is asked then.
    #[must_use]
    pub fn patient_client(&self, i: usize) -> RegistryClient {
        RegistryClient::with_deadline(&self.replicas[i].url(), &self.token, DEADLINE)
    }

    /// The addresses of all, as `--registry` takes them.
    #[must_use]
    pub fn addresses(&self) -> String {
        self.replicas.iter().map(Replica::url).collect::<Vec<_>>().join(",")
    }

    /// SIGKILL: nothing of it can react. Waits for the end.
    pub fn kill(&mut self, i: usize) {
        self.replicas[i].kill();
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&mut self, i: usize) -> End {
        self.replicas[i].terminate();
        self.replicas[i].wait_for_end(DEADLINE)
    }

    /// SIGSTOP: it holds its sockets and does nothing.
    pub fn pause(&mut self, i: usize) {
        self.replicas[i].pause();
    }

    /// SIGCONT.
    pub fn cont(&mut self, i: usize) {
        self.replicas[i].cont();
    }

    /// Starts it again, ending it by SIGKILL if it runs, and waits until it
    /// serves.
    pub fn restart(&mut self, i: usize) {
        self.replicas[i].kill();
        self.replicas[i].spawn();
        self.replicas[i].wait_until_ready();
    }

    /// Removes all that it has on disk. It has to have ended.
    pub fn wipe(&mut self, i: usize) {
        self.replicas[i].wipe();
    }

    /// Copies what it has on disk to a new folder.
    pub fn copy_directory(&self, i: usize, to: &Path) {
        self.replicas[i].copy_directory(to);
    }

    /// Puts such a copy in the place of what it has. It has to have ended.
    pub fn put_directory(&mut self, i: usize, from: &Path) {
        self.replicas[i].put_directory(from);
    }

    /// What a replica says of the cluster; none when it does not answer.
    #[must_use]
    pub fn status(&self, i: usize) -> Option<GetClusterStatusResponse> {
        self.looking[i].status().ok()
    }

    /// The place of the leader, if one says so of itself and as many as are a
    /// majority hold it to be that, in the same term.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        let said: Vec<_> = self.running().into_iter().filter_map(|i| Some((i, self.status(i)?))).collect();
        let (place, leader) =
            said.iter().filter(|(_, s)| s.id != 0 && s.leader_id == s.id).max_by_key(|(_, s)| s.term)?;
        let with = said.iter().filter(|(_, s)| s.term == leader.term && s.leader_id == leader.id).count();
        let voters = leader.members.iter().filter(|member| member.voter).count();
        (with * 2 > voters).then_some(*place)
    }

    /// Waits for a leader other than `not`, and returns its place.
    ///
    /// # Panics
    /// When there is none within the deadline.
    #[must_use]
    #[track_caller]
    pub fn wait_for_leader_other_than(&self, not: Option<usize>) -> usize {
        let began = Instant::now();
        loop {
            if let Some(leader) = self.leader().filter(|leader| Some(*leader) != not) {
                return leader;
            }
            assert!(began.elapsed() < DEADLINE, "no leader within {DEADLINE:?}: {}", self.told());
            std::thread::park_timeout(LOOK);
        }
    }

    /// Waits for a leader and returns its place.
    ///
    /// # Panics
    /// When there is none within the deadline.
    #[must_use]
    #[track_caller]
    pub fn wait_for_leader(&self) -> usize {
        self.wait_for_leader_other_than(None)
    }

    /// The highest term that anybody knows of.
    #[must_use]
    pub fn term(&self) -> u64 {
        self.running().into_iter().filter_map(|i| Some(self.status(i)?.term)).max().unwrap_or(0)
    }

    /// A replica's revision, and a text that is equal for equal states; none
    /// when it does not answer.
    #[must_use]
    pub fn digest(&self, i: usize) -> Option<(u64, String)> {
        self.clients[i].contents().ok()
    }

    /// Waits until all replicas run, have applied the same, and hold the same.
    /// Nobody may write meanwhile.
    ///
    /// # Panics
    /// When they are not equal within the deadline; the first difference is
    /// told.
    #[track_caller]
    pub fn wait_until_equal(&self) {
        self.wait_until_equal_at(&self.places());
    }

    /// The same of these only.
    ///
    /// # Panics
    /// As [`Replicas::wait_until_equal`].
    #[track_caller]
    pub fn wait_until_equal_at(&self, places: &[usize]) {
        let began = Instant::now();
        loop {
            let found: Vec<_> = places.iter().map(|i| self.digest(*i)).collect();
            let first = &found[0];
            if first.is_some() && found.iter().all(|digest| digest == first) {
                return;
            }
            assert!(began.elapsed() < DEADLINE, "the replicas are not equal: {}\n{}", difference(&found), self.told());
            std::thread::park_timeout(LOOK);
        }
    }

    /// What each says of the cluster, in a line each, for messages.
    #[must_use]
    pub fn told(&self) -> String {
        let line = |i: usize| match self.status(i) {
            Some(s) => format!(
                "\n  replica at place {i}: id {}, leader {}, term {}, last {}, applied {}, {} members",
                s.id,
                s.leader_id,
                s.term,
                s.last_log_index,
                s.applied_index,
                s.members.len()
            ),
            None => format!("\n  replica at place {i}: no answer"),
        };
        self.places().into_iter().map(line).collect()
    }
}

impl Drop for Replicas {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (i, replica) in self.replicas.iter().enumerate() {
                println!("--- the last of the log of the replica at place {i}\n{}", replica.last_of_log(80));
            }
        }
    }
}

/// Where the first two that are not equal begin to differ.
fn difference(found: &[Option<(u64, String)>]) -> String {
    let revisions: Vec<_> = found.iter().map(|digest| digest.as_ref().map(|(revision, _)| *revision)).collect();
    let text = |digest: &Option<(u64, String)>| digest.as_ref().map(|(_, text)| text.clone()).unwrap_or_default();
    let first = text(&found[0]);
    for (i, other) in found.iter().enumerate().skip(1) {
        let other = text(other);
        if let Some((a, b)) = first.lines().zip(other.lines()).find(|(a, b)| a != b) {
            return format!("revisions {revisions:?}; place 0: {a}\nplace {i}: {b}");
        }
        if first.len() != other.len() {
            return format!("revisions {revisions:?}; place {i} has another length");
        }
    }
    format!("revisions {revisions:?}")
}
