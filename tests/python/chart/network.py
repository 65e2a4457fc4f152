"""The pods' network: a bridge, an address for each pod, names, and the network policies as packet filters.

It stands in for network plugin and cluster DNS. Everything is in the network namespace that the caller runs in.
"""

import subprocess

BRIDGE = "pods"
NET = "10.77.0"
# The node itself: the kubelet asks probes from there.
NODE = f"{NET}.1"


def run(*command, text=None):
    done = subprocess.run(list(command), input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}{text or ''}"


def begin():
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{NODE}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")


def join(pod, number):
    """A namespace for a pod, and its address."""
    address = f"{NET}.{number}"
    near, far = f"v{number}", f"w{number}"
    run("ip", "netns", "add", pod)
    run("ip", "link", "add", near, "type", "veth", "peer", "name", far)
    run("ip", "link", "set", near, "master", BRIDGE, "up")
    run("ip", "link", "set", far, "netns", pod)
    for command in (("address", "add", f"{address}/24", "dev", far), ("link", "set", far, "up"), ("link", "set", "lo", "up")):
        run("ip", "-n", pod, *command)
    return address


def leave(pod):
    run("ip", "netns", "delete", pod)


def selected(selector, labels):
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def rules_of(direction, rules, pods):
    """A rule of a policy as lines of a filter."""
    side = "saddr" if direction == "ingress" else "daddr"
    for rule in rules:
        peers = rule.get("from" if direction == "ingress" else "to")
        for port in rule.get("ports", []):
            match = f"{port.get('protocol', 'TCP').lower()} dport {port['port']} accept"
            if peers is None:
                yield match
            for peer in peers or []:
                for pod in pods:
                    if selected(peer["podSelector"], pod["labels"]):
                        yield f"ip {side} {pod['address']} {match}"


def enforce(policies, pods):
    """Loads into each pod's namespace what the policies that select it let through; a pod that none selects is open."""
    for pod in pods:
        chosen = [one["spec"] for one in policies if selected(one["spec"]["podSelector"], pod["labels"])]
        lines = ["flush ruleset"]
        if chosen:
            lines += ["table inet policies {"]
            for hook, direction, interface in (("input", "ingress", "iif"), ("output", "egress", "oif")):
                lines += [f"chain {hook} {{ type filter hook {hook} priority 0; policy drop;"]
                lines += ["ct state established,related accept", f"{interface} lo accept"]
                lines += [f"ip saddr {NODE} accept"] if hook == "input" else []
                lines += sorted({line for spec in chosen for line in rules_of(direction, spec.get(direction, []), pods)})
                lines += ["}"]
            lines += ["}"]
        run("ip", "netns", "exec", pod["name"], "nft", "-f", "-", text="\n".join(lines) + "\n")
