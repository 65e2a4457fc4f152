//! `pmctl watch`: one command, restarted when its log file falls silent
//! (S2.2). No file, no service, no port: a runner alone, on one thread.

use crate::context::Context;
use crate::den::{Den, Leftover};
use crate::error::Failure;
use crate::error::chain;
use crate::exit::Exit;
use crate::live::LiveLine;
use crate::output::document;
use crate::signals::{Signals, Stop};
use crate::up::leftover;
use crate::up::notices::line_of_notice;
use crate::up::services::drain;
use process_model::spec::limits::{WATCHDOG_INTERVAL, WATCHDOG_TIMEOUT};
use process_model::spec::{Command, LogWatchdog};
use process_model::{Assignment, InstanceId, ProcessSpec, event_type};
use runner_svc::{Notice, NoticeKind, Options, Runner};
use serde_json::json;
use service_host::secret::Secret;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// Arguments of `watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  pmctl watch \"python3 worker.py\" worker.log
  pmctl watch \"./job.sh --all >> job.log 2>&1\" job.log 120 10

COMMAND is a shell command; what it prints is appended to LOGFILE. Activity is any
growth or change of LOGFILE, which is made when it is missing. Ctrl-C stops the command.")]
pub struct Args {
    /// Command line for /bin/sh
    #[arg(value_name = "COMMAND", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    command: String,
    /// File whose activity is a sign of life
    #[arg(value_name = "LOGFILE")]
    log_file: PathBuf,
    /// Silence that leads to a restart: seconds (1 to 3600), or as 90s
    #[arg(value_name = "TIMEOUT", default_value = "60", value_parser = timeout)]
    timeout: Duration,
    /// Time between looks at the file: seconds (1 to 300), or as 5s
    #[arg(value_name = "INTERVAL", default_value = "5", value_parser = interval)]
    interval: Duration,
}

fn timeout(text: &str) -> Result<Duration, String> {
    seconds(text, &WATCHDOG_TIMEOUT)
}

fn interval(text: &str) -> Result<Duration, String> {
    seconds(text, &WATCHDOG_INTERVAL)
}

fn seconds(text: &str, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let fix = || format!("write {} to {} seconds", range.start().as_secs(), range.end().as_secs());
    let value = text
        .parse()
        .map(Duration::from_secs)
        .or_else(|_| humantime::parse_duration(text))
        .map_err(|_| format!("it is no number of seconds; {}", fix()))?;
    if range.contains(&value) { Ok(value) } else { Err(format!("it is out of range; {}", fix())) }
}

/// Watches until Ctrl-C (130) or SIGTERM (0).
///
/// # Errors
/// The log file cannot be used, another watch has it, or the runner cannot
/// start.
pub fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    let log = usable_log(&args.log_file)?;
    let spec = spec(args, &log)?;
    let den = Den::take(&context.state()?, &log)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("cannot start the runtime: {e}")))?;
    let result = runtime.block_on(watch(context, args, &log, spec, &den));
    if result.is_ok() {
        den.clear();
    }
    result
}

async fn watch(context: &Context, args: &Args, log: &Path, spec: ProcessSpec, den: &Den) -> Result<Exit, Failure> {
    let mut signals = Signals::new()?;
    let terminal = context.terminal;
    let spec = match den.leftover(&spec) {
        Leftover::None => {
            den.clear();
            den.remember(&spec)?;
            spec
        }
        Leftover::Same(before) => {
            terminal.note("an earlier watch of this file was killed; taking its program over");
            *before
        }
        Leftover::Other => {
            terminal.note("an earlier watch of this file was killed; stopping its program first");
            if !leftover::stop(den.runner(), den.root.clone(), &terminal).await? {
                return Err(crate::up::not_stopped());
            }
            den.clear();
            den.remember(&spec)?;
            spec
        }
    };
    let node = "localhost".parse().map_err(|e| Failure::failed(format!("the node has no name: {e}")))?;
    let options = Options {
        state_dir: den.runner(),
        log_dir: den.root.join("logs"),
        // A command of its own is run, which has no type.
        types_dir: None,
        plugins_dir: None,
        labels: [].into(),
        policy_file: runner_svc::PolicyFile::Nowhere,
        log_quota: None,
        node,
        registry: None,
        monitor: None,
        token: Secret::generate(),
        // Nobody is there to take samples.
        sample_interval: Duration::from_secs(3600),
    };
    let instance = InstanceId::new(spec.name.clone(), 1);
    let runner =
        Runner::start(options).await.map_err(|e| Failure::failed(format!("cannot start the runner: {}", chain(&e))))?;
    let mut notices = runner.notices();
    terminal.note(format_args!(
        "watching {}: restart after {} of silence, a look every {}; Ctrl-C stops",
        log.display(),
        humantime::format_duration(args.timeout),
        humantime::format_duration(args.interval),
    ));
    runner.assign(vec![Assignment {
        instance,
        generation: 1,
        spec: Arc::new(spec),
        wanted: true,
        restart_count: 0,
        traceparent: String::new(),
        fencing_token: 0,
        plan: None,
    }]);
    let show = |notice: &Notice| show(context, notice);
    let stop = loop {
        tokio::select! {
            stop = signals.next() => break stop,
            notice = notices.recv() => match notice {
                Ok(notice) => {
                    show(&notice);
                    // From here on little of this program is needed (S2.13); what is comes back by itself.
                    if matches!(&notice.kind, NoticeKind::Lifecycle { event } if event == event_type::INSTANCE_READY) {
                        runner_svc::give_back_code();
                    }
                }
                Err(RecvError::Lagged(missed)) => terminal.note(format_args!("{missed} lines were missed")),
                Err(RecvError::Closed) => return Err(Failure::failed("the runner ended unexpectedly")),
            },
        }
    };
    terminal.note("stopping; once more to be faster");
    drop(notices);
    if !drain(runner, &mut signals, &mut |notice| show(notice)).await {
        return Err(crate::up::not_stopped());
    }
    Ok(match stop {
        Stop::Interrupted => Exit::Interrupted,
        Stop::Terminated => Exit::Done,
    })
}

