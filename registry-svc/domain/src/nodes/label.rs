//! Labels that an operator sets on a node.

use super::{changed, emit, known};
use crate::audit::Subject;
use crate::command::LabelNode;
use crate::decided::Decided;
use crate::draft::Draft;
use crate::placement::{self, Scope};
use crate::{Node, Refusal};
use process_model::{event_type, label};
use std::collections::BTreeSet;

pub(crate) fn label(draft: &mut Draft<'_>, order: &LabelNode) -> Result<Decided, Refusal> {
    let node = known(draft, &order.node)?;
    let name = &order.node;
    let mut set = node.set_labels.clone();
    for (key, value) in &order.labels {
        // What the runner itself says can only be hidden.
        if value.is_empty() && !node.facts.labels.contains_key(key) {
            set.remove(key);
        } else {
            set.insert(key.clone(), value.clone());
        }
    }
    if set.len() > label::MOST {
        return Err(Refusal::TooMany {
            what: format!("labels of node {name}"),
            got: set.len() as u64,
            limit: label::MOST as u64,
        });
    }
    let subject = Subject::new("label-node", [name]);
    let after = Node { set_labels: set, ..node.clone() };
    let keys: BTreeSet<&str> = order.labels.keys().map(String::as_str).collect();
    let paths: Vec<(String, Option<String>, Option<String>)> = (keys.into_iter())
        .map(|key| (format!("label.{key}"), node.label(key).map(str::to_owned), after.label(key).map(str::to_owned)))
        .filter(|(_, before, after)| before != after)
        .collect();
    if after == node {
        return Ok(Decided { audit: Some(subject), ..Decided::noted(draft) });
    }
    let words: Vec<String> = (paths.iter())
        .map(|(path, _, after)| {
            let key = path.strip_prefix("label.").unwrap_or(path);
            after.as_ref().map_or_else(|| format!("without {key}"), |value| format!("{key}={value}"))
        })
        .collect();
    draft.put_node(after);
    if !words.is_empty() {
        emit(draft, event_type::NODE_LABELLED, name, format!("node {name} is labelled {}", words.join(", ")));
    }
    placement::settle(draft, Scope::Node(name));
    let changes = paths.iter().map(|(path, before, after)| (path.as_str(), before.clone(), after.clone()));
    let audit = Some(subject.with(changed(name, changes)));
    Ok(Decided { audit, ..Decided::noted(draft) })
}
