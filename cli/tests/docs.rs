//! Holds `docs/pmctl.md` against the real command line: every verb with an
//! example that is its own, every output format, every exit code, every
//! environment variable; and none that is not there.

// A test fails by panicking, in its helper functions too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clap::{Arg, Command, CommandFactory, ValueEnum};
use pmctl::args::Cli;
use pmctl::exit::Exit;
use pmctl::output::Format;
use std::collections::BTreeSet;

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
