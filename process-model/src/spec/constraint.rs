//! What a node has to be: one condition on one of its attributes, as a text in
//! a process file.

use super::pattern;
use crate::ProcessName;
use regex::bytes::Regex;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Attributes that a node says of itself; a label never begins with `node.`.
pub const NODE_ATTRIBUTES: [&str; 7] =
    ["node.name", "node.cpus", "node.memory", "node.arch", "node.os", "node.kernel", "node.runner_version"];

/// A condition on one attribute of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Constraint {
    /// A label by its name, or one of [`NODE_ATTRIBUTES`].
    pub attribute: String,
    /// What has to be so of its value.
    pub operator: Operator,
    /// What it is compared with: one value, or some for `in` and `not in`.
    pub values: Vec<String>,
}

/// How an attribute is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// It is there and the same.
    Equal,
    /// It is another, or not there.
    NotEqual,
    /// It is one of the values.
    In,
    /// It is none of the values, or not there.
    NotIn,
    /// The regular expression is found anywhere in it.
    Regexp,
    /// As a version it is within all of the bounds, as `>= 5.15, < 6`.
    Version,
}

impl Operator {
    /// All.
    pub const ALL: [Self; 6] = [Self::Equal, Self::NotEqual, Self::In, Self::NotIn, Self::Regexp, Self::Version];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::Regexp => "regexp",
            Self::Version => "version",
        }
    }

    fn is_list(self) -> bool {
        match self {
            Self::In | Self::NotIn => true,
            Self::Equal | Self::NotEqual | Self::Regexp | Self::Version => false,
        }
    }
}

/// Why a text is no constraint, or a constraint cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct InvalidConstraint {
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub fix: String,
}

const FORM: &str = "write ATTRIBUTE, one of =, !=, in, not in, regexp, version, and a value, as \"zone in eu-1, eu-2\"";

fn wrong(problem: impl Into<String>, fix: impl Into<String>) -> InvalidConstraint {
    InvalidConstraint { problem: problem.into(), fix: fix.into() }
}

impl FromStr for Constraint {
    type Err = InvalidConstraint;

    fn from_str(text: &str) -> Result<Self, InvalidConstraint> {
        let text = text.trim();
        // `zone=eu` is as clear as `zone = eu`.
        let end = text.find(|c: char| c.is_whitespace() || c == '=' || c == '!').unwrap_or(text.len());
        let (attribute, rest) = text.split_at(end);
        let rest = rest.trim_start();
        let taken = |sign: &str| rest.strip_prefix(sign);
        let word = |word: &str| taken(word).filter(|rest| rest.starts_with(char::is_whitespace));
        let (operator, rest) = (taken("==").or_else(|| taken("=")).map(|rest| (Operator::Equal, rest)))
            .or_else(|| taken("!=").map(|rest| (Operator::NotEqual, rest)))
            .or_else(|| word("in").map(|rest| (Operator::In, rest)))
            .or_else(|| word("not in").map(|rest| (Operator::NotIn, rest)))
            .or_else(|| word("regexp").map(|rest| (Operator::Regexp, rest)))
            .or_else(|| word("version").map(|rest| (Operator::Version, rest)))
            .ok_or_else(|| wrong(format!("{text:?} is no constraint"), FORM))?;
        let rest = rest.trim();
        let values = match operator.is_list() {
            true => rest.split(',').map(|value| value.trim().to_owned()).collect(),
            false => vec![rest.to_owned()],
        };
        let constraint = Self { attribute: attribute.to_owned(), operator, values };
        constraint.matcher().map(|_| constraint)
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.attribute, self.operator.as_str(), self.values.join(", "))
    }
}

impl Constraint {
    /// The constraint, ready to be asked often.
    ///
    /// # Errors
    /// It can hold of no node: the attribute is no name, a value is missing, a
    /// pattern or a version cannot be read.
    pub fn matcher(&self) -> Result<Matcher, InvalidConstraint> {
        check_attribute(&self.attribute)?;
        let [first, rest @ ..] = self.values.as_slice() else { return Err(wrong("it has no value", FORM)) };
        if self.values.iter().any(String::is_empty) {
            return Err(wrong("a value is empty", FORM));
        }
        if !rest.is_empty() && !self.operator.is_list() {
            return Err(wrong("it has several values", format!("write one after {}", self.operator.as_str())));
        }
        let ask = match self.operator {
            Operator::Equal | Operator::In => Ask::OneOf(self.values.clone()),
            Operator::NotEqual | Operator::NotIn => Ask::NoneOf(self.values.clone()),
            Operator::Regexp => Ask::Found(pattern::compile(first).map_err(|problem| {
                wrong(format!("it is no regular expression: {problem}"), "write one as the Rust crate regex reads it")
            })?),
            Operator::Version => Ask::Within(bounds(first)?),
        };
        Ok(Matcher { ask })
    }
}

fn check_attribute(name: &str) -> Result<(), InvalidConstraint> {
    if name.starts_with("node.") && !NODE_ATTRIBUTES.contains(&name) {
        let fix = format!("write a label, or one of {}", NODE_ATTRIBUTES.join(", "));
        return Err(wrong(format!("{name} is no attribute of a node"), fix));
    }
    // Labels are named as processes are, so that both are written without quotes everywhere.
    match name.parse::<ProcessName>() {
        Ok(_) => Ok(()),
        Err(error) => Err(wrong(format!("{name:?} is no attribute: {}", error.fault), FORM)),
    }
}

