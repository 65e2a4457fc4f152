//! The one place that maps refusals and failures to gRPC statuses.

use super::request::unexpected;
use crate::cluster::ChangeFault;
use crate::core::Core;
use crate::driver::{Answer, ProposeError};
use pm_proto::error::{come_back, invalid, reason, status};
use process_model::spec::Fault;
use registry_consensus::{ConsensusError, ReadFault};
use registry_domain::{Refusal, Reply};
use tonic::{Code, Status};

/// A field that is not as it has to be.
pub(crate) fn bad_field(field: &str, problem: impl Into<String>, fix: impl Into<String>) -> Status {
    invalid(&[Fault::new(field, problem, fix)])
}

/// Nothing has this name or id.
pub(super) fn unknown(what: &str, name: &str) -> Status {
    let name: String = name.chars().take(100).collect();
    status(Code::NotFound, reason::NOT_FOUND, format!("there is no {what} {name:?}"), &[("name", &name)])
}

/// More runners come than are received at a time.
pub(super) fn come_again(wait: std::time::Duration) -> Status {
    let text = format!("many runners are coming at once; come again in {} ms", wait.as_millis());
    come_back(Code::Unavailable, reason::SESSIONS_LIMITED, text, wait)
}

/// The registry is going.
pub(crate) fn closing() -> Status {
    status(Code::Unavailable, reason::NO_LEADER, "the registry is shutting down; try again", &[])
}

pub(super) fn refused(refusal: &Refusal) -> Status {
    let text = refusal.to_string();
    match refusal {
        Refusal::NotFound(misses) => {
            let first = misses.first();
            let selector = first.map(|m| m.selector.as_str()).unwrap_or_default();
            let suggestion = first.and_then(|m| m.suggestion.as_deref()).unwrap_or_default();
            let data = [("selector", selector), ("suggestion", suggestion)];
            status(Code::NotFound, reason::NOT_FOUND, text, &data)
        }
        Refusal::NoSelectors => {
            bad_field("selectors", "none was given", "name at least one process, or write * for all")
        }
        Refusal::DuplicateName(name) => bad_field("specs", format!("{name} is there twice"), "give each process once"),
        Refusal::PruneWithoutSource => {
            bad_field("prune", "it needs a source", "set source to where the specs come from")
        }
        Refusal::EtagMismatch { process, expected, actual } => {
            let data = [("process", process.as_str()), ("expected", expected), ("actual", actual)];
            status(Code::Aborted, reason::ETAG_MISMATCH, text, &data)
        }
        Refusal::GenerationMismatch { process, expected, actual, actor, time } => {
            let time = time.map(rfc3339).unwrap_or_default();
            let (expected, actual) = (expected.to_string(), actual.to_string());
            let data = [
                ("process", process.as_str()),
                ("expected", &expected),
                ("actual", &actual),
                ("actor", actor),
                ("time", &time),
            ];
            status(Code::Aborted, reason::GENERATION_MISMATCH, text, &data)
        }
        Refusal::NoGeneration { process, oldest, newest, .. } => {
            let (oldest, newest) = (oldest.to_string(), newest.to_string());
            let data = [("process", process.as_str()), ("oldest", &oldest), ("newest", &newest)];
            status(Code::NotFound, reason::NOT_FOUND, text, &data)
        }
        Refusal::RequestIdReused(id) => {
            status(Code::AlreadyExists, reason::REQUEST_ID_REUSED, text, &[("request_id", id)])
        }
        Refusal::TooMany { what, limit, .. } => {
            let data = [("what", what.as_str()), ("limit", &limit.to_string())];
            status(Code::ResourceExhausted, reason::REQUEST_TOO_LARGE, text, &data)
        }
        Refusal::MemberGone(id)
        | Refusal::MemberStore(id)
        | Refusal::MemberBoot { id, .. }
        | Refusal::MemberCertificate { id, .. } => {
            let data = [("replica", id.to_string())];
            let data = data.each_ref().map(|(key, value)| (*key, value.as_str()));
            status(Code::FailedPrecondition, reason::MEMBER_CHANGE_REFUSED, text, &data)
        }
        Refusal::NotEmpty { what } => {
            status(Code::FailedPrecondition, reason::CLUSTER_NOT_EMPTY, text, &[("what", what)])
        }
        Refusal::Restoring => status(Code::FailedPrecondition, reason::RESTORING, text, &[]),
        Refusal::NotRestored { why } => {
            status(Code::FailedPrecondition, reason::BACKUP_UNUSABLE, text, &[("why", why)])
        }
        Refusal::Observing => status(Code::FailedPrecondition, reason::OBSERVE_MODE, text, &[]),
        Refusal::NotObserving => status(Code::FailedPrecondition, reason::NOT_OBSERVING, text, &[]),
        Refusal::UnknownRuns { what } => {
            status(Code::FailedPrecondition, reason::UNKNOWN_INSTANCES, text, &[("what", what)])
        }
        Refusal::NotInvited => status(Code::PermissionDenied, reason::PERMISSION_DENIED, text, &[]),
        Refusal::NoRollout(process) | Refusal::RolloutUnfit { process, .. } => {
            status(Code::FailedPrecondition, reason::ROLLOUT_STATE, text, &[("process", process)])
        }
        Refusal::FixedNumber { process, .. } => {
            status(Code::FailedPrecondition, reason::FIXED_NUMBER, text, &[("process", process)])
        }
        Refusal::UnknownNode(node) => status(Code::FailedPrecondition, reason::NOT_FOUND, text, &[("node", node)]),
        Refusal::NodeInUse { node, .. } => {
            status(Code::FailedPrecondition, reason::NODE_IN_USE, text, &[("node", node)])
        }
    }
}

