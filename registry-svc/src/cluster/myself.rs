//! What this replica says of itself to whoever asks, before and after it is a
//! member of anything.

use crate::home::{Found, Home, HomeError};
use crate::open::OpenError;
use crate::options::Options;
use crate::peers::{Introduced, Introducer, PlanTaker, Reception};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use registry_consensus::ReplicaId;
use registry_quorum::founding::{Condition, Founder, FoundingPlan, Introduction};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// This replica, as it introduces itself.
pub(crate) struct Myself {
    home: Arc<Home>,
    said: Arc<Mutex<Introduced>>,
    planned: Arc<Notify>,
}

impl Myself {
    /// As its directory says.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn new(home: Arc<Home>, options: &Options) -> Result<Self, OpenError> {
        let store = home.store()?.to_string();
        let is = Introduction {
            address: options.advertise.clone(),
            store,
            replicas: options.replicas,
            condition: condition(&home, &BTreeMap::new())?,
        };
        let (epoch, id) = match home.look()? {
            Found::Founded(identity) => (identity.epoch, Some(identity.replica)),
            Found::Fresh | Found::Planned(_) => (0, None),
        };
        let said = Introduced { is, epoch, id, version: env!("CARGO_PKG_VERSION").to_owned() };
        Ok(Self { home, said: Arc::new(Mutex::new(said)), planned: Arc::default() })
    }

    /// What the directory says now.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn is(&self) -> Result<Introduction, OpenError> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.is.condition = condition(&self.home, &BTreeMap::new())?;
        Ok(said.is.clone())
    }

    /// Who the members are, once that is known.
    pub(crate) fn knows(&self, members: BTreeMap<ReplicaId, Founder>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Condition::Founded { members: known, .. } = &mut said.is.condition {
            *known = members;
        }
    }

    /// Writes the plan down.
    ///
    /// # Errors
    /// It is not a plan for this directory.
    pub(crate) fn take_plan(&self, plan: &FoundingPlan) -> Result<(), OpenError> {
        self.home.plan(plan)?;
        self.is().map(drop)
    }

    /// Waits until a plan came in, or so long.
    pub(crate) async fn changed_or(&self, most: Duration) {
        // Which of the two does not matter.
        let _ = tokio::time::timeout(most, self.planned.notified()).await;
    }

    /// The service that says so.
    pub(crate) fn reception(&self) -> Reception {
        let desk = Arc::new(Desk { home: self.home.clone(), said: self.said.clone(), planned: self.planned.clone() });
        Reception::new(desk.clone(), desk)
    }
}

fn condition(home: &Home, members: &BTreeMap<ReplicaId, Founder>) -> Result<Condition, HomeError> {
    Ok(match home.look()? {
        Found::Fresh => Condition::Fresh,
        Found::Planned(plan) => Condition::Planned(plan),
        Found::Founded(identity) => {
            Condition::Founded { cluster: identity.cluster.to_string(), members: members.clone() }
        }
    })
}

struct Desk {
    home: Arc<Home>,
    said: Arc<Mutex<Introduced>>,
    planned: Arc<Notify>,
}

impl Introducer for Desk {
    fn introduction(&self) -> Introduced {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl PlanTaker for Desk {
    fn take(&self, plan: FoundingPlan) -> BoxFuture<'static, Result<(), String>> {
        let (home, said, planned) = (self.home.clone(), self.said.clone(), self.planned.clone());
        async move {
            let written = tokio::task::spawn_blocking(move || {
                let store = said.lock().unwrap_or_else(PoisonError::into_inner).is.store.clone();
                if !plan.founders.values().any(|founder| founder.store == store) {
                    return Err("the plan does not name this replica's directory".to_owned());
                }
                home.plan(&plan).map_err(|error| error.to_string())?;
                said.lock().unwrap_or_else(PoisonError::into_inner).is.condition = Condition::Planned(plan);
                Ok(())
            });
            let written = written.await.map_err(|error| error.to_string())?;
            planned.notify_one();
            written
        }
        .boxed()
    }
}
