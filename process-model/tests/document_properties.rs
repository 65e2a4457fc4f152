//! What is valid reads back as it was written: every field, in both forms.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's own functions panic as the test does

mod support;

use process_model::document;
use proptest::prelude::*;
use serde_json::json;
use std::path::Path;
use support::specs::spec;
use support::written::written;

/// The few characters that JSON allows in a string as they are, and YAML only
/// escaped.
fn escaped(text: &str) -> String {
    let refused = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    let one = |c: char| if refused(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_spec_that_is_made_up_here_is_valid(spec in spec()) {
        prop_assert_eq!(spec.check(), []);
    }

    #[test]
    fn valid_specs_read_back(mut spec in spec(), listed in any::<bool>()) {
        let mut fields = written(&spec);
        // Left out, it is the folder of the file.
        spec.working_dir.get_or_insert_with(|| "/base".to_owned());
        // Without a file of its own it watches where the output goes.
        if let Some(watchdog) = &mut spec.log_watchdog {
            watchdog.log_file = watchdog.log_file.take().or_else(|| spec.log_file.clone());
        }
        // Under the files of a process is the environment of the whole file.
        let env = spec.execution.as_ref().map(|execution| execution.base_env.clone()).unwrap_or_default();
        let document = if listed && (spec.log_watchdog.is_some() || spec.log_file.is_none()) {
            fields["name"] = json!(spec.name.as_str());
            // The list form's short way to a watchdog is its own test.
            json!({ "env": env, "processes": [fields] })
        } else {
            json!({ "env": env, "processes": { spec.name.as_str(): fields } })
        };
        for text in [document.to_string(), serde_json::to_string_pretty(&document).unwrap()] {
            let text = escaped(&text);
            match document::read("f", Path::new("/base"), text.as_bytes()) {
                Ok(read) => prop_assert_eq!(&read.processes, &vec![spec.clone()], "{}", text),
                Err(faults) => prop_assert!(false, "{}\n{}", text, faults[0]),
            }
        }
    }
}
