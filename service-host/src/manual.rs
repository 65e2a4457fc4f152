//! Manual pages. A program writes its own, from the command line that it really has: `PROGRAM --write-manual DIR`, which
//! is for those who make packages and is in no help text.

use clap::Command;
use clap_mangen::Man;
use std::ffi::OsString;
use std::io;
use std::path::Path;

/// What asks for it; the first word, before the command line is looked at.
const ASKED: &str = "--write-manual";

/// Writes the pages and ends this process, if that is what it was started for. `section`: 1 for everybody's commands, 8
/// for a system's.
pub fn write_if_asked(command: Command, section: &str) {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_none_or(|word| word != ASKED) {
        return;
    }
    let written = folder(words).and_then(|dir| pages(command, section, Path::new(&dir)));
    if let Err(error) = &written {
        eprintln!("cannot write the manual: {error}");
    }
    std::process::exit(i32::from(written.is_err()));
}

fn folder(mut words: impl Iterator<Item = OsString>) -> io::Result<OsString> {
    words.next().ok_or_else(|| io::Error::other(format!("write {ASKED} DIR")))
}

/// A page for the program and one for each of its verbs, as `pmctl.1`, `pmctl-nodes-drain.1`.
fn pages(command: Command, section: &str, dir: &Path) -> io::Result<()> {
    // Its pages would say what each verb's own page says.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    std::fs::create_dir_all(dir)?;
    page(&command, section, dir)
}

fn page(command: &Command, section: &str, dir: &Path) -> io::Result<()> {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        page(verb, section, dir)?;
    }
    Man::new(command.clone()).section(section).manual("Process manager").generate_to(dir).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_and_each_of_its_verbs_have_a_page_of_the_section() {
        let dir = tempfile::tempdir().unwrap();
        let verb = Command::new("join").about("Gets a certificate");
        let command = Command::new("a-svc").about("Does it").subcommand(verb).subcommand(Command::new("x").hide(true));
        pages(command, "8", dir.path()).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a-svc-join.8", "a-svc.8"]);
        let text = std::fs::read_to_string(dir.path().join("a-svc-join.8")).unwrap();
        assert!(text.contains(".TH a-svc-join 8") && text.contains("Gets a certificate"), "{text}");
    }
}
