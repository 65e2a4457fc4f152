//! A cluster over mTLS: made with one command, joined with another; a certificate opens what its role may, a token one node
//! once, and a new pair breaks nothing.

// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::error::reason_of;
use pm_proto::v1;
use pm_proto::v1::monitor_intake_service_client::MonitorIntakeServiceClient;
use pm_proto::v1::node_identity_service_client::NodeIdentityServiceClient;
use pm_proto::v1::peer_service_client::PeerServiceClient;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use pm_proto::v1::registry_internal_service_client::RegistryInternalServiceClient;
use pm_proto::v1::runner_session_service_client::RunnerSessionServiceClient;
use service_host::client::ClientContext;
use service_host::identity::{KeyOrder, Role, Secured};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use system_tests::{Beside, Sandbox, Trusted, binary, until};
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Status};

const WEB: &str = "processes:\n  web:\n    command: [sleep, '1000']\n    instances: 2\n";

/// Every file below a folder that holds this text.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let found = Command::new("grep").args(["-rlaF", "--", text]).arg(folder).output().unwrap();
    String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
}

fn is_running(fleet: &Trusted<'_>, count: usize) -> bool {
    fleet.pmctl(&["list", "-o", "json"]).stdout.matches("INSTANCE_PHASE_RUNNING").count() == count
}

#[track_caller]
fn denied<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let status = answer.expect_err("it was let in");
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    assert_eq!(reason_of(&status).as_deref(), Some("PERMISSION_DENIED"), "{status:?}");
}

#[test]
fn init_makes_what_everything_starts_with_and_a_pasted_line_makes_a_node_that_runs_programs() {
    let sandbox = Sandbox::new();
    let mut fleet = Trusted::started(&sandbox, &[]);
    let line = fleet.join_command(&[]);
    let token = line.split(['=', ' ']).nth(1).unwrap().to_owned();
    let (joined, said) = fleet.join(&line, "node-a");
    assert!(joined && said.contains("spiffe://prod/runner/node-a"), "{said}");
    fleet.start_runner("node-a");
    let file = sandbox.write("web.yaml", WEB);
    let _ = fleet.pmctl(&["apply", "-f", &file]).succeeded();
    until("both instances run", || is_running(&fleet, 2));
    let samples = || fleet.pmctl(&["nodes", "-o", "json"]).stdout.contains("\"sample\"");
    until("the monitor measures the node", samples);

    // The token is good once, and nobody wrote it down.
    let (joined, said) = fleet.join(&line, "node-b");
    assert!(!joined && said.contains("lets nobody in"), "{said}");
    let audit = fleet.pmctl(&["audit", "-o", "json"]).succeeded();
    for told in ["invite-node", "admit-node", "operator:operator"] {
        assert!(audit.contains(told), "{told} is missing in\n{audit}");
    }
    assert_eq!(files_with(sandbox.path(), &token), [""; 0], "the token is on a disk");
    let key = std::fs::read_to_string(sandbox.file("state-node-a/identity/node.pem")).unwrap();
    let secret = key.lines().skip_while(|line| !line.contains("PRIVATE KEY")).nth(1).unwrap();
    let holders = files_with(sandbox.path(), secret);
    assert!(holders.len() == 1 && holders[0].ends_with("identity/node.pem"), "{holders:?}");

    // A replica that is replaced by a restart is one of them again, and the node finds its way.
    fleet.kill("registry-1");
    until("the others lead", || is_running(&fleet, 2));
    fleet.start_registry(1, &[]);
    let health = || !fleet.pmctl(&["cluster", "status"]).stdout.contains("unreachable");
    until("all are there again", health);
}

