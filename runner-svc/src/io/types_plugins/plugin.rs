//! One plugin: started when it is first asked, asked over its socket, started
//! again with a growing delay after it failed.
//!
//! ```text
//!   idle ──asked──▶ starting ──GetInfo within 5 s──▶ up ──ended, slow, broken──▶ resting
//!                      └───────────── failed ────────────────────────────────▶    │
//!                      ▲──────────── asked after 1, 2, 4 … 60 s ──────────────────┘
//! ```

use super::answer::{Answer, Info, subject, text};
use super::child::{Child, end_leftovers};
use super::error::PluginError;
use hyper_util::rt::TokioIo;
use pm_proto::v1;
use pm_proto::v1::runtime_plugin_service_client::RuntimePluginServiceClient;
use process_model::ProcessSpec;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};

/// From the start until it has said who it is.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(5);
/// Longest wait for another answer.
pub(crate) const CALL: Duration = Duration::from_secs(5);
/// A command line and an environment at their longest, twice.
const ANSWER_BYTES: usize = 512 << 10;
/// Longest rest after a failure.
const LONGEST_REST: Duration = Duration::from_secs(60);

type Client = RuntimePluginServiceClient<Channel>;

/// One plugin of the directory.
#[derive(Debug)]
pub(crate) struct Plugin {
    /// Its file's name.
    name: String,
    /// What is started; `None`: somebody else serves the socket.
    program: Option<PathBuf>,
    socket: PathBuf,
    /// Held while it is started, so that it is started once.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    up: Option<Up>,
    rest: Option<(Instant, PluginError)>,
    failures: u32,
    closed: bool,
}

#[derive(Debug)]
struct Up {
    client: Client,
    info: Arc<Info>,
    child: Option<Child>,
}

impl Plugin {
    pub(crate) fn new(name: String, program: Option<PathBuf>, socket: PathBuf) -> Self {
        Self { name, program, socket, state: Mutex::default() }
    }

    /// Who it is; starts it when it does not run.
    pub(crate) async fn info(self: &Arc<Self>) -> Result<Arc<Info>, PluginError> {
        self.connected().await.map(|(_, info)| info)
    }

    /// Which of its types the application looks like. Only for a message, so a
    /// plugin that cannot say it says nothing.
    pub(crate) async fn detect(self: &Arc<Self>, spec: &ProcessSpec) -> Vec<String> {
        let Ok((mut client, info)) = self.connected().await else { return Vec::new() };
        let request = v1::DetectRequest { subject: Some(subject(spec)) };
        let answer = timeout(CALL, client.detect(request)).await;
        let names = answer.ok().and_then(Result::ok).map(|answer| answer.into_inner().types).unwrap_or_default();
        names.into_iter().filter(|name| info.types.iter().any(|of| of.as_str() == name)).collect()
    }

    /// What is to be started for `spec`.
    pub(crate) async fn resolve(self: &Arc<Self>, spec: &ProcessSpec) -> Result<Answer, PluginError> {
        let (mut client, _) = self.connected().await?;
        let request = v1::ResolveRequest { r#type: spec.runtime.to_string(), subject: Some(subject(spec)) };
        let answer = self.asked("Resolve", CALL, client.resolve(request)).await;
        match answer {
            Ok(answer) => {
                self.state.lock().await.failures = 0;
                Answer::read(spec, answer).map_err(|why| PluginError::Wrong { plugin: self.name.clone(), why })
            }
            Err(error @ (PluginError::Slow { .. } | PluginError::Crashed { .. })) => Err(self.broke(error).await),
            Err(error) => Err(error),
        }
    }

    /// Ends it, for good.
    pub(crate) async fn close(&self) {
        let up = {
            let mut state = self.state.lock().await;
            state.closed = true;
            state.up.take()
        };
        if let Some(child) = up.and_then(|up| up.child) {
            child.stop().await;
        }
        if self.program.is_some() {
            let _ = std::fs::remove_file(&self.socket);
        }
    }

    /// A start goes on when whoever asked for it waits no longer: the next one
    /// who asks finds it further on.
    async fn connected(self: &Arc<Self>) -> Result<(Client, Arc<Info>), PluginError> {
        let this = self.clone();
        let started = tokio::spawn(async move { this.ensure().await }).await;
        started.unwrap_or_else(|_| Err(self.missing("the runner is ending")))
    }

    async fn ensure(&self) -> Result<(Client, Arc<Info>), PluginError> {
        let mut state = self.state.lock().await;
        if state.closed {
            return Err(self.missing("the runner is ending"));
        }
        if let Some(up) = &mut state.up {
            match up.child.as_mut().and_then(Child::ended) {
                None => return Ok((up.client.clone(), up.info.clone())),
                Some(why) => tracing::warn!(plugin = self.name, why, "a plugin ended while nobody asked it anything"),
            }
            state.up = None;
        }
        if let Some((until, why)) = &state.rest
            && let left = until.saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            return Err(PluginError::Resting { why: why.to_string(), left });
        }
        match self.start().await {
            Ok(up) => {
                tracing::info!(
                    plugin = self.name, name = up.info.name, version = up.info.version, types = ?up.info.types,
                    "a plugin is there"
                );
                let connected = (up.client.clone(), up.info.clone());
                state.rest = None;
                state.up = Some(up);
                Ok(connected)
            }
            Err(error) => Err(self.failed(&mut state, error)),
        }
    }

