"""What has to be so of pods, ports, addresses and the network, whatever the values are, and of some values in particular.

Argument: the folder of the built programs. Each check is a function of its name; what it yields is a fault.
"""

import functools
import pathlib
import re
import subprocess
import sys

from chart import Rendered, env
from checks import case_of, run
from matrix import CASES, COMPONENTS

PROGRAMS = pathlib.Path(sys.argv[1])
BINARY = {"registry": "registry-svc", "monitor": "monitor-svc", "gateway": "gateway", "runner": "runner-svc"}
PORTS = {"registry": (7481, 7491), "monitor": (7482, 7492), "gateway": (7480, 7490), "runner": (None, 7493)}
# Who dials whom: the arrows of the design, by port. "*" is everybody.
ARROWS = {
    ("*", "gateway", 7480),
    ("operator", "gateway", 7480),
    ("gateway", "registry", 7481),
    ("runner", "registry", 7481),
    ("registry", "registry", 7481),
    ("gateway", "monitor", 7482),
    ("runner", "monitor", 7482),
}
# What the kubelet and OpenTelemetry define, not our programs.
NOT_OURS = re.compile(r"^(POD_NAME|NODE_NAME|EXTRA|OTEL_[A-Z_]+)$")


@functools.cache
def helped(program):
    """The variables that a program says it knows."""
    said = subprocess.run([PROGRAMS / program, "--help"], capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"\[env: ([A-Z_]+)=([^\]]*)\]", said))


def every_container_is_restricted():
    for case in CASES:
        rendered = case_of(case)
        for whose, _, spec in rendered.pods():
            host = case == "all processes of the machines"
            if spec.get("automountServiceAccountToken") is not False:
                yield f"{case}: {whose}: has a token of its service account"
            for key in ("hostPID", "hostNetwork", "hostIPC"):
                if spec.get(key) and not (host and key == "hostPID" and whose.startswith("DaemonSet/")):
                    yield f"{case}: {whose}: {key}"
            if any("hostPath" in volume for volume in spec.get("volumes", [])):
                yield f"{case}: {whose}: has a folder of the machine"
        for where, container, _ in rendered.containers():
            context = container.get("securityContext", {})
            if case == "all processes of the machines" and where.endswith("-runner/runner"):
                continue
            wanted = {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }
            if context != wanted:
                yield f"{case}: {where}: {context}"
            if "memory" not in container["resources"].get("limits", {}):
                yield f"{case}: {where}: no limit of memory"
            if container["image"].endswith(":latest") or ":" not in container["image"].rsplit("/", 1)[-1]:
                yield f"{case}: {where}: image {container['image']}"


def pods_run_as_an_account_without_a_name():
    for whose, _, spec in Rendered().pods():
        context = spec["securityContext"]
        if (context["runAsUser"], context["fsGroup"], context["fsGroupChangePolicy"]) != (65532, 65532, "OnRootMismatch"):
            yield f"{whose}: {context}"
    for whose, _, spec in Rendered(CASES["a platform that gives accounts"]).pods():
        if "runAsUser" in spec["securityContext"] or "fsGroup" in spec["securityContext"]:
            yield f"{whose}: {spec['securityContext']} although userId is null"


def every_variable_is_one_of_the_program_that_gets_it():
    pmctl = helped("pmctl")
    for component in COMPONENTS:
        known = helped(BINARY[component])
        for case in CASES:
            if case == "no runner" and component == "runner":
                continue
            container = case_of(case).service(component)
            if container["command"] != [f"/usr/bin/{BINARY[component]}"]:
                yield f"{component}: runs {container['command']}"
            for name in env(container):
                ok = name in known or NOT_OURS.match(name) or (component == "gateway" and name in pmctl)
                if not ok:
                    yield f"{case}: {component}: {BINARY[component]} does not know {name}"
    for where, container, _ in Rendered().containers():
        if container["command"] == ["/usr/bin/pmctl"]:
            for name in env(container):
                if name not in pmctl and not NOT_OURS.match(name):
                    yield f"{where}: pmctl does not know {name}"


def every_argument_is_one_that_pmctl_takes():
    for where, container, _ in Rendered().containers():
        if container["command"] != ["/usr/bin/pmctl"]:
            continue
        words = [word for word in container["args"] if not word.startswith("-")]
        verb = words[:2] if words[0] == "cluster" else words[:1]
        said = subprocess.run([PROGRAMS / "pmctl", *verb, "--help"], capture_output=True, text=True, check=True).stdout
        for option in (word.split("=")[0] for word in container["args"] if word.startswith("-")):
            if not re.search(rf"(^|\s){option}\b", said):
                yield f"{where}: `pmctl {' '.join(verb)}` has no {option}"


