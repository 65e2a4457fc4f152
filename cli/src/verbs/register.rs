//! `pmctl register`: defines one process without a file (S0.3).

use super::apply;
use crate::applying::{self, Manner};
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::human;
use process_model::spec::{Command, RestartMode, RuntimeType};
use process_model::{ProcessName, ProcessSpec};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Arguments of `register`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl register app.py --name web --port 8000
  pmctl register ./worker --name worker --instances 4 --env MODE=fast -- --verbose
  pmctl register server.js --name api --type node --restart on-failure")]
pub struct Args {
    /// The program: a .py or .js file, or anything executable
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Name of the process
    #[arg(long, value_name = "NAME")]
    name: ProcessName,
    /// How it is run, as python, node, exec, shell, flask or a type of the node's own; seen from the file when left out
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<RuntimeType>,
    /// Port that it listens on, as 8080 or http=8080; may be repeated
    #[arg(long = "port", value_parser = port, value_name = "PORT")]
    ports: Vec<(Option<String>, u16)>,
    /// Number of instances
    #[arg(long, default_value_t = 1, value_name = "N")]
    instances: u32,
    /// Environment variable; may be repeated
    #[arg(long = "env", value_parser = variable, value_name = "KEY=VALUE")]
    env: Vec<(String, String)>,
    /// Working directory [default: the file's folder]
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// When to restart
    #[arg(long, default_value = "always", value_parser = restart, value_name = "always|on-failure|never")]
    restart: RestartMode,
    /// Define it only; `pmctl start` starts it
    #[arg(long)]
    no_start: bool,
    /// Why, for the audit log
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
    /// Arguments of the program
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

fn port(text: &str) -> Result<(Option<String>, u16), String> {
    let (name, number) = match text.split_once('=') {
        Some((name, number)) => (Some(name.to_owned()), number),
        None => (None, text),
    };
    match number.parse::<u16>() {
        Ok(number @ 1..) => Ok((name, number)),
        Ok(0) | Err(_) => Err(format!("{number:?} is no port; write 1 to 65535")),
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("write it as KEY=VALUE".to_owned()),
    }
}

fn restart(text: &str) -> Result<RestartMode, String> {
    RestartMode::ALL
        .into_iter()
        .find(|mode| mode.as_str() == text)
        .ok_or_else(|| "write always, on-failure or never".to_owned())
}

/// Registers the process.
///
/// # Errors
/// The file is not there or not fit, or the server refuses.
pub fn run(context: &Context, args: Args) -> Result<Exit, Failure> {
    let name = args.name.clone();
    let manner = Manner { source: "register", reason: args.reason.clone(), ..Manner::default() };
    let spec = spec(args)?;
    context.block_on("register", async {
        let connection = context.connect().await?;
        let answer = applying::apply(&connection, &format!("register {name}"), &[spec], &manner).await?;
        apply::print(context, answer, false)?;
        if !context.format.is_machine() {
            context.terminal.note(format_args!("`pmctl status {name}` shows how it is"));
        }
        Ok(Exit::Done)
    })
}

fn spec(args: Args) -> Result<ProcessSpec, Failure> {
    let path = std::path::absolute(&args.path)
        .map_err(|e| Failure::usage(format!("{} is no path: {e}", args.path.display())))?;
    let kind = kind(&path, args.kind)?;
    let file = text(&path)?;
    let argv = |first: Vec<String>| Command::Argv(first.into_iter().chain(args.args.iter().cloned()).collect());
    let (command, runtime) = if kind.as_str() == RuntimeType::SHELL {
        // A list, so that no argument is read by the shell a second time.
        (argv(vec!["/bin/sh".to_owned(), file]), RuntimeType::exec())
    } else {
        (argv(vec![file]), kind)
    };
    let mut spec = ProcessSpec::new(args.name, command);
    spec.runtime = runtime;
    spec.instances = args.instances;
    spec.restart.mode = args.restart;
    spec.autostart = !args.no_start;
    spec.env = args.env.into_iter().collect();
    spec.working_dir = Some(working_dir(&path, args.cwd.as_deref())?);
    for (number, (name, port)) in args.ports.into_iter().enumerate() {
        // The same names as an unnamed list in a file gets.
        let name = name.unwrap_or_else(|| if number == 0 { "port".to_owned() } else { format!("port-{}", number + 1) });
        if spec.ports.insert(name.clone(), port).is_some() {
            return Err(Failure::usage(format!("--port {name} is given twice")).help("name each, as --port http=8080"));
        }
    }
    let faults = spec.check();
    if faults.is_empty() {
        return Ok(spec);
    }
    let count = human::count(faults.len(), "fault", "faults");
    Err(Failure::usage(format!("the process is not valid: {count}")).faults(faults.iter().map(ToString::to_string)))
}

fn working_dir(path: &Path, cwd: Option<&Path>) -> Result<String, Failure> {
    let dir = match cwd {
        Some(dir) => {
            std::path::absolute(dir).map_err(|e| Failure::usage(format!("--cwd {} is no path: {e}", dir.display())))?
        }
        None => path.parent().unwrap_or(Path::new("/")).to_owned(),
    };
    if !dir.is_dir() {
        return Err(
            Failure::usage(format!("the working directory {} is not there", dir.display())).help("--cwd names another")
        );
    }
    text(&dir)
}

fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| Failure::usage(format!("{} is not UTF-8", path.display())))
}

