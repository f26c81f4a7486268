"""What ensembles and scans refuse, and how draws are cut into chunks."""

import signal
from typing import Any

import pytest
from cases.draws import KEY, PURE, TS, junction, pure, spin

import entropax as ex
from entropax.ensemble.run import _finishing_first, _Job
from entropax.ensemble.store import Manifest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 0}, "`samples` must be a positive integer, but is 0"),
        ({"samples": 2.0}, "`samples` must be a positive integer, but is 2.0"),
        ({"chunk": 0}, "`chunk` must be a positive integer, but is 0"),
        ({"devices": ()}, "`devices` must be at least one device"),
        ({"indices": (0, 6)}, r"`indices` must be a range .* multiples of `chunk` \(4\)"),
        ({"indices": (4, 12)}, r"`indices` must be a range within 0 and 10"),
    ],
)
def test_misuse(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pure(**change)


def test_misuse_of_models() -> None:
    with pytest.raises(ValueError, match="Junction by Exact is the same every time"):
        ex.ensemble(junction(), TS, key=KEY, samples=2)
    with pytest.raises(ValueError, match="`models` must be a batch whose arrays all have one"):
        ex.scan(junction(), TS)
    with pytest.raises(ValueError, match="`models` must be of one structure"):
        ex.scan([junction(), spin()], TS)
    with pytest.raises(ValueError, match="`models` must hold at least one model"):
        ex.scan([], TS)
    leads = [ex.Lead.flat(modes=4, width=4.0, coupling=1.0, beta=b, mu=0.0) for b in (1.0, 2.0)]
    larger = ex.Junction(0.1, 0.3, leads)
    with pytest.raises(ValueError, match=r"of equal shapes .* `models\[1\]` is unlike the first"):
        ex.scan([junction(), larger], TS)
    with pytest.raises(ValueError, match="`coordinates` must have names that are free, but 'times"):
        ex.scan([junction()], TS, coordinates={"times": [1.0]})
    for name in ("baths", "entropy_production", "failed", "saved.n"):
        with pytest.raises(ValueError, match="must have names that are free"):
            ex.scan([junction()], TS, coordinates={name: [1.0]})
    with pytest.raises(ValueError, match="`coordinates` must be values by name"):
        ex.scan([junction()], TS, coordinates=[1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"`key` must be a key, such as jax\.random\.key"):
        ex.ensemble(PURE, TS, key=0, samples=2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`quantiles` must be levels between 0 and 1, but hold 2"):
        pure(quantiles=(0.1, 2.0))
    with pytest.raises(ValueError, match="`quantiles` must be levels between 0 and 1, but hold 50"):
        pure(quantiles=(50,))
    with pytest.raises(ValueError, match="`method` must be a method"):
        ex.scan([junction()], TS, "exact")  # type: ignore[arg-type]


def job(samples: int, chunk: int) -> _Job:
    manifest = Manifest("ensemble", "FermionLedger", [0.0], chunk, samples, {}, {}, {})
    return _Job(None, manifest, None, (), None)  # type: ignore[arg-type] - no program is made


def test_spans_are_whole_chunks_to_the_end() -> None:
    assert job(10, 4).spans(None) == [(0, 4), (4, 8), (8, 10)]
    assert job(10, 4).spans((4, 10)) == [(4, 8), (8, 10)]
    assert job(10, 4).spans((8, 8)) == []
    assert [job(10, 4).spans(ex.Share(i, 2)) for i in (0, 1)] == [[(0, 4)], [(4, 8), (8, 10)]]
    for indices in ((0, 6), (2, 8), (4, 12), (8, 4)):
        with pytest.raises(ValueError, match="`indices` must be a range within 0 and 10"):
            job(10, 4).spans(indices)


def test_ctrl_c_is_kept_until_asked_and_given_back() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with _finishing_first(enabled=True) as stopping:
            assert not stopping()
            signal.raise_signal(signal.SIGINT)
            assert stopping()
            with pytest.raises(KeyboardInterrupt):  # a second one does not wait
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        with _finishing_first(enabled=False) as stopping, pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
