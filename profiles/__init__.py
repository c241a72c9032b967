"""Latency profiles: distributions, the profile schema, shipped profiles as data."""

from llm_simulator.profiles.chance import Chance
from llm_simulator.profiles.picking import pick
from llm_simulator.profiles.profile import Profile, Timings
from llm_simulator.profiles.traces import Trace, Traces

__all__ = ["Chance", "Profile", "Timings", "Trace", "Traces", "pick"]