def ports_agree_everywhere():
    for component in COMPONENTS:
        container = Rendered().service(component)
        variables = env(container)
        service, ops = PORTS[component]
        declared = {one["name"]: one["containerPort"] for one in container["ports"]}
        if set(declared.values()) != {port for port in (service, ops) if port}:
            yield f"{component}: declares {declared}"
        prefix = f"PM_{component.upper()}"
        if variables[f"{prefix}_OPS_LISTEN"] != f"0.0.0.0:{ops}":
            yield f"{component}: operations port {variables[f'{prefix}_OPS_LISTEN']}"
        if service and variables[f"{prefix}_LISTEN"] != f"0.0.0.0:{service}":
            yield f"{component}: port {variables[f'{prefix}_LISTEN']}"
        if container["readinessProbe"]["grpc"]["port"] != ops:
            yield f"{component}: readiness is asked of {container['readinessProbe']}"
        for probe in ("startupProbe", "livenessProbe"):
            if container[probe]["httpGet"] != {"path": "/healthz", "port": "ops"}:
                yield f"{component}: {probe} would end what only waits for others: {container[probe]}"
        known = helped(BINARY[component])
        if f"{prefix}_OPS_LISTEN" not in known:
            yield f"{component}: no {prefix}_OPS_LISTEN"
    for name, port in (("pm-registry", 7481), ("pm-monitor", 7482), ("pm-gateway", 7480)):
        if Rendered().get("Service", name)["spec"]["ports"][0]["port"] != port:
            yield f"Service {name}: not {port}"


