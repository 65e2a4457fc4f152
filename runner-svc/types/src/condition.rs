//! What has to be true of the application's files.

use crate::scope::Scope;
use crate::template::Template;

/// A file that has to be there, and what has to be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) file: Template,
    /// How its name ends.
    pub(crate) ends: Option<String>,
    /// A word in it, in lower case; the file's own case does not matter.
    pub(crate) contains: Option<String>,
    /// A place in it, which is JSON (RFC 6901).
    pub(crate) json: Option<Template>,
    /// The file has to be missing, or has to be without all that.
    pub(crate) absent: bool,
}

impl Condition {
    /// Whether it holds. A file whose name depends on what the process does not
    /// have is not there.
    pub(crate) fn holds(&self, scope: &Scope<'_>) -> bool {
        self.is_so(scope) != self.absent
    }

    fn is_so(&self, scope: &Scope<'_>) -> bool {
        let Ok(file) = scope.word(&self.file) else { return false };
        let path = scope.subject.path(&file);
        if file.is_empty() || !scope.files.is_file(&path) {
            return false;
        }
        if self.ends.as_ref().is_some_and(|ends| !path.ends_with(ends.as_str())) {
            return false;
        }
        if self.contains.is_none() && self.json.is_none() {
            return true;
        }
        let Some(text) = scope.files.read(&path) else { return false };
        self.contains.as_ref().is_none_or(|word| has_word(&text, word)) && self.has_place(&text, scope)
    }

    fn has_place(&self, text: &str, scope: &Scope<'_>) -> bool {
        let Some(place) = &self.json else { return true };
        let Ok(pointer) = scope.pointer(place) else { return false };
        serde_json::from_str::<serde_json::Value>(text).is_ok_and(|json| json.pointer(&pointer).is_some())
    }
}

/// `flask` is a word of `Flask==3.1`, and none of `flaskless`.
fn has_word(text: &str, word: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.match_indices(word).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(before) && !joins(after)
    })
}

#[cfg(test)]
mod tests {
    use super::has_word;

    #[test]
    fn a_word_is_found_in_any_case_and_not_as_a_part_of_another() {
        assert!(has_word("Flask==3.1\n", "flask") && has_word("a\nflask", "flask"));
        assert!(!has_word("flaskless\n", "flask") && !has_word("myflask", "flask"));
    }
}
