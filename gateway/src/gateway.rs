//! The gateway as a library: built from [`Options`], served on a listener.

use crate::access::Upstream;
use crate::backend::BackendError;
use crate::backends::Backends;
use crate::catalogue::{Catalogue, CatalogueError};
use crate::denials::Denials;
use crate::door::Door;
use crate::gatekeeper::Gatekeeper;
use crate::grpc::local::{Local, LocalError};
use crate::meters::Meters;
use crate::net;
use crate::options::Options;
use crate::rest::Rest;
use service_host::identity::Identity;
use service_host::metrics::Metrics;
use service_host::server::ServeError;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The public door. Holds no state but its connections.
#[derive(Debug, Clone)]
pub struct Gateway {
    door: Arc<Door>,
    metrics: Metrics,
    identity: Option<Identity>,
}

/// Why a gateway cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The access table, the routes and the contract do not fit.
    #[error("the gateway's tables do not fit the contract")]
    Catalogue(#[from] CatalogueError),
    /// A service cannot be dialled.
    #[error("a service behind the gateway cannot be called")]
    Backend(#[from] BackendError),
    /// Health or reflection cannot be offered.
    #[error("health and reflection cannot be offered")]
    Local(#[from] LocalError),
}

impl Gateway {
    /// Builds a gateway. Nothing is dialled before the first request.
    ///
    /// # Errors
    /// An address is malformed, or the build is broken.
    pub fn new(options: Options) -> Result<Self, NewError> {
        let metrics = Metrics::new("gateway");
        let meters = Meters::new(&metrics);
        let catalogue = Arc::new(Catalogue::load()?);
        let backends = Backends::new(&options)?;
        let door = Door {
            gatekeeper: Gatekeeper::new(options.admin_token, options.viewer_token),
            rest: Rest::new(Arc::clone(&catalogue), backends.clone(), meters.clone())?,
            local: Local::new()?,
            denials: Denials::default(),
            catalogue,
            backends,
            meters,
        };
        Ok(Self { door: Arc::new(door), metrics, identity: options.identity })
    }

    /// Serves the port until `shutdown`: then nothing more is accepted, streams
    /// end at once with a status that says so, other requests have
    /// [`service_host::server::STOP_GRACE`] to end.
    ///
    /// # Errors
    /// None at present: what goes wrong on a connection ends that connection,
    /// and want of descriptors is waited out.
    pub async fn serve(&self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), ServeError> {
        self.door.local.set_serving(true).await;
        let gone = async {
            shutdown.cancelled().await;
            self.door.local.set_serving(false).await;
        };
        let denials = self.door.denials.report(self.door.backends.of(Upstream::Registry), &shutdown);
        tokio::join!(
            net::serve(listener, self.identity.clone(), Arc::clone(&self.door), shutdown.clone()),
            gone,
            denials
        );
        Ok(())
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }
}
