"""What has to be so of secrets, images, notes and of what is there for monitoring; and that Helm takes the chart as a whole."""

import base64
import json
import re
import tempfile

import helm_python
import yaml

from chart import CHART, Rendered, merged
from checks import case_of, run
from matrix import CASES, COMPONENTS, DIGEST


def the_key_of_the_ca_is_where_certificates_are_made_and_nowhere_else():
    for case in CASES:
        may_join = case == "nodes may join"
        for where, container, init in case_of(case).containers():
            sees = any(mount["name"] == "ca" for mount in container.get("volumeMounts", []))
            wanted = container["name"] == "certificate" or (may_join and not init and where.endswith("-registry/registry"))
            if sees != wanted:
                yield f"{case}: {where}: {'sees' if sees else 'does not see'} the CA's key"
    items = [volume["secret"] for _, _, spec in Rendered(CASES["cert-manager"]).pods() for volume in spec["volumes"] if volume["name"] == "ca"]
    if not items or any([one["key"] for one in secret["items"]] != ["tls.crt", "tls.key"] for secret in items):
        yield f"cert-manager's Secret has other keys than {items}"


def no_secret_is_in_a_variable_or_an_argument():
    for case in CASES:
        rendered = case_of(case)
        secrets = [value for one in rendered.of("Secret") for key, value in one["data"].items() if not key.endswith(".crt")]
        plain = secrets + [base64.b64decode(one).decode().strip() for one in secrets]
        for where, container, _ in rendered.containers():
            text = str(container)
            if any(one in text for one in plain):
                yield f"{case}: {where}: holds a secret"
            for variable in container.get("env", []):
                reference = variable.get("valueFrom", {})
                if "secretKeyRef" in reference and variable["name"] != "OTEL_EXPORTER_OTLP_HEADERS":
                    yield f"{case}: {where}: {variable['name']} is a secret"
                if "value" in variable and re.search(r"(TOKEN|KEY)$", variable["name"]) and not variable["value"].startswith("/"):
                    yield f"{case}: {where}: {variable['name']} is no path"
    for kind in ("pm-ca", "pm-tokens"):
        if Rendered().get("Secret", kind)["metadata"]["annotations"]["helm.sh/resource-policy"] != "keep":
            yield f"{kind} goes with the release"
    if Rendered().get("Secret", "pm-tokens")["data"] == Rendered().get("Secret", "pm-tokens")["data"]:
        yield "tokens are the same in each installation"
    if [one["metadata"]["name"] for one in Rendered(CASES["tokens that are there"]).of("Secret")] != ["pm-ca"]:
        yield "a Secret is made although auth.existingSecret names one"
    if any(one["metadata"]["name"].endswith("-ca") for case in ("a CA that is there", "cert-manager") for one in Rendered(CASES[case]).of("Secret")):
        yield "a CA is made although there is one"


def images_are_what_the_values_say():
    for where, container, _ in Rendered(CASES["by digest"]).containers():
        if container["image"] != f"ghcr.io/other/pm@{DIGEST}":
            yield f"{where}: the digest does not win: {container['image']}"
    one_by_one = Rendered(CASES["images one by one"])
    for component in COMPONENTS:
        if one_by_one.service(component)["image"] != f"ghcr.io/other/{component}:9":
            yield f"{component}: {one_by_one.service(component)['image']}"
    for where, container, _ in one_by_one.containers():
        if container["command"] == ["/usr/bin/pmctl"] and container["image"] != "ghcr.io/pm/pm:0.1.0":
            yield f"{where}: pmctl from {container['image']}"
    own = Rendered({"image": {"digest": DIGEST}, "gateway": {"image": {"repository": "ghcr.io/other/gateway"}}})
    if own.service("gateway")["image"] != "ghcr.io/other/gateway:0.1.0":
        yield f"another repository with this one's digest: {own.service('gateway')['image']}"


def pods_change_with_their_configuration_and_with_nothing_else():
    def template(values, kind="StatefulSet", name="pm-runner"):
        return Rendered(values).get(kind, name)["spec"]["template"]

    policy = {"runner": {"policy": {"version": 1, "shell": False}}}
    other = {"runner": {"policy": {"version": 1, "shell": True}}}
    if template({}) != template({"registry": {"replicas": 5}, "gateway": {"replicas": 5}}):
        yield "more replicas of the registry or the gateway end the programs"
    if template(policy) == template(other):
        yield "a new policy does not reach the runner"
    if template(policy) != template(policy):
        yield "the runner's pod is another one each time"
    types = {"runner": {"types": {"a": {"run": [{"command": ["a"]}]}}}}
    if template(types) == template(merged(types, {"runner": {"types": {"a": {"run": [{"command": ["b"]}]}}}})):
        yield "a new type does not reach the runner"
    for kind, name in (("StatefulSet", "pm-registry"), ("Deployment", "pm-gateway"), ("Deployment", "pm-monitor")):
        if template({}, kind, name) != template({}, kind, name):
            yield f"{name}: its pod is another one each time"
        if "chart" in str(template({}, kind, name)["metadata"]):
            yield f"{name}: a new version of the chart alone restarts it"


