"""The report as one HTML page: no scripts, nothing loaded from elsewhere, every value escaped."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files

from llm_simulator.recorder.calibration.facts import PROMISED, TITLES, Cell, Group, Row, Strip
from llm_simulator.recorder.calibration.words import counted, duration, percent, rank

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_EMPTY = frozenset({"img", "meta"})

PanelDrawer = Callable[[Row], str]
TimelineDrawer = Callable[[Sequence[Strip]], str]


class Markup(str):
    """Text that is HTML already; any other string is escaped where it is put into an element."""

    __slots__ = ()


def element(tag: str, /, *children: str, **attributes: str) -> Markup:
    """`<tag a="...">children</tag>`; `class_` is the attribute class, an empty attribute is left out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items() if value
    )
    if tag in _EMPTY:
        return Markup(f"<{tag}{told}>")
    return Markup(f"<{tag}{told}>{joined(children)}</{tag}>")


def joined(children: Iterable[str]) -> Markup:
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))


def picture(svg: str, told: str) -> Markup:
    """An SVG as an image of its own: its ids, styles and whatever else stay in there."""
    return element("img", src=f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}", alt=told)


def page(
    groups: Sequence[Group], detailed: frozenset[int], panel: PanelDrawer, timeline: TimelineDrawer, title: str
) -> str:
    """The report; `detailed` are the places of the groups that have a section of their own."""
    sections = [_section(place, groups[place], panel, timeline) for place in sorted(detailed)]
    return document(title, *_summary(groups), _index(groups, detailed), _legend(), *sections)


def document(title: str, *body: Markup) -> str:
    """A whole page."""
    style = files("llm_simulator.recorder.calibration").joinpath("report.css").read_text("utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(style)),
    )
    return f"<!doctype html>\n{element('html', head, element('body', element('h1', title), *body), lang='en')}\n"


def _summary(groups: Sequence[Group]) -> list[Markup]:
    """The page in three sentences."""
    total = sum(group.n for group in groups)
    within = sum(group.worst <= PROMISED for group in groups)
    lines = [f"{counted(total, 'call')} in {counted(len(groups), 'group')}."]
    if groups:
        worst = max(groups, key=lambda group: group.worst)
        lines.append(
            f"{within} of {len(groups)} reproduce p50, p90, p95 and p99 of their recording within {percent(PROMISED)}; "
            f"the largest error is {percent(worst.worst)} ({worst.title})."
        )
    doubtful = sum(any(cell.uncertain for row in group.judged for cell in row.cells) for group in groups)
    if doubtful:
        lines.append(
            f"{counted(doubtful, 'group')} had too few responses to promise {percent(PROMISED)} of the provider itself "
            "at every quantile (marked ?)."
        )
    return [element("p", line, class_="lede") for line in lines]


def _index(groups: Sequence[Group], detailed: frozenset[int]) -> Markup:
    names = [TITLES[name] for name in ("ttft", "rate", "total")]
    above = element("tr", *_heads("Group", "Calls", rows=2), *(_head(name, span=2) for name in names), *_last())
    below = element("tr", *(_head(rank(share)) for _ in names for share in (0.5, 0.99)))
    rows = [_index_row(place, group, place in detailed) for place, group in enumerate(groups)]
    told = "As recorded."
    if len(detailed) < len(groups):
        told += f" Details follow for the {len(detailed)} groups with most calls; the table has all {len(groups)}."
    table = element(
        "table", element("caption", told), element("thead", above, below), element("tbody", *rows), class_="index"
    )
    return element("div", table, class_="scroll", id="index")


def _heads(*names: str, rows: int) -> list[Markup]:
    return [element("th", name, scope="col", rowspan=str(rows)) for name in names]


def _last() -> list[Markup]:
    return _heads("Largest error", "Failures", rows=2)


def _head(name: str, span: int = 1) -> Markup:
    return element("th", name, scope="colgroup" if span > 1 else "col", colspan=str(span) if span > 1 else "")


def _index_row(place: int, group: Group, linked: bool) -> Markup:
    name = element("a", group.title, href=f"#g{place}") if linked else group.title
    quantiles = [_brief(group.row(row), share) for row in ("ttft", "rate", "total") for share in (0.5, 0.99)]
    failures = percent(group.failed) if group.failed else "0"
    cells = (
        element("td", f"{group.n:,}"),
        *quantiles,
        _error(group.worst, bool(group.judged)),
        element("td", failures),
    )
    return element("tr", element("th", name, scope="row", class_="name"), *cells)


def _brief(row: Row | None, share: float) -> Markup:
    if row is None:
        return element("td", "–")
    cell = row.cell(share)
    return element("td", element("span", duration(cell.recorded), class_="unsure" if cell.uncertain else ""))


def _error(error: float, known: bool = True) -> Markup:
    if not known:
        return element("td", "–")
    return element("td", element("span", percent(error), class_="off" if error > PROMISED else ""))


