"""Attack B16: a holder derives a proof from a card that is over, or that was taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_bytes

from cityid.checks import Step
from cityid.credential import Credential
from cityid.encoding import json
from cityid.formats import FORMATS
from cityid.formats.data_integrity import suites
from cityid.presenting import Options, options
from cityid.verifying import verify
from cityid.wallet import hints
from tests.city import codes
from tests.jobs.offices import NOW, no_network
from tests.jobs.test_unlinkable import CLUB, held, town

LAST, OVER = datetime(2026, 11, 30, 23, 50, tzinfo=UTC), datetime(2026, 12, 1, 0, 10, tzinfo=UTC)


def shown(at: datetime) -> dict[Step, str]:
    """What becomes of the card when some wallet or other shows it at `at`."""
    made = town()
    desk = made.desk(CLUB)
    asked = desk.ask(at)
    paths = [("credentialSubject", "age_over_18"), ("credentialSubject", "address", "locality")]
    raw = FORMATS["ldp_vc"].present(held(made), paths, asked.challenge, None, at=at, entropy=token_bytes)
    return codes(verify(raw, "ldp_vc", asked.challenge, desk.policy, at).run(no_network))


def test_b16_a_card_that_is_over() -> None:
    """Our wallet says so and shows it no more; and the end is in what any wallet shows, because nobody can hide it."""
    made = town()
    (card,) = made.pocket.held()
    asked = made.desk(CLUB).ask()
    for at, over in ((LAST, False), (OVER, True)):
        assert ("wallet.ended" in [hint.code for hint in hints(card, at)]) is over
        assert isinstance(options(made.pocket, asked.query, at), Options) is not over
        assert shown(at)[Step.VALIDITY] == ("validity.expired" if over else "passed")


def test_b16_the_end_cannot_be_hidden() -> None:
    credential: Credential = held(town())
    assert not {
        path for path in credential.hidden if path[0] in ("validFrom", "validUntil", "issuer", "credentialStatus")
    }
    assert ("credentialSubject", "birthdate") in credential.hidden
    read = json.read_object(credential.raw)
    bare = suites.shown(
        read, FORMATS["ldp_vc"].read(credential.raw).state.secured, credential.hidden, (), b"", token_bytes
    )
    assert {"validFrom", "validUntil", "issuer"} <= bare.keys()


def test_b16_without_an_end_or_a_status_it_is_no_card() -> None:
    """What shows neither when it ends nor a status is refused, however good its proof is."""
    made = town()
    desk = made.desk(CLUB)
    asked = desk.ask()
    form = FORMATS["ldp_vc"]
    raw = json.write(made.shows(asked)["card"][0])
    (presentation,) = form.read_presentation(raw)
    endless = replace(presentation.credential, window=replace(presentation.credential.window, end=None))

    class Endless:
        def __getattr__(self, name: str) -> object:
            return getattr(form, name)

        def read_presentation(self, raw: bytes) -> tuple[object, ...]:
            return (replace(presentation, credential=endless),)

    formats = {"ldp_vc": Endless()}
    verdict = verify(raw, "ldp_vc", asked.challenge, desk.policy, NOW, formats=formats).run(no_network)  # type: ignore[arg-type]
    assert codes(verdict)[Step.VALIDITY] == "validity.no_end"
    assert verify(raw, "ldp_vc", asked.challenge, desk.policy, NOW).run(no_network)
