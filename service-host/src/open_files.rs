//! How many files a server may have open. The kernel starts a program with 1,024 (the soft limit), as select(2) knows no
//! more; a server has one for each connection, and a registry thousands of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one, which is the operator's (`LimitNOFILE=`, `ulimit -Hn`). For servers that start
/// no other programs, since these inherit it. Being refused changes nothing.
pub fn raise() {
    let hard = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_the_operator_allows_is_taken() {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let low = current.unwrap_or(u64::MAX).min(128);
        setrlimit(Resource::Nofile, Rlimit { current: Some(low), maximum }).unwrap();
        raise();
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
    }
}
