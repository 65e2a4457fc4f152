//! The built-in types on the layouts that applications have.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's own functions panic as the test does

mod support;

use process_model::ProcessSpec;
use process_model::spec::{Check, Command, Hook, HttpCheck, RuntimeType};
use runner_types::{ResolveError, TypeSet};
use support::{Folder, argv, line, list};

#[test]
fn every_node_has_the_types_that_people_are_offered() {
    let set = TypeSet::built_in();
    let names: Vec<&str> = set.iter().map(|known| known.name().as_str()).collect();
    let mut offered = RuntimeType::BUILT_IN.to_vec();
    offered.sort_unstable();
    assert_eq!(names, offered);
    assert!(set.iter().all(|known| known.description().len() > 10));
}

#[test]
fn exec_and_shell_are_as_they_are_written() {
    assert_eq!(argv(&list("exec", &["./tool", "a b", "$HOME"]), &[]), ["./tool", "a b", "$HOME"]);
    let text = r#"echo "a b" >> /tmp/x 2>&1 && true"#;
    assert_eq!(argv(&line("shell", text), &[]), ["/bin/sh", "-c", text]);
}

#[test]
fn python_takes_the_environment_that_is_nearest() {
    let app = list("python", &["app.py", "--fast"]);
    for (files, interpreter) in [
        (&[][..], "python3"),
        (&[".venv/bin/python", "venv/bin/python"][..], "/app/.venv/bin/python"),
        (&["venv/bin/python"][..], "/app/venv/bin/python"),
        (&["pyproject.toml", "poetry.lock", ".venv/bin/python"][..], "/app/.venv/bin/python"),
        (&["pyproject.toml", "uv.lock", ".venv/bin/python"][..], "/app/.venv/bin/python"),
        (&["venv/bin/python", "poetry.lock"][..], "/app/venv/bin/python"),
        (&["../pyproject.toml", "../.venv/bin/python"][..], "/app/../.venv/bin/python"),
        // The folder above is somebody else's unless a project says otherwise.
        (&["../.venv/bin/python"][..], "python3"),
    ] {
        assert_eq!(argv(&app, files), [interpreter, "app.py", "--fast"], "{files:?}");
    }
    let mut told = app;
    told.env.insert("UV_PROJECT_ENVIRONMENT".into(), "/envs/app".into());
    assert_eq!(argv(&told, &["/envs/app/bin/python", ".venv/bin/python"])[0], "/envs/app/bin/python");
    assert_eq!(argv(&told, &[".venv/bin/python"])[0], "/app/.venv/bin/python", "what is not there is passed over");
}

#[test]
fn an_environment_that_poetry_keeps_elsewhere_is_found_by_poetry() {
    let poetry = &["pyproject.toml", "poetry.lock"];
    assert_eq!(argv(&list("python", &["app.py", "-x"]), poetry), ["poetry", "run", "python", "app.py", "-x"]);
    assert_eq!(argv(&list("flask", &["app.py"]), poetry)[..5], ["poetry", "run", "python", "-m", "flask"]);
    assert_eq!(argv(&list("fastapi", &["main:app"]), poetry)[3..5], ["-m", "uvicorn"]);
    let file = argv(&list("fastapi", &["main.py"]), &["main.py", "poetry.lock"]);
    assert_eq!(file[3..7], ["-m", "fastapi", "run", "main.py"]);
    let mut told = list("python", &["app.py"]);
    told.env.insert("VIRTUAL_ENV".into(), "/envs/app".into());
    assert_eq!(argv(&told, &["poetry.lock", "/envs/app/bin/python"])[0], "/envs/app/bin/python");
}

