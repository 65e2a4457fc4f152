//! What a key is: a register that holds a value or nothing.

/// What is asked of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// What is there?
    Read,
    /// Put this there.
    Write(u64),
    /// Put `to` there if `from` is there now.
    Swap {
        /// What is expected; none: nothing.
        from: Option<u64>,
        /// What shall be there.
        to: u64,
    },
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To a read.
    Value(Option<u64>),
    /// To a write, and to a swap that took place.
    Done,
    /// To a swap: something else is there; nothing was changed.
    Mismatch,
}

/// What the register holds.
pub(super) type State = Option<u64>;

/// What it holds after the call, if it can have given this answer. Without an
/// answer: after the call took effect, whatever the effect was.
pub(super) fn step(state: State, call: Call, answer: Option<Answer>) -> Option<State> {
    match (call, answer) {
        (Call::Read, None) => Some(state),
        (Call::Read, Some(Answer::Value(value))) => (state == value).then_some(state),
        (Call::Write(value), None | Some(Answer::Done)) => Some(Some(value)),
        (Call::Swap { from, to }, Some(Answer::Done)) => (state == from).then_some(Some(to)),
        (Call::Swap { from, .. }, Some(Answer::Mismatch)) => (state != from).then_some(state),
        (Call::Swap { from, to }, None) => Some(if state == from { Some(to) } else { state }),
        // An answer that such a call never gets.
        (Call::Read, Some(Answer::Done | Answer::Mismatch))
        | (Call::Write(_), Some(Answer::Value(_) | Answer::Mismatch))
        | (Call::Swap { .. }, Some(Answer::Value(_))) => None,
    }
}
