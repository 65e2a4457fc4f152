//! Processes are forgotten; their instances end and go.

use crate::audit::{Account, Subject};
use crate::decided::Decided;
use crate::draft::Draft;
use crate::placement::{self, Scope};
use crate::reply::Reply;
use crate::selection::Selection;
use crate::{Refusal, retire};
use process_model::{InstanceId, ProcessName};

pub(crate) fn delete(draft: &mut Draft<'_>, selectors: &[String]) -> Result<Decided, Refusal> {
    let names = Selection::required(selectors)?.processes(draft.state())?;
    let mut account = Account::default();
    // Who was apart from one of these can go there now.
    let asks = |name: &ProcessName| draft.state().processes.get(name).is_some_and(|p| p.spec.placement.is_some());
    let frees = names.iter().any(asks);
    retire::processes(draft, &names.iter().collect::<Vec<_>>(), "was deleted", &mut account);
    let instances: Vec<InstanceId> =
        names.iter().flat_map(|name| draft.state().instances_of(name).map(|i| i.id.clone())).collect();
    if frees {
        placement::settle(draft, Scope::Everything);
    }
    let audit = Subject::new("delete", &names).with(account);
    let revision = draft.state().revision();
    Ok(Decided { reply: Reply::Deleted { names, instances, revision }, audit: Some(audit) })
}
