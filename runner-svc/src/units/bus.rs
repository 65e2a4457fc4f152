//! systemd's manager on the system bus (org.freedesktop.systemd1(5)): a job is
//! asked for, and its end is waited for by the signal that tells of it.

use process_model::ActionVerb;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_stream::StreamExt as _;
use zbus::zvariant::OwnedObjectPath;
use zbus::{Connection, Proxy};

const SERVICE: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
/// As `systemctl` does: what is queued for the unit already gives way.
const MODE: &str = "replace";
/// Longest wait for a job: a unit's own time-outs end it long before.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Why systemd did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnitError {
    /// There is no bus, or nobody of that name on it.
    #[error("this node has no systemd that answers on the system bus: {0}")]
    NoBus(#[source] zbus::Error),
    /// It refused.
    #[error("systemd refused: {0}")]
    Refused(#[source] zbus::Error),
    /// The job has ended otherwise than by being done.
    #[error("systemd's job for {unit} ended as {result:?}; `journalctl -u {unit}` says why")]
    Job {
        /// The unit.
        unit: String,
        /// Its word for it.
        result: String,
    },
    /// The bus went away meanwhile.
    #[error("the system bus went away before the job for {0} had ended")]
    Gone(String),
    /// It takes too long.
    #[error("systemd has not finished the job for {0} within 15 minutes; it goes on")]
    TooLong(String),
    /// An instance can; a unit cannot.
    #[error("a unit cannot be sent {}", .0.as_str())]
    Verb(ActionVerb),
}

/// The connection; made when it is needed, and made anew when it broke.
#[derive(Debug, Default)]
pub(super) struct Bus(Mutex<Option<Connection>>);

impl Bus {
    /// Asks for the job and waits for its end.
    pub(super) async fn carry_out(&self, verb: ActionVerb, unit: &str) -> Result<(), UnitError> {
        let method = match verb {
            ActionVerb::Start => "StartUnit",
            ActionVerb::Stop => "StopUnit",
            ActionVerb::Restart => "RestartUnit",
            ActionVerb::Reload => "ReloadUnit",
            ActionVerb::Signal => return Err(UnitError::Verb(verb)),
        };
        let manager = self.manager().await.map_err(UnitError::NoBus)?;
        let done = tokio::time::timeout(LONGEST, run(&manager, method, unit)).await;
        let done = done.unwrap_or_else(|_| Err(UnitError::TooLong(unit.to_owned())));
        if matches!(done, Err(UnitError::Gone(_))) {
            self.0.lock().await.take();
        }
        done
    }

    async fn manager(&self) -> zbus::Result<Proxy<'static>> {
        let mut known = self.0.lock().await;
        if let Some(connection) = known.as_ref() {
            // Whether it still stands shows here: the proxy asks for the name's owner.
            if let Ok(manager) = manager(connection).await {
                return Ok(manager);
            }
        }
        let connection = Connection::system().await?;
        let manager = manager(&connection).await?;
        *known = Some(connection);
        Ok(manager)
    }
}

async fn manager(connection: &Connection) -> zbus::Result<Proxy<'static>> {
    let manager = Proxy::new(connection, SERVICE, PATH, MANAGER).await?;
    // Without a subscriber systemd tells nobody of its jobs.
    manager.call_method("Subscribe", &()).await.map(drop).or_else(already_subscribed)?;
    Ok(manager)
}

fn already_subscribed(error: zbus::Error) -> zbus::Result<()> {
    const ALREADY: &str = "org.freedesktop.systemd1.AlreadySubscribed";
    let is_already = matches!(&error, zbus::Error::MethodError(name, ..) if name.as_str() == ALREADY);
    if is_already { Ok(()) } else { Err(error) }
}

async fn run(manager: &Proxy<'_>, method: &str, unit: &str) -> Result<(), UnitError> {
    // Listened for first: a job may end before its number comes back.
    let mut ends = manager.receive_signal("JobRemoved").await.map_err(UnitError::NoBus)?;
    let job: OwnedObjectPath = manager.call(method, &(unit, MODE)).await.map_err(UnitError::Refused)?;
    while let Some(end) = ends.next().await {
        let Ok((_, path, _, result)) = end.body().deserialize::<(u32, OwnedObjectPath, String, String)>() else {
            continue;
        };
        if path == job {
            let unit = unit.to_owned();
            return if result == "done" { Ok(()) } else { Err(UnitError::Job { unit, result }) };
        }
    }
    Err(UnitError::Gone(unit.to_owned()))
}
