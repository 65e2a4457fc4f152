//! A point in time as people write it on the command line.

use crate::output::human;
use chrono::DateTime;
use process_model::Timestamp;

/// How long ago (`10m`), or a time (RFC 3339).
///
/// # Errors
/// It is neither.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        let ago = i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX);
        return Ok(Timestamp(human::now().0.saturating_sub(ago)));
    }
    let time = DateTime::parse_from_rfc3339(text);
    let time = time.map_err(|_| "write a duration as 10m or 2h, or a time as 2026-11-21T03:05:00Z".to_owned())?;
    Ok(Timestamp::from_parts(time.timestamp(), time.timestamp_subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::{human, moment};

    #[test]
    fn a_time_is_a_duration_ago_or_a_point() {
        let ago = human::now().0 - moment("10m").unwrap().0;
        assert!((599..620).contains(&(ago / 1_000_000_000)), "{ago}");
        assert_eq!(moment("1970-01-01T01:00:01+01:00").unwrap().0, 1_000_000_000);
        assert!(moment("yesterday").unwrap_err().contains("10m"));
    }
}
