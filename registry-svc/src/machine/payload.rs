//! A batch of commands as bytes. Made once by whoever proposes it; log, peers
//! and disk pass it on untouched; each replica reads it once, to apply it.
//!
//! ```text
//! version (1) ‖ level (2) ‖ crc32 of all else (4) ‖ commands (4) ‖ { command }…      numbers: little endian
//! ```
//! A command is MessagePack with fields by position. Measured with
//! `examples/payload_codecs.rs`, an apply of one spec with 200 bytes of text:
//! 942 bytes, 1.2 µs to write and 2.1 µs to read with named fields; 415 bytes,
//! 0.7 and 1.3 µs by position; 380 bytes, 0.4 and 0.85 µs in postcard, which
//! is not taken because nothing can ever be added inside of a command there.
//! What follows for whoever changes a type that is part of a command, for ever:
//!
//! * A new field goes to the **end** of its struct, with `#[serde(default)]`. None is moved, removed, given another
//!   type, or left out when it is empty (`skip_serializing_if`, `flatten`). One that is written at all levels is more than
//!   earlier versions read: `ProcessSpec` and `NodeHello` leave out what they did not know.
//! * A new variant may stand anywhere; variants are written by name, so none is renamed.
//! * What an earlier version must not apply (a new order, a new field that matters) gets a higher [`LEVEL`], named in
//!   `level`; it is proposed once every voter knows it. A replica that meets a higher level, or anything else that it
//!   does not know, ends with an error that says so. Nothing is ever skipped.
//! * `tests/fixtures/commands-v2` holds every order as it was once written; they read back for ever.

use bytes::Bytes;
use process_model::Timestamp;
use registry_consensus::Payload;
use registry_domain::{Command, Header, Order};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The highest level that this version knows.
pub const LEVEL: u16 = 3;

/// The form; those below are the consensus' own records in the same log.
const VERSION: u8 = Payload::FIRST_FORMAT;
const HEAD: usize = 1 + 2 + 4 + 4;
/// Clocks that are kept right differ by less, and a batch waits less unless there is no leader.
const TOLERATED: Duration = Duration::from_secs(1);
/// Bytes of a command, about.
const GUESS: usize = 256;

