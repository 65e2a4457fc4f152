//! A word with `{{placeholders}}`: text → pieces.

use crate::placeholder::{Names, Place, Placeholder};

/// A word with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) pieces: Vec<Piece>,
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

impl Template {
    /// Reads a word; the error says what is wrong with it.
    pub(crate) fn read(text: &str, place: Place, names: &Names) -> Result<Self, String> {
        if text.contains('\0') {
            return Err("it contains a NUL character; leave it out".to_owned());
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, opened)) = rest.split_once("{{") {
            let Some((name, after)) = opened.split_once("}}") else {
                return Err("{{ is not closed; write }} after the name".to_owned());
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Placeholder(names.placeholder(name.trim(), place)?));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        let template = Self { pieces };
        if template.pieces.len() > 1 && template.placeholders().any(Placeholder::is_many) {
            return Err(format!("{text:?} joins many words to one; give {{{{…}}}} an item of its own"));
        }
        Ok(template)
    }

    /// The placeholders in it.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder(placeholder) => Some(placeholder),
            Piece::Text(_) => None,
        })
    }

    /// The placeholder that stands for many words, which is then alone.
    pub(crate) fn many(&self) -> Option<&Placeholder> {
        self.placeholders().find(|placeholder| placeholder.is_many())
    }
}
