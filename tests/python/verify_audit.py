"""Reads an export of the audit log and verifies its chain, from docs/audit.md alone."""

import datetime
import hashlib
import json
import struct
import sys


def u64(number):
    return struct.pack(">Q", int(number))


def text(value):
    data = value.encode()
    return struct.pack(">I", len(data)) + data


def option(value):
    return b"\0" if value is None else b"\1" + text(value)


def listed(items, item):
    return struct.pack(">I", len(items)) + b"".join(item(one) for one in items)


def nanoseconds(time):
    whole, _, rest = time.rstrip("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole + "+00:00").timestamp()
    return int(seconds) * 10**9 + int((rest + "0" * 9)[:9])


def encode(entry):
    return b"".join([
        u64(entry["number"]), u64(entry["revision"]), struct.pack(">q", nanoseconds(entry["time"])),
        text(entry["actor"]), text(entry["source"]), text(entry["command"]), listed(entry["targets"], text),
        text(entry["reason"]), text(entry["requestId"]), text(entry["refusalReason"]), u64(entry["count"]),
        listed(entry["generations"], lambda one: text(one["process"]) + u64(one["from"]) + u64(one["to"])),
        listed(entry["changes"], lambda one: text(one["process"]) + text(one["field"]["path"])
               + option(one["field"].get("before")) + option(one["field"].get("after"))
               + bytes([one["field"]["hidden"]])),
        u64(entry["leftOut"]),
    ])


previous, number = None, None
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        entry = json.loads(line)
        if previous is None:
            previous, number = entry["previousHash"], int(entry["number"]) - 1
            assert number != 0 or int(previous, 16) == 0, "the first entry of all follows none"
        assert int(entry["number"]) == number + 1, f"entry {entry['number']} after {number}"
        assert entry["previousHash"] == previous, f"entry {entry['number']} does not follow"
        expected = hashlib.sha256(b"pm-audit-1\n" + bytes.fromhex(previous) + encode(entry)).hexdigest()
        assert entry["hash"] == expected, f"entry {entry['number']} was changed"
        previous, number = expected, number + 1
print(f"{number}:{previous}")
