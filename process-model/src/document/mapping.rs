//! A map of the document, opened as a group of the field table: unknown fields
//! are reported on opening, each known one is read by its shape.

use super::duration;
use super::field::{Field, Group, Preset, Shape};
use super::report::Report;
use super::scalar::{self, Wrong};
use super::size;
use super::suggest::suggest;
use super::tree::{Entry, Node, Position, Value};
use crate::spec::Fault;
use std::collections::BTreeMap;
use std::time::Duration;

/// An opened map.
pub(super) struct Mapping<'t> {
    group: &'static Group,
    entries: &'t [Entry],
    /// Its path from the root; empty for the root.
    pub(super) path: String,
    /// Where to say what is missing in it.
    pub(super) at: Position,
}

impl<'t> Mapping<'t> {
    /// Opens `node`. Null is a map without entries; anything else but a map is
    /// a fault.
    pub(super) fn open(
        group: &'static Group,
        node: &'t Node,
        path: String,
        at: Position,
        report: &mut Report,
    ) -> Option<Self> {
        let entries = match &node.value {
            Value::Mapping(entries) => entries.as_slice(),
            Value::Scalar(scalar) if scalar.is_null() => &[],
            Value::Scalar(_) | Value::Sequence(_) => {
                let fix = format!("write a map of {}", group.names().join(", "));
                report.fault(node.at, located(&path, Wrong::found(node, fix)));
                return None;
            }
        };
        let opened = Self { group, entries, path, at };
        opened.check_names(report);
        opened.check_needs(report);
        Some(opened)
    }

    /// Fields that mean nothing without another.
    fn check_needs(&self, report: &mut Report) {
        for (name, other) in self.group.needs {
            if let (Some(entry), None) = (self.entry(name), self.entry(other)) {
                let fix = format!("write {other} too, or leave it out");
                let fault = Fault::new(self.field(name), format!("it goes with {other} only"), fix);
                report.fault(entry.key_at, fault);
            }
        }
    }

    fn check_names(&self, report: &mut Report) {
        for entry in self.entries.iter().filter(|entry| self.group.field(&entry.key).is_none()) {
            let names = self.group.names();
            let parents = self.holders(&entry.key);
            let fix = if report.is_full() {
                String::new()
            } else if !parents.is_empty() {
                format!("write it inside {}", parents.join(" or "))
            } else if let Some(meant) = suggest(&entry.key, &names) {
                format!("did you mean {meant}?")
            } else {
                format!("write one of {}", names.join(", "))
            };
            let problem = format!("it is no field of {}", self.group.noun);
            report.fault(entry.key_at, Fault::new(self.field(&scalar::segment(&entry.key)), problem, fix));
        }
    }

