"""The default values as running pods: what `helm install` makes, the three commands of NOTES, `helm test`, a lost
volume, 3 → 5 → 3 → 5.

Arguments: the folder of the built programs, and one on a real disk. Runs as root in namespaces of its own:
    unshare --net --mount --pid --fork --kill-child --mount-proc python run_topology.py PROGRAMS FOLDER
"""

import base64
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time

import kubelet
from chart import Rendered, merged

# Exit code of a replica that its cluster has turned away for good.
NOT_AGAIN = 78
# Nobody waits a minute here for a volume to count as old.
VALUES = {"registry": {"scaleDown": {"rejoinAfter": "0s"}}}


def with_replicas(count):
    return merged(VALUES, {"registry": {"replicas": count}})


class Release:
    """`helm install`, `helm upgrade`, `helm test` and `kubectl`, as far as they are used here."""

    def __init__(self, folder, programs):
        self.cluster = kubelet.Cluster(folder, programs, Rendered(VALUES))

    def owners(self):
        """Every pod that should be there: (its name, whose it is)."""
        for owner in self.cluster.rendered.of("StatefulSet", "Deployment"):
            for i in range(owner["spec"]["replicas"]):
                yield f"{owner['metadata']['name']}-{i}", owner

    def install(self):
        for name, owner in self.owners():
            self.cluster.pod(owner, name).serve()

    def upgrade(self, replicas):
        """The hook, then what the controllers do: pods that go, pods that come. Returns those whose template changed."""
        before = dict(self.owners())
        self.cluster.rendered = Rendered(with_replicas(replicas))
        job = self.cluster.rendered.get("Job", "pm-registry-scaledown")
        print(self.cluster.pod(job, "pm-registry-scaledown").run_to_the_end()["remove"].strip())
        after = dict(self.owners())
        for name in sorted(set(before) - set(after), reverse=True):
            # A member that left is told so, and ends by itself before its pod goes.
            kubelet.until(f"{name} knows that it was removed", lambda name=name: self.cluster.pods[name].process.poll() is not None)
            assert self.cluster.pods[name].stop() == NOT_AGAIN, name
        for name in sorted(set(after) - set(before)):
            self.cluster.pod(after[name], name).serve()
        self.cluster.all_ready()
        return [name for name in after if name in before and before[name]["spec"]["template"] != after[name]["spec"]["template"]]

    def pod_comes_again_without_its_volume(self, name):
        """The fresh replica joins in the seat of the one that was there."""
        pod = self.cluster.pods[name]
        pod.stop()
        shutil.rmtree(pod.claim("data"))
        self.cluster.pod(dict(self.owners())[name], name).serve()
        self.cluster.all_ready()
        self.becomes_well()

    def roll(self, names):
        """Pods get their new template one by one, the highest number first, each when all others are ready."""
        owners = dict(self.owners())
        for name in sorted(names, reverse=True):
            assert self.cluster.pods[name].stop() == 0, name
            self.cluster.pod(owners[name], name).serve()
            self.cluster.all_ready()

    def test(self):
        return self.cluster.pod(self.cluster.rendered.get("Pod", "pm-test"), "pm-test").run_to_the_end()

    def gateway(self):
        return self.cluster.pods["pm-gateway-0"]

    def pmctl(self, *words):
        done = self.gateway().exec(["pmctl", *words])
        assert done.returncode == 0, f"pmctl {words}: {done.stdout}{done.stderr}"
        return done.stdout

    def becomes_well(self):
        """Soon: a busy machine may lose sight of a replica for a moment."""
        kubelet.until("all is well", lambda: self.gateway().exec(["pmctl", "cluster", "check"]).returncode == 0)

    def notes(self):
        """The three commands as printed, and what they say; kubectl is played."""
        lines = self.cluster.rendered.notes.split("three commands:")[1].split("\n\n")[1].splitlines()
        for line in lines:
            words = shlex.split(line)
            assert words[:3] == ["kubectl", "--namespace", "prod"], line
            if words[3:5] == ["rollout", "status"]:
                assert words[-1] == "deployment/pm-gateway", line
                self.cluster.all_ready()
                yield line, ""
            else:
                assert words[3:8] == ["exec", "deployment/pm-gateway", "-c", "gateway", "--"], line
                yield line, self.pmctl(*words[9:]) if words[8] == "pmctl" else None


class Writer:
    """Changes something again and again, by a gateway, until it is told to end. Each change has to be acknowledged."""

    def __init__(self, release):
        self.release, self.count, self.longest, self.failed = release, 0, 0.0, []
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.write)

    def write(self):
        while not self.end.is_set():
            began = time.monotonic()
            done = self.release.gateway().exec(["pmctl", "nodes", "label", "pm-runner-0", f"tick={self.count}"])
            self.count += 1
            self.longest = max(self.longest, time.monotonic() - began)
            if done.returncode != 0:
                self.failed.append(done.stderr)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()
        assert self.count and not self.failed, f"{len(self.failed)} of {self.count} writes failed: {self.failed[:3]}"


