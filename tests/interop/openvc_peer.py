"""PyPI `openvc-core` in what is signed as JWTs. What it refuses comes out as `No`. It takes the time from the clock,
which stands still here, so that a slow run does not outlast the window of a binding."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

from tests.interop.peers import No
from tests.interop.w3c_cells import AT
from tests.interop.w3c_peers import Key

with warnings.catch_warnings():  # what its own requirements do is theirs
    warnings.simplefilter("ignore")
    import openvc
    from openvc.proof import _verify_common as common
    from openvc.proof import sd_jwt as sd_jwts
    from openvc.proof import vc_jwt as vc_jwts
    from openvc.proof import vp_jwt as vp_jwts
    from openvc.proof.data_integrity import DataIntegrityProofSuite
    from openvc.proof.sd_jwt import SdJwtVcProofSuite
    from openvc.proof.vc_jwt import VcJwtProofSuite
    from openvc.proof.vp_jwt import VpJwtProofSuite
    from openvc.status import bitstring, status_list, token_status_list
    from openvc.status import issue as lists

_Names = Sequence[int]
_DAY = 86_400


@contextmanager
def _asked() -> Iterator[None]:
    clock = SimpleNamespace(time=AT.timestamp)
    with ExitStack() as stack:
        for module in (common, sd_jwts, vc_jwts, vp_jwts):
            stack.enter_context(mock.patch.object(module, "time", clock))
        try:
            yield
        except openvc.OpenvcError as error:
            raise No(f"{type(error).__name__}: {error}") from error


def _key(key: Key, name: str = "") -> Any:
    return openvc.signing_key_from_jwk(key.jwk, name or key.method)


@_asked()
def sd_jwt(claims: Mapping[str, Any], hide: Sequence[str], key: Key, kid: str, cnf: Mapping[str, str]) -> str:
    """SD-JWT VC: issued."""
    made = SdJwtVcProofSuite().issue(dict(claims), signing_key=_key(key, kid), disclosable=hide, holder_jwk=dict(cnf))
    return str(made)


@_asked()
def bind_sd_jwt(card: str, holder: Key, audience: str, nonce: str) -> str:
    """SD-JWT VC: presented with all disclosures that it was given."""
    suite = SdJwtVcProofSuite()
    return str(suite.create_presentation(card, holder_key=_key(holder), audience=audience, nonce=nonce))


@_asked()
def verify_sd_jwt(token: str, issuer: dict[str, str], audience: str, nonce: str) -> dict[str, Any]:
    found = SdJwtVcProofSuite().verify(
        token, public_key_jwk=issuer, audience=audience, nonce=nonce, require_key_binding=True
    )
    return dict(found.claims)


@_asked()
def vc_jwt(document: dict[str, Any], key: Key, seconds: int) -> str:
    """VCDM 1.1 §6.3.1: issued."""
    return str(VcJwtProofSuite().sign(document, signing_key=_key(key), expires_in_s=seconds))


@_asked()
def vp_jwt(cards: Sequence[str], holder: Key, audience: str, nonce: str) -> str:
    """VCDM 1.1 §6.3.1: presented."""
    suite = VpJwtProofSuite()
    return str(suite.sign(list(cards), holder_key=_key(holder), audience=audience, nonce=nonce, expires_in_s=_DAY))


@_asked()
def verify_vp_jwt(token: str, audience: str, nonce: str) -> None:
    VpJwtProofSuite().verify(token, audience=audience, nonce=nonce)


@_asked()
def status_token(
    values: Mapping[int, int], bits: int, size: int, uri: str, key: Key, at: datetime, end: datetime
) -> str:
    packed = token_status_list.new_status_list(size, bits=bits)
    for place, value in values.items():
        token_status_list.set_status(packed, place, value, bits=bits)
    made = lists.build_status_list_token(
        signing_key=_key(key),
        uri=uri,
        status_list=packed,
        bits=bits,
        issued_at=at,
        expires=end,
        ttl=_DAY,
        issuer=key.did,
    )
    return str(made)


@_asked()
def read_status_token(token: str, key: dict[str, str], uri: str, places: _Names) -> list[int]:
    claims = lists.verify_status_list_token(token, public_key_jwk=key, expected_uri=uri)
    found = []
    for place in places:
        named = {"status": {"status_list": {"uri": uri, "idx": place}}}
        result = token_status_list.check_token_status(named, resolve_status_list_token=lambda _: claims)
        assert result is not None
        found.append(int(result.status))
    return found


@_asked()
def bitstring_list(values: _Names, size: int, uri: str, key: Key, start: datetime, end: datetime) -> dict[str, Any]:
    packed = bitstring.new_bitstring(size)
    for place in values:
        bitstring.set_status_bit(packed, place, 1)
    made = lists.build_status_list_credential(
        id=uri, issuer=key.did, bitstring=packed, valid_from=start, valid_until=end
    )
    signed = DataIntegrityProofSuite().add_proof(made, signing_key=_key(key), verification_method=key.method)
    return dict(signed)


@_asked()
def read_bitstring(document: Mapping[str, Any], places: _Names) -> list[int]:
    """By an entry for each place; the list's own signature is judged elsewhere."""
    uri = document["id"]
    found = []
    for place in places:
        entry = lists.build_status_list_entry(status_list_credential=uri, index=place)
        result = status_list.check_credential_status(
            {"credentialStatus": entry}, resolve_status_list=lambda _: dict(document)
        )
        found.append(int(result.revoked))
    return found
