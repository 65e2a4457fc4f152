//! Which pages are typed where, what their commands presuppose, and who runs those that are not typed.

use system_tests::pages::Row;
use system_tests::pages::Way::{After, By, Ends, Never, Until};

/// What is defined before a page begins.
pub(crate) const PROCESSES: &str = "processes:
  web:
    command: [sh, -c, 'echo serving; echo trouble >&2; exec sleep 100000']
    working_dir: /
";

/// A change of it that takes so long that it can be held.
pub(crate) const CHANGED: &str = "processes:
  web:
    command: [sh, -c, 'echo changed; echo trouble >&2; exec sleep 100000']
    working_dir: /
    instances: 2
";

/// `pmctl up` as it is found by itself, with `web`.
const UP: &str = "pmctl up -d -f processes.yaml && trap 'pmctl down' EXIT";

/// Every instance of `web` has run twice, and what it wrote can be read.
const AGAIN: &str = "pmctl restart web && until pmctl logs --previous web > /dev/null; do sleep 0.1; done";

/// Pages for somebody with `pmctl`, and what is done before in their terminal.
pub(crate) const OF_A_USER: [(&str, &str); 11] = [
    ("examples/README.md", ":"),
    ("README.md", "pmctl up -d -f examples/quickstart.yaml && trap 'pmctl down' EXIT"),
    ("docs/migration.md", ":"),
    ("docs/pmctl.md", UP),
    ("docs/logs.md", UP),
    ("docs/audit.md", UP),
    ("docs/rollouts.md", UP),
    ("docs/observability.md", UP),
    ("docs/backup.md", UP),
    ("docs/api.md", UP),
    ("docs/services.md", ":"),
];

/// How pmctl finds a cluster with certificates, whose `pki` is that of docs/security.md.
/// Nothing is wrong with it.
const SECURED: &str = ". ../docs-security-md/terminal && ln -s ../docs-security-md/pki . &&
    until pmctl cluster check > /dev/null; do sleep 0.1; done";

/// Pages for root of a server, in the order in which they are typed on one.
pub(crate) const ON_A_SERVER: [(&str, &str); 24] = [
    ("docs/systemd.md", ":"),
    ("docs/security.md", "printf '%s\\n' \"$TERMINAL\" > terminal"),
    ("docs/runbooks/PmInstancesPending.md", SECURED),
    ("docs/runbooks/PmProcessDown.md", SECURED),
    ("docs/runbooks/PmProcessCannotStart.md", SECURED),
    ("docs/runbooks/PmProcessCrashLooping.md", SECURED),
    ("docs/runbooks/PmProcessOutOfMemory.md", SECURED),
    ("docs/runbooks/PmLogsDropped.md", SECURED),
    ("docs/runbooks/PmWatchCut.md", SECURED),
    ("docs/runbooks/PmGatewayErrors.md", SECURED),
    ("docs/runbooks/PmMonitorSamplesRefused.md", SECURED),
    ("docs/runbooks/PmKeeperLost.md", SECURED),
    ("docs/runbooks/PmServiceDown.md", SECURED),
    ("docs/runbooks/PmRunnerDisconnected.md", SECURED),
    ("docs/runbooks/PmReplacementBrake.md", SECURED),
    ("docs/runbooks/PmRegistryNoLeader.md", SECURED),
    ("docs/runbooks/PmRegistryQuorumAtRisk.md", SECURED),
    ("docs/runbooks/PmRegistryDiskAlmostFull.md", SECURED),
    ("docs/runbooks/PmRegistryHighCommitLatency.md", SECURED),
    ("docs/runbooks/PmCertificateExpiring.md", SECURED),
    ("docs/runbooks/PmCertificateReloadFailing.md", SECURED),
    ("docs/nodes.md", SECURED),
    ("docs/runbooks/PmNodeDown.md", SECURED),
    ("docs/cluster.md", SECURED),
];

