use super::*;
use crate::ProcessSpec;
use crate::spec::{Check, Command, Execution, HttpCheck, Probe};
use std::collections::BTreeSet;
use std::time::Duration;

const CANARY: &str = "canary-7f3a";

fn spec(line: &str) -> ProcessSpec {
    ProcessSpec::new("web".parse().unwrap(), Command::Shell(line.to_owned()))
}

fn line(change: &FieldChange) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    format!("{}: {} > {}", change.path, text(&change.before), text(&change.after))
}

#[test]
fn what_differs_is_named_by_its_path_and_what_is_equal_is_not() {
    let old = spec("run old");
    let mut new = spec("run new");
    new.instances = 3;
    new.working_dir = Some("/srv".into());
    new.ports.insert("http".into(), 80);
    new.stop.timeout = Duration::from_millis(2500);
    let lines: Vec<String> = changes(Some(&old), &new).iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "command.shell: run old > run new",
            "instances: 1 > 3",
            "ports.http: - > 80",
            "stop.timeout: 5s > 2s 500ms",
            "working_dir: - > /srv",
        ]
    );
    assert!(changes(Some(&new), &new).is_empty());
}

#[test]
fn another_kind_of_command_is_one_field_that_goes_and_one_that_comes() {
    let mut new = spec("");
    new.command = Command::Argv(vec!["serve".into(), "--port".into(), "80".into()]);
    let lines: Vec<String> = changes(Some(&spec("run")), &new).iter().map(line).collect();
    assert_eq!(lines, [r#"command.argv: - > ["serve","--port","80"]"#, "command.shell: run > -"]);
}

/// Specs that hold the canary wherever a secret can be.
fn leaky(canary: &str) -> ProcessSpec {
    let mut spec = spec(&format!(
        "export DB_PASSWORD='a {canary}'; API_TOKEN={canary} run --secret {canary} --password=\"x {canary}\" \
         -H 'Authorization: Bearer {canary}' -H Authorization: Bearer {canary} \
         -d '{{\"token\":\"{canary}\"}}' postgres://admin:{canary}@db/x?sslpassword={canary} \
         https://bot:{canary}@git/x,https://bot:{canary}@git/y"
    ));
    spec.env.insert("PLAIN".into(), canary.into());
    spec.execution =
        Some(Box::new(Execution { base_env: [("BASE".to_owned(), canary.to_owned())].into(), ..Execution::default() }));
    let mut http = HttpCheck::get(80, "/health");
    http.headers = vec![("X-Plain".into(), canary.into()), ("X-Plain".into(), format!("{canary}2"))];
    spec.readiness = Some(Probe::new(Check::Http(http)));
    let argv = ["probe", "--api-key", canary, "--token", canary];
    let command = Command::Argv(argv.map(str::to_owned).to_vec());
    spec.liveness = Some(Probe::new(Check::Exec { command }));
    spec.labels.insert("vault_secret".into(), canary.into());
    spec
}

#[test]
fn no_secret_is_in_a_diff_whether_it_comes_goes_or_changes() {
    let (with, other, without) = (leaky(CANARY), leaky("canary-other"), spec("run"));
    for (before, after) in [(&without, &with), (&with, &without), (&with, &other), (&other, &with)] {
        let changed = changes(Some(before), after);
        let text = format!("{changed:?}");
        assert!(!text.contains("canary"), "{text}");
        for path in ["env.PLAIN", "labels.vault_secret", "execution.base_env.BASE"] {
            let found = changed.iter().find(|change| change.path == path).unwrap_or_else(|| panic!("{path}: {text}"));
            assert!(found.hidden, "{found:?}");
        }
        // That a secret changed is told, even where nothing else did.
        for part in ["command.shell", "headers[1].X-Plain", "liveness"] {
            assert!(changed.iter().any(|change| change.path.contains(part) && change.hidden), "{part}: {text}");
        }
    }
}

#[test]
fn each_field_has_the_name_that_it_is_saved_with() {
    // From nothing to everything, and back, all names are there that the specs have when they are saved.
    let (plain, full) = (spec("run"), leaky(CANARY));
    let whole = |spec| super::flat::whole(spec).into_iter().collect::<BTreeSet<_>>();
    let expected: BTreeSet<String> =
        whole(&plain).symmetric_difference(&whole(&full)).map(|(path, _)| path.clone()).collect();
    let found: BTreeSet<String> = changes(Some(&plain), &full).into_iter().map(|change| change.path).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_no_secret_is_not_masked() {
    let text = "exec python3 -m http.server --port=80 A=b http://host:80/path --author me a:b";
    let changed = changes(Some(&spec("x")), &spec(text));
    assert_eq!((changed[0].after.as_deref(), changed[0].hidden), (Some(text), false));
}

#[test]
fn long_values_are_cut_at_a_character() {
    let changed = changes(Some(&spec("x")), &spec(&"ä".repeat(50)));
    let short = changed[0].clone().shortened(10);
    assert_eq!(short.after, Some(format!("{}…", "ä".repeat(10))));
    assert_eq!(short.before, Some("x".to_owned()));
}

#[test]
fn a_masked_spec_is_complete_and_holds_no_secret() {
    let spec = leaky(CANARY);
    let shown = masked(&spec).unwrap();
    assert!(!serde_json::to_string(&shown).unwrap().contains("canary"), "{shown:?}");
    assert_eq!(shown.env.keys().collect::<Vec<_>>(), spec.env.keys().collect::<Vec<_>>());
    let differing: Vec<String> = changes(Some(&spec), &shown).into_iter().map(|change| change.path).collect();
    assert!(differing.iter().all(|path| !path.contains("timeout")), "{differing:?}");
    let plain = ProcessSpec { instances: 4, ..self::spec("exec serve --port 80") };
    assert_eq!(masked(&plain), Some(plain));
}