/// How the file is run, as asked or as it looks.
fn kind(path: &Path, asked: Option<RuntimeType>) -> Result<RuntimeType, Failure> {
    let metadata = std::fs::metadata(path).map_err(|e| {
        Failure::usage(format!("cannot register {}: {e}", path.display())).help("PATH is the program's file")
    })?;
    if !metadata.is_file() {
        return Err(
            Failure::usage(format!("{} is no file", path.display())).help("PATH is the program's file, as app.py")
        );
    }
    let executable = metadata.permissions().mode() & 0o111 != 0;
    let refuse = || {
        Err(Failure::usage(format!("{} is not executable", path.display()))
            .help(format!("chmod +x {}, or say how to run it: --type python, node or shell", path.display())))
    };
    if let Some(kind) = asked {
        return if kind.as_str() == RuntimeType::EXEC && !executable { refuse() } else { Ok(kind) };
    }
    let seen = match path.extension().and_then(|extension| extension.to_str()) {
        Some("py") => "python",
        Some("js" | "mjs" | "cjs") => "node",
        Some(_) | None if executable => RuntimeType::EXEC,
        Some("sh") => RuntimeType::SHELL,
        Some(_) | None => return refuse(),
    };
    seen.parse().map_err(|e| Failure::usage(format!("--type: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(words: &[&str]) -> Args {
        Line::try_parse_from(std::iter::once(&"register").chain(words)).map(|line| line.args).unwrap()
    }

    fn file(name: &str, mode: u32) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (dir, path)
    }

    #[test]
    fn the_type_is_seen_from_the_file() {
        for (name, mode, runtime) in
            [("app.py", 0o644, "python"), ("app.js", 0o644, "node"), ("tool", 0o755, "exec"), ("run.sh", 0o644, "exec")]
        {
            let (_dir, path) = file(name, mode);
            assert_eq!(spec(parse(&[&path, "--name", "x"])).unwrap().runtime.as_str(), runtime, "{name}");
        }
        let (_dir, path) = file("app.py", 0o644);
        assert_eq!(spec(parse(&[&path, "--name", "x", "--type", "flask"])).unwrap().runtime.as_str(), "flask");
        let (_dir, path) = file("notes.txt", 0o644);
        assert!(spec(parse(&[&path, "--name", "x"])).unwrap_err().to_string().contains("not executable"));
    }

    #[test]
    fn everything_reaches_the_spec() {
        let (dir, path) = file("app.py", 0o644);
        let words = [
            path.as_str(),
            "--name",
            "web",
            "--port",
            "8000",
            "--port",
            "admin=9000",
            "--instances",
            "3",
            "--env",
            "A=b=c",
            "--restart",
            "never",
            "--no-start",
            "--",
            "--fast",
        ];
        let spec = spec(parse(&words)).unwrap();
        assert_eq!(spec.command, Command::Argv(vec![path.clone(), "--fast".to_owned()]));
        assert_eq!(
            spec.ports.iter().map(|(n, p)| (n.as_str(), *p)).collect::<Vec<_>>(),
            [("admin", 9000), ("port", 8000)]
        );
        assert_eq!((spec.instances, spec.env["A"].as_str(), spec.autostart), (3, "b=c", false));
        assert_eq!(spec.restart.mode, RestartMode::Never);
        assert_eq!(spec.working_dir.as_deref(), dir.path().to_str());
    }

    #[test]
    fn what_is_not_there_is_named() {
        let refused = spec(parse(&["/nowhere/app.py", "--name", "x"])).unwrap_err();
        assert!(refused.exit() == Exit::Usage && refused.to_string().contains("/nowhere/app.py"));
        let (_dir, path) = file("app.py", 0o644);
        assert!(
            spec(parse(&[&path, "--name", "x", "--cwd", "/nowhere"])).unwrap_err().to_string().contains("/nowhere")
        );
        assert!(Line::try_parse_from(["register", &path, "--name", "../x"]).is_err());
        assert!(Line::try_parse_from(["register", &path, "--name", "x", "--port", "70000"]).is_err());
    }
}
