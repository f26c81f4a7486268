"""The command line: list | reproduce | run | validate | about."""

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import cyclopts
from rich.console import Console
from rich.table import Table

import entropax
from entropax._versions import versions

_AtLeast4 = Annotated[int, cyclopts.Parameter(validator=cyclopts.validators.Number(gte=4))]
_AtLeast8 = Annotated[int, cyclopts.Parameter(validator=cyclopts.validators.Number(gte=8))]

app = cyclopts.App(name="entropax", help=entropax.__doc__, version=entropax.__version__)
# tables of numbers stay readable in a pipe
_console = Console(width=None if sys.stdout.isatty() else 120)


@app.command(name="list")
def list_figures() -> None:
    """List the published figures that `reproduce` knows."""
    from entropax import figures

    table = Table("study", "what it shows")
    for study in figures.ALL.values():
        table.add_row(study.name, study.title)
    _console.print(table)


@app.command
def reproduce(
    *names: str,
    out: Path = Path("out"),
    modes: _AtLeast4 | None = None,
    times: _AtLeast8 | None = None,
    quick: bool = False,
) -> int:
    """Run published figures: a picture, the data and the table of the paper's claims for each.

    Parameters
    ----------
    names
        Studies, as `entropax list` prints them; `usui2024` stands for all of that paper, `all` for
        everything, which takes hours at the published size.
    out
        Folder for NAME.png (picture), NAME.npz (data) and NAME.json (claims and versions).
    modes
        Modes per bath instead of the published number.
    times
        Number of times instead of the published one.
    quick
        A small version, for a first look.
    """
    from entropax import figures

    try:
        chosen = figures.find(names)
    except ValueError as error:
        _console.print(f"[red]{error}")
        return 2
    size = figures.QUICK if quick else figures.Options()
    size = dataclasses.replace(
        size,
        modes=size.modes if modes is None else modes,
        times=size.times if times is None else times,
        progress=sys.stdout.isatty(),
    )
    out.mkdir(parents=True, exist_ok=True)
    for study in chosen:
        _reproduce(study, size, out)
    return 0


