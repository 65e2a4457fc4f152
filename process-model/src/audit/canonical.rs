//! The bytes of an entry that its hash covers. Written down in
//! `docs/audit.md` too, so that anybody can compute them; fixed for ever by a
//! fixture in the tests.
//!
//! ```text
//! entry   = number revision time actor source command targets reason
//!           request_id refusal count generations changes left_out
//! number, revision, count, left_out, from, to = 8 bytes, big endian
//! time    = 8 bytes, big endian, signed: nanoseconds since 1970
//! text    = length in bytes (4 bytes, big endian) ‖ UTF-8
//! list    = number of items (4 bytes, big endian) ‖ items
//! option  = 0 | 1 ‖ value
//! refusal, count = "" and 0 when the request was accepted
//! generations    = list of: process from to
//! changes        = list of: process path (option before) (option after) hidden (0 | 1)
//! ```
//! Every text and list says its length, so no two entries have the same bytes.

use super::{AuditChange, AuditEntry, AuditOutcome, GenerationStep};

/// The bytes; neither `previous` nor `hash` is in them.
#[must_use]
pub fn encode(entry: &AuditEntry) -> Vec<u8> {
    // All fields by name: a new one cannot be forgotten here.
    let AuditEntry {
        number,
        revision,
        time,
        actor,
        source,
        command,
        targets,
        reason,
        request_id,
        outcome,
        generations,
        changes,
        left_out,
        previous: _,
        hash: _,
    } = entry;
    let mut bytes = Bytes(Vec::with_capacity(1_024));
    bytes.number(*number);
    bytes.number(*revision);
    bytes.0.extend_from_slice(&time.0.to_be_bytes());
    bytes.text(actor);
    bytes.text(source);
    bytes.text(command);
    bytes.list(targets, |bytes, target| bytes.text(target));
    bytes.text(reason);
    bytes.text(request_id);
    let (refusal, count) = match outcome {
        AuditOutcome::Accepted => ("", 0),
        AuditOutcome::Refused { reason, count } => (reason.as_str(), *count),
    };
    bytes.text(refusal);
    bytes.number(count);
    bytes.list(generations, |bytes, GenerationStep { process, from, to }| {
        bytes.text(process.as_str());
        bytes.number(*from);
        bytes.number(*to);
    });
    bytes.list(changes, |bytes, AuditChange { process, field }| {
        bytes.text(process.as_str());
        bytes.text(&field.path);
        bytes.option(field.before.as_deref());
        bytes.option(field.after.as_deref());
        bytes.0.push(u8::from(field.hidden));
    });
    bytes.number(*left_out);
    bytes.0
}

struct Bytes(Vec<u8>);

impl Bytes {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn length(&mut self, length: usize) {
        // Requests are bounded far below 4 GiB where they come in.
        self.0.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn option(&mut self, text: Option<&str>) {
        self.0.push(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.length(items.len());
        items.iter().for_each(|one| item(self, one));
    }
}