def notes_name_what_there_is():
    for case in ("defaults", "another name", "tokens that are there", "a CA that is there", "a load balancer", "no viewers"):
        rendered = case_of(case)
        for kind, name in re.findall(r"(deployment|service|secret)[/ ]([a-z0-9-]+)", rendered.notes):
            theirs = name in str(CASES[case])
            if not theirs and not any(one["kind"].lower() == kind and one["metadata"]["name"] == name for one in rendered.objects):
                yield f"{case}: NOTES speak of {kind} {name}"
        commands = rendered.notes.split("three commands:")[1].split("\n\n")[1].splitlines()
        if len(commands) != 3 or not all(one.startswith("  kubectl --namespace prod ") for one in commands):
            yield f"{case}: not three commands: {commands}"


def dashboards_and_rules_come_along():
    shipped = {path.name: path.read_text() for path in (CHART / "dashboards").glob("*.json")}
    if len(shipped) < 2:
        yield f"dashboards are {sorted(shipped)}: `cargo xtask chart-docs` copies them"
    rendered = case_of("monitors, rules and dashboards")
    maps = [one for one in rendered.of("ConfigMap") if "sidecar/dashboards" in one["metadata"]["labels"]]
    if {name: json.loads(text) for one in maps for name, text in one["data"].items()} != {name: json.loads(text) for name, text in shipped.items()}:
        yield f"the ConfigMaps hold {[list(one['data']) for one in maps]}"
    for one in maps:
        if one["metadata"]["labels"]["sidecar/dashboards"] != "yes" or one["metadata"]["annotations"] != {"grafana_folder": "pm"}:
            yield f"{one['metadata']['name']}: {one['metadata']}"
        if len(json.dumps(one)) > 1_000_000:
            yield f"{one['metadata']['name']}: larger than a ConfigMap may be"
    rule = rendered.of("PrometheusRule")
    if [one["spec"] for one in rule] != [yaml.safe_load((CHART / "rules.yaml").read_text())]:
        yield f"the PrometheusRule has other rules than rules.yaml: {rule}"
    if any(one["metadata"]["labels"].get("release") != "prometheus" for one in rendered.of("PrometheusRule", "ServiceMonitor", "PodMonitor")):
        yield "Prometheus does not find them by its label"
    if case_of("defaults").of("ConfigMap", "PrometheusRule", "ServiceMonitor", "PodMonitor") != [case_of("defaults").get("ConfigMap", "pm-test")]:
        yield "they are there although nobody asked for them"


def alerts_know_the_services_by_their_job():
    known = re.search(r'up\{job=~"([^"]+)"\}', (CHART / "rules.yaml").read_text())[1]
    monitors = CASES["monitors, rules and dashboards"]
    for name in ("", "supervisor", "blue-pm"):
        rendered = Rendered(merged(monitors, {"fullnameOverride": name}))
        for one in rendered.of("ServiceMonitor", "PodMonitor"):
            endpoints = one["spec"].get("endpoints", one["spec"].get("podMetricsEndpoints"))
            rules = [rule for endpoint in endpoints for rule in endpoint["relabelings"] if rule["targetLabel"] == "job"]
            for component in COMPONENTS:
                jobs = [rule["replacement"].replace("$1", component) for rule in rules]
                if len(jobs) != 1 or not re.fullmatch(known, jobs[0]):
                    yield f"{one['kind']} of {name}: {component} is scraped as {jobs}, which no alert knows"


def helm_itself_takes_the_chart():
    linted = helm_python.lint(str(CHART), {}, strict=True, namespace="prod", kube_version="1.29.0")
    if any(message["severity"] > 1 for message in linted["messages"]):
        yield f"lint for the oldest version: {linted}"
    with helm_python.Config(namespace="prod", storage_driver="memory") as config:
        release = config.install(str(CHART), "pm", {}, dry_run="client")
    objects = {(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(release["manifest"]) if one}
    # Hooks and tests are not of the release itself: Helm has seen what they are.
    wanted = {(one["kind"], one["metadata"]["name"]) for one in Rendered().objects if "helm.sh/hook" not in one["metadata"].get("annotations", {})}
    if objects != wanted:
        yield f"installed would be {objects ^ wanted} too much or too little"
    with tempfile.TemporaryDirectory() as folder:
        packed = helm_python.package(str(CHART), destination=folder)
        with helm_python.Chart.load(packed) as chart:
            if not chart.render({}, name="pm", namespace="prod"):
                yield "the package renders to nothing"


run(globals(), 8)
