"""`python -m llm_simulator.cli`: the same command where the script is not on PATH."""

from llm_simulator.cli import main

main()
