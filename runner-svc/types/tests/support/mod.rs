//! An application's folder that exists only here.

#![allow(dead_code)] // each test file uses its own part

use process_model::spec::Command;
use process_model::{InstanceId, ProcessSpec};
use runner_types::{Files, Program, ResolveError, Subject, TypeSet};
use std::collections::BTreeMap;

pub(crate) struct Folder {
    dir: &'static str,
    files: BTreeMap<String, String>,
    instance: InstanceId,
}

impl Folder {
    pub(crate) fn new(dir: &'static str, files: &[&str]) -> Self {
        let mut folder = Self { dir, files: BTreeMap::new(), instance: "web-2".parse().unwrap() };
        for file in files {
            folder.write(file, "");
        }
        folder
    }

    pub(crate) fn write(&mut self, file: &str, text: &str) {
        let path = if file.starts_with('/') { file.to_owned() } else { format!("{}/{file}", self.dir) };
        self.files.insert(path, text.to_owned());
    }

    pub(crate) fn subject<'a>(&'a self, spec: &'a ProcessSpec) -> Subject<'a> {
        Subject { spec, env: &spec.env, instance: &self.instance, working_dir: self.dir }
    }

    pub(crate) fn program(&self, spec: &ProcessSpec) -> Result<Program, ResolveError> {
        TypeSet::built_in().resolve(self.subject(spec), self)
    }

    pub(crate) fn argv(&self, spec: &ProcessSpec) -> Vec<String> {
        self.program(spec).unwrap_or_else(|error| panic!("{error}")).argv
    }
}

impl Files for Folder {
    fn is_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn read(&self, path: &str) -> Option<String> {
        self.files.get(path).cloned()
    }
}

pub(crate) fn argv(spec: &ProcessSpec, files: &[&str]) -> Vec<String> {
    Folder::new("/app", files).argv(spec)
}

pub(crate) fn list(runtime: &str, command: &[&str]) -> ProcessSpec {
    spec(runtime, Command::Argv(command.iter().map(|word| (*word).to_owned()).collect()))
}

pub(crate) fn line(runtime: &str, command: &str) -> ProcessSpec {
    spec(runtime, Command::Shell(command.to_owned()))
}

fn spec(runtime: &str, command: Command) -> ProcessSpec {
    let mut spec = ProcessSpec::new("web".parse().unwrap(), command);
    spec.runtime = runtime.parse().unwrap();
    spec
}