def _legend() -> Markup:
    solid = _swatch('<rect width="44" height="14" fill="#0072B2" opacity=".22"/><path d="M0 7h44" stroke="#0072B2" ')
    dashed = _swatch('<path d="M0 7h44" stroke="#D55E00" stroke-dasharray="6 3" ')
    return element(
        "p",
        element("span", solid, "recorded, with the 95 % band of the bootstrap", class_="key"),
        element("span", dashed, "fitted: what the simulator draws from", class_="key"),
        element("span", "? interval wider than ±10 %: too few recorded", class_="key"),
        element("span", "▲ error above 10 %", class_="key"),
        element(
            "span",
            "The vertical axis is the share of responses that took no longer, stretched so that the tail shows: "
            "a lognormal would be a straight line.",
            class_="sub",
        ),
        class_="soft",
    )


def _swatch(inner: str) -> Markup:
    return Markup(f'<svg viewBox="0 0 44 14" aria-hidden="true">{inner}stroke-width="2" fill="none"/></svg>')


def _section(place: int, group: Group, panel: PanelDrawer, timeline: TimelineDrawer) -> Markup:
    told = [counted(group.n, "call")]
    if group.profile != group.title:
        told.append(f"profile {group.profile}")
    parts = [
        element(
            "div",
            element("h2", group.title),
            element("span", ", ".join(told), class_="soft"),
            element("a", "index", href="#index", class_="soft back"),
            class_="head",
        ),
        _warnings(group),
        element(
            "div",
            element("div", *(picture(panel(row), _described(row)) for row in group.rows), class_="panels"),
            _quantiles(group.rows),
            class_="measured",
        ),
        _choices(group.rows),
        _failures(group.failures),
    ]
    if group.strips:
        caption = element(
            "figcaption", "Recorded streams, evenly chosen from the shortest to the longest: a bar is a write."
        )
        parts.append(element("figure", picture(timeline(group.strips), _timeline_told(group.strips)), caption))
    return element("section", *parts, id=f"g{place}")


def _warnings(group: Group) -> Markup:
    return (
        element("ul", *(element("li", text) for text in group.warnings), class_="warnings")
        if group.warnings
        else Markup()
    )


def _described(row: Row) -> str:
    told = ", ".join(f"{rank(cell.rank)} {duration(cell.recorded)} and {duration(cell.fitted)}" for cell in row.cells)
    return f"{row.title}, distribution functions, recorded and fitted: {told}"


def _timeline_told(strips: Sequence[Strip]) -> str:
    told = "; ".join(f"{strip.tokens} tokens in {len(strip.times)} writes" for strip in strips)
    return f"Writes of {len(strips)} recorded streams over time: {told}"


def _quantiles(rows: Sequence[Row]) -> Markup:
    """Recorded and fitted quantiles with error and interval, and what was chosen and why."""
    if not rows:
        return element("p", "Nothing was measured in this group.")
    head = element(
        "tr",
        *_heads("recorded → fitted", "n", rows=1),
        *(_head(rank(cell.rank)) for cell in rows[0].cells),
    )
    caption = element("caption", "Below each: the error of the fit; the bootstrap 95 % interval of what was recorded.")
    table = element("table", caption, element("thead", head), element("tbody", *map(_quantile_row, rows)))
    return element("div", table, class_="scroll")


def _quantile_row(row: Row) -> Markup:
    return element(
        "tr",
        element("th", row.title, scope="row"),
        element("td", f"{row.fit.n:,}"),
        *map(_cell, row.cells),
    )


def _choices(rows: Sequence[Row]) -> Markup:
    """What was chosen for each quantity, and why."""
    if not rows:
        return Markup()
    lines = (
        element("li", element("b", f"{row.title}: {row.family}."), f" {row.fit.why}", *_tried(row)) for row in rows
    )
    return element("div", element("p", element("b", "Chosen, and why")), element("ul", *lines), class_="choices")


def _tried(row: Row) -> Iterator[Markup]:
    tried = ", ".join(f"{family} {percent(error)}" for family, error in row.fit.tried.items())
    if tried:
        yield element("span", f" Largest error of each tried: {tried}.", class_="soft")


def _cell(cell: Cell) -> Markup:
    interval = f"{duration(cell.low)} – {duration(cell.high)}"
    return element(
        "td",
        f"{duration(cell.recorded)} → {duration(cell.fitted)}",
        element("span", element("span", percent(cell.error), class_="off" if cell.off else ""), class_="sub"),
        element("span", element("span", interval, class_="unsure" if cell.uncertain else ""), class_="sub"),
    )


def _failures(failures: Mapping[int, float]) -> Markup:
    if not failures:
        return element("p", element("b", "Failures: "), "none.")
    told = ", ".join(f"{status or 'no answer'}: {percent(share)}" for status, share in sorted(failures.items()))
    return element("p", element("b", "Failures: "), f"{told} of all calls.")
