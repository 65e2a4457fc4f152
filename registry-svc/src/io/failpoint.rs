//! Places where a test can end the process as a crash would:
//! `PM_FAIL_POINT=name:n:abort` acts when the named point is reached for the
//! n-th time. The registry's log has points of its own under the same name of
//! the environment. Debug builds only; in others a point is nothing.
//!
//! | point | where |
//! |---|---|
//! | `rows_taken` | changed rows are taken from the state, nothing is written |
//! | `rows_written` | all of them are in the store |
//! | `rows_part` | a part of many rows is in the store |
//! | `snapshot_written` | a snapshot is in its file, not yet synced |
//! | `snapshot_counts` | a snapshot has its name |

#[cfg(debug_assertions)]
pub(crate) fn reached(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static POINT: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();
    let parse = || {
        let text = std::env::var("PM_FAIL_POINT").ok()?;
        let (point, n) = text.strip_suffix(":abort")?.rsplit_once(':')?;
        Some((point.to_owned(), AtomicU64::new(n.parse().ok()?)))
    };
    if let Some((point, left)) = POINT.get_or_init(parse)
        && point == name
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn reached(_: &str) {}
