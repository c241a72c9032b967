"""Whole little test runs: what a user's test file, options and settings lead to."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest
from calendar_project import APPLICATION, write

pytestmark = pytest.mark.wire


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An application that asks a model; `cassettes/test_it/` is for its tests."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(app=APPLICATION)
    pytester.makeini("[pytest]\npythonpath = .\naddopts = -p no:cacheprovider -p no:hypothesispytest -p no:anyio\n")
    return pytester


def record(
    project: pytest.Pytester, name: str, *exchanges: tuple[str, str], recorded_at: str = "2026-01-01T00:00:00Z"
) -> None:
    write(project.path / "cassettes" / name, *exchanges, recorded_at=recorded_at)


def run(project: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    project.makepyfile(test_it=f"import os, pytest, app\nfrom pathlib import Path\n{source}")
    return project.runpytest_inprocess(*arguments)


def test_each_test_has_its_own_cassette_and_sees_its_own_calls(project: pytest.Pytester) -> None:
    record(project, "test_it/test_one.yaml", ("days in May?", "31"))
    record(project, "test_it/TestClass.test_two.yaml", ("days in May?", "thirty-one"), ("days in June?", "30"))
    record(project, "shared.yaml", ("days in July?", "31, too"))
    result = run(
        project,
        """
        def test_one(llm_simulator):
            assert llm_simulator.calls == [] and llm_simulator.mode == "replay"
            assert app.ask("days in May?") == "31"
            (call,) = llm_simulator.calls
            assert (call.provider, call.operation, call.model) == ("openai", "chat", "gpt-4o-mini")
            assert (call.status, call.source, call.exchange) == (200, "cassette", 1)
            assert call.facts["method"] == "POST"
            assert os.environ["OPENAI_BASE_URL"] == llm_simulator.env["OPENAI_BASE_URL"]
            assert llm_simulator.env["OPENAI_BASE_URL"] == llm_simulator.base_url + "/api.openai.com/v1"
            assert llm_simulator.cassette.endswith("/cassettes/test_it/test_one.yaml")
            llm_simulator.scenario("default")

        class TestClass:
            @pytest.mark.llm_cassette
            def test_two(self):
                assert (app.ask("days in May?"), app.ask("days in June?")) == ("thirty-one", "30")

        import unittest
        class TestOld(unittest.TestCase):
            @pytest.mark.llm_cassette("shared")
            def test_case(self):
                self.assertEqual(app.ask("days in July?"), "31, too")

        @pytest.mark.llm_cassette("shared")
        @pytest.mark.parametrize("n", [1, 2])
        def test_three(n):
            assert app.ask("days in July?") == "31, too"

        def test_nothing_is_left_behind():
            assert "OPENAI_BASE_URL" not in os.environ and "OPENAI_API_KEY" not in os.environ

        def test_there_is_no_such_scenario(llm_simulator):
            llm_simulator.scenario("outrage")

        @pytest.mark.llm_cassette("shared", scenario="failover-drill")
        def test_an_outage_and_its_end(llm_simulator):
            with pytest.raises((RuntimeError, ValueError)):
                app.ask("days in July?")
            llm_simulator.scenario("default")
            assert app.ask("days in July?") == "31, too"
            assert [call.facts.get("rule") for call in llm_simulator.calls] == ["primary down", None]
        """.replace("\n        ", "\n"),
    )
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["*LinkError: there is no scenario 'outrage'; there are default, agent-loop,*"])


MISSES = """
def test_raises(llm_simulator):
    app.ask("how many days has May?")

@pytest.mark.llm_cassette
def test_swallows():
    try:
        app.ask("days in May?", temperature=1)
    except RuntimeError:
        pass

@pytest.mark.llm_cassette(on_miss="error-response")
def test_copes(llm_simulator):
    with pytest.raises(RuntimeError, match="status 404: cassette_miss"):
        app.ask("days in June?")
    assert len(llm_simulator.misses) == 1

@pytest.mark.llm_cassette(ignore=["$.temperature"])
def test_ignores():
    assert app.ask("days in May?", temperature=1) == "31"

@pytest.fixture
def late(llm_simulator):
    yield
    with pytest.raises(RuntimeError):
        app.ask("late?")

def test_misses_late(late):
    pass

