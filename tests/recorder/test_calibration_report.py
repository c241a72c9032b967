"""The report: everything it says is there, escaped, bounded and the same each time; it loads nothing and runs nothing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from array import array
from base64 import b64decode
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from llm_simulator.errors import ConfigError
from llm_simulator.profiles import Profile
from llm_simulator.profiles.distributions import Constant, LogNormal
from llm_simulator.profiles.profile import Writes
from llm_simulator.profiles.traces import Trace, Traces
from llm_simulator.recorder.calibration import drift, facts, plots, report, words
from llm_simulator.recorder.calibration.fit import RANKS, Fit
from llm_simulator.recorder.calibration.groups import Calibrated
from llm_simulator.recorder.calibration.samples import Sample

NASTY = "<script>alert('x')</script>&\"$x_{$\u0000\n模型"


def spread(median: float, sigma: float, n: int) -> array[float]:
    """`n` values that lie as a lognormal's quantiles do."""
    normal = NormalDist()
    return array("d", (median * float(np.exp(sigma * normal.inv_cdf((at + 0.5) / n))) for at in range(n)))


def fitted(values: Sequence[float], *, error: float = 0.02, width: float = 0.05, low: bool = False) -> Fit:
    distribution = LogNormal(float(np.median(values)), 0.3)
    quantiles = {rank: float(np.quantile(values, rank)) for rank in RANKS}
    return Fit(
        distribution=distribution,
        family="lognormal",
        n=len(values),
        errors=dict.fromkeys(RANKS, error),
        intervals={rank: (value * (1 - width), value * (1 + width)) for rank, value in quantiles.items()},
        tried={"lognormal": error},
        low_confidence=low,
        why="It is the simplest family within 5 %.",
    )


def calibrated(
    n: int = 60,
    *,
    model: str = "gpt-4o",
    error: float = 0.02,
    width: float = 0.05,
    streams: bool = True,
    failures: Mapping[int, float] | None = None,
    notes: tuple[str, ...] = (),
) -> Calibrated:
    """A group as calibration hands it over, with streams of 12 writes or with totals only."""
    shape = Trace(0, 0, 24, array("d", [0.02] * 11), array("l", [2] * 12))
    traces = Traces(tuple(Trace(at, at, 24, shape.gaps, shape.sizes) for at in range(n)), n) if streams else None
    scales = {"ttft": 0.4, "rate": 0.01, "gap": 0.02, "total": 2.0} if streams else {"total": 2.0}
    recorded = {name: spread(median, 0.3, n) for name, median in scales.items()}
    fits = {name: fitted(values, error=error, width=width) for name, values in recorded.items()}
    return Calibrated(
        key={"provider": "openai", "model": model, "stream": str(streams).lower(), "cache": ""},
        profile=Profile(
            f"openai/{model}", (model,), LogNormal(0.4, 0.3), Constant(0.01), Writes(), Constant(24), traces=traces
        ),
        ttft=fits.get("ttft"),
        rate=fits.get("rate"),
        total=fits["total"],
        gap=fits.get("gap"),
        length=None,
        recorded=recorded,
        failures=failures or {},
        notes=notes,
        n=n,
    )