#[test]
fn x03_a_certificate_opens_nothing_that_is_not_its_role_s() {
    let sandbox = Sandbox::new();
    let fleet = Trusted::started(&sandbox, &[]);
    let (gateway, monitor) = (fleet.folder("gateway"), fleet.folder("monitor"));
    let (node_a, node_b) = (fleet.issue("runner/node-a"), fleet.issue("runner/node-b"));
    let registry = |folder: &Path, role| fleet.channel_as(folder, role, "registry-1", Role::Registry);

    // The peers' link, and what leads to it, is the replicas' own.
    for (folder, role) in [(&node_b, Role::Runner), (&gateway, Role::Gateway), (&monitor, Role::Monitor)] {
        let mut peers = PeerServiceClient::new(registry(folder, role));
        denied(fleet.wait(peers.introduce(v1::IntroduceRequest {})));
        denied(fleet.wait(peers.link(tokio_stream::empty())));
        denied(fleet.wait(peers.enroll_member(v1::EnrollMemberRequest::default())));
        denied(fleet.wait(peers.send_snapshot(tokio_stream::empty())));
    }
    // What users do is done through a gateway.
    for (folder, role) in
        [(&node_b, Role::Runner), (&monitor, Role::Monitor), (&fleet.folder("operator"), Role::Operator)]
    {
        let mut processes = ProcessServiceClient::new(registry(folder, role));
        denied(fleet.wait(processes.list_processes(v1::ListProcessesRequest::default())));
        let mut internal = RegistryInternalServiceClient::new(registry(folder, role));
        denied(fleet.wait(internal.record_refusals(v1::RecordRefusalsRequest::default())));
    }
    // A node speaks for itself: not a gateway for it, and not another node.
    let hello = |node: &str| v1::RunSessionRequest {
        message: Some(v1::run_session_request::Message::Hello(v1::SessionHello {
            node: node.to_owned(),
            ..v1::SessionHello::default()
        })),
    };
    for (folder, role) in [(&gateway, Role::Gateway), (&node_b, Role::Runner)] {
        let mut sessions = RunnerSessionServiceClient::new(registry(folder, role));
        denied(fleet.wait(sessions.run_session(tokio_stream::once(hello("node-a")))));
    }
    let mut renewal = NodeIdentityServiceClient::new(registry(&node_b, Role::Runner));
    let request = KeyOrder::new().unwrap().request().to_vec();
    let request = v1::RenewCertificateRequest { signing_request: request.into(), node: "node-a".into() };
    denied(fleet.wait(renewal.renew_certificate(request)));
    let intake = |node: &str| v1::RunIntakeRequest {
        message: Some(v1::run_intake_request::Message::Hello(v1::IntakeHello { node: node.to_owned() })),
    };
    let mut intakes =
        MonitorIntakeServiceClient::new(fleet.channel_as(&node_b, Role::Runner, "monitor", Role::Monitor));
    denied(fleet.wait(async {
        let mut answers = intakes.run_intake(tokio_stream::once(intake("node-a"))).await?.into_inner();
        answers.message().await
    }));
    let mut intakes =
        MonitorIntakeServiceClient::new(fleet.channel_as(&gateway, Role::Gateway, "monitor", Role::Monitor));
    denied(fleet.wait(intakes.run_intake(tokio_stream::once(intake("node-a")))).map(drop));
    // The own node is let in.
    let mut intakes =
        MonitorIntakeServiceClient::new(fleet.channel_as(&node_a, Role::Runner, "monitor", Role::Monitor));
    fleet.wait(intakes.run_intake(tokio_stream::pending())).expect("node-a is who it says");
    let no_node = || !fleet.pmctl(&["nodes", "-o", "json"]).stdout.contains("node-a");
    assert!(no_node(), "somebody spoke for node-a");

    let audited = || fleet.pmctl(&["audit", "-o", "json"]).stdout;
    let told =
        ["runner:node-b", "gateway:gateway", "monitor:monitor", "PeerService/Link", "RunSession", "RenewCertificate"];
    until("all of it is in the audit log", || told.iter().all(|word| audited().contains(word)));
}

