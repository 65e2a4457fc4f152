//! What a program said, out of the object that the keeper made of its line
//! (`logs.format` `ecs` or `otel`): a pattern is about the program's words, in
//! whatever form they are kept. Any other line, also an object that a program
//! wrote itself, is left as it is.

use serde::Deserialize;

/// The keeper's objects begin so, and hold its own fields.
const ECS: (&[u8], &[u8]) = (b"{\"@timestamp\":\"", b",\"pm\":{\"stream\":\"");
const OTEL: (&[u8], &[u8]) = (b"{\"Timestamp\":\"", b",\"pm.run\":");

#[derive(Deserialize)]
struct Object {
    #[serde(alias = "Body")]
    message: String,
}

/// The words of a line.
pub(crate) fn words(line: &[u8]) -> Vec<u8> {
    let is_ours = [ECS, OTEL].iter().any(|(begin, field)| line.starts_with(begin) && has(line, field));
    let object = is_ours.then(|| serde_json::from_slice::<Object>(line).ok()).flatten();
    // One that was cut is no object any more.
    object.map_or_else(|| line.to_vec(), |object| object.message.into_bytes())
}

fn has(line: &[u8], field: &[u8]) -> bool {
    line.windows(field.len()).any(|window| window == field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_keepers_objects_are_the_programs() {
        let ecs = r#"{"@timestamp":"2026-01-01T00:00:00Z","ecs.version":"8.11.0","message":"FATAL: \"x\"\u001b","service.name":"web","service.node.name":"web-1","host.name":"n","process.pid":1,"event.sequence":2,"pm":{"stream":"stderr","run":3}}"#;
        assert_eq!(words(ecs.as_bytes()), b"FATAL: \"x\"\x1b");
        let otel = r#"{"Timestamp":"1","Body":"ready","Resource":{"service.name":"web"},"Attributes":{"log.iostream":"stdout","pm.run":3,"pm.sequence":0}}"#;
        assert_eq!(words(otel.as_bytes()), b"ready");
    }

    #[test]
    fn what_a_program_wrote_itself_stays_as_it_is() {
        for line in [
            r#"{"@timestamp":"2026-01-01T00:00:00Z","message":"its own"}"#,
            r#"{"Timestamp":"1","Body":"its own"}"#,
            r#"{"@timestamp":"x","message":"cut","pm":{"stream":"stdou"#,
            "plain",
            "",
        ] {
            assert_eq!(words(line.as_bytes()), line.as_bytes());
        }
    }
}
