"""The configuration of the issue, as it stands, in three formats."""

from __future__ import annotations

import json

import yaml

YAML = """\
version: "2.0"
server: {host: "0.0.0.0", port: 8080, workers: 8, max_connections: 10000, request_timeout_secs: 300}
simulation: {deterministic: true, seed: 12345, concurrency: {max_concurrent_requests: 10000, queue_size: 1000}}
providers:
  gpt-4-turbo:
    enabled: true
    latency:
      ttft: {distribution: "log_normal", p50_ms: 800, p95_ms: 1500}
      itl: {distribution: "normal", mean_ms: 20, std_dev_ms: 5}
    errors: {rate_limit: {probability: 0.02, retry_after_secs: 60}}
telemetry:
  logging: {level: "info", format: "json"}
  metrics: {enabled: true, prometheus_port: 9090}
  tracing: {enabled: true, otlp_endpoint: "http://localhost:4317"}
"""
TOML = """\
version = "2.0"

[server]
host = "0.0.0.0"
port = 8080
workers = 8
max_connections = 10000
request_timeout_secs = 300

[simulation]
deterministic = true
seed = 12345
concurrency = {max_concurrent_requests = 10000, queue_size = 1000}

[providers.gpt-4-turbo]
enabled = true
errors = {rate_limit = {probability = 0.02, retry_after_secs = 60}}

[providers.gpt-4-turbo.latency]
ttft = {distribution = "log_normal", p50_ms = 800, p95_ms = 1500}
itl = {distribution = "normal", mean_ms = 20, std_dev_ms = 5}

[telemetry.logging]
level = "info"
format = "json"

[telemetry.metrics]
enabled = true
prometheus_port = 9090

[telemetry.tracing]
enabled = true
otlp_endpoint = "http://localhost:4317"
"""
JSON = json.dumps(yaml.safe_load(YAML), indent=2)
FORMATS = [(".yaml", YAML), (".yml", YAML), (".json", JSON), (".toml", TOML)]
