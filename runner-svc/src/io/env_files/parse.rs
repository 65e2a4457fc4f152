//! Lines of `NAME=VALUE`: bytes in, variables out, or the first fault with its
//! place. Pure.
//!
//! ```text
//! # a comment                      ; so is this
//! export NAME=value   # a comment after white space
//! SINGLE='as it is, also
//!          over lines'
//! DOUBLE="\" \\ \$ \` and \n \r \t mean what they say"
//! ```
//! Nothing is expanded: `$` stands for itself.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// What is wrong, and where; the value is never part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {problem}")]
pub(super) struct EnvFileError {
    line: usize,
    column: usize,
    problem: &'static str,
}

/// All variables of a file; the last of a name wins.
pub(super) fn parse(bytes: &[u8]) -> Result<BTreeMap<String, String>, EnvFileError> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let good = String::from_utf8_lossy(bytes.get(..e.valid_up_to()).unwrap_or_default());
        let (line, column) = end_of(&good);
        EnvFileError { line, column, problem: "it is not UTF-8" }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { chars: text.chars().peekable(), line: 1, column: 1 };
    let mut env = BTreeMap::new();
    while reader.chars.peek().is_some() {
        if let Some((name, value)) = reader.entry()? {
            env.insert(name, value);
        }
    }
    Ok(env)
}

