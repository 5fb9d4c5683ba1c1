"""The JSON-LD contexts that are known here: equal to the published ones, and our own, which leave no choice."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from cityid import contexts
from cityid.contexts.rendering import render
from cityid.encoding import json, jsonld
from cityid.errors import Malformed
from cityid.formats import _contexts
from tests.jobs.offices import TYPES
from tests.vectors import vectors

RESIDENCY = _contexts.own(TYPES["residency"], "ldp_vc")
IRI = "urn:cityid:residency:1"


class TestPublished:
    def test_every_context_says_what_the_published_one_says(self) -> None:
        folder = vectors("contexts")
        index = json.read_object((folder / "index.json").read_bytes())
        assert set(index) == set(contexts.DIGESTS)
        for url, entry in index.items():
            data = (folder / entry["file"]).read_bytes()
            assert contexts.load(url) == json.read(data), url
            assert contexts.digest(url) == hashlib.sha256(data).hexdigest(), url

    def test_nothing_else_is_known(self) -> None:
        assert contexts.digest("https://www.w3.org/ns/credentials/v3") is None
        with pytest.raises(Malformed) as caught:
            contexts.load("https://www.w3.org/ns/credentials/v3")
        assert caught.value.code == "context.unknown"

    def test_the_notation(self) -> None:
        table = """
        prefix x https://x.example/#
        @version 1.1
        @vocab = x:
        a = x:a
        b x:b
        c x:c type=@id container=@set
          @protected true
          d = e:d
          ---
          <https://x.example/context>
        e x:e
          null
        """
        assert render(table) == {
            "@version": 1.1,
            "@vocab": "https://x.example/#",
            "a": "https://x.example/#a",
            "b": {"@id": "https://x.example/#b"},
            "c": {
                "@id": "https://x.example/#c",
                "@type": "@id",
                "@container": "@set",
                "@context": [{"@protected": True, "d": "e:d"}, "https://x.example/context"],
            },
            "e": {"@id": "https://x.example/#e", "@context": None},
        }


class TestOwn:
    @pytest.mark.parametrize("name", sorted(TYPES))
    def test_every_shipped_type_has_one(self, name: str) -> None:
        kind = TYPES[name]
        made = _contexts.own(kind, "ldp_vc")
        assert contexts.is_own(made)
        contexts.check([contexts.V2, made])
        document = {"@context": [contexts.V2, made], "type": list(kind.names["ldp_vc"]["type"])}
        (expanded,) = jsonld.expand(document, contexts.load)
        assert kind.wire_name("ldp_vc") in expanded["@type"]

    def test_what_a_claim_means(self) -> None:
        assert RESIDENCY["given_name"] == {"@id": f"{IRI}#given_name"}
        inner = RESIDENCY["address"]["@context"]
        assert inner["locality"] == {"@id": f"{IRI}#address.locality"}
        made = contexts.of_claims("Dog", "urn:x", [(("tags",), True)])
        assert made["tags"] == {"@id": "urn:x#tags", "@container": "@set"}
        assert contexts.is_own(made)

    def test_what_the_data_model_names_keeps_its_meaning(self) -> None:
        """`name` of a municipality is a name; a term of the data model cannot be defined again."""
        assert "name" not in RESIDENCY["municipality"]["@context"]
        assert contexts.of_claims("Dog", "urn:x", [(("name",), False)]) == {
            "@version": 1.1, "@protected": True, "Dog": "urn:x",
        }  # fmt: skip

    @pytest.mark.parametrize(
        "change",
        [
            lambda made: made.pop("@version"),
            lambda made: made.pop("@protected"),
            lambda made: made.update({"@protected": 1}),
            lambda made: made.update({"@version": 1}),
            lambda made: made.update({"@vocab": "https://x.example/#"}),
            lambda made: made.pop("ResidencyCredential"),
            lambda made: made.update(Other="urn:x:other"),
            lambda made: made.update(ResidencyCredential="residency"),
            lambda made: made.update(ResidencyCredential="urn:x y"),
            lambda made: made.update(age_over_18=made["age_over_12"]),
            lambda made: made["age_over_18"].update({"@id": f"{IRI}#age_over_12"}),
            lambda made: made["age_over_18"].update({"@type": "@id"}),
            lambda made: made["age_over_18"].update({"@container": "@list"}),
            lambda made: made["age_over_18"].update({"@context": None}),
            lambda made: made["address"]["@context"].pop("@protected"),
            lambda made: made["address"]["@context"].update(locality={"@id": f"{IRI}#locality"}),
            lambda made: made["address"]["@context"].update(locality=f"{IRI}#address.locality"),
            lambda made: made.update({"name": {"@id": f"{IRI}#name"}}),
            lambda made: made.update({"a b": {"@id": f"{IRI}#a b"}}),
            lambda made: made.update({"VerifiableCredential": made.pop("ResidencyCredential")}),
        ],
    )
    def test_l_no_name_is_exchanged_for_another(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """A proof over RDF covers what names mean: with a free context, age_over_12 could be shown as age_over_18."""
        made = copy.deepcopy(RESIDENCY)
        assert contexts.is_own(made)
        change(made)
        assert not contexts.is_own(made)
        with pytest.raises(Malformed) as caught:
            contexts.check([contexts.V2, made])
        assert caught.value.code == "context.inline"

    def test_depth_is_bounded(self) -> None:
        for depth, good in ((8, True), (9, False)):
            made = contexts.of_claims("Dog", "urn:x", [(tuple("abcdefghi"[:depth]), False)])
            assert contexts.is_own(made) is good
        assert not contexts.is_own([])


class TestKnown:
    def test_only_known_ones(self) -> None:
        contexts.check(contexts.V2)
        contexts.check([contexts.V2, contexts.DATA_INTEGRITY])
        for wrong, code in (("https://x.example", "context.unknown"), (None, "context.inline"), ({}, "context.inline")):
            with pytest.raises(Malformed) as caught:
                contexts.check([contexts.V2, wrong])
            assert caught.value.code == code

    def test_none_deeper_inside(self) -> None:
        document = {"@context": contexts.V2, "credentialSubject": [{"id": "urn:x"}]}
        contexts.check_nested(document)
        document["credentialSubject"][0]["@context"] = {}  # type: ignore[index]
        with pytest.raises(Malformed) as caught:
            contexts.check_nested(document)
        assert caught.value.code == "context.nested"
        assert caught.value.problem.where == "$.credentialSubject[0]"
