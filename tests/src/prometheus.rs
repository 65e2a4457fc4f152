//! A real Prometheus that scrapes real services: the configuration of
//! `examples/observability`, with other targets and a faster clock.

use crate::{Beside, Sandbox, binary, http, ports, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A running Prometheus; killed when it is dropped.
pub struct Prometheus {
    authority: String,
    process: Beside,
}

impl Prometheus {
    /// The folder whose files are proved.
    #[must_use]
    pub fn folder() -> PathBuf {
        binary::workspace_root().join("examples/observability/prometheus")
    }

    /// Starts one and waits until it has scraped every target. `targets`: the operations ports by job; `rules`: the text
    /// of the rules file.
    ///
    /// # Panics
    /// When it does not start, or a target does not answer.
    #[must_use]
    pub fn start(sandbox: &Sandbox, targets: &BTreeMap<&str, Vec<String>>, rules: &str) -> Self {
        let text = std::fs::read_to_string(Self::folder().join("prometheus.yaml")).unwrap();
        let mut config: Value = serde_saphyr::from_str(&text).expect("it is YAML");
        config["global"] = json!({"scrape_interval": "1s", "evaluation_interval": "1s"});
        let jobs = config["scrape_configs"].as_array_mut().expect("it has jobs");
        for job in jobs {
            let name = job["job_name"].as_str().expect("a job has a name").to_owned();
            let own = targets.get(name.as_str()).unwrap_or_else(|| panic!("the test has no target for {name}"));
            job["static_configs"] = json!([{"targets": own}]);
        }
        let folder = sandbox.path().join("prometheus");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("rules.yaml"), rules).unwrap();
        // JSON is YAML.
        std::fs::write(folder.join("prometheus.yaml"), config.to_string()).unwrap();
        let authority = format!("127.0.0.1:{}", ports::free());
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", folder.join("prometheus.yaml").display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
        command.arg(format!("--web.listen-address={authority}"));
        let process = Beside::run(sandbox, "prometheus", &mut command);
        let this = Self { authority, process };
        until("Prometheus is ready", || {
            std::net::TcpStream::connect(&this.authority).is_ok()
                && http::get(&this.authority, "/-/ready", None).status == 200
        });
        let count: usize = targets.values().map(Vec::len).sum();
        until("every target is scraped", || this.values("up == 1").len() == count);
        this
    }

    /// The values of an expression, those that are no number left out.
    ///
    /// # Panics
    /// When Prometheus refuses it.
    #[must_use]
    pub fn values(&self, expression: &str) -> Vec<f64> {
        let answer = http::get(&self.authority, &format!("/api/v1/query?query={}", escaped(expression)), None).json();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let number = |pair: &Value| pair[1].as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
        let result = &answer["data"]["result"];
        let values: Vec<f64> = match answer["data"]["resultType"].as_str() {
            Some("scalar") => vec![number(result)],
            _ => result.as_array().into_iter().flatten().map(|series| number(&series["value"])).collect(),
        };
        values.into_iter().filter(|value| !value.is_nan()).collect()
    }

    /// The labels of the alerts of this name that fire.
    #[must_use]
    pub fn firing(&self, name: &str) -> Vec<Value> {
        let answer = http::get(&self.authority, "/api/v1/alerts", None).json();
        let alerts = answer["data"]["alerts"].as_array().cloned().unwrap_or_default();
        let fires = |alert: &Value| alert["labels"]["alertname"] == name && alert["state"] == "firing";
        alerts.iter().filter(|alert| fires(alert)).map(|alert| alert["labels"].clone()).collect()
    }

    /// What it said.
    #[must_use]
    pub fn said(&self) -> String {
        self.process.said()
    }

    /// `promtool` in the folder of a file.
    #[must_use]
    pub fn promtool(folder: &Path, args: &[&str]) -> crate::Outcome {
        crate::Outcome::of(Command::new("promtool").args(args).current_dir(folder))
    }
}

/// Percent-encoded, all but what no URL minds.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_expression_survives_the_way_in_a_url() {
        assert_eq!(super::escaped("a{b=\"c\"} > 1"), "a%7Bb%3D%22c%22%7D%20%3E%201");
    }
}
