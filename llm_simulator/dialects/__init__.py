"""The providers' wire formats: `read` makes a `Call` of a request, `of` gives the `Dialect` that answers it."""

from llm_simulator.dialects.registry import of, read
from llm_simulator.dialects.resolve import PROVIDER_HOSTS, provider_of

__all__ = ["PROVIDER_HOSTS", "of", "provider_of", "read"]
