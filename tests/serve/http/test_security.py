"""Who may reach a sidecar, before anything listens."""

import stat

import pytest
from sidecars import TOKEN, make_certificate

from bwalloc.errors import ServiceError
from bwalloc.serve.http import Settings, listen, read_token
from bwalloc.serve.http.security import check_exposure, is_loopback, is_right, tls_context


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_these_addresses_stay_on_the_machine(address):
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "192.168.1.2", "fe80::1%eth0"])
def test_these_addresses_do_not(address):
    assert not is_loopback(address)


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (Settings(host="0.0.0.0"), "--token-file FILE and --tls-cert FILE --tls-key FILE"),
        (Settings(host="0.0.0.0", token=TOKEN), "give --tls-cert FILE --tls-key FILE, or"),
        (Settings(host="0.0.0.0", tls_cert="c", tls_key="k"), "give --token-file FILE, or"),
    ],
)
def test_an_open_address_without_both_protections_is_refused(settings, missing):
    with pytest.raises(ServiceError) as caught:
        listen(settings)

    assert missing in str(caught.value)
    assert 1 == len(str(caught.value).splitlines())


def test_an_open_address_with_both_is_taken():
    check_exposure(Settings(token=TOKEN, tls_cert="c", tls_key="k"), "0.0.0.0")


def test_a_name_that_means_an_open_address_is_seen_through():
    with pytest.raises(ServiceError, match="needs a token and TLS"):
        listen(Settings(host="0", port=0))


def test_a_host_that_is_none_is_named():
    with pytest.raises(ServiceError, match=r"--host 'no\.such\.invalid'"):
        listen(Settings(host="no.such.invalid"))


def test_a_port_in_use_is_said_in_one_line():
    first = listen(Settings(port=0))
    try:
        taken = first.socket.getsockname()[1]
        with pytest.raises(ServiceError, match=f"port {taken} .* give a free one"):
            listen(Settings(port=taken))
    finally:
        first.socket.close()


def token_in(folder, data):
    path = folder / "token"
    path.write_bytes(data)
    return path


def test_a_token_is_one_line(tmp_path):
    assert TOKEN == read_token(token_in(tmp_path, f"{TOKEN}\n".encode()))


@pytest.mark.parametrize(
    "data", [b"", b"short\n", b"two lines of it\nthat are long enough\n", b"\xff" * 40, b"x" * 5000]
)
def test_what_is_no_token_is_refused_and_not_shown(data, tmp_path):
    with pytest.raises(ServiceError, match=r"--token-file .* make one: python") as caught:
        read_token(token_in(tmp_path, data))

    assert "long enough" not in str(caught.value)


def test_a_token_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(ServiceError, match=r"--token-file '.*nowhere': No such file"):
        read_token(tmp_path / "nowhere")


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER  {TOKEN} "])
def test_the_right_token_is_right(header):
    assert is_right(TOKEN, header)


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", "Bearer ü"],
)
def test_anything_else_is_wrong(header):
    assert not is_right(TOKEN, header)


def test_tls_is_1_2_or_newer(tmp_path):
    certificate, key = make_certificate(tmp_path)

    assert (
        "TLSv1_2" == tls_context(Settings(tls_cert=certificate, tls_key=key)).minimum_version.name
    )
    assert tls_context(Settings()) is None


def test_half_of_tls_is_refused(tmp_path):
    certificate, _ = make_certificate(tmp_path)

    with pytest.raises(ServiceError, match="go together"):
        tls_context(Settings(tls_cert=certificate))


def test_a_certificate_that_does_not_fit_its_key_is_refused(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    certificate, _ = make_certificate(tmp_path)
    _, key = make_certificate(other)

    with pytest.raises(ServiceError, match="KEY_VALUES_MISMATCH"):
        tls_context(Settings(tls_cert=certificate, tls_key=key))


def test_a_key_with_a_passphrase_is_refused_without_asking_for_it(tmp_path):
    from cryptography.hazmat.primitives import serialization

    certificate, key = make_certificate(tmp_path)
    secret = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    with pytest.raises(ServiceError, match="without a passphrase"):
        tls_context(Settings(tls_cert=certificate, tls_key=key))


def test_what_is_no_certificate_is_refused(tmp_path):
    path = tmp_path / "cert.pem"
    path.write_text("none")
    path.chmod(stat.S_IRUSR)

    with pytest.raises(ServiceError, match="expected a PEM certificate"):
        tls_context(Settings(tls_cert=path, tls_key=path))
    with pytest.raises(ServiceError, match=r"--tls-key '.*nowhere': is no file"):
        tls_context(Settings(tls_cert=path, tls_key=tmp_path / "nowhere"))
