"""One container: the last steps of a container runtime, then the program.

Runs as root in namespaces of its own (mounts, processes, and the pod's network). Argument: a file with what to do. Leaves: the
program as process 1, on a read-only root that has our programs and the C library and no shell, as the pod's user, without
capabilities and unable to gain any.
"""

import ctypes
import json
import os
import pathlib
import subprocess
import sys

PR_SET_NO_NEW_PRIVS = 38
# What a program that is not static needs of a base image.
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
DEVICES = ("null", "zero", "urandom", "random")


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


def bind(source, target, read_only):
    target.mkdir(parents=True, exist_ok=True) if pathlib.Path(source).is_dir() else touch(target)
    mount("--bind", source, target)
    if read_only:
        mount("-o", "remount,bind,ro", target)


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def root_of(order):
    """The root file system, with everything that is mounted in it."""
    root = pathlib.Path(order["root"])
    root.mkdir(parents=True, exist_ok=True)
    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "-o", "size=1m", "image", root)
    for folder in LIBRARIES:
        if os.path.islink(folder):
            (root / folder.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            os.symlink(os.readlink(folder), root / folder.lstrip("/"))
        elif os.path.isdir(folder):
            bind(folder, root / folder.lstrip("/"), read_only=True)
    for program in order["programs"]:
        bind(program, root / "usr/bin" / os.path.basename(program), read_only=True)
    for name in DEVICES:
        bind(f"/dev/{name}", root / "dev" / name, read_only=False)
    for name, source in order["etc"].items():
        bind(source, root / "etc" / name, read_only=True)
    (root / "proc").mkdir()
    mount("-t", "proc", "proc", root / "proc")
    for where, source, read_only in sorted(order["mounts"]):
        bind(source, root / where.lstrip("/"), read_only)
    # The image itself; volumes are mounts of their own and stay as they are.
    mount("-o", "remount,ro", root)
    return root


def main():
    order = json.loads(pathlib.Path(sys.argv[1]).read_text())
    os.chroot(root_of(order))
    os.chdir("/")
    os.umask(0o022)
    os.setgroups([order["group"]])
    os.setresgid(order["user"], order["user"], order["user"])
    os.setresuid(order["user"], order["user"], order["user"])
    assert ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    os.execve(order["command"][0], order["command"], order["env"])


main()
