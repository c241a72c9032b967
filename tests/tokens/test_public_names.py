"""Every public name of the package is there, though none is imported before it is used."""

from __future__ import annotations

import pytest

from llm_simulator import tokens


@pytest.mark.parametrize("name", tokens.__all__)
def test_public_name(name: str) -> None:
    assert getattr(tokens, name).__name__ == name


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        vars(tokens)["__getattr__"]("nothing")
