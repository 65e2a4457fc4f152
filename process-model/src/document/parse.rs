//! Text → tree. JSON is read by the same parser: YAML 1.2 is a superset of it.
//!
//! Bounded in size (by `text`), depth, number of values and what aliases may
//! expand to, so that no input costs more than a small multiple of its length.
//! Broken YAML ends the reading; a repeated key or an odd tag is noted and the
//! rest is read on.

use super::builder::{self, Builder, Fatal, fatal, too_deep};
use super::report::Report;
use super::tree::{Node, Position};
use crate::spec::Fault;
use granit_parser::{ErrorKind, Marker, Options, Parser, ScanError, options};

/// The root of the one document in `text`; `None` after a fault that leaves no
/// tree.
pub(super) fn parse(text: &str, report: &mut Report) -> Option<Node> {
    let mut builder = Builder::new(report);
    for event in Parser::new_from_str_with_options(text, limits()) {
        let taken = match event {
            Ok((event, span)) => {
                let tag_at = span.tag_start().unwrap_or(span.start);
                builder.take(event, place(&span.start), place(&tag_at))
            }
            Err(error) => Err(broken(&error)),
        };
        if let Err((at, fault)) = taken {
            report.fault(at, fault);
            return None;
        }
    }
    let root = builder.root().filter(|root| !root.is_null());
    if root.is_none() {
        report.fault(
            Position::default(),
            Fault::new("document", "it is empty", "write processes: and at least one process"),
        );
    }
    root
}

fn limits() -> Options {
    let mut limits = options! { flow_nesting_limit: builder::MAX_DEPTH, block_nesting_limit: builder::MAX_DEPTH };
    limits.set_emit_comments(false);
    limits
}

fn place(mark: &Marker) -> Position {
    Position { line: mark.line(), column: mark.col() + 1 }
}

/// The parser's error, with what to do about the usual ones.
#[expect(clippy::wildcard_enum_match_arm, reason = "sixty more ways to break YAML, which the parser words well enough")]
fn broken(error: &ScanError) -> Fatal {
    let at = place(error.marker());
    let fix = match error.kind() {
        ErrorKind::RecursionLimitExceeded => return too_deep(at),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => "indent with spaces",
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => {
            "close the quotes, or indent the further lines of the text"
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::MismatchedFlowCollectionEnd { .. }
        | ErrorKind::UnexpectedEofFlowMapping => "close the bracket",
        ErrorKind::UnknownAnchor => "define the anchor with & before it is used, or put the text in quotes",
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            "indent it as its neighbours, and put a text that contains a colon in quotes"
        }
        ErrorKind::UnexpectedCharacter { character } if !(' '..='~').contains(character) => {
            let code = u32::from(*character);
            return fatal(at, format!("character U+{code:04X} is not allowed in YAML"), escape(*character));
        }
        ErrorKind::UnexpectedCharacter { .. } => "put a text that begins with this character in quotes",
        _ => "mend the YAML at or before this place",
    };
    fatal(at, format!("broken YAML: {}", error.info()), fix)
}

/// How a character that must not stand in the file itself is written.
fn escape(c: char) -> String {
    format!("leave it out, or write it as \"\\U{:08x}\" in double quotes", u32::from(c)).replace("\\U0000", "\\u")
}
