//! A call's time, as it travels: `grpc-timeout`, at most eight digits and a unit (gRPC over HTTP/2, "Requests").

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

/// The header.
pub const TIMEOUT_HEADER: &str = "grpc-timeout";

/// A `grpc-timeout` that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("grpc-timeout is no duration; write up to eight digits and one of H M S m u n, as 10S")]
pub struct MalformedTimeout;

/// How long the call may take; `None` when it does not say.
///
/// # Errors
/// [`MalformedTimeout`].
pub fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, MalformedTimeout> {
    let Some(value) = headers.get(TIMEOUT_HEADER) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number: u64 = digits.parse().ok()?;
        match unit {
            "H" => Some(Duration::from_secs(number * 3600)),
            "M" => Some(Duration::from_secs(number * 60)),
            "S" => Some(Duration::from_secs(number)),
            "m" => Some(Duration::from_millis(number)),
            "u" => Some(Duration::from_micros(number)),
            "n" => Some(Duration::from_nanos(number)),
            _ => None,
        }
    });
    parsed.map(Some).ok_or(MalformedTimeout)
}

/// Says that the call may take `left`. Coarser than asked for, and never longer.
pub(crate) fn set_timeout(headers: &mut HeaderMap, left: Duration) {
    let most = 99_999_999;
    let text = match (left.as_micros(), left.as_millis(), left.as_secs()) {
        (micros, _, _) if micros <= most => format!("{micros}u"),
        (_, millis, _) if millis <= most => format!("{millis}m"),
        (_, _, seconds) => format!("{}S", u128::from(seconds).min(most)),
    };
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(TIMEOUT_HEADER, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(TIMEOUT_HEADER), text.parse().unwrap())])
    }

    #[test]
    fn a_grpc_timeout_is_digits_and_a_unit() {
        for (text, expected) in [
            ("10S", Ok(Some(Duration::from_secs(10)))),
            ("250m", Ok(Some(Duration::from_millis(250)))),
            ("99999999H", Ok(Some(Duration::from_secs(99_999_999 * 3600)))),
            ("123456789S", Err(MalformedTimeout)),
            ("S", Err(MalformedTimeout)),
            ("-1S", Err(MalformedTimeout)),
            ("10x", Err(MalformedTimeout)),
            ("", Err(MalformedTimeout)),
        ] {
            assert_eq!(timeout(&headers(text)), expected, "{text}");
        }
        assert_eq!(timeout(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn what_is_left_is_written_as_finely_as_eight_digits_let() {
        for left in [Duration::from_micros(1_500), Duration::from_secs(99), Duration::from_secs(5_000_000)] {
            let mut headers = HeaderMap::new();
            set_timeout(&mut headers, left);
            assert_eq!(timeout(&headers), Ok(Some(left)), "{headers:?}");
        }
        let mut headers = headers("10S");
        set_timeout(&mut headers, Duration::from_nanos(123_456_789_012_345));
        assert_eq!(timeout(&headers), Ok(Some(Duration::from_secs(123_456))));
    }
}