@pytest.mark.xfail(strict=True)
def test_expected(llm_simulator):
    try:
        app.ask("x?")
    except RuntimeError:
        pass
"""


def test_a_miss_shows_the_nearest_recording_in_failure_and_junit(project: pytest.Pytester) -> None:
    for name in ("test_raises", "test_swallows", "test_ignores"):
        record(project, f"test_it/{name}.yaml", ("days in May?", "31"))
    result = run(project, MISSES, "--junitxml=report.xml")
    result.assert_outcomes(passed=3, failed=2, errors=1, xfailed=1)
    raised = [
        "No recording for POST /v1/chat/completions (openai, chat, gpt-4o-mini): it is not recorded.",
        "Cassette: cassettes/test_it/test_raises.yaml, 1 recording.",
        "  #1  POST /v1/chat/completions (openai, chat, gpt-4o-mini)",
        "      $.messages[0].content",
        '        asked     "how many days has May?"',
        '        recorded  "days in May?"',
        'The first would match with   @pytest.mark.llm_cassette(ignore=["$.messages[0].content"])',
        "To record this call:         pytest test_it.py::test_raises --llm-mode=record-missing",
    ]
    text = result.stdout.str()
    assert "\n".join(["llm-simulator: an LLM call was not in the cassette --------------", *raised, ""]) in text
    assert (
        "Cassette: cassettes/test_it/test_expected.yaml (not recorded yet), 0 recordings." not in text
    )  # it is expected
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_misses_late*", "an LLM call was not in the cassette"])
    swallowed = text.index("an LLM call was not in the cassette\n\nNo recording for POST /v1/chat/completions")
    assert "      $.temperature\n        asked     1\n" in text[swallowed:]
    cases = {case.get("name"): case for case in ElementTree.parse(project.path / "report.xml").iter("testcase")}
    properties = [one.get("value") for one in cases["test_raises"].iter("property")]
    assert properties == ["\n".join(raised)]
    assert "an LLM call was not in the cassette" in (cases["test_swallows"].find("failure").get("message") or "")  # type: ignore[union-attr]  # it failed
    assert cases["test_copes"].find("properties") is None


PRECEDENCE = """
@pytest.mark.llm_cassette(mode="auto", seed=3)
class TestMarked:
    def test_class(self, llm_simulator):
        Path("modes").open("a").write(f"class {llm_simulator.mode} {llm_simulator.cassette}\\n")
    @pytest.mark.llm_cassette(mode="simulate")
    def test_method(self, llm_simulator):
        Path("modes").open("a").write(f"method {llm_simulator.mode} {llm_simulator.cassette}\\n")

def test_plain(llm_simulator):
    Path("modes").open("a").write(f"plain {llm_simulator.mode} {llm_simulator.cassette}\\n")
"""


@pytest.mark.parametrize(
    ("ini", "conftest", "options", "expected"),
    [
        ("", "", (), ("auto", "simulate", "replay", "cassettes/test_it")),
        ("llm_mode = auto\nllm_cassette_dir = kept", "", (), ("auto", "simulate", "auto", "kept/test_it")),
        (
            "llm_mode = auto\nllm_cassette_dir = kept",
            "import pytest, pathlib\n"
            "@pytest.fixture\ndef llm_default_mode(): return 'simulate'\n"
            "@pytest.fixture\ndef llm_cassette_dir(): return pathlib.Path.cwd() / 'mine'\n",
            (),
            ("auto", "simulate", "simulate", "mine/test_it"),
        ),
        (
            "llm_mode = auto",
            "",
            ("--llm-mode=replay", "--llm-cassette-dir=given"),
            ("replay", "replay", "replay", "given/test_it"),
        ),
    ],
    ids=["default", "ini", "fixture", "option"],
)
def test_option_over_marker_over_fixture_over_ini(
    project: pytest.Pytester, ini: str, conftest: str, options: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    with (project.path / "tox.ini").open("a") as file:
        file.write(f"\n{ini}\n")
    project.makeconftest(conftest)
    run(project, PRECEDENCE, *options).assert_outcomes(passed=3)
    lines = (project.path / "modes").read_text().replace(f"{project.path}/", "").splitlines()
    *modes, folder = expected
    tests = ("TestMarked.test_class", "TestMarked.test_method", "test_plain")
    assert lines == [
        f"{name} {mode} {folder}/{test}.yaml"
        for name, mode, test in zip(("class", "method", "plain"), modes, tests, strict=True)
    ]


@pytest.mark.parametrize(
    ("arguments", "ini", "message"),
    [
        (("--llm-max-age=90",), "", "*--llm-max-age is '90'; a number with s, m, h, d or w is allowed, such as 90d"),
        ((), "llm_mode = live", "*ini setting llm_mode is 'live'; allowed are replay, auto, *"),
        ((), "llm_unused = no", "*ini setting llm_unused is 'no'; allowed are ignore, warn, fail"),
    ],
)
def test_a_wrong_setting_ends_the_run_before_it_begins(
    project: pytest.Pytester, arguments: tuple[str, ...], ini: str, message: str
) -> None:
    with (project.path / "tox.ini").open("a") as file:
        file.write(f"\n{ini}\n")
    result = run(project, "def test_it(): pass", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_what_cannot_be_opened_fails_with_its_message_alone(project: pytest.Pytester) -> None:
    (project.path / "broken.yaml").write_text("no cassette\n")
    result = run(
        project,
        """
