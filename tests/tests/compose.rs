//! `deploy/compose/compose.yaml`: a valid Compose file, with everything closed that can be, whose very topology runs.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use std::path::PathBuf;
use system_tests::{Compose, Outcome, Sandbox, binary, python, until};

fn path() -> PathBuf {
    binary::workspace_root().join("deploy/compose/compose.yaml")
}

fn file() -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(path()).unwrap()).expect("it is YAML")
}

#[test]
fn the_file_is_what_the_compose_specification_says_a_compose_file_is() {
    let sandbox = Sandbox::new();
    let schema = binary::target_dir().join("tools/compose/compose/config/compose_spec.json");
    assert!(schema.exists(), "{} is missing: `cargo xtask tools` makes it", schema.display());
    let good = file();
    // The check can fail: a key that there is not, and a list where a text has to be.
    let mut misspelt = good.clone();
    misspelt["services"]["gateway"]["enviroment"] = Value::Null;
    let mut mistaken = good.clone();
    mistaken["services"]["gateway"]["image"] = Value::from(vec!["pm"]);
    let files = [("good.json", good), ("misspelt.json", misspelt), ("mistaken.json", mistaken)];
    let files = files.map(|(name, document)| sandbox.write(name, &document.to_string()));
    let said = Outcome::of(python::program("check_schema.py").arg(&schema).args(&files)).succeeded();
    let faults: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let counts: Vec<usize> = faults.iter().map(|told| told["faults"].as_array().unwrap().len()).collect();
    assert!(counts[0] == 0 && counts[1] > 0 && counts[2] > 0, "{said}");
}

#[test]
fn nothing_in_it_may_more_than_it_has_to_and_only_the_gateway_is_seen_and_on_this_machine_alone() {
    let file = file();
    let services = file["services"].as_object().unwrap();
    let mut mounted = Vec::new();
    for (name, service) in services {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
        for key in ["privileged", "network_mode", "pid", "user", "cap_add", "devices"] {
            assert!(service[key].is_null(), "{name} has {key}");
        }
        assert!(service["image"].as_str().unwrap().starts_with("${"), "the image of {name} cannot be set");
        let ports: Vec<&str> = service["ports"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let wanted: &[&str] = match name.as_str() {
            "gateway" => &["127.0.0.1:7480:7480"],
            "grafana" => &["127.0.0.1:3000:3000"],
            _ => &[],
        };
        assert_eq!(ports, wanted, "{name}");
        for volume in service["volumes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let source = volume.split(':').next().unwrap();
            if source.starts_with('.') {
                let there = path().parent().unwrap().join(source);
                assert!(there.exists() && volume.ends_with(":ro"), "{name}: {volume}");
            } else {
                // Who makes the certificates may write them; nobody else.
                assert!(source != "pki" || name == "pki" || volume.ends_with(":ro"), "{name}: {volume}");
                mounted.push(source.to_owned());
            }
        }
        let checked = service["healthcheck"]["test"][2] == "healthcheck";
        let ours = service["image"].as_str().unwrap().contains("PM_IMAGE");
        assert_eq!(checked, ours && !["pki", "pmctl"].contains(&name.as_str()), "{name}");
    }
    mounted.sort();
    mounted.dedup();
    let declared: Vec<String> = file["volumes"].as_object().unwrap().keys().cloned().collect();
    let mut sorted = declared.clone();
    sorted.sort();
    assert_eq!(mounted, sorted, "volumes that are declared, and those that are mounted");
    let in_profile = |name: &str| services[name]["profiles"] == serde_json::json!(["observability"]);
    assert!(["prometheus", "tempo", "grafana"].into_iter().all(in_profile));
}

#[test]
fn the_observability_profile_scrapes_every_service_where_it_listens_and_mounts_what_grafana_reads() {
    let file = file();
    let services = file["services"].as_object().unwrap();
    let listens = |service: &Value| {
        let environment = service["environment"].as_object().into_iter().flatten();
        let mut ops = environment.filter(|(name, _)| name.ends_with("_OPS_LISTEN"));
        ops.next().map(|(_, address)| address.as_str().unwrap().rsplit(':').next().unwrap().to_owned())
    };
    let mut wanted: Vec<String> =
        services.iter().filter_map(|(name, service)| Some(format!("{name}:{}", listens(service)?))).collect();
    let config =
        std::fs::read_to_string(binary::workspace_root().join("examples/observability/prometheus/prometheus.yaml"));
    let config: Value = serde_saphyr::from_str(&config.unwrap()).unwrap();
    let jobs = config["scrape_configs"].as_array().unwrap().iter();
    let targets = jobs.flat_map(|job| job["static_configs"][0]["targets"].as_array().unwrap());
    let mut scraped: Vec<String> = targets.map(|target| target.as_str().unwrap().to_owned()).collect();
    wanted.sort();
    scraped.sort();
    assert_eq!(wanted.len(), 7);
    assert_eq!(scraped, wanted);
    let mounts = services["grafana"]["volumes"].to_string();
    assert!(mounts.contains("grafana/dashboards:/var/lib/grafana/dashboards:ro"), "{mounts}");
}

/// How many nodes are ready.
fn ready(compose: &Compose<'_>) -> usize {
    let outcome = compose.run("pmctl", &["nodes"]);
    println!("{outcome}");
    outcome.stdout.matches(" ready ").count()
}

#[test]
fn its_very_topology_has_two_nodes_ready_runs_a_process_and_goes_on_without_one_registry() {
    let sandbox = Sandbox::new();
    let mut compose = Compose::read(&sandbox, &path());
    compose.up();
    until("two nodes are ready", || ready(&compose) == 2);

    let process = "processes:\n  hello:\n    command: [sleep, '1000']\n    instances: 2\n";
    let process = sandbox.write("hello.yaml", process);
    let _ = compose.run("pmctl", &["apply", "-f", &process]).succeeded();
    let runs = |compose: &Compose<'_>| compose.run("pmctl", &["list"]).stdout.matches("running").count();
    until("both instances run", || runs(&compose) == 2);

    compose.kill("registry-1");
    // A change needs a leader, be it another one now.
    until("a change is taken without it", || compose.run("pmctl", &["scale", "hello=3"]).code == 0);
    until("three instances run", || runs(&compose) == 3);
    until("both nodes are ready", || ready(&compose) == 2);
    for service in ["registry-2", "registry-3", "monitor", "gateway", "runner-1", "runner-2"] {
        // Who was connected to the one that is gone finds another one, some moment later.
        until(&format!("{service} is healthy"), || compose.is_healthy(service));
    }
    assert!(!compose.is_healthy("registry-1"), "the health check of a service that is gone has to fail");

    // A second start finds certificates and token, and leaves them as they are.
    let token = sandbox.path().join("volumes/pki/admin.token");
    let before = std::fs::read(&token).unwrap();
    let certificate = sandbox.path().join("volumes/pki/runner-1/tls.crt");
    let certified = std::fs::read(&certificate).unwrap();
    let _ = compose.run("pki", &[]).succeeded();
    assert_eq!((std::fs::read(&token).unwrap(), std::fs::read(&certificate).unwrap()), (before, certified));
}
