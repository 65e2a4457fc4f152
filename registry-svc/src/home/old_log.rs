//! The log of the version before: a redb file with the tables `log` and
//! `meta`, each value framed with its place and checksum, each entry in
//! MessagePack with field names. It is read from memory, since redb writes to
//! a file that it opens.

use redb::backends::InMemoryBackend;
use redb::{Builder, Database, ReadableDatabase as _, ReadableTable as _, StorageBackend as _, TableDefinition};
use registry_log::{Position, Vote};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// `crc32 | index | term`, before each value.
const FRAME: usize = 4 + 8 + 8;
/// redb's own memory; the file is in memory as well.
const CACHE_BYTES: usize = 1 << 20;

/// An entry of format 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OldEntry {
    /// A new leader's first entry.
    Blank,
    /// The members from here on, with their addresses.
    Members {
        /// Those who vote.
        voters: BTreeMap<u64, String>,
        /// Those who only receive the log.
        learners: BTreeMap<u64, String>,
    },
    /// Commands: a `Batch` in MessagePack with field names.
    Batch(Vec<u8>),
}

/// All that such a log holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OldLog {
    pub(super) vote: Option<Vote>,
    pub(super) purged: Option<Position>,
    pub(super) entries: Vec<(Position, OldEntry)>,
}

#[derive(Deserialize)]
struct OldLeader {
    term: u64,
    node_id: u64,
}

#[derive(Deserialize)]
struct OldId {
    leader_id: OldLeader,
    index: u64,
}

#[derive(Deserialize)]
struct OldVote {
    leader_id: OldLeader,
    committed: bool,
}

#[derive(Deserialize)]
struct OldNode {
    addr: String,
}

#[derive(Deserialize)]
struct OldMembers {
    configs: Vec<BTreeSet<u64>>,
    nodes: BTreeMap<u64, OldNode>,
}

impl OldLog {
    /// Reads and verifies all of it; else what is wrong. `store` is the number
    /// that it was made with.
    pub(super) fn read(file: &[u8], store: &str) -> Result<Self, String> {
        // A damaged page can panic redb where it expects another kind of page.
        catch_unwind(AssertUnwindSafe(|| Self::read_all(file, store)))
            .unwrap_or_else(|_| Err("a page of it is damaged".to_owned()))
    }

    fn read_all(file: &[u8], store: &str) -> Result<Self, String> {
        let db = open(file)?;
        let transaction = db.begin_read().map_err(text)?;
        let meta = transaction.open_table(META).map_err(text)?;
        let value = |key: &str| -> Result<Option<Vec<u8>>, String> {
            let found = meta.get(key).map_err(text)?;
            found.map(|bytes| unwrap(key, 0, bytes.value()).map(<[u8]>::to_vec)).transpose()
        };
        if value("founded")?.as_deref() != Some(store.as_bytes()) {
            return Err("it is not the log that this directory was founded with".to_owned());
        }
        let vote = value("vote")?.map(|bytes| decode::<OldVote>("the vote", &bytes)).transpose()?;
        let purged = value("purged")?.map(|bytes| decode::<OldId>("the purged position", &bytes)).transpose()?;
        let mut log = Self { vote: vote.map(Vote::from), purged: purged.map(Position::from), entries: Vec::new() };
        for row in transaction.open_table(LOG).map_err(text)?.iter().map_err(text)? {
            let (index, bytes) = row.map_err(text)?;
            let what = format!("entry {}", index.value());
            let entry = entry(&what, unwrap(&what, index.value(), bytes.value())?)?;
            // The first entry has index 0.
            let last = log.entries.last().map(|(at, _)| *at).or(log.purged);
            let expected = last.map_or(0, |last| last.index + 1);
            if entry.0.index != index.value() || entry.0.index != expected {
                return Err(format!("entry {expected} is missing"));
            }
            log.entries.push(entry);
        }
        Ok(log)
    }
}

fn open(file: &[u8]) -> Result<Database, String> {
    let memory = InMemoryBackend::new();
    memory.set_len(file.len() as u64).and_then(|()| memory.write(0, file)).map_err(text)?;
    let mut db = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(memory).map_err(text)?;
    // `false`: it was damaged and redb has repaired it, by leaving out what was
    // damaged. For a log that is a loss.
    if db.check_integrity().map_err(text)? { Ok(db) } else { Err("a page of it is damaged".to_owned()) }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn unwrap<'a>(what: &str, place: u64, frame: &'a [u8]) -> Result<&'a [u8], String> {
    let damaged = || format!("{what} is damaged");
    let (crc, rest) = frame.split_first_chunk::<4>().ok_or_else(damaged)?;
    let (found, _) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*crc) || u64::from_le_bytes(*found) != place {
        return Err(damaged());
    }
    frame.get(FRAME..).ok_or_else(damaged)
}

fn decode<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T, String> {
    rmp_serde::from_slice(bytes).map_err(|error| format!("{what} cannot be read: {error}"))
}

/// `{ log_id, payload: "Blank" | { "Normal": batch } | { "Membership": … } }`.
/// The batch is the end of the entry and is handed on as it stands.
fn entry(what: &str, bytes: &[u8]) -> Result<(Position, OldEntry), String> {
    let damaged = || format!("{what} cannot be read");
    let rest = bytes.strip_prefix(&[0x82]).and_then(|rest| after(rest, "log_id")).ok_or_else(damaged)?;
    let (id, rest) = first::<OldId>(rest).ok_or_else(damaged)?;
    let payload = after(rest, "payload").ok_or_else(damaged)?;
    let entry = match payload.strip_prefix(&[0x81]) {
        None if after(payload, "Blank").is_some_and(<[u8]>::is_empty) => OldEntry::Blank,
        None => return Err(damaged()),
        Some(variant) => match (after(variant, "Normal"), after(variant, "Membership")) {
            (Some(batch), _) if first::<IgnoredAny>(batch).is_some_and(|(_, rest)| rest.is_empty()) => {
                OldEntry::Batch(batch.to_vec())
            }
            (_, Some(found)) => members(decode(what, found)?).ok_or_else(damaged)?,
            (_, None) => return Err(damaged()),
        },
    };
    Ok((id.into(), entry))
}

/// A change of the members that is under way cannot be carried over; this
/// version never began one.
fn members(found: OldMembers) -> Option<OldEntry> {
    let [voting] = found.configs.as_slice() else { return None };
    let nodes = found.nodes.into_iter().map(|(id, node)| (id, node.addr));
    let (voters, learners) = nodes.partition(|(id, _)| voting.contains(id));
    Some(OldEntry::Members { voters, learners })
}

/// What follows this text.
fn after<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    first::<String>(bytes).filter(|(found, _)| found == name).map(|(_, rest)| rest)
}

/// The first value, and what follows it.
fn first<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<(T, &'a [u8])> {
    let mut deserializer = rmp_serde::Deserializer::new(bytes);
    let value = T::deserialize(&mut deserializer).ok()?;
    let left = deserializer.get_ref().len();
    Some((value, &bytes[bytes.len() - left..]))
}

impl From<OldId> for Position {
    fn from(id: OldId) -> Self {
        Self { term: id.leader_id.term, index: id.index }
    }
}

impl From<OldVote> for Vote {
    fn from(vote: OldVote) -> Self {
        let OldVote { leader_id: OldLeader { term, node_id }, committed } = vote;
        Self { term, voted_for: Some(node_id), committed }
    }
}