fn end_of(text: &str) -> (usize, usize) {
    let line = text.matches('\n').count() + 1;
    (line, text.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1)
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
    column: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        if c == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn fault(&self, problem: &'static str) -> EnvFileError {
        EnvFileError { line: self.line, column: self.column, problem }
    }

    fn blanks(&mut self) {
        while self.chars.peek().is_some_and(|c| *c == ' ' || *c == '\t' || *c == '\r') {
            self.next();
        }
    }

    fn rest_of_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    /// One line, or one variable that goes over several.
    fn entry(&mut self) -> Result<Option<(String, String)>, EnvFileError> {
        self.blanks();
        match self.chars.peek() {
            None => return Ok(None),
            Some('\n' | '#' | ';') => {
                self.rest_of_line();
                return Ok(None);
            }
            Some(_) => {}
        }
        let mut at = (self.line, self.column);
        let mut name = self.name();
        if name == "export" && self.chars.peek().is_some_and(|c| *c == ' ' || *c == '\t') {
            self.blanks();
            at = (self.line, self.column);
            name = self.name();
        }
        let at_name = |problem| EnvFileError { line: at.0, column: at.1, problem };
        if name.is_empty() {
            return Err(at_name("there is no name before ="));
        }
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(at_name("a name cannot begin with a digit"));
        }
        if name.starts_with("PM_") {
            return Err(at_name("names that begin with PM_ are the manager's own; choose another"));
        }
        match self.chars.peek() {
            Some('=') => self.next(),
            Some(' ' | '\t') => return Err(self.fault("no space may stand before =")),
            Some('\n' | '\r') | None => return Err(self.fault("there is no =; write NAME=VALUE")),
            Some(_) => return Err(self.fault("this cannot be in a name; use letters, digits, _, - and .")),
        };
        Ok(Some((name, self.value()?)))
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.chars.peek().copied().filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)) {
            name.push(c);
            self.next();
        }
        name
    }

    fn value(&mut self) -> Result<String, EnvFileError> {
        self.blanks();
        let value = match self.chars.peek() {
            Some('\'') => self.quoted('\'')?,
            Some('"') => self.quoted('"')?,
            Some(_) | None => return self.plain(),
        };
        self.blanks();
        match self.chars.peek() {
            Some('#' | '\n') => self.rest_of_line(),
            None => {}
            Some(_) => return Err(self.fault("only a comment may follow the closing quote")),
        }
        Ok(value)
    }

    fn quoted(&mut self, quote: char) -> Result<String, EnvFileError> {
        let open = self.fault("this quote is not closed");
        self.next();
        let mut value = String::new();
        loop {
            let nul = self.fault("a NUL character cannot be in a value");
            match self.next().ok_or_else(|| open.clone())? {
                c if c == quote => return Ok(value),
                '\0' => return Err(nul),
                '\\' if quote == '"' => match self.next().ok_or_else(|| open.clone())? {
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    't' => value.push('\t'),
                    c @ ('"' | '\\' | '$' | '`') => value.push(c),
                    // A line that goes on, as in a shell.
                    '\n' => {}
                    '\0' => return Err(nul),
                    c => value.extend(['\\', c]),
                },
                c => value.push(c),
            }
        }
    }

    /// Without quotes: to the end of the line, or to a comment after white
    /// space.
    fn plain(&mut self) -> Result<String, EnvFileError> {
        let mut value = String::new();
        loop {
            match self.chars.peek() {
                None | Some('\n') => break,
                Some('#') if value.is_empty() || value.ends_with([' ', '\t']) => break,
                Some('\0') => return Err(self.fault("a NUL character cannot be in a value")),
                Some(c) => {
                    value.push(*c);
                    self.next();
                }
            }
        }
        self.rest_of_line();
        value.truncate(value.trim_end_matches([' ', '\t', '\r']).len());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<(String, String)> {
        parse(text.as_bytes()).unwrap().into_iter().collect()
    }

    fn one(text: &str) -> String {
        let [(name, value)] = &read(text)[..] else { panic!("{text:?}") };
        assert_eq!(name, "A");
        value.clone()
    }

    #[test]
    fn values_are_read_as_they_are_written() {
        for (text, value) in [
            ("A=1", "1"),
            ("export A=1", "1"),
            ("  A=  b c  ", "b c"),
            ("A=", ""),
            ("A=\r\n", ""),
            ("A=x\r\n", "x"),
            ("A=x # comment", "x"),
            ("A=x#y", "x#y"),
            ("A=# comment", ""),
            ("A=$HOME/${x}", "$HOME/${x}"),
            ("A=a=b", "a=b"),
            ("A='x # y' # z", "x # y"),
            ("A='a\nb\\n'", "a\nb\\n"),
            (r#"A="a\nb\t\"\\\$\`\x""#, "a\nb\t\"\\$`\\x"),
            ("A=\"a\\\nb\"", "ab"),
            ("A=it's", "it's"),
            ("\u{feff}A=1", "1"),
            ("A=0\nA=1", "1"),
            ("A=ä€😀", "ä€😀"),
        ] {
            assert_eq!(one(text), value, "{text:?}");
        }
        assert_eq!(read("# a\n; b\n\n   \n\t# c\n"), []);
        assert_eq!(read("export=1"), [("export".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn a_fault_says_where_it_is() {
        for (text, place) in [
            ("A=1\nB", "2:2: there is no ="),
            ("A =1", "1:2: no space"),
            ("=1", "1:1: there is no name"),
            ("export =1", "1:8: there is no name"),
            ("  A?=1", "1:4: this cannot be in a name"),
            ("1A=1", "1:1: a name cannot begin with a digit"),
            ("PM_NODE=x", "1:1: names that begin with PM_"),
            ("A='x\ny", "1:3: this quote is not closed"),
            ("A=\"x\\", "1:3: this quote is not closed"),
            ("A='x' y", "1:7: only a comment"),
            ("A=a\0", "1:4: a NUL"),
            ("A='a\0'", "1:5: a NUL"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(place), "{text:?}: {error}");
        }
        let error = parse(b"A=1\nB=\xff").unwrap_err().to_string();
        assert_eq!(error, "2:3: it is not UTF-8");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(env) = parse(&bytes) {
                for (name, value) in env {
                    prop_assert!(!name.is_empty() && !name.contains(['=', '\0']));
                    prop_assert!(!value.contains('\0'));
                }
            }
        }

        #[test]
        fn a_value_in_quotes_reads_back(value in "[^\0]{0,40}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            prop_assert_eq!(one(&format!("A=\"{escaped}\" # x")), value.clone());
            if !value.contains('\'') {
                prop_assert_eq!(one(&format!("A='{value}'")), value);
            }
        }
    }
}