/// One line as it happens. There is one instance, so its name is left out;
/// and it has no probe, so that it is ready goes without saying.
fn show(context: &Context, notice: &Notice) {
    let terminal = &context.terminal;
    let mut line = line_of_notice(notice);
    if let NoticeKind::Lifecycle { event } = &notice.kind {
        match event.as_str() {
            event_type::INSTANCE_READY => return,
            event_type::INSTANCE_STOPPED => "stopped".clone_into(&mut line.text),
            // Every other is told as it is.
            _ => {}
        }
    }
    // A reader that has gone does not end what runs.
    if context.format.is_machine() {
        let time = humantime::format_rfc3339_millis(
            std::time::UNIX_EPOCH + Duration::from_nanos(u64::try_from(notice.time.0).unwrap_or(0)),
        );
        let value = json!({ "time": time.to_string(), "message": line.text });
        let _ = document(terminal, crate::output::Format::Jsonl, &value);
    } else {
        let line = LiveLine { subject: String::new(), ..line };
        let _ = terminal.line(line.render(terminal.out, 0, notice.time));
    }
}

/// Makes the log file and its folders, as far as missing (S2.5), and makes
/// sure that it can be written.
fn usable_log(path: &Path) -> Result<PathBuf, Failure> {
    let unusable = |e: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot use the log file {}: {e}", path.display()))
            .help("LOGFILE has to be a file that you may write; nothing was started")
    };
    let path = std::path::absolute(path).map_err(|e| unusable(&e))?;
    if path.is_dir() {
        return Err(unusable(&"it is a folder"));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| unusable(&e))?;
    }
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path).map_err(|e| unusable(&e))?;
    if !file.metadata().map_err(|e| unusable(&e))?.is_file() {
        return Err(unusable(&"it is no regular file"));
    }
    // One name for one file, whatever links lead to it.
    path.canonicalize().map_err(|e| unusable(&e))
}

fn spec(args: &Args, log: &Path) -> Result<ProcessSpec, Failure> {
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| Failure::usage(format!("{} is not UTF-8", path.display())))
    };
    let name = "watch".parse().map_err(|e| Failure::failed(format!("{e}")))?;
    let mut spec = ProcessSpec::new(name, Command::Shell(args.command.clone()));
    let here =
        std::env::current_dir().map_err(|e| Failure::failed(format!("the current folder is not usable: {e}")))?;
    spec.working_dir = Some(text(&here)?);
    // As if it were typed here: with this terminal's environment.
    spec.env = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(key, _)| !key.starts_with("PM_"))
        .collect();
    let log = text(log)?;
    spec.log_file = Some(log.clone());
    spec.log_watchdog = Some(LogWatchdog { log_file: Some(log), timeout: args.timeout, interval: args.interval });
    let faults = spec.check();
    if faults.is_empty() {
        return Ok(spec);
    }
    Err(Failure::usage("this cannot be watched").faults(faults.iter().map(ToString::to_string)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn times_are_seconds_or_durations_within_their_ranges() {
        assert_eq!(timeout("60"), Ok(Duration::from_secs(60)));
        assert_eq!(timeout("1m30s"), Ok(Duration::from_secs(90)));
        for bad in ["0", "3601", "-1", "soon", "2h"] {
            assert!(timeout(bad).unwrap_err().contains("3600"), "{bad}");
        }
        assert!(interval("301").unwrap_err().contains("300"));
    }

    #[test]
    fn a_missing_log_and_its_folders_are_made_and_a_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let log = usable_log(&dir.path().join("a/b/c.log")).unwrap();
        assert!(log.is_file());
        let refused = usable_log(dir.path()).unwrap_err();
        assert!(refused.exit() == Exit::Usage && refused.to_string().contains("folder"), "{refused}");
        assert!(usable_log(&log.join("below-a-file.log")).is_err());
    }
}
