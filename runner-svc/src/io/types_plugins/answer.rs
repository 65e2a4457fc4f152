//! What a plugin says, checked: a plugin may be wrong, and nothing of it is
//! believed that a spec could not say itself.

use pm_proto::convert::{spec_from_wire, spec_to_wire};
use pm_proto::v1;
use process_model::ProcessSpec;
use process_model::spec::{Command, RuntimeType, Signal, limits};
use runner_types::Program;

/// Types that one plugin may serve.
const TYPES: usize = 64;
/// Variables that a type may set.
const VARIABLES: usize = 256;
/// Longest text for messages.
const TEXT_CHARS: usize = 1_000;

/// Who a plugin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) types: Vec<RuntimeType>,
}

/// How a process is run, as a plugin says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) program: Program,
    /// Readiness and stop signal, as fields of a spec that has them from its type.
    readiness: Option<v1::Probe>,
    stop_signal: Option<Signal>,
}

/// Text of a plugin's for a message: one line, bounded.
pub(crate) fn text(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT_CHARS).collect()
}

/// The process, as plugins are asked about it.
pub(crate) fn subject(spec: &ProcessSpec) -> v1::PluginSubject {
    let command = match &spec.command {
        Command::Shell(line) => v1::plugin_subject::Command::Shell(line.clone()),
        Command::Argv(args) => v1::plugin_subject::Command::Argv(v1::Argv { args: args.clone() }),
    };
    v1::PluginSubject {
        process: spec.name.to_string(),
        command: Some(command),
        working_dir: spec.working_dir.clone().unwrap_or_else(|| "/".to_owned()),
        env: spec.env.clone(),
        ports: spec.ports.iter().map(|(name, port)| (name.clone(), u32::from(*port))).collect(),
        user: spec.user.clone().unwrap_or_default(),
    }
}

impl Info {
    pub(crate) fn read(wire: &v1::GetInfoResponse) -> Result<Self, String> {
        if wire.types.is_empty() || wire.types.len() > TYPES {
            return Err(format!("it serves {} types; 1 to {TYPES} are allowed", wire.types.len()));
        }
        let parsed = wire.types.iter().map(|of| {
            of.name.parse().map_err(|error| format!("the type {:?} has no name that can be: {error}", text(&of.name)))
        });
        let types = parsed.collect::<Result<Vec<RuntimeType>, String>>()?;
        Ok(Self { name: text(&wire.name), version: text(&wire.version), types })
    }
}

impl Answer {
    /// The answer for `spec`, if it is one.
    pub(crate) fn read(spec: &ProcessSpec, wire: v1::ResolveResponse) -> Result<Self, String> {
        check_argv(&wire.argv)?;
        check_env(&wire)?;
        let stop_signal = match wire.stop_signal.as_str() {
            "" => None,
            name => Some(name.parse().map_err(|_| format!("{:?} is no signal", text(name)))?),
        };
        let answer =
            Self { program: Program { argv: wire.argv, env: wire.env }, readiness: wire.readiness, stop_signal };
        // Read once here, so that a probe that cannot be is told with its field.
        answer.merged(spec)?;
        Ok(answer)
    }

    /// The spec with what the type says where it says nothing itself; `None`:
    /// there is nothing to add.
    pub(crate) fn complete(&self, spec: &ProcessSpec) -> Option<ProcessSpec> {
        self.merged(spec).ok().filter(|merged| merged != spec)
    }

    fn merged(&self, spec: &ProcessSpec) -> Result<ProcessSpec, String> {
        let mut merged = spec.clone();
        if let (None, Some(probe)) = (&spec.readiness, &self.readiness) {
            // By way of the wire: what is allowed is said there once, for everybody.
            let wire = v1::ProcessSpec { readiness: Some(probe.clone()), ..spec_to_wire(spec) };
            let read = spec_from_wire(&wire)
                .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
            merged.readiness = read.readiness;
        }
        if spec.stop.signal == Signal::TERM {
            merged.stop.signal = self.stop_signal.unwrap_or(Signal::TERM);
        }
        Ok(merged)
    }
}

