//! Lists page by page, in the order of names. A page goes on after the last
//! name of the one before, so that what comes and goes meanwhile makes nothing
//! else appear twice or not at all. It ends where enough is in it, and where
//! it would grow too large for a message.

use super::request::{no_place, page_or};
use crate::core::Core;
use process_model::{InstanceId, ProcessName, Selector};
use prost::Message;
use registry_domain::{Instance, Process, State};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::Bound;
use std::str::FromStr;
use std::sync::Arc;
use tonic::Status;

/// Rows in a page, unless the request says otherwise.
const ROWS: usize = 1_000;
/// A page of so many bytes is not added to. With the longest row, a spec of
/// 256 KiB, it is below the 4 MiB that a gRPC client takes.
const BYTES: usize = 2 << 20;
/// Rows looked at while the state is held: a filter that lets nothing through
/// must not stop writers for as long as all rows take.
const SCAN: usize = 10_000;

/// Where a page begins, and how long it may be.
pub(super) struct Place<K> {
    list: char,
    most: usize,
    after: Option<K>,
}

impl<K: FromStr> Place<K> {
    /// As a request says; `list` tells the tokens of one list from another's.
    pub(super) fn new(list: char, page_size: u32, page_token: &str) -> Result<Self, Status> {
        let most = page_or(page_size, ROWS)?;
        let after = match page_token {
            "" => None,
            token => {
                let name = token.strip_prefix(list).and_then(|rest| rest.strip_prefix('.')).ok_or_else(no_place)?;
                Some(name.parse().map_err(|_| no_place())?)
            }
        };
        Ok(Self { list, most, after })
    }
}

/// A page.
pub(super) struct Listed<M> {
    pub(super) items: Vec<M>,
    pub(super) next_page_token: String,
    pub(super) revision: u64,
}

/// What a list is of.
pub(super) trait Query {
    /// A row of the state.
    type Row;
    /// What it is found by, and what its place in the list is.
    type Key: Clone + Display;
    /// How it is shown.
    type Message: Message;

    /// The rows after a key, in the order of keys.
    fn rows<'s>(&'s self, state: &'s State, after: Option<&'s Self::Key>) -> Rows<'s, Self::Row>;

    /// The key of a row.
    fn key(row: &Self::Row) -> &Self::Key;

    /// The row as it is shown; nothing when it is not wanted.
    fn message(&self, state: &State, row: &Self::Row) -> Option<Self::Message>;
}

/// Rows of a state, whichever they are.
pub(super) type Rows<'s, R> = Box<dyn Iterator<Item = &'s Arc<R>> + 's>;

/// One page.
pub(super) fn list<Q: Query>(core: &Core, place: Place<Q::Key>, query: &Q) -> Listed<Q::Message> {
    let Place { list, most, mut after } = place;
    let mut page = Listed { items: Vec::new(), next_page_token: String::new(), revision: 0 };
    let mut bytes = 0;
    loop {
        let machine = core.view.read();
        let state = &machine.state;
        if page.revision == 0 {
            // The first: what happens after it may be in the page or not, so that is where to watch from.
            page.revision = state.revision();
        }
        let (mut seen, mut last) = (0, None);
        for row in query.rows(state, after.as_ref()).take(SCAN) {
            if page.items.len() == most || bytes >= BYTES {
                let last = last.or(after.as_ref());
                page.next_page_token = last.map(|last| format!("{list}.{last}")).unwrap_or_default();
                return page;
            }
            (seen, last) = (seen + 1, Some(Q::key(row)));
            if let Some(item) = query.message(state, row) {
                bytes += item.encoded_len();
                page.items.push(item);
            }
        }
        if seen < SCAN {
            return page;
        }
        after = last.cloned();
    }
}

/// What selectors name, when all of them are names: it is looked up then.
pub(super) struct Named {
    processes: BTreeSet<ProcessName>,
    instances: BTreeSet<InstanceId>,
}

/// `None`: there are patterns, or no selectors at all.
pub(super) fn named(selectors: &[Selector]) -> Option<Named> {
    if selectors.is_empty() || !selectors.iter().all(Selector::is_literal) {
        return None;
    }
    Some(Named {
        processes: selectors.iter().filter_map(|selector| selector.as_str().parse().ok()).collect(),
        instances: selectors.iter().filter_map(|selector| selector.as_str().parse().ok()).collect(),
    })
}

impl Named {
    /// The processes after a name, by name.
    pub(super) fn processes<'s>(
        &'s self,
        state: &'s State,
        after: Option<&'s ProcessName>,
    ) -> impl Iterator<Item = &'s Arc<Process>> + 's {
        let names = self.processes.range((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
        names.filter_map(|name| state.processes().get(name))
    }

    /// The instances, in the order of ids: of a process all, and those that are
    /// named themselves.
    pub(super) fn instances<'s>(
        &'s self,
        state: &'s State,
        after: Option<&'s InstanceId>,
    ) -> impl Iterator<Item = &'s Arc<Instance>> + 's {
        let of_instances = self.instances.iter().map(|id| &id.process);
        let processes: BTreeSet<&ProcessName> = self.processes.iter().chain(of_instances).collect();
        let processes = processes.into_iter().filter(move |name| after.is_none_or(|after| **name >= after.process));
        let instances = processes.flat_map(|name| state.instances_of(name));
        instances.filter(move |instance| after.is_none_or(|after| instance.id > *after))
    }
}
