//! The query string to fields of the request message: by descriptor, both
//! spellings, repeated fields repeated, every fault named.

use super::json::fields_of;
use process_model::spec::Fault;
use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};

/// Reads `query` into a new message.
pub(crate) fn read(descriptor: &MessageDescriptor, query: &str, faults: &mut Vec<Fault>) -> DynamicMessage {
    let mut object = Map::new();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        let field = descriptor.get_field_by_name(&name).or_else(|| descriptor.get_field_by_json_name(&name));
        let Some(field) = field.filter(can_be_in_a_query) else {
            let fix = format!("use one of: {}", fields_of(descriptor));
            faults.push(Fault::new(name.as_ref(), "is not a query parameter of this route", fix));
            continue;
        };
        let key = field.json_name().to_owned();
        let value = match value(&field, &text) {
            Ok(value) => value,
            Err(fix) => {
                faults.push(Fault::new(name.as_ref(), format!("has the value {text:?}"), fix));
                continue;
            }
        };
        if field.is_list() {
            let list = object.entry(key).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(items) = list {
                items.push(value);
            }
        } else if object.insert(key, value).is_some() {
            faults.push(Fault::new(name.as_ref(), "is given more than once", "give it once"));
        }
    }
    // One field at a time, so that each fault has its name.
    let mut message = DynamicMessage::new(descriptor.clone());
    for (key, value) in object {
        let single = Value::Object(std::iter::once((key.clone(), value.clone())).collect());
        match DynamicMessage::deserialize(descriptor.clone(), single) {
            Ok(mut single) => {
                for (field, value) in single.take_fields() {
                    message.set_field(&field, value);
                }
            }
            Err(error) => faults.push(Fault::new(key, format!("has the value {value}"), error.to_string())),
        }
    }
    message
}

/// Scalars, enums, times and durations, and lists of them.
fn can_be_in_a_query(field: &FieldDescriptor) -> bool {
    let kind = field.kind();
    let message = kind.as_message().map(|message| message.full_name().to_owned());
    message.is_none_or(|name| ["google.protobuf.Timestamp", "google.protobuf.Duration"].contains(&name.as_str()))
}

/// The JSON of one parameter; the error says what to write.
fn value(field: &FieldDescriptor, text: &str) -> Result<Value, String> {
    let kind = field.kind();
    if kind == Kind::Bool {
        return match text {
            // `?follow` alone is as good as `?follow=true`.
            "" | "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err(String::from("write true or false")),
        };
    }
    // Canonical JSON takes numbers as strings too, and everything else that can
    // be in a query is a string.
    kind.as_enum().map_or_else(|| Ok(Value::String(text.to_owned())), |kind| enum_value(kind, text))
}

/// An enum by its name, its number, or the last part of its name in any case:
/// `LOG_STREAM_STDERR`, `2`, `stderr`.
fn enum_value(kind: &EnumDescriptor, text: &str) -> Result<Value, String> {
    let wanted = text.to_ascii_uppercase();
    let names: Vec<(String, i32)> = kind.values().map(|value| (value.name().to_owned(), value.number())).collect();
    let prefix = names.first().map_or("", |(name, _)| name.trim_end_matches("UNSPECIFIED"));
    let found = names.iter().find(|(name, number)| {
        *name == wanted || name.strip_prefix(prefix).is_some_and(|short| short == wanted) || number.to_string() == text
    });
    found.map(|(name, _)| Value::String(name.clone())).ok_or_else(|| {
        let short: Vec<String> =
            names.iter().map(|(name, _)| name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase()).collect();
        format!("write one of: {}", short.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::{Fault, read};

    fn of(message: &str, query: &str) -> Result<serde_json::Value, Vec<String>> {
        let descriptor = pm_proto::json::pool().unwrap().get_message_by_name(message).unwrap();
        let mut faults: Vec<Fault> = Vec::new();
        let message = read(&descriptor, query, &mut faults);
        if faults.is_empty() {
            Ok(pm_proto::json::dynamic_to_value(&message).unwrap())
        } else {
            Err(faults.iter().map(ToString::to_string).collect())
        }
    }

    #[test]
    fn parameters_become_fields_in_both_spellings() {
        let json = of("pm.v1.WatchEventsRequest", "from_revision=7&types=a&types=b.*&follow").unwrap();
        assert_eq!(json["fromRevision"], "7");
        assert_eq!(json["types"], serde_json::json!(["a", "b.*"]));
        assert_eq!(json["follow"], true);
        assert_eq!(of("pm.v1.WatchEventsRequest", "fromRevision=7").unwrap()["fromRevision"], "7");
    }

    #[test]
    fn enums_and_times_are_written_as_people_do() {
        for text in ["stderr", "STDERR", "LOG_STREAM_STDERR", "2"] {
            let json = of("pm.v1.ReadLogsRequest", &format!("stream={text}&tail=3")).unwrap();
            assert_eq!((&json["stream"], &json["tail"]), (&"LOG_STREAM_STDERR".into(), &3.into()), "{text}");
        }
        let json = of("pm.v1.ListInstanceSamplesRequest", "since=2026-01-02T03:04:05%2B01:00").unwrap();
        assert_eq!(json["since"], "2026-01-02T02:04:05Z");
    }

    #[test]
    fn every_faulty_parameter_is_named() {
        let faults =
            of("pm.v1.WatchEventsRequest", "tail=-1&follow=maybe&colour=red&from_revision=x&tail=2").unwrap_err();
        for name in ["tail", "follow", "colour", "fromRevision"] {
            assert!(faults.iter().any(|fault| fault.starts_with(&format!("{name}: "))), "{name} in {faults:?}");
        }
        assert!(of("pm.v1.ReadLogsRequest", "stream=both").unwrap_err()[0].contains("stdout"));
    }

    #[test]
    fn whole_messages_and_maps_cannot_be_in_a_query() {
        assert!(of("pm.v1.ApplyProcessesRequest", "specs=x").is_err());
        assert!(of("pm.v1.ApplyProcessesRequest", "etags=x").is_err());
    }
}
