//! The schema of a value, by its shape.

use crate::document::field::{Group, Shape};
use crate::document::fields::{LIST_ENTRY, PROCESS};
use crate::spec::limits;
use crate::words;
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Names (see `ProcessName`).
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$";

/// A range of whole numbers as a text, as `2-5`.
const SPAN: &str = "^\\s*[0-9]+\\s*-\\s*[0-9]+\\s*$";

pub(super) fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

pub(super) fn value(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Literal => literal(),
        Shape::Name => name(),
        Shape::KnownName(names) => json!({ "anyOf": [{ "enum": names() }, name()] }),
        Shape::Path => json!({ "type": "string", "minLength": 1, "pattern": "^[^~]" }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Yes => json!({ "const": true }),
        Shape::Integer(range) => json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() }),
        Shape::Signed(range) => json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() }),
        Shape::Number(range) => json!({ "type": "number", "minimum": range.start(), "maximum": range.end() }),
        Shape::Duration(range) => duration(range),
        Shape::Size(range) => size(range),
        Shape::Mode => json!({ "anyOf": [
            { "type": "string", "pattern": "^0(o?0*[0-7]{1,3})?$", "description": "Octal digits after a 0." },
            { "type": "integer", "minimum": 0, "maximum": 777, "description": "In YAML: octal digits after a 0." },
        ] }),
        Shape::Word(words) => json!({ "enum": words() }),
        Shape::Pattern => json!({ "type": "string", "minLength": 1, "maxLength": limits::PATTERN_BYTES }),
        Shape::Signal => json!({ "anyOf": [
            { "type": "string", "pattern": "^([Ss][Ii][Gg])?[A-Za-z0-9]+$" },
            { "type": "integer", "minimum": 1, "maximum": 31 },
        ] }),
        Shape::TextMap => json!({
            "type": "object",
            "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
        }),
        Shape::Literals => one_or_list(&literal()),
        Shape::OptionalPaths => one_or_list(&json!({ "type": "string", "pattern": "^-?[^~-]" })),
        Shape::Integers(range) => one_or_list(&value(&Shape::Integer(range.clone()))),
        Shape::Cpus => one_or_list(&json!({ "anyOf": [
            { "type": "integer", "minimum": limits::CPU_NUMBER.start(), "maximum": limits::CPU_NUMBER.end() },
            { "type": "string", "pattern": SPAN },
        ] })),
        Shape::Statuses => one_or_list(&json!({ "anyOf": [
            { "type": "integer", "minimum": 100, "maximum": 599 },
            { "type": "string", "pattern": SPAN },
        ] })),
        Shape::Command => command(),
        Shape::Ports => json!({ "anyOf": [
            { "type": "object", "propertyNames": { "pattern": NAME }, "additionalProperties": or_null(port()) },
            { "type": "array", "items": port() },
        ] }),
        Shape::PortOrName => json!({ "anyOf": [port(), name()] }),
        Shape::Listen => listen(),
        Shape::Rlimit => rlimit(),
        Shape::Group(group) => reference(group),
        Shape::Groups(group) => json!({ "type": "array", "items": reference(group) }),
        Shape::WordOrGroup(words, group) => json!({ "anyOf": [{ "enum": words() }, reference(group)] }),
        Shape::TextOrGroup(group) => json!({ "anyOf": [{ "type": "string" }, reference(group)] }),
        Shape::CommandOrGroup(group) => json!({ "anyOf": [command(), reference(group)] }),
        Shape::Rlimits(names, group) => {
            let limit = or_null(json!({ "anyOf": [rlimit(), reference(group)] }));
            let properties: Map<String, Value> =
                names().iter().map(|name| ((*name).to_owned(), limit.clone())).collect();
            json!({ "type": "object", "properties": properties, "additionalProperties": false })
        }
        Shape::Sockets(group) => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[ -9;-~]{1,255}$" },
            "additionalProperties": or_null(json!({ "anyOf": [listen(), reference(group)] })),
        }),
        Shape::Dependencies(words, group) => json!({ "anyOf": [
            name(),
            { "type": "array", "items": name() },
            {
                "type": "object",
                "propertyNames": { "pattern": NAME },
                "additionalProperties": or_null(json!({ "anyOf": [{ "enum": words() }, reference(group)] })),
            },
        ] }),
        Shape::Names => one_or_list(&name()),
        Shape::Constraints => one_or_list(&json!({
            "type": "string",
            "pattern": "^\\s*[A-Za-z0-9][A-Za-z0-9._-]*\\s*(=|!=|\\s(in|not in|regexp|version)\\s).*$",
        })),
        Shape::Share => json!({ "anyOf": [
            { "type": "integer", "minimum": limits::INSTANCES.start(), "maximum": limits::INSTANCES.end() },
            { "type": "string", "pattern": "^\\s*(100|[0-9]{1,2})\\s*%\\s*$" },
        ] }),
        Shape::FlagOrGroup(group) => json!({ "anyOf": [{ "type": "boolean" }, reference(group)] }),
        Shape::Processes => json!({ "anyOf": [
            {
                "type": "object",
                "propertyNames": { "pattern": NAME },
                "additionalProperties": reference(&PROCESS),
            },
            { "type": "array", "items": reference(&LIST_ENTRY) },
        ] }),
    }
}

fn reference(group: &Group) -> Value {
    json!({ "$ref": format!("#/$defs/{}", group.id) })
}

fn one_or_list(item: &Value) -> Value {
    json!({ "anyOf": [item, { "type": "array", "items": item }] })
}

fn literal() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

fn name() -> Value {
    json!({ "type": "string", "pattern": NAME })
}

fn command() -> Value {
    json!({ "anyOf": [
        { "type": "string", "minLength": 1 },
        { "type": "array", "minItems": 1, "items": literal() },
    ] })
}

fn port() -> Value {
    value(&Shape::Integer(limits::PORT))
}

fn listen() -> Value {
    json!({ "anyOf": [
        port(),
        { "type": "string", "pattern": "^([0-9]+|/.*|unix:.+|.*:[0-9]+)$" },
    ] })
}

fn rlimit() -> Value {
    json!({ "anyOf": [
        { "type": "integer", "minimum": 0 },
        { "type": "string", "pattern": "^(unlimited|infinity|\\s*[0-9].*)$" },
    ] })
}

fn size(range: &RangeInclusive<u64>) -> Value {
    json!({ "anyOf": [
        {
            "type": "string",
            "pattern": "^\\s*[0-9]+(\\.[0-9]+)?\\s*([KkMmGgTt]([Ii]?[Bb])?|[Bb])?\\s*$",
            "description": format!(
                "With a unit, as 64MiB or 512M: {} to {}.", words::size(*range.start()), words::size(*range.end())
            ),
        },
        { "type": "integer", "minimum": range.start(), "maximum": range.end(), "description": "In bytes." },
    ] })
}

fn duration(range: &RangeInclusive<Duration>) -> Value {
    let (start, end) = (words::duration(*range.start()), words::duration(*range.end()));
    json!({ "anyOf": [
        {
            "type": "string",
            "pattern": "^\\s*[0-9].*[A-Za-zµ]\\s*$",
            "description": format!("With units, as 30s, 1m 30s or 500ms: {start} to {end}."),
        },
        {
            "type": "number",
            "minimum": range.start().as_secs_f64(),
            "maximum": range.end().as_secs_f64(),
            "description": "In seconds.",
        },
    ] })
}