@pytest.mark.llm_cassette(moode="x")
def test_marker(): pass

@pytest.mark.llm_cassette("../broken.yaml")
def test_broken(): pass

@pytest.mark.llm_cassette(ignore=["$["])
def test_path(): pass
""",
    )
    result.assert_outcomes(errors=3)
    text = result.stdout.str()
    assert "llm_simulator: @pytest.mark.llm_cassette: no argument 'moode'; allowed are name, mode," in text
    assert f"llm_simulator: cassette {project.path}/broken.yaml: " in text
    assert "Traceback" not in text
    assert "During handling" not in text


def test_findings_warn_or_fail_by_choice(project: pytest.Pytester) -> None:
    record(project, "test_it/test_one.yaml", ("a?", "1"), ("b?", "2"), recorded_at="2020-01-01T00:00:00.000Z")
    record(project, "test_it/test_renamed.yaml", ("a?", "1"))
    record(project, "test_it/test_off.yaml", ("a?", "1"))
    record(project, "shared.yaml", ("c?", "3"), ("d?", "4"), ("e?", "5"), recorded_at="2999-01-01T00:00:00.000Z")
    source = """
def test_one(llm_simulator):
    app.ask("a?")

@pytest.mark.llm_cassette("shared")
@pytest.mark.parametrize("q", "cd")
def test_shared(q):
    app.ask(q + "?")

def test_off(llm_simulator):
    raise RuntimeError
"""
    chosen = ("--llm-unused=warn", "--llm-orphans=fail", "--llm-max-age=90d", "-k", "not test_off")
    result = run(project, source, *chosen)
    result.assert_outcomes(passed=3, deselected=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*llm-simulator: recordings that no test used*",
            "warning cassettes/shared.yaml: 1 (#3) of 3 not used",
            "warning cassettes/test_it/test_one.yaml: 1 (#2) of 2 not used",
            "*llm-simulator: cassettes that belong to no test*",
            "FAILED cassettes/test_it/test_renamed.yaml: belongs to no test",
            "*llm-simulator: recordings older than --llm-max-age*",
            "warning cassettes/test_it/test_one.yaml: 2 (#1, #2) older than 90d",
        ],
        consecutive=False,
    )
    assert "test_off.yaml" not in result.stdout.str()
    result = run(project, source, "--llm-orphans=warn", "-k", "test_shared")
    assert result.ret == pytest.ExitCode.OK


def test_the_network_is_blocked_for_tests_alone(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
import socket
def pytest_unconfigure():
    try:
        socket.create_connection(("127.0.0.1", 1), 0.1)
    except ConnectionRefusedError:
        pass
"""
    )
    result = run(
        project,
        """
import socket

def test_outside():
    socket.create_connection(("192.0.2.1", 443), 1)

def test_name():
    with pytest.raises(PermissionError, match="--llm-block-network: tests reach loopback only: refused to contact 'a.example'"):
        socket.getaddrinfo("a.example", 443)

@pytest.mark.llm_cassette(mode="auto")
def test_loopback():
    assert app.ask("anything")
""",
        "--llm-block-network",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *EgressRefused: --llm-block-network: tests reach loopback only: refused to contact '192.0.2.1'",
            "*llm-simulator: --llm-block-network refused*",
            "192.0.2.1 (1)",
        ]
    )