/// Why commands could not be written down or read back.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// They cannot be written down.
    #[error("a batch of commands cannot be encoded")]
    Encode(#[source] rmp_serde::encode::Error),
    /// More commands than a batch may have.
    #[error("a batch of {0} commands is too long")]
    TooMany(usize),
    /// The bytes are not what was written.
    #[error("a batch of commands is damaged: {0}")]
    Damaged(&'static str),
    /// A later version wrote it in another form.
    #[error("this version does not know batches of form {0}; upgrade it")]
    Form(u8),
    /// A later version wrote something that this one must not apply.
    #[error("this version does not know level {level}, only up to {known}; upgrade it")]
    Level {
        /// The level of the batch.
        level: u16,
        /// The highest that is known here.
        known: u16,
    },
    /// A later version wrote a command that this one does not know.
    #[error("this version does not know what command {number} of a batch says; upgrade it")]
    Unknown {
        /// Which one, from 1.
        number: u32,
        /// What is not known.
        #[source]
        source: rmp_serde::decode::Error,
    },
}

impl PayloadError {
    /// Whether a later version wrote it, rather than that it is damaged.
    #[must_use]
    pub fn is_of_later_version(&self) -> bool {
        match self {
            Self::Form(_) | Self::Level { .. } | Self::Unknown { .. } => true,
            Self::Encode(_) | Self::TooMany(_) | Self::Damaged(_) => false,
        }
    }
}

/// The level that a replica has to know to apply an order.
pub(crate) fn level(order: &Order) -> u16 {
    match order {
        Order::Apply(apply) if apply.specs.iter().any(|spec| spec.is_of_a_fleet()) => 3,
        Order::PauseRollout { .. }
        | Order::ResumeRollout { .. }
        | Order::PromoteRollout { .. }
        | Order::RollingRestart(_)
        | Order::Scale(_)
        | Order::Runs(_) => 3,
        Order::Tick | Order::Signal(_) | Order::ControlUnits(_) => 3,
        Order::NodeSuspect { .. } | Order::NodeSilent { .. } | Order::ReleaseBrake => 3,
        Order::NodeConnected(hello) if hello.fences => 3,
        Order::NodeArrived(_) => 3,
        Order::SetSchedulable(_) | Order::Drain(_) | Order::LabelNode(_) | Order::RemoveNode(_) => 3,
        Order::Configure(_)
        | Order::Apply(_)
        | Order::Delete { .. }
        | Order::Switch(_)
        | Order::NodeConnected(_)
        | Order::NodeLost { .. }
        | Order::Report(_)
        | Order::ActionsDelivered { .. }
        | Order::Rollback(_)
        | Order::RecordRefusals(_) => 1,
        Order::MemberUp(_) | Order::Enroll(_) | Order::MemberGone(_) | Order::MemberNote(_) => 2,
        Order::Restore(_) | Order::Inventory(_) | Order::ConfirmRestore(_) => 2,
        Order::MemberCertified(_) | Order::Invite(_) | Order::Admit(_) => 3,
        Order::SetLevel { level } => (*level).max(2),
    }
}

/// Writes a batch down.
///
/// # Errors
/// A command cannot be encoded.
pub fn encode<'a, C>(commands: C) -> Result<Payload, PayloadError>
where
    C: IntoIterator<Item = &'a Command, IntoIter: ExactSizeIterator + Clone>,
{
    let commands = commands.into_iter();
    let count = u32::try_from(commands.len()).map_err(|_| PayloadError::TooMany(commands.len()))?;
    let level = commands.clone().map(|command| level(&command.order)).max().unwrap_or(1);
    let mut bytes = Vec::with_capacity(HEAD + commands.len() * GUESS);
    bytes.push(VERSION);
    bytes.extend(level.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(count.to_le_bytes());
    let mut serializer = rmp_serde::Serializer::new(bytes);
    for command in commands {
        command.serialize(&mut serializer).map_err(PayloadError::Encode)?;
    }
    let mut bytes = serializer.into_inner();
    let crc = checksum(&bytes);
    bytes[3..7].copy_from_slice(&crc.to_le_bytes());
    Payload::new(Bytes::from(bytes)).ok_or(PayloadError::Form(VERSION))
}

/// Reads a batch back.
///
/// # Errors
/// It is damaged, or a later version wrote it.
pub fn decode(payload: &Payload) -> Result<Vec<Command>, PayloadError> {
    decode_up_to(payload, LEVEL)
}

/// The same for a replica that is told to know no higher level than this.
///
/// # Errors
/// As [`decode`].
pub fn decode_up_to(payload: &Payload, known: u16) -> Result<Vec<Command>, PayloadError> {
    let bytes = payload.bytes();
    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(PayloadError::Damaged("it is cut short"))?;
    let [version, l0, l1, c0, c1, c2, c3, n0, n1, n2, n3] = *head;
    // The form first: where another one has its checksum is not known.
    if version != VERSION {
        return Err(PayloadError::Form(version));
    }
    if checksum(bytes) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(PayloadError::Damaged("the checksum is wrong"));
    }
    let (level, count) = (u16::from_le_bytes([l0, l1]), u32::from_le_bytes([n0, n1, n2, n3]));
    if level > known {
        return Err(PayloadError::Level { level, known });
    }
    // A command takes some bytes: the count cannot make this large by itself.
    let mut commands = Vec::with_capacity((count as usize).min(rest.len()));
    let mut reader = rmp_serde::Deserializer::from_read_ref(rest);
    for number in 1..=count {
        let command = Command::deserialize(&mut reader);
        commands.push(command.map_err(|source| PayloadError::Unknown { number, source })?);
    }
    // Asks for what has no parts: one with parts that are missing would end like nothing at all.
    match bool::deserialize(&mut reader) {
        // Not even a byte that says what would follow.
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(commands),
        Ok(_) | Err(_) => Err(PayloadError::Damaged("bytes follow its last command")),
    }
}

/// A batch that another replica sends, as the leader takes it in: its time is
/// the leader's, since all that is due is measured by that. One that is off by
/// less than `TOLERATED` is left as it is: to read and write a batch again
/// takes some microseconds for each command.
pub(crate) fn taken_in(batch: Payload, now: Timestamp) -> Payload {
    let fits = |time: Timestamp| time.0.abs_diff(now.0) <= TOLERATED.as_nanos().try_into().unwrap_or(u64::MAX);
    // What cannot be read is of a later version, or damaged: who applies it says so.
    let Some(sent) = time_of_first(&batch).filter(|sent| !fits(*sent)) else { return batch };
    let Ok(mut commands) = decode(&batch) else { return batch };
    tracing::debug!(?sent, ?now, "a replica whose clock differs sent commands, or they waited for long");
    commands.iter_mut().for_each(|command| command.header.time = now);
    encode(&commands).unwrap_or(batch)
}

/// When the first command of a batch was made, by the clock of whoever made it.
fn time_of_first(batch: &Payload) -> Option<Timestamp> {
    // Header and order.
    const PAIR: u8 = 0x92;
    let rest = batch.bytes().get(HEAD..)?.strip_prefix(&[PAIR])?;
    Some(Header::deserialize(&mut rmp_serde::Deserializer::from_read_ref(rest)).ok()?.time)
}

/// Of everything but the checksum itself.
fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..3]);
    hasher.update(&bytes[7..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests;
