//! Follows the chain of an audit log, from the registry's anchor or, of an
//! export, from what its first entry says.

use super::Anchor;
use crate::error::Failure;
use crate::exit::Exit;
use process_model::audit::{AuditEntry, AuditHash, Break, Verified, Verifier};

pub(super) struct Checker {
    verifier: Option<Verifier>,
    /// Number of the last entry without a hash at the beginning of an export.
    unhashed: Option<u64>,
    before_chain: u64,
    known: Option<Anchor>,
    seen_known: bool,
}

impl Checker {
    /// `anchor`: where the log begins, if somebody says so. `known`: an entry
    /// that has to be in it.
    pub(super) fn new(anchor: Option<Anchor>, known: Option<Anchor>) -> Self {
        let verifier = anchor.map(Verifier::new);
        let seen_known = known.is_some() && known == anchor;
        Self { verifier, unhashed: None, before_chain: 0, known, seen_known }
    }

    pub(super) fn take(&mut self, entry: &AuditEntry) -> Result<(), Failure> {
        if self.known.is_some_and(|known| known.number == entry.number) {
            if self.known != Some(Anchor::of(entry)) {
                let what = format!("entry {} has the hash {}, not the known one", entry.number, entry.hash);
                return Err(broken(entry.number, &format!("{what}: it or one before it was changed")));
            }
            self.seen_known = true;
        }
        let verifier = match &mut self.verifier {
            Some(verifier) => verifier,
            // Entries of an earlier version stand before the chain.
            None if entry.hash.is_zero() => return self.unhashed(entry).map_err(|fault| said(&fault)),
            None => self.verifier.insert(Verifier::new(begin(self.unhashed, entry))),
        };
        verifier.check(entry).map_err(|fault| said(&fault))
    }

    fn unhashed(&mut self, entry: &AuditEntry) -> Result<(), Break> {
        match self.unhashed {
            Some(last) if entry.number != last.saturating_add(1) => {
                Err(Break::Number { expected: last.saturating_add(1), found: entry.number })
            }
            Some(_) | None => {
                self.unhashed = Some(entry.number);
                self.before_chain += 1;
                Ok(())
            }
        }
    }

    pub(super) fn finish(self, head: Option<Anchor>) -> Result<Verified, Failure> {
        let at = Anchor { number: self.unhashed.unwrap_or(0), hash: AuditHash::ZERO };
        let verified = match self.verifier {
            Some(verifier) => verifier.finish(head).map_err(|fault| said(&fault))?,
            None => Verified { entries: 0, before_chain: 0, head: at },
        };
        match self.known {
            Some(known) if !self.seen_known => {
                let what = if known.number > verified.head.number {
                    "the newest entries were removed"
                } else {
                    "it is no longer kept"
                };
                Err(broken(known.number, &format!("the known entry {} is not in it: {what}", known.number)))
            }
            Some(_) | None => Ok(Verified { before_chain: verified.before_chain + self.before_chain, ..verified }),
        }
    }
}

/// The entry before the first one of an export. Only the very first entry of
/// all follows none.
fn begin(unhashed: Option<u64>, first: &AuditEntry) -> Anchor {
    match unhashed {
        Some(number) => Anchor { number, hash: AuditHash::ZERO },
        None if first.number == 1 => Anchor::default(),
        None => Anchor { number: first.number.saturating_sub(1), hash: first.previous },
    }
}

fn said(fault: &Break) -> Failure {
    broken(fault.number(), &fault.to_string())
}

pub(super) fn broken(number: u64, what: &str) -> Failure {
    Failure::new(Exit::Untrue, format!("the audit log is broken at entry {number}: {what}"))
        .reason("AUDIT_LOG_BROKEN")
        .help(format!("entries before {number} hold; from there on compare with an export or a backup"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::Timestamp;
    use process_model::audit::{AuditOutcome, link};

    fn plain(number: u64) -> AuditEntry {
        AuditEntry {
            number,
            revision: 0,
            time: Timestamp(0),
            actor: "admin".into(),
            source: String::new(),
            command: "apply".into(),
            targets: vec![],
            reason: String::new(),
            request_id: String::new(),
            outcome: AuditOutcome::Accepted,
            generations: vec![],
            changes: vec![],
            left_out: 0,
            previous: AuditHash::ZERO,
            hash: AuditHash::ZERO,
        }
    }

    fn chain(from: u64, count: u64, mut previous: AuditHash) -> Vec<AuditEntry> {
        let link_next = |number| {
            let mut entry = AuditEntry { previous, ..plain(number) };
            entry.hash = link(&previous, &entry);
            previous = entry.hash;
            entry
        };
        (from..from + count).map(link_next).collect()
    }

    fn check(known: Option<Anchor>, entries: &[AuditEntry]) -> Result<Verified, Failure> {
        let mut checker = Checker::new(None, known);
        entries.iter().try_for_each(|entry| checker.take(entry))?;
        checker.finish(None)
    }

    #[test]
    fn an_export_holds_from_its_first_entry_and_the_first_of_all_follows_none() {
        let whole = chain(1, 5, AuditHash::ZERO);
        assert_eq!(check(None, &whole).unwrap().entries, 5);
        assert_eq!(check(None, &whole[2..]).unwrap().entries, 3);
        let forged = chain(1, 5, AuditHash::new([1; 32]));
        assert_eq!(check(None, &forged).unwrap_err().exit(), Exit::Untrue);
        let old: Vec<_> = [plain(1), plain(2)].into_iter().chain(chain(3, 2, AuditHash::ZERO)).collect();
        let verified = check(None, &old).unwrap();
        assert_eq!((verified.entries, verified.before_chain), (2, 2));
        assert!(check(None, &[plain(1), plain(3)]).is_err());
    }

    #[test]
    fn a_known_entry_unmasks_a_log_that_was_written_anew_or_cut() {
        let whole = chain(1, 5, AuditHash::ZERO);
        let known = Some(Anchor::of(&whole[3]));
        assert_eq!(check(known, &whole).unwrap().entries, 5);
        let mut anew = whole.clone();
        anew[1].actor = "nobody".into();
        let mut previous = AuditHash::ZERO;
        for entry in &mut anew {
            entry.previous = previous;
            entry.hash = link(&previous, entry);
            previous = entry.hash;
        }
        assert!(check(None, &anew).is_ok(), "a whole chain can be made anew");
        assert_eq!(check(known, &anew).unwrap_err().exit(), Exit::Untrue);
        assert!(check(known, &whole[..3]).unwrap_err().to_string().contains("removed"));
    }
}
