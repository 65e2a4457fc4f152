"""What a kubelet and the controllers do with rendered objects, as far as this chart needs it: pods with their volumes, steps and
order; Secrets mounted for a group; readiness by gRPC; StatefulSets that roll from the highest number down.

Not here: scheduling, admission, restarts of what fails. A step that fails, fails the test.
"""

import base64
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

import network
from chart import env

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = ("registry-svc", "monitor-svc", "gateway", "runner-svc", "pmctl")
DEADLINE = 60
NODE_NAME = "machine-1"


def until(what, holds):
    end = time.monotonic() + DEADLINE
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < end, f"{what}: not within {DEADLINE} s"
        time.sleep(0.05)


class Pod:
    """One pod on the machine."""

    def __init__(self, cluster, name, labels, spec, claims=()):
        self.cluster, self.name, self.labels, self.spec = cluster, name, labels, spec
        self.claims = {claim["metadata"]["name"] for claim in claims}
        self.folder = cluster.folder / "pods" / name
        self.process = None

    def start(self):
        """Steps first, one after the other; then the service."""
        cluster = self.cluster
        cluster.number += 1
        self.address = network.join(self.name, cluster.number)
        cluster.pods[self.name] = self
        cluster.changed()
        subprocess.run(["rm", "-rf", self.folder], check=True)
        self.volumes = {volume["name"]: self.volume(volume) for volume in self.spec.get("volumes", [])}
        self.volumes |= {name: self.claim(name) for name in self.claims}
        self.said = {}
        for step in self.spec.get("initContainers", []):
            self.said[step["name"]] = self.run_once(step)
        self.main = self.spec["containers"][0]

    def serve(self):
        self.start()
        self.log = self.cluster.folder / f"{self.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(self.main), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def run_to_the_end(self):
        """A Job's or a test's pod."""
        self.start()
        self.said[self.main["name"]] = self.run_once(self.main)
        self.gone()
        return self.said

    def run_once(self, container):
        done = subprocess.run(
            self.command(container), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE, check=False
        )
        assert done.returncode == 0, f"{self.name}/{container['name']}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def group(self):
        return self.spec["securityContext"]["fsGroup"]

    def own(self, path, mode):
        os.chown(path, 0, self.group())
        path.chmod(mode)

    def volume(self, volume):
        """As the kubelet makes it: Secrets are root's and the group may read; empty folders are the group's."""
        folder = self.folder / "volumes" / volume["name"]
        folder.mkdir(parents=True)
        if "emptyDir" in volume:
            self.own(folder, 0o2777)
        elif "secret" in volume:
            source = volume["secret"]
            data = self.cluster.object("Secret", source["secretName"])["data"]
            for item in source["items"]:
                (folder / item["path"]).write_bytes(base64.b64decode(data[item["key"]]))
                self.own(folder / item["path"], source["defaultMode"] | 0o440)
        elif "configMap" in volume:
            for name, text in self.cluster.object("ConfigMap", volume["configMap"]["name"])["data"].items():
                (folder / name).write_text(text)
        else:
            raise AssertionError(f"{self.name}: volume {volume}")
        return folder

    def claim(self, name):
        """Stays when the pod goes."""
        folder = self.cluster.folder / "claims" / f"{name}-{self.name}"
        if not folder.exists():
            folder.mkdir(parents=True)
            self.own(folder, 0o2775)
        return folder

    def environment(self, container):
        """Variables as written, with $(NAME) of those before them."""
        fields = {"metadata.name": self.name, "spec.nodeName": NODE_NAME}
        found = {}
        for name, value in env(container).items():
            value = fields[value["fieldRef"]["fieldPath"]] if isinstance(value, dict) else value
            found[name] = expanded(value, found)
        return found

    def command(self, container):
        found = self.environment(container)
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] and context["capabilities"] == {"drop": ["ALL"]}, container["name"]
        order = {
            "root": str(self.folder / f"root-{container['name']}"),
            "programs": [str(self.cluster.programs / name) for name in PROGRAMS],
            "etc": {name: str(self.cluster.folder / "etc" / name) for name in ("hosts", "host.conf", "nsswitch.conf")},
            "mounts": [
                (one["mountPath"], str(self.volumes[one["name"]]), one.get("readOnly", False)) for one in container["volumeMounts"]
            ],
            "user": self.spec["securityContext"]["runAsUser"],
            "group": self.group(),
            "command": container["command"] + [expanded(word, found) for word in container.get("args", [])],
            "env": {"PATH": "/usr/bin", "HOSTNAME": self.name, **found},
        }
        path = self.folder / f"{container['name']}.json"
        path.write_text(json.dumps(order))
        inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", sys.executable, str(HERE / "container.py"), str(path)]
        return ["ip", "netns", "exec", self.name, *inside]

    def first(self):
        """The process that is number 1 inside."""
        path = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = path.read_text().split() if path.exists() else []
        return int(children[0]) if children else None

    def is_ready(self):
        assert self.process.poll() is None, f"{self.name} has ended: {self.last()}"
        port = self.main["readinessProbe"]["grpc"]["port"]
        with grpc.insecure_channel(f"{self.address}:{port}") as channel:
            try:
                said = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.RpcError:
                return False
        return said.status == health_pb2.HealthCheckResponse.SERVING

    def last(self):
        return "\n".join(self.log.read_text().splitlines()[-15:])

    def exec(self, words):
        """`kubectl exec`: in the namespaces of the main container, with its variables."""
        order = json.loads((self.folder / f"{self.main['name']}.json").read_text())
        user = str(order["user"])
        enter = ["nsenter", "--target", str(self.first()), "--mount", "--pid", "--net", "--root", "--wdns=/"]
        command = [*enter, "--setuid", user, "--setgid", user, "--", *words]
        return subprocess.run(command, env=order["env"], capture_output=True, text=True, timeout=DEADLINE, check=False)

    def terminate(self):
        if self.process.poll() is None:
            os.kill(self.first(), signal.SIGTERM)

    def stop(self):
        """SIGTERM, and the end within the pod's grace period; returns how it ended, or had ended by itself."""
        self.terminate()
        code = self.process.wait(self.spec["terminationGracePeriodSeconds"])
        self.gone()
        return code

    def gone(self):
        del self.cluster.pods[self.name]
        network.leave(self.name)
        self.cluster.changed()


