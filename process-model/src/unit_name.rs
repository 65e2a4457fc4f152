//! Names of systemd units, as systemd.unit(5) has them.

/// Kinds of units that can be started and stopped.
const KINDS: [&str; 7] = ["service", "socket", "timer", "target", "path", "mount", "slice"];
/// Longest name (`UNIT_NAME_MAX`).
const MAX_BYTES: usize = 255;

/// Checks the whole name of a unit, as `nginx.service`.
///
/// # Errors
/// What is wrong, and what to write.
pub fn check_unit_name(name: &str) -> Result<(), String> {
    let (prefix, kind) = name.rsplit_once('.').unwrap_or((name, ""));
    if !KINDS.contains(&kind) {
        return Err(format!("{name:?} does not end in the kind of a unit; write it whole, as {prefix}.service"));
    }
    let known = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if prefix.is_empty() || prefix.starts_with('@') || !prefix.chars().all(known) || name.len() > MAX_BYTES {
        return Err(format!("{name:?} is no name of a unit; write letters, digits and : - _ . \\ @, as nginx.service"));
    }
    if prefix.ends_with('@') {
        return Err(format!("{name:?} is a template; write an instance of it, as {prefix}one.{kind}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_unit_name;

    #[test]
    fn a_unit_is_named_whole() {
        for good in ["nginx.service", "getty@tty1.service", "a-b_c:d.timer", "dev-sda\\x2d1.mount", "x.y.service"] {
            assert_eq!(check_unit_name(good), Ok(()), "{good}");
        }
        for (bad, fix) in [
            ("nginx", "as nginx.service"),
            ("nginx.conf", "as nginx.service"),
            ("", "as .service"),
            (".service", "as nginx.service"),
            ("a b.service", "as nginx.service"),
            ("../x.service", "as nginx.service"),
            ("*.service", "as nginx.service"),
            ("getty@.service", "as getty@one.service"),
            ("@x.service", "as nginx.service"),
            (&format!("{}.service", "a".repeat(250)), "as nginx.service"),
        ] {
            assert!(check_unit_name(bad).unwrap_err().ends_with(fix), "{bad}: {:?}", check_unit_name(bad));
        }
    }
}
