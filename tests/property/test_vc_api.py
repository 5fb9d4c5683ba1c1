"""Whatever anybody sends to the VC-API server, the answer is JSON, and never a fault of ours."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vc_api import HIDING, Server, credential, presentation, signed

pytestmark = pytest.mark.property

SERVER = Server()
ISSUERS = list(SERVER.service.issuers)
POSTS = [f"/issuers/{name}/credentials/issue" for name in ISSUERS]
POSTS += ["/credentials/verify", "/presentations/verify", "/credentials/derive", "/credentials/status"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ["credential", "options", "verifiableCredential", "verifiablePresentation", "credentialStatus", "status"]
"""The members of bodies."""


def sent(method: str, path: str, body: Any = None, **headers: str) -> int:
    status = SERVER(method, path, body, **headers).status
    assert 200 <= status < 500 or (status in (500, 501) and path.startswith("/1.0/identifiers/")), status
    return status


@given(st.sampled_from(POSTS), st.binary(max_size=200))
def test_any_bytes(path: str, body: bytes) -> None:
    assert sent("POST", path, body) == 400


@given(st.sampled_from(POSTS), st.dictionaries(st.sampled_from(MEMBERS), json_values, max_size=4))
def test_any_json(path: str, body: Any) -> None:
    assert sent("POST", path, body) in (400, 201)


@given(st.text(max_size=50), st.text(max_size=20), st.text(max_size=50))
def test_any_path_and_method(path: str, method: str, accept: str) -> None:
    sent(method, "/" + path, {}, accept=accept)


@given(st.text(max_size=60), st.text(max_size=30), st.text(max_size=60))
def test_any_did(did: str, query: str, accept: str) -> None:
    for text in (did, "did:" + did, "did:key:" + did, "did%3Ajwk%3A" + did):
        sent("GET", f"/1.0/identifiers/{text}?{query}", accept=accept)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*path, index))
    return found


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    made = copy.deepcopy(value)
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    return made


@given(st.sampled_from(ISSUERS), st.data())
def test_a_good_document_with_one_value_changed(name: str, data: st.DataObject) -> None:
    good = credential(SERVER.issuer(name), validFrom="2026-01-01T00:00:00Z", name="A card")
    bad = changed(good, data.draw(st.sampled_from(places(good))), data.draw(json_values))
    assert sent("POST", f"/issuers/{name}/credentials/issue", {"credential": bad}) in (400, 201)
    assert json.dumps(bad)


SECURED = {name: SERVER.issued(name, credential(SERVER.issuer(name), name="A card")) for name in ISSUERS}


@given(st.sampled_from(ISSUERS), st.data())
def test_a_secured_document_with_one_value_changed(name: str, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(places(SECURED[name])))
    bad = changed(SECURED[name], place, data.draw(json_values))
    for path, body in (
        ("/credentials/verify", {"verifiableCredential": bad}),
        ("/credentials/derive", {"verifiableCredential": bad, "options": {"selectivePointers": ["/name"]}}),
        ("/presentations/verify", {"verifiablePresentation": {**signed(presentation()), "verifiableCredential": bad}}),
    ):
        sent("POST", path, body)


@given(st.data())
def test_a_presentation_with_one_value_changed(data: st.DataObject) -> None:
    good = signed(presentation(SECURED["eddsa-jcs-2022"], SECURED["jwt"]))
    bad = changed(good, data.draw(st.sampled_from(places(good))), data.draw(json_values))
    sent("POST", "/presentations/verify", {"verifiablePresentation": bad})


@given(st.lists(st.text(max_size=12) | st.sampled_from(["/issuer", "/name", "/credentialSubject"]), max_size=3))
def test_any_pointers(pointers: list[str]) -> None:
    for name in HIDING:
        good = credential(SERVER.issuer(name), name="A card")
        body = {"credential": good, "options": {"mandatoryPointers": pointers}}
        sent("POST", f"/issuers/{name}/credentials/issue", body)
        derived = {"verifiableCredential": SECURED[name], "options": {"selectivePointers": pointers}}
        sent("POST", "/credentials/derive", derived)
