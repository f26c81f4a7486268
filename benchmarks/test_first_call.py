"""First calls of the contract's programs, with nothing compiled before.

`ENTROPAX_SMALL=1` runs everything once at a small size.
"""

from typing import Any

import pytest

from benchmarks.harness import SMALL, in_own_process, measured, report

PROGRAMS = {
    "PROGRAM": "a junction of 1000 modes a lead",
    "WINDOWS": "a spin and a finite bath in four ways",
    "IDEAL": "a qubit between two ideal baths",
    "PROTOCOLS": "a protocol optimised, and a gradient",
    "ENSEMBLES": "an ensemble of 16 draws, stored",
}
# one of them shows that it works: `tests/laws/test_contract.py` runs all
TIMED = ("IDEAL",) if SMALL else tuple(PROGRAMS)


@pytest.mark.parametrize("name", TIMED)
def test_first_call(name: str, benchmark: Any, capsys: Any) -> None:
    """Programs of `tests/laws/test_contract.py` as they stand, twice in a process of their own.

    No compilation cache on disk; imports are counted apart. Compiling and set-up: the first call
    less the second, of which what it compiles anew is taken off. `PROTOCOLS` with 100 modes a lead
    and one step of its optimiser instead of 200, `ENSEMBLES` with 16 samples instead of 256, as
    more of them only repeat what is compiled.
    """
    _, found = measured(benchmark, in_own_process, "benchmarks.first_call", name)
    compiling = found["first"] - (found["second"] - found["recompiled"])
    report(
        benchmark,
        capsys,
        "First calls",
        f"`{name}`: {PROGRAMS[name]}",
        ours=found["second"],
        beside={"compiling and set-up": compiling, "imports": found["imports"]},
        first_call=found["first"],
        memory={"peak": found["peak"]},
        bars=[(f"first call of `{name}`, compiling and set-up, seconds", "at most", 20, compiling)],
    )
