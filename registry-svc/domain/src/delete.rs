//! Processes are forgotten; their instances end and go.

use crate::audit::{Account, Subject};
use crate::decided::Decided;
use crate::draft::Draft;
use crate::reply::Reply;
use crate::selection::Selection;
use crate::{Refusal, history, retire};
use process_model::InstanceId;

pub(crate) fn delete(draft: &mut Draft<'_>, selectors: &[String]) -> Result<Decided, Refusal> {
    let names = Selection::required(selectors)?.processes(draft.state())?;
    let mut account = Account::default();
    for name in &names {
        history::end(draft, name, &mut account);
        retire::process(draft, name, &format!("process {name} was deleted"));
    }
    let instances: Vec<InstanceId> =
        names.iter().flat_map(|name| draft.state().instances_of(name).map(|i| i.id.clone())).collect();
    let audit = Subject::new("delete", &names).with(account);
    let revision = draft.state().revision();
    Ok(Decided { reply: Reply::Deleted { names, instances, revision }, audit: Some(audit) })
}
