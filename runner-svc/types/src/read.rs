//! YAML → a checked definition, or every fault with its place.

use crate::condition::Condition;
use crate::definition::{Candidate, DefaultProbe, Definition, Each, List, Run};
use crate::fault::DefinitionFault;
use crate::placeholder::{Names, Place, Placeholder, RESERVED};
use crate::template::Template;
use process_model::spec::{RuntimeType, Signal};
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, BTreeSet};

/// Longest definition in bytes; a longer file is none.
const MAX_BYTES: usize = 64 * 1024;
/// Longest command line after an end.
const MAX_POST_STOP: usize = 4096;

type Text = Spanned<String>;

/// A key and its place; ordered by the text alone.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key(Text);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.value.cmp(&other.0.value)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.value == other.0.value
    }
}

impl Eq for Key {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDefinition {
    name: Text,
    description: Text,
    #[serde(default)]
    detect: Vec<RawCondition>,
    #[serde(default)]
    choices: BTreeMap<Key, Vec<RawCandidate>>,
    #[serde(default)]
    lists: BTreeMap<Key, RawList>,
    #[serde(default)]
    env: BTreeMap<Key, Text>,
    run: Spanned<Vec<RawRun>>,
    port: Option<Spanned<u16>>,
    probe: Option<Text>,
    stop_signal: Option<Text>,
    post_stop: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCondition {
    file: Text,
    ends: Option<Text>,
    contains: Option<Text>,
    json: Option<Text>,
    #[serde(default)]
    absent: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCandidate {
    #[serde(rename = "use")]
    value: Text,
    #[serde(default)]
    when: Vec<RawCondition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    each: Text,
    words: Vec<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRun {
    #[serde(default)]
    when: Vec<RawCondition>,
    command: Spanned<Vec<Text>>,
}

/// A definition and where its name stands.
pub(crate) struct Read {
    pub(crate) definition: Definition,
    pub(crate) name_at: (u64, u64),
}

/// Reads a definition.
pub(crate) fn read(file: &str, text: &str) -> Result<Read, Vec<DefinitionFault>> {
    let mut reader = Reader { file, faults: Vec::new(), names: Names::default() };
    if text.len() > MAX_BYTES {
        reader.fault((1, 1), format!("it has {} bytes; a type has at most {MAX_BYTES}", text.len()));
        return Err(reader.faults);
    }
    let raw: RawDefinition = match serde_saphyr::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            let at = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            // Its first line; what follows is a picture of the place.
            let shown = error.without_snippet().to_string();
            let shown = shown.lines().next().unwrap_or("it is no YAML");
            // The place is told in front.
            let problem = shown.rsplit_once(" at line ").map_or(shown, |(problem, _)| problem);
            reader.fault(at, problem.to_owned());
            return Err(reader.faults);
        }
    };
    let name_at = place(&raw.name);
    match reader.definition(raw) {
        Some(definition) if reader.faults.is_empty() => Ok(Read { definition, name_at }),
        Some(_) | None => {
            reader.faults.sort_by_key(|fault| (fault.line, fault.column));
            Err(reader.faults)
        }
    }
}

struct Reader<'a> {
    file: &'a str,
    faults: Vec<DefinitionFault>,
    names: Names,
}

fn place<T>(spanned: &Spanned<T>) -> (u64, u64) {
    (spanned.referenced.line(), spanned.referenced.column())
}

impl Reader<'_> {
    fn fault(&mut self, (line, column): (u64, u64), problem: String) {
        self.faults.push(DefinitionFault { file: self.file.to_owned(), line, column, problem });
    }

    /// The value, or a fault at the place of the text that it was made of.
    fn taken<T>(&mut self, text: &Text, made: Result<T, String>) -> Option<T> {
        made.map_err(|problem| self.fault(place(text), problem)).ok()
    }

    fn definition(&mut self, raw: RawDefinition) -> Option<Definition> {
        let name = self.taken(&raw.name, raw.name.value.parse::<RuntimeType>().map_err(|e| e.to_string()));
        if raw.description.value.trim().is_empty() {
            self.fault(place(&raw.description), "description: it is empty; say in a sentence what is run".to_owned());
        }
        self.declare(&raw);
        let detect = self.conditions(raw.detect);
        let choices = raw.choices.into_iter().map(|(Key(name), list)| (name.value, self.candidates(list))).collect();
        let lists =
            raw.lists.into_iter().filter_map(|(Key(name), list)| Some((name.value, self.list(list)?))).collect();
        let env = raw.env.into_iter().filter_map(|(Key(name), value)| self.variable(&name, &value)).collect();
        if raw.run.value.is_empty() {
            self.fault(place(&raw.run), "run: it is empty; write at least one command".to_owned());
        }
        let run = raw.run.value.into_iter().map(|run| self.run(run)).collect();
        let port = raw.port.and_then(|port| {
            if port.value == 0 {
                self.fault(place(&port), "port: 0 is out of range; write 1 to 65535".to_owned());
            }
            Some(port.value).filter(|port| *port != 0)
        });
        let probe = raw.probe.and_then(|text| self.taken(&text, probe(&text.value)));
        let stop_signal = raw.stop_signal.and_then(|text| {
            let signal = text.value.parse::<Signal>();
            self.taken(
                &text,
                signal.map_err(|_| format!("stop_signal: {:?} is no signal; write a name as SIGTERM", text.value)),
            )
        });
        let post_stop = raw.post_stop.and_then(|text| {
            let line = text.value.trim();
            let fit = if line.is_empty() || line.contains('\0') || line.len() > MAX_POST_STOP {
                Err(format!("post_stop: write a command line of 1 to {MAX_POST_STOP} bytes"))
            } else {
                Ok(line.to_owned())
            };
            self.taken(&text, fit)
        });
        let description = raw.description.value.trim().to_owned();
        let name = name?;
        Some(Definition { name, description, detect, choices, lists, env, run, port, probe, stop_signal, post_stop })
    }

