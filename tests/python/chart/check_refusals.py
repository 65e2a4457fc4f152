"""Values that cannot be meant are refused before anything is rendered, in words that name the field."""

import sys

import helm_python

from chart import Rendered

CASES = [
    ({"registry": {"replicas": 2}}, ["/registry/replicas"]),
    ({"registry": {"replicas": 4}}, ["/registry/replicas"]),
    ({"registry": {"replicas": "3"}}, ["/registry/replicas"]),
    ({"registry": {"replcias": 3}}, ["/registry", "replcias"]),
    ({"regsitry": {}}, ["regsitry"]),
    ({"registry": {"persistence": {"size": "8 GB"}}}, ["/registry/persistence/size"]),
    ({"registry": {"electionTimeout": "fast"}}, ["/registry/electionTimeout"]),
    ({"image": {"tag": "latest"}}, ["/image/tag"]),
    ({"image": {"digest": "sha256:1"}}, ["/image/digest"]),
    ({"image": {"repository": ""}}, ["/image/repository"]),
    ({"gateway": {"replicas": 0}}, ["/gateway/replicas"]),
    ({"gateway": {"service": {"type": "External"}}}, ["/gateway/service/type"]),
    ({"gateway": {"service": {"port": 70000}}}, ["/gateway/service/port"]),
    ({"gateway": {"hosts": ["https://pm.example.com"]}}, ["/gateway/hosts/0"]),
    ({"gateway": {"extraEnv": [{"value": "no name"}]}}, ["/gateway/extraEnv/0", "name"]),
    ({"gateway": {"ingress": {"enabled": True}}}, ["gateway.ingress.hosts"]),
    ({"gateway": {"gatewayApi": {"enabled": True}}}, ["gateway.gatewayApi.parentRefs"]),
    (
        {"gateway": {"gatewayApi": {"enabled": True, "parentRefs": [{"name": "a"}], "hostnames": ["a.example"], "grpcHostnames": ["a.example"]}}},
        ["gateway.gatewayApi.grpcHostnames"],
    ),
    ({"runner": {"kind": "deployment"}}, ["/runner/kind"]),
    ({"runner": {"hostPID": True}}, ["/runner/kind"]),
    ({"runner": {"nodeLabels": {"node.name": "x"}}}, ["propertyName", "node.name"]),
    ({"tls": {"mode": "none"}}, ["/tls/mode"]),
    ({"tls": {"mode": "existingSecret"}}, ["/tls/existingSecret"]),
    ({"tls": {"certificateLife": "1y"}}, ["/tls/certificateLife"]),
    ({"otlp": {"endpoint": "collector:4317"}}, ["/otlp/endpoint"]),
    ({"log": {"format": "xml"}}, ["/log/format"]),
    ({"userId": 0}, ["/userId"]),
    ({"networkPolicy": {"gatewayFrom": ["everybody"]}}, ["/networkPolicy/gatewayFrom/0"]),
    ({"monitoring": {"interval": 30}}, ["/monitoring/interval"]),
    ({"test": {"command": []}}, ["/test/command"]),
]


def main():
    found = []
    for values, words in CASES:
        try:
            Rendered(values)
        except helm_python.HelmError as error:
            # A path may be told with slashes or with dots.
            said = str(error)
            for word in words:
                if word not in said and word.strip("/").replace("/", ".") not in said:
                    found.append(f"{values}: {word!r} is not in: {said}")
        else:
            found.append(f"{values}: taken")
    print("\n".join(found) or f"{len(CASES)} refusals, each names its field")
    return 1 if found else 0


sys.exit(main())
