"""How checks are run: each is a generator of faults, named for what has to be so."""

import functools
import inspect
import sys

from chart import Rendered
from matrix import CASES


@functools.cache
def case_of(case):
    """A case of the matrix, rendered once for all checks."""
    return Rendered(CASES[case])


def run(names, least):
    """Runs every check of a module, tells the faults, and ends the program; `least` is how many checks there have to be."""
    own = [one for one in names.values() if inspect.isgeneratorfunction(one) and one.__module__ == "__main__"]
    checks = [one for one in own if not inspect.signature(one).parameters]
    assert len(checks) >= least, checks
    found = [f"{check.__name__}: {fault}" for check in checks for fault in check()]
    print("\n".join(found) or f"{len(checks)} properties hold")
    sys.exit(1 if found else 0)
