//! What is held for a run beside its outputs, and how that outlives a keeper
//! process.

use crate::cgroup::{Cgroups, Group};
use crate::notify::Notify;
use crate::resume::{Found, Kept};
use process_model::spec::ResourceLimits;
use serde::{Deserialize, Serialize};

/// What is held for a run. Nothing, for most.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// A hook or a probe of the instance.
    pub(crate) is_task: bool,
    /// Who it runs as: whose words on its notify socket count.
    pub(crate) uid: u32,
    pub(crate) notify: Option<Box<Notify>>,
    pub(crate) group: Option<Box<Group>>,
    /// Who of it has outlived SIGKILL, as it was last told.
    pub(crate) survivors: Vec<u32>,
    /// Its groups are to be found again.
    lost_group: Option<Box<LostGroup>>,
}

/// What a group is found again by.
#[derive(Debug)]
struct LostGroup {
    name: Option<String>,
    limits: Option<ResourceLimits>,
}

/// The same, written down. Groups are where they were.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct HeldImage {
    #[serde(default)]
    is_task: bool,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    has_group: bool,
    /// What it is called, which need not be the run's number.
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    limits: Option<ResourceLimits>,
    #[serde(default)]
    notify: Option<NotifyImage>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NotifyImage {
    /// Place of its descriptor.
    socket: u32,
    name: String,
    lasting: String,
}

impl Held {
    pub(crate) fn image<'a>(&'a self, kept: &mut Kept<'a>) -> HeldImage {
        HeldImage {
            is_task: self.is_task,
            uid: self.uid,
            has_group: self.group.is_some() || self.lost_group.is_some(),
            group: match (&self.group, &self.lost_group) {
                (Some(group), _) => group.name(),
                (None, lost) => lost.as_ref().and_then(|lost| lost.name.clone()),
            },
            limits: self.group.as_ref().and_then(|group| group.limits().cloned()),
            notify: self.notify.as_deref().map(|notify| NotifyImage {
                socket: kept.put(notify),
                name: notify.name().to_owned(),
                lasting: notify.lasting(),
            }),
        }
    }

    pub(crate) fn new(is_task: bool, uid: u32, notify: Option<Box<Notify>>, group: Option<Box<Group>>) -> Self {
        Self { is_task, uid, notify, group, ..Self::default() }
    }

    /// What an image says, but for groups: see [`Held::find_groups`].
    pub(crate) fn of_image(image: HeldImage, found: &mut Found) -> Self {
        let notify = image.notify.and_then(|notify| {
            Some(Box::new(Notify::restore(found.take(notify.socket)?, notify.name, &notify.lasting)))
        });
        let lost = LostGroup { name: image.group, limits: image.limits };
        let lost_group = image.has_group.then(|| Box::new(lost));
        Self { lost_group, ..Self::new(image.is_task, image.uid, notify, None) }
    }

    /// Finds the groups that an image spoke of where they were.
    pub(crate) fn find_groups(&mut self, run: u64, cgroups: &Cgroups) {
        if let Some(lost) = self.lost_group.take() {
            self.group = cgroups.find_again(run, lost.name.as_deref(), lost.limits.as_ref());
        }
    }

    /// How its tree is held together.
    pub(crate) fn containment(&self) -> &'static str {
        self.group.as_ref().map_or("session", |group| group.containment())
    }
}
