//! Who may depend on whom (style.md, "The house"): enters cargo's resolved
//! graph, leaves one line for each edge that must not be.
//!
//! Only what is built into a product counts; tests may use anything.

use crate::exec;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// For each crate of ours: the others of ours that it may use directly. A
/// crate that is not here is a breach, so that a new one gets its place.
const ALLOWED: &[(&str, &[&str])] = &[
    ("process-model", &[]),
    ("service-host", &[]),
    ("pm-proto", &["process-model"]),
    ("registry-domain", &["process-model"]),
    ("registry-log", &[]),
    ("registry-quorum", &[]),
    ("registry-consensus", &["registry-domain", "registry-log", "registry-quorum"]),
    ("runner-domain", &["process-model"]),
    ("monitor-domain", &["process-model"]),
    ("runner-keeper", &["process-model"]),
    ("runner-types", &["process-model"]),
    (
        "registry-svc",
        &[
            "process-model",
            "pm-proto",
            "service-host",
            "registry-consensus",
            "registry-domain",
            "registry-log",
            "registry-quorum",
        ],
    ),
    ("runner-svc", &["process-model", "pm-proto", "service-host", "runner-domain", "runner-keeper", "runner-types"]),
    ("monitor-svc", &["process-model", "pm-proto", "service-host", "monitor-domain"]),
    // The door knows the contract and no service: it could not open a store if it wanted to.
    ("gateway", &["process-model", "pm-proto", "service-host"]),
    ("pmctl", &["process-model", "pm-proto", "service-host", "registry-svc", "runner-svc", "monitor-svc", "gateway"]),
    ("xtask", &[]),
    ("benches", &["process-model", "pm-proto", "system-tests"]),
    ("system-tests", &["process-model", "pm-proto", "service-host"]),
];

/// They decide and do nothing else: no runtime, socket, disk, clock or chance
/// anywhere beneath them.
const PURE: &[&str] =
    &["process-model", "registry-domain", "registry-quorum", "runner-domain", "runner-types", "monitor-domain"];

/// What no pure crate may reach, however indirectly.
const IMPURE: &[&str] = &[
    "tokio",
    "tonic",
    "prost",
    "hyper",
    "axum",
    "tower",
    "mio",
    "socket2",
    "sled",
    "redb",
    "openraft",
    "nix",
    "rustix",
    "libc",
    "procfs",
    "sysinfo",
    "rand",
    "getrandom",
    "uuid",
    "tracing",
    "opentelemetry",
    "reqwest",
    "tempfile",
    "chrono",
];

/// Edges that are none: what they lead to is not reached. `cpufeatures` asks the
/// processor what it can, on 64-bit ARM through libc's `getauxval`; a hash is
/// the same whatever the answer.
const HARMLESS: &[(&str, &str)] = &[("cpufeatures", "libc")];

/// Normal dependencies: crate name → the names that it uses.
pub(super) struct Graph {
    edges: BTreeMap<String, BTreeSet<String>>,
    members: BTreeSet<String>,
}

impl Graph {
    /// The graph of this workspace, as cargo resolved it for this machine.
    pub(super) fn of(workspace: &Workspace) -> Result<Self> {
        let host = exec::read(std::process::Command::new("rustc").arg("-vV"))?;
        let host = String::from_utf8_lossy(&host);
        let host = host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not name its host")?;
        // Filtered, since other platforms' crates need not be on this machine.
        let mut command =
            workspace.cargo(&["metadata", "--format-version", "1", "--locked", "--filter-platform", host]);
        let metadata = serde_json::from_slice(&exec::read(&mut command)?).context("cargo metadata is no JSON")?;
        Self::read(&metadata).context("cargo metadata has another form than expected")
    }

