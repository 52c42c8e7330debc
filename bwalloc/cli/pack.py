"""`bwalloc pack`: a bundle from one form into the other, signed or signed anew."""

from __future__ import annotations

from pathlib import Path

from bwalloc.cli.outputs import check_place_of_bundle, writing


def run(
    agent: str,
    *,
    out: Path,
    sign_key: Path | None = None,
    key: Path | None = None,
) -> None:
    """Write an exported agent as one file or as a folder, and sign it.

    Args:
        agent: name of an agent of the catalogue, the folder of a bundle (with a /), or a .bwalloc
            file.
        out: a file where its name ends in .bwalloc, otherwise a folder; a bundle there is replaced.
        sign_key: Ed25519 private key (PEM) to sign with; without it a signature there is stays.
        key: Ed25519 public key (PEM) that the agent must be signed with already.
    """
    from bwalloc.serve import load_bundle
    from bwalloc.serve.bundles.manifest import MANIFEST, SIGNATURE
    from bwalloc.serve.bundles.parts import write_parts
    from bwalloc.serve.bundles.signature import sign

    check_place_of_bundle(out)
    bundle = load_bundle(agent, key=key)
    signature = sign(bundle.head, sign_key) if sign_key else bundle.signature
    signed = {} if signature is None else {SIGNATURE: signature}
    with writing(out):
        write_parts(out, {**bundle.parts, MANIFEST: bundle.head, **signed})
    said = "signed" if sign_key else "signature kept" if signed else "not signed"
    print(f"packed: {out}, {bundle.name} {bundle.version}, {said}")
