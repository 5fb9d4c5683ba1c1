"""Logs of did:webvh: bent ones give a reason and never another exception; good ones read as they were written; the
quick writers of canonical JSON and base58 against slow ones."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import base58 as slow_base58
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from cityid import did as dids
from cityid.did import webvh
from cityid.did.webvh import identifier
from cityid.did.webvh import log as logs
from cityid.did.webvh.parameters import Witnesses
from cityid.encoding import base58, jcs, json
from cityid.errors import Malformed, Refused, Unavailable
from tests.webvh import NOW, W1, W2, A, B, C, created, day, entries, forged, judge, later, lines, served, word

pytestmark = pytest.mark.property
GOOD = later(later(created(witnesses=Witnesses(1, (W1.name, W2.name)), portable=True).log, 2, ttl=1), 3)
PROOFS = word(GOOD, W1)
DID = judge(GOOD, PROOFS).last.did
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-(2.0**50), 2.0**50)
    | st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["did:key:x#x", A.name, "Qm", DID]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
paths = st.lists(
    st.sampled_from(
        [
            "parameters", "state", "proof", "versionId", "versionTime", "updateKeys", "nextKeyHashes", "witness",
            "threshold", "witnesses", "id", "method", "scid", "ttl", "portable", "proofValue", "verificationMethod",
            "alsoKnownAs", 0,
        ]
    ), min_size=1, max_size=4,
)  # fmt: skip


def put(entry: Any, path: list[Any], value: Any) -> None:
    """`value` at `path`, as far as there is one."""
    for name in path[:-1]:
        try:
            entry = entry[name]
        except (LookupError, TypeError):
            break
    if isinstance(entry, dict):
        entry[str(path[-1])] = value
    elif isinstance(entry, list) and entry:
        entry[0] = value


def outcome(log: bytes, proofs: bytes = PROOFS) -> None:
    place = identifier.read(DID)
    for query in ("", "?versionNumber=1", "?versionTime=2026-01-02T00:00:00Z"):
        try:
            found = dids.look_up(DID + query, NOW).run(served({place.log: log, place.proofs: proofs}))
        except (Malformed, Refused, Unavailable):
            continue
        assert found.metadata["scid"] == place.scid
    for signed in (None, day(1)):
        try:
            key = dids.key_at(DID, "key-1", "assertionMethod", NOW, signed).run(
                served({place.log: log, place.proofs: proofs})
            )
        except (Malformed, Refused, Unavailable):
            continue
        assert key == C.public_key


@settings(max_examples=30)
@given(paths, values)
def test_a_bent_entry_that_is_signed_again(path: list[Any], value: Any) -> None:
    try:
        log = forged(GOOD, lambda entry: put(entry, path, value))
    except Malformed:  # JSON that has no canonical form
        return
    outcome(log)


@settings(max_examples=30)
@given(st.integers(0, 2), paths, values)
def test_a_bent_entry(index: int, path: list[Any], value: Any) -> None:
    found = entries(GOOD)
    put(found[index], path, value)
    outcome(lines(found))


@given(st.binary(), st.binary())
def test_any_bytes(log: bytes, proofs: bytes) -> None:
    outcome(log)
    outcome(GOOD, proofs)


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_bent_text(at: int, more: bytes, less: int) -> None:
    outcome(GOOD[:at] + more + GOOD[at + less :])
    outcome(GOOD, PROOFS[: at % len(PROOFS)] + more + PROOFS[at % len(PROOFS) + less :])


@settings(max_examples=30)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values, max_size=4), st.booleans())
def test_what_is_written_is_read(more: dict[str, Any], rotate: bool) -> None:
    made = webvh.create(
        webvh.document(webvh.template("a.example"), {"key-1": C.public_key}) | {"more": more}, A, day(1)
    )
    log = later(made.log, 2, update_keys=[B.public_key] if rotate else None)
    log = later(log, 3, B if rotate else A)
    assert [version.did for version in judge(log).versions] == [made.did] * 3
    shorter = logs.read(log, day(1) + timedelta(minutes=1))
    assert len(shorter.versions) == 1


@given(st.text(alphabet="127.0abcxlocalhost%3A2fe:/\\@[]#?-_٣。", max_size=30))
def test_a_did_leads_to_a_name(place: str) -> None:
    try:
        found = identifier.read(f"did:webvh:{DID.split(':')[2]}:{place}")
    except Malformed:
        return
    host = urlsplit(found.log).hostname
    assert host is not None
    assert "." in host
    with pytest.raises(ValueError, match=host):
        ipaddress.ip_address(host)


@given(values)
def test_two_writers_of_canonical_json(value: Any) -> None:
    for text in (json.write(value).decode(), __import__("json").dumps(value)):
        read = json.read(text)
        expected = rfc8785.dumps(read)
        assert jcs.canonical(read) == expected
        if jcs.is_plain(text):
            assert jcs.plain(read) == expected
        again, plain = json.read_plain(text.encode())
        assert again == read
        if plain:
            assert jcs.plain(again) == expected


@given(st.binary(min_size=1, max_size=300))
def test_two_base58_codecs(data: bytes) -> None:
    text = base58.encode(data)
    assert text == slow_base58.b58encode(data).decode()
    assert base58.decode(text) == data


@given(st.text(min_size=1, max_size=20))
def test_base58_has_its_alphabet(text: str) -> None:
    if set(text) <= set(base58.ALPHABET):
        assert base58.encode(base58.decode(text)) == text
    else:
        with pytest.raises(Malformed):
            base58.decode(text)
