//! A replica without consensus: links, reception, a scripted door, a socket.

use super::door::{Heard, ScriptedDoor};
use super::{Events, until_up};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use registry_consensus::{Peers as _, ReplicaId};
use registry_quorum::founding::{Condition, FoundingPlan, Introduction};
use registry_quorum::recovery::Fence;
use registry_svc::peers::{
    AddressBook, Hello, Identity, Introduced, Introducer, Links, PlanTaker, Reception, Registrar, STREAM_WINDOW,
    Settings, Timing, Turned,
};
use service_host::secret::Secret;
use service_host::server::GrpcHost;
use service_host::transport::Incoming;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) fn identity(id: u64) -> Identity {
    Identity {
        fence: Fence { cluster: "c1".into(), epoch: 1, id: ReplicaId(id) },
        store: format!("store-{id}"),
        boot: 1,
        address: String::new(),
        level: 1,
        version: "0.1.0".into(),
        start: 0,
    }
}

/// Waits for tests: nobody waits long between two dials. A link that stands outlasts some seconds in which this machine
/// has no time for it.
pub(crate) fn quick() -> Timing {
    Timing { longest: Duration::from_millis(100), ..Timing::default() }
}

type Judging = Box<dyn Fn(&Hello) -> Result<(), Turned> + Send + Sync>;

/// Who is let in.
pub(crate) struct Trust(Judging);

impl Trust {
    pub(crate) fn all() -> Self {
        Self(Box::new(|_| Ok(())))
    }

    pub(crate) fn by(judging: impl Fn(&Hello) -> Result<(), Turned> + Send + Sync + 'static) -> Self {
        Self(Box::new(judging))
    }
}

impl Registrar for Trust {
    fn admit(&self, hello: &Hello) -> Result<(), Turned> {
        (self.0)(hello)
    }
}

/// Introduces a replica that was told what to say.
pub(crate) struct Script {
    pub(crate) says: Introduced,
    pub(crate) plans: Mutex<Vec<FoundingPlan>>,
    pub(crate) refuses: Option<String>,
}

impl Script {
    pub(crate) fn fresh() -> Self {
        let is =
            Introduction { address: "http://a:1".into(), store: "s".into(), replicas: 3, condition: Condition::Fresh };
        let says = Introduced { is, epoch: 0, id: None, version: "0.1.0".into() };
        Self { says, plans: Mutex::default(), refuses: None }
    }
}

impl Introducer for Script {
    fn introduction(&self) -> Introduced {
        self.says.clone()
    }
}

impl PlanTaker for Script {
    fn take(&self, plan: FoundingPlan) -> BoxFuture<'static, Result<(), String>> {
        self.plans.lock().unwrap().push(plan);
        std::future::ready(self.refuses.clone().map_or(Ok(()), Err)).boxed()
    }
}

pub(crate) struct Replica {
    pub(crate) id: u64,
    pub(crate) address: String,
    pub(crate) links: Links,
    pub(crate) book: AddressBook,
    pub(crate) door: Arc<ScriptedDoor>,
    pub(crate) heard: UnboundedReceiver<(ReplicaId, Heard)>,
    pub(crate) events: Events,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Replica {
    pub(crate) async fn start(id: u64, token: &Secret) -> Self {
        Self::with(identity(id), token, Trust::all(), quick()).await
    }

    pub(crate) async fn with(identity: Identity, token: &Secret, trust: Trust, timing: Timing) -> Self {
        // Not where this machine's own connections begin: one of them could get the port that is to be free again later.
        let listener = TcpListener::bind("127.0.1.1:0").await.unwrap();
        Self::on(listener, identity, token, trust, timing)
    }

    pub(crate) fn on(
        listener: TcpListener,
        mut identity: Identity,
        token: &Secret,
        trust: Trust,
        timing: Timing,
    ) -> Self {
        let address = format!("http://{}", listener.local_addr().unwrap());
        if identity.address.is_empty() {
            identity.address.clone_from(&address);
        }
        let (id, book) = (identity.fence.id.0, AddressBook::default());
        let settings =
            Settings { identity, registrar: Arc::new(trust), book: book.clone(), token: token.into(), timing };
        let links = Links::new(settings).unwrap();
        let (door, heard) = ScriptedDoor::new();
        let door = Arc::new(door);
        let script = Arc::new(Script::fresh());
        let reception = Reception::new(script.clone(), script);
        reception.open(&links, door.clone());
        let shutdown = CancellationToken::new();
        let serving = serve(listener, reception, token, shutdown.clone());
        let events = links.events();
        Self { id, address, links, book, door, heard, events, shutdown, serving }
    }

    /// Keeps links to these from now on.
    pub(crate) fn knows(&self, others: &[&Self]) {
        for other in others {
            self.book.set(ReplicaId(other.id), &other.address);
        }
        let members: Vec<ReplicaId> = others.iter().map(|other| ReplicaId(other.id)).collect();
        self.links.set_members(&members);
    }

    pub(crate) fn member(&self, id: u64, address: &str) {
        self.book.set(ReplicaId(id), address);
        self.links.set_members(&[ReplicaId(id)]);
    }

    pub(crate) async fn up(&mut self, of: u64) -> u64 {
        until_up(&mut self.events, of).await
    }

    /// Ends it; its port is free afterwards.
    pub(crate) async fn stop(self) {
        self.links.stop();
        self.shutdown.cancel();
        self.serving.await.unwrap();
    }
}

/// Serves a reception as the registry does.
pub(crate) fn serve(
    listener: TcpListener,
    reception: Reception,
    token: &Secret,
    shutdown: CancellationToken,
) -> JoinHandle<()> {
    let host = GrpcHost::new(pm_proto::DESCRIPTORS).token(token.clone()).stream_window(STREAM_WINDOW);
    let host = host.service(reception.service());
    tokio::spawn(async move { host.serve(Incoming::Tcp(listener), shutdown).await.unwrap() })
}
