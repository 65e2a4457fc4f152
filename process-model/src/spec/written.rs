//! A spec written down. Registries write commands with fields by position, and
//! one that does not know a field cannot read past it: so what an earlier
//! version did not have is left out, with all that follows, while it says
//! nothing. Then several versions of a registry understand each other, and the
//! fingerprint of a spec is the same to all of them.

use super::ProcessSpec;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

/// Writes fields; that each is named is checked by the pattern.
macro_rules! fields {
    ($spec:ident, $serializer:ident: $($always:ident),+; since a fleet: $($later:ident),+) => {{
        let ProcessSpec { $($always,)+ $($later,)+ } = $spec;
        let count = [$(stringify!($always)),+].len();
        let more = if $spec.is_of_a_fleet() { [$(stringify!($later)),+].len() } else { 0 };
        let mut written = $serializer.serialize_struct("ProcessSpec", count + more)?;
        $(written.serialize_field(stringify!($always), $always)?;)+
        if more > 0 {
            $(written.serialize_field(stringify!($later), $later)?;)+
        }
        written.end()
    }};
}

impl Serialize for ProcessSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // In the order of the struct, which is how they are read.
        fields!(self, serializer:
            name, command, runtime, working_dir, env, user, instances, ports, restart, stop, readiness, log_file,
            log_watchdog, execution, hooks, sockets, liveness, notify_watchdog, log_rules, logs, limits, depends_on,
            schedule, labels, autostart;
            since a fleet: placement, update, singleton)
    }
}
