"""Opening a wallet with 1,000 credentials: one key derivation, and how much more. `python benchmarks/wallet.py`"""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from pathlib import Path

from cityid.edge import sealed
from cityid.edge.wallet_file import WalletFile
from cityid.edge.wallet_records import Sort
from cityid.encoding import json as ours

CARDS, ROUNDS, GOAL = 1_000, 7, 30.0
PASSPHRASE = "correct horse battery"


def filled(path: Path) -> None:
    """Cards of the size that SD-JWT VCs have: what is in them does not matter to opening."""
    about = {"type": "urn:cityid:residency:1", "issuer": "did:web:id.lindau.example", "issuer_name": "Stadt Lindau",
             "format": "dc+sd-jwt", "start": None, "end": None, "person": "me", "added": 1}  # fmt: skip
    with WalletFile.create(path, PASSPHRASE) as wallet, wallet._records.change() as change:
        for _ in range(CARDS):
            card = change.add(Sort.CARD, ours.write(about))
            change.add(Sort.COPY, secrets.token_bytes(2_000), parent=card.id)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wallet.sqlite"
        filled(path)
        took, derived, listed = [], [], []
        for _ in range(ROUNDS):
            begun = time.process_time()
            sealed.derive(PASSPHRASE, bytes(sealed.SALT))
            between = time.process_time()
            with WalletFile.open(path, PASSPHRASE) as wallet:
                opened = time.process_time()
                assert len(wallet.held()) == CARDS
                listed.append(time.process_time() - opened)
            derived.append(between - begun)
            took.append(opened - between)
    more = (min(took) - min(derived)) * 1e3
    found = {
        "cards": CARDS, "derivation_ms": round(min(derived) * 1e3, 1), "open_ms": round(min(took) * 1e3, 1),
        "beyond_derivation_ms": round(more, 1), "goal_ms": GOAL, "list_ms": round(min(listed) * 1e3, 1),
    }  # fmt: skip
    print(json.dumps(found))
    raise SystemExit(more >= GOAL)


if __name__ == "__main__":
    main()
