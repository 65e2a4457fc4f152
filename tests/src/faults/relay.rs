//! In the place of a registry: passes on what a runner and its registry say to
//! each other, message by message; says all of it twice, or in the words of
//! another version, if it is told so; and what nobody said whenever it is told
//! to.

use crate::api::runtime;
use pm_proto::v1;
use pm_proto::v1::run_session_response::Message as Down;
use pm_proto::v1::runner_session_service_client::RunnerSessionServiceClient;
use pm_proto::v1::runner_session_service_server::{RunnerSessionService, RunnerSessionServiceServer};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};

/// Messages on their way through; whoever is faster waits.
const UNDER_WAY: usize = 64;

type Up = v1::RunSessionRequest;
type Answer = Result<v1::RunSessionResponse, Status>;

/// A stand between runners and one registry.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    registry: Channel,
    /// What runners are told of the registry's addresses.
    own: String,
    words: Words,
    twice: AtomicBool,
    sessions: AtomicU64,
    said: Mutex<Said>,
}

/// In which words everything is passed on.
#[derive(Clone, Copy)]
pub struct Words {
    /// What a runner says, as the registry hears it.
    pub up: fn(&mut v1::RunSessionRequest),
    /// What the registry says, as a runner hears it.
    pub down: fn(&mut v1::RunSessionResponse),
}

impl Words {
    /// As they were said.
    pub const SAME: Self = Self { up: |_| {}, down: |_| {} };
}

#[derive(Default)]
struct Said {
    up: Vec<Up>,
    down: Vec<v1::RunSessionResponse>,
    /// Of the newest session.
    to_registry: Option<Sender<Up>>,
    to_runner: Option<Sender<Answer>>,
}

impl Relay {
    /// Listens at an address, for the registry at `http://HOST:PORT`.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn start(listen: SocketAddr, registry: &str, words: Words) -> Self {
        let _entered = runtime().enter();
        let listener = runtime().block_on(TcpListener::bind(listen)).expect("the address is free");
        let address = listener.local_addr().expect("it is bound");
        let registry = Channel::from_shared(registry.to_owned()).expect("it is an address").connect_lazy();
        let shared = Arc::new(Shared {
            registry,
            own: format!("http://{address}"),
            words,
            twice: AtomicBool::new(false),
            sessions: AtomicU64::new(0),
            said: Mutex::default(),
        });
        let service = RunnerSessionServiceServer::new(Passing(shared.clone()));
        runtime().spawn(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, shared }
    }

    /// Where runners find it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on everything is said twice, but for the greetings.
    pub fn say_twice(&self) {
        self.shared.twice.store(true, Ordering::SeqCst);
    }

    /// Sessions that runners have begun.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.shared.sessions.load(Ordering::SeqCst)
    }

    /// What runners said so far.
    #[must_use]
    pub fn heard_up(&self) -> Vec<v1::RunSessionRequest> {
        self.shared.said().up.clone()
    }

    /// What the registry said so far.
    #[must_use]
    pub fn heard_down(&self) -> Vec<v1::RunSessionResponse> {
        self.shared.said().down.clone()
    }

    /// Says something to the runner as if the registry had.
    ///
    /// # Panics
    /// When there is no session.
    pub fn tell_runner(&self, message: v1::RunSessionResponse) {
        let to = self.shared.said().to_runner.clone().expect("there is a session");
        runtime().block_on(to.send(Ok(message))).expect("the session goes on");
    }

    /// Says something to the registry as if the runner had.
    ///
    /// # Panics
    /// When there is no session.
    pub fn tell_registry(&self, message: v1::RunSessionRequest) {
        let to = self.shared.said().to_registry.clone().expect("there is a session");
        runtime().block_on(to.send(message)).expect("the session goes on");
    }
}

impl Shared {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often to say something that is no greeting.
    fn times(&self, greeting: bool) -> usize {
        if self.twice.load(Ordering::SeqCst) && !greeting { 2 } else { 1 }
    }

    async fn pass_up(self: Arc<Self>, mut from: Streaming<Up>, to: Sender<Up>) {
        while let Ok(Some(mut message)) = from.message().await {
            (self.words.up)(&mut message);
            self.said().up.push(message.clone());
            let greeting = matches!(message.message, Some(v1::run_session_request::Message::Hello(_)));
            for _ in 0..self.times(greeting) {
                if to.send(message.clone()).await.is_err() {
                    return;
                }
            }
        }
        // The registry is to see the end of the stream.
        self.said().to_registry = None;
    }

    async fn pass_down(self: Arc<Self>, mut from: Streaming<v1::RunSessionResponse>, to: Sender<Answer>) {
        loop {
            let mut message = match from.message().await {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(status) => {
                    // A runner that does not read learns it from the end of the stream.
                    let _ = to.send(Err(status)).await;
                    break;
                }
            };
            if let Some(Down::Welcome(welcome)) = &mut message.message {
                welcome.registries = vec![self.own.clone()];
            }
            (self.words.down)(&mut message);
            self.said().down.push(message.clone());
            let greeting = matches!(message.message, Some(Down::Welcome(_)));
            for _ in 0..self.times(greeting) {
                if to.send(Ok(message.clone())).await.is_err() {
                    return;
                }
            }
        }
        self.said().to_runner = None;
    }
}

struct Passing(Arc<Shared>);

#[tonic::async_trait]
impl RunnerSessionService for Passing {
    type RunSessionStream = ReceiverStream<Answer>;

    async fn run_session(&self, request: Request<Streaming<Up>>) -> Result<Response<Self::RunSessionStream>, Status> {
        let authorization = request.metadata().get("authorization").cloned();
        let (to_registry, up) = mpsc::channel(UNDER_WAY);
        let (to_runner, down) = mpsc::channel(UNDER_WAY);
        let shared = self.0.clone();
        {
            let mut said = shared.said();
            said.to_registry = Some(to_registry.clone());
            said.to_runner = Some(to_runner.clone());
        }
        shared.sessions.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(shared.clone().pass_up(request.into_inner(), to_registry));
        let mut outgoing = Request::new(ReceiverStream::new(up));
        if let Some(authorization) = authorization {
            outgoing.metadata_mut().insert("authorization", authorization);
        }
        let mut client = RunnerSessionServiceClient::new(shared.registry.clone());
        let answers = client.run_session(outgoing).await?.into_inner();
        tokio::spawn(shared.pass_down(answers, to_runner));
        Ok(Response::new(ReceiverStream::new(down)))
    }
}
