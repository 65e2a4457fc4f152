//! One call on its way from member to member.
//!
//! Every member is asked once without a pause; from then on each attempt waits a little longer, until the call's time is
//! over. A change carries its request id, the same in every attempt, so that it is made once however often it arrives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryFutureExt;
use http::{HeaderValue, Request, Response, request};
use tonic::body::Body;
use tonic::{Status, TimeoutExpired};
use tower::{Service, ServiceExt};

use super::answer::{REQUEST_ID_KEY, Said, said, unknown};
use super::held::{Held, Kept, hold};
use super::line::Line;
use super::pauses::{Pauses, roll};
use super::reach::reach;
use super::{CallKind, ClusterChannel, NobodyAnswers};
use crate::deadline;

/// Time for attempts of a call that names none: an election and the start of a replica fit in, a person's patience too.
const DEFAULT_TIME: Duration = Duration::from_secs(10);

/// Who says nothing for this long is not asked first any more; this call goes on waiting, since its answer may come.
const SILENCE: Duration = Duration::from_secs(2);

/// Sends a call to whoever can be connected, once.
///
/// # Errors
/// Nobody can be connected, or the connection breaks.
pub(super) async fn once(channel: &ClusterChannel, request: Request<Body>) -> Result<Response<Body>, Status> {
    let mut nobody = NobodyAnswers::default();
    let mut candidates = channel.book().order(Instant::now());
    let Some((address, line)) = reach(channel, &mut candidates, &mut nobody).await else {
        return Err(nobody.into_status());
    };
    match send(line.clone(), request).await {
        Ok(response) => {
            let said = said(response.headers());
            let found = judge(channel, &address, &said);
            if said != Said::Final && !found {
                // Its caller comes again, and would meet the same one.
                channel.book().rest(&address, Instant::now());
            }
            Ok(response)
        }
        Err(error) => {
            channel.book().broke(&address, &line, Instant::now());
            Err(Status::from_error(Box::new(error)))
        }
    }
}

/// Notes what an answer says about who is to be asked; returns whether it says so at all.
fn judge(channel: &ClusterChannel, address: &Arc<str>, said: &Said) -> bool {
    let mut book = channel.book();
    match said {
        Said::Final => {
            book.good(address);
            true
        }
        Said::Elsewhere(Some(leader)) => book.prefer(leader, Instant::now()),
        Said::Elsewhere(None) | Said::Unknown => false,
    }
}

async fn send(line: Line, request: Request<Body>) -> Result<Response<Body>, tonic::transport::Error> {
    let mut channel = line.channel;
    channel.ready().await?.call(request).await
}

/// Sends a call until somebody answers it.
///
/// # Errors
/// Nobody does, or the call's time is over.
pub(super) async fn answer(
    channel: &ClusterChannel,
    request: Request<Body>,
    kind: CallKind,
) -> Result<Response<Body>, Status> {
    let (mut head, body) = request.into_parts();
    let body = match hold(body).await? {
        Held::Whole(body) => body,
        Held::TooLarge(body) => return once(channel, Request::from_parts(head, body)).await,
    };
    if kind == CallKind::Change && !head.headers.contains_key(REQUEST_ID_KEY) {
        let id = HeaderValue::try_from(uuid::Uuid::new_v4().to_string());
        head.headers.insert(REQUEST_ID_KEY, id.map_err(|error| Status::internal(error.to_string()))?);
    }
    let said = deadline::timeout(&head.headers).ok().flatten();
    let until = Instant::now() + said.unwrap_or(DEFAULT_TIME);
    let call = Call {
        channel,
        head,
        body,
        kind,
        own_time: said.is_some(),
        until,
        nobody: NobodyAnswers::default(),
        answered: None,
        is_open: false,
    };
    call.run().await
}

struct Call<'c> {
    channel: &'c ClusterChannel,
    head: request::Parts,
    body: Kept,
    kind: CallKind,
    /// Whether the caller said how long it may take.
    own_time: bool,
    until: Instant,
    nobody: NobodyAnswers,
    /// The newest answer that was not final.
    answered: Option<Response<Body>>,
    /// Whether an attempt may have had its effect.
    is_open: bool,
}

