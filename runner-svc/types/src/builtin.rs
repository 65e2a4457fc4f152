//! The types that every node has.

/// File and text of each.
pub(crate) const BUILT_IN: [(&str, &str); 11] = [
    ("docker.yaml", include_str!("../builtin/docker.yaml")),
    ("dotnet.yaml", include_str!("../builtin/dotnet.yaml")),
    ("exec.yaml", include_str!("../builtin/exec.yaml")),
    ("express.yaml", include_str!("../builtin/express.yaml")),
    ("fastapi.yaml", include_str!("../builtin/fastapi.yaml")),
    ("flask.yaml", include_str!("../builtin/flask.yaml")),
    ("java.yaml", include_str!("../builtin/java.yaml")),
    ("node.yaml", include_str!("../builtin/node.yaml")),
    ("python.yaml", include_str!("../builtin/python.yaml")),
    ("shell.yaml", include_str!("../builtin/shell.yaml")),
    ("static.yaml", include_str!("../builtin/static.yaml")),
];
