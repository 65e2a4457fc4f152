//! A name may be given, taken back and given again while its node says that it
//! let go of the first one. At most one copy runs (promise 6).

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use process_model::{InstanceReport, Phase};
use world::*;

/// Alpha has let go of the first web-1 and was given another one, which has to
/// go as well.
fn given_twice_and_taken_back_twice() -> World {
    let mut world = World::new();
    world.ok(hello("alpha"));
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(report("alpha", vec![seen("web-1", 1, Phase::Running)]));
    world.ok(delete("web"));
    world.ok(apply(vec![spec("web", 1)]));
    world.ok(report("alpha", vec![gone("web-1", 2)]));
    assert_eq!((world.instance("web-1").generation, world.instance("web-1").born), (2, 2));
    world.ok(delete("web"));
    assert!(world.instance("web-1").removing);
    world
}

#[test]
fn what_a_node_let_go_of_before_is_not_what_it_was_given_since() {
    let mut world = given_twice_and_taken_back_twice();
    // It was not acknowledged, so alpha says it once more.
    world.ok(report("alpha", vec![gone("web-1", 3)]));
    assert!(world.instance("web-1").removing, "alpha may run the second one by now");
    world.ok(report("alpha", vec![InstanceReport { generation: 2, ..gone("web-1", 4) }]));
    assert!(!world.has("web-1"));
}

#[test]
fn a_node_that_does_not_say_what_it_let_go_of_is_believed() {
    let mut world = given_twice_and_taken_back_twice();
    world.ok(report("alpha", vec![InstanceReport { generation: 0, ..gone("web-1", 3) }]));
    assert!(!world.has("web-1"));
}
