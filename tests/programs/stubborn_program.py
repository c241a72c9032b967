"""A program that takes no hint: it calls a fixed address outside, whatever the environment says."""

from __future__ import annotations

import errno
import os
import socket
import urllib.request

for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):  # RFC 5737, RFC 3849
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        try:
            sock.connect((address, 443))
            print(f"{address}: connected")
        except OSError as error:
            print(f"{address}: {errno.errorcode.get(error.errno or 0, error)}")

print("interfaces:", *(name for _, name in socket.if_nameindex()))
with urllib.request.urlopen(f"{os.environ['ANTHROPIC_BASE_URL']}/v1/models", timeout=10) as answer:
    print("simulator:", answer.status, answer.headers["x-llm-simulator-source"])
