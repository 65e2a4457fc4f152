//! A connection to the first of several members who can be reached. Who does not connect at once is waited for while
//! the next is tried, so a black hole at the head of a list costs a moment and not its time-out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};

use super::line::Line;
use super::{ClusterChannel, NobodyAnswers};

/// How long a member may take to connect before the next one is tried as well. Ten times a round trip within a region.
const HEDGE: Duration = Duration::from_millis(50);

/// Connects to the first of `candidates`, in their order, who can be. Everybody who cannot is noted in `nobody` and
/// taken out of `candidates`, as is the one who can.
pub(super) async fn reach(
    channel: &ClusterChannel,
    candidates: &mut Vec<Arc<str>>,
    nobody: &mut NobodyAnswers,
) -> Option<(Arc<str>, Line)> {
    let mut next = candidates.clone().into_iter();
    let mut dialled = FuturesUnordered::new();
    let mut begin_next = true;
    loop {
        if std::mem::take(&mut begin_next)
            && let Some(address) = next.next()
        {
            match channel.book().dial(&address) {
                Some(dialling) => dialled.push(async move { (address, dialling.await) }),
                None => {
                    // Forgotten meanwhile.
                    candidates.retain(|candidate| *candidate != address);
                    begin_next = true;
                    continue;
                }
            }
        }
        if dialled.is_empty() {
            return None;
        }
        tokio::select! {
            biased;
            Some((address, made)) = dialled.next() => {
                candidates.retain(|candidate| *candidate != address);
                match made {
                    Ok(line) => {
                        channel.book().connected(&address);
                        return Some((address, line));
                    }
                    Err(why) => {
                        channel.book().rest(&address, Instant::now());
                        nobody.note(&address, why);
                        begin_next = true;
                    }
                }
            }
            () = tokio::time::sleep(HEDGE), if next.len() > 0 => begin_next = true,
        }
    }
}
