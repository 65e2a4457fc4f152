//! The registry's own replicas: which numbers were given out, and who has them.
//! Who votes stands in the log of consensus itself; here stands what that does
//! not know: directory, address, version. A number is never given twice.
//!
//! ```text
//! (founded) ─ up ─▶ member ─ gone ─▶ gone, for ever
//! enroll ─ number ─▶ member ─ up, at each start ─▶ member
//! ```

use crate::audit::Subject;
use crate::decided::Decided;
use crate::draft::Draft;
use crate::row::RowKey;
use crate::{Refusal, Reply, State, limits};
use process_model::Timestamp;
use serde::{Deserialize, Serialize};

/// A replica that is or was a member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Member {
    /// Its number.
    pub id: u64,
    /// The identity of its data directory; empty when it was never heard.
    pub store: String,
    /// Which start of its process was the last; 0 before the first.
    pub boot: u64,
    /// Tells that start from another one with the same count; 0: not known.
    pub start: u64,
    /// Where it is reached, as `http://HOST:PORT`.
    pub address: String,
    /// Its program version.
    pub version: String,
    /// The highest level of commands that it knows.
    pub level: u16,
    /// It wants to vote as soon as it has caught up.
    pub votes: bool,
    /// When it became known.
    pub since: Timestamp,
    /// When it was removed.
    pub gone: Option<Timestamp>,
    /// The name in its certificate, for as long as it is a member; empty: it was never said.
    #[serde(default)]
    pub certificate: String,
}

/// A replica says who it is: at its start, and to each new leader that does not know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberUp {
    /// Its number.
    pub id: u64,
    /// The identity of its data directory.
    pub store: String,
    /// Which start of its process.
    pub boot: u64,
    /// Tells this start from another one with the same count.
    pub start: u64,
    /// Where it is reached.
    pub address: String,
    /// Its program version.
    pub version: String,
    /// The highest level of commands that it knows.
    pub level: u16,
}

/// A replica that joins wants a number; its directory gets the same one each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enroll {
    /// The identity of its data directory.
    pub store: String,
    /// Where it is reached.
    pub address: String,
    /// Its program version.
    pub version: String,
    /// The highest level of commands that it knows.
    pub level: u16,
    /// It wants to vote as soon as it has caught up.
    pub votes: bool,
    /// The highest number among the members of the log of consensus, which may not have said who they are.
    pub above: u64,
}

/// A replica is a member no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberGone {
    /// Its number.
    pub id: u64,
}

/// What was changed of the members in the log of consensus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberNote {
    /// As the audit log names it.
    pub command: String,
    /// Whom it is about.
    pub targets: Vec<String>,
    /// The highest number among the members there.
    pub above: u64,
}

/// A replica's certificate has this name, and it is that of no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCertified {
    /// Its number.
    pub id: u64,
    /// The name.
    pub name: String,
}

pub(crate) fn certified(draft: &mut Draft<'_>, order: &MemberCertified) -> Result<Decided, Refusal> {
    let MemberCertified { id, name } = order.clone();
    let members = &draft.state().members;
    let known = members.get(&id).filter(|known| known.gone.is_none()).cloned().ok_or(Refusal::MemberGone(id))?;
    let of_another = members.values().any(|other| other.id != id && other.certificate == name);
    // Said once: under another name it would be another one.
    if known.certificate != name && (of_another || !known.certificate.is_empty()) {
        return Err(Refusal::MemberCertificate { id, name, known: known.certificate.clone() });
    }
    put(draft, Member { certificate: name, ..(*known).clone() });
    Ok(Decided::noted(draft))
}

pub(crate) fn up(draft: &mut Draft<'_>, order: &MemberUp) -> Result<Decided, Refusal> {
    let MemberUp { id, store, boot, start, address, version, level } = order.clone();
    must_be_a_number(id)?;
    let members = &draft.state().members;
    let known = members.get(&id);
    if let Some(known) = known {
        must_be_the_same(known, order)?;
    } else if members.values().any(|member| member.store == store) {
        return Err(Refusal::MemberStore(id));
    }
    let before = known.map_or_else(|| Member { id, since: draft.header.time, ..Member::default() }, |m| (**m).clone());
    put(draft, Member { store, boot, start, address, version, level, ..before });
    // A fact: what a replica says of itself is no request.
    Ok(Decided::noted(draft))
}

