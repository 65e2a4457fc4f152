"""Holds documents against a JSON Schema with an independent validator.

    check_schema.py SCHEMA DOCUMENT…

The schema itself has to be valid. Prints one JSON document a line for each
document: {"document": PATH, "faults": [...]}.
"""

import json
import pathlib
import sys

import jsonschema


def main() -> None:
    schema = json.loads(pathlib.Path(sys.argv[1]).read_text())
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    for path in sys.argv[2:]:
        document = json.loads(pathlib.Path(path).read_text())
        faults = [f"{error.json_path}: {error.message}" for error in validator(schema).iter_errors(document)]
        print(json.dumps({"document": path, "faults": faults}))


if __name__ == "__main__":
    main()
