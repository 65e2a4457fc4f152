//! Every command in the pages is run by a test: typed here as it stands, from the top of its page to the bottom, with the exit
//! code demanded that the page promises; or by the test that `ways.rs` names for it. A command that is in neither fails this
//! test, and so does a row of that table that has outlived its command or its test.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "documented_commands/ways.rs"]
mod ways;

use std::process::Command;
use std::time::Instant;
use system_tests::pages::{self, Way};
use system_tests::{Machine, Outcome, binary};
use ways::{OF_A_USER, ON_A_SERVER, WAYS};

/// What somebody has in the folder where commands are typed.
const FILES: [(&str, &str); 4] = [
    // What HTTP calls an error is one.
    (".curlrc", "fail\n"),
    ("processes.yaml", ways::PROCESSES),
    ("app.yaml", ways::CHANGED),
    ("worker.py", "import signal\nsignal.pause()\n"),
];

/// What pages of a server are prepared with.
const GIVEN: [(&str, &str); 2] = [
    ("TERMINAL", include_str!("documented_commands/terminal.sh")),
    ("SETUP", include_str!("documented_commands/secured.sh")),
];

/// Types each page, in a terminal and a folder of its own; what went wrong.
fn types(machine: &Machine, pages: &[(&str, &str)], path: &str) {
    let mut faults = Vec::new();
    let given = GIVEN.map(|(name, text)| format!("{name}=$(cat <<'END_OF_IT'\n{text}\nEND_OF_IT\n)\n")).concat();
    for (page, before) in pages {
        let name = format!("var/tmp/{}", page.replace(['/', '.'], "-"));
        let folder = machine.sandbox.path().join(&name);
        let clone = machine.sandbox.file("var/tmp/clone");
        let _ = Outcome::of(Command::new("cp").args(["-a", &clone]).arg(&folder)).succeeded();
        for (file, text) in FILES {
            std::fs::write(folder.join(file), text).unwrap();
        }
        let script = pages::script(page, &WAYS);
        let began = Instant::now();
        let ran = machine.bash(&format!("/{name}"), path, &format!("{given}{{ {before}\n}} || exit\n{script}"));
        println!("{page}: {:?}", began.elapsed());
        if ran.code != 0 {
            faults.push(format!("{page}: {}\n{}", ran.stdout, ran.stderr));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n=====\n"));
}

#[test]
fn every_command_of_every_page_is_typed_here_or_has_a_row_that_says_who_runs_it() {
    let (commands, tests) = (pages::typed(), tests());
    assert!(commands.len() > 150, "only {} commands were found", commands.len());
    let mut faults = Vec::new();
    for command in &commands {
        let is_here = OF_A_USER.iter().chain(&ON_A_SERVER).any(|(page, _)| *page == command.page);
        if command.is_typed(&WAYS) && !is_here {
            faults.push(format!("{}:{}: nothing runs {}", command.page, command.line, command.text));
        }
    }
    for (page, begins, way) in &WAYS {
        if !commands.iter().any(|command| command.page == *page && command.text.starts_with(begins)) {
            faults.push(format!("{page} has no command that begins with {begins:?} any more"));
        }
        if let Way::By(test) = way
            && !tests.contains(&format!("fn {test}()"))
        {
            faults.push(format!("{page}: {begins}: there is no test {test}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The sources of all tests that start programs.
fn tests() -> String {
    let folders = ["tests/tests", "cli/tests", "xtask/src", "xtask/tests", "benches/tests"];
    let files = folders.iter().filter_map(|folder| std::fs::read_dir(binary::workspace_root().join(folder)).ok());
    files.flatten().filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok()).collect()
}

#[test]
fn what_the_pages_tell_a_user_to_type_works() {
    let machine = Machine::bare();
    types(&machine, &OF_A_USER, "/mnt/bin:/usr/bin:/bin:/usr/sbin:/sbin");
}

#[test]
fn what_the_pages_tell_an_administrator_to_type_on_a_server_works() {
    let machine = Machine::bare();
    types(&machine, &ON_A_SERVER, "/usr/sbin:/usr/bin:/sbin:/bin");
}
