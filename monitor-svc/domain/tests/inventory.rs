//! Which node's word counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)] // A test fails by panicking.

use monitor_domain::SessionId;
use monitor_domain::inventory::{Inventory, Told};
use process_model::{InstanceId, NodeName, Selector};
use std::collections::BTreeSet;

fn node(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn ids(texts: &[&str]) -> BTreeSet<InstanceId> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn find(inventory: &Inventory, selectors: &[&str]) -> Vec<(String, String)> {
    let selectors: Vec<Selector> = selectors.iter().map(|text| Selector::new(*text)).collect();
    let found = inventory.find(&selectors).unwrap();
    found.into_iter().map(|at| (at.instance.to_string(), at.node.to_string())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

const ONE: SessionId = SessionId(1);
const TWO: SessionId = SessionId(2);

#[test]
fn selectors_find_each_instance_once_in_order() {
    let mut inventory = Inventory::default();
    inventory.connected(node("a"), ONE);
    inventory.connected(node("b"), TWO);
    inventory.announced(&node("a"), ONE, ids(&["web-10", "web-2"]));
    inventory.announced(&node("b"), TWO, ids(&["api-1"]));
    assert_eq!(find(&inventory, &["web", "web-2", "*"]), pairs(&[("api-1", "b"), ("web-2", "a"), ("web-10", "a")]));
    let unmatched = inventory.find(&[Selector::new("web"), Selector::new("wep")]).unwrap_err();
    assert_eq!(unmatched.to_string(), "wep matches no instance that a connected node has");
}

#[test]
fn a_later_session_of_a_node_wins_and_the_earlier_one_is_not_heard() {
    let mut inventory = Inventory::default();
    assert_eq!(inventory.connected(node("a"), ONE), None);
    inventory.announced(&node("a"), ONE, ids(&["web-1"]));
    assert_eq!(inventory.connected(node("a"), TWO), Some(ONE));
    assert_eq!(inventory.announced(&node("a"), ONE, ids(&["old-1"])), Told::Refused);
    assert_eq!(inventory.measured(&node("a"), ONE, ids(&["old-1"])), Told::Refused);
    assert_eq!(inventory.disconnected(&node("a"), ONE), Told::Refused);
    assert_eq!(inventory.announced(&node("a"), TWO, ids(&["web-1"])), Told::Accepted);
    assert_eq!(inventory.locations()[0].session, TWO);
    assert_eq!(inventory.disconnected(&node("a"), TWO), Told::Accepted);
    assert_eq!(inventory.locations(), []);
}

#[test]
fn an_instance_on_two_nodes_is_where_it_runs_else_where_it_came_last() {
    let mut inventory = Inventory::default();
    inventory.connected(node("a"), ONE);
    inventory.connected(node("b"), TWO);
    inventory.announced(&node("b"), TWO, ids(&["web-1"]));
    inventory.announced(&node("a"), ONE, ids(&["web-1"]));
    assert_eq!(find(&inventory, &["web"]), pairs(&[("web-1", "a")]));
    inventory.announced(&node("b"), TWO, ids(&["web-1", "web-2"]));
    assert_eq!(find(&inventory, &["web-1"]), pairs(&[("web-1", "a")]), "saying it again is not getting it again");
    inventory.measured(&node("b"), TWO, ids(&["web-1"]));
    assert_eq!(find(&inventory, &["web-1"]), pairs(&[("web-1", "b")]));
}