    /// The groups inside this one that have a field of this name.
    fn holders(&self, name: &str) -> Vec<&'static str> {
        let holds = |field: &&Field| field.shape.group().is_some_and(|group| group.field(name).is_some());
        self.group.fields().filter(holds).map(|field| field.name).collect()
    }

    /// The path of a field in this map.
    pub(super) fn field(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The entry of this name, unless it is null.
    pub(super) fn entry(&self, name: &str) -> Option<&'t Entry> {
        self.entries.iter().find(|entry| entry.key == name && !entry.value.is_null())
    }

    /// The fields of which it has to have one.
    pub(super) fn choice(&self) -> &'static [&'static str] {
        self.group.choice.names()
    }

    /// The entries, known or not.
    pub(super) fn entries(&self) -> &'t [Entry] {
        self.entries
    }

    /// The entry of a field; a fault if it has to be there and is not.
    pub(super) fn wanted(&self, name: &str, report: &mut Report) -> Option<&'t Entry> {
        let entry = self.entry(name);
        let field = self.group.field(name);
        if entry.is_none()
            && field.is_some_and(|field| matches!(field.default, Preset::Required))
            && !self.is_misspelt(name)
        {
            let example = field.map(|field| field.example).unwrap_or_default();
            let fix = format!("write {name}, as {name}: {example}");
            report.fault(self.at, Fault::new(self.field(name), "it is missing", fix));
        }
        entry
    }

    /// Whether an unknown field was probably meant to be `name`; it is reported
    /// as that, and one mistake is one fault.
    fn is_misspelt(&self, name: &str) -> bool {
        let names = self.group.names();
        let unknown = |entry: &&Entry| !names.contains(&entry.key.as_str());
        // A few are enough: this only saves a second message.
        self.entries.iter().filter(unknown).take(20).any(|entry| suggest(&entry.key, &names) == Some(name))
    }

    /// Reads the field with `read`; what is wrong goes to the report.
    pub(super) fn read<T>(
        &self,
        name: &str,
        report: &mut Report,
        read: impl FnOnce(&'t Node) -> Result<T, Wrong>,
    ) -> Option<T> {
        let entry = self.wanted(name, report)?;
        self.taken(name, entry.value.at, read(&entry.value), report)
    }

    fn taken<T>(&self, name: &str, at: Position, read: Result<T, Wrong>, report: &mut Report) -> Option<T> {
        read.map_err(|wrong| report.fault(at, located(&self.field(name), wrong))).ok()
    }

    pub(super) fn text(&self, name: &str, report: &mut Report) -> Option<&'t str> {
        self.read(name, report, scalar::text)
    }

    pub(super) fn literal(&self, name: &str, report: &mut Report) -> Option<&'t str> {
        self.read(name, report, scalar::literal)
    }

    pub(super) fn flag(&self, name: &str, report: &mut Report) -> Option<bool> {
        self.read(name, report, scalar::flag)
    }

    pub(super) fn integer(&self, name: &str, report: &mut Report) -> Option<u32> {
        let Shape::Integer(range) = &self.group.field(name)?.shape else { return None };
        self.read(name, report, |node| scalar::integer(node, range))
    }

    pub(super) fn number(&self, name: &str, report: &mut Report) -> Option<f64> {
        let Shape::Number(range) = &self.group.field(name)?.shape else { return None };
        self.read(name, report, |node| scalar::number(node, range))
    }

    pub(super) fn duration(&self, name: &str, report: &mut Report) -> Option<Duration> {
        let Shape::Duration(range) = &self.group.field(name)?.shape else { return None };
        self.read(name, report, |node| duration::read(node, range))
    }

    pub(super) fn signed(&self, name: &str, report: &mut Report) -> Option<i64> {
        let Shape::Signed(range) = &self.group.field(name)?.shape else { return None };
        self.read(name, report, |node| scalar::whole(node, range))
    }

    pub(super) fn size(&self, name: &str, report: &mut Report) -> Option<u64> {
        let Shape::Size(range) = &self.group.field(name)?.shape else { return None };
        self.read(name, report, |node| size::read(node, range))
    }

    /// Texts by name. An entry that is null is absent.
    pub(super) fn text_map(&self, name: &str, report: &mut Report) -> BTreeMap<String, String> {
        let Some(entry) = self.wanted(name, report) else { return BTreeMap::new() };
        let Value::Mapping(entries) = &entry.value.value else {
            let wrong = Wrong::found(&entry.value, "write a map, as NAME: text");
            report.fault(entry.value.at, located(&self.field(name), wrong));
            return BTreeMap::new();
        };
        let mut texts = BTreeMap::new();
        for Entry { key, value, .. } in entries.iter().filter(|entry| !entry.value.is_null()) {
            let field = format!("{name}.{}", scalar::segment(key));
            if let Some(text) = self.taken(&field, value.at, scalar::literal(value), report) {
                texts.insert(key.clone(), text.to_owned());
            }
        }
        texts
    }

    /// The map of a field that is a group.
    pub(super) fn group(&self, name: &str, report: &mut Report) -> Option<Mapping<'t>> {
        let group = self.group.field(name)?.shape.group()?;
        let entry = self.wanted(name, report)?;
        Mapping::open(group, &entry.value, self.field(name), entry.key_at, report)
    }
}

/// `wrong` as a fault of `field`.
pub(super) fn located(field: &str, wrong: Wrong) -> Fault {
    let field = if field.is_empty() { "document" } else { field };
    Fault::new(field, wrong.problem, wrong.fix)
}