/// A constraint that is asked often.
#[derive(Debug, Clone)]
pub struct Matcher {
    ask: Ask,
}

#[derive(Debug, Clone)]
enum Ask {
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
    Found(Regex),
    Within(Vec<Bound>),
}

impl Matcher {
    /// Whether it holds of a node whose attribute has this value; `None`: it
    /// has no such attribute.
    #[must_use]
    pub fn holds(&self, value: Option<&str>) -> bool {
        match (&self.ask, value) {
            (Ask::OneOf(values), Some(value)) => values.iter().any(|one| one == value),
            (Ask::NoneOf(values), Some(value)) => !values.iter().any(|one| one == value),
            (Ask::Found(pattern), Some(value)) => pattern.is_match(value.as_bytes()),
            (Ask::Within(bounds), Some(value)) => {
                numbers(value).is_some_and(|version| bounds.iter().all(|bound| bound.holds(&version)))
            }
            (Ask::NoneOf(_), None) => true,
            (Ask::OneOf(_) | Ask::Found(_) | Ask::Within(_), None) => false,
        }
    }
}

#[derive(Debug, Clone)]
struct Bound {
    sign: &'static str,
    version: Vec<u64>,
}

impl Bound {
    fn holds(&self, version: &[u64]) -> bool {
        let order = compare(version, &self.version);
        match self.sign {
            ">=" => order != Ordering::Less,
            "<=" => order != Ordering::Greater,
            ">" => order == Ordering::Greater,
            "<" => order == Ordering::Less,
            "!=" => order != Ordering::Equal,
            _ => order == Ordering::Equal,
        }
    }
}

/// `>= 5.15, < 6`; a version alone has to be met exactly.
fn bounds(text: &str) -> Result<Vec<Bound>, InvalidConstraint> {
    let fix = "write bounds as \">= 5.15, < 6\"";
    text.split(',')
        .map(|bound| {
            let bound = bound.trim();
            let signs = [">=", "<=", "!=", ">", "<", "="];
            let sign = signs.into_iter().find(|sign| bound.starts_with(sign));
            let version = sign.and_then(|sign| bound.strip_prefix(sign)).unwrap_or(bound);
            let version = numbers(version.trim()).ok_or_else(|| wrong(format!("{bound:?} is no version"), fix))?;
            Ok(Bound { sign: sign.unwrap_or("="), version })
        })
        .collect()
}

/// The numbers that a version begins with: of `6.1.0-18-amd64` 6, 1 and 0.
/// Distributions write what they like behind them.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let version = version.strip_prefix('v').unwrap_or(version);
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let numbers = version.get(..end)?.trim_end_matches('.');
    numbers.split('.').map(|number| number.parse().ok()).collect()
}

/// What is not written is zero: 6 is 6.0.
fn compare(one: &[u64], other: &[u64]) -> Ordering {
    let at = |version: &[u64], index| version.get(index).copied().unwrap_or_default();
    let longest = one.len().max(other.len());
    (0..longest).map(|index| at(one, index).cmp(&at(other, index))).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(constraint: &str, value: Option<&str>) -> bool {
        constraint.parse::<Constraint>().unwrap().matcher().unwrap().holds(value)
    }

    #[test]
    fn each_operator_asks_its_question() {
        for (constraint, value, expected) in [
            ("zone = eu", Some("eu"), true),
            ("zone=eu", Some("us"), false),
            ("zone == eu", None, false),
            ("zone != eu", Some("us"), true),
            ("zone!=eu", Some("eu"), false),
            ("zone != eu", None, true),
            ("zone in eu-1, eu-2", Some("eu-2"), true),
            ("zone in eu-1, eu-2", Some("eu-3"), false),
            ("zone not in eu-1, eu-2", Some("eu-3"), true),
            ("zone not in eu-1, eu-2", Some("eu-1"), false),
            ("node.name regexp ^web-[0-9]+$", Some("web-12"), true),
            ("node.name regexp ^web-[0-9]+$", Some("web-x"), false),
            ("node.kernel version >= 5.15, < 7", Some("6.1.0-18-amd64"), true),
            ("node.kernel version >= 5.15", Some("5.4.0"), false),
            ("node.kernel version 6.1", Some("6.1.0"), true),
            ("node.kernel version > 6.1", Some("6.1"), false),
            ("node.kernel version != 6.1", Some("6.1"), false),
            ("node.kernel version >= 5", Some("unknown"), false),
            ("node.kernel version >= 5", None, false),
        ] {
            assert_eq!(holds(constraint, value), expected, "{constraint} of {value:?}");
        }
    }

    #[test]
    fn a_constraint_reads_as_it_is_written() {
        for text in
            ["zone = eu", "a.b-c != x y", "zone in a, b", "zone not in a", "n regexp ^a, b$", "v version >= 1, < 2"]
        {
            assert_eq!(text.parse::<Constraint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_cannot_hold_is_refused_with_a_fix() {
        for text in [
            "",
            "zone",
            "zone eu",
            "= eu",
            "zone =",
            "zone in a,,b",
            "zone in",
            "inside a",
            "node.zone = a",
            "-x = 1",
            "n regexp (",
            "k version new",
            "k version >=",
            "k version >= 1,",
        ] {
            let error = text.parse::<Constraint>().unwrap_err();
            assert!(!error.problem.is_empty() && error.fix.starts_with("write"), "{text:?}: {error:?}");
        }
    }
}