def test_threads_of_a_test_share_its_simulator(project: pytest.Pytester) -> None:
    record(project, "test_it/test_threads.yaml", *((f"{n}?", f"answer {n}") for n in range(8)))
    run(
        project,
        """
from concurrent.futures import ThreadPoolExecutor

def test_threads(llm_simulator):
    def work(n):
        assert len(llm_simulator.calls) >= 0
        return app.ask(f"{n}?")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [f"answer {n}" for n in range(8)]
    assert sorted(call.exchange for call in llm_simulator.calls) == [1, 2, 3, 4, 5, 6, 7, 8]
""",
    ).assert_outcomes(passed=1)


def test_an_environment_without_our_dependencies_needs_only_the_command(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_folder = project.mkdir("bin")
    tool = bin_folder / "llm-simulator"
    tool.write_text(f'#!/bin/sh\necho used > {project.path}/used\nexec {sys.executable} -m llm_simulator.cli "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_folder), prepend=":")
    monkeypatch.setattr("llm_simulator.testing.link._NEEDED", ("a_package_that_is_not_here",))
    run(project, "@pytest.mark.llm_cassette(mode='auto')\ndef test_it(): assert app.ask('x')").assert_outcomes(passed=1)
    assert (project.path / "used").read_text() == "used\n"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("#!/bin/sh\necho broken installation >&2\n", "*llm_simulator: the server process (*) has ended. It said:"),
        (
            '#!/bin/sh\necho \'{"protocol": 0, "version": "9"}\'\n',
            "*is version 9 and speaks protocol 0, this plugin 2:*",
        ),
        (None, "*llm_simulator: cannot start /nowhere/llm-simulator: No such file or directory"),
    ],
)
def test_a_server_that_does_not_start_says_why(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, script: str | None, message: str
) -> None:
    tool = project.path / "tool" if script else "/nowhere/llm-simulator"
    if script:
        (project.path / "tool").write_text(script)
        (project.path / "tool").chmod(0o755)
    monkeypatch.setenv("LLM_SIMULATOR_COMMAND", str(tool))
    result = run(project, "def test_it(llm_simulator): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])


def test_a_server_that_dies_fails_tests_and_not_the_run(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_kills(llm_simulator):
    llm_simulator._link._process.kill()
    raise RuntimeError("the application's own")

def test_next(llm_simulator):
    pass

def test_without():
    pass
""",
    )
    result.assert_outcomes(passed=1, failed=1, errors=2)
    result.stdout.fnmatch_lines(
        ["*the application's own*", "*llm-simulator*", "the server process * has ended. It said:"]
    )
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_what_an_overridden_fixture_may_not_give(project: pytest.Pytester) -> None:
    project.makeconftest("import pytest\n@pytest.fixture\ndef llm_default_mode(): return 'live'\n")
    result = run(project, "def test_it(llm_simulator): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["llm_simulator: fixture llm_default_mode gave 'live'; allowed are replay, auto, *"])


def test_without_command_and_dependencies_the_error_says_what_to_install(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("llm_simulator.testing.link._NEEDED", ("a_package_that_is_not_here",))
    result = run(project, "def test_it(llm_simulator): pass")
    result.stdout.fnmatch_lines(["*the command llm-simulator is not on PATH and this environment lacks *"])


def test_a_project_that_passes_the_address_on_by_itself(project: pytest.Pytester) -> None:
    project.makeconftest("import pytest\n@pytest.fixture\ndef llm_set_environment(): return False\n")
    run(
        project,
        """
def test_it(llm_simulator):
    assert "OPENAI_BASE_URL" not in os.environ
    assert llm_simulator.base_url.startswith("http://127.0.0.1:")
""",
    ).assert_outcomes(passed=1)


def test_loading_and_using_the_plugin_imports_nothing_heavy(project: pytest.Pytester) -> None:
    source = """
import sys
def test_it(llm_simulator):
    loaded = {"aiohttp", "sqlalchemy", "yaml", "pydantic", "click", "rich", "tiktoken"} & set(sys.modules)
    assert loaded == set()
"""
    project.makepyfile(test_it=source)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:anyio", "-p", "no:hypothesispytest"],
        capture_output=True,
        text=True,
        cwd=project.path,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout
