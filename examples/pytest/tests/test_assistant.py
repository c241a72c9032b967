"""No test here needs a key or a network: each one's calls are answered from its cassette in `cassettes/`."""

from __future__ import annotations

from typing import Any

import assistant
import pytest

TEXT = "The harbour opened again on Monday. Ferries run twice an hour, and the old crane is to become a museum."


@pytest.mark.llm_cassette
def test_a_summary_is_what_the_model_wrote() -> None:
    """The marker is all: the test has a cassette of its own, and the SDK's client finds it."""
    assert "Heat the oven" in assistant.summary(TEXT)  # our simulator was the "provider" that was recorded


def test_headlines_come_in_pieces(llm_simulator: Any) -> None:
    """The fixture says what happened: which calls were made, and who answered them."""
    pieces = list(assistant.headlines("ferries"))
    assert len(pieces) > 10
    (call,) = llm_simulator.calls
    assert (call.provider, call.model, call.stream, call.source) == ("openai", "gpt-4o-mini", True, "cassette")


@pytest.mark.llm_cassette("translations")
@pytest.mark.parametrize("language", ["French", "Danish"])
def test_a_translation_differs_from_its_text(language: str) -> None:
    """A cassette with a name is shared by the tests that name it."""
    assert assistant.translation(TEXT, language) != TEXT


@pytest.mark.llm_cassette(mode="simulate", seed=7)
def test_what_was_never_recorded_can_be_simulated() -> None:
    """Equal seeds give equal texts, on every machine."""
    assert assistant.summary("Never recorded.") == assistant.summary("Never recorded.")


@pytest.mark.llm_cassette(on_miss="error-response")
def test_the_text_itself_where_the_model_cannot_be_reached() -> None:
    """Nothing is recorded for this call: the application gets the 404 that a miss is, and has to live with it."""
    assert assistant.translation("Bonjour", "English") == "Bonjour"
