//! Holds `docs/pmctl.md` against the real command line: every verb with an
//! example that is its own, every output format, every exit code, every
//! environment variable; and none that is not there.

// A test fails by panicking, in its helper functions too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clap::{Arg, Command, CommandFactory, ValueEnum};
use pmctl::args::Cli;
use pmctl::exit::Exit;
use pmctl::output::Format;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pmctl.md"));

/// The cells of each row of the table that stands under this heading row.
fn table(first_heading: &str) -> Vec<Vec<&'static str>> {
    let begins = format!("| {first_heading} |");
    let rows: Vec<_> = PAGE
        .lines()
        .skip_while(|line| !line.starts_with(&begins))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "docs/pmctl.md has no table that begins with {begins:?}");
    rows
}

fn first_cells(first_heading: &str) -> BTreeSet<String> {
    table(first_heading).iter().map(|row| row[0].trim_matches('`').to_owned()).collect()
}

#[test]
fn every_verb_has_a_row_with_an_example_that_the_command_line_accepts() {
    let mut verbs = BTreeSet::new();
    for row in table("verb") {
        let mut names = row[0].split(", ");
        let verb = names.next().unwrap();
        let command = Cli::command().find_subcommand(verb).cloned();
        let command = command.unwrap_or_else(|| panic!("pmctl has no verb {verb}"));
        let aliases: Vec<_> = command.get_visible_aliases().collect();
        assert_eq!(names.collect::<Vec<_>>(), aliases, "other names of {verb}");
        let example = row[1].trim_matches('`');
        let words = words(example);
        assert_eq!(words.get(1).map(String::as_str), Some(verb), "the example of {verb} is of another verb: {example}");
        if let Err(refused) = Cli::command().try_get_matches_from(&words) {
            panic!("{example} is refused: {refused}");
        }
        verbs.insert(verb.to_owned());
    }
    let real: BTreeSet<_> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    assert_eq!(verbs, real);
}

/// The words of the `pmctl` call in an example, as a shell sees them: quotes
/// hold words together, `>` and what follows is not pmctl's.
fn words(example: &str) -> Vec<String> {
    let call = example.split("source <(").last().unwrap().trim_end_matches(')');
    let call = call.split(" > ").next().unwrap();
    let (mut words, mut quoted) = (vec![String::new()], false);
    for character in call.chars() {
        match character {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    words
}

#[test]
fn every_exit_code_has_a_row_and_no_other_number_has() {
    let real: BTreeSet<_> = (0..=u8::MAX).filter(|code| Exit::of_code(*code).code() == *code).collect();
    let documented: BTreeSet<u8> = first_cells("code").iter().map(|code| code.parse().expect(code)).collect();
    assert_eq!(documented, real);
}

#[test]
fn every_output_format_has_a_row() {
    let real: BTreeSet<_> =
        Format::value_variants().iter().map(|f| f.to_possible_value().unwrap().get_name().to_owned()).collect();
    assert_eq!(first_cells("`-o`"), real);
}

#[test]
fn every_environment_variable_of_a_flag_is_named() {
    fn of(command: &Command) -> Vec<String> {
        let own = command.get_arguments().filter_map(Arg::get_env).map(|name| name.to_string_lossy().into_owned());
        own.chain(command.get_subcommands().flat_map(of)).collect()
    }
    for variable in of(&Cli::command()) {
        assert!(PAGE.contains(&format!("`{variable}`")), "docs/pmctl.md does not name {variable}");
    }
}

/// What a page tells to type: the lines of its blocks for a shell.
fn typed(page: &str) -> impl Iterator<Item = &str> {
    page.split("```sh\n").skip(1).flat_map(|rest| rest.split("```").next().unwrap().lines()).map(str::trim)
}

/// The call alone: without what follows in the shell, and without comments.
fn call(line: &str) -> Option<&str> {
    let ends = [" #", " | ", " && ", " < ", " <<", " > ", "; ", "   "];
    let end = ends.iter().filter_map(|end| line.find(end)).min().unwrap_or(line.len());
    let call = line[..end].trim();
    // One that goes on in the next line is looked at nowhere else; none does so far.
    assert!(!call.starts_with("pmctl") || !call.ends_with('\\'), "{line} goes on");
    // What is cut short is not to be typed as it stands.
    (call.starts_with("pmctl ") && !call.contains('…')).then_some(call)
}

#[test]
fn every_call_that_a_page_tells_to_type_is_one_that_the_command_line_accepts() {
    let (mut calls, mut faults) = (0, Vec::new());
    for (name, page) in pages() {
        let name = name.display().to_string();
        let inline = page.split('`').skip(1).step_by(2).filter(|_| name.ends_with("migration.md"));
        for call in typed(&page).chain(inline).filter_map(call) {
            calls += 1;
            if let Err(refused) = Cli::command().try_get_matches_from(words(&call.replace('\'', "\""))) {
                faults.push(format!("{name}: {call} is refused: {refused}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(calls > 50, "only {calls} calls were found");
}

/// All pages, by their path from the root of the project.
fn pages() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = BTreeMap::new();
    let mut folders =
        vec![PathBuf::from("docs"), PathBuf::from("examples"), PathBuf::from("deploy"), PathBuf::from("helm")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&folder)).into_iter().flatten() {
            let (path, kind) = entry.map(|e| (folder.join(e.file_name()), e.file_type().unwrap())).unwrap();
            if kind.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.insert(path.clone(), std::fs::read_to_string(root.join(&path)).unwrap());
            }
        }
    }
    pages.insert("README.md".into(), std::fs::read_to_string(root.join("README.md")).unwrap());
    pages
}

/// The name of a heading in a link, as forges make it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// `a/b/../c` as `a/c`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => plain.push(part),
        }
    }
    plain
}

#[test]
fn every_link_from_page_to_page_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() > 15, "{:?}", pages.keys());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut faults = Vec::new();
    for (path, page) in &pages {
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            let (file, wanted) = link.split_once('#').unwrap_or((link, ""));
            let to = match file {
                "" => path.clone(),
                file => plain(&path.parent().unwrap().join(file)),
            };
            if !root.join(&to).exists() {
                faults.push(format!("{}: {link}: no such file", path.display()));
            } else if let Some(page) = pages.get(&to).filter(|_| !wanted.is_empty())
                && !page.lines().any(|line| line.starts_with('#') && anchor(line) == wanted)
            {
                faults.push(format!("{}: {link}: no such heading", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
