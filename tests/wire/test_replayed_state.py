"""What was replayed is there for what is simulated after it: a conversation goes on from a recorded response."""

from __future__ import annotations

from pathlib import Path

import pytest
from openai import BadRequestError, OpenAI
from serving import ask, serving

from llm_simulator.config.settings import Settings
from llm_simulator.types import Mode

pytestmark = pytest.mark.wire


def first(client: OpenAI, stream: bool) -> str:
    """Asks, and returns the id of the response."""
    if not stream:
        return client.responses.create(model="gpt-4o", input="Hello!").id
    with client.responses.create(model="gpt-4o", input="Hello!", stream=True) as events:
        return next(event.response.id for event in events if event.type == "response.completed")


@pytest.mark.parametrize("stream", [False, True])
def test_a_simulated_turn_follows_a_recorded_one(tmp_path: Path, stream: bool) -> None:
    cassette = str(tmp_path / "c.db")
    with serving(Settings(mode=Mode.SIMULATE, port=0, seed=1, speed=0)) as provider:
        upstreams = {"api.openai.com": provider.base_url}
        with serving(Settings(mode=Mode.RECORD, port=0, cassette=cassette, upstreams=upstreams)) as server:
            recorded = first(_client(server.base_url), stream)
    with serving(Settings(mode=Mode.AUTO, port=0, seed=2, speed=0, cassette=cassette)) as server:
        client = _client(server.base_url)
        with pytest.raises(BadRequestError, match="not found"):
            client.responses.create(model="gpt-4o", input="And then?", previous_response_id=recorded)
        assert first(client, stream) == recorded
        answer = client.responses.create(model="gpt-4o", input="And then?", previous_response_id=recorded)
        alone = client.responses.create(model="gpt-4o", input="And then?")
        assert answer.previous_response_id == recorded
        assert answer.usage is not None
        assert alone.usage is not None
        assert answer.usage.input_tokens > alone.usage.input_tokens
        calls = ask(server.base_url, "/admin/calls").json()["calls"]
    assert [call["source"] for call in calls] == ["refusal", "cassette", "simulator", "simulator"]


def _client(base_url: str) -> OpenAI:
    return OpenAI(api_key="sk-simulated-key", base_url=f"{base_url}/api.openai.com/v1", max_retries=0)
