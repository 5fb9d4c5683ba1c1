"""The holder's keys: in the wallet's own file, or in a token that never lets them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cityid.edge import software_keys
from cityid.edge.wallet_records import Change, Records, Sort
from cityid.encoding import base64url, json
from cityid.errors import CityIdError, Misuse, Unavailable
from cityid.keys import Algorithm, KeyAgreement, Keyring, PublicKey, Signer


class WalletKeyring:
    """Keys as sealed records of the wallet's file; or, with a `token`, keys that lie there and of which the records
    hold the public half. A key is durable before its public half is known."""

    def __init__(self, records: Records, token: Keyring | None = None) -> None:
        self._records = records
        self._token = token

    def create(self, algorithm: Algorithm) -> PublicKey:
        about = {"algorithm": algorithm.value}
        if self._token is not None:
            key = self._token.create(algorithm)
        else:
            secret = software_keys.new_secret(algorithm, self._records.entropy)
            key = software_keys.load(algorithm, secret).public_key
            about["secret"] = base64url.encode(secret)
        about["public"] = base64url.encode(key.raw)
        with self._records.change() as change:
            change.add(Sort.KEY, json.write(about), id=self._records.name(Sort.KEY, key.thumbprint))
        return key

    def signer(self, key: PublicKey) -> Signer:
        """Raises:
        Misuse: `keys.unknown`, `keys.wrong_kind` (a key that only agrees on secrets).
        Unavailable: `keys.in_token`, when the key lies in a token that is not here."""
        held = self._load(key)
        if not isinstance(held, Signer):
            raise Misuse("keys.wrong_kind", algorithm=key.algorithm.value)
        return held

    def agreement(self, key: PublicKey) -> KeyAgreement:
        """Raises:
        Misuse: `keys.unknown`, `keys.wrong_kind` (a key that only signs).
        Unavailable: `keys.in_token`, when the key lies in a token that is not here."""
        held = self._load(key)
        if not isinstance(held, KeyAgreement):
            raise Misuse("keys.wrong_kind", algorithm=key.algorithm.value)
        return held

    def keys(self) -> tuple[PublicKey, ...]:
        found = [json.read_object(self._records.content(r)) for r in self._records.select("sort = ?", (Sort.KEY,))]
        return tuple(PublicKey(Algorithm(about["algorithm"]), base64url.decode(about["public"])) for about in found)

    def has(self, key: PublicKey, change: Change) -> bool:
        """Whether the private half of `key` is here, or in the token."""
        return bool(change.select("id = ?", (self._records.name(Sort.KEY, key.thumbprint),)))

    def is_here(self, key: PublicKey) -> bool:
        """Whether the private half of `key` is in the file."""
        record = self._records.find(self._records.name(Sort.KEY, key.thumbprint))
        return record is not None and "secret" in json.read_object(self._records.content(record))

    def remove(self, key: PublicKey, change: Change) -> None:
        """Erase a key that no card needs any more; what lies in a token is left to `remove_in_token`."""
        for record in change.select("id = ?", (self._records.name(Sort.KEY, key.thumbprint),)):
            change.remove(record)

    def remove_in_token(self, keys: Iterable[PublicKey]) -> int:
        """Destroy keys that lie in the token; how many are still there, because the token is not, or will not."""
        remove: Callable[[PublicKey], None] | None = getattr(self._token, "remove", None)
        left = 0
        for key in keys:
            try:
                if remove is None:
                    raise Unavailable("keys.in_token", thumbprint=key.thumbprint)
                remove(key)
            except CityIdError:
                left += 1
        return left

    def _load(self, key: PublicKey) -> Signer | KeyAgreement:
        record = self._records.find(self._records.name(Sort.KEY, key.thumbprint))
        if record is None:
            raise Misuse("keys.unknown", thumbprint=key.thumbprint)
        about = json.read_object(self._records.content(record))
        if "secret" in about:
            held = software_keys.load(Algorithm(about["algorithm"]), base64url.decode(about["secret"]))
            if isinstance(held, software_keys.SoftwareBbsSigner):
                raise Misuse("keys.wrong_kind", algorithm=key.algorithm.value)
            return held
        if self._token is None:
            raise Unavailable("keys.in_token", thumbprint=key.thumbprint)
        try:
            return self._token.signer(key)
        except Misuse:
            raise Unavailable("keys.in_token", thumbprint=key.thumbprint) from None

    def __repr__(self) -> str:
        return "WalletKeyring()"
