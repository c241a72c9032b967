"""How answers sound and where they say that they are simulated, as the configuration says it."""

from __future__ import annotations

import pytest

from llm_simulator.config.load import from_mapping
from llm_simulator.config.settings import Label, Settings
from llm_simulator.errors import ConfigError
from llm_simulator.simulator.style import Style


def test_the_defaults() -> None:
    assert (Settings().style, Settings().label) == (Style(), Label.HEADERS)
    assert from_mapping({"simulation": {"seed": 1}}).style == Style()


def test_a_style_and_a_label() -> None:
    style = {
        "text": "template",
        "content": "{user}!",
        "call_tools": True,
        "calls": 2,
        "preface": True,
        "refusal": "No.",
    }
    settings = from_mapping({"simulation": {"style": style}, "response": {"label": "body"}})
    assert settings.style == Style("template", "{user}!", True, 2, True, "No.")
    assert settings.label is Label.BODY


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"simulation": {"style": {"text": "verse"}}}, "simulation.style.text"),
        ({"simulation": {"style": {"text": "fixed"}}}, "content: text 'fixed' needs one"),
        ({"simulation": {"style": {"text": "template", "content": "{nobody}"}}}, "content: {nobody} is unknown"),
        ({"simulation": {"style": {"calls": 99}}}, "simulation.style.calls"),
        ({"response": {"label": "footer"}}, "response.label"),
    ],
)
def test_what_cannot_be_is_told(values: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(values)
    assert told in str(caught.value)
