"""Hashes, decryption and UUIDs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid

import bcrypt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from herdsman.jobspec.bignum import Number
from herdsman.jobspec.limits import Budget
from herdsman.jobspec.text import go_quote
from herdsman.jobspec.typesystem import NUMBER, STRING
from herdsman.jobspec.values import Value

from .base import ArgumentError, Function, FunctionError, Parameter, function, whole

_STR = Parameter("str", STRING)
_DEFAULT_COST = 10
_NAMESPACES = {
    "dns": uuid.NAMESPACE_DNS,
    "url": uuid.NAMESPACE_URL,
    "oid": uuid.NAMESPACE_OID,
    "x500": uuid.NAMESPACE_X500,
}


def _md5(text: str) -> Value:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _sha1(text: str) -> Value:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _sha256(text: str) -> Value:
    return hashlib.sha256(text.encode()).hexdigest()


def _sha512(text: str) -> Value:
    return hashlib.sha512(text.encode()).hexdigest()


def _bcrypt(budget: Budget, text: str, *costs: Number) -> Value:
    if len(costs) > 1:
        raise FunctionError("bcrypt() takes no more than two arguments")
    cost = whole(costs[0], 1) if costs else _DEFAULT_COST
    if not 4 <= cost <= 31:
        raise FunctionError(
            f"error occured generating password crypto/bcrypt: cost {cost} is outside allowed range (4,31)"
        )
    budget.spend(1 << min(cost + 9, 40))
    try:
        return bcrypt.hashpw(text.encode(), bcrypt.gensalt(cost)).decode()
    except ValueError as error:
        raise FunctionError(f"error occured generating password {error}") from None


def _rsadecrypt(budget: Budget, ciphertext: str, key_text: str) -> Value:
    budget.spend(1 << 17)
    try:
        secret = base64.b64decode(ciphertext, validate=True)
    except (binascii.Error, ValueError):
        raise ArgumentError(
            0, f"failed to decode input {go_quote(ciphertext)}: cipher text must be base64-encoded"
        ) from None
    try:
        key = load_pem_private_key(key_text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ArgumentError(1, "failed to read key: no key found") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ArgumentError(1, "failed to read key: not an RSA key")
    try:
        return key.decrypt(secret, padding.PKCS1v15()).decode()
    except ValueError:
        raise FunctionError("failed to decrypt: error occurred during decryption") from None


def _uuidv4() -> Value:
    return str(uuid.uuid4())


def _uuidv5(namespace: str, name: str) -> Value:
    try:
        space = _NAMESPACES.get(namespace) or uuid.UUID(namespace)
    except ValueError:
        raise FunctionError(f"uuidv5() doesn't support namespace {namespace}") from None
    return str(uuid.uuid5(space, name))


FUNCTIONS: dict[str, Function] = {
    "bcrypt": function(_bcrypt, _STR, rest=Parameter("cost", NUMBER), costly=True, volatile=True),
    "md5": function(_md5, _STR),
    "rsadecrypt": function(_rsadecrypt, Parameter("ciphertext", STRING), Parameter("privatekey", STRING), costly=True),
    "sha1": function(_sha1, _STR),
    "sha256": function(_sha256, _STR),
    "sha512": function(_sha512, _STR),
    "uuidv4": function(_uuidv4, volatile=True),
    "uuidv5": function(_uuidv5, Parameter("namespace", STRING), Parameter("name", STRING)),
}
