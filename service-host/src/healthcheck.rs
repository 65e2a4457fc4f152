//! What a container asks its own service: `SERVICE healthcheck`, in an image that has neither shell nor `curl`.
//!
//! Enters: the address of the operations port, from the same flag or variable that the service itself was given. Leaves:
//! exit code 0, or 1 with the reason.

use crate::causes;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Longer than a service that is well ever takes, shorter than a prober waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a service does beside serving.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Ask the running service how it fares, for a container: exit code 0 when it is ready, else 1
    Healthcheck(Args),
}

/// Arguments of `healthcheck`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Only whether it lives, ready or not
    #[arg(long)]
    live: bool,
}

/// Why it is not well.
#[derive(Debug, thiserror::Error)]
pub enum Unwell {
    /// Nobody answers.
    #[error("nobody answers at {address}: {why}; is --ops-listen the same as the service's?")]
    Silent {
        /// The operations port.
        address: SocketAddr,
        /// What went wrong.
        why: String,
    },
    /// It answers, and is not ready.
    #[error("it is not ready; http://{0}/readyz says why")]
    NotReady(SocketAddr),
}

impl Args {
    /// Asks the operations port.
    ///
    /// # Errors
    /// The service does not answer or is not ready.
    pub async fn ask(&self, listens: SocketAddr) -> Result<(), Unwell> {
        let address = own(listens);
        let silent = |why: &dyn std::fmt::Display| Unwell::Silent { address, why: why.to_string() };
        let asking = async {
            let endpoint = Endpoint::try_from(format!("http://{address}")).map_err(|error| silent(&error))?;
            let channel = endpoint.connect().await.map_err(|error| silent(&causes::chain(&error)))?;
            let request = HealthCheckRequest { service: String::new() };
            let answer = HealthClient::new(channel).check(request).await.map_err(|status| silent(&status.message()))?;
            Ok(answer.into_inner().status())
        };
        let answered = tokio::time::timeout(PATIENCE, asking).await;
        let status = answered.map_err(|_| silent(&format_args!("no answer within {} s", PATIENCE.as_secs())))??;
        match status {
            ServingStatus::Serving => Ok(()),
            ServingStatus::NotServing | ServingStatus::Unknown | ServingStatus::ServiceUnknown => {
                if self.live {
                    Ok(())
                } else {
                    Err(Unwell::NotReady(address))
                }
            }
        }
    }
}

/// Where a service that listens everywhere is found from within.
fn own(listens: SocketAddr) -> SocketAddr {
    let loopback: IpAddr = if listens.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    SocketAddr::new(if listens.ip().is_unspecified() { loopback } else { listens.ip() }, listens.port())
}
