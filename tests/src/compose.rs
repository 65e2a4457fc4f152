//! The services of a Compose file as processes: each in a network namespace of its own, where the names of the others lead
//! to them, with the command, environment, order and health checks that the file says. No container engine takes part, so
//! what an engine alone enforces (a root that cannot be written, dropped capabilities) is not seen here.
//!
//! Paths of volumes, and of programs below `/usr/bin`, are mapped: a volume is a folder of the sandbox, the programs are
//! those that were built.

use crate::{Beside, Net, Outcome, Sandbox, binary, hosts_file, until};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// A project that is being run.
pub struct Compose<'s> {
    sandbox: &'s Sandbox,
    services: Map<String, Value>,
    net: Net,
    running: BTreeMap<String, Beside>,
}

impl<'s> Compose<'s> {
    /// Reads a file. Only services of a program of ours are taken: the others' images are not to be had.
    ///
    /// # Panics
    /// When it is no Compose file.
    #[must_use]
    pub fn read(sandbox: &'s Sandbox, path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut file: Value = serde_saphyr::from_str(&text).expect("it is YAML");
        let mut services = std::mem::take(file["services"].as_object_mut().expect("it has services"));
        services.retain(|_, service| service["image"].as_str().is_some_and(|image| image.contains("PM_IMAGE")));
        let net = Net::new(services.len());
        let mut hosts = "127.0.0.1 localhost\n".to_owned();
        for (place, name) in services.keys().enumerate() {
            hosts += &format!("{} {name}\n", net.host(place));
        }
        let _ = sandbox.write("hosts", &hosts);
        Self { sandbox, services, net, running: BTreeMap::new() }
    }

    /// `up`: everything without a profile, each when what it depends on is as it has to be; then waits until all are healthy.
    ///
    /// # Panics
    /// When something does not become healthy, or waits for ever.
    pub fn up(&mut self) {
        let wanted = |service: &Value| service["profiles"].is_null();
        let all: Vec<String> =
            self.services.iter().filter(|(_, service)| wanted(service)).map(|(name, _)| name.clone()).collect();
        let mut begun: Vec<String> = Vec::new();
        while begun.len() < all.len() {
            let can =
                |name: &&String| !begun.contains(name) && self.needs(name).iter().all(|need| begun.contains(need));
            let next = all.iter().find(can).expect("no service waits for itself").clone();
            self.wait_for_needs(&next);
            if self.services[&next]["restart"].is_null() {
                // It does its work and ends.
                let _ = self.run(&next, &[]).succeeded();
            } else {
                let mut command = self.command(&next, &self.words(&next, &[]));
                self.running.insert(next.clone(), Beside::run(self.sandbox, &next, &mut command));
            }
            begun.push(next);
        }
        for name in self.running.keys() {
            self.wait_until_healthy(name);
        }
    }

    /// `run`: a service once, with another command, to its end.
    #[must_use]
    pub fn run(&self, name: &str, command: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(name, &self.words(name, command)))
    }

    /// SIGKILL to a service.
    pub fn kill(&mut self, name: &str) {
        self.running.remove(name);
    }

    /// Whether its own health check says that it is well.
    #[must_use]
    pub fn is_healthy(&self, name: &str) -> bool {
        let test = texts(&self.services[name]["healthcheck"]["test"]);
        assert_eq!(test.first().map(String::as_str), Some("CMD"), "{name} has no health check without a shell");
        let words: Vec<String> = test[1..].iter().map(|word| self.mapped(name, word)).collect();
        Outcome::of(&mut self.command(name, &words)).code == 0
    }

    fn wait_until_healthy(&self, name: &str) {
        until(&format!("{name} is healthy"), || self.is_healthy(name));
    }

    fn needs(&self, name: &str) -> Vec<String> {
        let needs = self.services[name]["depends_on"].as_object();
        needs.into_iter().flat_map(|needs| needs.keys().cloned()).collect()
    }

    fn wait_for_needs(&self, name: &str) {
        for need in self.needs(name) {
            match self.services[name]["depends_on"][&need]["condition"].as_str() {
                // It was run to its end, or nothing of this would happen.
                Some("service_completed_successfully") => assert!(!self.running.contains_key(&need)),
                Some("service_healthy") => self.wait_until_healthy(&need),
                other => panic!("{name} waits for {need} in a way that is not known here: {other:?}"),
            }
        }
    }

    /// Program and arguments.
    fn words(&self, name: &str, command: &[&str]) -> Vec<String> {
        let service = &self.services[name];
        let mut words = texts(&service["entrypoint"]);
        if command.is_empty() {
            words.extend(texts(&service["command"]));
        } else {
            words.extend(command.iter().map(|word| (*word).to_owned()));
        }
        words.iter().map(|word| self.mapped(name, word)).collect()
    }

    /// A program in the place of a service, with its environment and nothing else.
    fn command(&self, name: &str, words: &[String]) -> Command {
        let place = self.services.keys().position(|other| other == name).expect("it is a service");
        let enter = self.net.enter(place);
        let mut command = Command::new(&enter[0]);
        command.args(&enter[1..]).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(hosts_file::entering(&self.sandbox.file("hosts"))).args(words);
        for (variable, value) in self.services[name]["environment"].as_object().into_iter().flatten() {
            command.env(variable, self.mapped(name, value.as_str().expect("a variable is a text")));
        }
        command
    }

    /// A text of the file with paths and variables as they are here.
    fn mapped(&self, name: &str, text: &str) -> String {
        if text.starts_with("${") {
            let (_, default) = text.trim_end_matches('}').split_once(":-").expect("a variable has a default");
            return default.to_owned();
        }
        if let Some(program) = text.strip_prefix("/usr/bin/") {
            return binary::path(program).to_str().expect("the path is UTF-8").to_owned();
        }
        let mut mapped = text.to_owned();
        for mount in texts(&self.services[name]["volumes"]) {
            let mut parts = mount.split(':');
            let (volume, target) = (parts.next().unwrap_or_default(), parts.next().expect("a volume has a place"));
            let folder = self.sandbox.path().join("volumes").join(volume);
            std::fs::create_dir_all(&folder).unwrap();
            mapped = mapped.replace(target, folder.to_str().expect("the path is UTF-8"));
        }
        mapped
    }
}

/// A list of texts; none when there is no list.
fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().expect("it is a text").to_owned()).collect()
}
