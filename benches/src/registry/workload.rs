//! What is written and read: 1,000 keys, values of 200 bytes. Ours is a process
//! without instances whose spec is encoded in as many bytes.

use pm_proto::v1::{ProcessSpec, process_spec};
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Keys.
pub(crate) const KEYS: usize = 1_000;
/// Bytes of a value; of ours, of the whole encoded spec.
pub(crate) const VALUE_BYTES: usize = 200;
/// Bytes of an encoded spec that are not its text: name, lengths, instances.
const SPEC_FRAME: usize = 17;

/// The name of a key.
pub(crate) fn name(key: usize) -> String {
    format!("key-{key:06}")
}

/// Text that no other serial gives, and as long as the others'.
fn text(serial: u64, bytes: usize) -> String {
    let mut text = format!("{serial:020}");
    while text.len() < bytes {
        text.push(char::from(b'a' + (text.len() % 26) as u8));
    }
    text
}

/// A value for etcd.
pub(crate) fn value(serial: u64) -> Vec<u8> {
    text(serial, VALUE_BYTES).into_bytes()
}

/// A spec for ours: the process of that key, with a command of that serial.
pub(crate) fn spec(key: usize, serial: u64) -> ProcessSpec {
    ProcessSpec {
        name: name(key),
        command: Some(process_spec::Command::Shell(text(serial, VALUE_BYTES - SPEC_FRAME))),
        instances: Some(0),
        ..ProcessSpec::default()
    }
}

/// The id of the request with this serial, as every client sends one.
pub(crate) fn request_id(serial: u64) -> String {
    Uuid::from_u64_pair(u64::from(std::process::id()), serial).to_string()
}

/// The next serial; never the same one in a run.
pub(crate) fn next_serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

    #[test]
    fn both_sides_get_values_of_the_same_size() {
        assert_eq!(value(7).len(), VALUE_BYTES);
        assert_eq!(spec(3, 7).encoded_len(), VALUE_BYTES);
    }

    #[test]
    fn every_serial_is_another_value_and_another_request() {
        assert_ne!(value(1), value(2));
        assert_ne!(spec(1, 1), spec(1, 2));
        assert_ne!(request_id(1), request_id(2));
        assert_eq!(request_id(5), request_id(5));
    }
}
