//! The package that a new server gets with the line that makes it a node. Enters: where it is, and its checksum; leaves: a
//! line for a shell that fetches, checks, installs, joins and starts, and stops at the first of these that fails.

use crate::error::Failure;
use service_host::identity::fingerprint;
use std::path::Path;

/// `pm-runner_VERSION_ARCHITECTURE.deb`, and what must be in it.
#[derive(Debug)]
pub(super) struct Package {
    /// As apt writes it: `https://…`, `copy:/…`.
    source: String,
    sha256: String,
}

impl Package {
    /// `place`: an address, or a path that is the same on the new server. `sha256`: of the file; of a path it is counted here
    /// when it is not given.
    ///
    /// # Errors
    /// It is neither, or nobody knows its checksum.
    pub(super) fn at(place: &str, sha256: Option<&str>) -> Result<Self, Failure> {
        let is_address = ["http://", "https://"].into_iter().any(|scheme| place.starts_with(scheme));
        let sha256 = match sha256 {
            Some(given) => digits(given)?,
            None if is_address => {
                return Err(Failure::usage(format!(
                    "--install {place} needs --sha256: what is fetched has to be checked"
                ))
                .help("SHA256SUMS beside the packages has it, in the line of pm-runner_…deb"));
            }
            None => sum(Path::new(place))?,
        };
        let source = if is_address { place.to_owned() } else { format!("copy:{}", whole(Path::new(place))?) };
        // It stands in a line that a shell of root reads.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ":/._~+%=@-".contains(c);
        if let Some(odd) = source.chars().find(|c| !is_plain(*c)) {
            return Err(Failure::usage(format!("--install {place} has {odd:?} in it"))
                .help("use an address or a path of letters, digits and / . _ ~ + % = @ -"));
        }
        Ok(Self { source, sha256 })
    }

    /// The line. apt's own helper fetches and checks, as a fresh server has no other; only `join` sees the token.
    pub(super) fn line(&self, token: &str, join: &str) -> String {
        let Self { source, sha256 } = self;
        format!(
            "PM_JOIN_TOKEN={token} sh -ec 'cd $(mktemp -d); chmod 755 .; alone=\"env -u PM_JOIN_TOKEN\"; \
             $alone /usr/lib/apt/apt-helper download-file {source} $PWD/pm-runner.deb SHA256:{sha256}; \
             $alone apt-get install -y -o DPkg::Lock::Timeout=120 $PWD/pm-runner.deb; rm -r $PWD; \
             {join}; $alone systemctl restart pm-runner'"
        )
    }
}

/// The path, from the root on.
fn whole(path: &Path) -> Result<String, Failure> {
    let whole = std::path::absolute(path).map_err(|e| Failure::usage(format!("--install {}: {e}", path.display())))?;
    let whole = whole.to_str().map(str::to_owned);
    whole.ok_or_else(|| Failure::usage(format!("--install {}: the path is no UTF-8", path.display())))
}

fn sum(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|e| {
        Failure::usage(format!("cannot read --install {}: {e}", path.display()))
            .help("for a file that is on the new server alone, say its checksum with --sha256")
    })?;
    Ok(fingerprint(&bytes))
}

fn digits(given: &str) -> Result<String, Failure> {
    let bare = given.strip_prefix("sha256:").unwrap_or(given);
    if bare.len() == 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(bare.to_ascii_lowercase());
    }
    Err(Failure::usage(format!("--sha256 {given} is no SHA-256; write its 64 hexadecimal digits")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_here_is_counted_and_an_address_needs_its_checksum() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.deb");
        std::fs::write(&path, "hello\n").unwrap();
        let package = Package::at(path.to_str().unwrap(), None).unwrap();
        assert_eq!(package.sha256, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
        assert_eq!(package.source, format!("copy:{}", path.display()));
        assert!(Package::at("https://example.com/p.deb", None).unwrap_err().to_string().contains("--sha256"));
        let given = package.sha256.to_uppercase();
        assert_eq!(Package::at("https://example.com/p.deb", Some(&given)).unwrap().sha256, package.sha256);
    }

    #[test]
    fn what_a_shell_would_not_take_as_it_is_is_refused() {
        let sum = "0".repeat(64);
        for bad in ["https://example.com/a b", "https://example.com/';reboot;'", "/srv/$(reboot).deb"] {
            assert!(Package::at(bad, Some(&sum)).is_err(), "{bad}");
        }
        for bad in ["", "0", &"g".repeat(64)] {
            assert!(Package::at("https://example.com/p.deb", Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_token_is_before_the_command_and_nowhere_in_it() {
        let line =
            Package::at("https://example.com/p.deb", Some(&"0".repeat(64))).unwrap().line("5ec", "runner-svc join");
        let (token, command) = line.split_once(' ').unwrap();
        assert_eq!(token, "PM_JOIN_TOKEN=5ec");
        assert!(!command.contains("5ec") && !command.contains('\n'), "{command}");
    }
}