impl Call<'_> {
    async fn run(mut self) -> Result<Response<Body>, Status> {
        let mut pauses: Option<Pauses> = None;
        let mut first = self.channel.book().first(Instant::now());
        let mut candidates: Option<Vec<Arc<str>>> = None;
        loop {
            let reached = match first.take() {
                Some(found) => Some(found),
                None => {
                    let waiting = candidates.get_or_insert_with(|| self.channel.book().order(Instant::now()));
                    reach(self.channel, waiting, &mut self.nobody).await
                }
            };
            if let Some((address, line)) = reached {
                if let Some(response) = self.attempt(&address, line, pauses.is_some()).await? {
                    return Ok(response);
                }
                // Who was asked in this round is not asked again in it; whoever is said to lead comes first.
                let left = candidates.take();
                let order = self.channel.book().order(Instant::now());
                let waits =
                    |member: &Arc<str>| *member != address && left.as_ref().is_none_or(|left| left.contains(member));
                candidates = Some(order.into_iter().filter(waits).collect());
            }
            let round_is_over = candidates.as_ref().is_none_or(Vec::is_empty);
            if round_is_over {
                candidates = None;
            }
            if round_is_over || pauses.is_some() {
                let wait = pauses.get_or_insert_default().next(roll());
                if self.is_hopeless() || Instant::now() + wait >= self.until {
                    return self.give_up();
                }
                tokio::time::sleep(wait).await;
            }
        }
    }

    /// Nobody of them was ever there: whoever asks first wants to hear that the list is wrong, or that everything is
    /// down, and not to wait for it.
    fn is_hopeless(&self) -> bool {
        !self.channel.book().was_reached()
    }

    /// Asks one member. `None`: somebody else has to be asked.
    async fn attempt(
        &mut self,
        address: &Arc<str>,
        line: Line,
        is_late: bool,
    ) -> Result<Option<Response<Body>>, Status> {
        let mut head = self.head.clone();
        if is_late && self.own_time {
            deadline::set_timeout(&mut head.headers, self.until.saturating_duration_since(Instant::now()));
        }
        let request = Request::from_parts(head, self.body.clone().into_body());
        let exchange = send(line.clone(), request).map_err(Broken::Call).and_then(take_in);
        let mut exchange = std::pin::pin!(exchange);
        let mut silence = std::pin::pin!(tokio::time::sleep(SILENCE));
        let heard = loop {
            tokio::select! {
                biased;
                heard = &mut exchange => break heard,
                () = &mut silence, if !silence.is_elapsed() => self.channel.book().rest(address, Instant::now()),
                () = tokio::time::sleep_until(self.until.into()), if self.own_time => return Err(time_is_over()),
            }
        };
        match heard {
            Ok((response, Said::Final)) => {
                judge(self.channel, address, &Said::Final);
                Ok(Some(response))
            }
            Ok((response, said)) => {
                tracing::debug!(%address, ?said, "asking somebody else");
                judge(self.channel, address, &said);
                self.is_open |= said == Said::Unknown;
                self.nobody.note(address, "it does not lead");
                self.answered = Some(response);
                Ok(None)
            }
            Err(broken) => {
                if broken.is_time_over() {
                    return Err(time_is_over());
                }
                let why = broken.to_string();
                tracing::debug!(%address, why, "a connection broke; asking somebody else");
                self.channel.book().broke(address, &line, Instant::now());
                self.nobody.note(address, why);
                self.is_open = true;
                Ok(None)
            }
        }
    }

    /// The time is over: what is known.
    fn give_up(self) -> Result<Response<Body>, Status> {
        if self.kind == CallKind::Change && self.is_open {
            let id = self.head.headers.get(REQUEST_ID_KEY).and_then(|id| id.to_str().ok()).unwrap_or_default();
            return Ok(unknown(id, &self.nobody.to_string()));
        }
        self.answered.map_or_else(|| Err(self.nobody.into_status()), Ok)
    }
}

fn time_is_over() -> Status {
    Status::deadline_exceeded("the call's time is over")
}

/// Reads an answer to its end, so that it is judged as a whole: an answer that breaks off is none.
async fn take_in(response: Response<Body>) -> Result<(Response<Body>, Said), Broken> {
    let (head, body) = response.into_parts();
    match hold(body).await.map_err(Broken::Answer)? {
        Held::Whole(kept) => {
            let said = said(kept.trailers.as_ref().unwrap_or(&head.headers));
            Ok((Response::from_parts(head, kept.into_body()), said))
        }
        Held::TooLarge(body) => Ok((Response::from_parts(head, body), Said::Final)),
    }
}

/// What an attempt broke with.
#[derive(Debug)]
enum Broken {
    Call(tonic::transport::Error),
    Answer(Status),
}

impl Broken {
    fn causes(&self) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
        let first: &(dyn std::error::Error + 'static) = match self {
            Self::Call(error) => error,
            Self::Answer(status) => status,
        };
        std::iter::successors(Some(first), |error| error.source())
    }

    fn is_time_over(&self) -> bool {
        self.causes().any(|cause| cause.is::<TimeoutExpired>())
    }
}

impl std::fmt::Display for Broken {
    /// The innermost cause, which is what the system said.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.causes().last(), self) {
            (Some(cause), Self::Call(_)) => write!(f, "{cause}"),
            (_, Self::Answer(status)) => write!(f, "it broke off in the middle of its answer: {}", status.message()),
            (None, Self::Call(_)) => f.write_str("the connection broke"),
        }
    }
}
