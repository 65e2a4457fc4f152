//! What a program wrote, made harmless for a terminal: control characters
//! (ESC and with it every sequence, BEL, CR …), those of U+0080 to U+009F,
//! marks that change the direction of text, and bytes that are no UTF-8 stand
//! as `\x1b`, `\u{202e}`, `\xff`. Line ends and tabs stay.

use std::fmt::Write as _;

/// Escapes one output's bytes, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Escape {
    /// The beginning of a character whose end has not come.
    begun: Vec<u8>,
}

impl Escape {
    /// The next piece.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.begun.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.begun);
        let mut out = String::with_capacity(all.len());
        let mut rest = all.as_slice();
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    put(&mut out, text);
                    break;
                }
                Err(error) => {
                    let (sound, bad) = rest.split_at(error.valid_up_to());
                    put(&mut out, std::str::from_utf8(sound).unwrap_or_default());
                    let Some(len) = error.error_len() else {
                        self.begun = bad.to_vec();
                        break;
                    };
                    let (bad, after) = bad.split_at(len.min(bad.len()));
                    put_bytes(&mut out, bad);
                    rest = after;
                }
            }
        }
        out
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) -> String {
        let mut out = String::new();
        put_bytes(&mut out, &std::mem::take(&mut self.begun));
        out
    }
}

fn put_bytes(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(out, "\\x{byte:02x}");
    }
}

fn put(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            '\0'..='\x1f' | '\x7f' => put_bytes(out, &[u8::try_from(u32::from(c)).unwrap_or(0)]),
            '\u{80}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Escape;

    #[test]
    fn l07_nothing_of_a_program_reaches_the_terminal_as_a_command() {
        for (bytes, expected) in [
            (&b"\x1b[31mred\x1b]0;title\x07\n"[..], "\\x1b[31mred\\x1b]0;title\\x07\n"),
            ("\u{9b}2J \u{202e}evil\u{2066}".as_bytes(), "\\u{9b}2J \\u{202e}evil\\u{2066}"),
            (b"done\rfake\r\n", "done\\x0dfake\\x0d\n"),
            (b"\xff\xfe\0a\tb", "\\xff\\xfe\\x00a\tb"),
            ("grüße 漢字 🚀\n".as_bytes(), "grüße 漢字 🚀\n"),
        ] {
            assert_eq!(Escape::default().push(bytes), expected);
        }
    }

    #[test]
    fn l07_a_character_that_comes_in_pieces_is_whole_and_one_without_end_is_shown() {
        let mut escape = Escape::default();
        let text: String = "漢🚀".bytes().map(|byte| escape.push(&[byte])).collect();
        assert_eq!(text, "漢🚀");
        assert_eq!(escape.push(b"\xe6\xbc"), "");
        assert_eq!(escape.finish(), "\\xe6\\xbc");
        assert_eq!(escape.finish(), "");
    }
}