def selects(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


def selectors_match_what_they_are_for():
    for case in CASES:
        rendered = case_of(case)
        pods = list(rendered.pods())
        for one in rendered.of("StatefulSet", "Deployment", "DaemonSet"):
            labels = one["spec"]["template"]["metadata"]["labels"]
            if not selects(one["spec"]["selector"]["matchLabels"], labels):
                yield f"{case}: {one['kind']}/{one['metadata']['name']} does not select its own pods"
        for one in rendered.of("Service", "PodDisruptionBudget"):
            selector = one["spec"]["selector"]
            selector = selector.get("matchLabels", selector)
            owners = {whose for whose, labels, _ in pods if selects(selector, labels)}
            ops = one["metadata"]["name"].endswith("-ops")
            if not owners or (len(owners) > 1 and not ops):
                yield f"{case}: {one['kind']}/{one['metadata']['name']} selects {sorted(owners)}"
            for whose, labels, spec in pods:
                if one["kind"] == "Service" and selects(selector, labels) and not ops:
                    named = {port["name"] for container in spec["containers"] for port in container.get("ports", [])}
                    for port in one["spec"].get("ports", []):
                        if port["targetPort"] not in named:
                            yield f"{case}: Service/{one['metadata']['name']}: {whose} has no port {port['targetPort']}"


def component_of(peer):
    labels = peer["podSelector"]["matchLabels"]
    assert labels["app.kubernetes.io/instance"] == "pm" and labels["app.kubernetes.io/name"] == "pm", labels
    return labels["app.kubernetes.io/component"]


def arrows_of(rendered):
    """(what may come in, what may go out), each as who → whom : port."""
    comes, goes = set(), set()
    for policy in rendered.of("NetworkPolicy"):
        spec = policy["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"], policy["metadata"]["name"]
        own = spec["podSelector"]["matchLabels"].get("app.kubernetes.io/component")
        for rule in spec.get("ingress", []):
            for port in rule["ports"]:
                comes |= {(component_of(peer), own, port["port"]) for peer in rule["from"]} if "from" in rule else {("*", own, port["port"])}
        for rule in spec.get("egress", []):
            for port in rule["ports"]:
                goes |= {(own, component_of(peer), port["port"]) for peer in rule["to"]} if "to" in rule else {(own, "*", port["port"])}
    return comes, goes


def network_policies_are_the_arrows_and_nothing_else():
    rendered = Rendered()
    comes, goes = arrows_of(rendered)
    # What everybody may do needs no arrow of its own.
    wanted_in = {arrow for arrow in ARROWS if arrow[0] != "operator"}
    if comes != wanted_in:
        yield f"comes in: too much {comes - wanted_in}, missing {wanted_in - comes}"
    everybody = {"registry", "monitor", "gateway", "runner", "operator"}
    wanted_out = {arrow for arrow in ARROWS if arrow[0] != "*"} | {(who, "*", 53) for who in everybody}
    if goes != wanted_out:
        yield f"goes out: too much {goes - wanted_out}, missing {wanted_out - goes}"
    pods = {labels["app.kubernetes.io/component"] for _, labels, _ in rendered.pods()}
    if pods != everybody:
        yield f"pods are {pods}"
    denied = rendered.get("NetworkPolicy", "pm-default-deny")["spec"]
    if set(denied) != {"podSelector", "policyTypes"}:
        yield f"the default lets something through: {denied}"
    for whose, labels, _ in rendered.pods():
        if not selects(denied["podSelector"]["matchLabels"], labels):
            yield f"{whose} is not covered by the default"
    narrow = Rendered(CASES["narrow network policies"])
    ingress = narrow.get("NetworkPolicy", "pm-gateway")["spec"]["ingress"]
    if "operator" not in [component_of(peer) for peer in ingress[0]["from"] if "matchLabels" in peer["podSelector"] and "app.kubernetes.io/component" in peer["podSelector"]["matchLabels"]]:
        yield "with networkPolicy.gatewayFrom `helm test` does not reach the gateway"
    ops = {rule["ports"][0]["port"] for policy in narrow.of("NetworkPolicy") for rule in policy["spec"].get("ingress", [])}
    if not {7490, 7491, 7492, 7493} <= ops:
        yield f"networkPolicy.monitoringFrom reaches {ops}"
    for one in Rendered(CASES["traces"]).of("NetworkPolicy"):
        to = [port["port"] for rule in one["spec"].get("egress", []) for port in rule["ports"]]
        name = one["metadata"]["name"]
        if (4317 in to) != (name not in ("pm-default-deny", "pm-operator")):
            yield f"{name}: the collector: {to}"


def addresses_are_those_of_the_services():
    for case in ("defaults", "five replicas", "another name"):
        rendered = case_of(case)
        count = rendered.values.get("registry", {}).get("replicas", 3)
        name = rendered.values.get("fullnameOverride", "pm")
        wanted = [f"https://{name}-registry-{i}.{name}-registry.prod.svc:7481" for i in range(count)]
        stateful = rendered.get("StatefulSet", f"{name}-registry")["spec"]
        headless = rendered.get("Service", stateful["serviceName"])["spec"]
        if headless["clusterIP"] != "None" or headless["publishNotReadyAddresses"] is not True:
            yield f"{stateful['serviceName']} is no headless service of all replicas"
        registry = env(rendered.service("registry"))
        advertised = [registry["PM_REGISTRY_ADVERTISE"].replace("$(POD_NAME)", f"{name}-registry-{i}") for i in range(count)]
        if advertised != wanted:
            yield f"replicas advertise {advertised}"
        if registry["PM_REGISTRY_PEERS_DNS"] != f"{stateful['serviceName']}.prod.svc:7481":
            yield f"peers: {registry['PM_REGISTRY_PEERS_DNS']}"
        if registry["PM_REGISTRY_REPLICAS"] != str(count) or registry["PM_REGISTRY_JOIN"] != "auto":
            yield f"founding: {registry}"
        for component, prefix, urls in (
            ("gateway", "PM_GATEWAY", wanted),
            ("runner", "PM_RUNNER", [f"https://{name}-registry-{i}.{name}-registry.prod.svc:7481" for i in range(5)]),
        ):
            variables = env(rendered.service(component))
            if variables[f"{prefix}_REGISTRY"].split(",") != urls:
                yield f"{component}: registry at {variables[f'{prefix}_REGISTRY']}"
            if variables[f"{prefix}_MONITOR"] != f"https://{name}-monitor.prod.svc:7482":
                yield f"{component}: monitor at {variables[f'{prefix}_MONITOR']}"


def the_registry_is_careful():
    for case in CASES:
        rendered = case_of(case)
        for stateful in (one for one in rendered.of("StatefulSet") if one["metadata"]["name"].endswith("-registry")):
            spec = stateful["spec"]
            if spec["podManagementPolicy"] != "Parallel":
                yield f"{case}: replicas wait for each other, and never start"
            if spec["persistentVolumeClaimRetentionPolicy"] != {"whenDeleted": "Retain", "whenScaled": "Retain"}:
                yield f"{case}: volumes are deleted"
            budgets = [one for one in rendered.of("PodDisruptionBudget") if one["metadata"]["name"].endswith("-registry")]
            if bool(budgets) != (spec["replicas"] > 1) or any(one["spec"].get("maxUnavailable") != 1 for one in budgets):
                yield f"{case}: {spec['replicas']} replicas have {len(budgets)} disruption budgets"
    job = Rendered().get("Job", "pm-registry-scaledown")
    if job["metadata"]["annotations"]["helm.sh/hook"] != "pre-upgrade":
        yield "members leave after their pods"
    if "--ordinals-from=3" not in job["spec"]["template"]["spec"]["containers"][0]["args"]:
        yield f"{job['spec']['template']['spec']['containers'][0]['args']}"


run(globals(), 9)
