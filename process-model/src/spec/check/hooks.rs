//! Commands around the life of an instance.

use super::command::check_command;
use super::faults::Faults;
use crate::spec::{Hook, HookKind, Hooks, limits};

pub(super) fn check(hooks: Option<&Hooks>, faults: &mut Faults) {
    let Some(hooks) = hooks else { return };
    for kind in [HookKind::PreStart, HookKind::PostStart, HookKind::Reload, HookKind::PreStop, HookKind::PostStop] {
        if let Some(hook) = hooks.get(kind) {
            let field = format!("hooks.{}", kind.as_str());
            check_hook(&format!("{field}.command"), &format!("{field}.timeout"), hook, faults);
        }
    }
}

/// A hook whose two halves have these names.
pub(super) fn check_hook(command: &str, timeout: &str, hook: &Hook, faults: &mut Faults) {
    check_command(command, &hook.command, faults);
    faults.duration(timeout, hook.timeout, &limits::HOOK_TIMEOUT);
}
