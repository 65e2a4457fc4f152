//! The request message from body, query, path and headers. Every fault of all
//! four is collected before any is reported.

use super::routes::{Route, Takes};
use super::{headers, json, query};
use crate::catalogue::Method;
use http::HeaderMap;
use pm_proto::error::invalid;
use process_model::spec::Fault;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};
use tonic::Status;

/// What a client sent.
pub(crate) struct Sent<'a> {
    pub(crate) fields: &'a [(&'static str, String)],
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Builds the request of `method`.
pub(crate) fn build(route: &Route, method: &Method, sent: &Sent<'_>) -> Result<DynamicMessage, Status> {
    let mut faults = Vec::new();
    let input = method.descriptor.input();
    let name = sent.fields.iter().find(|(field, _)| *field == "name").map(|(_, value)| value.as_str());
    let mut message = match route.body {
        Takes::Nothing => DynamicMessage::new(input.clone()),
        Takes::Message if sent.body.is_empty() => DynamicMessage::new(input.clone()),
        Takes::Message => {
            json::read(&input, sent.body, &mut faults).unwrap_or_else(|| DynamicMessage::new(input.clone()))
        }
        Takes::Spec => with_spec(DynamicMessage::new(input.clone()), name.unwrap_or_default(), sent.body, &mut faults),
    };
    let mut from_query = query::read(&input, sent.query, &mut faults);
    for (field, value) in from_query.take_fields() {
        put(&mut message, &field, value, &mut faults);
    }
    if route.body != Takes::Spec {
        for (field, value) in sent.fields {
            if let Some(field) = input.get_field_by_name(field) {
                let text = Value::String(value.clone());
                let value = if field.is_list() { Value::List(vec![text]) } else { text };
                put(&mut message, &field, value, &mut faults);
            }
        }
    }
    headers::apply(sent.headers, route.body, route.answer, name, &mut message, &mut faults);
    if faults.is_empty() { Ok(message) } else { Err(invalid(&faults)) }
}

/// Sets a field that nothing else may have set to something else.
fn put(message: &mut DynamicMessage, field: &FieldDescriptor, value: Value, faults: &mut Vec<Fault>) {
    if message.has_field(field) && *message.get_field(field) != value {
        let problem = "is given twice, with different values";
        faults.push(Fault::new(field.json_name(), problem, "give it in one of path, query and body"));
        return;
    }
    message.set_field(field, value);
}

/// An apply request of the one spec in `body`, under the path's name.
fn with_spec(mut message: DynamicMessage, name: &str, body: &[u8], faults: &mut Vec<Fault>) -> DynamicMessage {
    let Some(specs) = message.descriptor().get_field_by_name("specs") else { return message };
    let Kind::Message(descriptor) = specs.kind() else { return message };
    let Some(mut spec) = json::read(&descriptor, body, faults) else { return message };
    let said = spec.get_field_by_name("name").and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    if !said.is_empty() && said != name {
        let problem = format!("is {said:?}, and {name:?} in the path");
        faults.push(Fault::new("name", problem, "write the same in both, or leave it out of the body"));
    }
    spec.set_field_by_name("name", Value::String(name.to_owned()));
    message.set_field(&specs, Value::List(vec![Value::Message(spec)]));
    message
}

#[cfg(test)]
mod tests {
    use super::{HeaderMap, Sent, build};
    use crate::catalogue::Catalogue;
    use crate::rest::template::{Found, Table};
    use http::Method;

    fn request(method: Method, path: &str, query: &str, body: &str) -> Result<serde_json::Value, String> {
        let Found::Route(route, fields) = Table::new().find(&method, path) else { panic!("{path}") };
        let catalogue = Catalogue::load().unwrap();
        let method = catalogue.method(route.rpcs[0]).unwrap();
        let sent = Sent { fields: &fields, query, headers: &HeaderMap::new(), body: body.as_bytes() };
        build(route, method, &sent)
            .map(|message| pm_proto::json::dynamic_to_value(&message).unwrap())
            .map_err(|status| status.message().to_owned())
    }

    #[test]
    fn a_put_spec_is_an_apply_of_one_under_the_path_s_name() {
        let json = request(Method::PUT, "/api/v1/processes/web", "source=ci", r#"{"shell":"sleep 1"}"#).unwrap();
        assert_eq!(json["specs"][0]["name"], "web");
        assert_eq!(json["specs"][0]["shell"], "sleep 1");
        assert_eq!(json["source"], "ci");
        let other = request(Method::PUT, "/api/v1/processes/web", "", r#"{"name":"api","shell":"x"}"#);
        assert!(other.unwrap_err().starts_with("name: "));
        assert!(request(Method::PUT, "/api/v1/processes/web", "", "").unwrap_err().starts_with("body: "));
    }

    #[test]
    fn a_path_s_selector_is_the_only_one() {
        let json = request(Method::POST, "/api/v1/processes/web:stop", "", r#"{"reason":"maintenance"}"#).unwrap();
        assert_eq!((&json["selectors"], &json["reason"]), (&serde_json::json!(["web"]), &"maintenance".into()));
        let both = request(Method::POST, "/api/v1/processes/web:stop", "", r#"{"selectors":["api"]}"#);
        assert!(both.unwrap_err().starts_with("selectors: "));
    }

    #[test]
    fn faults_of_query_and_body_are_reported_together() {
        let faults = request(Method::POST, "/api/v1/processes", "colour=1", r#"{"spec":[]}"#).unwrap_err();
        assert!(faults.contains("colour: ") && faults.contains("spec: "), "{faults}");
    }
}
