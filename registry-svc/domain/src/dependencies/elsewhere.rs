//! How the instances on other nodes stand to what a node's own depend on.
//!
//! All of them have to be as they have to be. Left out are those that are being
//! removed for good, and those whose node is silent while another one counts:
//! nobody knows of them, and a lost node must not hold up the others for ever.
//! Of a daemon only the one on the same node counts, where there is one.

use crate::rollout::is_fresh;
use crate::{Instance, State, placement};
use process_model::spec::{Dependency, Standing};
use process_model::{Elsewhere, InstanceId, NodeName, Phase, ProcessName, Unmet};
use std::collections::BTreeSet;

impl State {
    /// What the instances of a node depend on.
    #[must_use]
    pub fn needs_of(&self, node: &NodeName) -> BTreeSet<Dependency> {
        let here = self.instances_on(node).filter(|instance| !instance.removing);
        let specs = here.filter_map(|instance| self.spec_of(instance)).filter(|spec| !spec.depends_on.is_empty());
        let mut needs = BTreeSet::new();
        // Instances of a process come one after the other and share their spec as a rule.
        let mut last = None;
        for spec in specs {
            if last.as_ref().is_none_or(|last| !std::sync::Arc::ptr_eq(last, &spec)) {
                needs.extend(spec.depends_on.iter().cloned());
            }
            last = Some(spec);
        }
        needs
    }

    /// Whether a node has an instance of a process, not counting those that go.
    #[must_use]
    pub fn has_here(&self, node: &NodeName, process: &ProcessName) -> bool {
        let all = self.index.on_within(node, InstanceId::all_of(process));
        let mut here = all.filter_map(|id| self.instances.get(id));
        here.any(|instance| !instance.removing)
    }

    /// How the instances that are not on `node` stand to a dependency.
    /// `has_line`: whether an instance has written such a line in this run.
    #[must_use]
    pub fn elsewhere(
        &self,
        node: &NodeName,
        dependency: &Dependency,
        has_line: impl Fn(&Instance, &str) -> bool,
    ) -> Elsewhere {
        let Some(process) = self.processes.get(&dependency.process) else { return Elsewhere::default() };
        let is_here = self.has_here(node, &dependency.process);
        if is_here && placement::of(&process.spec).daemon {
            return Elsewhere::default();
        }
        let (mut exists, mut silent) = (false, None);
        for instance in self.instances_of(&dependency.process) {
            let goes = instance.removing && instance.moving.is_none();
            if goes || instance.node.as_ref() == Some(node) {
                continue;
            }
            if instance.lost_since.is_some() {
                silent = silent.or(Some(instance));
                continue;
            }
            exists = true;
            if !self.meets(instance, dependency, &has_line) {
                return Elsewhere { exists, unmet: Some(unmet(instance)) };
            }
        }
        match silent.filter(|_| !exists && !is_here) {
            Some(instance) => Elsewhere { exists: true, unmet: Some(unmet(instance)) },
            None => Elsewhere { exists, unmet: None },
        }
    }

    fn meets(&self, instance: &Instance, dependency: &Dependency, has_line: impl Fn(&Instance, &str) -> bool) -> bool {
        let Some(spec) = self.spec_of(instance) else { return false };
        let seen = &instance.seen;
        let standing = Standing {
            phase: instance.phase(),
            ready: instance.is_ready(),
            last_exit: seen.last_exit.as_ref(),
            comes_again: seen.next_restart.is_some(),
            success: &spec.restart.codes.success,
        };
        // What was seen before it was told to begin anew says nothing of what comes.
        is_fresh(instance) && standing.meets(&dependency.condition, |pattern| has_line(instance, pattern))
    }
}

fn unmet(instance: &Instance) -> Unmet {
    let phase = instance.phase();
    Unmet {
        instance: instance.id.clone(),
        node: instance.node.clone(),
        phase,
        // One that is to be started, as somebody has just asked, rests only as far as its node has said.
        comes_again: phase != Phase::Lost && (instance.seen.next_restart.is_some() || !is_fresh(instance)),
    }
}
