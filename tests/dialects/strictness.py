"""What a value holds that the SDK's own type does not know."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel


def unknown(value: object) -> Iterator[str]:
    """ "Type.name" of every member that is in no type, anywhere in a value."""
    if isinstance(value, BaseModel):
        yield from (f"{type(value).__name__}.{name}" for name in value.model_extra or ())
        for item in vars(value).values():
            yield from unknown(item)
    if isinstance(value, list | tuple):
        for item in value:
            yield from unknown(item)
    if isinstance(value, dict):
        for item in value.values():
            yield from unknown(item)
