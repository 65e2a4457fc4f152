//! A spec with everything set survives the wire unchanged, as a message, as its
//! bytes and as its JSON.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's own functions panic as the test does

#[path = "../../process-model/tests/support/specs.rs"]
mod specs;

use pm_proto::convert::{spec_from_wire, spec_to_wire};
use pm_proto::v1;
use process_model::ProcessSpec;
use process_model::spec::{Command, Execution, Hook, Hooks, StopStep};
use proptest::prelude::*;
use prost::Message as _;
use specs::spec;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spec_survives_the_wire_unchanged(spec in spec()) {
        let wire = spec_to_wire(&spec);
        let bytes = v1::ProcessSpec::decode(wire.encode_to_vec().as_slice()).unwrap();
        prop_assert_eq!(&bytes, &wire);
        prop_assert_eq!(spec_from_wire(&bytes), Ok(spec));
    }

    #[test]
    fn a_spec_survives_json_unchanged(spec in spec()) {
        let wire = spec_to_wire(&spec);
        let json = pm_proto::json::to_value(&wire).unwrap();
        let back: v1::ProcessSpec = pm_proto::json::from_value(json).unwrap();
        prop_assert_eq!(spec_from_wire(&back), Ok(spec));
    }

    /// Whatever is in a message, reading it ends with a spec or with faults.
    #[test]
    fn arbitrary_bytes_are_no_panic(spec in spec(), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = spec_to_wire(&spec).encode_to_vec();
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(wire) = v1::ProcessSpec::decode(bytes.as_slice()) {
            match spec_from_wire(&wire) {
                Ok(spec) => prop_assert_eq!(spec.check(), []),
                Err(faults) => prop_assert!(!faults.is_empty()),
            }
        }
    }
}

/// Presence that the strategies leave out: groups that are there and empty.
#[test]
fn what_is_there_and_empty_stays_there() {
    let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Shell("x".to_owned()));
    spec.execution = Some(Box::new(Execution { supplementary_groups: Some(Vec::new()), ..Execution::default() }));
    spec.hooks = Some(Box::new(Hooks::default()));
    spec.logs = Some(Box::default());
    spec.limits = Some(Box::default());
    spec.stop.steps = vec![StopStep::Hook(Hook::new(Command::Argv(vec!["a".to_owned()])))];
    assert_eq!(spec_from_wire(&spec_to_wire(&spec)), Ok(spec));
}
