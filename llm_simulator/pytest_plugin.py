"""The pytest plugin: hooks, options and fixtures. It owns nothing: what a test asks for is decided in `testing/`.

Every pytest run of an environment loads this module, so it imports the standard library, pytest and light modules only.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llm_simulator.errors import ConfigError, SimulatorError
from llm_simulator.proxy import egress
from llm_simulator.testing import link, names, options, plan
from llm_simulator.testing.handle import LlmSimulator
from llm_simulator.testing.ledger import Finding, Ledger

_FIXTURE = "llm_simulator"
_LEDGER = pytest.StashKey[Ledger]()
_WATCHED = pytest.StashKey["_Watched"]()
_PASSED = pytest.StashKey[bool]()
_POLICY = pytest.StashKey[egress.Policy]()
_FROM_WORKER = "llm_simulator"


@dataclass(slots=True)
class _Watched:
    """The simulator of the test that runs, and the misses that it has had so far, with paths seen from `here`."""

    simulator: LlmSimulator
    here: str
    misses: list[str] = field(default_factory=lambda: [])

    def look(self) -> list[str]:
        """The misses since the last look."""
        new = [text.replace(self.here, "") for text in self.simulator.untold_misses()]
        self.misses += new
        return new


# --- options


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{plan.MARKER}(name, mode=, on_miss=, ignore=[], after_last=, speed=, seed=, scenario=): answer the test's LLM "
        "calls from this cassette (default: one of its own)",
    )
    config.stash[_LEDGER] = Ledger()
    try:
        options.check(config)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None


# --- settings: fixtures that a project overrides (a command-line option and a marker are stronger)


@pytest.fixture
def llm_cassette_dir(request: pytest.FixtureRequest) -> Path:
    """Folder of cassettes. By default each folder of tests has its own, so that equal names do not meet."""
    ini = request.config.getini("llm_cassette_dir")
    return _below(request, request.config.rootpath / ini) if ini else request.path.parent / "cassettes"


@pytest.fixture
def llm_default_mode(request: pytest.FixtureRequest) -> str:
    """Mode of tests whose marker names none."""
    return str(request.config.getini("llm_mode"))


@pytest.fixture
def llm_on_miss(request: pytest.FixtureRequest) -> str:
    """`fail` or `error-response`, for tests whose marker says nothing."""
    return str(request.config.getini("llm_on_miss"))


@pytest.fixture
def llm_match_ignore(request: pytest.FixtureRequest) -> list[str]:
    """What is not compared; a marker's paths are added."""
    return list(request.config.getini("llm_ignore"))


@pytest.fixture
def llm_speed() -> float:
    """0 does not wait, 1 takes the time that the recording (or the simulated provider) took."""
    return 0.0


@pytest.fixture
def llm_upstreams() -> dict[str, str]:
    """Hosts (beside the known providers) that recording may forward to, each with its real base URL or ""."""
    return {}


@pytest.fixture
def llm_set_environment() -> bool:
    """Whether the SDKs' variables are set for the test; without, it passes `llm_simulator.base_url` on by itself."""
    return True


@pytest.fixture(scope="session")
def llm_command() -> list[str]:
    """The command that starts the server: this environment's, else `llm-simulator` on PATH."""
    return link.command()


# --- the fixture


@pytest.fixture(scope="session")
def _llm_link(llm_command: list[str]) -> Iterator[link.Link]:
    """The server process of this run (of this xdist worker); it starts when a test first needs it."""
    made = link.Link(llm_command)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _llm_marked(request: pytest.FixtureRequest) -> None:
    """The marker alone is enough. Automatic fixtures come first: a client made in another one finds the environment."""
    if request.node.get_closest_marker(plan.MARKER) is not None:
        request.getfixturevalue(_FIXTURE)


@pytest.fixture(name=_FIXTURE)
def _llm_simulator(
    request: pytest.FixtureRequest,
    _llm_link: link.Link,
    llm_cassette_dir: Path,
    llm_default_mode: str,
    llm_on_miss: str,
    llm_match_ignore: list[str],
    llm_speed: float,
    llm_upstreams: dict[str, str],
    llm_set_environment: bool,
) -> Iterator[LlmSimulator]:
    """This test's simulator: `.base_url`, `.env`, `.calls`, `.misses`, `.cassette`, `.mode`."""
    defaults = plan.Plan(
        _nodeid(request.node),
        str(llm_cassette_dir),
        llm_default_mode,
        llm_on_miss,
        tuple(llm_match_ignore),
        speed=llm_speed,
        upstreams=llm_upstreams,
    )
    simulator = _opened(request, _llm_link, defaults)
    item = request.node
    item.stash[_WATCHED] = watched = _Watched(simulator, _here(request.config))
    with pytest.MonkeyPatch.context() as patch:
        if llm_set_environment:
            for name, value in simulator.env.items():
                patch.setenv(name, value)
        yield simulator
    _close(item, watched)


