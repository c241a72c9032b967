"""llm-simulator under another system date, where libfaketime is not there: the interpreter's own clock is set first.

    python -m benchmarks.other_date 2031-05-04 serve ...

`time.time`, `time_ns`, `gmtime`, `localtime`, `strftime` and `datetime.now`, `utcnow`, `today` go on from that day; clocks that
count from nowhere (`monotonic`, `perf_counter`) are left alone, as an operator who sets the date leaves them.
"""

from __future__ import annotations

import datetime
import sys
import time
from functools import partial
from typing import Any


def set_date(day: str) -> None:
    """From now on it is that day, at noon (UTC)."""
    noon = datetime.datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()
    real_ns = time.time_ns
    ahead = round(noon * 1e9) - real_ns()
    time.time_ns = lambda: real_ns() + ahead
    time.time = lambda: time.time_ns() / 1e9
    for name in ("gmtime", "localtime"):
        setattr(time, name, partial(_broken_down, getattr(time, name)))
    time.strftime = partial(_formatted, time.strftime)
    datetime.datetime = _Datetime  # type: ignore[misc]
    datetime.date = _Date  # type: ignore[misc]


def _broken_down(real: Any, seconds: float | None = None) -> time.struct_time:
    made: time.struct_time = real(time.time() if seconds is None else seconds)
    return made


def _formatted(real: Any, form: str, when: Any = None) -> str:
    return str(real(form, time.localtime() if when is None else when))


class _Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> _Datetime:
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> _Datetime:
        return cls.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)


class _Date(datetime.date):
    @classmethod
    def today(cls) -> _Date:
        return cls.fromtimestamp(time.time())


if __name__ == "__main__":
    set_date(sys.argv.pop(1))
    from llm_simulator.cli import main

    main()
