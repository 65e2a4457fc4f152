//! JSON text to a message, by descriptor, with every unknown field named by
//! its path and a wrong value by its path, line and column.

use process_model::spec::Fault;
use prost_reflect::{DeserializeOptions, DynamicMessage, Kind, MessageDescriptor};
use serde_json::Value;

/// Reads `text` as `descriptor`; faults are added to `faults`, and `None` is
/// returned only together with at least one.
pub(crate) fn read(descriptor: &MessageDescriptor, text: &[u8], faults: &mut Vec<Fault>) -> Option<DynamicMessage> {
    let value: Value = match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => {
            faults.push(Fault::new("body", format!("is not JSON: {error}"), "send one JSON object"));
            return None;
        }
    };
    let before = faults.len();
    unknown_fields(descriptor, &value, "", faults);
    // Unknown fields are reported by now, all of them; the second look is for
    // what is wrong with the known ones.
    let options = DeserializeOptions::new().deny_unknown_fields(faults.len() == before);
    let mut text = serde_json::Deserializer::from_slice(text);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut text, &mut track);
    match DynamicMessage::deserialize_with_options(descriptor.clone(), tracked, &options) {
        Ok(message) => Some(message),
        Err(error) => {
            let path = track.path().to_string();
            let field = if path == "." { String::from("body") } else { path };
            faults.push(Fault::new(field, format!("does not fit: {error}"), "see the contract's comments"));
            None
        }
    }
}

/// Adds a fault for each field that the message does not have.
fn unknown_fields(descriptor: &MessageDescriptor, value: &Value, at: &str, faults: &mut Vec<Fault>) {
    // Well-known types have a JSON form of their own.
    let (Value::Object(object), false) = (value, descriptor.full_name().starts_with("google.protobuf.")) else {
        return;
    };
    for (key, value) in object {
        let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        let field = descriptor.get_field_by_json_name(key).or_else(|| descriptor.get_field_by_name(key));
        let Some(field) = field else {
            faults.push(Fault::new(path, "is not a field", format!("use one of: {}", fields_of(descriptor))));
            continue;
        };
        match (field.kind(), value) {
            (Kind::Message(entry), Value::Object(entries)) if field.is_map() => {
                if let Kind::Message(inner) = entry.map_entry_value_field().kind() {
                    for (key, value) in entries {
                        unknown_fields(&inner, value, &format!("{path}.{key}"), faults);
                    }
                }
            }
            (Kind::Message(inner), Value::Array(items)) if field.is_list() => {
                for (index, item) in items.iter().enumerate() {
                    unknown_fields(&inner, item, &format!("{path}[{index}]"), faults);
                }
            }
            (Kind::Message(inner), value) => unknown_fields(&inner, value, &path, faults),
            // Only messages have fields; a value of the wrong kind is found
            // when it is read.
            (_, _) => {}
        }
    }
}

/// The fields of a message, as they are written in JSON.
pub(crate) fn fields_of(descriptor: &MessageDescriptor) -> String {
    let names: Vec<String> = descriptor.fields().map(|field| field.json_name().to_owned()).collect();
    if names.is_empty() { String::from("(none)") } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::{Fault, read};

    fn faults(text: &str) -> Vec<String> {
        let apply = pm_proto::json::pool().unwrap().get_message_by_name("pm.v1.ApplyProcessesRequest").unwrap();
        let mut faults: Vec<Fault> = Vec::new();
        let message = read(&apply, text.as_bytes(), &mut faults);
        assert!(message.is_some() || !faults.is_empty());
        faults.iter().map(|fault| fault.field.clone()).collect()
    }

    #[test]
    fn both_spellings_of_a_field_are_read() {
        assert!(
            faults(r#"{"specs":[{"name":"web","working_dir":"/","logFile":"/l"}],"validate_only":true}"#).is_empty()
        );
    }

    #[test]
    fn every_unknown_field_is_named_by_its_path() {
        let text = r#"{"specs":[{"name":"web","colour":1},{"restart":{"mood":2}}],"env":{},"etags":{"a":"b"}}"#;
        let mut found = faults(text);
        found.sort();
        assert_eq!(found, ["env", "specs[0].colour", "specs[1].restart.mood"]);
    }

    #[test]
    fn a_wrong_value_is_named_by_its_path() {
        assert_eq!(faults(r#"{"specs":[{"name":"web","instances":"many"}]}"#), ["specs[0].instances"]);
        assert_eq!(faults(r#"{"specs":[{"restart":{"mode":"SOMETIMES"}}]}"#), ["specs[0].restart.mode"]);
        assert_eq!(faults(r#"{"specs":[{"stop":{"timeout":"soon"}}]}"#), ["specs[0].stop.timeout"]);
    }

    #[test]
    fn what_is_not_a_json_object_is_a_fault_of_the_body() {
        for text in ["", "{", "[]", "3", "{} {}", "{\"specs\":[}"] {
            assert_eq!(faults(text), ["body"], "{text}");
        }
    }
}
