//! No file too long to be read in one go (style.md 15): 400 lines without its
//! tests, and 80 for a `lib.rs`, which is a map.

use super::sources::SourceFile;

const LONGEST: usize = 400;
const LONGEST_MAP: usize = 80;

/// One line for each file that is too long.
pub(super) fn breaches(files: &[SourceFile]) -> Vec<String> {
    files
        .iter()
        .filter(|file| file.path.ends_with(".rs") || file.path.ends_with(".py"))
        .filter(|file| !file.is_test())
        .filter_map(|file| {
            let is_map = file.path.ends_with("/lib.rs");
            let allowed = if is_map { LONGEST_MAP } else { LONGEST };
            let lines = lines_without_tests(&file.text);
            (lines > allowed)
                .then(|| format!("{}: {lines} lines, {allowed} are allowed; give a topic its own file", file.path))
        })
        .collect()
}

/// Lines before the test module at the end of a file.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .windows(2)
        .position(|pair| pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{'))
        .unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: String) -> SourceFile {
        SourceFile { path: path.into(), text }
    }

    #[test]
    fn a_long_file_is_a_breach() {
        assert_eq!(breaches(&[file("a/src/b.rs", "x\n".repeat(401))]).len(), 1);
        assert_eq!(breaches(&[file("a/src/b.rs", "x\n".repeat(400))]).len(), 0);
    }

    #[test]
    fn a_long_map_is_a_breach() {
        assert_eq!(breaches(&[file("a/src/lib.rs", "x\n".repeat(81))]).len(), 1);
    }

    #[test]
    fn tests_do_not_count() {
        let text = "x\n".repeat(399) + "#[cfg(test)]\nmod tests {\n" + &"x\n".repeat(500);
        assert_eq!(breaches(&[file("a/src/b.rs", text)]).len(), 0);
        assert_eq!(breaches(&[file("a/tests/b.rs", "x\n".repeat(900))]).len(), 0);
    }
}
