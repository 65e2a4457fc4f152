//! Numbers and ids of actions. An action's number is the revision of its
//! `action.queued` event: unique, ordered, and the same on every replica.

/// The id of action `number`.
#[must_use]
pub fn action_id(number: u64) -> String {
    format!("a-{number}")
}

/// The number in an action's id.
#[must_use]
pub fn action_number(id: &str) -> Option<u64> {
    let digits = id.strip_prefix("a-")?;
    // One spelling only, as `parse` would take `+7` and `007` too.
    let number: u64 = digits.parse().ok()?;
    (action_id(number) == id).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_id_has_one_spelling() {
        assert_eq!(action_number(&action_id(42)), Some(42));
        for bad in ["", "a-", "a-+1", "a-01", "b-1", "a-1 ", "a--1"] {
            assert_eq!(action_number(bad), None, "{bad:?}");
        }
    }
}