fn must_be_the_same(known: &Member, order: &MemberUp) -> Result<(), Refusal> {
    let MemberUp { id, boot, start, .. } = *order;
    if known.gone.is_some() {
        return Err(Refusal::MemberGone(id));
    }
    if known.store != order.store {
        return Err(Refusal::MemberStore(id));
    }
    let another = boot == known.boot && boot != 0 && known.start != start;
    if boot < known.boot || another {
        return Err(Refusal::MemberBoot { id, boot, known: known.boot });
    }
    Ok(())
}

pub(crate) fn enroll(draft: &mut Draft<'_>, order: &Enroll) -> Result<Decided, Refusal> {
    let Enroll { store, address, version, level, votes, above } = order.clone();
    let known = draft.state().members.values().find(|member| member.store == store).cloned();
    if let Some(known) = known {
        if known.gone.is_some() {
            return Err(Refusal::MemberGone(known.id));
        }
        let id = known.id;
        put(draft, Member { address, version, level, votes: votes || known.votes, ..(*known).clone() });
        return Ok(Decided { reply: enrolled(draft, id), audit: None });
    }
    let id = draft.state().meta().next_member.max(above.saturating_add(1)).max(1);
    must_be_a_number(id)?;
    let since = draft.header.time;
    let subject = Subject { note: format!("at {address}"), ..Subject::new("enroll-member", [id]) };
    put(draft, Member { id, store, address, version, level, votes, since, ..Member::default() });
    Ok(Decided { reply: enrolled(draft, id), audit: Some(subject) })
}

fn must_be_a_number(id: u64) -> Result<(), Refusal> {
    if (1..=limits::MEMBERS).contains(&id) {
        return Ok(());
    }
    Err(Refusal::TooMany { what: "numbers of replicas".to_owned(), got: id, limit: limits::MEMBERS })
}

fn enrolled(draft: &Draft<'_>, id: u64) -> Reply {
    Reply::Enrolled { id, revision: draft.state().revision() }
}

pub(crate) fn gone(draft: &mut Draft<'_>, order: &MemberGone) -> Result<Decided, Refusal> {
    let (id, now) = (order.id, draft.header.time);
    must_be_a_number(id)?;
    let known = draft.state().members.get(&id);
    if known.is_some_and(|known| known.gone.is_some()) {
        return Ok(Decided::noted(draft));
    }
    let before = known.map_or_else(|| Member { id, since: now, ..Member::default() }, |m| (**m).clone());
    put(draft, Member { gone: Some(now), votes: false, ..before });
    Ok(Decided { audit: Some(Subject::new("retire-member", [id])), ..Decided::noted(draft) })
}

pub(crate) fn note(draft: &mut Draft<'_>, order: &MemberNote) -> Decided {
    // A number may go before its owner has ever said a word.
    let next = order.above.min(limits::MEMBERS) + 1;
    if draft.state().meta().next_member < next {
        draft.touch(RowKey::Meta).meta.next_member = next;
    }
    Decided { audit: Some(Subject::new(&order.command, &order.targets)), ..Decided::noted(draft) }
}

fn put(draft: &mut Draft<'_>, member: Member) {
    let id = member.id;
    if draft.state().members.get(&id).is_some_and(|known| **known == member) {
        return;
    }
    if draft.state().meta().next_member <= id {
        draft.touch(RowKey::Meta).meta.next_member = id.saturating_add(1);
    }
    draft.touch(RowKey::Member(id)).members.insert(id, member.into());
}

/// What holds of the members in every state.
pub(crate) fn broken(state: &State, faults: &mut Vec<String>) {
    let next = state.meta.next_member;
    for (id, member) in &state.members {
        if member.id != *id || *id == 0 || *id >= next {
            faults.push(format!("replica {id}: stands as {}, and the next number is {next}", member.id));
        }
    }
    let stores: Vec<&String> = state.members.values().map(|member| &member.store).filter(|s| !s.is_empty()).collect();
    let distinct: std::collections::BTreeSet<&&String> = stores.iter().collect();
    if distinct.len() != stores.len() {
        faults.push("a directory has two numbers".to_owned());
    }
}