#[test]
fn x12_a_join_token_is_one_node_s_in_its_time_and_guessing_is_slow_and_audited() {
    let sandbox = Sandbox::new();
    let mut fleet = Trusted::started(&sandbox, &[]);
    // For a name, another one cannot use it.
    let line = fleet.join_command(&["--node", "node-a"]);
    let (joined, said) = fleet.join(&line.replace(" --node node-a", " --node node-b"), "node-b");
    assert!(!joined && said.contains("lets nobody in"), "{said}");
    // A registry of another CA is not told the token.
    let fingerprint = line.split("sha256:").nth(1).unwrap()[..64].to_owned();
    let (joined, said) = fleet.join(&line.replace(&fingerprint, &"ab".repeat(32)), "node-a");
    assert!(!joined && said.contains("fingerprint"), "{said}");
    let (joined, said) = fleet.join(&line, "node-a");
    assert!(joined, "{said}");
    // A node without a name takes nobody's place, and a token ends.
    fleet.start_runner("node-a");
    until("the node is there", || fleet.pmctl(&["nodes"]).stdout.contains("node-a"));
    let expired = fleet.join_command(&["--node", "node-c", "--ttl", "1s"]);
    std::fs::rename(sandbox.file("state-node-a"), sandbox.file("state-aside")).unwrap();
    let (joined, said) = fleet.join(&fleet.join_command(&[]), "node-a");
    assert!(!joined && said.contains("lets nobody in"), "{said}");
    // Not a wait for something that happens: its time has to be over, and is then.
    std::thread::sleep(Duration::from_millis(1_200));
    let (joined, said) = fleet.join(&expired, "node-c");
    assert!(!joined && said.contains("lets nobody in"), "{said}");
    for ttl in ["0s", "25h"] {
        let refused = fleet.pmctl(&["nodes", "join-command", "--ttl", ttl]);
        assert!(refused.code == 2 && refused.stderr.contains("24h"), "{refused}");
    }

    // Brute force, as fast as it goes, against all replicas at once.
    let channel = {
        let endpoints: service_host::transport::Endpoints = fleet.url("registry-2").parse().unwrap();
        let dial = endpoints.secured(Secured::joining(&fingerprint).unwrap()).unwrap();
        let channel = fleet.wait(async { dial.channel() }).unwrap();
        InterceptedService::new(channel, ClientContext::without_token())
    };
    let request = KeyOrder::new().unwrap().request().to_vec();
    let guesses = fleet.wait(async {
        let mut client = NodeIdentityServiceClient::new(channel);
        let mut codes = Vec::new();
        for n in 0..1_000 {
            let guess = v1::JoinNodeRequest {
                token: format!("{n:064x}"),
                node: "node-x".into(),
                signing_request: request.clone().into(),
            };
            codes.push(client.join_node(guess).await.expect_err("a guess was right").code());
        }
        codes
    });
    let slow = guesses.iter().filter(|code| **code == Code::ResourceExhausted).count();
    assert!(slow >= 980, "{slow} of 1000 guesses were stopped");
    assert!(guesses.iter().all(|code| [Code::ResourceExhausted, Code::PermissionDenied].contains(code)), "{guesses:?}");
    let audited = || fleet.pmctl(&["audit", "-o", "json"]).stdout;
    until("guessing is in the audit log", || audited().contains("NodeIdentityService/JoinNode"));
    // Everybody else is served as before.
    let _ = fleet.pmctl(&["cluster", "status"]).succeeded();
    let _ = fleet.pmctl(&["nodes"]).succeeded();
}

