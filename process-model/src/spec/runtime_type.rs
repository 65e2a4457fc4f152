//! How a kind of application is run: a name. What it means is data on the node
//! that runs it, so a name that one node does not know is no fault here.

use crate::name::name_type;

name_type! {
    /// Name of a type: how a kind of application is run.
    RuntimeType
}

/// Names that mean something to the rules of a spec.
impl RuntimeType {
    /// A program and its arguments, as they are: a list.
    pub const EXEC: &'static str = "exec";
    /// A command line for `/bin/sh -c`: a text.
    pub const SHELL: &'static str = "shell";

    /// The types that every node has, unless its own files say otherwise: what
    /// people are offered.
    pub const BUILT_IN: [&'static str; 11] =
        ["exec", "shell", "python", "node", "flask", "fastapi", "express", "static", "java", "dotnet", "docker"];

    /// The type of a command that is a list, unless another is given.
    #[must_use]
    pub fn exec() -> Self {
        Self(Self::EXEC.into())
    }

    /// The type of a command that is a text, unless another is given.
    #[must_use]
    pub fn shell() -> Self {
        Self(Self::SHELL.into())
    }
}
