//! A network that can be slow, silent or cut.

use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forwards,
    Silent,
    Cut,
}

pub(crate) struct Proxy {
    pub(crate) address: String,
    mode: Arc<watch::Sender<Mode>>,
}

impl Proxy {
    /// A way to an address, so slow in each direction.
    pub(crate) async fn to(address: &str, delay: Duration) -> Self {
        let target = address.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mode = Arc::new(watch::Sender::new(Mode::Forwards));
        let modes = mode.clone();
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((near, _)) = listener.accept().await {
                if *modes.borrow() == Mode::Silent {
                    held.push(near);
                    continue;
                }
                if *modes.borrow() == Mode::Cut {
                    modes.send_replace(Mode::Forwards);
                }
                let Ok(far) = TcpStream::connect(&target).await else { continue };
                near.set_nodelay(true).unwrap();
                far.set_nodelay(true).unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(pump(near_in, far_out, delay, modes.subscribe()));
                tokio::spawn(pump(far_in, near_out, delay, modes.subscribe()));
            }
        });
        Self { address, mode }
    }

    /// Forwards nothing any more, and closes nothing: a cable is pulled.
    pub(crate) fn silence(&self) {
        self.mode.send_replace(Mode::Silent);
    }

    /// Cuts all connections; new ones pass.
    pub(crate) fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration, mut mode: watch::Receiver<Mode>) {
    mode.mark_unchanged();
    // As much as is on its way in a second of delay.
    let (sender, mut on_its_way) = mpsc::channel::<(Instant, Vec<u8>)>(4096);
    let writing = async move {
        while let Some((due, bytes)) = on_its_way.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    let reading = async move {
        loop {
            let mut bytes = vec![0; 64 * 1024];
            let Ok(read @ 1..) = from.read(&mut bytes).await else { return };
            bytes.truncate(read);
            if sender.send((Instant::now() + delay, bytes)).await.is_err() {
                return;
            }
        }
    };
    let forwarding = async { tokio::join!(writing, reading) };
    tokio::select! {
        _ = forwarding => {}
        changed = mode.changed() => {
            if changed.is_ok() && *mode.borrow() == Mode::Silent {
                std::future::pending::<()>().await;
            }
        }
    }
}