def _opened(request: pytest.FixtureRequest, server: link.Link, defaults: plan.Plan) -> LlmSimulator:
    with _failing():
        decided = _plan(request, defaults)
        return LlmSimulator(server, decided, os.environ, _record_command(decided.test))


@contextmanager
def _failing() -> Generator[None]:
    """One of our own errors fails the test with its message alone."""
    try:
        yield
    except SimulatorError as error:
        raise pytest.fail.Exception(f"llm_simulator: {error}", pytrace=False) from None


def _plan(request: pytest.FixtureRequest, defaults: plan.Plan) -> plan.Plan:
    """Precedence, the strongest first:

    1. the command-line option (--llm-mode, --llm-cassette-dir)
    2. the marker, the closest one (test, class, module)
    3. the fixture (llm_default_mode, llm_cassette_dir, ...), which a project overrides
    4. the ini setting (llm_mode, llm_cassette_dir, ...), which the fixtures give unless overridden
    """
    config, marks = request.config, _marks(request.node)
    folder = config.getoption("llm_cassette_dir")
    root = _below(request, config.invocation_params.dir / folder) if folder else Path(defaults.cassette)
    _note_root(config, root, request.path.parent)
    decided = plan.Plan(
        test=defaults.test,
        cassette=names.named(root, marks.name) if marks.name else str(names.own(root, request.path, defaults.test)),
        mode=plan.first(config.getoption("llm_mode"), marks.mode) or defaults.mode,
        on_miss=marks.on_miss or defaults.on_miss,
        ignore=(*defaults.ignore, *marks.ignore),
        after_last=marks.after_last or defaults.after_last,
        speed=defaults.speed if marks.speed is None else marks.speed,
        seed=defaults.seed if marks.seed is None else marks.seed,
        scenario=marks.scenario or defaults.scenario,
        upstreams=defaults.upstreams,
    )
    decided.check()
    return decided


def _marks(item: pytest.Item) -> plan.Marked:
    return plan.marked((mark.args, mark.kwargs) for mark in item.iter_markers(plan.MARKER))


def _below(request: pytest.FixtureRequest, folder: Path) -> Path:
    """The part of one folder of cassettes that belongs to the folder of this test, so that equal module names do not meet."""
    beside, top = request.path.parent, request.config.rootpath
    return folder / beside.relative_to(top) if beside.is_relative_to(top) else folder


def _nodeid(item: pytest.Item) -> str:
    """Without the group that xdist's loadgroup appends: a cassette has one name, however its test is run."""
    head, found, _ = item.nodeid.rpartition(item.name)
    return f"{head}{found}" if found else item.nodeid


def _record_command(nodeid: str) -> str:
    return f"pytest {shlex.quote(nodeid)} --llm-mode=record-missing"


def _close(item: pytest.Item, watched: _Watched) -> None:
    """Closes the test's cassette, notes what was found, and fails for a miss that came after the test's own end."""
    with _failing():
        missed = watched.look()
        age = options.setting(item.config, "max_age")
        closed = watched.simulator.close(plan.seconds(age) if age else None)
    if not item.stash.get(_PASSED, False):
        closed["unused"] = []  # a test that broke off used less than it would have
    item.config.stash[_LEDGER].add(item.nodeid, watched.simulator.cassette, closed)
    del item.stash[_WATCHED]  # the item may be run again
    _fail_for(missed, watched)


# --- misses


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """A miss fails the test even where the code under test made something else of the error that it got."""
    result = yield
    if (watched := item.stash.get(_WATCHED, None)) is not None:
        _fail_for(watched.look(), watched)
    return result


