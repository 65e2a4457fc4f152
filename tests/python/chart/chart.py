"""The chart, rendered by Helm itself (its Go SDK), as objects.

Enters: values. Leaves: the objects of a release, and the texts of NOTES and of each template.
"""

import pathlib

import helm_python
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
CHART = ROOT / "helm"
RELEASE, NAMESPACE = "pm", "prod"
# Kinds whose definitions are not Kubernetes' own.
CUSTOM = {
    "cert-manager.io/v1": {"Certificate", "Issuer"},
    "gateway.networking.k8s.io/v1": {"HTTPRoute", "GRPCRoute", "BackendTLSPolicy"},
    "monitoring.coreos.com/v1": {"ServiceMonitor", "PodMonitor", "PrometheusRule"},
}


class Rendered:
    """One release."""

    def __init__(self, values=None, name=RELEASE, namespace=NAMESPACE, chart=CHART):
        self.values = values or {}
        self.namespace = namespace
        with helm_python.Chart.load(chart) as loaded:
            texts = loaded.render(self.values, name=name, namespace=namespace)
        self.notes = next(text for path, text in texts.items() if path.endswith("NOTES.txt"))
        self.texts = {path: text for path, text in texts.items() if path.endswith(".yaml") and text.strip()}
        self.objects = [one for text in self.texts.values() for one in yaml.safe_load_all(text) if one]

    def of(self, *kinds):
        return [one for one in self.objects if one["kind"] in kinds]

    def get(self, kind, name):
        found = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} {kind} named {name}"
        return found[0]

    def pods(self):
        """Every pod: (kind/name of whose it is, labels, spec)."""
        for one in self.objects:
            whose = f"{one['kind']}/{one['metadata']['name']}"
            if one["kind"] == "Pod":
                yield whose, one["metadata"].get("labels", {}), one["spec"]
            elif one["kind"] in ("StatefulSet", "Deployment", "DaemonSet", "Job"):
                template = one["spec"]["template"]
                yield whose, template["metadata"].get("labels", {}), template["spec"]

    def containers(self):
        """Every container: (whose pod/name, the container, whether it is an init container)."""
        for whose, _, spec in self.pods():
            for key in ("initContainers", "containers"):
                for container in spec.get(key, []):
                    yield f"{whose}/{container['name']}", container, key == "initContainers"

    def service(self, component):
        """The main container of a service's pod."""
        names = {"registry": "registry", "monitor": "monitor", "gateway": "gateway", "runner": "runner"}
        found = [c for where, c, init in self.containers() if not init and where.endswith(f"-{component}/{names[component]}")]
        assert len(found) == 1, f"{len(found)} containers of {component}"
        return found[0]


def is_custom(one):
    return one["kind"] in CUSTOM.get(one["apiVersion"], ())


def env(container):
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container.get("env", [])}


def merged(*values):
    """Maps laid over each other, as `helm -f A -f B` does."""
    result = {}
    for one in values:
        for key, value in one.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result
