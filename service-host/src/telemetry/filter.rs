//! Who may log how much.
//!
//! Enters: what the user wrote. Leaves: our own code at that level, everything else at `warn`, a few at `error`.
//! Spans for traces have a filter of their own, so that `PM_LOG=error` does not break traces, and so that the
//! exporter's own calls are never traced (they would export themselves for ever).

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, FilterFn, Targets, filter_fn};
use tracing_subscriber::layer::Filter;

use super::TelemetryError;
use crate::server::TRACE_CALLS_TARGET;

/// The crates of this workspace: only these speak at `info`.
pub(super) const OURS: [&str; 17] = [
    "gateway",
    "monitor_domain",
    "monitor_svc",
    "pm_proto",
    "pmctl",
    "process_model",
    "registry_consensus",
    "registry_domain",
    "registry_log",
    "registry_quorum",
    "registry_svc",
    "runner_domain",
    "runner_keeper",
    "runner_svc",
    "runner_types",
    "service_host",
    "xtask",
];

/// Others that warn of what is their daily business (an election, a peer that is away); what of it matters our own
/// code reports.
const QUIET: [&str; 4] = ["openraft", "h2", "hyper", "tonic"];

/// The filter of the logs.
pub(super) fn logs(level: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder()
        .parse(directives(level))
        .map_err(|source| TelemetryError::Filter { filter: level.to_owned(), source })
}

/// The filter of the spans: ours, at `info` and above. Events become part of a span only when it is exported.
pub(super) fn traces<S: 'static>(exporting: bool) -> impl Filter<S> + Send + Sync + 'static {
    let ours = Targets::new().with_targets(OURS.map(|ours| (ours, LevelFilter::INFO)));
    let kind: FilterFn<fn(&Metadata<'_>) -> bool> =
        if exporting { filter_fn(|_| true) } else { filter_fn(|metadata| metadata.is_span()) };
    // Without a hint all spans and events below the level are asked about, each time: openraft makes dozens for a write.
    tracing_subscriber::filter::FilterExt::and(ours, kind.with_max_level_hint(LevelFilter::INFO))
}

/// A bare level in the user's list is for our own code; whatever names a target is taken as written, and, coming
/// last, wins.
fn directives(level: &str) -> String {
    let mut own = LevelFilter::INFO;
    let mut explicit = Vec::new();
    for part in split(level) {
        match part.parse::<LevelFilter>() {
            Ok(level) => own = level,
            Err(_) => explicit.push(part),
        }
    }
    let others = own.min(LevelFilter::WARN);
    let quiet = own.min(LevelFilter::ERROR);
    let mut directives = vec![others.to_string()];
    directives.extend(QUIET.map(|target| format!("{target}={quiet}")));
    directives.extend(OURS.map(|target| format!("{target}={own}")));
    // A span for each call says, in a log line, nothing that its message does not.
    directives.push(format!("{TRACE_CALLS_TARGET}=off"));
    directives.extend(explicit.into_iter().map(str::to_owned));
    directives.join(",")
}

/// At commas, but not at those within `[span{field=a,other=b}]`.
fn split(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    list.split(move |c: char| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_is_for_our_own_code_and_others_stay_quiet() {
        let text = directives("debug");
        assert!(text.starts_with("warn,"), "{text}");
        assert!(text.contains("registry_svc=debug") && text.contains("openraft=error"), "{text}");
        assert!(directives("error").starts_with("error,"));
        assert!(directives("off").starts_with("off,") && directives("off").contains("openraft=off"));
        assert!(directives("").contains("gateway=info"));
    }

    #[test]
    fn what_names_a_target_is_taken_as_written_and_wins() {
        let text = directives("info, runner_svc=trace ,h2=debug,app[call{id=1,kind=2}]=debug");
        assert!(text.ends_with("runner_svc=trace,h2=debug,app[call{id=1,kind=2}]=debug"), "{text}");
        assert!(text.contains("gateway=info"), "{text}");
        let filter = logs("warn,runner_svc=trace").unwrap().to_string();
        assert!(filter.contains("runner_svc=trace") && !filter.contains("runner_svc=warn"), "{filter}");
    }

    #[test]
    fn nonsense_is_an_error_that_says_what_to_write() {
        for bad in ["info,x=loud", "=,=", "a=b=c"] {
            let error = logs(bad).unwrap_err();
            assert!(error.to_string().contains(bad) && error.to_string().contains("info,runner_svc=debug"), "{error}");
        }
    }

    /// A crate that is added to the workspace and forgotten here would log nothing below `warn`.
    #[test]
    fn every_crate_of_the_workspace_is_one_of_ours() {
        let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).unwrap();
        let local = manifest.lines().filter(|line| line.contains("path = \""));
        let names: Vec<String> = local.filter_map(|line| Some(line.split_once(" = ")?.0.replace('-', "_"))).collect();
        assert!(names.len() >= 10, "{names:?}");
        for name in names {
            assert!(OURS.contains(&name.as_str()), "{name} is missing in OURS");
        }
    }
}
