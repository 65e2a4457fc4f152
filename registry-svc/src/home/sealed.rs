//! Lines `key=value`, the last one a checksum of those before. Readable for
//! an operator, and any change to it is noticed. Pure.

/// Lines that were verified, in the order in which they stand.
pub(super) struct Lines<'a>(std::str::Lines<'a>);

/// The text of these lines.
pub(super) fn seal(body: &str) -> String {
    format!("{body}crc={:08x}\n", crc32fast::hash(body.as_bytes()))
}

/// The lines of a text; `None` when it is not as it was written.
pub(super) fn open(text: &str) -> Option<Lines<'_>> {
    let (body, crc) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let body = text.get(..=body.len())?;
    (seal(body).strip_prefix(body)? == format!("{crc}\n")).then(|| Lines(body.lines()))
}

impl<'a> Lines<'a> {
    /// The value of the next line, which must have this key.
    pub(super) fn next(&mut self, key: &str) -> Option<&'a str> {
        self.0.next()?.split_once('=').filter(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// The value of the next line, read as what it is.
    pub(super) fn parsed<T: std::str::FromStr>(&mut self, key: &str) -> Option<T> {
        self.next(key)?.parse().ok()
    }

    /// Whether there is nothing more.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.clone().next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_any_changed_or_missing_byte_does_not_open() {
        let text = seal("format=2\nreplica=3\n");
        let mut lines = open(&text).unwrap();
        assert_eq!((lines.parsed("format"), lines.next("store")), (Some(2), None));
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            assert!(open(&String::from_utf8(changed).unwrap()).is_none(), "byte {at}");
            assert!(open(&text[..at]).is_none(), "cut to {at}");
        }
        assert!(open(&format!("{text}\n")).is_none());
    }
}
