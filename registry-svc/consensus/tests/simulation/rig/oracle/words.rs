//! What clients were told.

use super::Oracle;

impl Oracle {
    /// A word was acknowledged by a replica whose state has it so many times.
    pub(crate) fn acknowledged(&self, word: u64, by: u64, times: u32) {
        let mut state = self.lock();
        state.acked.insert(word);
        *state.counts.entry("acknowledged").or_default() += 1;
        state.story.tell(|| format!("word {word} acknowledged by {by}"));
        if times != 1 {
            state.violated(format!("replica {by} acknowledges word {word} and has it {times} times"));
        }
    }

    /// Everything that is acknowledged so far.
    pub(crate) fn acked(&self) -> Vec<u64> {
        self.lock().acked.iter().copied().collect()
    }

    /// A replica has to have all these words, each once.
    pub(crate) fn has_all(&self, id: u64, why: &str, words: &[u64], times: impl Fn(u64) -> u32) {
        for word in words {
            let times = times(*word);
            if times != 1 {
                self.violated(format!("replica {id} has word {word} {times} times: {why}"));
            }
        }
    }
}
