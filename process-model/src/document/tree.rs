//! A document as a tree in which each value knows its place.

/// A place in the file. Ordered as the file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// Line, from 1.
    pub(super) line: usize,
    /// Column in characters, from 1.
    pub(super) column: usize,
}

impl Default for Position {
    fn default() -> Self {
        Self { line: 1, column: 1 }
    }
}

/// A value and its place. What an alias stands for keeps the place of its
/// anchor: that is where it is to be mended.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) value: Value,
}

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A scalar; what it means depends on what is expected of it.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Written without quotes, so that it may be a number, a boolean or null.
    pub(super) plain: bool,
}

/// One `key: value`.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Position,
    pub(super) value: Node,
}

impl Node {
    /// Whether it is null, which means the same as absent everywhere.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// Number of values in it, itself included, their bytes of text, and the
    /// depth of its nesting.
    pub(super) fn measure(&self) -> Size {
        let mut size = Size { nodes: 1, bytes: 0, depth: 1 };
        match &self.value {
            Value::Scalar(scalar) => size.bytes = scalar.text.len(),
            Value::Sequence(items) => items.iter().for_each(|item| size.add(item.measure())),
            Value::Mapping(entries) => entries.iter().for_each(|entry| {
                size.bytes += entry.key.len();
                size.add(entry.value.measure());
            }),
        }
        size
    }
}

/// How much a value is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) nodes: usize,
    pub(super) bytes: usize,
    pub(super) depth: usize,
}

impl Size {
    fn add(&mut self, inner: Self) {
        self.nodes += inner.nodes;
        self.bytes += inner.bytes;
        self.depth = self.depth.max(inner.depth + 1);
    }
}