    async fn start(&self) -> Result<Up, PluginError> {
        let deadline = Instant::now() + HANDSHAKE;
        let mut child = match &self.program {
            Some(program) => {
                let socket = self.socket.clone();
                let _ = tokio::task::spawn_blocking(move || {
                    end_leftovers(&socket);
                    let _ = std::fs::remove_file(&socket);
                })
                .await;
                let child = Child::start(&self.name, program, &self.socket);
                Some(child.map_err(|error| self.missing(&format!("cannot start {}: {error}", program.display())))?)
            }
            None => None,
        };
        let handshake = async {
            match timeout_at(deadline, self.handshake()).await {
                Ok(result) => result,
                Err(_) => Err(PluginError::Slow { plugin: self.name.clone(), call: "GetInfo", after: HANDSHAKE }),
            }
        };
        let (client, info) = match &mut child {
            Some(running) => tokio::select! {
                result = handshake => result?,
                why = running.end() => return Err(PluginError::Crashed { plugin: self.name.clone(), why }),
            },
            None => handshake.await?,
        };
        Ok(Up { client, info: Arc::new(info), child })
    }

    async fn handshake(&self) -> Result<(Client, Info), PluginError> {
        let channel = self.channel().await?;
        let mut client = Client::new(channel).max_decoding_message_size(ANSWER_BYTES);
        let request = v1::GetInfoRequest { runner_version: env!("CARGO_PKG_VERSION").to_owned() };
        let answer = self.asked("GetInfo", HANDSHAKE, client.get_info(request)).await?;
        let info = Info::read(&answer).map_err(|why| PluginError::Wrong { plugin: self.name.clone(), why })?;
        Ok((client, info))
    }

    /// A connection. Between bind(2) and listen(2) a socket is there and refuses,
    /// and nothing tells when that is over: so it is tried, for as long as
    /// whoever waits lets it.
    async fn channel(&self) -> Result<Channel, PluginError> {
        let mut pause = Duration::from_millis(2);
        while let Err(error) = UnixStream::connect(&self.socket).await {
            if self.program.is_none() {
                return Err(self.missing(&format!("{}: {error}", self.socket.display())));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
        let socket = self.socket.clone();
        let connector = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        Endpoint::from_static("http://plugin")
            .connect_with_connector(connector)
            .await
            .map_err(|error| self.missing(&error.to_string()))
    }

    async fn asked<T>(
        &self,
        call: &'static str,
        after: Duration,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, PluginError> {
        let plugin = self.name.clone();
        match timeout(after, answer).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(match status.code() {
                Code::Unavailable | Code::Cancelled | Code::Unknown => {
                    PluginError::Crashed { plugin, why: text(status.message()) }
                }
                Code::Unimplemented | Code::OutOfRange | Code::Internal | Code::DataLoss => {
                    PluginError::Wrong { plugin, why: text(status.message()) }
                }
                Code::DeadlineExceeded => PluginError::Slow { plugin, call, after },
                Code::Ok
                | Code::InvalidArgument
                | Code::NotFound
                | Code::AlreadyExists
                | Code::PermissionDenied
                | Code::ResourceExhausted
                | Code::FailedPrecondition
                | Code::Aborted
                | Code::Unauthenticated => PluginError::Refused { plugin, why: text(status.message()) },
            }),
            Err(_) => Err(PluginError::Slow { plugin, call, after }),
        }
    }

    /// Puts a plugin to rest that hangs or has gone; it is started anew.
    async fn broke(&self, error: PluginError) -> PluginError {
        let mut state = self.state.lock().await;
        // Several who waited for it find out: one of them puts it to rest.
        if state.up.is_none() { error } else { self.failed(&mut state, error) }
    }

    fn failed(&self, state: &mut State, error: PluginError) -> PluginError {
        state.up = None;
        let rest = Duration::from_secs(1 << state.failures.min(6)).min(LONGEST_REST);
        state.failures = state.failures.saturating_add(1);
        state.rest = Some((Instant::now() + rest, error.clone()));
        tracing::warn!(plugin = self.name, %error, rest = rest.as_secs(), "a plugin failed");
        error
    }

    fn missing(&self, why: &str) -> PluginError {
        PluginError::Missing { plugin: self.name.clone(), why: why.to_owned() }
    }
}