#[test]
fn a_command_line_of_a_type_keeps_its_quotes_and_redirections() {
    let app = line("python", r#"app.py "a b" >> "$LOG" 2>&1"#);
    let expected = ["/bin/sh", "-c", r#"exec 'python3' app.py "a b" >> "$LOG" 2>&1"#];
    assert_eq!(argv(&app, &[]), expected);
    let odd = Folder::new("/it's", &["venv/bin/python"]);
    assert_eq!(odd.argv(&app)[2], r#"exec '/it'\''s/venv/bin/python' app.py "a b" >> "$LOG" 2>&1"#);
    assert_eq!(
        argv(&line("flask", "app:app --reload"), &[])[2],
        "exec 'python3' '-m' 'flask' '--app' app:app 'run' '--port' '5000' --reload"
    );
}

#[test]
fn node_runs_a_file_or_a_script_by_the_manager_of_the_lock_file() {
    let package = ("package.json", r#"{"scripts": {"start": "node server.js", "a/b": "x"}}"#);
    let run = |command: &[&str], files: &[&str]| {
        let mut folder = Folder::new("/app", files);
        folder.write(package.0, package.1);
        folder.argv(&list("node", command))
    };
    assert_eq!(run(&["server.js", "-x"], &["server.js"]), ["node", "server.js", "-x"]);
    assert_eq!(run(&["start"], &["package-lock.json"]), ["npm", "run", "start", "--"]);
    assert_eq!(run(&["start", "-x"], &[]), ["npm", "run", "start", "--", "-x"]);
    assert_eq!(run(&["start", "-x"], &["pnpm-lock.yaml"]), ["pnpm", "run", "start", "-x"]);
    assert_eq!(run(&["start", "-x"], &["yarn.lock"]), ["yarn", "run", "start", "-x"]);
    assert_eq!(run(&["a/b"], &[]), ["npm", "run", "a/b", "--"], "a slash is a part of the name");
    assert_eq!(run(&["--inspect", "server.js"], &["server.js"]), ["node", "--inspect", "server.js"]);
    assert_eq!(run(&["missing"], &[]), ["node", "missing"]);
    assert_eq!(argv(&line("node", "server.js > log"), &["server.js"])[2], "exec 'node' server.js > log");
}

#[test]
fn web_applications_get_the_port_of_the_process() {
    let mut app = list("flask", &["app.py", "--reload"]);
    let flask = |port: &str| -> Vec<String> {
        ["python3", "-m", "flask", "--app", "app.py", "run", "--port", port, "--reload"].map(str::to_owned).to_vec()
    };
    assert_eq!(argv(&app, &[]), flask("5000"));
    app.ports.insert("any".into(), 8001);
    assert_eq!(argv(&app, &[]), flask("8001"), "the only one");
    app.ports.insert("http".into(), 8002);
    assert_eq!(argv(&app, &[]), flask("8002"), "the one called http");

    let uvicorn = argv(&list("fastapi", &["main:app", "--workers", "2"]), &[]);
    assert_eq!(uvicorn, ["python3", "-m", "uvicorn", "main:app", "--port", "8000", "--workers", "2"]);
    assert_eq!(argv(&list("fastapi", &["main.py"]), &["main.py"])[2..5], ["fastapi", "run", "main.py"]);

    let mut express = list("express", &["server.js"]);
    let folder = Folder::new("/app", &["server.js"]);
    assert_eq!(folder.program(&express).unwrap().env.get("PORT"), None, "what is not known is left out");
    express.ports.insert("http".into(), 3000);
    assert_eq!(folder.program(&express).unwrap().env["PORT"], "3000");
    assert_eq!(
        argv(&list("static", &["dist"]), &[]),
        ["python3", "-m", "http.server", "8080", "--bind", "127.0.0.1", "--directory", "dist"]
    );
}

#[test]
fn java_and_dotnet_run_their_files() {
    assert_eq!(argv(&list("java", &["app.jar", "x"]), &["app.jar"]), ["java", "-jar", "app.jar", "x"]);
    assert_eq!(argv(&list("java", &["-Xmx1g", "-jar", "app.jar"]), &["app.jar"])[1], "-Xmx1g");
    let mut java = list("java", &["app.jar"]);
    java.env.insert("JAVA_HOME".into(), "/jdk".into());
    assert_eq!(argv(&java, &["/jdk/bin/java", "app.jar"])[0], "/jdk/bin/java");
    let mut dotnet = list("dotnet", &["app.dll"]);
    dotnet.ports.insert("http".into(), 5001);
    let program = Folder::new("/app", &["app.dll"]).program(&dotnet).unwrap();
    assert_eq!(program.argv, ["dotnet", "app.dll"]);
    assert_eq!(program.env["ASPNETCORE_URLS"], "http://127.0.0.1:5001");
}

#[test]
fn a_container_gets_environment_and_ports_and_no_value_is_an_argument() {
    let mut spec = list("docker", &["redis:8", "--save", ""]);
    spec.env.insert("SECRET".into(), "hunter2".into());
    spec.ports.insert("redis".into(), 6379);
    let argv = argv(&spec, &[]);
    assert_eq!(
        argv[3..],
        ["docker", "pm-web-2", "--env", "SECRET", "--publish", "127.0.0.1:6379:6379", "redis:8", "--save", ""]
    );
    assert!(argv[2].contains("exec docker run --rm --init --name") && !argv.concat().contains("hunter2"));
}

#[test]
fn a_container_whose_client_was_killed_is_removed_after_it() {
    let set = TypeSet::built_in();
    let spec = list("docker", &["redis:8"]);
    let complete = set.complete(&spec).unwrap();
    let hook = complete.hooks.as_ref().and_then(|hooks| hooks.post_stop.clone()).unwrap();
    assert!(matches!(&hook.command, Command::Shell(line) if line.contains("docker rm --force \"pm-$PM_INSTANCE\"")));
    assert_eq!(set.complete(&complete), None, "a second time adds nothing");
    let mut own = spec;
    own.hooks.get_or_insert_default().post_stop = Some(Hook::new(Command::Shell("true".into())));
    assert_eq!(set.complete(&own), None, "the process has its own");
}

#[test]
fn an_unknown_type_names_those_that_exist_and_what_the_folder_looks_like() {
    let mut folder = Folder::new("/app", &["server.js"]);
    folder.write("package.json", r#"{"dependencies": {"express": "5"}}"#);
    let error = folder.program(&list("expres", &["server.js"])).unwrap_err();
    assert!(
        matches!(&error, ResolveError::Unknown { looks_like, .. } if looks_like == &["express", "node"]),
        "{error}"
    );
    let text = error.to_string();
    assert!(text.contains("no type \"expres\"") && text.contains("it has docker, dotnet, exec"), "{text}");
    let mut folder = Folder::new("/app", &[]);
    folder.write("requirements.txt", "Flask==3.1\n");
    let spec = list("x", &["wsgi"]);
    assert_eq!(TypeSet::built_in().detect(folder.subject(&spec), &folder), ["flask", "python"]);
}

#[test]
fn readiness_is_the_types_only_where_the_process_says_nothing() {
    let set = TypeSet::built_in();
    let check = |spec: &ProcessSpec| set.complete(spec).and_then(|spec| spec.readiness).map(|probe| probe.check);
    let mut flask = list("flask", &["app.py"]);
    assert_eq!(check(&flask), Some(Check::Tcp { port: 5000 }));
    flask.ports.insert("http".into(), 8000);
    assert_eq!(check(&flask), Some(Check::Tcp { port: 8000 }));
    flask.readiness = Some(process_model::spec::Probe::new(Check::Http(HttpCheck::get(8000, "/health"))));
    assert_eq!(set.complete(&flask), None);
    assert_eq!(check(&list("static", &["."])), Some(Check::Http(HttpCheck::get(8080, "/"))));
    assert_eq!(check(&list("express", &["a.js"])), None, "there is no port to probe");
    assert_eq!(check(&list("python", &["a.py"])), None);
}

#[test]
fn what_a_type_makes_passes_the_checks_of_a_spec() {
    for name in RuntimeType::BUILT_IN {
        let spec = if name == "shell" { line(name, "true") } else { list(name, &["x"]) };
        let complete = TypeSet::built_in().complete(&spec).unwrap_or_else(|| spec.clone());
        assert_eq!(complete.check(), [], "{name}");
        assert!(!argv(&spec, &[]).is_empty(), "{name}");
    }
    let wrong = Folder::new("/app", &[]).program(&ProcessSpec {
        runtime: RuntimeType::shell(),
        ..ProcessSpec::new("web".parse().unwrap(), Command::Argv(vec!["a".into()]))
    });
    assert!(wrong.unwrap_err().to_string().contains("one text, not a list"));
}