    fn read(metadata: &Value) -> Option<Self> {
        let mut names = BTreeMap::new();
        for package in metadata["packages"].as_array()? {
            names.insert(package["id"].as_str()?, package["name"].as_str()?.to_owned());
        }
        let members = metadata["workspace_members"].as_array()?;
        let members = members.iter().map(|id| names.get(id.as_str()?).cloned()).collect::<Option<_>>()?;
        // Two versions of a crate are one here: the rules are about names.
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array()? {
            let uses = edges.entry(names.get(node["id"].as_str()?)?.clone()).or_default();
            for dependency in node["deps"].as_array()? {
                let is_normal = dependency["dep_kinds"].as_array()?.iter().any(|kind| kind["kind"].is_null());
                if is_normal {
                    uses.insert(names.get(dependency["pkg"].as_str()?)?.clone());
                }
            }
        }
        Some(Self { edges, members })
    }

    fn uses<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.edges.get(name).into_iter().flatten().map(String::as_str)
    }

    /// How `from` reaches `to`, if it does: the chain of names.
    fn path(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut seen = BTreeSet::from([from.to_owned()]);
        let mut paths = vec![vec![from.to_owned()]];
        while let Some(path) = paths.pop() {
            for next in self.uses(path.last()?) {
                if HARMLESS.contains(&(path.last()?.as_str(), next)) || !seen.insert(next.to_owned()) {
                    continue;
                }
                let mut longer = path.clone();
                longer.push(next.to_owned());
                if next == to {
                    return Some(longer);
                }
                paths.push(longer);
            }
        }
        None
    }
}

/// One line for each breach.
pub(super) fn breaches(graph: &Graph) -> Vec<String> {
    let mut breaches = Vec::new();
    for member in &graph.members {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| name == member) else {
            breaches.push(format!(
                "{member}: it has no place in the layering; give it one in xtask/src/policy/layering.rs"
            ));
            continue;
        };
        for used in graph.uses(member) {
            if graph.members.contains(used) && !allowed.contains(&used) {
                breaches.push(format!("{member} must not depend on {used}"));
            }
        }
    }
    for pure in PURE {
        for impure in IMPURE {
            if let Some(path) = graph.path(pure, impure) {
                breaches.push(format!("{pure} is pure and must not reach {impure}: {}", path.join(" → ")));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(members: &[&str], edges: &[(&str, &str)]) -> Graph {
        let mut map: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in edges {
            map.entry((*from).into()).or_default().insert((*to).into());
        }
        Graph { edges: map, members: members.iter().map(|m| (*m).into()).collect() }
    }

    #[test]
    fn a_gateway_that_opens_the_registry_is_a_breach() {
        let found = breaches(&graph(&["gateway", "registry-svc"], &[("gateway", "registry-svc")]));
        assert_eq!(found, ["gateway must not depend on registry-svc"]);
    }

    #[test]
    fn a_domain_that_reaches_a_runtime_through_another_crate_is_a_breach() {
        let found = breaches(&graph(&["runner-domain"], &[("runner-domain", "innocent"), ("innocent", "tokio")]));
        assert_eq!(found, ["runner-domain is pure and must not reach tokio: runner-domain → innocent → tokio"]);
    }

    #[test]
    fn a_harmless_edge_is_no_way_but_another_one_to_the_same_crate_is() {
        let edges = [("process-model", "sha2"), ("sha2", "cpufeatures"), ("cpufeatures", "libc")];
        assert_eq!(breaches(&graph(&["process-model"], &edges)), Vec::<String>::new());
        let edges = [edges[0], edges[1], edges[2], ("sha2", "libc")];
        assert_eq!(breaches(&graph(&["process-model"], &edges)).len(), 1);
    }

    #[test]
    fn a_crate_without_a_place_is_a_breach() {
        assert_eq!(breaches(&graph(&["newcomer"], &[])).len(), 1);
    }

    #[test]
    fn what_the_layering_allows_is_no_breach() {
        let found =
            breaches(&graph(&["pmctl", "gateway", "runner-domain"], &[("pmctl", "gateway"), ("gateway", "tokio")]));
        assert_eq!(found, Vec::<String>::new());
    }
}
