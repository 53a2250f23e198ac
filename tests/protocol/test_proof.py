"""A proof shows that one knows a secret, in one role and for one nonce only."""

from __future__ import annotations

import secrets

from sliceworks.protocol.proof import new_nonce, proof_of, proves


def test_a_proof_holds_for_its_secret_role_and_nonce_only() -> None:
    secret, nonce = secrets.token_bytes(32), new_nonce()
    proof = proof_of(secret, "daemon", nonce)
    assert proves(proof, secret, role="daemon", nonce=nonce)
    assert not proves(proof, secret, role="controller", nonce=nonce)
    assert not proves(proof, secret, role="daemon", nonce=new_nonce())
    assert not proves(proof, secrets.token_bytes(32), role="daemon", nonce=nonce)
    assert not proves(b"", secret, role="daemon", nonce=nonce)


def test_a_proof_is_the_same_in_every_version() -> None:
    proof = proof_of(bytes(32), "controller", bytes(16))
    assert proof.hex() == "edb5a1dcdc51e5e3c40f0faacfc7450dee3ec3a42cc5af68a23e86b29fcb81f0"


def test_nonces_do_not_repeat() -> None:
    assert len({new_nonce() for _ in range(100)}) == 100
