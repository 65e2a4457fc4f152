//! What a misspelt name may have meant: the candidate with the fewest edits
//! (Levenshtein 1966), if there are few.

/// Candidates that are looked at. Enough for every cluster that people name by
/// hand, and it keeps a wrong name cheap in the others.
const CANDIDATES: usize = 2_000;

/// The closest candidate, if it is close.
pub(crate) fn closest(wanted: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    // Patterns and very long texts are no misspelt names.
    if wanted.is_empty() || wanted.len() > 80 || wanted.contains(['*', '?']) {
        return None;
    }
    let few = (wanted.chars().count() / 3).clamp(1, 3);
    candidates
        .take(CANDIDATES)
        .map(|candidate| (distance(wanted, &candidate), candidate))
        .filter(|(edits, _)| *edits <= few)
        .min()
        .map(|(_, candidate)| candidate)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> impl Iterator<Item = String> {
        ["web", "worker", "database"].into_iter().map(str::to_owned)
    }

    #[test]
    fn a_misspelt_name_is_recognised_and_a_strange_one_is_not() {
        for (wanted, expected) in [
            ("wbe", None),
            ("webb", Some("web")),
            ("Web", Some("web")),
            ("workr", Some("worker")),
            ("databsae", Some("database")),
            ("nginx", None),
            ("w*", None),
            ("", None),
        ] {
            assert_eq!(closest(wanted, names()).as_deref(), expected, "{wanted}");
        }
    }
}
