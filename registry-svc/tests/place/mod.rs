//! Where tests keep their data, and what they keep.

#![allow(dead_code, unreachable_pub, missing_docs)]

use process_model::ProcessSpec;
use process_model::spec::Command as Program;
use registry_domain::{Apply, Command, Header, Order, State, step};
use tempfile::TempDir;

/// A directory on a real disk: `/tmp` may be memory, where every fsync is a
/// success.
pub fn real_disk() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub fn a_state() -> State {
    a_state_with_text(10)
}

pub fn a_state_with_text(bytes: usize) -> State {
    let mut spec = ProcessSpec::new("web".parse().unwrap(), Program::Shell("run".into()));
    spec.instances = 3;
    for n in 0..bytes.div_ceil(50_000) {
        spec.env.insert(format!("TEXT{n}"), "x".repeat(bytes.min(50_000)));
    }
    let order = Order::Apply(Apply { specs: vec![spec.into()], ..Apply::default() });
    let mut state = State::default();
    let header = Header { actor: "admin".into(), request_id: "r".into(), ..Header::default() };
    assert!(step(&mut state, Command { header, order }).reply.is_ok());
    state
}