/// When a service's certificate ends, as it shows.
fn expiry(fleet: &Trusted<'_>, name: &str) -> u64 {
    let metrics = fleet.metrics(name);
    let line = metrics.lines().find(|line| line.starts_with("pm_tls_certificate_expiry_seconds "));
    line.unwrap_or_else(|| panic!("{metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
}

/// The term of the registry's leader.
fn term(fleet: &Trusted<'_>) -> String {
    let status = fleet.pmctl(&["cluster", "status"]).succeeded();
    status.split("term ").nth(1).unwrap_or_else(|| panic!("{status}")).split(',').next().unwrap().to_owned()
}

#[test]
fn x13_certificates_are_exchanged_under_load_and_by_themselves_and_no_session_is_lost() {
    let sandbox = Sandbox::new();
    let mut fleet = Trusted::started(&sandbox, &["--node-certificate-life", "60s"]);
    let (joined, said) = fleet.join(&fleet.join_command(&[]), "node-a");
    assert!(joined, "{said}");
    fleet.start_runner("node-a");
    let file = sandbox.write("web.yaml", WEB);
    let _ = fleet.pmctl(&["apply", "-f", &file]).succeeded();
    until("both instances run", || is_running(&fleet, 2));
    let connected = |fleet: &Trusted<'_>| {
        fleet.said("registry-1").matches("a runner connected").count()
            + fleet.said("registry-2").matches("a runner connected").count()
            + fleet.said("registry-3").matches("a runner connected").count()
    };
    let (before, sessions) = (expiry(&fleet, "node-a"), connected(&fleet));
    let (term, began) = (term(&fleet), Instant::now());
    until("the runner has its certificate renewed", || expiry(&fleet, "node-a") >= before + 20);
    assert!(began.elapsed() < Duration::from_secs(60), "only when it had ended");

    // The services' own, while somebody looks on; and a bad pair in between.
    let names = ["registry-1", "registry-2", "registry-3", "monitor", "gateway"];
    let old = names.map(|name| expiry(&fleet, name));
    let pki = sandbox.file("pki");
    for name in names {
        let role = name.split('-').next().unwrap();
        let who = format!("{role}/{name}");
        let issued = sandbox.pmctl(&["cluster", "issue", "--dir", &pki, &who, "--life", "400d"]).succeeded();
        assert!(issued.trim().ends_with(name), "{issued}");
    }
    until("all have taken it up", || names.iter().zip(old).all(|(name, old)| expiry(&fleet, name) > old));
    std::fs::copy(fleet.folder("gateway").join("tls.key"), fleet.folder("registry-2").join("tls.key")).unwrap();
    // It is looked at again and again, and may have failed twice by now.
    until("a bad pair is told", || fleet.metric("registry-2", "pm_tls_reload_failures_total") > 0);
    until("and that nothing comes of it", || fleet.said("registry-2").contains("the old one stays in force"));

    assert!(is_running(&fleet, 2));
    // Another leader, which a slow machine may bring, is a reason to connect anew; a certificate is none.
    assert!(connected(&fleet) == sessions || self::term(&fleet) != term, "the runner's session was dropped");
    let events = fleet.pmctl(&["events", "-o", "json"]).stdout;
    assert!(!events.contains("node.lost"), "{events}");
}

#[test]
fn plain_text_beyond_loopback_is_refused_unless_somebody_insists() {
    let sandbox = Sandbox::new();
    let token = sandbox.write("service.token", "a-token-that-the-services-share-0123456789");
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    for (program, words) in [
        ("registry-svc", vec!["--data-dir".to_owned(), sandbox.file("data")]),
        ("monitor-svc", vec![]),
        ("gateway", vec!["--admin-token-file".to_owned(), token.clone()]),
        (
            "runner-svc",
            vec!["--state-dir".to_owned(), sandbox.file("state"), "--log-dir".to_owned(), sandbox.file("logs")],
        ),
    ] {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let own =
            ["--service-token-file", &token, "--listen", "0.0.0.0:0", "--ops-listen", "127.0.0.1:0", "--allow-remote"];
        let mut refused = Beside::start(&sandbox, program, program, &[&own[..], &words].concat());
        assert_ne!(refused.end(), Some(0), "{program}");
        let said = refused.said();
        assert!(said.contains("--insecure-plaintext") && said.contains("--tls-dir"), "{program}: {said}");
    }
    // With neither token nor certificate it says what is missing.
    let mut refused = Beside::run(&sandbox, "nobody", &mut Command::new(binary::path("monitor-svc")));
    assert_ne!(refused.end(), Some(0));
    assert!(refused.said().contains("--service-token-file"), "{}", refused.said());
}
