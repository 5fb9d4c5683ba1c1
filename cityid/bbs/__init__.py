"""The BBS signature scheme on BLS12-381 (draft-irtf-cfrg-bbs-signatures-09): `core`, `blind`, `pseudonym`, `batch`.

One signature over a list of messages, from which its holder makes proofs that show some of them and cannot be linked
to each other. Blind signatures and per-verifier pseudonyms are the revisions that `REVISIONS` names; none of the three
is an RFC. Needs the extra `bbs`, which is imported when the first operation runs.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from cityid.bbs.keys import SecretKey, key_gen, secret_key
from cityid.bbs.suites import SHA_256, SHAKE_256, Suite

__all__ = ["REVISIONS", "SHAKE_256", "SHA_256", "SecretKey", "Suite", "key_gen", "secret_key"]

REVISIONS: Final = MappingProxyType(
    {
        "core": "draft-irtf-cfrg-bbs-signatures-09",
        "blind": "draft-irtf-cfrg-bbs-blind-signatures-02",
        "pseudonym": "draft-irtf-cfrg-bbs-per-verifier-linkability, 2026-06-29",
    }
)
"""What signatures and proofs made here should say of themselves where they are kept."""
