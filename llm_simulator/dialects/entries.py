"""What names a dialect: where it is, whose it is, and which hosts it adds. Packages add theirs by entry point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import cast

ANY = ("*",)
GROUP = "llm_simulator.dialects"


def _no_hosts() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a dialect is (`module:attribute`, an instance) and which providers it answers for, by family.

    A path that has none of `paths` in it is not the dialect's, whoever asks: then it need not even be loaded. `hosts`
    (name[:port] in lower case) are those of a provider that we do not know.
    """

    spec: str
    claims: Mapping[str, tuple[str, ...]]
    paths: tuple[str, ...] = ("/",)
    hosts: Mapping[str, str] = field(default_factory=_no_hosts)

    def serves(self, provider: str, family: str = "") -> bool:
        """Whether it claims the provider, for one family or for any."""
        claimed = [self.claims[family]] if family in self.claims else [] if family else self.claims.values()
        return any(providers is ANY or providers == ANY or provider in providers for providers in claimed)


@cache
def third_party() -> tuple[Entry, ...]:
    """Those of other packages: under the entry-point group `llm_simulator.dialects`, each an `Entry`."""
    from importlib.metadata import entry_points

    return tuple(cast(Entry, point.load()) for point in entry_points(group=GROUP))


@cache
def third_party_hosts() -> Mapping[str, str]:
    """The hosts that other packages name, with their providers."""
    return {host: provider for entry in third_party() for host, provider in entry.hosts.items()}
