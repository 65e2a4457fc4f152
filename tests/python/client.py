"""A client in Python that knows only proto/: lists processes, then follows
events until the wanted one.

    client.py PROTO_DIR OUT_DIR ENDPOINT TOKEN_FILE EVENT_TYPE INSTANCE

Prints one JSON document a line: {"refused": CODE}, {"health": STATUS},
{"processes": [...]}, {"following": REVISION}, then {"event": {...}} for each.
"""

import json
import pathlib
import sys

import grpc
from google.protobuf.json_format import MessageToDict
from grpc_health.v1 import health_pb2, health_pb2_grpc

import contract

TIMEOUT = 60


def say(document: dict) -> None:
    print(json.dumps(document), flush=True)


def main() -> None:
    proto_dir, out_dir, endpoint, token_file, wanted_type, wanted_instance = sys.argv[1:]
    contract.generate(pathlib.Path(proto_dir), pathlib.Path(out_dir))
    process_pb2, process_pb2_grpc = contract.module("process_pb2"), contract.module("process_pb2_grpc")
    event_pb2, event_pb2_grpc = contract.module("event_pb2"), contract.module("event_pb2_grpc")
    metadata = contract.credentials(pathlib.Path(token_file).read_text().strip())

    with grpc.insecure_channel(contract.address(endpoint)) as channel:
        processes = process_pb2_grpc.ProcessServiceStub(channel)
        try:
            processes.ListProcesses(process_pb2.ListProcessesRequest(), timeout=TIMEOUT)
            say({"refused": None})
        except grpc.RpcError as error:
            say({"refused": contract.code_of(error)})

        health = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest(), metadata=metadata, timeout=TIMEOUT)
        say({"health": health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)})

        listed = processes.ListProcesses(process_pb2.ListProcessesRequest(), metadata=metadata, timeout=TIMEOUT)
        say({"processes": [MessageToDict(process) for process in listed.processes]})

        events = event_pb2_grpc.EventServiceStub(channel)
        request = event_pb2.WatchEventsRequest(from_revision=listed.revision + 1, follow=True)
        stream = events.WatchEvents(request, metadata=metadata, timeout=TIMEOUT)
        say({"following": listed.revision})
        for frame in stream:
            if frame.WhichOneof("frame") != "event":
                continue
            say({"event": MessageToDict(frame.event)})
            if frame.event.type == wanted_type and frame.event.instance_id == wanted_instance:
                stream.cancel()
                return
    raise SystemExit("the stream ended before the wanted event")


if __name__ == "__main__":
    main()
