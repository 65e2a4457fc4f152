//! Bad input gets a precise error and the right exit code, and disturbs
//! nothing that runs.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1::process_service_client::ProcessServiceClient;
use pm_proto::v1::{ApplyProcessesRequest, ListProcessesRequest, ProcessSpec, process_spec};
use std::io::Write as _;
use system_tests::{Api, Credentials, Sandbox, Up, http, proc};
use tonic::Code;

/// What runs while bad things happen, and must not notice.
const BYSTANDER: &str = "processes:\n  bystander:\n    command: [sleep, '1000']\n";

/// The bystander's process, to be compared afterwards.
fn bystander(up: &Up<'_>) -> (u32, Option<u64>, u32) {
    let instance = up.api().instance("bystander-1");
    assert!(proc::is_running(instance.pid), "{instance:?}");
    (instance.pid, proc::start_time(instance.pid), instance.restarts)
}

#[test]
fn a_bad_file_is_refused_with_its_place_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(BYSTANDER);
    let before = bystander(&up);
    let large = format!("processes:\n  web:\n    command: {}\n", "x".repeat(10 * 1024 * 1024));
    let cases: &[(&str, &str, &[&str])] = &[
        ("broken.yaml", "processes:\n  web: [unclosed\n", &["broken.yaml:"]),
        ("name.yaml", "processes:\n  ../etc:\n    command: sleep 1\n", &["name.yaml:2:3:", "../etc"]),
        (
            "port.yaml",
            "processes:\n  web:\n    command: sleep 1\n    ports: {http: 70000}\n",
            &["port.yaml:4:", "65535"],
        ),
        ("large.yaml", &large, &["large.yaml", "large"]),
        ("type.yaml", "processes:\n  web:\n    command: {a: b}\n", &["type.yaml:3:", "command"]),
    ];
    for (name, text, said) in cases {
        let file = sandbox.write(name, text);
        for verb in ["validate", "apply"] {
            up.pmctl(&[verb, "-f", &file]).failed(2, said);
        }
    }
    sandbox.pmctl(&["apply", "-f", "missing.yaml"]).failed(2, &["missing.yaml"]);
    assert_eq!(up.api().instances().len(), 1);
    assert_eq!(bystander(&up), before);
}

#[test]
fn what_cannot_be_started_says_which_stage_failed_and_why() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(BYSTANDER);
    let before = bystander(&up);
    let api = up.api();
    let missing = sandbox.file("not-there");
    let cases = [
        ("no-program", format!("command: ['{missing}']"), vec![missing.clone(), "no such file".into()]),
        (
            "no-folder",
            format!("command: [sleep, '1']\n    working_dir: {missing}"),
            vec![missing.clone(), "no such file".into()],
        ),
        ("no-user", "command: [sleep, '1']\n    user: nobody-of-that-name".into(), vec!["nobody-of-that-name".into()]),
        ("no-rights", format!("command: ['{}']", sandbox.write("plain.txt", "text")), vec!["permission".into()]),
    ];
    for (name, fields, said) in cases {
        let revision = api.revision();
        let text = format!("processes:\n  {name}:\n    {fields}\n    restart: never\n");
        let file = sandbox.write("bad.yaml", &text);
        // The spec is sound, so it is stored; what fails is the start.
        let _ = up.pmctl(&["apply", "-f", &file]);
        let instance = format!("{name}-1");
        let event = api.events_from(revision + 1).wait_for_instance(&instance, "instance.start_failed");
        let message = event.message.to_lowercase();
        assert!(said.iter().all(|text| message.contains(&text.to_lowercase())), "{said:?} not in {message:?}");
        let status = up.pmctl(&["status", name]);
        assert!(status.stdout.contains(&said[0]) || status.stdout.to_lowercase().contains(&said[0]), "{status}");
        up.pmctl(&["start", name]).failed(1, &[name]);
    }
    assert_eq!(bystander(&up), before);
}

#[test]
fn what_is_not_there_is_not_found() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(BYSTANDER);
    let before = bystander(&up);
    for verb in ["start", "stop", "restart", "delete", "logs", "status"] {
        up.pmctl(&[verb, "bystanderr"]).failed(4, &["bystanderr"]);
    }
    let answer = http::get(up.credentials.authority(), "/api/v1/processes/none", Some(&up.credentials.token));
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(bystander(&up), before);
}

