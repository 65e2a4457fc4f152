//! Definitions that users write: what they can say, and how faults are told.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's own functions panic as the test does

mod support;

use process_model::spec::Signal;
use runner_types::TypeSet;
use support::{Folder, list};

const OWN: &str = "name: deno
description: Deno
detect: [{ file: deno.json }]
stop_signal: SIGINT
probe: /health
run:
  - when: [{ file: deno.json, json: \"/tasks/{{first}}\" }]
    command: [deno, task, \"{{args}}\"]
  - command: [deno, run, --allow-net, \"--seed={{index}}\", \"{{args}}\"]
";

fn faults(text: &str) -> Vec<String> {
    let found = TypeSet::built_in().add("t.yaml", text).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

fn refused(text: &str, expected: &[&str]) {
    let found = faults(text);
    assert_eq!(found.len(), expected.len(), "{text}\n{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
    }
}

#[test]
fn a_type_of_ones_own_is_run_as_it_says() {
    let mut set = TypeSet::built_in();
    set.add("deno.yaml", OWN).unwrap();
    let mut folder = Folder::new("/app", &["main.ts"]);
    folder.write("deno.json", r#"{"tasks": {"start": "x"}}"#);
    let run = |command: &[&str]| set.resolve(folder.subject(&list("deno", command)), &folder).unwrap().argv;
    assert_eq!(run(&["start"]), ["deno", "task", "start"]);
    assert_eq!(run(&["main.ts"]), ["deno", "run", "--allow-net", "--seed=2", "main.ts"]);
    let mut spec = list("deno", &["main.ts"]);
    spec.ports.insert("http".into(), 8000);
    let complete = set.complete(&spec).unwrap();
    assert!(complete.readiness.is_some() && complete.stop.signal == Signal::INT);
    spec.stop.signal = Signal::KILL;
    assert_eq!(set.complete(&spec).unwrap().stop.signal, Signal::KILL, "what the process says holds");
}

#[test]
fn a_file_may_replace_a_built_in_type_and_not_another_files() {
    let mut set = TypeSet::built_in();
    let before = set.iter().count();
    let node = OWN.replace("name: deno", "name: node");
    set.add("a.yaml", &node).unwrap();
    assert_eq!(set.iter().count(), before);
    let again = set.add("b.yaml", &node).unwrap_err();
    assert_eq!(again[0].to_string(), "b.yaml:1:7: name: node is defined in a.yaml already; keep one");
}

#[test]
fn broken_yaml_and_unknown_fields_have_a_place() {
    refused("name: [", &["t.yaml:1:"]);
    refused("", &["t.yaml:1:1"]);
    refused(&OWN.replace("probe:", "prob:"), &["t.yaml:5:1: "]);
    refused(&OWN.replace("stop_signal: SIGINT", "name: again"), &["t.yaml:4:1: "]);
    refused(&OWN.replace("description: Deno\n", ""), &["t.yaml:"]);
    refused(&OWN.replace("probe: /health", "port: 70000"), &["t.yaml:5:7: "]);
    assert!(faults(&OWN.replace("probe:", "prob:"))[0].contains("prob"));
}

#[test]
fn every_fault_of_a_file_is_told_with_its_place() {
    refused(
        "name: ../x
description: ' '
choices:
  args: [{ use: a }]
  Bad: [{ use: '{{rest}}' }]
lists:
  all: { each: files, words: ['{{key}}'] }
env: { PM_X: '{{first}}' }
port: 0
probe: health
stop_signal: SIGFOO
run:
  - when: [{ file: a, json: b }]
    command: [run, '{{nope}}']
  - command: [run, 'x{{args}}']
  - command: [run]
  - command: ['{{line}}', '{{args}}']
  - command: ['{{first']
",
        &[
            "t.yaml:1:7: \"../x\" is no valid name",
            "t.yaml:2:14: description: it is empty",
            "t.yaml:4:3: args means something else already",
            "t.yaml:5:3: \"Bad\" is no name",
            "t.yaml:5:16: {{rest}} means nothing here; write one of {{first}}, {{port}}",
            "t.yaml:7:16: each: \"files\" is nothing that a process has many of",
            "t.yaml:8:8: env: \"PM_X\" cannot be set by a type",
            "t.yaml:8:14: {{first}} means nothing here",
            "t.yaml:9:7: port: 0 is out of range",
            "t.yaml:10:8: probe: \"health\" is neither tcp nor a path",
            "t.yaml:11:14: stop_signal: \"SIGFOO\" is no signal",
            "t.yaml:13:29: json: \"b\" is no place in JSON",
            "t.yaml:14:20: {{nope}} means nothing here; write one of {{args}}, {{first}}, {{rest}}, {{line}}",
            "t.yaml:15:20: \"x{{args}}\" joins many words to one",
            "t.yaml:16:14: command: the process's own command is not in it",
            "t.yaml:17:14: command: {{line}} is the whole command already",
            "t.yaml:18:15: {{ is not closed",
        ],
    );
}

#[test]
fn a_type_without_a_way_to_run_is_refused() {
    refused("name: a\ndescription: b\nrun: []\n", &["t.yaml:3:6: run: it is empty"]);
    refused(&"#".repeat(70_000), &["t.yaml:1:1: it has 70000 bytes"]);
}

#[test]
fn what_a_process_lacks_is_said() {
    let mut set = TypeSet::built_in();
    let text = "name: own\ndescription: own\nchoices: { tool: [{ use: bin/tool }] }\nrun:\n  \
                - when: [{ file: '{{first}}' }]\n    command: ['{{tool}}', '{{args}}', '{{port}}']\n";
    set.add("own.yaml", text).unwrap();
    let why = |files: &[&str]| {
        let folder = Folder::new("/app", files);
        let spec = list("own", &["a"]);
        set.resolve(folder.subject(&spec), &folder).unwrap_err().to_string()
    };
    assert_eq!(why(&[]), "type own: no way to run it fits the files in /app");
    assert_eq!(why(&["a"]), "type own: nothing of what it takes as tool is in /app");
    assert_eq!(why(&["a", "bin/tool"]), "type own: it needs a port; write ports: { http: NUMBER }");
}

#[test]
fn the_example_and_the_reference_are_right() {
    let reference = include_str!("../../../docs/types.md");
    let block = reference.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(faults(block), Vec::<String>::new());
    assert_eq!(faults(include_str!("../../../examples/types.d/gunicorn.yaml")), Vec::<String>::new());
    let fields = [
        "name",
        "description",
        "detect",
        "choices",
        "lists",
        "env",
        "run",
        "port",
        "probe",
        "stop_signal",
        "run[].when",
        "run[].command",
        "choices.NAME[].use",
        "choices.NAME[].when",
        "lists.NAME.each",
        "lists.NAME.words",
    ];
    for field in fields {
        assert!(reference.contains(&format!("| `{field}` |")), "{field} is not in the reference");
    }
    for name in TypeSet::built_in().iter().map(|known| known.name().to_string()) {
        assert!(reference.contains(&format!("| `{name}` |")), "{name} is not in the reference");
    }
}