fn rfc3339(time: process_model::Timestamp) -> String {
    let since = std::time::Duration::from_nanos(u64::try_from(time.0).unwrap_or(0));
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
}

pub(super) fn not_proposed(error: &ProposeError) -> Status {
    match error {
        ProposeError::NoLeader { leader } => leads_elsewhere(leader.as_deref()),
        ProposeError::Unknown => status(Code::Unavailable, reason::RESULT_UNKNOWN, error.to_string(), &[]),
        ProposeError::Closing => closing(),
    }
}

/// Only a leader can do it, and this replica is none.
pub(crate) fn no_leader(core: &Core) -> Status {
    not_proposed(&core.no_leader())
}

/// Why the members are not changed so.
pub(crate) fn change_fault(core: &Core, fault: &ChangeFault) -> Status {
    let text = fault.to_string();
    match fault {
        ChangeFault::NotLeader => no_leader(core),
        ChangeFault::Refused(_) | ChangeFault::Stays(_) => {
            status(Code::FailedPrecondition, reason::MEMBER_CHANGE_REFUSED, text, &[])
        }
        ChangeFault::Behind { id, lacks } => {
            let (id, lacks) = (id.to_string(), lacks.to_string());
            let data = [("replica", id.as_str()), ("lacks", lacks.as_str())];
            status(Code::FailedPrecondition, reason::MEMBER_CHANGE_REFUSED, text, &data)
        }
        ChangeFault::State(refusal) => refused(refusal),
        ChangeFault::Proposal(error) => not_proposed(error),
        ChangeFault::Engine(ConsensusError::NotLeader) => no_leader(core),
        // Another change is under way, or the engine ends: both pass.
        ChangeFault::Engine(ConsensusError::Refused(_) | ConsensusError::Stopped(_)) => {
            status(Code::Unavailable, reason::NO_LEADER, text, &[("leader", "")])
        }
    }
}

/// The number that an order gave.
pub(crate) fn changed_reply(answer: Answer) -> Result<u64, Status> {
    match answer {
        Ok(Ok(Reply::Enrolled { id, .. })) => Ok(id),
        Ok(Ok(reply)) => Err(unexpected(&reply)),
        Ok(Err(refusal)) => Err(refused(&refusal)),
        Err(error) => Err(not_proposed(&error)),
    }
}

/// An address under which replicas are reached.
pub(crate) fn check_address(field: &str, address: &str) -> Result<(), Status> {
    if crate::options::is_address(address) {
        return Ok(());
    }
    Err(bad_field(field, "it is no address of a replica", "write http://HOST:PORT or https://HOST:PORT"))
}

fn leads_elsewhere(address: Option<&str>) -> Status {
    let (text, address) = match address {
        Some(address) => (format!("this replica does not lead; {address} does"), address),
        None => ("the registry has no leader now; try again".to_owned(), ""),
    };
    status(Code::Unavailable, reason::NO_LEADER, text, &[("leader", address)])
}

/// Why a read cannot be linearizable.
pub(crate) fn not_linearizable(fault: &ReadFault) -> Status {
    match fault {
        ReadFault::NoLeader | ReadFault::NoQuorum | ReadFault::Behind => {
            let text = format!("{fault}; try again, or read what this replica has with stale");
            status(Code::Unavailable, reason::NO_LEADER, text, &[("leader", "")])
        }
        ReadFault::Closing => closing(),
    }
}

#[cfg(test)]
mod tests {
    use super::refused;
    use process_model::Timestamp;
    use registry_domain::{Miss, Refusal};

    #[test]
    fn the_audit_log_names_a_refusal_as_its_caller_was_told() {
        let text = || "x".to_owned();
        for refusal in [
            Refusal::NotFound(vec![Miss { selector: text(), suggestion: None }]),
            Refusal::NoSelectors,
            Refusal::EtagMismatch { process: text(), expected: text(), actual: text() },
            Refusal::GenerationMismatch {
                process: text(),
                expected: 1,
                actual: 2,
                actor: text(),
                time: Some(Timestamp(5)),
            },
            Refusal::NoGeneration { process: text(), wanted: 1, oldest: 2, newest: 3 },
            Refusal::DuplicateName("web".parse().unwrap()),
            Refusal::PruneWithoutSource,
            Refusal::RequestIdReused(text()),
            Refusal::TooMany { what: text(), got: 2, limit: 1 },
            Refusal::UnknownNode(text()),
            Refusal::MemberGone(1),
            Refusal::MemberStore(1),
            Refusal::MemberBoot { id: 1, boot: 2, known: 3 },
            Refusal::NotEmpty { what: text() },
            Refusal::Restoring,
            Refusal::NotRestored { why: text() },
            Refusal::Observing,
            Refusal::NotObserving,
            Refusal::UnknownRuns { what: text() },
            Refusal::NodeInUse { node: text(), why: text() },
            Refusal::NoRollout(text()),
            Refusal::RolloutUnfit { process: text(), why: text() },
            Refusal::FixedNumber { process: text(), why: text() },
        ] {
            let told = pm_proto::error::reason_of(&refused(&refusal));
            assert_eq!(told.as_deref(), Some(refusal.reason()), "{refusal:?}");
        }
    }
}