fn check_argv(argv: &[String]) -> Result<(), String> {
    if argv.first().is_none_or(String::is_empty) {
        return Err("it names no program".to_owned());
    }
    let bytes: usize = argv.iter().map(|word| word.len() + 1).sum();
    if bytes > limits::TEXT_BYTES {
        return Err(format!("its command has {bytes} bytes; at most {} are allowed", limits::TEXT_BYTES));
    }
    if argv.iter().any(|word| word.contains('\0')) {
        return Err("its command has a NUL character".to_owned());
    }
    Ok(())
}

fn check_env(wire: &v1::ResolveResponse) -> Result<(), String> {
    if wire.env.len() > VARIABLES {
        return Err(format!("it sets {} variables; at most {VARIABLES} are allowed", wire.env.len()));
    }
    for (name, value) in &wire.env {
        let ours = name.starts_with("PM_") || name == "NOTIFY_SOCKET" || name.starts_with("LISTEN_");
        if name.is_empty() || ours || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(format!("the variable {:?} cannot be set by a type", text(name)));
        }
        if name.len() + value.len() > limits::TEXT_BYTES {
            return Err(format!("the variable {:?} is longer than {} bytes", text(name), limits::TEXT_BYTES));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::spec::Check;

    fn spec() -> ProcessSpec {
        ProcessSpec::new("web".parse().unwrap(), Command::Argv(vec!["main.rb".into()]))
    }

    fn said(argv: &[&str]) -> v1::ResolveResponse {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        v1::ResolveResponse { argv, ..Default::default() }
    }

    fn probe(port: u32) -> v1::Probe {
        let check = Some(v1::probe::Check::Tcp(v1::TcpCheck { port }));
        v1::Probe { check, ..Default::default() }
    }

    #[test]
    fn what_a_spec_could_not_say_is_not_taken_from_a_plugin() {
        let wrong = |wire: v1::ResolveResponse| Answer::read(&spec(), wire).unwrap_err();
        assert!(wrong(said(&[])).contains("no program"));
        assert!(wrong(said(&[""])).contains("no program"));
        assert!(wrong(said(&["ruby", "a\0b"])).contains("NUL"));
        assert!(wrong(said(&["ruby", &"x".repeat(200_000)])).contains("bytes"));
        for name in ["PM_NODE", "NOTIFY_SOCKET", "LISTEN_FDS", "A=B", ""] {
            let mut wire = said(&["ruby"]);
            wire.env.insert(name.into(), "x".into());
            assert!(wrong(wire).contains("cannot be set"), "{name}");
        }
        assert!(
            wrong(v1::ResolveResponse { stop_signal: "SIGNOTHING".into(), ..said(&["ruby"]) }).contains("SIGNOTHING")
        );
        let wire = v1::ResolveResponse { readiness: Some(probe(70_000)), ..said(&["ruby"]) };
        assert!(wrong(wire).contains("readiness"));
    }

    #[test]
    fn a_plugin_speaks_where_the_process_is_silent() {
        let wire = v1::ResolveResponse {
            readiness: Some(probe(4567)),
            stop_signal: "SIGINT".into(),
            ..said(&["ruby", "main.rb"])
        };
        let answer = Answer::read(&spec(), wire).unwrap();
        let complete = answer.complete(&spec()).unwrap();
        assert_eq!(complete.readiness.as_ref().unwrap().check, Check::Tcp { port: 4567 });
        assert_eq!(complete.stop.signal, "SIGINT".parse().unwrap());
        assert_eq!(answer.complete(&complete), None, "a second time adds nothing");
        let mut own = spec();
        own.stop.signal = "SIGQUIT".parse().unwrap();
        own.readiness = Some(process_model::spec::Probe::new(Check::Tcp { port: 1 }));
        assert_eq!(answer.complete(&own), None, "the process has its own");
    }

    #[test]
    fn a_plugin_has_types_with_names() {
        let info = |names: &[&str]| {
            let types = names.iter().map(|name| v1::PluginType { name: (*name).into(), description: String::new() });
            Info::read(&v1::GetInfoResponse { types: types.collect(), ..Default::default() })
        };
        assert_eq!(info(&["ruby"]).unwrap().types, ["ruby".parse().unwrap()]);
        assert!(info(&[]).is_err() && info(&["../ruby"]).is_err() && info(&["a"; 65]).is_err());
    }
}
