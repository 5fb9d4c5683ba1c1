"""What an entry of a did:webvh's log changes, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import talk

if TYPE_CHECKING:
    from cityid.did.webvh import Version


def changes(version: Version, before: Version | None) -> list[str]:
    """What `version` changes, each in a few words; the texts are clean."""
    now, then = version.parameters, before.parameters if before is not None else None
    said: list[str] = []
    if before is None:
        said.append(f"made as {talk.clean(version.did)}")
    elif version.did != before.did:
        said.append(f"moved to {talk.clean(version.did)}")
    said += _keys(version.state, {} if before is None else before.state)
    if then is not None and then.next_key_hashes:
        said.append("written with the key that was fixed beforehand")
    elif then is not None and now.update_keys != then.update_keys:
        said.append(_count(len(now.update_keys), "other key writes", "other keys write") + " the next entry")
    if bool(now.next_key_hashes) != bool(then is not None and then.next_key_hashes):
        said.append("the next keys are fixed beforehand" if now.next_key_hashes else "the next keys are not fixed")
    if now.witness != (None if then is None else then.witness):
        said.append(
            "no witnesses any more"
            if now.witness is None
            else f"{now.witness.threshold} of {_count(len(now.witness.keys), 'witness', 'witnesses')} must sign"
        )
    if now.watchers != (() if then is None else then.watchers):
        said.append(f"watched by {talk.clean(', '.join(now.watchers))}" if now.watchers else "not watched any more")
    if then is not None and then.portable and not now.portable:
        said.append("stays where it is for good")
    if then is not None and now.ttl != then.ttl:
        said.append(f"kept for {now.ttl} s by those who ask")
    if now.deactivated:
        said.append("closed for good")
    return said or ["nothing but its keys" if then is not None and now != then else "nothing"]


def _keys(state: Mapping[str, Any], former: Mapping[str, Any]) -> list[str]:
    new, old = _methods(state), _methods(former)
    said = []
    for word, names in (
        ("new key", [name for name in new if name not in old]),
        ("without key", [name for name in old if name not in new]),
        ("CHANGED key", [name for name in new if name in old and new[name] != old[name]]),
    ):
        if names:
            said.append(f"{word}{'s' if len(names) > 1 else ''} {talk.clean(', '.join(names))}")
    rest = [{name: value for name, value in one.items() if name not in _OF_KEYS} for one in (state, former)]
    if former and rest[0] != rest[1]:
        said.append("something else in the document")
    return said


_OF_KEYS = frozenset(
    {
        "@context", "id", "verificationMethod", "authentication", "assertionMethod", "keyAgreement",
        "capabilityInvocation", "capabilityDelegation", "alsoKnownAs",
    }
)  # fmt: skip


def _methods(state: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """By fragment, the key as written: it is compared, not believed."""
    found = {}
    for name in ("verificationMethod", *sorted(_OF_KEYS)):
        listed = state.get(name)
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, Mapping) and isinstance(one.get("id"), str):
                key = (str(one.get("publicKeyMultibase", "")), str(one.get("publicKeyJwk", "")))
                found[one["id"].partition("#")[2]] = key
    return found


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
