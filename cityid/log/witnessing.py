"""A log asks a witness to cosign (C2SP tlog-witness): what is sent, what the answers mean, and what is kept of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from typing import Final

from cityid import limits
from cityid.errors import Malformed, Refused, Unavailable
from cityid.log import note
from cityid.log.checkpoint import Checkpoint
from cityid.log.cosignature import Witness
from cityid.plan import Request, Response, Steps, plan

__all__ = ["add", "ask", "cosign_request"]

SPEC: Final = "C2SP tlog-witness"
SIZE_TYPE: Final = "text/x.tlog.size"
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_BUSY: Final = 500
Proof = Callable[[int, int], Sequence[bytes]]
"""That the first N leaves are the beginning of the M that there are: `cityid.log.merkle.consistency` with its nodes."""


def cosign_request(old: int, proof: Sequence[bytes], signed: bytes) -> bytes:
    """The body of `add-checkpoint`: the size that the witness saw last, why the tree only grew since, the note."""
    hashes = "".join(f"{base64.b64encode(one).decode('ascii')}\n" for one in proof)
    return f"old {old}\n{hashes}\n".encode() + signed


@plan
def ask(url: str, witness: Witness, signed: bytes, proof: Proof) -> Steps[bytes]:
    """The checkpoint `signed` with the cosignature of `witness`, who answers under the prefix `url`.

    The witness itself says what it saw last, so nothing has to be remembered between two publications.

    Raises:
        Malformed: `note.*`, `checkpoint.*`, `witness.answer`.
        Refused: `witness.refused`, `witness.ahead` (it saw a larger tree); `witness.absent`, `witness.invalid` for an
            answer without its cosignature of this checkpoint.
        Unavailable: `witness.away`; `net.*`.
    """
    size = Checkpoint.read(note.read(signed).text).size
    response = yield _request(url, cosign_request(0, (), signed))
    if response.status == 409:
        old = _seen(witness, response)
        if old > size:
            raise Refused("witness.ahead", spec=SPEC, witness=witness.name, seen=old, size=size)
        hashes = proof(old, size) if 0 < old < size else ()
        response = yield _request(url, cosign_request(old, hashes, signed))
    if response.status >= _BUSY:
        raise Unavailable("witness.away", witness=witness.name, status=response.status)
    if response.status != 200:
        raise Refused("witness.refused", spec=SPEC, witness=witness.name, status=response.status)
    return add(signed, response.body, [witness])


def _request(url: str, body: bytes) -> Request:
    return Request("POST", f"{url.rstrip('/')}/add-checkpoint", body=body, limit=limits.NOTE)


def _seen(witness: Witness, response: Response) -> int:
    """The size in an answer of 409."""
    media = response.headers.get("content-type", "").partition(";")[0].strip()
    found = _SIZE.fullmatch(response.body)
    if media != SIZE_TYPE or found is None:
        raise Malformed("witness.answer", spec=SPEC, witness=witness.name)
    return int(found[1])


def add(signed: bytes, answer: bytes, witnesses: Sequence[Witness]) -> bytes:
    """`signed` with the cosignatures in `answer`: lines alone, as a witness answers, or the whole checkpoint with them,
    as one sends a file. Kept are good ones by `witnesses`, all of whom must be there; nothing else of the answer is.

    Raises:
        Malformed: `note.*`. Refused: `witness.absent`, `witness.invalid`, `witness.other` (of another checkpoint).
    """
    here = note.read(signed)
    given = note.read(answer if b"\n\n" in answer else f"{here.text}\n".encode() + answer)
    if given.text != here.text:
        raise Refused("witness.other", spec=SPEC)
    for one in witnesses:
        one.saw(given)
    mine = {(one.name, one.id) for one in witnesses}
    fresh = [one for one in given.signatures if (one.name, one.id) in mine and one not in here.signatures]
    lines = "".join(f"{note.DASH}{one.name} {base64.b64encode(one.id + one.value).decode('ascii')}\n" for one in fresh)
    return signed + lines.encode()
