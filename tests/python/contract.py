"""The contract as a Python client sees it: code generated from proto/ with
grpcio-tools, imported from a folder of the caller's choice."""

import importlib
import pathlib
import sys

import grpc
import grpc_tools
from grpc_tools import protoc


def generate(proto_dir: pathlib.Path, out_dir: pathlib.Path) -> None:
    """Generates messages and stubs of every file of pm.v1 and makes them importable."""
    files = sorted(str(path) for path in (proto_dir / "pm" / "v1").glob("*.proto"))
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{proto_dir}", f"-I{well_known}", f"--python_out={out_dir}", f"--grpc_python_out={out_dir}"]
    if protoc.main(arguments + files) != 0:
        raise SystemExit("grpcio-tools cannot compile the contract")
    sys.path.insert(0, str(out_dir))


def module(name: str):
    """A generated module, as `process_pb2`."""
    return importlib.import_module(f"pm.v1.{name}")


def address(endpoint: str) -> str:
    """host:port of an http:// endpoint."""
    return endpoint.removeprefix("http://")


def credentials(token: str) -> list[tuple[str, str]]:
    """What every call carries."""
    return [("authorization", f"Bearer {token}")]


def code_of(error: grpc.RpcError) -> str:
    """The name of a failed call's status, as UNAUTHENTICATED."""
    return error.code().name