def voters(release):
    """Names of the hosts of those who vote."""
    members = json.loads(release.pmctl("-o", "json", "cluster", "members"))["items"]
    return sorted(re.search(r"//([^.]+)\.", one["address"])[1] for one in members if one["voter"])


def running(release, process):
    """Its instances: name, process id, restarts."""
    items = json.loads(release.pmctl("-o", "json", "list", process))["items"]
    return [(one["id"], one["pid"], one["restarts"]) for one in items]


def from_outside(release, folder, programs):
    """The second block of NOTES: by a forwarded port, the token and the CA of the Secrets, and a pmctl of one's own."""
    for secret, key, name in (("pm-tokens", "admin", "pm.token"), ("pm-ca", "ca.crt", "pm.crt")):
        assert f"get secret {secret} " in release.cluster.rendered.notes and f'"{key}"' in release.cluster.rendered.notes
        path = folder / name
        path.write_bytes(base64.b64decode(release.cluster.object("Secret", secret)["data"][key]))
        path.chmod(0o600)
    command = ["ip", "netns", "exec", "pm-gateway-0", str(programs / "pmctl"), "--endpoint", "https://127.0.0.1:7480"]
    command += ["--ca", str(folder / "pm.crt"), "--token-file", str(folder / "pm.token"), "status"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "hello" in done.stdout, f"{done.stdout}{done.stderr}"


def policies_hold(release):
    """A connection that is no arrow does not come about; one that is, does."""
    hosts = {name: pod.address for name, pod in release.cluster.pods.items()}

    def reaches(one, other, port):
        dial = f"import socket; socket.create_connection(('{hosts[other]}', {port}), 1)"
        command = ["ip", "netns", "exec", one, sys.executable, "-c", dial]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    for one, other, port, wanted in (
        ("pm-runner-0", "pm-registry-0", 7481, True),
        ("pm-runner-0", "pm-monitor-0", 7482, True),
        ("pm-runner-0", "pm-gateway-0", 7480, False),
        ("pm-monitor-0", "pm-registry-0", 7481, False),
        ("pm-registry-0", "pm-monitor-0", 7482, False),
        ("pm-gateway-0", "pm-registry-0", 7491, False),
        ("pm-gateway-0", "pm-runner-0", 7493, False),
    ):
        assert reaches(one, other, port) == wanted, f"{one} → {other}:{port} should be {wanted}"


def step(text, began=time.monotonic()):
    print(f"--- {time.monotonic() - began:5.1f} s  {text}", flush=True)


def main():
    programs, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.chmod(0o755)
    release = Release(folder, programs)
    step("helm install")
    release.install()
    for line, said in release.notes():
        step(line)
        print(said)
    assert voters(release) == ["pm-registry-0", "pm-registry-1", "pm-registry-2"], voters(release)
    release.pmctl("wait", "hello", "--for=ready", "--timeout=60s")
    kubelet.until("hello says that it is up", lambda: re.search(r"^up", release.pmctl("logs", "hello"), re.M))
    from_outside(release, folder, programs)
    policies_hold(release)

    step("helm test")
    said = release.test()
    assert re.search(r"^up", said["logs"], re.M), said
    assert "helm-test" not in release.pmctl("list")

    before = running(release, "hello")
    step("the volume of a replica is lost")
    release.pod_comes_again_without_its_volume("pm-registry-1")
    assert voters(release) == ["pm-registry-0", "pm-registry-1", "pm-registry-2"], voters(release)
    for replicas in (5, 3, 5):
        step(f"helm upgrade --set registry.replicas={replicas}")
        changed = release.upgrade(replicas)
        assert not any("runner" in name or "monitor" in name for name in changed), changed
        wanted = [f"pm-registry-{i}" for i in range(replicas)]
        kubelet.until(f"{replicas} vote", lambda: voters(release) == wanted)
        release.becomes_well()
        if replicas == 3:
            step("every pod that changed, one by one, while somebody writes")
            with Writer(release) as writer:
                release.roll([name for name in changed if "registry" in name])
            release.roll([name for name in changed if "gateway" in name])
            release.becomes_well()
            print(f"{writer.count} writes, none failed; the longest took {writer.longest:.1f} s")
    assert running(release, "hello") == before, "scaling the registry has touched a program"

    step("helm uninstall")
    release.pmctl("delete", "--yes", "hello")
    ended = release.cluster.stop()
    assert set(ended.values()) == {0}, ended
    step("done")


main()
