//! Request headers that become fields of the request message:
//! `Idempotency-Key`, `If-Match`, `Last-Event-ID`.

use super::routes::{Answer, Takes};
use http::{HeaderMap, header};
use process_model::spec::Fault;
use prost_reflect::{DynamicMessage, MapKey, ReflectMessage as _, Value};

/// Writes the headers' meaning into `message`. `name`: the process of the
/// path, for [`Takes::Spec`].
pub(crate) fn apply(
    headers: &HeaderMap,
    takes: Takes,
    answer: Answer,
    name: Option<&str>,
    message: &mut DynamicMessage,
    faults: &mut Vec<Fault>,
) {
    if let Some(key) = text(headers, "idempotency-key", faults) {
        request_id(&key, message, faults);
    }
    if let Some(tag) = text(headers, header::IF_MATCH.as_str(), faults) {
        match (takes, name) {
            (Takes::Spec, Some(name)) => if_match(&tag, name, message, faults),
            // A condition that is passed over would be worse than an error.
            (Takes::Spec | Takes::Nothing | Takes::Message, _) => faults.push(Fault::new(
                "If-Match",
                "is no condition of this route",
                "use it with PUT /api/v1/processes/{name}",
            )),
        }
    }
    if answer == Answer::Events
        && let Some(id) = text(headers, "last-event-id", faults)
    {
        resume_after(&id, message, faults);
    }
    if answer == Answer::Logs
        && let Some(id) = text(headers, "last-event-id", faults)
    {
        go_on_from(&id, message);
    }
}

fn text(headers: &HeaderMap, name: &str, faults: &mut Vec<Fault>) -> Option<String> {
    let value = headers.get(name)?;
    match value.to_str() {
        Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Err(_) => {
            faults.push(Fault::new(name, "is not visible ASCII", "write plain text"));
            None
        }
    }
}

/// The key is a quoted string in the draft; most clients send it bare.
fn request_id(key: &str, message: &mut DynamicMessage, faults: &mut Vec<Fault>) {
    // A method without the field changes nothing: repeating it is harmless.
    let Some(field) = message.descriptor().get_field_by_name("request_id") else { return };
    let key = key.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(key);
    let said = message.get_field(&field).as_str().unwrap_or_default().to_owned();
    if !said.is_empty() && said != key {
        faults.push(Fault::new("Idempotency-Key", "differs from requestId", "send one of the two"));
        return;
    }
    message.set_field(&field, Value::String(key.to_owned()));
}

fn if_match(tag: &str, name: &str, message: &mut DynamicMessage, faults: &mut Vec<Fault>) {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let Some(etag) = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).filter(|tag| !tag.contains('"'))
    else {
        let fix = "write the one ETag that GET answered, with its quotes";
        faults.push(Fault::new("If-Match", format!("is {tag:?}"), fix));
        return;
    };
    if let Some(etags) = message.get_field_by_name_mut("etags").and_then(Value::as_map_mut) {
        etags.insert(MapKey::String(name.to_owned()), Value::String(etag.to_owned()));
    }
}

/// A browser repeats the request's URL as it was: what it has seen by now goes
/// before where it wanted to begin.
fn resume_after(id: &str, message: &mut DynamicMessage, faults: &mut Vec<Fault>) {
    match id.parse::<u64>().ok().and_then(|revision| revision.checked_add(1)) {
        Some(from) => {
            message.set_field_by_name("from_revision", Value::U64(from));
            message.clear_field_by_name("tail");
            // It was complete: what is not has no id.
            message.clear_field_by_name("snapshot");
        }
        None => faults.push(Fault::new("Last-Event-ID", format!("is {id:?}"), "send the `id` of an event")),
    }
}

/// The places of all outputs that were read, as [`super::sse`] names them;
/// whether they are any is the service's to say. An output that has none yet
/// begins where the URL says.
fn go_on_from(id: &str, message: &mut DynamicMessage) {
    let cursors = id.split(',').map(|cursor| Value::String(cursor.trim().to_owned())).collect();
    message.set_field_by_name("cursors", Value::List(cursors));
}

#[cfg(test)]
mod tests {
    use super::{Answer, DynamicMessage, Fault, HeaderMap, Takes, apply};

    fn with(
        message: &str,
        headers: &[(&'static str, &str)],
        takes: Takes,
        answer: Answer,
    ) -> Result<String, Vec<Fault>> {
        let descriptor = pm_proto::json::pool().unwrap().get_message_by_name(message).unwrap();
        let mut message = DynamicMessage::new(descriptor);
        let mut faults = Vec::new();
        let map: HeaderMap = headers.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect();
        apply(&map, takes, answer, Some("web"), &mut message, &mut faults);
        if faults.is_empty() { Ok(serde_json::to_value(&message).unwrap().to_string()) } else { Err(faults) }
    }

    #[test]
    fn an_idempotency_key_is_the_request_id_quoted_or_bare() {
        for key in ["abc", "\"abc\""] {
            let headers = [("idempotency-key", key)];
            let text = with("pm.v1.StopProcessesRequest", &headers, Takes::Message, Answer::Message).unwrap();
            assert_eq!(text, r#"{"requestId":"abc"}"#);
        }
    }

    #[test]
    fn if_match_is_the_expected_etag_of_the_path_s_process() {
        let text = with("pm.v1.ApplyProcessesRequest", &[("if-match", "\"7\"")], Takes::Spec, Answer::Message).unwrap();
        assert_eq!(text, r#"{"etags":{"web":"7"}}"#);
        for bad in ["*", "7", "\"1\", \"2\""] {
            let headers = [("if-match", bad)];
            assert!(with("pm.v1.ApplyProcessesRequest", &headers, Takes::Spec, Answer::Message).is_err(), "{bad}");
        }
        let headers = [("if-match", "\"7\"")];
        assert!(with("pm.v1.StopProcessesRequest", &headers, Takes::Message, Answer::Message).is_err());
    }

    #[test]
    fn the_last_event_seen_goes_before_where_the_url_begins() {
        let headers = [("last-event-id", "41")];
        let text = with("pm.v1.WatchEventsRequest", &headers, Takes::Nothing, Answer::Events).unwrap();
        assert_eq!(text, r#"{"fromRevision":"42"}"#);
        let headers = [("last-event-id", "x")];
        assert!(with("pm.v1.WatchEventsRequest", &headers, Takes::Nothing, Answer::Events).is_err());
    }

    #[test]
    fn l06_logs_go_on_from_the_places_of_the_last_event() {
        let headers = [("last-event-id", "web-1/stderr/l2.7,web-1/stdout/l1.9")];
        let text = with("pm.v1.ReadLogsRequest", &headers, Takes::Nothing, Answer::Logs).unwrap();
        assert_eq!(text, r#"{"cursors":["web-1/stderr/l2.7","web-1/stdout/l1.9"]}"#);
    }
}
