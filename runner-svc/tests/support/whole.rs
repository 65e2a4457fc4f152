//! What of a file is written to its end.

/// Its lines; a last one without an end is not written yet.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    whole.lines().map(str::to_owned).collect()
}
