//! One simulated runner: dials, talks, and dials again, for as long as its crowd is there. Whom it dials next it decides
//! as the real one does (`runner-svc/src/io/session.rs`), over the same channel.

use super::Invited;
use super::conversation::{Conversation, Ended};
use super::programs::Programs;
use super::redial::Redial;
use super::tally::Tally;
use pm_proto::v1::SessionHello;
use pm_proto::v1::runner_session_service_client::RunnerSessionServiceClient;
use service_host::client::{ClientContext, ServiceChannel};
use service_host::transport::AnyChannel;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::time::Instant;
use tonic::service::interceptor::InterceptedService;

/// Longest update, as a real runner takes it.
const UPDATE_BYTES: usize = 64 << 20;

/// One simulated runner.
pub(super) struct Member {
    name: String,
    /// Of the client: knows whom to ask.
    channel: AnyChannel,
    client: RunnerSessionServiceClient<ServiceChannel>,
    programs: Programs,
    redial: Redial,
    tally: Arc<Tally>,
}

impl Member {
    pub(super) fn new(number: u64, invited: Invited, tally: Arc<Tally>) -> Self {
        let Invited { name, dial, token } = invited;
        let channel = dial.channel().expect("a crowd gathers inside of a runtime");
        let context = ClientContext::over(&dial, &token).expect("a token is plain text");
        let calling = InterceptedService::new(channel.clone(), context);
        let client = RunnerSessionServiceClient::new(calling).max_decoding_message_size(UPDATE_BYTES);
        Self { name, channel, client, programs: Programs::default(), redial: Redial::new(number), tally }
    }

    pub(super) async fn live(mut self) -> Infallible {
        let born = Instant::now();
        loop {
            let begun = Instant::now();
            let ended = match self.channel.knock().await {
                Ok(()) => self.converse().await,
                Err(_) => Ended::Broken,
            };
            let (lasted, now) = (begun.elapsed(), born.elapsed());
            let pause = match ended {
                Ended::ToldToWait(wait) => {
                    self.tally.note(|counts| counts.sent_away += 1);
                    self.redial.later(wait)
                }
                Ended::Elsewhere(leader) => {
                    let named = leader.is_some_and(|leader| self.channel.prefer(&leader));
                    if named && self.redial.follow() {
                        continue;
                    }
                    if !named {
                        self.channel.pass_over();
                    }
                    self.redial.pause(lasted, now)
                }
                // What broke, the channel has seen itself.
                Ended::Broken => self.redial.pause(lasted, now),
                Ended::Silent => {
                    self.channel.pass_over();
                    self.redial.pause(lasted, now)
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn converse(&mut self) -> Ended {
        let hello = SessionHello {
            node: self.name.clone(),
            boot_id: format!("boot-of-{}", self.name),
            runner_version: "simulated".to_owned(),
            cpus: 8,
            memory_bytes: 16 << 30,
            fences: true,
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            kernel: "6.1.0".to_owned(),
            ..SessionHello::default()
        };
        let conversation = Conversation { hello, programs: &mut self.programs, tally: &self.tally };
        conversation.hold(&mut self.client).await
    }
}
