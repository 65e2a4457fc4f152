//! Users and groups by name or number (passwd(5), group(5)), as a program's
//! identity.

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use process_model::spec::Execution;
use runner_domain::SpawnError;
use runner_keeper::protocol::Identity;
use std::ffi::CString;

/// Who a program runs as, and what its environment says of them.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// `None`: the runner's own identity.
    pub(crate) identity: Option<Identity>,
    pub(crate) uid: u32,
    pub(crate) name: String,
    pub(crate) home: String,
    pub(crate) shell: String,
}

/// A fault of a field of the spec; the field is the stage of the error.
fn fault(field: &str, message: String) -> SpawnError {
    SpawnError { stage: field.to_owned(), message }
}

/// The account of `wanted`, or the runner's own, with the groups that the spec
/// names instead of the user's.
pub(crate) fn account(wanted: Option<&str>, execution: Option<&Execution>) -> Result<Account, SpawnError> {
    let mut account = user(wanted)?;
    let group = execution.and_then(|execution| execution.group.as_deref());
    let supplementary = execution.and_then(|execution| execution.supplementary_groups.as_deref());
    if group.is_none() && supplementary.is_none() {
        return Ok(account);
    }
    let gid = group.map(|name| number("group", name)).transpose()?;
    let groups = supplementary
        .map(|names| names.iter().map(|name| number("supplementary_groups", name)).collect::<Result<Vec<_>, _>>())
        .transpose()?;
    let own_gid = Gid::effective().as_raw();
    if !Uid::effective().is_root() {
        // What changes nothing needs no privilege.
        if groups.is_none() && gid == Some(own_gid) {
            return Ok(account);
        }
        let (field, which) = if gid.is_some() { ("group", "group") } else { ("supplementary_groups", "groups") };
        let message = format!("only root may change the {which} of a program; run the runner as root, or leave it out");
        return Err(fault(field, message));
    }
    let before = match account.identity.take() {
        Some(identity) => identity,
        None => own_identity()?,
    };
    account.identity =
        Some(Identity { uid: before.uid, gid: gid.unwrap_or(before.gid), groups: groups.unwrap_or(before.groups) });
    Ok(account)
}

fn user(wanted: Option<&str>) -> Result<Account, SpawnError> {
    let own = Uid::effective();
    let Some(wanted) = wanted else {
        let user = User::from_uid(own).ok().flatten();
        return Ok(describe(user, None, own));
    };
    let user = match wanted.parse::<u32>() {
        Ok(uid) => User::from_uid(Uid::from_raw(uid)),
        Err(_) => User::from_name(wanted),
    };
    let user = user.map_err(|e| fault("user", format!("cannot look up user {wanted:?}: {e}")))?;
    let Some(user) = user else {
        return Err(fault("user", format!("there is no user {wanted:?} on this node; create it, or name another")));
    };
    if user.uid == own {
        return Ok(describe(Some(user), None, own));
    }
    if !own.is_root() {
        let message = format!("only root may run programs as {wanted:?}; run the runner as root, or leave user out");
        return Err(fault("user", message));
    }
    let identity = Identity { uid: user.uid.as_raw(), gid: user.gid.as_raw(), groups: groups(&user.name, user.gid)? };
    let uid = user.uid;
    Ok(describe(Some(user), Some(identity), uid))
}

/// The runner's own identity, written out.
fn own_identity() -> Result<Identity, SpawnError> {
    let groups = nix::unistd::getgroups().map_err(|e| fault("group", format!("cannot read our own groups: {e}")))?;
    Ok(Identity {
        uid: Uid::effective().as_raw(),
        gid: Gid::effective().as_raw(),
        groups: groups.into_iter().map(Gid::as_raw).collect(),
    })
}

fn number(field: &'static str, wanted: &str) -> Result<u32, SpawnError> {
    if let Ok(gid) = wanted.parse::<u32>() {
        // A number needs no name: file systems of containers are full of such.
        return Ok(gid);
    }
    let group = Group::from_name(wanted).map_err(|e| fault(field, format!("cannot look up group {wanted:?}: {e}")))?;
    let nobody = || fault(field, format!("there is no group {wanted:?} on this node; create it, or name another"));
    Ok(group.ok_or_else(nobody)?.gid.as_raw())
}

/// The groups that a user is in, the primary one among them.
fn groups(name: &str, gid: Gid) -> Result<Vec<u32>, SpawnError> {
    let name = CString::new(name).map_err(|e| fault("user", e.to_string()))?;
    let groups = getgrouplist(&name, gid).map_err(|e| fault("user", format!("cannot look up groups: {e}")))?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

/// The groups that a user of this number is in by the node's own files.
pub(crate) fn groups_of(uid: u32) -> Vec<u32> {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.and_then(|user| groups(&user.name, user.gid).ok()).unwrap_or_default()
}

/// The number of a group, when there is one of that name.
pub(crate) fn group_number(wanted: &str) -> Option<u32> {
    number("group", wanted).ok()
}

fn describe(user: Option<User>, identity: Option<Identity>, uid: Uid) -> Account {
    let number = uid.as_raw();
    match user {
        Some(user) => Account {
            identity,
            uid: number,
            name: user.name,
            home: user.dir.to_string_lossy().into_owned(),
            shell: user.shell.to_string_lossy().into_owned(),
        },
        // A number without an entry, as in many containers.
        None => {
            Account { identity, uid: number, name: uid.to_string(), home: "/".to_owned(), shell: "/bin/sh".to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(group: Option<&str>, supplementary: Option<&[&str]>) -> Execution {
        Execution {
            group: group.map(str::to_owned),
            supplementary_groups: supplementary.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            ..Execution::default()
        }
    }

    #[test]
    fn a_group_that_does_not_exist_is_a_fault_of_its_field() {
        for (execution, stage) in [
            (with(Some("no-such-group"), None), "group"),
            (with(None, Some(&["0", "no-such-group"])), "supplementary_groups"),
        ] {
            let error = account(None, Some(&execution)).unwrap_err();
            assert_eq!(error.stage, stage);
            assert!(error.message.contains("\"no-such-group\""), "{error}");
        }
    }

    #[test]
    fn the_groups_of_the_spec_take_the_place_of_the_users() {
        let account = account(Some("nobody"), Some(&with(Some("1"), Some(&["2", "root"]))));
        if Uid::effective().is_root() {
            let identity = account.unwrap().identity.unwrap();
            assert_eq!((identity.gid, identity.groups), (1, vec![2, 0]));
        } else {
            assert_eq!(account.unwrap_err().stage, "user", "only root may run programs as somebody else");
        }
    }

    #[test]
    fn without_a_word_about_groups_the_runners_own_identity_stays() {
        assert!(account(None, Some(&Execution::default())).unwrap().identity.is_none());
        assert!(account(None, None).unwrap().identity.is_none());
    }

    #[test]
    fn no_supplementary_groups_at_all_can_be_asked_for() {
        let account = account(None, Some(&with(None, Some(&[]))));
        if Uid::effective().is_root() {
            assert_eq!(account.unwrap().identity.unwrap().groups, Vec::<u32>::new());
        } else {
            assert_eq!(account.unwrap_err().stage, "supplementary_groups");
        }
    }
}
