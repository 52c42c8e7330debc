"""A signature says whose bundle it is."""

import subprocess
from shutil import which

import pytest
from keys import new_key
from policies import write_agent

from bwalloc.errors import BundleError
from bwalloc.scenario import load_scenario
from bwalloc.serve import load_bundle
from bwalloc.serve.bundles import manifest as part
from bwalloc.serve.bundles.signature import sign

serialization = pytest.importorskip(
    "cryptography.hazmat.primitives.serialization", reason="cryptography comes with bwalloc[sign]"
)


@pytest.fixture
def folder(tmp_path):
    return write_agent(tmp_path / "agent", load_scenario("tiny-edge", {"time.intervals": 40}))


def sign_with(folder, private):
    (folder / part.SIGNATURE).write_bytes(sign((folder / part.MANIFEST).read_bytes(), private))


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["text", "path"])
def test_a_signature_is_checked(folder, tmp_path, kind):
    mine, other = (new_key(tmp_path, name) for name in ("mine", "other"))
    sign_with(folder, mine.private)

    assert "test-agent" == load_bundle(folder, key=kind(mine.public)).name
    with pytest.raises(BundleError, match="was not made with"):
        load_bundle(folder, key=kind(other.public))


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")
def test_keys_of_openssl_sign_and_check(folder, tmp_path):
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    for arguments in (
        ("genpkey", "-algorithm", "ed25519", "-out", private),
        ("pkey", "-in", private, "-pubout", "-out", public),
    ):
        subprocess.run(["openssl", *arguments], check=True)
    sign_with(folder, private)

    assert "test-agent" == load_bundle(folder, key=public).name


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")
def test_openssl_checks_what_was_signed_here(folder, tmp_path):
    mine = new_key(tmp_path, "mine")
    sign_with(folder, mine.private)
    files = ("-sigfile", folder / part.SIGNATURE, "-in", folder / part.MANIFEST)
    arguments = ("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", mine.public, "-rawin")

    assert 0 == subprocess.run([*arguments, *files], capture_output=True).returncode


@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(64), bytes(65), bytes(4096)])
def test_what_is_no_signature_is_refused(folder, tmp_path, signature):
    (folder / part.SIGNATURE).write_bytes(signature)

    with pytest.raises(BundleError, match="was not made with"):
        load_bundle(folder, key=new_key(tmp_path, "mine").public)


def test_a_signature_of_another_size_than_any_is_not_read(folder, tmp_path):
    (folder / part.SIGNATURE).write_bytes(bytes(part.MOST_SIGNATURE_BYTES + 1))

    with pytest.raises(BundleError, match=r"manifest\.sig: is .* larger than 4096 bytes"):
        load_bundle(folder, key=new_key(tmp_path, "mine").public)


def test_a_key_wants_a_signature(folder, tmp_path):
    with pytest.raises(BundleError, match="is not signed; sign it"):
        load_bundle(folder, key=tmp_path / "any.pub")


@pytest.mark.parametrize("kind", ["rsa", "private", "text", "absent"])
def test_a_public_key_that_is_none_is_named(folder, tmp_path, kind):
    (folder / part.SIGNATURE).write_bytes(bytes(64))
    key = tmp_path / "key.pem"
    if kind == "rsa":
        key.write_bytes(rsa_key(public=True))
    elif kind == "private":
        new_key(tmp_path, "key")
    elif kind == "text":
        key.write_text("no key")

    with pytest.raises(BundleError, match=r"key\.pem: (is no Ed25519 key|cannot be read)"):
        load_bundle(folder, key=key)


def rsa_key(*, public):
    from cryptography.hazmat.primitives.asymmetric import rsa

    made, pem = rsa.generate_private_key(65537, 1024), serialization.Encoding.PEM
    if public:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return made.public_key().public_bytes(pem, form)
    return made.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def locked_key():
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    lock = serialization.BestAvailableEncryption(b"secret")
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return Ed25519PrivateKey.generate().private_bytes(pem, form, lock)


@pytest.mark.parametrize("kind", ["rsa", "public", "locked", "text", "absent"])
def test_a_private_key_that_is_none_is_named(tmp_path, kind):
    key = tmp_path / "key.pem"
    if kind == "public":
        key.write_bytes(new_key(tmp_path, "made").public.read_bytes())
    elif kind != "absent":
        made = {"rsa": rsa_key(public=False), "locked": locked_key(), "text": b"no key"}
        key.write_bytes(made[kind])

    with pytest.raises(BundleError, match=r"key\.pem: (is no Ed25519 key|cannot be read)"):
        sign(b"", key)
