//! Events of the YAML parser → tree, within bounds. A repeated key or an odd tag
//! is noted and the rest is read on; what leaves no usable tree ends the reading.

use super::report::Report;
use super::scalar::{cut, segment};
use super::tree::{Entry, Node, Position, Scalar, Value};
use crate::spec::Fault;
use granit_parser::{Event, ScalarStyle, Tag};
use std::collections::BTreeMap;

/// Deepest nesting. Our own forms need six.
pub(super) const MAX_DEPTH: usize = 64;

/// Most keys and values, those included that aliases repeat. A thousand
/// processes with every field have half as many.
const MAX_NODES: usize = 200_000;
/// Most bytes of text that anchors and aliases may repeat.
const MAX_REPEATED_BYTES: usize = super::MAX_BYTES;

/// A fault after which nothing more is read.
pub(super) type Fatal = (Position, Fault);

pub(super) fn fatal(at: Position, problem: impl Into<String>, fix: impl Into<String>) -> Fatal {
    (at, Fault::new("document", problem, fix))
}

/// A collection that is not closed yet.
struct Frame {
    at: Position,
    anchor: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, keys: BTreeMap<String, Position>, key: Key },
}

/// Which half of `key: value` comes next.
enum Key {
    Awaited,
    Read(String, Position),
    /// Reported already; its value is read and dropped.
    Refused,
}

/// A tree that is being built.
pub(super) struct Builder<'r> {
    report: &'r mut Report,
    open: Vec<Frame>,
    root: Option<Node>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    repeated: usize,
}

impl<'r> Builder<'r> {
    pub(super) fn new(report: &'r mut Report) -> Self {
        Self { report, open: Vec::new(), root: None, anchors: BTreeMap::new(), nodes: 0, repeated: 0 }
    }

    /// The finished tree.
    pub(super) fn root(self) -> Option<Node> {
        self.root
    }

    /// Takes the next event; `tag_at` is where its tag is, if it has one.
    pub(super) fn take(&mut self, event: Event<'_>, at: Position, tag_at: Position) -> Result<(), Fatal> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                return Err(fatal(at, "a second document begins here", "write one document, or several files"));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let plain = self.tagged(tag.as_deref(), tag_at, plain);
                self.finish(Node { at, value: Value::Scalar(Scalar { text: text.into_owned(), plain }) }, anchor)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tagged(tag.as_deref(), tag_at, true);
                self.open(Frame { at, anchor, content: Content::Sequence(Vec::new()) })?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tagged(tag.as_deref(), tag_at, true);
                let content = Content::Mapping { entries: Vec::new(), keys: BTreeMap::new(), key: Key::Awaited };
                self.open(Frame { at, anchor, content })?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Frame { at, anchor, content }) = self.open.pop() {
                    let value = match content {
                        Content::Sequence(items) => Value::Sequence(items),
                        Content::Mapping { entries, .. } => Value::Mapping(entries),
                    };
                    self.finish(Node { at, value }, anchor)?;
                }
            }
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id).cloned() else {
                    return Err(fatal(at, "the alias is inside the value that it stands for", "write the value out"));
                };
                self.repeat(&node, at)?;
                self.finish(node, 0)?;
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..) => {}
            // Nothing else is asked for in `limits`. The enum may grow, and a value
            // that is passed over would make its neighbours mean something else.
            Event::UnresolvedAlias(..) | _ => {
                return Err(fatal(at, "it uses YAML that is not known here", "write it in a plainer way"));
            }
        }
        Ok(())
    }

    /// Whether a scalar with this tag is read as plain.
    fn tagged(&mut self, tag: Option<&Tag>, at: Position, plain: bool) -> bool {
        let Some(tag) = tag else { return plain };
        match tag.core_suffix() {
            Some("str") => false,
            Some("null" | "bool" | "int" | "float" | "seq" | "map") => true,
            Some(_) | None if tag.original() == "!" => false,
            Some(_) | None => {
                let problem = format!("the tag {} means nothing here", cut(&tag.original()));
                let fault = Fault::new(self.path(None), problem, "leave it out");
                self.report.fault(at, fault);
                plain
            }
        }
    }

    fn open(&mut self, frame: Frame) -> Result<(), Fatal> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(frame.at));
        }
        self.open.push(frame);
        Ok(())
    }

    /// Accounts for a copy of `node`.
    fn repeat(&mut self, node: &Node, at: Position) -> Result<(), Fatal> {
        let size = node.measure();
        self.nodes += size.nodes;
        self.repeated += size.bytes;
        if self.open.len() + size.depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        if self.repeated > MAX_REPEATED_BYTES {
            let problem = format!("aliases expand to more than {MAX_REPEATED_BYTES} bytes");
            return Err(fatal(at, problem, "write fewer aliases"));
        }
        self.bounded(at)
    }

    fn bounded(&self, at: Position) -> Result<(), Fatal> {
        if self.nodes > MAX_NODES {
            let problem = format!("it has more than {MAX_NODES} keys and values, aliases expanded");
            return Err(fatal(at, problem, "split it into several files"));
        }
        Ok(())
    }

    /// Puts a complete value where it belongs.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Fatal> {
        self.nodes += 1;
        self.bounded(node.at)?;
        if anchor != 0 {
            self.repeat(&node, node.at)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping { entries, key, .. } => match std::mem::replace(key, Key::Awaited) {
                Key::Read(key, key_at) => entries.push(Entry { key, key_at, value: node }),
                Key::Refused => {}
                Key::Awaited => {
                    let read = self.key(node);
                    if let Some(Frame { content: Content::Mapping { key, .. }, .. }) = self.open.last_mut() {
                        *key = read;
                    }
                }
            },
        }
        Ok(())
    }

    fn key(&mut self, node: Node) -> Key {
        let Value::Scalar(Scalar { text, plain }) = node.value else {
            let fault = Fault::new(self.path(None), "a key is no text", "write a text before the colon");
            self.report.fault(node.at, fault);
            return Key::Refused;
        };
        if plain && text == "<<" {
            let fix = "write the fields out, or give whole values by alias";
            let fault = Fault::new(self.path(Some("<<")), "merge keys are no part of YAML 1.2", fix);
            self.report.fault(node.at, fault);
            return Key::Refused;
        }
        let Some(Frame { content: Content::Mapping { keys, .. }, .. }) = self.open.last_mut() else {
            return Key::Refused;
        };
        if let Some(first) = keys.get(&text) {
            let problem = format!("it is given twice, first at {}:{}", first.line, first.column);
            let fault = Fault::new(self.path(Some(&text)), problem, "keep one");
            self.report.fault(node.at, fault);
            return Key::Refused;
        }
        keys.insert(text.clone(), node.at);
        Key::Read(text, node.at)
    }

    /// The path of the open collection, or of `key` in it.
    fn path(&self, key: Option<&str>) -> String {
        let mut path = String::new();
        for frame in &self.open {
            match &frame.content {
                Content::Sequence(items) => path.push_str(&format!("[{}]", items.len())),
                Content::Mapping { key: Key::Read(key, _), .. } => join(&mut path, key),
                Content::Mapping { key: Key::Awaited | Key::Refused, .. } => {}
            }
        }
        if let Some(key) = key {
            join(&mut path, key);
        }
        if path.is_empty() { "document".to_owned() } else { path }
    }
}

fn join(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(&segment(key));
}

pub(super) fn too_deep(at: Position) -> Fatal {
    fatal(at, format!("it is nested deeper than {MAX_DEPTH}"), "write it flatter")
}
