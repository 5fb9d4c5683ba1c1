"""Writing the log of a did:webvh (did:webvh 1.0, Create, Update, Deactivate, Witnessing a DID Version Update).

Whatever is written is read again by the rules for strangers before it is given out: a log that others would refuse
never leaves here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cityid.did.document import RELATIONSHIPS
from cityid.did.syntax import parse_url
from cityid.did.webvh import identifier, witness
from cityid.did.webvh.identifier import METHOD, PLACEHOLDER
from cityid.did.webvh.log import Log, key_of, read, scid_of
from cityid.did.webvh.parameters import Witnesses
from cityid.encoding import jcs, json, multihash, times
from cityid.encoding.json import Fields
from cityid.encoding.times import check_aware
from cityid.errors import Misuse, Refused
from cityid.keys import Algorithm, PublicKey, Signer, multikey
from cityid.proofs import jcs as suite

_KEPT: Final = 2
"""Proofs of each witness that a file keeps."""
CONTEXTS: Final = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1")
_V1_1: Final = "https://www.w3.org/ns/did/v1.1"  # knows Multikey by itself


@dataclass(frozen=True, slots=True)
class Created:
    """A new DID, and its log with one entry."""

    did: str
    log: bytes = field(repr=False)


def key_hash(key: PublicKey) -> str:
    """What commits to `key` in `nextKeyHashes`: the hash of its Multikey as text."""
    return multihash.sha256(multikey.write(key).encode("ascii"))


def document(did: str, keys: Mapping[str, PublicKey]) -> dict[str, Any]:
    """A document for `did` (which may be a `template`). `keys` are by fragment, without `#`. Keys that sign stand under
    authentication and assertionMethod, the others under keyAgreement.

    Raises:
        Malformed: `did.url_fragment`.
    """
    methods = []
    purposes: dict[str, list[str]] = {}
    for fragment, key in keys.items():
        parse_url(f"did:webvh:scid#{fragment}")
        name = f"{did}#{fragment}"
        methods.append({"id": name, "type": "Multikey", "controller": did, "publicKeyMultibase": multikey.write(key)})
        for purpose in ("keyAgreement",) if key.algorithm.agrees else ("authentication", "assertionMethod"):
            purposes.setdefault(purpose, []).append(name)
    return {"@context": list(CONTEXTS), "id": did, "verificationMethod": methods, **purposes}


def with_keys(state: Mapping[str, Any], add: Mapping[str, PublicKey], remove: Collection[str] = ()) -> dict[str, Any]:
    """The document `state` with the keys `add`, by fragment, as `document` writes them, and without those `remove`. A
    fragment that is there already gets the new key: give it that only where nothing was ever signed under it.

    Raises:
        Malformed: `did.url_fragment`.
    """
    did = str(state["id"])
    new = document(did, add)
    gone = {name for fragment in (*remove, *add) for name in (f"#{fragment}", f"{did}#{fragment}")}
    made = dict(state)
    for name in ("verificationMethod", *RELATIONSHIPS):
        listed = made.pop(name, None)
        kept = [one for one in listed or () if (one.get("id") if isinstance(one, Mapping) else one) not in gone]
        if kept := [*kept, *new.get(name, ())]:
            made[name] = kept
    found = made.get("@context", [])
    contexts = found if isinstance(found, list) else [found]
    made["@context"] = [*contexts, *(one for one in CONTEXTS if one not in contexts and contexts[:1] != [_V1_1])]
    return made


def create(
    state: Mapping[str, Any],
    signer: Signer,
    at: datetime,
    *,
    update_keys: Sequence[PublicKey] = (),
    next_keys: Sequence[PublicKey] = (),
    witnesses: Witnesses | None = None,
    watchers: Sequence[str] = (),
    portable: bool = False,
    ttl: int | None = None,
) -> Created:
    """A new DID. `state` is its first document, with `{SCID}` wherever the SCID will stand (`template`); `signer` and
    `update_keys` may write the next entry; `next_keys`, where given, are the only ones that may be theirs.

    Raises:
        Malformed, Refused: as `log.read`. Misuse: `did.update_key`, for a key that is not Ed25519; `time.naive`.
        Unavailable: what the signer raises.
    """
    given: dict[str, Any] = {
        "method": METHOD,
        "scid": PLACEHOLDER,
        "updateKeys": _names((signer.public_key, *(key for key in update_keys if key != signer.public_key))),
        "portable": portable,
    }
    given |= _given(next_keys or None, witnesses, watchers or None, ttl)
    head, tail = _texts(given, state, at)
    scid = scid_of(head, tail)
    name, placeholder = scid.encode("ascii"), PLACEHOLDER.encode("ascii")
    whole = json.read_object(head.replace(placeholder, name) + name + tail)
    log = _signed(whole, 1, signer, at)
    did = _read(log, at).last.did
    return Created(did, log)


def append(
    log: bytes,
    signer: Signer,
    at: datetime,
    *,
    state: Mapping[str, Any] | None = None,
    update_keys: Sequence[PublicKey] | None = None,
    next_keys: Sequence[PublicKey] | None = None,
    witnesses: Witnesses | None = None,
    no_witnesses: bool = False,
    watchers: Sequence[str] | None = None,
    portable: bool | None = None,
    deactivated: bool = False,
    ttl: int | None = None,
) -> bytes:
    """`log` with one more entry: a new document, other keys, other parameters. What is not given stays, but where keys
    were committed to, `update_keys` and `next_keys` say which come now and next (`()` ends committing).

    The proofs of witnesses are theirs to give (`approve`), and are to be published before the log.

    Raises:
        Malformed, Refused: as `log.read`, for the log as it was and as it would be.
        Misuse: `did.update_key`, `time.naive`. Unavailable: what the signer raises.
    """
    before = _read(log, at).last
    given: dict[str, Any] = {}
    if update_keys is not None:
        given["updateKeys"] = _names(update_keys)
    if portable is not None:
        given["portable"] = portable
    if deactivated:
        given["deactivated"] = True
    given |= _given(next_keys, witnesses, watchers, ttl)
    if no_witnesses:
        given["witness"] = {}
    head, tail = _texts(given, before.state if state is None else state, at)
    whole = json.read_object(head + before.id.encode("ascii") + tail)
    longer = log.removesuffix(b"\n") + b"\n" + _signed(whole, before.number + 1, signer, at)
    _read(longer, at)
    return longer


def move(
    log: bytes,
    place: str,
    signer: Signer,
    at: datetime,
    *,
    update_keys: Sequence[PublicKey] | None = None,
    next_keys: Sequence[PublicKey] | None = None,
) -> bytes:
    """`log` with an entry by which the DID lies at `place` (`host[%3Aport][:path...]`), and was known as before.

    Raises:
        Malformed: `did.web_host`, `did.web_port`, `did.web_path`. Else as `append`; `did.webvh_moved` for a DID that
            was not made to be portable.
    """
    last = _read(log, at).last
    new = identifier.template(place).replace(PLACEHOLDER, last.parameters.scid)
    state = _renamed(dict(last.state), last.did, new)
    state["alsoKnownAs"] = [*last.state.get("alsoKnownAs", ()), last.did]
    return append(log, signer, at, state=state, update_keys=update_keys, next_keys=next_keys)


def deactivate(log: bytes, signer: Signer, at: datetime) -> bytes:
    """`log` with a last entry, which closes the DID for good. Where keys were committed to, `signer`'s is one of them.

    Raises:
        As `append`.
    """
    committed = _read(log, at).last.parameters.next_key_hashes
    keys = (signer.public_key,) if committed else ()
    return append(log, signer, at, update_keys=keys, next_keys=() if committed else None, deactivated=True)


def approve(log: bytes, signer: Signer, at: datetime, *, seen: str) -> dict[str, Any]:
    """The word of a witness for the last entry of `log`: an element of `did-witness.json`. `seen` is the versionId that
    the witness has seen last of this log, "" for none: a log that does not go on from there gets no word.

    Raises:
        Malformed, Refused: as `log.read`; `did.webvh_truncated`, `did.webvh_forked`; `did.webvh_not_a_witness`.
        Misuse: `time.naive`. Unavailable: what the signer raises.
    """
    whole = _read(log, at)
    if seen:
        whole.continues(seen)
    last = whole.last
    name = multikey.write(signer.public_key)
    if last.witnesses is None or name not in last.witnesses.keys:
        raise Refused("did.webvh_not_a_witness", spec="did:webvh 1.0, Witness Lists", key=name, number=last.number)
    statement = {"versionId": last.id}
    return {**statement, "proof": [suite.create(statement, _options(name, at), signer)]}


def with_proof(proofs: bytes, given: bytes, log: bytes, at: datetime) -> bytes:
    """The file `did-witness.json` in `proofs` (b"" for none) with the word of a witness that `approve` gave, in JSON.
    Of each witness it keeps the two latest proofs: one may be for an entry that is not published yet.

    Raises:
        Malformed, Refused: as `log.read` and `witness.read`; `did.webvh_proof_unused`, for a word that is wrong, for
            another entry than the last, or not asked for.
    """
    whole = _read(log, at)
    word = witness.read(b"[" + given + b"]")
    if whole.last.number not in witness.spoken(whole, word).values():
        raise Refused("did.webvh_proof_unused", spec="did:webvh 1.0, DID Witnesses", number=whole.last.number)
    listed: dict[str, list[Any]] = {}
    for id_, found, _ in (*word, *(witness.read(proofs) if proofs else ())):
        listed.setdefault(id_, []).extend(found)
    kept: dict[str, int] = {}
    made = []
    for version in reversed(whole.versions):
        latest = {key_of(Fields(proof)): proof for proof in reversed(listed.get(version.id, ()))}
        latest = {name: proof for name, proof in latest.items() if kept.get(name, 0) < _KEPT}
        kept |= {name: kept.get(name, 0) + 1 for name in latest}
        if latest:
            made.append({"versionId": version.id, "proof": list(latest.values())})
    return json.write(made[::-1]) + b"\n"


def _read(log: bytes, at: datetime) -> Log:
    check_aware(at)
    return read(log, at).whole()


def _names(keys: Sequence[PublicKey]) -> list[str]:
    for key in keys:
        if key.algorithm is not Algorithm.EDDSA:
            raise Misuse("did.update_key", spec="did:webvh 1.0, DID Method Parameters", algorithm=key.algorithm.value)
    return [multikey.write(key) for key in keys]


def _given(
    next_keys: Sequence[PublicKey] | None,
    witnesses: Witnesses | None,
    watchers: Sequence[str] | None,
    ttl: int | None,
) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if next_keys is not None:
        given["nextKeyHashes"] = [multihash.sha256(name.encode("ascii")) for name in _names(next_keys)]
    if witnesses is not None:
        given["witness"] = witnesses.write()
    if watchers is not None:
        given["watchers"] = list(watchers)
    if ttl is not None:
        given["ttl"] = ttl
    return given


def _texts(given: Mapping[str, Any], state: Mapping[str, Any], at: datetime) -> tuple[bytes, bytes]:
    """The canonical entry but for its proof: what stands before and after its versionId."""
    check_aware(at)
    parts = (jcs.canonical(dict(given)), jcs.canonical(dict(state)))
    return b'{"parameters":%b,"state":%b,"versionId":"' % parts, b'","versionTime":"%b"}' % times.stamp(at).encode()


def _signed(entry: dict[str, Any], number: int, signer: Signer, at: datetime) -> bytes:
    """The line of `entry`, whose versionId is the one before, or the SCID."""
    entry["versionId"] = f"{number}-{multihash.sha256(jcs.canonical(entry))}"
    (name,) = _names((signer.public_key,))
    entry["proof"] = [suite.create(dict(entry), _options(name, at), signer)]
    return json.write(entry) + b"\n"


def _options(name: str, at: datetime) -> dict[str, Any]:
    return {
        "type": suite.TYPE,
        "cryptosuite": suite.EDDSA,
        "verificationMethod": f"did:key:{name}#{name}",
        "created": times.stamp(at),
        "proofPurpose": "assertionMethod",
    }


def _renamed(value: Any, old: str, new: str) -> Any:
    """`value` with every DID `old`, and every DID URL of it, under its new name."""
    if isinstance(value, str):
        named = value == old or value.startswith((f"{old}#", f"{old}?", f"{old}/"))
        return new + value[len(old) :] if named else value
    if isinstance(value, Mapping):
        return {name: _renamed(item, old, new) for name, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, old, new) for item in value]
    return value