class Page(HTMLParser):
    """Text, attributes and open elements of a page."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(data.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Of the legend's small pictures."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(*groups: Calibrated) -> Page:
    return Page(report.report(groups, ".html"))


def svg(image: Mapping[str, str]) -> ElementTree.Element:
    kind, _, data = image["src"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    return ElementTree.fromstring(b64decode(data))


def test_page_is_whole_and_loads_nothing() -> None:
    found = page(calibrated(), calibrated(streams=False, model="o3"))
    assert found.open == []
    assert not found.all("script")
    assert not found.all("link")
    assert {attributes["src"].partition(":")[0] for attributes in found.all("img")} == {"data"}
    (policy,) = [meta["content"] for meta in found.all("meta") if meta.get("http-equiv")]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    links = {attributes["href"] for attributes in found.all("a")}
    ids = {f"#{attributes['id']}" for _, attributes in found.tags if "id" in attributes}
    assert links <= ids


def test_pictures_are_svg_with_words_for_those_who_do_not_see_them() -> None:
    images = page(calibrated()).all("img")
    titles = ("Time to first token", "Time per token", "Between writes", "Total", "Writes of 5 recorded streams")
    assert [image["alt"].startswith(title) for image, title in zip(images, titles, strict=True)] == [True] * 5
    assert "p99" in images[0]["alt"]
    for image in images:
        root = svg(image)
        assert root.tag.endswith("svg")
        assert not [each for each in root.iter() if each.tag.endswith("script")]


def test_quantiles_errors_and_intervals_are_told() -> None:
    text = page(calibrated(error=0.031)).text.replace(words.SPACE, " ")
    for expected in (
        "400 ms → 400 ms",
        "3.1 %",
        "380 ms – 420 ms",
        "Time to first token: lognormal.",
        "simplest family",
    ):
        assert expected in text
    assert "1 of 1 reproduce p50, p90, p95 and p99 of their recording within 10 %" in text


@pytest.mark.parametrize(
    ("group", "expected", "mark"),
    [
        (calibrated(streams=False), "Failures: none.", ""),
        (
            calibrated(streams=False, failures={429: 0.012, 0: 0.0004}),
            "no answer: < 0.1 %, 429: 1.2 % of all calls",
            "",
        ),
        (calibrated(streams=False, error=0.2), "0 of 1 reproduce", "off"),
        (calibrated(streams=False, width=0.4), "about 2,000 responses would promise 10 % everywhere", "unsure"),
        (calibrated(2000, streams=False, width=0.2), "about 8,000 responses", "unsure"),
        (calibrated(streams=False, notes=("Two calls had no times.",)), "Two calls had no times.", ""),
    ],
)
def test_what_is_to_be_warned_of(group: Calibrated, expected: str, mark: str) -> None:
    found = page(group)
    assert expected in found.text.replace(words.SPACE, " ")
    marks = {attributes.get("class") for attributes in found.all("span")} & {"off", "unsure"}
    assert marks == ({mark} if mark else set())


def test_values_are_escaped() -> None:
    data = report.report([calibrated(model=NASTY, notes=(NASTY,))], ".html")
    assert b"<script" not in data
    assert b"\x00" not in data
    assert "<script>alert('x')</script>&\"$x_{$" in Page(data).text
    assert report.report([calibrated(model=NASTY, notes=(NASTY,))], ".png").startswith(b"\x89PNG")


def test_many_groups_have_a_row_each_and_the_largest_have_details() -> None:
    groups = [calibrated(40 + at % 7, model=f"m{at}", streams=False) for at in range(300)]
    data = report.report(groups, ".html")
    found = Page(data)
    assert len(found.all("section")) == len(found.all("img")) == report.DETAILED
    assert sum(f"openai m{at}," in found.text for at in range(300)) == 300
    assert "Details follow for the 12 groups with most calls; the table has all 300." in found.text
    assert len(data) < 1_000_000
    assert all(int(each["id"][1:]) % 7 == 6 for each in found.all("section"))


@pytest.mark.parametrize("suffix", report.SUFFIXES)
def test_equal_groups_give_equal_bytes(suffix: str) -> None:
    first, second = (report.report([calibrated(9)], suffix) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "groups",
    [
        [],
        [calibrated(1)],
        [calibrated(2, streams=False)],
    ],
)
@pytest.mark.parametrize("suffix", report.SUFFIXES)
def test_few_or_no_values_are_no_trouble(groups: Sequence[Calibrated], suffix: str, tmp_path: Path) -> None:
    report.write_report(groups, tmp_path / f"r{suffix}")
    assert (tmp_path / f"r{suffix}").stat().st_size > 1000


def test_picture_has_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [
        len(report.report([calibrated(streams=False, model=str(at)) for at in range(count)], ".png"))
        for count in (1, 2)
    ]
    monkeypatch.setattr(report, "PICTURED", 1)
    cut = report.report([calibrated(streams=False, model=str(at)) for at in range(2)], ".png")
    assert len(cut) < sum(sizes) / 2


def test_group_in_which_all_failed_has_a_section_less() -> None:
    empty = calibrated(streams=False)
    failed = Calibrated(
        empty.key, empty.profile, None, None, None, None, None, {}, {500: 1.0}, ("All 9 calls failed.",), 9
    )
    found = page(failed)
    assert not found.all("section")
    assert "100" in found.text


def test_zeros_and_equal_values_can_be_drawn() -> None:
    group = facts.group(calibrated())
    same = facts.Row("gap", group.rows[0].fit, array("d", [0.0] * 5 + [0.02] * 60), group.rows[0].cells)
    equal = facts.Row("ttft", group.rows[0].fit, array("d", [0.4] * 9), group.rows[0].cells)
    assert all("<svg" in plots.panel_svg(row) for row in (same, equal))


@pytest.mark.parametrize(("name", "said"), [("r.pdf", "'.pdf'"), ("r", "''"), ("gone/r.html", "cannot be written")])
def test_where_a_report_cannot_go(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        report.write_report([calibrated()], tmp_path / name)


def test_long_stream_is_cut_and_that_is_said() -> None:
    strip = facts.Strip(array("d", np.linspace(1, 9, 400)), array("l", [1] * 400))
    assert "150 later writes not shown" in plots.timeline_svg([strip])


def test_band_is_that_of_resampling() -> None:
    values = spread(1.0, 0.5, 120)
    curve = plots.recorded(values, 120)
    assert curve.band is not None
    generator = np.random.default_rng(5)
    drawn = np.quantile(generator.choice(np.array(values), (6000, 120)), RANKS, axis=1)
    for rank, each in zip(RANKS, drawn, strict=True):
        band = [float(np.interp(rank, curve.shares, side)) for side in curve.band]
        assert band == pytest.approx(np.quantile(each, [0.025, 0.975]), rel=0.06)


@pytest.mark.parametrize(("rank", "n"), [(0.5, 40), (0.9, 60), (0.99, 700)])
def test_interval_holds_the_true_quantile(rank: float, n: int) -> None:
    """In at least 95 of 100 recordings, whatever the distribution."""
    generator = np.random.default_rng(6)
    drawn = np.sort(generator.exponential(size=(1500, n)), axis=1)
    intervals = [drift.interval(each.tolist(), rank, 0.025) for each in drawn]
    held = np.mean([low <= -np.log1p(-rank) <= high for low, high in intervals])
    assert 0.94 <= held <= 0.99


def test_the_end_is_not_known_from_few() -> None:
    assert drift.interval(spread(1.0, 0.5, 200), 0.99, 0.025)[1] == np.inf


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0.00 ms"),
        (0.0000012, "0.001 ms"),
        (0.00045, "0.45 ms"),
        (0.0184, "18.4 ms"),
        (0.8123, "812 ms"),
        (0.99951, "1.00 s"),
        (1.234, "1.23 s"),
        (187.2, "187 s"),
    ],
)
def test_durations(value: float, expected: str) -> None:
    assert words.duration(value).replace(words.SPACE, " ") == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (
            {"provider": "openai", "model": "gpt-4o", "stream": "true", "cache": "hit"},
            "openai gpt-4o, stream, cache hit",
        ),
        ({"provider": "groq", "model": "x", "stream": "false", "cache": ""}, "groq x, no stream"),
        ({"prompt_bin": "1k-2k"}, "prompt bin 1k-2k"),
        ({}, ""),
    ],
)
def test_titles(key: Mapping[str, str], expected: str) -> None:
    assert facts.title(key) == expected


PROFILE = Profile("p", ("*",), LogNormal(0.4, 0.3), LogNormal(0.01, 0.1), Writes(), Constant(24))


def recorded(ttft: float, *, seed: int, n: int = 200, rate: float = 0.01) -> drift.Recorded:
    generator = np.random.default_rng(seed)
    one = drift.Recorded(PROFILE)
    for first, each in zip(
        generator.lognormal(np.log(ttft), 0.3, n), generator.lognormal(np.log(rate), 0.1, n), strict=True
    ):
        one.add(Sample(ttft=float(first), total=float(first + 49 * each), output_tokens=50))
    return one


def judged(one: drift.Recorded, tolerance: float = 0.1) -> dict[str, drift.Verdict]:
    found = drift.compared([one], lambda _: lambda tokens, count: [0.0] * count, tolerance)
    return {each.quantity: each.verdict for each in found}


@pytest.mark.parametrize(
    ("ttft", "rate", "n", "expected"),
    [
        (0.4, 0.01, 200, ("same", "same")),
        (0.6, 0.01, 200, ("slower", "same")),
        (0.4, 0.013, 200, ("same", "slower")),
        (0.25, 0.01, 200, ("faster", "same")),
        (0.42, 0.0105, 4000, ("same", "same")),  # significant, but less than the tolerance
        (0.9, 0.03, 9, ("too few", "too few")),
    ],
)
def test_drift(ttft: float, rate: float, n: int, expected: tuple[str, str]) -> None:
    verdicts = judged(recorded(ttft, seed=1, n=n, rate=rate))
    assert (verdicts["ttft"].value, verdicts["rate"].value) == expected


def test_an_unchanged_provider_seldom_seems_slower() -> None:
    """Without any tolerance: at most 5 in 100 checks, as promised, and some more for chance."""
    alarms = sum(
        verdict is not drift.Verdict.SAME
        for seed in range(100)
        for verdict in judged(recorded(0.4, seed=seed), 0.0).values()
    )
    assert alarms <= 10


def test_what_the_profile_was_known_to_counts() -> None:
    """A profile that was calibrated on few calls may have been off itself."""
    sure = recorded(0.52, seed=2)
    quality = {"ttft": {"intervals": {f"p{rank * 100:g}": [0.1, 9.0] for rank in RANKS}}}
    profile = Profile("p", ("*",), PROFILE.ttft, PROFILE.rate, Writes(), Constant(24), quality=quality)
    unsure = drift.Recorded(profile, sure.values)
    assert (judged(sure)["ttft"], judged(unsure)["ttft"]) == (drift.Verdict.SLOWER, drift.Verdict.SAME)
