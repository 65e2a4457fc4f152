#!/usr/bin/env python3
"""A plugin that runs Ruby applications: how a type is written as a program.

To use it, link it into ~/.config/pm/plugins.d (for `pmctl up`) or
/etc/pm/plugins.d (for runner-svc); a link, so that it finds the contract in the
source tree:

    pip install grpcio grpcio-tools
    ln -s "$PWD/examples/plugins/ruby.py" ~/.config/pm/plugins.d/

Then `type: ruby` in a process file: command [config.ru] or [main.rb, ARGUMENT].

The runner starts it when somebody asks for a type that the node itself does not
have, with PM_PLUGIN_SOCKET: the path to listen on. Standard input ends when the
runner does, and so does this.
"""

import os
import pathlib
import shutil
import sys
import tempfile
from concurrent import futures

import grpc
from grpc_tools import protoc

# The contract: beside this file, or in the source tree.
HERE = pathlib.Path(__file__).resolve().parent
PLACES = [HERE / "proto", HERE.parent.parent / "proto"]


def generated():
    """The messages and stubs of the contract, made on the spot."""
    proto = next(place for place in PLACES if (place / "pm/v1").is_dir())
    well_known = pathlib.Path(protoc.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as out:
        files = sorted(str(path) for path in (proto / "pm/v1").glob("*.proto"))
        options = [f"-I{proto}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}"]
        if protoc.main(["protoc", *options, *files]) != 0:
            raise SystemExit("the contract cannot be compiled")
        sys.path.insert(0, out)
        from pm.v1 import plugin_pb2, plugin_pb2_grpc

        return plugin_pb2, plugin_pb2_grpc


plugin_pb2, plugin_pb2_grpc = generated()


def words(subject):
    """The process's command as words; a text is none for this type."""
    return list(subject.argv.args) if subject.WhichOneof("command") == "argv" else []


class Ruby(plugin_pb2_grpc.RuntimePluginServiceServicer):
    def GetInfo(self, request, context):
        kind = plugin_pb2.PluginType(name="ruby", description="Ruby, a file, or a Rack application by config.ru")
        return plugin_pb2.GetInfoResponse(name="ruby", version="1.0", types=[kind])

    def Detect(self, request, context):
        folder = pathlib.Path(request.subject.working_dir)
        found = any((folder / name).is_file() for name in ("Gemfile", "config.ru"))
        return plugin_pb2.DetectResponse(types=["ruby"] if found else [])

    def Resolve(self, request, context):
        subject = request.subject
        command, folder = words(subject), pathlib.Path(subject.working_dir)
        if not command or not (folder / command[0]).is_file():
            wanted = command[0] if command else "a file"
            # The message is what the person reads who started the process.
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"there is no {wanted} in {folder}")
        # A Gemfile's versions are found by bundler.
        bundled = ["bundle", "exec"] if (folder / "Gemfile").is_file() and shutil.which("bundle") else []
        port = subject.ports.get("http") or next(iter(subject.ports.values()), 0)
        answer = plugin_pb2.ResolveResponse(env={"RUBYOPT": "-W0"})
        if command[0].endswith(".ru"):
            answer.argv.extend([*bundled, "rackup", "--host", "127.0.0.1", "--port", str(port or 9292), *command])
            # Rack's servers end in order on SIGINT.
            answer.stop_signal = "SIGINT"
            answer.readiness.tcp.port = port or 9292
        else:
            answer.argv.extend([*bundled, "ruby", *command])
            if port:
                answer.env["PORT"] = str(port)
                answer.readiness.tcp.port = port
        return answer


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    plugin_pb2_grpc.add_RuntimePluginServiceServicer_to_server(Ruby(), server)
    server.add_insecure_port("unix:" + os.environ["PM_PLUGIN_SOCKET"])
    server.start()
    # Until the runner is gone, or ends us by SIGTERM.
    sys.stdin.buffer.read()
    server.stop(grace=None)


if __name__ == "__main__":
    main()
