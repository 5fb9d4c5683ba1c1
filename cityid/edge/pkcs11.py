"""Keys in a PKCS#11 token (a smart card, an HSM), named by a URI of RFC 7512: `pkcs11:token=city-hall`.

Private keys are made in the token, sensitive and not extractable. ECDSA signs our own digest, because not every token
hashes. What a key is kept for stands in a data object beside it, `cityid` by application.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from cityid.edge.keyrings import KeptKeys, Record, Use, kept_for, read_about, write_about
from cityid.edge.sealed import Entropy
from cityid.encoding import json
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Misuse, Refused, Unavailable
from cityid.keys.algorithms import Algorithm, PublicKey

__all__ = ["Pkcs11Keyring", "Uri", "read_uri"]

MODULES: Final = (
    "/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so", "/usr/lib/aarch64-linux-gnu/p11-kit-proxy.so",
    "/usr/lib64/p11-kit-proxy.so", "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)  # fmt: skip
"""Where a module is looked for that the URI does not name."""
_APPLICATION: Final = "cityid"
_PATH: Final = frozenset({"token", "manufacturer", "model", "serial", "slot-id"})
_QUERY: Final = frozenset({"module-path"})
_PINS: Final = frozenset({"pin-value", "pin-source"})
_CURVES: Final = {
    Algorithm.ES256: bytes.fromhex("06082a8648ce3d030107"),
    Algorithm.ES384: bytes.fromhex("06052b81040022"),
    Algorithm.EDDSA: bytes.fromhex("130c") + b"edwards25519",
}
"""EC_PARAMS: an object identifier, or for Ed25519 the curve's name (PKCS#11 3.0 §2.3.10)."""
_BY_CURVE: Final = {params: algorithm for algorithm, params in _CURVES.items()} | {
    bytes.fromhex("06032b6570"): Algorithm.EDDSA,
}
_POINTS: Final = {Algorithm.ES256: 65, Algorithm.ES384: 97, Algorithm.EDDSA: 32}
_INITIALISED: Final[dict[str, int]] = {}
"""Which process initialised each module last."""
_LOCKS: Final = [threading.Lock()]
"""Taken for a moment only; a forked process has one of its own, because another thread may have held it."""
os.register_at_fork(after_in_child=lambda: _LOCKS.__setitem__(0, threading.Lock()))
_DIGESTS: Final = {Algorithm.ES256: hashlib.sha256, Algorithm.ES384: hashlib.sha384}


@dataclass(frozen=True, slots=True)
class Uri:
    """A token by RFC 7512: what its attributes must be, and the module that reaches it, where it is named."""

    token: str = ""
    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    slot: int | None = None
    module: str = ""

    def __str__(self) -> str:
        named = (("token", self.token), ("serial", self.serial), ("model", self.model))
        return "pkcs11:" + ";".join(f"{name}={value}" for name, value in named if value)


def read_uri(text: str) -> Uri:
    """The token that a URI names. One attribute at least says which, so that no other can come in its place.

    Raises:
        Misuse: `keys.token_uri`; `keys.pin_in_uri`, because files and process lists are read by others.
    """
    scheme, _, rest = text.partition(":")
    path, _, query = rest.partition("?")
    found: dict[str, str] = {}
    for part, names in ((path.split(";"), _PATH), (query.split("&") if query else [], _QUERY)):
        for attribute in part:
            name, equals, value = attribute.partition("=")
            if name in _PINS:
                raise Misuse("keys.pin_in_uri", attribute=name)
            if scheme != "pkcs11" or name not in names or not equals or not value or name in found:
                raise Misuse("keys.token_uri", attribute=name or text[:40])
            found[name] = unquote(value, errors="replace")
    slot = found.get("slot-id", "")
    if slot and not (slot.isascii() and slot.isdigit()):
        raise Misuse("keys.token_uri", attribute="slot-id")
    return Uri(
        found.get("token", ""), found.get("manufacturer", ""), found.get("model", ""), found.get("serial", ""),
        int(slot) if slot else None, found.get("module-path", ""),
    )  # fmt: skip


