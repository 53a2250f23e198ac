"""Proving that one knows an execution's secret, without sending it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Literal

Role = Literal["daemon", "controller"]


def new_nonce() -> bytes:
    """What a proof is made for, once."""
    return secrets.token_bytes(16)


def proof_of(secret: bytes, role: Role, nonce: bytes) -> bytes:
    """What `role` shows to prove that it knows `secret`."""
    return hmac.digest(secret, role.encode() + b":" + nonce, hashlib.sha256)


def proves(proof: bytes, secret: bytes, *, role: Role, nonce: bytes) -> bool:
    """Whether `proof` was made with `secret`, in constant time."""
    return hmac.compare_digest(proof, proof_of(secret, role, nonce))