const FIRST_SCREEN: &str = "fresh_machine_with_rust_follows_the_readme_until_its_programs_answer";
const PYTHON: &str = "a_python_client_lists_processes_and_follows_events";
const MTLS: &str = "joining_a_fresh_server_takes_one_line_that_is_pasted";
const MEMBERS: &str = "an_operator_looks_joins_replaces_removes_and_hands_over";
const RESTORE: &str = "r14_after_a_restore_nothing_is_ended_started_or_doubled_until_it_is_confirmed";
const PACKAGES: &str = "package_life_cycle_install_upgrade_remove_and_purge_on_a_fresh_debian";
const IMAGES: &str = "image_run_all_in_one_and_each_service_shut_in_well_and_stopped_in_order";
const TOPOLOGY: &str = "its_very_topology_has_two_nodes_ready_runs_a_process_and_goes_on_without_one_registry";
const CHART: &str = "what_the_chart_installs_runs_a_program_passes_helm_test_and_scales_to_five_and_back";
const NO_ENGINE: &str = "there is no container engine with Compose; the test TOPOLOGY runs what its file says";

pub(crate) const WAYS: [Row; 68] = [
    // A user's.
    ("examples/README.md", "pmctl up", Until("up: 3 of 3")),
    ("README.md", "cargo run --release --bin pmctl", By(FIRST_SCREEN)),
    ("README.md", "cargo xtask dist", By(PACKAGES)),
    ("README.md", "cargo xtask test", Never("this is a part of it")),
    ("README.md", "cargo xtask verify", Never("what is tested together with this is verified so")),
    ("README.md", "cargo xtask fix", Never("it changes the sources")),
    ("README.md", "cargo run --release -p benches", Never("a measure of minutes on a machine that does nothing else")),
    ("README.md", "pmctl watch", Until("started with pid")),
    ("README.md", "pmctl logs -f ticker", Until("tick")),
    ("docs/migration.md", "pmctl up", Until("up: 1 of 1")),
    ("docs/migration.md", "pmctl apply", After("pmctl up -d && trap 'pmctl down' EXIT")),
    ("docs/logs.md", "pmctl logs web -f", Until("serving")),
    ("docs/logs.md", "pmctl logs web-1 --stream stderr --previous", After(AGAIN)),
    ("docs/audit.md", "pmctl audit --verify --known", By("a_change_is_listed_compared_taken_back_and_proven")),
    ("docs/rollouts.md", "pmctl diff", Ends(1)),
    // It has to take its time, or there is nothing to hold.
    (
        "docs/rollouts.md",
        "pmctl rollout pause",
        After("sed -i 's/changed/again/; s/instances: 2/update: {min_ready: 5m}/' app.yaml && pmctl apply -f app.yaml"),
    ),
    ("docs/observability.md", "docker", Never(NO_ENGINE)),
    ("docs/api.md", "curl -sSN -H \"Authorization: Bearer $TOKEN\" \"$PM/api/v1/events", Until("instance.started")),
    ("docs/api.md", "curl -sSN -H \"Authorization: Bearer $TOKEN\" \"$PM/api/v1/instances", Until("chunk")),
    ("docs/api.md", "python3 -m venv", By(PYTHON)),
    ("docs/api.md", "mkdir gen", By(PYTHON)),
    ("docs/api.md", "PM_TOKEN_FILE", By(PYTHON)),
    (
        "docs/services.md",
        "pmctl nodes",
        After("until pmctl nodes | grep -q ready; do sleep 0.1; done && cp ../app.yaml ."),
    ),
    (
        "docs/services.md",
        "registry-svc --service-token-file service.token --data-dir \"$PWD/registry\" \\",
        After("kill $(jobs -p) && wait"),
    ),
    ("docs/services.md", "pmctl --endpoint", After("until curl -s http://127.0.0.1:17490/readyz; do sleep 0.1; done")),
    (
        "docs/services.md",
        "curl -s http://127.0.0.1:7491/healthz",
        After(
            "kill $(jobs -p) && wait
            {{registry-svc}}
            {{monitor-svc}}
            {{runner-svc}}
            {{gateway}}
            until curl -s http://127.0.0.1:7491/readyz; do sleep 0.1; done",
        ),
    ),
    ("docs/services.md", "kill -USR1", After("until pmctl nodes | grep -q ready; do sleep 0.1; done")),
    ("docs/backup.md", "pmctl backup restore", By(RESTORE)),
    ("docs/backup.md", "pmctl audit --verify", By(RESTORE)),
    ("docs/backup.md", "pmctl backup status", By(RESTORE)),
    ("docs/backup.md", "pmctl backup confirm", By(RESTORE)),
    // A server's.
    ("docs/security.md", "registry-svc", By(MTLS)),
    ("docs/security.md", "monitor-svc", By(MTLS)),
    ("docs/security.md", "gateway", By(MTLS)),
    (
        "docs/security.md",
        "pmctl cluster issue --dir /ca",
        By("a_volume_gets_a_name_of_its_own_and_keeps_it_when_its_certificate_is_renewed"),
    ),
    ("docs/security.md", "pmctl nodes join-command", After("bash -c \"$SETUP\" && . ~/terminal")),
    (
        "docs/runbooks/PmCertificateReloadFailing.md",
        "journalctl",
        After(
            "cp pki/monitor/tls.crt /etc/pm/tls/tls.crt && until journalctl -u pm-registry | grep -qi certificate; do sleep 0.1; done",
        ),
    ),
    ("docs/runbooks/PmProcessDown.md", "pmctl logs --previous", After(AGAIN)),
    ("docs/nodes.md", "pmctl nodes remove", After("until pmctl nodes | grep node-a | grep lost; do sleep 0.1; done")),
    (
        "docs/nodes.md",
        "pmctl nodes uncordon",
        After("systemctl start pm-runner && until pmctl nodes | grep node-a | grep ready; do sleep 0.1; done"),
    ),
    (
        "docs/runbooks/PmNodeDown.md",
        "pmctl nodes remove",
        After(
            "pmctl scale web=4 --wait && systemctl stop pm-runner && until pmctl nodes | grep node-a | grep lost; do sleep 0.1; done",
        ),
    ),
    ("docs/runbooks/PmRegistryQuorumAtRisk.md", "pmctl cluster join", By(MEMBERS)),
    ("docs/cluster.md", "pmctl cluster join 4", After("fresh_replica 4")),
    ("docs/cluster.md", "pmctl cluster join 5", After("stop_replica 2 && fresh_replica 5")),
    ("docs/cluster.md", "pmctl cluster transfer-leader", After("until pmctl cluster check; do sleep 0.1; done")),
    // It asks whoever sits before a terminal.
    (
        "docs/cluster.md",
        "pmctl cluster recover",
        By("r13_one_directory_of_three_becomes_a_cluster_that_has_everything_and_old_members_are_fenced"),
    ),
    // Elsewhere.
    ("docs/operate.md", "", By("every_block_of_the_operators_page_works_and_no_program_is_touched_before_the_last")),
    ("docs/install.md", "cargo xtask dist", By(PACKAGES)),
    (
        "docs/install.md",
        "sh install.sh",
        By("installer_installs_what_the_checksums_vouch_for_and_says_how_to_be_rid_of_it"),
    ),
    ("docs/install.md", "pmctl up", By("quickstart_comes_up_and_a_second_terminal_uses_it")),
    ("docs/install.md", "apt install", By(PACKAGES)),
    ("docs/install.md", "pmctl list", By(PACKAGES)),
    ("docs/install.md", "pmctl nodes join-command", By(MTLS)),
    ("docs/install.md", "podman", By(IMAGES)),
    ("docs/compose.md", "docker", Never(NO_ENGINE)),
    ("docs/compose.md", "cd deploy/compose", Never(NO_ENGINE)),
    ("docs/compose.md", "export", Never(NO_ENGINE)),
    ("docs/compose.md", "chmod", Never(NO_ENGINE)),
    ("docs/compose.md", "pmctl --endpoint https://127.0.0.1:7480 --ca ca.crt", By(TOPOLOGY)),
    ("helm/README.md", "helm install", By(CHART)),
    ("helm/README.md", "helm upgrade", By(CHART)),
    ("helm/templates/NOTES.txt", "{{ $kubectl }}", By(CHART)),
    ("helm/templates/NOTES.txt", "(umask 077; {{ $kubectl }} get secret", By(CHART)),
    ("helm/templates/NOTES.txt", "pmctl --endpoint https://127.0.0.1:7480 --ca pm.crt", By(CHART)),
    (
        "examples/cluster/README.md",
        "cargo build",
        Never("it takes longer than all else here, and builds what was built to be tested"),
    ),
    (
        "examples/cluster/README.md",
        "examples/cluster/run.sh",
        By("the_example_starts_survives_kills_of_its_leader_and_ends_without_a_rest"),
    ),
    (
        "examples/cluster/README.md",
        "examples/cluster/kill-leader.sh",
        By("the_example_starts_survives_kills_of_its_leader_and_ends_without_a_rest"),
    ),
    (
        "examples/cluster/README.md",
        "sudo examples/cluster/",
        By("three_nodes_with_a_network_of_their_own_lose_one_and_keep_what_was_promised"),
    ),
];
