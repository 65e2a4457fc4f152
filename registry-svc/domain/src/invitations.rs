//! Invitations of nodes: who may get a certificate without having one. Of a token only its hash is here; what it opens is
//! bound to a role and, where that was said, to a node.
//!
//! ```text
//! invite ─▶ open ─ admit (node, key) ─▶ used ─ expires ─▶ gone
//!             └──────────── expires ──────────────────────▶ gone
//! ```
//! A token is good once: afterwards only for the same node with the same key, so that whoever lost the answer can ask again.
//! What is wrong with a token is told to nobody: it is refused in the same words whatever it is.

use crate::audit::Subject;
use crate::decided::Decided;
use crate::draft::Draft;
use crate::row::RowKey;
use crate::{Refusal, State, limits};
use process_model::{NodeName, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What an invited one becomes. One role has certificates of the registry's making.
pub const RUNNER: &str = "runner";

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// SHA-256 of its token, in hexadecimal digits.
    pub hash: String,
    /// What it is for.
    pub role: String,
    /// For whom; `None`: for any node that is not known yet.
    pub node: Option<NodeName>,
    /// Its end.
    pub expires: Timestamp,
    /// Who has used it.
    #[serde(default)]
    pub used: Option<Used>,
}

/// Who has used an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// As which node.
    pub node: NodeName,
    /// SHA-256 of its key, in hexadecimal digits.
    pub key: String,
}

/// Somebody may join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// SHA-256 of the token.
    pub hash: String,
    /// What it is for.
    pub role: String,
    /// For whom.
    pub node: Option<NodeName>,
    /// How long.
    pub ttl: Duration,
}

/// Somebody joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admit {
    /// SHA-256 of the token that was shown.
    pub hash: String,
    /// As what.
    pub role: String,
    /// As which node.
    pub node: NodeName,
    /// SHA-256 of the key that is to be certified.
    pub key: String,
}

pub(crate) fn invite(draft: &mut Draft<'_>, order: &Invite) -> Result<Decided, Refusal> {
    let Invite { hash, role, node, ttl } = order.clone();
    let now = draft.header.time;
    // It stands already, perhaps used: it is not opened again.
    if draft.state().invitations.contains_key(&hash) {
        return Ok(Decided::noted(draft));
    }
    let open = draft.state().invitations.values().filter(|one| !is_over(one, now)).count() as u64;
    if open >= limits::INVITATIONS {
        return Err(Refusal::TooMany {
            what: "open invitations".to_owned(),
            got: open + 1,
            limit: limits::INVITATIONS,
        });
    }
    forget_expired(draft);
    let expires = later(now, ttl);
    let target = node.as_ref().map_or_else(|| "(any node)".to_owned(), ToString::to_string);
    let subject =
        Subject { note: format!("for a {role}, {} s", ttl.as_secs()), ..Subject::new("invite-node", [target]) };
    put(draft, Invitation { hash, role, node, expires, used: None });
    Ok(Decided { audit: Some(subject), ..Decided::noted(draft) })
}

pub(crate) fn admit(draft: &mut Draft<'_>, order: &Admit) -> Result<Decided, Refusal> {
    let found = draft.state().invited(order, draft.header.time).cloned().ok_or(Refusal::NotInvited)?;
    forget_expired(draft);
    let Admit { node, key, .. } = order.clone();
    let subject = Subject::new("admit-node", [&node]);
    put(draft, Invitation { used: Some(Used { node, key }), ..(*found).clone() });
    Ok(Decided { audit: Some(subject), ..Decided::noted(draft) })
}

impl State {
    /// The invitation that lets this one in at this time, if one does. Asked before the order is given, too: guesses are not
    /// worth an entry in the log.
    #[must_use]
    pub fn invited(&self, order: &Admit, now: Timestamp) -> Option<&Arc<Invitation>> {
        let found = self.invitations.get(&order.hash)?;
        let is_open = match &found.used {
            Some(used) => used.node == order.node && used.key == order.key,
            // Without a name it is no way to take the place of a node that is there.
            None => found.node.is_some() || !self.is_taken(&order.node),
        };
        let fits = found.node.as_ref().is_none_or(|node| *node == order.node);
        (is_open && fits && found.role == order.role && !is_over(found, now)).then_some(found)
    }

    /// All of them, by the hash of their tokens.
    #[must_use]
    pub fn invitations(&self) -> impl ExactSizeIterator<Item = &Invitation> {
        self.invitations.values().map(|invitation| &**invitation)
    }

    fn is_taken(&self, node: &NodeName) -> bool {
        let by_invitation = |one: &Arc<Invitation>| one.used.as_ref().is_some_and(|used| used.node == *node);
        self.nodes.contains_key(node) || self.invitations.values().any(by_invitation)
    }
}

fn put(draft: &mut Draft<'_>, invitation: Invitation) {
    let hash = invitation.hash.clone();
    draft.touch(RowKey::Invitation(hash.clone())).invitations.insert(hash, Arc::new(invitation));
}

fn forget_expired(draft: &mut Draft<'_>) {
    let now = draft.header.time;
    let over: Vec<String> =
        draft.state().invitations.values().filter(|one| is_over(one, now)).map(|one| one.hash.clone()).collect();
    for hash in over {
        draft.touch(RowKey::Invitation(hash.clone())).invitations.remove(&hash);
    }
}

fn is_over(invitation: &Invitation, now: Timestamp) -> bool {
    invitation.expires <= now
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    Timestamp(now.0.saturating_add(by.as_nanos().try_into().unwrap_or(now.0)))
}

/// What holds of the invitations in every state.
pub(crate) fn broken(state: &State, faults: &mut Vec<String>) {
    for (hash, one) in &state.invitations {
        if one.hash != *hash {
            faults.push(format!("invitation {hash}: stands as {}", one.hash));
        }
        if let (Some(node), Some(used)) = (&one.node, &one.used)
            && used.node != *node
        {
            faults.push(format!("invitation {hash}: is for {node}, and {} used it", used.node));
        }
    }
}
