"""How a response head is spelled and its body delimited, wherever its content-length stands among its fields."""

from __future__ import annotations

from typing import Any, cast

import pytest

from llm_simulator.proxy.framing import Framing
from llm_simulator.types import Answer, End, Headers


class Request:
    """What the framing looks at."""

    def __init__(self, method: str = "POST", version: tuple[int, int] = (1, 1), keep_alive: bool = True) -> None:
        self.method, self.version, self.keep_alive = method, version, keep_alive


LENGTH = ("Content-Length", "7")
OTHERS: Headers = (("a", "1"), ("B", "caf\xe9"), ("a", "2"))


@pytest.mark.parametrize("headers", [(LENGTH,), (LENGTH, *OTHERS), (*OTHERS, LENGTH), (*OTHERS[:2], LENGTH, OTHERS[2])])
def test_a_length_is_found_wherever_it_stands(headers: Headers) -> None:
    framing = Framing.of(cast(Any, Request()), Answer(200, headers, ()))
    assert (framing.by_length, framing.length, framing.chunked) == (True, 7, False)


@pytest.mark.parametrize("times", [(("t", "1"), ("u", "2")), (("t", "3"), ("u", "4")), ()])
@pytest.mark.parametrize("end", list(End))
def test_every_answer_has_its_own_head_in_its_own_order_and_case(times: Headers, end: End) -> None:
    answer = Answer(200, (*OTHERS, *times), (), end=end)
    fields = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
    last = "" if end is End.COMPLETE else "connection: close\r\n"
    expected = f"HTTP/1.1 200 OK\r\n{fields}transfer-encoding: chunked\r\n{last}\r\n".encode("latin-1")
    assert Framing.of(cast(Any, Request()), answer).head(answer) == expected


@pytest.mark.parametrize(
    ("request_", "status", "chunked", "headless", "keep"),
    [
        (Request(), 200, True, False, True),
        (Request("HEAD"), 200, False, True, True),
        (Request(), 204, False, True, True),
        (Request(version=(1, 0)), 200, False, False, False),
        (Request(keep_alive=False), 200, True, False, False),
    ],
)
def test_without_a_length(request_: Request, status: int, chunked: bool, headless: bool, keep: bool) -> None:
    framing = Framing.of(cast(Any, request_), Answer(status, OTHERS, ()))
    assert (framing.chunked, framing.headless, framing.keep_alive) == (chunked, headless, keep)
