//! What must not be in a source: the host of a package registry (whoever
//! builds chooses it), a path of somebody's machine, work left for later, a
//! test that is switched off.

use super::sources::SourceFile;

/// A text that must not occur, and what to do instead. Each is written in two
/// pieces, so that this file does not breach its own rule.
const FORBIDDEN: &[((&str, &str), &str)] = &[
    (("registry.npm", "js"), "leave the registry to the machine's own settings"),
    (("pypi", ".org"), "leave the registry to the machine's own settings"),
    (("deb.deb", "ian.org"), "leave the mirror to the machine's own settings"),
    (("static.crates", ".io"), "leave the registry to the machine's own settings"),
    (("index.crates", ".io"), "leave the registry to the machine's own settings"),
    (("/ro", "ot/"), "write a path that holds on every machine"),
    (("TO", "DO"), "do it, or say in the issue that it is left out"),
    (("FIX", "ME"), "mend it, or say in the issue that it is left out"),
    (("#[igno", "re"), "a test that does not run proves nothing"),
    (("mark.", "skip"), "a test that does not run proves nothing"),
];

/// One line for each finding.
pub(super) fn breaches(files: &[SourceFile]) -> Vec<String> {
    let words: Vec<(String, &str)> = FORBIDDEN.iter().map(|((a, b), why)| ([*a, *b].concat(), *why)).collect();
    let mut breaches = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            // A test that is the child process of another is run by that one.
            let child = line.contains(crate::tally::RUN_BY_ANOTHER);
            for (word, instead) in &words {
                if line.contains(word.as_str()) && !(child && word.starts_with('#')) {
                    breaches.push(format!("{}:{}: {word}: {instead}", file.path, number + 1));
                }
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_forbidden_text_is_found_with_its_line() {
        for ((a, b), _) in FORBIDDEN {
            let file = SourceFile { path: "a.md".into(), text: format!("fine\nsee {a}{b}x") };
            let found = breaches(&[file]);
            assert_eq!(found.len(), 1, "{a}{b}");
            assert!(found[0].starts_with("a.md:2: "), "{found:?}");
        }
    }

    #[test]
    fn plain_text_is_no_breach() {
        let file = SourceFile { path: "a.md".into(), text: "the root of the workspace; ignore what is done".into() };
        assert_eq!(breaches(&[file]), Vec::<String>::new());
    }
}
