//! Who raises a term, and by what right.

use super::Oracle;
use registry_consensus::{Note, Standing};
use registry_quorum::elections::Timing;
use tokio::sync::watch;
use tokio::time::Instant;

impl Oracle {
    /// A replica heard this.
    pub(crate) fn hears(&self, who: u64, from: u64, note: &Note) {
        self.note(|| format!("{from} → {who} {note:?}"));
        match note {
            Note::PreVoteAnswered(opinion) if opinion.granted => {
                let mut state = self.lock();
                state.grants.entry((who, opinion.ballot.term)).or_default().insert(from, Instant::now());
            }
            Note::TakeOver { term, .. } => drop(self.lock().wishes.insert((who, *term))),
            Note::PreVoteAsked(_) | Note::PreVoteAnswered(_) | Note::Resigned { .. } | Note::TakeOverRefused => {}
        }
    }

    /// Where a replica stands, and its waits, as of its start.
    pub(crate) fn follows(&self, who: u64, standing: watch::Receiver<Standing>, timing: Timing) {
        self.lock().standings.insert(who, (standing, timing));
    }

    /// A replica is about to write down that it stands for this term: it must have been allowed to.
    pub(crate) fn raises(&self, who: u64, term: u64) {
        let mut state = self.lock();
        let Some((standing, timing)) = state.standings.get(&who).cloned() else { return };
        *state.counts.entry("candidacy").or_default() += 1;
        state.story.tell(|| format!("replica {who} stands for term {term}"));
        let grants = state.grants.get(&(who, term - 1)).cloned().unwrap_or_default();
        // An answer may be used for so long after the question, and then a lease may have to pass; it came later.
        let fresh = |id: u64| {
            let heard = grants.get(&id);
            heard.is_some_and(|at| at.elapsed().as_millis() <= u128::from(timing.grant + timing.lease))
        };
        let wished = state.wishes.contains(&(who, term - 1));
        // The founder stands for the first term: there was nobody to ask.
        let founds = term == 1;
        let voters = standing.borrow().members.voters.clone();
        if !wished && !founds && !voters.majority(|id| id.0 == who || fresh(id.0)) {
            state.violated(format!("replica {who} raises the term to {term}, allowed by {grants:?} of {voters:?}"));
        }
    }
}
