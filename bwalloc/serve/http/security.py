"""Who may reach the sidecar: tokens, TLS, and the refusal of an open public address."""

from __future__ import annotations

import hmac
import ipaddress
import socket
import ssl
from pathlib import Path

from bwalloc.errors import ServiceError
from bwalloc.serve.http.settings import Settings

SHORTEST_TOKEN = 16
MOST_TOKEN_BYTES = 4096
HOW_TO_MAKE_ONE = "python -c 'import secrets; print(secrets.token_urlsafe(32))' > FILE"


def read_token(path: Path) -> str:
    """The token in a file of one line.

    Raises:
        ServiceError: it cannot be read, or is too short or no plain text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_TOKEN_BYTES + 1)
    except OSError as error:
        msg = f"--token-file '{path}': {error.strerror}; make one: {HOW_TO_MAKE_ONE}"
        raise ServiceError(msg) from None
    token = data.strip()
    is_plain = token.isascii() and all(33 <= byte <= 126 for byte in token)
    if not is_plain or not SHORTEST_TOKEN <= len(token) <= MOST_TOKEN_BYTES:
        msg = (
            f"--token-file '{path}': expected one line of at least {SHORTEST_TOKEN} letters, "
            f"digits and signs; make one: {HOW_TO_MAKE_ONE}"
        )
        raise ServiceError(msg)
    return token.decode()


def is_right(token: str, given: str | None) -> bool:
    """Whether an `Authorization` header carries the token; takes the same time wherever it errs."""
    scheme, _, value = (given or "").partition(" ")
    right = hmac.compare_digest(value.strip().encode("utf-8", "replace"), token.encode())
    return right and scheme.lower() == "bearer"


def address_of(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Family and address of the first thing that `host` names.

    Raises:
        ServiceError: it names nothing.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        msg = f"--host '{host}': {error}; give an address of this machine, 127.0.0.1 for one."
        raise ServiceError(msg) from None
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


def is_loopback(address: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def check_exposure(settings: Settings, address: str) -> None:
    """Refuse an address that others can reach, unless token and TLS are both there.

    Raises:
        ServiceError: says what is missing.
    """
    missing = [] if settings.token else ["--token-file FILE"]
    if settings.tls_cert is None:
        missing.append("--tls-cert FILE --tls-key FILE")
    if missing and not is_loopback(address):
        msg = (
            f"--host {settings.host}: others can reach this address, so it needs a token and TLS: "
            f"give {' and '.join(missing)}, or leave --host at 127.0.0.1."
        )
        raise ServiceError(msg)


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS 1.2 or newer with the operator's certificate; None where none was given.

    Raises:
        ServiceError: half of it is missing, cannot be read, or does not fit the other half.
    """
    certificate, key = settings.tls_cert, settings.tls_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        msg = "--tls-cert and --tls-key go together: give both PEM files."
        raise ServiceError(msg)
    for option, path in (("cert", certificate), ("key", key)):
        if not path.is_file():
            msg = f"--tls-{option} '{path}': is no file; give a PEM file."
            raise ServiceError(msg)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password="")  # else it asks the terminal
    except (OSError, ValueError) as error:
        msg = (
            f"--tls-cert '{certificate}', --tls-key '{key}': {error}; expected a PEM certificate "
            "and its key without a passphrase."
        )
        raise ServiceError(msg) from None
    return context
