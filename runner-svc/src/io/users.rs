//! Users by name or number (passwd(5)), as a program's identity.

use nix::unistd::{Gid, Uid, User, getgrouplist};
use runner_domain::SpawnError;
use runner_keeper::protocol::Identity;
use std::ffi::CString;

/// Who a program runs as, and what its environment says of them.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// `None`: the runner's own identity.
    pub(crate) identity: Option<Identity>,
    pub(crate) name: String,
    pub(crate) home: String,
    pub(crate) shell: String,
}

fn fault(message: String) -> SpawnError {
    SpawnError { stage: "user".to_owned(), message }
}

/// The account of `wanted`, or the runner's own.
pub(crate) fn account(wanted: Option<&str>) -> Result<Account, SpawnError> {
    let own = Uid::effective();
    let Some(wanted) = wanted else {
        let user = User::from_uid(own).ok().flatten();
        return Ok(describe(user, None, own));
    };
    let user = match wanted.parse::<u32>() {
        Ok(uid) => User::from_uid(Uid::from_raw(uid)),
        Err(_) => User::from_name(wanted),
    };
    let user = user.map_err(|e| fault(format!("cannot look up user {wanted:?}: {e}")))?;
    let Some(user) = user else {
        return Err(fault(format!("there is no user {wanted:?} on this node; create it, or name another")));
    };
    if user.uid == own {
        return Ok(describe(Some(user), None, own));
    }
    if !own.is_root() {
        return Err(fault(format!(
            "only root may run programs as {wanted:?}; run the runner as root, or leave user out"
        )));
    }
    let identity = Identity { uid: user.uid.as_raw(), gid: user.gid.as_raw(), groups: groups(&user.name, user.gid)? };
    let uid = user.uid;
    Ok(describe(Some(user), Some(identity), uid))
}

fn groups(name: &str, gid: Gid) -> Result<Vec<u32>, SpawnError> {
    let name = CString::new(name).map_err(|e| fault(e.to_string()))?;
    let groups = getgrouplist(&name, gid).map_err(|e| fault(format!("cannot look up groups: {e}")))?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

fn describe(user: Option<User>, identity: Option<Identity>, uid: Uid) -> Account {
    match user {
        Some(user) => Account {
            identity,
            name: user.name,
            home: user.dir.to_string_lossy().into_owned(),
            shell: user.shell.to_string_lossy().into_owned(),
        },
        // A number without an entry, as in many containers.
        None => Account { identity, name: uid.to_string(), home: "/".to_owned(), shell: "/bin/sh".to_owned() },
    }
}