class Pkcs11Keyring(KeptKeys["TokenSigner"]):
    """A Keyring in a token. One session a process, which its threads use by turns; a forked process logs in anew, when
    it first asks the token for something."""

    def __init__(self, uri: str | Uri, pin: str, *, entropy: Entropy = secrets.token_bytes) -> None:
        """Open the token and log in.

        Raises:
            Misuse: `keys.token_uri`, `keys.pin_in_uri`.
            Refused: `keys.pin_wrong`, `keys.pin_locked`.
            Unavailable: `keys.unavailable`, `keys.no_module`, `install.extra`.
        """
        self._uri = read_uri(uri) if isinstance(uri, str) else uri
        self._entropy = entropy
        self._turn = threading.RLock()
        self._process = self._turn_of = os.getpid()
        self._keys: dict[PublicKey, Any] = {}
        self._records: dict[PublicKey, Record] = {}
        self._ids: dict[PublicKey, bytes] = {}
        self._p11: Any = _package()
        self._session: Any = None
        self._closed = False
        self._left: list[Any] = []
        # The PIN lives in this closure and in no attribute.
        self._log_in: Callable[[], Any] = lambda: self._token().open(rw=True, user_pin=pin)
        with self._asked():
            self._session = self._log_in()
            self._look()

    def _token(self) -> Any:
        module = self._uri.module or next((name for name in MODULES if Path(name).exists()), "")
        if not module:
            raise Unavailable("keys.no_module", token=str(self._uri))
        wanted, library = self._uri, self._p11.lib(module)
        # PKCS#11 2.40 §5.4: a forked process initialises the module for itself. Only once: it ends all sessions.
        if _INITIALISED.setdefault(module, os.getpid()) != os.getpid():
            library.reinitialize()
            _INITIALISED[module] = os.getpid()
        for slot in library.get_slots(token_present=True):
            token = slot.get_token()
            same = (
                (wanted.token, token.label), (wanted.serial, _text(token.serial)), (wanted.model, token.model),
                (wanted.manufacturer, token.manufacturer_id),
            )  # fmt: skip
            if all(not want or want == have for want, have in same) and wanted.slot in (None, slot.slot_id):
                return token
        raise Unavailable("keys.unavailable", token=str(self._uri))

    def _look(self) -> None:
        """What the token holds: each public key with its private half, and what was written of it."""
        p11 = self._p11
        attribute, kind = p11.Attribute, p11.ObjectClass
        private = {
            each[attribute.ID]: each for each in list(self._session.get_objects({attribute.CLASS: kind.PRIVATE_KEY}))
        }
        about, keys = {}, {}
        wanted = {attribute.CLASS: kind.DATA, attribute.APPLICATION: _APPLICATION}
        for each in list(self._session.get_objects(wanted)):
            name, found = _read_about(each[attribute.VALUE])
            about[name] = found
        for each in list(self._session.get_objects({attribute.CLASS: kind.PUBLIC_KEY})):
            key, name = self._public(each), each[attribute.ID]
            if key is not None and name in private:
                keys[key] = private[name]
                self._records[key] = _record(key, each[attribute.LABEL], about.get(name))
                self._ids[key] = name
        self._keys = keys
        # A token hands its objects out in any order; a file keeps them as they came.
        self._records = dict(sorted(self._records.items(), key=lambda item: item[1].age))

    def _public(self, found: Any) -> PublicKey | None:
        attribute = self._p11.Attribute
        if found.key_type not in (self._p11.KeyType.EC, self._p11.KeyType.EC_EDWARDS):
            return None
        algorithm = _BY_CURVE.get(bytes(found[attribute.EC_PARAMS]))
        if algorithm is None:
            return None
        point, size = bytes(found[attribute.EC_POINT]), _POINTS[algorithm]
        if len(point) == size + 2 and point[:2] == bytes([4, size]):  # a DER OCTET STRING; some tokens leave it out
            point = point[2:]
        return PublicKey(algorithm, point) if len(point) == size else None

    def create(
        self,
        algorithm: Algorithm,
        *,
        label: str = "",
        uses: Iterable[Use] = (),
        shared: bool = False,
        created: datetime | None = None,
        not_after: datetime | None = None,
    ) -> PublicKey:
        """A fresh key in the token, which never leaves it.

        Raises:
            Misuse: `keys.token_algorithm`, `keys.label_taken`.
            Refused: `key.several_uses` unless `shared` waives it.
            Unavailable: `keys.unavailable`.
        """
        if algorithm not in _CURVES:
            raise Misuse("keys.token_algorithm", algorithm=algorithm.value, known=", ".join(_CURVES))
        kept = kept_for(uses, shared=shared)
        self._check_label(label)
        p11, name = self._p11, self._entropy(16)
        attribute, mechanism = p11.Attribute, p11.Mechanism
        edwards = algorithm is Algorithm.EDDSA
        hidden = {
            attribute.SENSITIVE: True,
            attribute.EXTRACTABLE: False,
            attribute.PRIVATE: True,
            attribute.SIGN: True,
        }
        with self._asked():
            curve = self._session.create_domain_parameters(
                p11.KeyType.EC_EDWARDS if edwards else p11.KeyType.EC,
                {attribute.EC_PARAMS: _CURVES[algorithm]},
                local=True,
            )
            public, private = curve.generate_keypair(
                id=name, label=label or _APPLICATION, store=True,
                mechanism=mechanism.EC_EDWARDS_KEY_PAIR_GEN if edwards else mechanism.EC_KEY_PAIR_GEN,
                capabilities=p11.MechanismFlag.SIGN | p11.MechanismFlag.VERIFY, private_template=hidden,
            )  # fmt: skip
            key = self._public(public)
            if key is None:
                raise Unavailable("keys.unavailable", token=str(self._uri))
            self._keys[key], self._ids[key] = private, name
            self._write(Record(key, label, kept, created, not_after))
        return key

    def _write(self, record: Record) -> None:
        """Keep what there is to say about a key. The new is there before the old goes."""
        attribute, name = self._p11.Attribute, self._ids[record.key]
        wanted = {
            attribute.CLASS: self._p11.ObjectClass.DATA, attribute.APPLICATION: _APPLICATION,
            attribute.OBJECT_ID: name,
        }  # fmt: skip
        old = list(self._session.get_objects(wanted))
        self._session.create_object({
            **wanted, attribute.TOKEN: True, attribute.PRIVATE: True, attribute.LABEL: record.label or _APPLICATION,
            attribute.VALUE: _write_about(name, record),
        })  # fmt: skip
        for each in old:
            each.destroy()
        self._records[record.key] = record

    def signer(self, key: PublicKey) -> TokenSigner:
        """Raises Misuse: `keys.unknown`."""
        if key not in self._keys:
            raise Misuse("keys.unknown", thumbprint=key.thumbprint)
        return TokenSigner(self, key)

    def end(self, key: PublicKey, at: datetime) -> None:
        """The key's last moment. Raises Misuse `keys.unknown`; Unavailable `keys.unavailable`."""
        ended = replace(self._known(key), not_after=at)
        with self._asked():
            self._write(ended)

    def remove(self, key: PublicKey) -> None:
        """Destroy a key, its private half first. Raises Misuse `keys.unknown`; Unavailable `keys.unavailable`."""
        self._known(key)
        attribute, kind, name = self._p11.Attribute, self._p11.ObjectClass, self._ids[key]
        with self._asked():
            for wanted in (
                {attribute.CLASS: kind.PRIVATE_KEY, attribute.ID: name},
                {attribute.CLASS: kind.PUBLIC_KEY, attribute.ID: name},
                {attribute.CLASS: kind.DATA, attribute.APPLICATION: _APPLICATION, attribute.OBJECT_ID: name},
            ):
                for each in list(self._session.get_objects(wanted)):
                    each.destroy()
        del self._keys[key], self._records[key], self._ids[key]

    def sign(self, key: PublicKey, message: bytes) -> bytes:
        """What a signer of this keyring does. Raises Unavailable `keys.unavailable`."""
        digest = _DIGESTS.get(key.algorithm)
        mechanism = self._p11.Mechanism.ECDSA if digest else self._p11.Mechanism.EDDSA
        with self._asked():
            signed = self._keys[key].sign(digest(message).digest() if digest else message, mechanism=mechanism)
        return bytes(signed)

    def close(self) -> None:
        """Log out. A token that has gone already does not mind."""
        session, self._session = self._session, None
        self._closed = True
        self._keys.clear()
        if session is not None and self._process == os.getpid():
            with suppress(self._p11.exceptions.PKCS11Error):
                session.close()

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """One question to the token at a time; what it says becomes one of ours."""
        wrong = self._p11.exceptions
        if self._closed:
            raise Unavailable("keys.unavailable", token=str(self._uri))
        with _LOCKS[0]:
            if self._turn_of != os.getpid():
                self._turn = threading.RLock()  # the old one may be held by a thread that this process does not have
                self._turn_of = os.getpid()
        with self._turn:
            try:
                if self._process != os.getpid():
                    # Old handles mean nothing here, or something else: they are kept, so that nothing closes them.
                    self._left.append((self._session, self._keys))
                    self._session = self._log_in()
                    self._look()
                    self._process = os.getpid()
                yield
            except (wrong.PinIncorrect, wrong.PinLenRange, wrong.PinInvalid):
                raise Refused("keys.pin_wrong", token=str(self._uri)) from None
            except wrong.PinLocked:
                raise Refused("keys.pin_locked", token=str(self._uri)) from None
            # a module that cannot be loaded is a RuntimeError, a key that is not there after a fork a KeyError
            except (wrong.PKCS11Error, OSError, RuntimeError, KeyError):
                raise Unavailable("keys.unavailable", token=str(self._uri)) from None

    def __repr__(self) -> str:
        return f"Pkcs11Keyring({self._uri}, {len(self._records)} keys)"


