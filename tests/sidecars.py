"""Sidecars for tests: in this process, or as a command of its own; and telemetry to send them."""

import contextlib
import http.client
import json
import re
import signal
import ssl
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from bwalloc.control import to_json
from bwalloc.scenario import load_scenario
from bwalloc.serve import load_bundle
from bwalloc.serve.http.example import example_telemetry

AGENT, ENV = "metro-inference", "tiny-edge"
TOKEN = "0123456789abcdef-the-token-of-the-tests"
JSON = {"Content-Type": "application/json"}
MAIN = "import sys; from bwalloc.cli import main; sys.exit(main(sys.argv[1:]))"
ROOT = Path(__file__).resolve().parents[1]


@cache
def network():
    return load_scenario(ENV).network


@cache
def bundle():
    return load_bundle(AGENT)


def supervisor(**options):
    return bundle().bind(network(), runtime="numpy", **options)


def telemetry(seconds=0.0, **changes):
    """JSON of what could have been measured `seconds` from now."""
    record = example_telemetry(network(), datetime.now(UTC) + timedelta(seconds=seconds))
    return to_json(replace(record, **changes))


def make_certificate(folder):
    """A certificate of 127.0.0.1 made by itself, and its key, as PEM files."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sidecar")])
    now, address = datetime.now(UTC), ipaddress.ip_address("127.0.0.1")
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(address)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "cert.pem", folder / "key.pem"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file


class Answer:
    """What came back."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Sidecar:
    """`bwalloc serve` in a process of its own; `url` is where it listens."""

    def __init__(self, *options, command=None, agent=AGENT, env=ENV):
        line = command or [sys.executable, "-c", MAIN, "serve", agent, "--env", env]
        options = [str(option) for option in options]
        if command is None and "--port" not in options:
            options += ["--port", "0"]
        self.process = subprocess.Popen(
            [*line, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.said = self.process.stdout.readline()
        found = re.search(r"(https?)://([^\s/]+):(\d+)", self.said)
        if found is None:
            self.process.kill()
            raise AssertionError(self.process.communicate()[1])
        self.url, self.scheme = found[0], found[1]
        self.host, self.port = found[2].strip("[]"), int(found[3])

    def connect(self, trusted=None, timeout=30):
        if self.scheme == "http":
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        context = ssl.create_default_context(cafile=trusted)
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def ask(self, method, path, body=None, headers=None, *, trusted=None):
        """One request on a connection of its own."""
        with contextlib.closing(self.connect(trusted)) as connection:
            return ask(connection, method, path, body, headers)

    def end(self, how=signal.SIGTERM, timeout=30):
        """Send a signal; returns the exit code and what was written to standard error."""
        self.process.send_signal(how)
        shown = self.process.communicate(timeout=timeout)
        return self.process.returncode, shown[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def ask(connection, method, path, body=None, headers=None):
    """One request on a connection that stays open; a dict as body is sent as JSON."""
    if isinstance(body, dict):
        body = json.dumps(body)
    connection.request(
        method, path, body, {**(JSON if body is not None else {}), **(headers or {})}
    )
    return Answer(connection.getresponse())
