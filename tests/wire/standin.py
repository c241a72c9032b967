"""A stand-in provider: real TLS on loopback, scripted bytes with chunk timing, gzip, resets and stalls.

It runs on a thread with an event loop of its own, so that the product under test can be a process or another loop.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOSTS = ("api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com", "api.cohere.com", "localhost")


@dataclass(frozen=True)
class Script:
    """One response: chunks are (seconds to wait before it, bytes). `end` is complete, reset, close or stall.

    `linger` is the seconds between the last chunk and the end of a body: chunked, that end comes in a packet of its own.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    chunks: tuple[tuple[float, bytes], ...] = ()
    chunked: bool = True
    end: str = "complete"
    linger: float = 0.0


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


@dataclass
class Standin:
    """`answer` gives the script for a request; `sent` lists (monotonic ns, bytes) of each response's chunks."""

    answer: Callable[[Asked], Script]
    asked: list[Asked] = field(default_factory=lambda: [])
    sent: list[list[tuple[int, bytes]]] = field(default_factory=lambda: [])
    port: int = 0
    tls: bool = True

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def sent_body(self, number: int) -> bytes:
        """The whole body of the `number`-th response (from 0)."""
        return b"".join(data for _, data in self.sent[number])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.append(asked)
                if not await self._respond(self.answer(asked), writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _respond(self, script: Script, writer: asyncio.StreamWriter) -> bool:
        log: list[tuple[int, bytes]] = []
        self.sent.append(log)
        length = sum(len(data) for _, data in script.chunks)
        framing = ("transfer-encoding", "chunked") if script.chunked else ("content-length", str(length))
        head = f"HTTP/1.1 {script.status} Scripted\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in (*script.headers, framing))
        writer.write(head.encode("latin-1") + b"\r\n")
        due = time.monotonic()
        for wait, data in script.chunks:
            due += wait
            if (left := due - time.monotonic()) > 0:
                await asyncio.sleep(left)
            writer.write(b"%x\r\n%b\r\n" % (len(data), data) if script.chunked else data)
            log.append((time.monotonic_ns(), data))
        return await _finish(script, writer)


async def _finish(script: Script, writer: asyncio.StreamWriter) -> bool:
    match script.end:
        case "complete":
            if script.linger:
                await writer.drain()
                await asyncio.sleep(script.linger)
            if script.chunked:
                writer.write(b"0\r\n\r\n")
            await writer.drain()
            return True
        case "reset":
            await writer.drain()
            await asyncio.sleep(0.05)  # what was written must arrive before the reset discards it
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        case "stall":
            await asyncio.sleep(3600)
        case _:
            await writer.drain()
    return False


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    chunked = any(name.lower() == "transfer-encoding" for name, _ in headers)
    body = await _chunked_body(reader) if chunked else await reader.readexactly(length)
    return Asked(method, target, headers, body)


async def _chunked_body(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


@contextmanager
def standin(answer: Callable[[Asked], Script], certificate: Path | None) -> Generator[Standin]:
    """A running stand-in; with a certificate file (see `certificate_files`) it speaks TLS."""
    made = Standin(answer, tls=certificate is not None)
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.new_event_loop()
    started = threading.Event()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = loop.create_task(made.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def start() -> asyncio.Server:
        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context, limit=1 << 26)
        made.port = server.sockets[0].getsockname()[1]
        started.set()
        return server

    def work() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(start())
        loop.run_forever()
        server.close()
        for task in tuple(tasks):
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    thread = threading.Thread(target=work, name="standin")
    thread.start()
    started.wait(10)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def certificate_files(folder: Path) -> tuple[Path, Path]:
    """A private CA and a server certificate for the provider hosts and 127.0.0.1: (CA file, key + certificate file)."""
    ca_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in CA")])
    ca = _certificate(ca_name, ca_name, ca_key, ca_key, ca=True)
    leaf_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    leaf = _certificate(leaf_name, ca_name, leaf_key, ca_key, ca=False)
    ca_file, leaf_file = folder / "ca.pem", folder / "leaf.pem"
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    private = leaf_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    leaf_file.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
    return ca_file, leaf_file


def _certificate(
    name: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in HOSTS]
    names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if ca:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