def _fail_for(missed: list[str], watched: _Watched) -> None:
    if missed and watched.simulator.on_miss == "fail":
        pytest.fail(f"{_heading(missed)}\n\n{_text(missed)}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows the misses of a failed test in a section of its own, and to JUnit as properties of the test case."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    watched = item.stash.get(_WATCHED, None)
    if report.failed and watched is not None and report.when != "teardown":
        _show(item, report, watched)
    _show_refused(item, report)
    return report


def _show(item: pytest.Item, report: pytest.TestReport, watched: _Watched) -> None:
    try:
        watched.look()
    except SimulatorError as error:
        report.sections.append(("llm-simulator", str(error)))
    for text in watched.misses:
        item.user_properties.append(("llm_cassette_miss", text))
        report.user_properties.append(("llm_cassette_miss", text))
    if watched.misses and _heading(watched.misses) not in report.longreprtext:
        report.sections.append((f"llm-simulator: {_heading(watched.misses)}", _text(watched.misses)))


def _show_refused(item: pytest.Item, report: pytest.TestReport) -> None:
    policy = item.stash.get(_POLICY, None)
    if report.failed and policy is not None and policy.refused:
        hosts = "\n".join(f"{host} ({count})" for host, count in sorted(policy.refused.items()))
        report.sections.append(("llm-simulator: --llm-block-network refused", hosts))


def _heading(missed: list[str]) -> str:
    return (
        "an LLM call was not in the cassette"
        if len(missed) == 1
        else f"{len(missed)} LLM calls were not in the cassette"
    )


def _text(missed: list[str]) -> str:
    return "\n\n".join(missed)


# --- the network


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """With --llm-block-network a test (its fixtures included) reaches loopback only; tools around tests do as they like.

    The simulator is another process: it may still record, and then it is the only way out.
    """
    if not options.setting(item.config, "block_network"):
        return (yield)
    item.stash[_POLICY] = egress.confine(why="--llm-block-network: tests reach loopback only")
    try:
        return (yield)
    finally:
        egress.release()


# --- unused recordings, orphaned and expired cassettes


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Notes whose cassettes there are, before anything is deselected."""
    ledger = config.stash[_LEDGER]
    for item in items:
        marker = item.get_closest_marker(plan.MARKER)
        if marker is None and _FIXTURE not in getattr(item, "fixturenames", ()):
            continue
        ledger.modules.add(item.path.stem)
        name = marker.args[0] if marker and marker.args else (marker.kwargs.get("name") if marker else None)
        own = names.own(Path(), item.path, _nodeid(item)).as_posix()
        ledger.claimed.add(Path(names.named(Path(), str(name))).as_posix() if name else own)


def _note_root(config: pytest.Config, root: Path, beside: Path) -> None:
    known = root == beside / "cassettes"
    config.stash[_LEDGER].roots[str(root)] = str(beside) if known else ""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its ledger over; the controller (or a plain run) judges."""
    config = session.config
    if (output := getattr(config, "workeroutput", None)) is not None:
        output[_FROM_WORKER] = config.stash[_LEDGER].as_json()
    elif session.exitstatus == pytest.ExitCode.OK and any(_fatal(config, found) for found in _findings(config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """xdist: a worker has ended."""
    output: Mapping[str, Any] = getattr(node, "workeroutput", None) or {}
    if _FROM_WORKER in output:
        node.config.stash[_LEDGER].join(output[_FROM_WORKER])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    findings = _findings(config)
    for kind, what in options.JUDGED.items():
        if not (found := [one for one in findings if one.kind == kind]):
            continue
        fatal = options.setting(config, kind) == "fail"
        terminalreporter.section(f"llm-simulator: {what}", sep="=", red=fatal, yellow=not fatal, bold=True)
        for one in found:
            terminalreporter.write_line(f"{'FAILED' if fatal else 'warning'} {one.text}")


def _findings(config: pytest.Config) -> list[Finding]:
    """What the settings ask to report; paths are shown as they are seen from where pytest was started."""
    ledger, found = config.stash[_LEDGER], []
    if options.setting(config, "unused") != "ignore":
        found += ledger.unused()
    if options.setting(config, "orphans") != "ignore":
        found += ledger.orphans(whole=options.whole(config))
    if options.setting(config, "expired") != "ignore" and (age := options.setting(config, "max_age")):
        found += ledger.expired(age)
    if options.setting(config, "changed") != "ignore":
        found += ledger.changed()
    return [Finding(one.kind, one.text.removeprefix(_here(config))) for one in found]


def _here(config: pytest.Config) -> str:
    return f"{config.invocation_params.dir}{os.sep}"


def _fatal(config: pytest.Config, found: Finding) -> bool:
    return bool(options.setting(config, found.kind) == "fail")
