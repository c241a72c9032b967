"""Secrets never reach disk, logs, reports or errors: found by shape, by name and by value, and replaced."""

from __future__ import annotations

from llm_simulator.redact.placeholder import MASKED
from llm_simulator.redact.redactor import Ahead, Finding, Redacted, Redactor, scan
from llm_simulator.redact.shapes import mask

__all__ = ["MASKED", "Ahead", "Finding", "Redacted", "Redactor", "mask", "scan"]
