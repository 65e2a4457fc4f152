"""checkov's rules for Kubernetes over the rendered chart: clean, but for the exceptions below, each with its reason."""

import json
import pathlib
import subprocess
import sys
import tempfile

import yaml

from chart import Rendered
from matrix import CASES

EXCEPTIONS = {
    "CKV_K8S_11": "CPU limits: a replica or runner that is throttled misses heartbeats, which is what they must not do",
    "CKV_K8S_43": "digest: image.digest is the way to have one; a chart cannot know that of an image built later",
    "CKV_K8S_21": "default namespace: the chart leaves the namespace to `helm install --namespace`",
    "CKV_K8S_8": "liveness: of containers that run once (Job, test) there is none to ask for",
    "CKV_K8S_9": "readiness: as CKV_K8S_8",
    "CKV_K8S_15": "always pull: a fixed tag or a digest is the same image, and a node without the network must be able to restart a pod",
}
WITH_HEADERS = {"CKV_K8S_35": "OTLP headers are a variable of OpenTelemetry's own; it has no form of a file"}
CHECKED = {"defaults": {}, "cert-manager": {}, "a runner on each node": {}, "nodes may join": {}, "traces with headers": WITH_HEADERS}


def failed(folder, case):
    """What checkov finds: (rule, object, what)."""
    path = pathlib.Path(folder) / "rendered.yaml"
    path.write_text(yaml.safe_dump_all(Rendered(CASES[case]).objects))
    command = [sys.executable, "-m", "checkov.main", "-f", str(path), "--framework", "kubernetes", "-o", "json", "--quiet", "--compact"]
    ran = subprocess.run([*command, "--skip-download"], capture_output=True, text=True, timeout=300, check=False)
    assert ran.stdout.strip(), f"checkov said nothing: {ran.stderr}"
    report = json.loads(ran.stdout)
    passed = report["summary"]["passed"]
    assert passed > 100, f"checkov looked at next to nothing: {report['summary']}"
    return [(one["check_id"], one["resource"], one["check_name"]) for one in report["results"]["failed_checks"]]


def main():
    found, used = [], set()
    with tempfile.TemporaryDirectory() as folder:
        for case, more in CHECKED.items():
            for rule, resource, what in failed(folder, case):
                used.add(rule)
                if rule not in EXCEPTIONS and rule not in more:
                    found.append(f"{case}: {rule} {resource}: {what}")
    allowed = set(EXCEPTIONS) | set(WITH_HEADERS)
    found += [f"{rule}: an exception that nothing needs" for rule in sorted(allowed - used)]
    print("\n".join(found) or f"{len(CHECKED)} cases clean, {len(allowed)} exceptions")
    return 1 if found else 0


sys.exit(main())