class TokenSigner:
    """A Signer whose key lies in a token."""

    __slots__ = ("_keyring", "_public_key")

    def __init__(self, keyring: Pkcs11Keyring, public_key: PublicKey) -> None:
        self._keyring = keyring
        self._public_key = public_key

    @property
    def public_key(self) -> PublicKey:
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """The signature in its JOSE form. Raises Unavailable `keys.unavailable`."""
        return self._keyring.sign(self._public_key, message)

    def __repr__(self) -> str:
        return f"TokenSigner({self._public_key.algorithm.value}, {self._public_key.thumbprint})"


def _package() -> Any:
    try:
        return import_module("pkcs11")
    except ImportError:
        raise Unavailable("install.extra", extra="hsm") from None


def _text(found: bytes | str) -> str:
    return found if isinstance(found, str) else found.decode("utf-8", "replace").rstrip()


def _write_about(name: bytes, record: Record) -> bytes:
    return json.write({"id": name.hex(), **write_about(record)})


def _read_about(data: bytes) -> tuple[bytes, Fields]:
    """What stands beside a key. It is not authenticated: who can write into the token can do anything with its keys."""
    try:
        fields = Fields(json.read_object(bytes(data)))
        return bytes.fromhex(fields.text("id")), fields
    except (Malformed, ValueError):
        return b"", Fields({})


def _record(key: PublicKey, label: str, about: Fields | None) -> Record:
    """A key of which nothing was written, or nothing that can be read, has its label and no use."""
    try:
        return Record(key, label) if about is None else read_about(key, about)
    except (Malformed, ValueError):
        return Record(key, label)
