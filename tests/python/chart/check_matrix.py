"""Every case of the matrix, rendered by Helm and held against the schemas of three versions of Kubernetes, strictly."""

import functools
import json
import sys

import helm_python
import kubernetes_validate

from chart import CHART, Rendered, is_custom
from matrix import CASES

VERSIONS = ("1.29", "1.32", "1.34")


@functools.cache
def refused(text):
    """What each version says against an object. Most are the same in most cases, and are looked at once."""
    found = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(json.loads(text), version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"Kubernetes {version}: {list(error.path)}: {error.message}")
    return found


def faults(case, values):
    """One line for each object that a version refuses."""
    rendered = Rendered(values)
    seen = set()
    for one in rendered.objects:
        name = f"{one['apiVersion']} {one['kind']}/{one['metadata']['name']}"
        if name in seen:
            yield f"{case}: {name}: twice"
        seen.add(name)
        if "namespace" in one["metadata"]:
            yield f"{case}: {name}: has a namespace of its own"
        if not is_custom(one):
            for told in refused(json.dumps(one)):
                yield f"{case}: {name}: {told}"
    linted = helm_python.lint(str(CHART), values, strict=True, namespace="prod")
    for message in linted["messages"]:
        # 1 is a hint; the only one is that there is no icon, and there is none.
        if message["severity"] > 1 or "icon" not in message["error"]:
            yield f"{case}: lint: {message}"


def main():
    assert len(CASES) >= 25, len(CASES)
    found = [line for case, values in CASES.items() for line in faults(case, values)]
    # The check can fail at all: a wrong type, and a field that does not exist.
    wrong = Rendered().get("PodDisruptionBudget", "pm-registry")
    for change in ({"maxUnavailabel": 1}, {"maxUnavailable": [1]}):
        broken = {**wrong, "spec": {**wrong["spec"], **change}}
        try:
            kubernetes_validate.validate(broken, VERSIONS[0], strict=True)
        except kubernetes_validate.ValidationError:
            continue
        found.append(f"the schema takes {change}")
    print("\n".join(found) or f"{len(CASES)} cases, {len(VERSIONS)} versions of Kubernetes")
    return 1 if found else 0


sys.exit(main())
