//! The field table, the reader and the schema agree: every field's example is
//! taken, every field refuses what it cannot be, and nothing else is a field.

#![allow(clippy::wildcard_enum_match_arm)] // a test asks about one shape at a time

use super::super::field::{Field, Group, Preset, Shape};
use super::super::fields::{LIST_ENTRY, PROCESS, ROOT};
use super::{Value, json, schema};
use crate::document;
use std::path::Path;

/// A field of the table and how to build a document around a value of it.
struct Place {
    path: String,
    field: &'static Field,
    /// One of those of which its map has to have one.
    chosen: bool,
    document: Box<dyn Fn(Value) -> Value>,
}

fn example(field: &Field) -> Value {
    serde_json::from_str(field.example).unwrap_or_else(|e| panic!("example of {}: {e}", field.name))
}

fn inner(field: &Field) -> Option<&'static Group> {
    field.shape.group()
}

fn places(group: &'static Group, path: &str, around: fn(Value) -> Value) -> Vec<Place> {
    let mut found = Vec::new();
    collect(group, path, std::rc::Rc::new(around), &mut found);
    found
}

fn collect(group: &'static Group, path: &str, around: std::rc::Rc<dyn Fn(Value) -> Value>, found: &mut Vec<Place>) {
    for field in group.fields() {
        let path = if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
        let parent = around.clone();
        let wrap = std::rc::Rc::new(move |value: Value| {
            let mut map = json!({ field.name: value });
            for other in group.fields().filter(|other| matches!(other.default, Preset::Required)) {
                if map.get(other.name).is_none() {
                    map[other.name] = example(other);
                }
            }
            for (_, other) in group.needs.iter().filter(|(name, _)| *name == field.name) {
                map[*other] = example(group.field(other).unwrap());
            }
            let choice = group.choice.names();
            if let [first, ..] = choice
                && !choice.iter().any(|name| map.get(*name).is_some())
            {
                map[*first] = example(group.field(first).unwrap());
            }
            parent(map)
        });
        if let Some(inner) = inner(field) {
            let outer = wrap.clone();
            let around = move |map: Value| match &field.shape {
                Shape::Groups(_) => outer(json!([map])),
                Shape::Rlimits(..) => outer(json!({ "nofile": map })),
                Shape::Sockets(_) | Shape::Dependencies(..) => outer(json!({ "x": map })),
                _ => outer(map),
            };
            collect(inner, &path, std::rc::Rc::new(around), found);
        }
        let chosen = group.choice.names().contains(&field.name);
        found.push(Place { path, field, chosen, document: Box::new(move |value| wrap(value)) });
    }
}

fn all_places() -> Vec<Place> {
    let mut all = places(&PROCESS, "processes.p", |map| json!({ "processes": { "p": map } }));
    all.extend(places(&LIST_ENTRY, "processes[0]", |map| json!({ "processes": [map] })));
    all.extend(places(&ROOT, "", |map| map));
    all
}

fn read(document: &Value) -> Vec<String> {
    match document::read("f", Path::new("/base"), document.to_string().as_bytes()) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(|fault| fault.fault.to_string()).collect(),
    }
}

#[test]
fn the_example_of_every_field_is_valid() {
    for place in all_places() {
        let document = (place.document)(example(place.field));
        assert_eq!(read(&document), Vec::<String>::new(), "{}: {document}", place.path);
    }
}

#[test]
fn every_field_is_read_and_null_is_absent() {
    for place in all_places() {
        // No field is a list of lists; a field that nobody reads would let it pass.
        let faults = read(&(place.document)(json!([[[]]])));
        let named = faults.iter().any(|fault| fault.contains(place.field.name) || fault.starts_with("processes[0]"));
        assert!(named, "{} is not read: {faults:?}", place.path);
        let faults = read(&(place.document)(Value::Null));
        let required = matches!(place.field.default, Preset::Required) || place.chosen;
        assert_eq!(faults.is_empty(), !required, "{} with null: {faults:?}", place.path);
    }
}

#[test]
fn every_range_of_the_schema_is_the_range_of_the_reader() {
    for place in all_places() {
        let bounds = match &place.field.shape {
            Shape::Integer(range) => (f64::from(*range.start()), f64::from(*range.end()), 1.0),
            Shape::Number(range) => (*range.start(), *range.end(), 0.001),
            Shape::Signed(range) => (*range.start() as f64, *range.end() as f64, 1.0),
            Shape::Duration(range) => (range.start().as_secs_f64(), range.end().as_secs_f64(), 0.0001),
            // Sizes up to 2^50: a number of JSON holds them.
            Shape::Size(range) => (*range.start() as f64, *range.end() as f64, 1.0),
            _ => continue,
        };
        let text = super::shapes::value(&place.field.shape).to_string();
        for (value, valid) in
            [(bounds.0, true), (bounds.1, true), (bounds.0 - bounds.2, false), (bounds.1 + bounds.2, false)]
        {
            let value = if value.fract() == 0.0 { json!(value as i64) } else { json!(value) };
            let faults = read(&(place.document)(value.clone()));
            let own = faults.iter().any(|fault| fault.contains("out of range") || fault.contains("negative"));
            assert_eq!(own, !valid, "{} = {value}: {faults:?}", place.path);
        }
        assert!(
            text.contains(&format!("\"maximum\":{}", json!(bounds.1)))
                || text.contains(&format!("\"maximum\":{}", bounds.1)),
            "{text}"
        );
    }
}

#[test]
fn unknown_fields_are_refused_by_the_reader_and_by_the_schema() {
    let schema = schema();
    for object in schema["$defs"].as_object().unwrap().values().chain([&schema]) {
        assert_eq!(object["additionalProperties"], json!(false), "{object}");
    }
    for place in all_places().iter().filter(|place| inner(place.field).is_some()) {
        let value = json!({ "nonsense": 1 });
        let value = match &place.field.shape {
            Shape::Groups(_) => json!([value]),
            Shape::Rlimits(..) => json!({ "nofile": value }),
            Shape::Sockets(_) | Shape::Dependencies(..) => json!({ "x": value }),
            _ => value,
        };
        let faults = read(&(place.document)(value));
        assert!(faults.iter().any(|fault| fault.contains("nonsense: it is no field of")), "{}: {faults:?}", place.path);
    }
}

#[test]
fn the_schema_lists_exactly_the_fields_of_the_table() {
    let schema = schema();
    for (group, object) in
        [(&ROOT, &schema), (&PROCESS, &schema["$defs"]["process"]), (&LIST_ENTRY, &schema["$defs"]["listEntry"])]
    {
        let listed: Vec<&str> = object["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut names = group.names();
        names.sort_unstable();
        assert_eq!(listed, names);
        for (name, property) in object["properties"].as_object().unwrap() {
            assert!(property["description"].as_str().is_some_and(|text| text.len() > 10), "{name} has no description");
        }
    }
    let text = schema.to_string();
    for reference in text.split("#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(schema["$defs"].get(reference).is_some(), "{reference} is not defined");
    }
}
