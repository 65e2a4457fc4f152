//! Keys of rows in the store: a letter for the kind, then the key in an order
//! that sorts as the state does. On disk, so it never changes.

use registry_domain::RowKey;

/// The key of a row. Never holds a NUL, which ends it (see `rows`), except in
/// the fixed-length numbers.
pub(super) fn of(key: &RowKey) -> Vec<u8> {
    match key {
        RowKey::Meta => b"m".to_vec(),
        RowKey::Process(name) => text(b'p', name.as_str()),
        RowKey::Instance(id) => text(b'i', &id.to_string()),
        RowKey::Node(name) => text(b'n', name.as_str()),
        RowKey::Action(number) => numbered(b'a', *number),
        RowKey::Event(revision) => numbered(b'e', *revision),
        RowKey::Audit(number) => numbered(b'u', *number),
        RowKey::Reply(number) => numbered(b'r', *number),
        // The pieces of a row stay together: a name is followed by a NUL, and
        // generations of another name begin with another letter there.
        RowKey::Generation(name, number) => [&text(b'g', name.as_str())[..], &number.to_be_bytes()].concat(),
        RowKey::Lineage(name) => text(b'l', name.as_str()),
        RowKey::Member(id) => numbered(b'M', *id),
        RowKey::Piece(number) => numbered(b'b', u64::from(*number)),
        RowKey::Inventory(node) => text(b'v', node.as_str()),
        RowKey::Invitation(hash) => text(b'j', hash),
        RowKey::Runs(id) => text(b'c', &id.to_string()),
    }
}

fn text(kind: u8, text: &str) -> Vec<u8> {
    [&[kind], text.as_bytes()].concat()
}

fn numbered(kind: u8, number: u64) -> Vec<u8> {
    [&[kind][..], &number.to_be_bytes()].concat()
}
