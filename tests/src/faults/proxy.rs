//! A wire between two programs: a TCP proxy that can be slow, silent or cut.
//! One for each direction of dialling; with [`crate::Net::detour`] the programs
//! do not know of it.

use crate::Dice;
use crate::api::runtime;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Pieces under way in one direction of one connection. A sender that is
/// faster has to wait, as it would for a full window.
const PIECES: usize = 1_024;

/// How the wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Each piece arrives after `delay` ± `jitter`, in order.
    Open {
        /// One way.
        delay: Duration,
        /// At most `delay`.
        jitter: Duration,
    },
    /// Connections stay and carry nothing; new ones are taken and carry
    /// nothing either (half-open TCP).
    Silent,
    /// Connections are reset, new ones too.
    Cut,
}

impl Wire {
    /// As if it were not there.
    pub const FAST: Self = Self::Open { delay: Duration::ZERO, jitter: Duration::ZERO };
}

/// A proxy in front of one address.
pub struct Proxy {
    address: SocketAddr,
    wire: watch::Sender<Wire>,
    counts: Arc<Counts>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    bytes: AtomicU64,
    dice: Mutex<Option<Dice>>,
}

impl Counts {
    /// `delay` ± `jitter`.
    fn delay(&self, delay: Duration, jitter: Duration) -> Duration {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        let jitter = usize::try_from(jitter.as_micros()).expect("jitter is short");
        let thrown = dice.get_or_insert_with(|| Dice::new(1)).below(2 * jitter + 1);
        (delay + Duration::from_micros(thrown as u64)).saturating_sub(Duration::from_micros(jitter as u64))
    }
}

impl Proxy {
    /// Listens on `at` (port 0: any) and passes on to `to`.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn start(at: SocketAddr, to: SocketAddr) -> Self {
        let listener = runtime().block_on(TcpListener::bind(at)).unwrap_or_else(|error| panic!("{at}: {error}"));
        let address = listener.local_addr().unwrap();
        let (wire, state) = watch::channel(Wire::FAST);
        let counts = Arc::<Counts>::default();
        let accepting = runtime().spawn(accept(listener, to, state, counts.clone()));
        Self { address, wire, counts, accepting }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the wire is like this.
    pub fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }

    /// Connections so far: the proof that it is used.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Bytes passed on so far, both ways.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // With the sender of its state each connection ends, too.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, wire: watch::Receiver<Wire>, counts: Arc<Counts>) {
    while let Ok((near, _)) = listener.accept().await {
        counts.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(connection(near, to, wire.clone(), counts.clone()));
    }
}

/// One connection until one end closes, the wire is cut, or the proxy is gone.
async fn connection(near: TcpStream, to: SocketAddr, mut wire: watch::Receiver<Wire>, counts: Arc<Counts>) {
    if *wire.borrow() == Wire::Silent && wire.wait_for(|wire| *wire != Wire::Silent).await.is_err() {
        return;
    }
    if *wire.borrow() == Wire::Cut {
        return reset(&near);
    }
    let Ok(far) = TcpStream::connect(to).await else { return reset(&near) };
    for stream in [&near, &far] {
        let _ = stream.set_nodelay(true);
    }
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    let there = carry(near_read, far_write, wire.clone(), counts.clone());
    let back = carry(far_read, near_write, wire.clone(), counts);
    let cut = async { wire.wait_for(|wire| *wire == Wire::Cut).await.is_ok() };
    tokio::select! {
        ((), ()) = async { tokio::join!(there, back) } => {}
        // Dropped with what it holds: both ends see an end without a word.
        _ = cut => {}
    }
}

/// An end by RST, as of a process that has died.
fn reset(stream: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

/// One direction. Reading and delivering are apart, so that a delay delays and
/// does not narrow the wire.
async fn carry(mut from: OwnedReadHalf, to: OwnedWriteHalf, wire: watch::Receiver<Wire>, counts: Arc<Counts>) {
    let (pieces, under_way) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    let delivering = deliver(under_way, to, wire.clone(), counts.clone());
    let reading = async move {
        let mut buffer = vec![0; 16 << 10];
        let mut last = Instant::now();
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let state = *wire.borrow();
            let delay = match state {
                Wire::Open { delay, jitter } => counts.delay(delay, jitter),
                Wire::Silent | Wire::Cut => Duration::ZERO,
            };
            // Never before what was sent earlier: it is a stream.
            last = last.max(Instant::now() + delay);
            if pieces.send((last, buffer[..read].to_vec())).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, delivering);
}

async fn deliver(
    mut pieces: mpsc::Receiver<(Instant, Vec<u8>)>,
    mut to: OwnedWriteHalf,
    mut wire: watch::Receiver<Wire>,
    counts: Arc<Counts>,
) {
    while let Some((at, piece)) = pieces.recv().await {
        tokio::time::sleep_until(at).await;
        if wire.wait_for(|wire| *wire != Wire::Silent).await.is_err() {
            return;
        }
        counts.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::TcpStream;

    const HERE: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

    /// A server that sends back what it gets, behind a proxy.
    fn echo() -> Proxy {
        let listener = std::net::TcpListener::bind(SocketAddr::from(HERE)).unwrap();
        let to = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
        Proxy::start(HERE.into(), to)
    }

    fn client(proxy: &Proxy, wait: Duration) -> TcpStream {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_read_timeout(Some(wait)).unwrap();
        stream
    }

    fn round_trip(stream: &mut TcpStream) -> std::io::Result<()> {
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])
    }

    #[test]
    fn a_delay_delays_each_way() {
        let proxy = echo();
        let mut stream = client(&proxy, crate::DEADLINE);
        round_trip(&mut stream).unwrap();
        let (delay, jitter) = (Duration::from_millis(150), Duration::from_millis(50));
        proxy.set(Wire::Open { delay, jitter });
        let began = std::time::Instant::now();
        round_trip(&mut stream).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
        assert_eq!((proxy.connections(), proxy.bytes()), (1, 4));
    }

    #[test]
    fn a_silent_wire_keeps_its_connections_and_what_was_sent_arrives_later() {
        let proxy = echo();
        let mut stream = client(&proxy, Duration::from_millis(300));
        round_trip(&mut stream).unwrap();
        proxy.set(Wire::Silent);
        assert_eq!(round_trip(&mut stream).unwrap_err().kind(), ErrorKind::WouldBlock);
        proxy.set(Wire::FAST);
        stream.set_read_timeout(Some(crate::DEADLINE)).unwrap();
        stream.read_exact(&mut [0]).unwrap();
    }

    #[test]
    fn a_cut_wire_ends_connections_and_takes_no_new_ones() {
        let proxy = echo();
        let mut stream = client(&proxy, crate::DEADLINE);
        round_trip(&mut stream).unwrap();
        proxy.set(Wire::Cut);
        assert!(stream.read_exact(&mut [0]).is_err(), "it is still open");
        assert!(round_trip(&mut client(&proxy, crate::DEADLINE)).is_err());
        proxy.set(Wire::FAST);
        round_trip(&mut client(&proxy, crate::DEADLINE)).unwrap();
    }
}
