"""Chance as a value: keyed hashing makes seeds, one small generator per call and purpose draws from them.

No generator is ever shared between calls (docs/architecture.md, Determinism), so the order of calls cannot matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from math import cos, log, pi, sin, sqrt

MASK = (1 << 64) - 1
MULTIPLIER = 2685821657736338717
NONZERO = 0x9E3779B97F4A7C15  # stands in for a seed of 0, which xorshift would never leave
UNIT = 2.0**-53


def keyed(seed: int, *parts: str | bytes | int) -> int:
    """A 64-bit hash of `parts` under `seed`: BLAKE2b (RFC 7693) in its keyed mode.

    Each part is framed by its type and length, so ("ab", "c") and ("a", "bc") differ, and so do 1, "1" and b"1".

    Raises:
        ValueError: the seed needs more than the 64 bytes that a key may have.
    """
    framed = bytearray()
    for part in parts:
        if isinstance(part, str):
            data, kind = part.encode("utf-8", "surrogatepass"), b"s"
        elif isinstance(part, int):
            data, kind = b"%d" % part, b"i"
        else:
            data, kind = part, b"b"
        framed += b"%b%d:%b" % (kind, len(data), data)
    return int.from_bytes(blake2b(framed, digest_size=8, key=_key(seed)).digest(), "little")


def _key(seed: int) -> bytes:
    return seed.to_bytes(seed.bit_length() // 8 + 1, "little", signed=True)


def fraction(bits: int) -> float:
    """The upper 53 of 64 bits as a float in [0, 1)."""
    return (bits >> 11) * UNIT


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a generator stood; `spare` is the second value of a Box-Muller pair, not yet handed out.

    Plain numbers: `dataclasses.asdict` gives what JSON can hold, `Checkpoint(**values)` takes it back.
    """

    state: int
    spare: float | None
    seed: int


class DeterministicRng:
    """xorshift64* (Vigna 2016, "An experimental exploration of Marsaglia's xorshift generators, scrambled").

    Shifts 12, 25, 27, multiplier 2685821657736338717; period 2**64 - 1. The state is the seed modulo 2**64, never 0.
    Neighbouring small seeds start alike: derive seeds with `keyed`.
    """

    __slots__ = ("_seed", "_spare", "_state")

    def __init__(self, seed: int) -> None:
        self._seed = seed & MASK
        self._state = self._seed or NONZERO
        self._spare: float | None = None

    def next_u64(self) -> int:
        """The next 64 bits."""
        x = self._state
        x ^= x >> 12
        x ^= (x << 25) & MASK
        x ^= x >> 27
        self._state = x
        return (x * MULTIPLIER) & MASK

    def next_f64(self) -> float:
        """Uniform in [0, 1), 53 bits."""
        return (self.next_u64() >> 11) * UNIT

    def next_normal(self) -> float:
        """Standard normal (Box and Muller 1958); two uniform draws give two values."""
        if self._spare is not None:
            value, self._spare = self._spare, None
            return value
        radius = sqrt(-2.0 * log(1.0 - self.next_f64()))
        angle = 2.0 * pi * self.next_f64()
        self._spare = radius * sin(angle)
        return radius * cos(angle)

    def below(self, bound: int) -> int:
        """An integer in [0, bound); the bias of scaling 53 bits is under bound / 2**53."""
        return int(self.next_f64() * bound)

    def fork(self, purpose: str) -> DeterministicRng:
        """A generator of its own: a function of this one's seed and the purpose, not of what was drawn so far."""
        return DeterministicRng(keyed(self._seed, "fork", purpose))

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self._state, self._spare, self._seed)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes to where a generator stood at `checkpoint`: its draws and forks follow.

        Raises:
            ValueError: the state is not one that a generator can have (1 to 2**64 - 1).
        """
        if not 0 < checkpoint.state <= MASK:
            raise ValueError(f"state is {checkpoint.state}; 1 to {MASK} is allowed")
        self._state, self._spare, self._seed = checkpoint.state, checkpoint.spare, checkpoint.seed
