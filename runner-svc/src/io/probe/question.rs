//! One question: what a check asks, within its time-out.

use super::{Prober, grpc, http};
use crate::io::task::{self, TaskError, TaskKind};
use process_model::spec::{Check, Command};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What is asked, ready to be asked again and again.
pub(super) enum Question {
    Http(Box<http::Request>),
    Tcp(u16),
    Grpc { port: u16, service: String },
    Command(Command),
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No(String),
    /// It could not be asked, which is no fault of the program's.
    NotAsked(String),
}

impl Question {
    /// `None`: nobody is asked; the program or its output tells.
    pub(super) fn of(check: &Check) -> Option<Self> {
        match check {
            Check::Http(check) => Some(Self::Http(Box::new(http::Request::new(check.clone())))),
            Check::Tcp { port } => Some(Self::Tcp(*port)),
            Check::Grpc { port, service } => Some(Self::Grpc { port: *port, service: service.clone() }),
            Check::Exec { command } => Some(Self::Command(command.clone())),
            Check::Notify | Check::Log { .. } => None,
        }
    }

    pub(super) fn is_command(&self) -> bool {
        matches!(self, Self::Command(_))
    }

    /// What an answer may take beyond the time-out.
    pub(super) fn patience(&self) -> Duration {
        // A command that is too slow is killed, and we wait until it is gone: never two at once.
        if self.is_command() { task::KILL_PATIENCE } else { Duration::ZERO }
    }

    pub(super) async fn ask(&self, prober: &Prober) -> Answer {
        let longest = prober.probe.timeout;
        let outcome = match self {
            Self::Http(request) => timeout(longest, request.send()).await,
            Self::Tcp(port) => timeout(longest, async { connect(*port).await.map(drop) }).await,
            Self::Grpc { port, service } => timeout(longest, grpc::ask(*port, service)).await,
            Self::Command(command) => {
                let Prober { deps, assignment, .. } = prober;
                return match task::attempt(deps, assignment, command, TaskKind::Probe, longest).await {
                    Ok(()) => Answer::Yes,
                    Err(TaskError::Failed(why)) => Answer::No(why),
                    Err(TaskError::NotRun(why)) => Answer::NotAsked(why),
                };
            }
        };
        match outcome {
            Ok(Ok(())) => Answer::Yes,
            Ok(Err(why)) => Answer::No(why),
            Err(_) => Answer::No(format!("no answer within {}", humantime::format_duration(longest))),
        }
    }
}

/// A connection to the loopback address.
pub(super) async fn connect(port: u16) -> Result<TcpStream, String> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(|e| format!("connect to port {port}: {e}"))
}