def _reproduce(study, size, out: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    _console.rule(f"[bold]{study.name}[/] {study.title}")
    began = time.perf_counter()
    data = study.run(size)
    took = time.perf_counter() - began
    figure = study.plot(data)
    figure.savefig(out / f"{study.name}.png", dpi=130)
    plt.close(figure)
    np.savez_compressed(out / f"{study.name}.npz", **study.arrays(data))
    claims = study.claims(data)
    record = {
        "study": study.name,
        "citation": study.citation,
        "modes": size.modes or "published",
        "times": size.times or "published",
        "versions": versions(),
        "claims": [
            {"statement": c.statement, "found": c.found, "holds": bool(c.holds)} for c in claims
        ],
    }
    (out / f"{study.name}.json").write_text(json.dumps(record, indent=2) + "\n")
    table = Table("the paper says", "we find", "holds")
    for claim in claims:
        table.add_row(claim.statement, claim.found, _verdict(claim.holds))
    _console.print(table)
    if size.modes or size.times:
        _console.print("[yellow]Not the published size: the claims are about that one.")
    held = sum(bool(claim.holds) for claim in claims)
    _console.print(
        f"{held} of {len(claims)} claims hold. {took:.0f} s. Picture, data and table: "
        f"{out / study.name}.png, .npz, .json"
    )


def _verdict(holds: bool) -> str:
    return "[green]yes" if holds else "[bold red]no"


@app.command
def validate(*names: str, quick: bool = False) -> int:
    """Print numbers from the literature beside our own; exit status 1 if one disagrees.

    Parameters
    ----------
    names
        Groups of rows, such as `usui` or `machines`; all of them where none is named.
    quick
        Smaller models, and without the groups that take longest.
    """
    from entropax.validate import GROUPS, find, rows

    try:
        chosen = find(names)
    except ValueError as error:
        _console.print(f"[red]{error}")
        return 2
    table = Table("quantity", "source")
    for column in ("cited", "found", "allowed", "agrees"):
        table.add_column(column, no_wrap=True)
    failures = 0
    for row in rows(chosen, quick=quick):
        failures += not row.agrees
        table.add_row(
            row.quantity,
            row.source,
            f"{row.cited:.13g}",
            f"{row.found:.13g}",
            f"{row.allowed:.0e}",
            _verdict(row.agrees),
        )
    _console.print(table)
    _console.print(f"{table.row_count - failures} of {table.row_count} rows agree.")
    left_out = [name for name in chosen if quick and GROUPS[name].quick is None]
    if left_out:
        _console.print(f"[yellow]Only at full size: {', '.join(left_out)}.", highlight=False)
    return 1 if failures else 0


@app.command
def run(
    study: Path,
    *,
    store: Path | None = None,
    samples: int | None = None,
    index_range: str | None = None,
    cpu_devices: int | None = None,
    distributed: bool = False,
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
) -> int:
    """Run the ensemble or the scan of a TOML file (docs/runfiles.md); called again, it goes on.

    Under `srun` or `mpirun` each process takes its share of the draws, without communication.

    Parameters
    ----------
    study
        The file.
    store
        Folder of the results, instead of the file's.
    samples
        Draws, instead of the file's.
    index_range
        FIRST:LAST, the draws that this process makes, instead of its share.
    cpu_devices
        Part the CPU into so many devices. All cores are used anyway.
    distributed
        Join the processes by `jax.distributed`, which finds the others on Slurm and Open MPI.
    coordinator
        With --distributed: ADDRESS:PORT of process 0, where it is not found.
    processes
        With --distributed: how many there are.
    process
        With --distributed: the number of this one.
    """
    from entropax.ensemble import processes as hosts
    from entropax.runfile import load

    if cpu_devices is not None:
        hosts.use_cpu_devices(cpu_devices)
    try:
        share = hosts.join(coordinator, processes, process) if distributed else hosts.found()
        asked = load(study)
        if samples is not None and asked.coordinates is not None:
            raise ValueError("`samples` must not be given for a scan.")
        asked = asked._replace(
            store=asked.store if store is None else str(store),
            samples=asked.samples if samples is None else samples,
        )
        mine = _range(index_range) if index_range else share
        if asked.store is None and (index_range is not None or share.size > 1):
            raise ValueError("`store` must be given where several processes share the draws.")
        if asked.store is None and asked.coordinates is not None:
            raise ValueError("`store` must be given for a scan, whose ledgers would be lost.")
        made = asked.run(mine, progress=True)
        if distributed:
            hosts.wait_for_all()
            made = entropax.open_ensemble(str(asked.store)) if asked.store else made
    except (ValueError, entropax.StoreError) as error:
        message = str(error).replace("`indices`", "`--index-range`")
        _console.print(f"[red]{message}", highlight=False)
        return 2
    except KeyboardInterrupt as stop:
        _console.print(f"[yellow]{stop}", highlight=False)
        return 130
    if share.rank == 0:
        _report(made, asked.store)
    return 0


def _report(made: entropax.Scan, store: str | None) -> None:
    """Print the means so far, and how many draws are done and how many failed."""
    import numpy as np

    done, failed = len(made.indices), int(made.failed.sum())
    if isinstance(made, entropax.Ensemble) and done > failed:
        table = Table(f"at t = {made.ts[-1]:.6g}", "mean", "error")
        for name, mean in made.mean._asdict().items():
            if isinstance(mean, np.ndarray) and mean.shape == made.ts.shape:
                error = getattr(made.error, name)[-1]
                table.add_row(name, f"{mean[-1]:.8g}", f"{error:.2g}")
        _console.print(table)
    place = f" {store}" if store else ""
    _console.print(f"{done} of {made.samples} done, {failed} failed.{place}", highlight=False)


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition(":")
    if not (first.isdigit() and last.isdigit()):
        raise ValueError(f"`index_range` must be FIRST:LAST, such as 0:128, but is {text!r}.")
    return int(first), int(last)


@app.command
def about() -> None:
    """Print versions, devices and precision: what a report of a problem should hold."""
    import jax

    for name, version in versions().items():
        _console.print(f"{name:12} {version}", highlight=False)
    _console.print(f"{'devices':12} {', '.join(map(str, jax.devices()))}", highlight=False)
    _console.print(f"{'float64':12} {jax.config.read('jax_enable_x64')}", highlight=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the command `entropax`."""
    sys.exit(app(arguments, result_action="return_value") or 0)