#[test]
fn a_wrong_token_opens_nothing() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(BYSTANDER);
    let before = bystander(&up);

    let wrong = sandbox.write("wrong-token", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n");
    std::fs::set_permissions(&wrong, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("it is ours");
    for verb in [&["status"][..], &["stop", "*"], &["list"]] {
        up.pmctl(&[&["--token-file", &wrong], verb].concat()).failed(7, &["token"]);
    }

    let authority = up.credentials.authority();
    for token in [None, Some("wrong"), Some("")] {
        for path in ["/api/v1/processes", "/api/v1/nodes", "/api/v1/instances/bystander-1/logs", "/status"] {
            let answer = http::get(authority, path, token);
            assert_eq!(answer.status, 401, "{path} {answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
            assert_eq!(answer.json()["status"], 401, "{path}");
        }
    }

    let stranger = Api::new(&Credentials { token: "wrong".into(), ..up.credentials.clone() });
    let mut client = ProcessServiceClient::new(stranger.channel());
    let refused = stranger.wait(client.list_processes(ListProcessesRequest::default())).expect_err("it is refused");
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(pm_proto::error::reason_of(&refused).as_deref(), Some("UNAUTHENTICATED"));
    assert_eq!(bystander(&up), before);
}

#[test]
fn the_viewers_token_sees_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(BYSTANDER);
    let before = bystander(&up);
    let viewer = sandbox.state_dir().join("token.viewer");
    let viewer = viewer.to_str().expect("the path is UTF-8");
    assert!(up.pmctl(&["--token-file", viewer, "status"]).succeeded().contains("bystander"));
    up.pmctl(&["--token-file", viewer, "stop", "*"]).failed(7, &["not allowed"]);
    assert_eq!(bystander(&up), before);
}

#[test]
fn a_second_up_on_the_same_state_is_refused() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(BYSTANDER);
    let before = bystander(&up);
    let file = sandbox.write("other.yaml", "processes:\n  other:\n    command: [sleep, '1']\n");
    let second = sandbox.pmctl(&["up", "--listen", "127.0.0.1:0", "-f", &file]);
    second.failed(1, &["already", &up.pid().to_string()]);
    assert_eq!(up.api().instances().len(), 1);
    assert_eq!(bystander(&up), before);
}

#[test]
fn a_port_that_is_taken_is_refused_by_name() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let sandbox = Sandbox::new();
    let file = sandbox.write("up.yaml", BYSTANDER);
    sandbox.pmctl(&["up", "--listen", &address, "-f", &file]).failed(1, &[&address, "in use"]);
}

#[test]
fn garbage_on_the_port_disturbs_nobody() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(BYSTANDER);
    let before = bystander(&up);
    let authority = up.credentials.authority();
    let noise: Vec<u8> = (0..64 * 1024_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let cases: Vec<Vec<u8>> = vec![
        noise.clone(),
        b"\0\0\0\0".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        [b"GET /".as_slice(), &[b'a'; 128 * 1024], b" HTTP/1.1\r\n\r\n"].concat(),
        [preface.as_slice(), &noise].concat(),
        // A frame that claims 16 MB.
        [preface.as_slice(), &[0xff, 0xff, 0xff, 0x00, 0x00, 0, 0, 0, 1], &noise[..1024]].concat(),
    ];
    for bytes in &cases {
        let _ = http::exchange(authority, bytes);
    }
    // Half a request, left hanging while others are served.
    let mut half = http::connect(authority, system_tests::DEADLINE);
    half.write_all(b"POST /api/v1/processes HTTP/1.1\r\ncontent-le").expect("it is taken");
    let answer = http::get(authority, "/api/v1/processes", Some(&up.credentials.token));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(bystander(&up), before);
}

#[test]
fn bad_requests_get_a_status_that_says_why() {
    let sandbox = Sandbox::new();
    let up = sandbox.up(BYSTANDER);
    let before = bystander(&up);
    let (authority, token) = (up.credentials.authority(), Some(up.credentials.token.as_str()));

    let large = format!("{{\"specs\": \"{}\"}}", "x".repeat(10 * 1024 * 1024));
    for (path, body, status) in [
        ("/api/v1/processes", "{not json", 400),
        ("/api/v1/processes", r#"{"specs": [{"name": "../x", "shell": "true"}]}"#, 400),
        ("/api/v1/processes", large.as_str(), 413),
        ("/api/v1/nothing", "{}", 404),
    ] {
        let answer = http::request(authority, "POST", path, token, Some(body));
        assert_eq!(answer.status, status, "{path} {:.60} {answer:?}", body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    }

    let api = up.api();
    let mut client = ProcessServiceClient::new(api.channel());
    let spec = |name: &str, shell: String| ProcessSpec {
        name: name.into(),
        command: Some(process_spec::Command::Shell(shell)),
        ..ProcessSpec::default()
    };
    let bad = ApplyProcessesRequest { specs: vec![spec("../x", "true".into())], ..Default::default() };
    let refused = api.wait(client.apply_processes(bad)).expect_err("a bad name is refused");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(pm_proto::error::reason_of(&refused).as_deref(), Some("INVALID_ARGUMENT"));
    assert!(refused.message().contains("../x"), "{}", refused.message());

    let large = ApplyProcessesRequest { specs: vec![spec("x", "x".repeat(10 * 1024 * 1024))], ..Default::default() };
    let refused = api.wait(client.apply_processes(large)).expect_err("10 MB are refused");
    assert!(matches!(refused.code(), Code::ResourceExhausted | Code::OutOfRange | Code::InvalidArgument), "{refused}");

    assert_eq!(api.instances().len(), 1);
    assert_eq!(bystander(&up), before);
}
