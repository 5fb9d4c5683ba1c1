"""Keyrings in software: one in memory, one in an encrypted file (`cityid.edge.sealed`)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from cityid.edge import private_file, sealed
from cityid.edge.keyrings import KeptKeys, Record, Use, kept_for, read_about, write_about
from cityid.edge.signers import (
    Entropy,
    SoftwareAgreement,
    SoftwareBbsSigner,
    SoftwareSigner,
    load,
    new_secret,
    secret_length,
)  # fmt: skip
from cityid.encoding import base64url, json
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Misuse, Unavailable
from cityid.keys.algorithms import Algorithm, PublicKey

__all__ = [
    "FileKeyring",
    "MemoryKeyring",
    "Record",
    "SoftwareAgreement",
    "SoftwareBbsSigner",
    "SoftwareSigner",
    "Use",
    "load",
    "new_secret",
    "secret_length",
]

_Held = SoftwareSigner | SoftwareBbsSigner | SoftwareAgreement


def _find(held: Mapping[PublicKey, _Held], key: PublicKey) -> _Held:
    found = held.get(key)
    if found is None:
        raise Misuse("keys.unknown", thumbprint=key.thumbprint)
    return found


def _signer(held: _Held) -> SoftwareSigner:
    if not isinstance(held, SoftwareSigner):
        raise Misuse("keys.wrong_kind", algorithm=held.public_key.algorithm.value)
    return held


def _bbs_signer(held: _Held) -> SoftwareBbsSigner:
    if not isinstance(held, SoftwareBbsSigner):
        raise Misuse("keys.wrong_kind", algorithm=held.public_key.algorithm.value)
    return held


def _agreement(held: _Held) -> SoftwareAgreement:
    if not isinstance(held, SoftwareAgreement):
        raise Misuse("keys.wrong_kind", algorithm=held.public_key.algorithm.value)
    return held


class MemoryKeyring:
    """A Keyring that forgets: for tests, demonstrations and keys that live for one exchange."""

    __slots__ = ("_entropy", "_held")

    def __init__(self, *, entropy: Entropy = secrets.token_bytes) -> None:
        self._entropy = entropy
        self._held: dict[PublicKey, _Held] = {}

    def create(self, algorithm: Algorithm) -> PublicKey:
        """A fresh key; its public half."""
        return self.add(algorithm, new_secret(algorithm, self._entropy))

    def add(self, algorithm: Algorithm, secret: bytes) -> PublicKey:
        """Take a private key in the form of `new_secret`.

        Raises:
            Malformed: `key.secret_length`, `key.secret_range`.
        """
        held = load(algorithm, secret)
        self._held[held.public_key] = held
        return held.public_key

    def signer(self, key: PublicKey) -> SoftwareSigner:
        """Raises Misuse: `keys.unknown`, `keys.wrong_kind` (a key of another kind)."""
        return _signer(_find(self._held, key))

    def bbs_signer(self, key: PublicKey) -> SoftwareBbsSigner:
        """Raises Misuse: `keys.unknown`, `keys.wrong_kind` (a key of another algorithm)."""
        return _bbs_signer(_find(self._held, key))

    def agreement(self, key: PublicKey) -> SoftwareAgreement:
        """Raises Misuse: `keys.unknown`, `keys.wrong_kind` (a key that only signs)."""
        return _agreement(_find(self._held, key))

    def keys(self) -> tuple[PublicKey, ...]:
        return tuple(self._held)

    def __repr__(self) -> str:
        return f"MemoryKeyring({len(self._held)} keys)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise Misuse("keys.not_copied")


_KIND: Final = "keyring"
_AAD: Final = b"cityid keyring 1"


class FileKeyring(KeptKeys[SoftwareSigner]):
    """A Keyring in one encrypted file (`cityid.edge.sealed`). Opening derives once; the data key stays in this object.

    Every change is made under the file's lock to what the file says then, so two programs may use one keyring.
    """

    __slots__ = ("_entropy", "_header", "_held", "_path", "_rewrap", "_seal", "_secrets", "_unseal")

    def __init__(self, path: Path, header: sealed.Header, key: bytes, entropy: Entropy) -> None:
        """Use `new` or `open`."""
        self._path = path
        self._header = header
        self._entropy = entropy
        self._records: dict[PublicKey, Record] = {}
        self._secrets: dict[PublicKey, bytes] = {}
        self._held: dict[PublicKey, _Held] = {}

        # The data key lives in these closures and in no attribute.
        self._seal: Callable[[bytes], bytes] = lambda data: sealed.seal(key, data, _AAD, entropy)
        self._unseal: Callable[[bytes], bytes] = lambda data: sealed.open_sealed(key, data, _AAD, kind=_KIND)
        self._rewrap: Callable[[str | bytes], sealed.Header] = lambda passphrase: sealed.rewrap(
            _KIND, key, passphrase, entropy=entropy
        )

    @classmethod
    def new(cls, path: str | Path, passphrase: str | bytes, *, entropy: Entropy = secrets.token_bytes) -> FileKeyring:
        """A new, empty keyring file; its directory is made when it is not there.

        Raises:
            Misuse: `store.exists`; `passphrase.empty`, `passphrase.too_long`, `passphrase.not_utf8`.
            Unavailable: `store.*`.
        """
        path = Path(path)
        header, key = sealed.create(_KIND, passphrase, entropy=entropy)
        made = cls(path, header, key, entropy)
        with private_file.locked(path):
            if path.is_symlink() or path.exists():
                raise Misuse("store.exists", path=str(path))
            made._write()
        return made

    @classmethod
    def open(cls, path: str | Path, passphrase: str | bytes, *, entropy: Entropy = secrets.token_bytes) -> FileKeyring:
        """The keyring of an existing file.

        Raises:
            Refused: `passphrase.wrong`.
            Unavailable: `store.damaged`, `store.weak_kdf`, `store.other_version`, `store.missing`, `store.not_a_file`.
            Malformed: `store.costly_kdf`.
            Misuse: `store.permissions`, `passphrase.empty`, `passphrase.too_long`, `passphrase.not_utf8`.
        """
        path = Path(path)
        header, body = _split(private_file.read(path))
        opened = cls(path, header, sealed.unlock(header, passphrase), entropy)
        opened._take(body)
        return opened

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
        """A fresh key with what there is to say about it. Raises as `add`."""
        secret = new_secret(algorithm, self._entropy)
        return self.add(algorithm, secret, label=label, uses=uses, shared=shared, created=created, not_after=not_after)

    def add(
        self,
        algorithm: Algorithm,
        secret: bytes,
        *,
        label: str = "",
        uses: Iterable[Use] = (),
        shared: bool = False,
        created: datetime | None = None,
        not_after: datetime | None = None,
    ) -> PublicKey:
        """Take a private key in the form of `new_secret` (`key_import` reads others) and write the file.

        Raises:
            Malformed: `key.secret_length`, `key.secret_range`.
            Refused: `key.several_uses` unless `shared` waives it.
            Misuse: `keys.label_taken`, `keys.held_already`.
            Unavailable: `store.*`.
        """
        held = load(algorithm, secret)
        record = Record(held.public_key, label, kept_for(uses, shared=shared), created, not_after)
        with private_file.locked(self._path):
            self._reread()
            if record.key in self._records:
                raise Misuse("keys.held_already", thumbprint=record.key.thumbprint)
            self._check_label(label)
            self._records[record.key] = record
            self._secrets[record.key] = secret
            self._write()
        self._held[record.key] = held
        return record.key

    def signer(self, key: PublicKey) -> SoftwareSigner:
        """Raises Misuse: `keys.unknown`, `keys.wrong_kind` (a key of another kind)."""
        return _signer(self._load(key))

    def bbs_signer(self, key: PublicKey) -> SoftwareBbsSigner:
        """Raises Misuse: `keys.unknown`, `keys.wrong_kind` (a key of another algorithm)."""
        return _bbs_signer(self._load(key))

    def agreement(self, key: PublicKey) -> SoftwareAgreement:
        """Raises Misuse: `keys.unknown`, `keys.wrong_kind` (a key that only signs)."""
        return _agreement(self._load(key))

    def end(self, key: PublicKey, at: datetime) -> None:
        """The key's last moment: after a rotation, or when its certificate or DID entry ends.

        Raises:
            Misuse: `keys.unknown`.
            Unavailable: `store.*`.
        """
        with private_file.locked(self._path):
            self._reread()
            self._records[key] = replace(self._known(key), not_after=at)
            self._write()

    def change_passphrase(self, passphrase: str | bytes) -> None:
        """Open with `passphrase` from now on; the keys are not sealed anew under another data key.

        Raises:
            Misuse: `passphrase.empty`, `passphrase.too_long`, `passphrase.not_utf8`.
            Unavailable: `store.*`.
        """
        header = self._rewrap(passphrase)
        with private_file.locked(self._path):
            self._reread()
            self._header = header
            self._write()

    def _load(self, key: PublicKey) -> _Held:
        if key not in self._held and key in self._secrets:
            self._held[key] = load(key.algorithm, self._secrets[key])
        return _find(self._held, key)

    def _reread(self) -> None:
        self._header, body = _split(private_file.read(self._path))
        self._take(body)

    def _take(self, body: bytes) -> None:
        """The contents are our own and authenticated, so what fails here is a file from another hand: damaged."""
        try:
            entries = Fields(json.read(self._unseal(body), limit=private_file.LIMIT, nodes=False)).array("keys")
            read = [_read_record(Fields(entry)) for entry in entries]
        except (Malformed, ValueError):
            raise Unavailable("store.damaged", kind=_KIND) from None
        self._records = {record.key: record for record, _ in read}
        self._secrets = {record.key: secret for record, secret in read}

    def _write(self) -> None:
        entries: list[Any] = [_write_record(record, self._secrets[record.key]) for record in self._records.values()]
        body = self._seal(json.write({"keys": entries}))
        private_file.write(self._path, self._header.write() + b"\n" + body)

    def __repr__(self) -> str:
        return f"FileKeyring({len(self._records)} keys)"


def _split(data: bytes) -> tuple[sealed.Header, bytes]:
    header, _, body = data.partition(b"\n")
    return sealed.read_header(header, _KIND), body


def _write_record(record: Record, secret: bytes) -> dict[str, Any]:
    key = {"algorithm": record.key.algorithm.value, "public": base64url.encode(record.key.raw)}
    return {**key, "secret": base64url.encode(secret), **write_about(record)}


def _read_record(fields: Fields) -> tuple[Record, bytes]:
    key = PublicKey(Algorithm(fields.text("algorithm")), base64url.decode(fields.text("public")))
    return read_about(key, fields), base64url.decode(fields.text("secret"))
