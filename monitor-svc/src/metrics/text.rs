//! OpenMetrics text → Prometheus' own text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), which
//! `promtool check metrics` and simple readers understand.
//!
//! The two differ in few things: OpenMetrics names a counter's family without
//! the `_total` of its samples (an info's without `_info`), has units, types
//! that the older format does not know, and an end mark. Samples are the same
//! in both, as long as they carry no exemplar; ours never do.

use std::fmt::Write as _;

/// Content type of [`from_open_metrics`].
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The same metrics in the older format.
pub(crate) fn from_open_metrics(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(comment) = line.strip_prefix("# ") else {
            push(&mut out, format_args!("{line}"));
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            // HELP comes before the TYPE that says how the family is named.
            (Some("HELP"), Some(family), Some(help)) => {
                let kind = lines.peek().and_then(|next| next.strip_prefix("# TYPE ")?.strip_prefix(family));
                let (name, _) = renamed(family, kind.unwrap_or_default().trim());
                push(&mut out, format_args!("# HELP {name} {help}"));
            }
            (Some("TYPE"), Some(family), Some(kind)) => {
                let (name, kind) = renamed(family, kind);
                push(&mut out, format_args!("# TYPE {name} {kind}"));
            }
            // UNIT and EOF have no counterpart.
            (_, _, _) => {}
        }
    }
    out
}

fn push(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{line}");
}

fn renamed<'a>(family: &str, kind: &'a str) -> (String, &'a str) {
    match kind {
        "counter" => (format!("{family}_total"), "counter"),
        "info" => (format!("{family}_info"), "gauge"),
        "unknown" => (family.to_owned(), "untyped"),
        "stateset" => (family.to_owned(), "gauge"),
        same => (family.to_owned(), same),
    }
}

#[cfg(test)]
mod tests {
    use super::from_open_metrics;

    #[test]
    fn families_are_named_as_their_samples_and_the_end_mark_goes() {
        let open = "# HELP calls Calls made.\n# TYPE calls counter\ncalls_total{a=\"# x\"} 3\n\
                    # HELP pm_build What.\n# TYPE pm_build info\npm_build_info{v=\"1\"} 1\n\
                    # HELP load_seconds Load.\n# TYPE load_seconds gauge\n# UNIT load_seconds seconds\nload_seconds 1.5\n# EOF\n";
        let text = "# HELP calls_total Calls made.\n# TYPE calls_total counter\ncalls_total{a=\"# x\"} 3\n\
                    # HELP pm_build_info What.\n# TYPE pm_build_info gauge\npm_build_info{v=\"1\"} 1\n\
                    # HELP load_seconds Load.\n# TYPE load_seconds gauge\nload_seconds 1.5\n";
        assert_eq!(from_open_metrics(open), text);
    }
}