    /// Names first, since any text may use them.
    fn declare(&mut self, raw: &RawDefinition) {
        let mut seen = BTreeSet::new();
        for Key(name) in raw.choices.keys().chain(raw.lists.keys()) {
            let fit = name.value.starts_with(|c: char| c.is_ascii_lowercase())
                && name.value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if !fit {
                self.fault(place(name), format!("{:?} is no name; write a-z, 0-9 and _", name.value));
            } else if RESERVED.contains(&name.value.as_str()) || !seen.insert(name.value.clone()) {
                self.fault(place(name), format!("{} means something else already; write another name", name.value));
            }
        }
        self.names.choices = raw.choices.keys().map(|Key(name)| name.value.clone()).collect();
        self.names.lists = raw.lists.keys().map(|Key(name)| name.value.clone()).collect();
    }

    fn template(&mut self, text: &Text, at: Place) -> Option<Template> {
        let template = Template::read(&text.value, at, &self.names);
        self.taken(text, template)
    }

    fn templates(&mut self, texts: &[Text], at: Place) -> Vec<Template> {
        texts.iter().filter_map(|text| self.template(text, at)).collect()
    }

    fn conditions(&mut self, raw: Vec<RawCondition>) -> Vec<Condition> {
        raw.into_iter().filter_map(|condition| self.condition(condition)).collect()
    }

    fn condition(&mut self, raw: RawCondition) -> Option<Condition> {
        let file = self.template(&raw.file, Place::Condition);
        let json = match &raw.json {
            Some(text) if !text.value.starts_with('/') => {
                self.fault(
                    place(text),
                    format!("json: {:?} is no place in JSON; write it as /scripts/start", text.value),
                );
                None
            }
            Some(text) => self.template(text, Place::Condition),
            None => None,
        };
        for text in [&raw.ends, &raw.contains].into_iter().flatten().filter(|text| text.value.is_empty()) {
            self.fault(place(text), "it is empty; leave it out".to_owned());
        }
        let contains = raw.contains.map(|text| text.value.to_ascii_lowercase());
        Some(Condition { file: file?, ends: raw.ends.map(|text| text.value), contains, json, absent: raw.absent })
    }

    fn candidates(&mut self, raw: Vec<RawCandidate>) -> Vec<Candidate> {
        let candidate = |raw: RawCandidate| {
            let value = self.template(&raw.value, Place::Condition);
            let when = self.conditions(raw.when);
            Some(Candidate { value: value?, when })
        };
        raw.into_iter().filter_map(candidate).collect()
    }

    fn list(&mut self, raw: RawList) -> Option<List> {
        let each = match raw.each.value.as_str() {
            "env" => Ok(Each::Env),
            "ports" => Ok(Each::Ports),
            other => Err(format!("each: {other:?} is nothing that a process has many of; write env or ports")),
        };
        let each = self.taken(&raw.each, each);
        let words = self.templates(&raw.words, Place::List);
        Some(List { each: each?, words })
    }

    fn variable(&mut self, name: &Text, value: &Text) -> Option<(String, Template)> {
        if name.value.is_empty() || name.value.contains(['=', '\0']) || name.value.starts_with("PM_") {
            self.fault(place(name), format!("env: {:?} cannot be set by a type", name.value));
        }
        let template = self.template(value, Place::Env);
        Some((name.value.clone(), template?))
    }

    fn run(&mut self, raw: RawRun) -> Run {
        let before = self.faults.len();
        let at = place(&raw.command);
        let run = Run { when: self.conditions(raw.when), command: self.templates(&raw.command.value, Place::Command) };
        if self.faults.len() == before {
            let uses = |wanted: &[Placeholder]| {
                run.command.iter().flat_map(Template::placeholders).any(|found| wanted.contains(found))
            };
            let words = uses(&[Placeholder::Args, Placeholder::First, Placeholder::Rest]);
            match (words, uses(&[Placeholder::Line])) {
                (true, false) | (false, true) => {}
                (false, false) => self.fault(
                    at,
                    "command: the process's own command is not in it; write {{args}}, {{first}} or {{line}}".to_owned(),
                ),
                (true, true) => self.fault(
                    at,
                    "command: {{line}} is the whole command already; write it, or {{args}} and its parts".to_owned(),
                ),
            }
        }
        run
    }
}

fn probe(text: &str) -> Result<DefaultProbe, String> {
    match text {
        "tcp" => Ok(DefaultProbe::Tcp),
        path if path.starts_with('/') && !path.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            Ok(DefaultProbe::Http(path.to_owned()))
        }
        other => Err(format!("probe: {other:?} is neither tcp nor a path as /health")),
    }
}