def expanded(text, known):
    return re.sub(r"\$\(([A-Z_]+)\)", lambda name: known.get(name[1], name[0]), text)


class Cluster:
    """All pods of a release, on one machine."""

    def __init__(self, folder, programs, rendered):
        self.folder, self.programs, self.rendered = folder, programs, rendered
        self.pods, self.number = {}, 10
        (folder / "etc").mkdir(parents=True)
        (folder / "etc/hosts").touch()
        (folder / "etc/host.conf").write_text("multi on\n")
        (folder / "etc/nsswitch.conf").write_text("hosts: files\n")
        network.begin()
        # Made at the install and kept from then on, as `lookup` keeps them.
        self.secrets = {one["metadata"]["name"]: one for one in rendered.of("Secret")}

    def object(self, kind, name):
        return self.secrets[name] if kind == "Secret" else self.rendered.get(kind, name)

    def changed(self):
        """Names and policies follow the pods. The file of names is mounted in all of them, so it is written in place."""
        lines = ["127.0.0.1 localhost"]
        namespace = self.rendered.namespace
        for service in self.rendered.of("Service"):
            name = service["metadata"]["name"]
            for pod in self.pods.values():
                if network.selected({"matchLabels": service["spec"]["selector"]}, pod.labels):
                    host = f"{name}.{namespace}.svc"
                    alone = service["spec"].get("clusterIP") == "None"
                    lines.append(f"{pod.address} {host}" + (f" {pod.name}.{host}" if alone else ""))
        (self.folder / "etc/hosts").write_text("\n".join(lines) + "\n")
        known = [{"name": pod.name, "labels": pod.labels, "address": pod.address} for pod in self.pods.values()]
        network.enforce(self.rendered.of("NetworkPolicy"), known)

    def pod(self, owner, name):
        template = owner["spec"]["template"] if "template" in owner["spec"] else {"metadata": owner["metadata"], "spec": owner["spec"]}
        claims = owner["spec"].get("volumeClaimTemplates", [])
        return Pod(self, name, template["metadata"]["labels"], template["spec"], claims)

    def all_ready(self):
        until("all pods are ready", lambda: all(pod.is_ready() for pod in list(self.pods.values())))

    def stop(self):
        """All at once, as when a release is taken away."""
        for pod in self.pods.values():
            pod.terminate()
        return {name: self.pods[name].stop() for name in list(self.pods)}
