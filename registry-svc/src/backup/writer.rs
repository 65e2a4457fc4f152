//! A state → the bytes of a backup, piece by piece: the state is read twice,
//! once to know what it adds up to, and nothing of it is held.

use super::{About, BackupError, Counts, FORMAT, MAGIC, Manifest, PART};
use bytes::Bytes;
use registry_domain::digest::Sum;
use registry_domain::{Frozen, Row, is_content};
use serde::Serialize as _;
use sha2::{Digest as _, Sha256};

/// Writes a backup into `out`, which says whether to go on. Returns what it is
/// of, or nothing when `out` did not want all of it.
///
/// # Errors
/// A row cannot be encoded.
pub fn write(
    state: &Frozen,
    about: About,
    out: &mut dyn FnMut(Bytes) -> bool,
) -> Result<Option<Manifest>, BackupError> {
    let manifest = survey(state, about)?;
    let mut writer = Writer { out, hasher: Sha256::new(), goes_on: true };
    let description = rmp_serde::to_vec_named(&manifest).map_err(BackupError::Encode)?;
    let mut head = Vec::with_capacity(MAGIC.len() + 12 + description.len());
    head.extend(MAGIC);
    head.extend(FORMAT.to_be_bytes());
    head.extend(u32::try_from(description.len()).unwrap_or(u32::MAX).to_be_bytes());
    head.extend(description);
    head.extend(crc32fast::hash(&head).to_be_bytes());
    writer.put(head);
    let (mut part, mut row) = (Vec::with_capacity(PART), Vec::new());
    for one in rows(state) {
        encode(&one, &mut row)?;
        let length = u32::try_from(row.len()).unwrap_or(u32::MAX).to_be_bytes();
        for mut rest in [&length[..], &row] {
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(PART - part.len()));
                part.extend(now);
                rest = later;
                if part.len() == PART {
                    writer.part(&mut part);
                }
            }
        }
        if !writer.goes_on {
            return Ok(None);
        }
    }
    if !part.is_empty() {
        writer.part(&mut part);
    }
    writer.put(0u32.to_be_bytes().to_vec());
    let whole = writer.hasher.clone().finalize();
    writer.put(whole.to_vec());
    Ok(writer.goes_on.then_some(manifest))
}

fn rows(state: &Frozen) -> impl Iterator<Item = Row> + '_ {
    state.rows().filter(is_content)
}

/// As in a snapshot: by name.
fn encode(row: &Row, to: &mut Vec<u8>) -> Result<(), BackupError> {
    to.clear();
    row.serialize(&mut rmp_serde::Serializer::new(to).with_struct_map()).map_err(BackupError::Encode)
}

fn survey(state: &Frozen, about: About) -> Result<Manifest, BackupError> {
    let (mut counts, mut sum, mut bytes, mut row) = (Counts::default(), Sum::default(), 0, Vec::new());
    for one in rows(state) {
        counts.count(&one);
        encode(&one, &mut row)?;
        sum.add(&row);
        bytes += 4 + row.len() as u64;
    }
    let meta = state.meta();
    Ok(Manifest {
        about,
        cluster_id: meta.cluster_id.clone(),
        revision: meta.revision,
        level: meta.level(),
        digest: sum.digest(),
        bytes,
        counts,
    })
}

struct Writer<'a> {
    out: &'a mut dyn FnMut(Bytes) -> bool,
    hasher: Sha256,
    goes_on: bool,
}

impl Writer<'_> {
    fn put(&mut self, bytes: Vec<u8>) {
        if self.goes_on {
            self.hasher.update(&bytes);
            self.goes_on = (self.out)(bytes.into());
        }
    }

    fn part(&mut self, part: &mut Vec<u8>) {
        let mut bytes = Vec::with_capacity(8 + part.len());
        bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(crc32fast::hash(part).to_be_bytes());
        bytes.append(part);
        self.put(bytes);
    }
}
