//! What the pages of this project tell to type, and a shell's script that types it.
//!
//! A command is a line of a block for a shell, with the lines that it goes on in; in the README, and in what Helm prints, also
//! of an indented block; and in any block what follows a prompt (`$ `).

use crate::binary;
use std::fmt::Write as _;
use std::path::Path;

/// What Helm prints; its commands are indented.
const NOTES: &str = "helm/templates/NOTES.txt";

/// Seconds after which a page's script does not wait any more: it fails before it is ended, so that what was said is seen.
const LONGEST: u32 = 55;

/// A command of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// The page, from the root of the project.
    pub page: String,
    /// The line in which it begins.
    pub line: usize,
    /// As it stands there, comments too.
    pub text: String,
}

/// What a command needs beyond being typed, or who types it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Before it comes what the page presupposes at this place. `{{TEXT}}` is the page's first command that begins so.
    After(&'static str),
    /// It ends with this exit code, as the page says.
    Ends(i32),
    /// It goes on until Ctrl-C, and says this before.
    Until(&'static str),
    /// This test runs it.
    By(&'static str),
    /// Nobody can run it here, for this reason.
    Never(&'static str),
}

/// A page, how a command of it begins, and the way.
pub type Row = (&'static str, &'static str, Way);

impl Typed {
    /// The ways of a command.
    pub fn ways<'r>(&self, rows: &'r [Row]) -> impl Iterator<Item = &'r Row> {
        rows.iter().filter(|(page, begins, _)| *page == self.page && self.text.starts_with(begins))
    }

    /// Whether it is to be typed where its page is.
    #[must_use]
    pub fn is_typed(&self, rows: &[Row]) -> bool {
        !self.ways(rows).any(|(_, _, way)| matches!(way, Way::By(_) | Way::Never(_)))
    }
}

/// All commands, page by page.
///
/// # Panics
/// When a page cannot be read.
#[must_use]
pub fn typed() -> Vec<Typed> {
    let mut pages = vec!["README.md".to_owned(), "helm/README.md".to_owned(), NOTES.to_owned()];
    for folder in ["docs", "examples"] {
        below(folder, &mut pages);
    }
    pages.sort();
    pages.iter().flat_map(|page| of(page)).collect()
}

/// The pages below a folder.
fn below(folder: &str, pages: &mut Vec<String>) {
    for entry in std::fs::read_dir(binary::workspace_root().join(folder)).expect("it is a folder") {
        let name = entry.expect("it can be read").file_name().into_string().expect("the name is UTF-8");
        let path = format!("{folder}/{name}");
        if binary::workspace_root().join(&path).is_dir() {
            // What is installed beside an example is not ours.
            if name != "node_modules" && !name.starts_with('.') {
                below(&path, pages);
            }
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

/// The commands of a page.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn of(page: &str) -> Vec<Typed> {
    let text = std::fs::read_to_string(binary::workspace_root().join(page)).unwrap_or_else(|e| panic!("{page}: {e}"));
    let (mut typed, mut block) = (Vec::<Typed>::new(), None);
    let mut goes_on = false;
    for (at, line) in text.lines().enumerate() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            block = if block.is_some() { None } else { Some(kind) };
            goes_on = false;
            continue;
        }
        let said = match block {
            Some("sh") => Some(line),
            Some(_) => line.strip_prefix("$ "),
            None if page == "README.md" => line.strip_prefix("    "),
            None if page == NOTES => line.strip_prefix("  "),
            None => None,
        };
        let Some(said) = said.filter(|said| goes_on || !(said.trim().is_empty() || said.starts_with('#'))) else {
            continue;
        };
        match typed.last_mut().filter(|_| goes_on) {
            Some(last) => last.text += &format!("\n{said}"),
            None => typed.push(Typed { page: page.to_owned(), line: at + 1, text: said.to_owned() }),
        }
        let all = &typed.last().expect("there is one").text;
        let is_loop = all.starts_with("for ") && !all.trim_end().ends_with("done");
        goes_on = said.ends_with('\\') || is_loop;
    }
    typed
}

/// Types the commands of a page that are typed where the page is, from top to bottom in one terminal; ends with 1 at the first
/// that ends otherwise than it should.
///
/// # Panics
/// When a row names a command that the page does not have.
#[must_use]
pub fn script(page: &str, rows: &[Row]) -> String {
    let commands = of(page);
    let mut script =
        "set -mo pipefail\nfailed() { printf '%s\\nended with %s\\n' \"$1\" \"$2\"; exit 1; }\n".to_owned();
    for command in commands.iter().filter(|command| command.is_typed(rows)) {
        let place = quoted(&format!("{page}:{}: {}", command.line, command.text));
        let (mut code, mut until, text) = (0, None, &command.text);
        writeln!(script, "printf '\\n@@ %s\\n' {place}").unwrap();
        for (_, _, way) in command.ways(rows) {
            match way {
                Way::After(before) => {
                    let before = filled(before, &commands);
                    writeln!(script, "{{ {before}\n}} || failed 'what comes before '{place} $?").unwrap();
                }
                Way::Ends(other) => code = *other,
                Way::Until(said) => until = Some(quoted(said)),
                // These are not typed here.
                Way::By(_) | Way::Never(_) => {}
            }
        }
        match until {
            None => writeln!(script, "{text}\ncode=$?; [ $code = {code} ] || failed {place} $code"),
            Some(said) => writeln!(
                script,
                "{{ {text}\n}} > ~/said 2>&1 &\n\
                 until grep -q -- {said} ~/said; do kill -0 $! && [ $SECONDS -lt {LONGEST} ] || {{ cat ~/said; failed {place} 'an end'; }}; sleep 0.05; done\n\
                 kill -INT -- -$!; wait $!; cat ~/said",
            ),
        }
        .unwrap();
    }
    script
}

/// With the page's own commands in the place of how they begin.
fn filled(text: &str, commands: &[Typed]) -> String {
    let mut parts = text.split("{{");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (begins, rest) = part.split_once("}}").expect("what is opened is closed");
        let command = commands.iter().find(|command| command.text.starts_with(begins));
        filled += &command.unwrap_or_else(|| panic!("no command begins with {begins}")).text;
        filled += rest;
    }
    filled
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
