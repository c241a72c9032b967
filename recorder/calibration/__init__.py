"""From recordings to latency profiles: measurements, fits, the report. The one place that imports scipy, numpy, matplotlib."""
