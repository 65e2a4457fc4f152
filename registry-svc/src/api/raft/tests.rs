//! Three replicas over real sockets: the same log, state machine, network and
//! service that one replica uses.

use super::Api;
use crate::driver::note;
use crate::io::data_dir::DataDir;
use crate::io::network::{MAX_MESSAGE_BYTES, Network};
use crate::io::state_machine::StateMachine;
use crate::io::tuning;
use crate::io::type_config::{Batch, Raft};
use crate::machine::{MachineNumbers, MemoryMachine};
use crate::open;
use openraft::BasicNode;
use pm_proto::v1::raft_service_server::RaftServiceServer;
use process_model::ProcessSpec;
use process_model::spec::Command as Program;
use registry_domain::{Apply, Order};
use service_host::secret::Secret;
use service_host::server::GrpcHost;
use service_host::transport::Incoming;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const SOON: Option<Duration> = Some(Duration::from_secs(20));

struct Replica {
    raft: Raft,
    machine: Arc<MemoryMachine>,
    dir: DataDir,
}

async fn replica(path: &Path, id: u64) -> Replica {
    let dir = DataDir::open(&path.join(id.to_string())).unwrap();
    let opened = open::open(&dir, id, MachineNumbers::default()).unwrap();
    let machine = Arc::new(opened.machine);
    let state_machine = StateMachine::new(machine.clone(), &dir.leaders()).unwrap();
    let network = Network::new(Secret::new("token").unwrap());
    let config = Arc::new(tuning::config().unwrap());
    let raft = Raft::new(id, config, network, opened.log, state_machine).await.unwrap();
    Replica { raft, machine, dir }
}

fn serve(replica: &Replica, listener: TcpListener, stop: &CancellationToken) {
    let service = RaftServiceServer::new(Api(replica.raft.clone())).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let host = GrpcHost::new(pm_proto::DESCRIPTORS).token(Secret::new("token").unwrap()).service(service);
    tokio::spawn(host.serve(Incoming::Tcp(listener), stop.clone()));
}

fn batch(name: &str) -> Batch {
    let spec = ProcessSpec::new(name.parse().unwrap(), Program::Shell("run".into()));
    Batch { commands: vec![note("admin", Order::Apply(Apply { specs: vec![spec.into()], ..Apply::default() }))] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_agree_and_one_that_comes_late_gets_a_snapshot() {
    let path = crate::api::real_disk();
    let stop = CancellationToken::new();
    let (mut replicas, mut listeners, mut members) = (Vec::new(), Vec::new(), BTreeMap::new());
    for id in 1..=3 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        members.insert(id, BasicNode::new(format!("http://{}", listener.local_addr().unwrap())));
        replicas.push(replica(path.path(), id).await);
        listeners.push(listener);
    }
    let late = listeners.pop().unwrap();
    for (replica, listener) in replicas.iter().zip(listeners) {
        serve(replica, listener, &stop);
    }
    replicas[0].raft.initialize(members).await.unwrap();
    replicas[0].raft.wait(SOON).current_leader(1, "elected").await.unwrap();
    let leader = &replicas[0].raft;
    for n in 0..10 {
        let reply = leader.client_write(batch(&format!("p{n}"))).await.unwrap().data;
        assert!(reply.replies[0].is_ok());
    }
    leader.ensure_linearizable().await.unwrap();

    // Only two have the entries; what the third needs is purged from the log.
    let applied = leader.metrics().borrow().last_applied.unwrap();
    leader.trigger().snapshot().await.unwrap();
    leader.wait(SOON).snapshot(applied, "snapshot taken").await.unwrap();
    leader.trigger().purge_log(applied.index).await.unwrap();
    leader.wait(SOON).purged(Some(applied), "log purged").await.unwrap();
    serve(&replicas[2], late, &stop);
    for replica in &replicas {
        replica.raft.wait(SOON).applied_index_at_least(Some(applied.index), "caught up").await.unwrap();
    }
    let states: Vec<_> = replicas.iter().map(|r| r.machine.view().read().state.clone()).collect();
    assert_eq!(states[0].processes().len(), 10);
    assert!(states.iter().all(|state| *state == states[0]), "replicas differ");

    // The first replica again, without its rows: the log begins after the
    // snapshot, so that is all there is.
    stop.cancel();
    for replica in &replicas {
        replica.raft.shutdown().await.unwrap();
    }
    let first = replicas.remove(0);
    let (state, dir) = (first.dir.state(), first.dir.path().to_owned());
    drop((first, replicas));
    std::fs::remove_dir_all(state).unwrap();
    let again = crate::open::open(&reopened(&dir).await, 1, MachineNumbers::default()).unwrap();
    assert_eq!(again.machine.view().read().state, states[0]);
}

/// openraft's own tasks may hold the files for a moment after its shutdown;
/// they are free once the state can be opened in another directory's name.
async fn reopened(dir: &Path) -> DataDir {
    let copy = dir.with_extension("copy");
    std::fs::create_dir_all(copy.join("snapshots")).unwrap();
    for name in ["identity", "log.redb", "leaders"] {
        std::fs::copy(dir.join(name), copy.join(name)).unwrap();
    }
    for file in std::fs::read_dir(dir.join("snapshots")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.join("snapshots").join(file.file_name())).unwrap();
    }
    DataDir::open(&copy).unwrap()
}
