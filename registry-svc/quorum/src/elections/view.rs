//! Who leads, as far as this replica knows: told by the Raft library and, a
//! little earlier, by the leader's own messages; and what a change of it ends.

use super::leading::Leading;
use super::{Do, Elections, HandOverEnd, Standing};
use crate::{Millis, ReplicaId};

impl Elections {
    pub(super) fn heard(&mut self, from: ReplicaId, term: u64, now: Millis, wanted: &mut Vec<Do>) {
        let known = (self.standing.term, self.standing.leader);
        if from == self.me || term < known.0 || (term == known.0 && known.1.is_some_and(|leader| leader != from)) {
            // A leader of the past, or nobody that the Raft library could have taken.
            return;
        }
        if (term, Some(from)) != known {
            self.standing.term = term;
            self.standing.leader = Some(from);
            self.leader_changed(now, wanted);
        } else if self.suspicion.heard(from, now) {
            wanted.push(Do::Redial(from));
        }
    }

    pub(super) fn stands(&mut self, new: Standing, now: Millis, wanted: &mut Vec<Do>) {
        let old = (self.standing.term, self.standing.leader);
        let behind = new.term < old.0 || (new.term == old.0 && new.leader.is_none() && old.1 != Some(self.me));
        let news = (new.term, new.leader);
        self.standing = new;
        if behind {
            // An append was heard before the library's view came round: a term neither falls nor loses its leader.
            (self.standing.term, self.standing.leader) = old;
        } else if news != old {
            self.leader_changed(now, wanted);
        }
    }

    /// Another term, another leader, or none.
    fn leader_changed(&mut self, now: Millis, wanted: &mut Vec<Do>) {
        self.petitions.clear();
        self.take_over.wish = None;
        if self.leading.take().and_then(|leading| leading.suspended()).is_some() {
            wanted.push(Do::Resume);
        }
        if self.hand_over.is_some() {
            self.end_hand_over(HandOverEnd::Done, wanted);
        }
        match self.standing.leader {
            Some(leader) if leader == self.me => {
                self.bid.forget(now);
                self.leading = Some(Leading::new(self.timing, now));
            }
            Some(leader) => {
                self.bid.forget(now);
                if self.suspicion.leader_is(leader, now) {
                    wanted.push(Do::Redial(leader));
                }
            }
            None => {
                self.bid.close();
                self.suspicion.vacant(now);
            }
        }
    }
}
