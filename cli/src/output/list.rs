//! Items as a table, or as a document. A list is an object (`items`, and the
//! revision that it reflects), so that it can grow; an item is the canonical
//! JSON of its message.

use super::{Format, Terminal, Tone};
use crate::error::Failure;
use comfy_table::{Attribute, CellAlignment, ContentArrangement, Table, presets};
use pm_proto::json::JsonError;
use serde_json::{Value, json};

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    title: &'static str,
    right: bool,
    wide: bool,
}

impl Column {
    /// A column of text.
    #[must_use]
    pub const fn text(title: &'static str) -> Self {
        Self { title, right: false, wide: false }
    }

    /// A column of numbers.
    #[must_use]
    pub const fn number(title: &'static str) -> Self {
        Self { title, right: true, wide: false }
    }

    /// Shown by `-o wide` only.
    #[must_use]
    pub const fn wide(mut self) -> Self {
        self.wide = true;
        self
    }
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell in a tone.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }

    /// A plain cell.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::new(Tone::Plain, text)
    }

    /// The same text in this tone.
    #[must_use]
    pub fn toned(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// A cell, or a dash where there is nothing to show.
    #[must_use]
    pub fn optional(text: Option<String>) -> Self {
        text.map_or_else(|| Self::new(Tone::Dim, "-"), Self::plain)
    }
}

/// What can be listed.
pub trait Listed {
    /// The table's columns.
    const COLUMNS: &'static [Column];
    /// One cell for each column. `wide`: texts in full.
    fn cells(&self, wide: bool) -> Vec<Cell>;
    /// `KIND/NAME`.
    fn name(&self) -> String;
    /// Its JSON.
    ///
    /// # Errors
    /// It holds what JSON cannot express.
    fn value(&self) -> Result<Value, JsonError>;
}

/// Prints items in the wanted form.
///
/// # Errors
/// They cannot be written.
pub fn list<T: Listed>(terminal: &Terminal, format: Format, items: &[T], revision: Option<u64>) -> Result<(), Failure> {
    match format {
        Format::Table | Format::Wide => terminal.line(table(terminal, format == Format::Wide, items)),
        Format::Name => items.iter().try_for_each(|item| terminal.line(item.name())),
        Format::Jsonl => items.iter().try_for_each(|item| terminal.line(item.value()?)),
        Format::Json | Format::Yaml => {
            let items = items.iter().map(Listed::value).collect::<Result<Vec<_>, _>>()?;
            let mut object = json!({ "items": items });
            if let (Some(revision), Some(fields)) = (revision, object.as_object_mut()) {
                // 64-bit numbers are strings in canonical JSON.
                fields.insert("revision".to_owned(), json!(revision.to_string()));
            }
            document(terminal, format, &object)
        }
    }
}

/// Prints one document in a machine format; the formats for people get JSON.
///
/// # Errors
/// It cannot be written.
pub fn document(terminal: &Terminal, format: Format, value: &Value) -> Result<(), Failure> {
    match format {
        Format::Yaml => {
            let text = serde_saphyr::to_string(value)
                .map_err(|e| Failure::failed(format!("cannot write the answer as YAML: {e}")))?;
            terminal.line(text.trim_end())
        }
        Format::Jsonl => terminal.line(value),
        Format::Json | Format::Table | Format::Wide | Format::Name => terminal.line(format_args!("{value:#}")),
    }
}

fn table<T: Listed>(terminal: &Terminal, wide: bool, items: &[T]) -> String {
    let shown = |column: &Column| wide || !column.wide;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    if terminal.out.is_on() {
        table.enforce_styling();
    }
    let align = |right: bool| if right { CellAlignment::Right } else { CellAlignment::Left };
    table.set_header(T::COLUMNS.iter().filter(|c| shown(c)).map(|column| {
        comfy_table::Cell::new(column.title).set_alignment(align(column.right)).add_attribute(Attribute::Bold)
    }));
    for item in items {
        let cells = item.cells(wide).into_iter().zip(T::COLUMNS).filter(|(_, column)| shown(column));
        table.add_row(cells.map(|(cell, column)| {
            let colour = cell.tone.table_colour();
            let cell = comfy_table::Cell::new_owned(cell.text).set_alignment(align(column.right));
            match colour {
                Some(colour) => cell.fg(colour),
                None => cell,
            }
        }));
    }
    let columns = table.column_count();
    for (index, column) in table.column_iter_mut().enumerate() {
        // Two spaces between columns, none at the edges.
        column.set_padding((0, if index + 1 == columns { 0 } else { 2 }));
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::ColourWish;

    struct Thing(&'static str, u32);

    impl Listed for Thing {
        const COLUMNS: &'static [Column] = &[Column::text("NAME"), Column::number("SIZE"), Column::text("MORE").wide()];
        fn cells(&self, _: bool) -> Vec<Cell> {
            vec![Cell::new(Tone::Good, self.0), Cell::plain(self.1.to_string()), Cell::optional(None)]
        }
        fn name(&self) -> String {
            format!("thing/{}", self.0)
        }
        fn value(&self) -> Result<Value, JsonError> {
            Ok(json!({ "name": self.0 }))
        }
    }

    fn terminal(forced: bool) -> Terminal {
        Terminal::new(&ColourWish { forced, no_color: !forced, ..ColourWish::default() }, false)
    }

    #[test]
    fn a_table_aligns_numbers_right_and_hides_wide_columns() {
        let items = [Thing("a", 5), Thing("longer", 1234)];
        assert_eq!(table(&terminal(false), false, &items), "NAME    SIZE\na          5\nlonger  1234");
        assert!(table(&terminal(false), true, &items).starts_with("NAME    SIZE  MORE"));
    }

    #[test]
    fn colour_is_in_the_table_only_when_it_is_wanted() {
        assert!(table(&terminal(true), false, &[Thing("a", 5)]).contains('\u{1b}'));
        assert!(!table(&terminal(false), false, &[Thing("a", 5)]).contains('\u{1b}'));
    }
}
