"""SD-JWT VC type metadata (draft-ietf-oauth-sd-jwt-vc-19 §5) and document integrity (§6)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cityid.edge.recorded import offline
from cityid.errors import Malformed, Refused
from cityid.formats import type_metadata
from cityid.formats.type_metadata import ClaimMetadata, TypeMetadata
from tests.vectors import vectors

FOLDER = vectors("sd-jwt-vc")
A, B, C = (f"https://types.example/{name}" for name in "abc")


def document(vct: str = A, **members: Any) -> bytes:
    return json.dumps({"vct": vct, **{name.replace("__", "#"): value for name, value in members.items()}}).encode()


def read(**members: Any) -> TypeMetadata:
    return type_metadata.read(document(**members), A)


def claim(*path: Any, **members: Any) -> dict[str, Any]:
    return {"path": list(path), **members}


def refused(code: str, **members: Any) -> None:
    with pytest.raises(Malformed) as caught:
        read(**members)
    assert caught.value.code == code


class TestFormat:
    """§5.2."""

    def test_members(self) -> None:
        made = read(name="n", description="d", extends=B, extends__integrity="sha256-x", unknown={"a": 1})
        assert (made.vct, made.name, made.description, made.extends, made.extends_integrity) == (
            A,
            "n",
            "d",
            B,
            "sha256-x",
        )
        assert (made.display, made.claims, made.chain) == (None, (), (A,))

    def test_it_must_be_the_types_own(self) -> None:
        for raw, code in ((document(B), "type_metadata.vct"), (b"{}", "json.missing"), (b"[]", "json.not_an_object")):
            with pytest.raises(Malformed) as caught:
                type_metadata.read(raw, A)
            assert caught.value.code == code

    @pytest.mark.parametrize("member", ["name", "description", "extends", "extends__integrity", "display", "claims"])
    def test_types(self, member: str) -> None:
        refused("json.wrong_type", **{member: 1})


SIMPLE = {"logo": {"uri": "https://a.example/l.png", "uri#integrity": "sha256-x", "alt_text": "alt"},
          "background_image": {"uri": "data:image/png;base64,AAAA"}, "background_color": "#fff",
          "text_color": "#000"}  # fmt: skip


def rendering(**members: Any) -> list[dict[str, Any]]:
    return [{"locale": "en", "name": "n", "rendering": members}]


class TestDisplay:
    """§5.5."""

    def test_simple(self) -> None:
        made = read(display=[{"locale": "en", "name": "n", "description": "d", "rendering": {"simple": SIMPLE}}])
        (shown,) = made.display or ()
        assert (shown.locale, shown.name, shown.description) == ("en", "n", "d")
        assert shown.logo is not None
        assert (shown.logo.uri, shown.logo.integrity, shown.logo.alt_text) == (
            "https://a.example/l.png",
            "sha256-x",
            "alt",
        )
        assert shown.background_image is not None
        assert shown.background_image.uri == "data:image/png;base64,AAAA"
        assert (shown.background_color, shown.text_color, shown.svg_templates) == ("#fff", "#000", ())

    def test_svg_templates(self) -> None:
        one = {"uri": "https://a.example/c.svg"}
        (shown,) = read(display=rendering(svg_templates=[one])).display or ()
        assert dict(shown.svg_templates[0].properties) == {}
        two = [{**one, "properties": {"orientation": "portrait", "x": 1}}, {**one, "properties": {"contrast": "high"}}]
        (shown,) = read(display=rendering(svg_templates=two)).display or ()
        assert [dict(item.properties) for item in shown.svg_templates] == [
            {"orientation": "portrait"},
            {"contrast": "high"},
        ]

    @pytest.mark.parametrize(
        ("display", "code"),
        [
            ([{"name": "n"}], "json.missing"),
            ([{"locale": "en"}], "json.missing"),
            ([{"locale": "e", "name": "n"}], "type_metadata.locale"),
            ([{"locale": "en_US", "name": "n"}], "type_metadata.locale"),
            ([{"locale": "x", "name": "n"}], "type_metadata.locale"),
            ([{"locale": "a-DE", "name": "n"}], "type_metadata.locale"),
            ([{"locale": "en", "name": "n"}, {"locale": "EN", "name": "m"}], "type_metadata.locale_twice"),
            ([1], "json.not_an_object"),
            (rendering(simple=1), "json.wrong_type"),
            (rendering(simple={"logo": {}}), "json.missing"),
            (rendering(simple={"logo": {"uri": "http://a.example"}}), "type_metadata.uri"),
            (rendering(simple={"text_color": 1}), "json.wrong_type"),
            (rendering(svg_templates={}), "json.wrong_type"),
            (rendering(svg_templates=[{"uri": "file:///etc/passwd"}]), "type_metadata.uri"),
            (
                rendering(svg_templates=[{"uri": "https://a"}, {"uri": "https://b"}]),
                "type_metadata.template_properties",
            ),
            (rendering(svg_templates=[{"uri": "https://a", "properties": {}}]), "type_metadata.template_properties"),
            (
                rendering(svg_templates=[{"uri": "https://a", "properties": {"contrast": "x"}}]),
                "type_metadata.property",
            ),
        ],
    )
    def test_forms_that_are_none(self, display: Any, code: str) -> None:
        refused(code, display=display)

    @pytest.mark.parametrize("locale", ["de", "de-DE-1996", "zh-Hant-TW", "x-lindau", "i-klingon", "es-419", "gsw"])
    def test_language_tags(self, locale: str) -> None:
        """RFC 5646 §2.1, private and grandfathered ones too."""
        (shown,) = read(display=[{"locale": locale, "name": "n"}]).display or ()
        assert shown.locale == locale

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [(["de"], "de-DE"), (["DE-de"], "de-DE"), (["de-AT"], "de-DE"), (["fr", "es"], "es"), (["fr"], "en-US"),
         ([], "en-US"), (["en"], "en-US"), (["en-US-x"], "en-US"), (["deu"], "en-US")],
    )  # fmt: skip
    def test_choice_of_locale(self, wanted: list[str], found: str) -> None:
        locales = ["en-US", "de-DE", "es", "es-MX"]
        made = read(
            display=[{"locale": locale, "name": locale} for locale in locales],
            claims=[claim("a", display=[{"locale": locale, "label": locale} for locale in locales])],
        )
        shown, label = type_metadata.display(made, wanted), type_metadata.label(made.claims[0], wanted)
        assert shown is not None
        assert label is not None
        assert (shown.name, label.label) == (found, found)

    def test_nothing_to_choose_from(self) -> None:
        made = read(claims=[claim("a")])
        assert type_metadata.display(made, ["en"]) is None
        assert type_metadata.label(made.claims[0], ["en"]) is None


class TestClaims:
    """§5.6."""

    def test_members_and_defaults(self) -> None:
        plain, full = read(
            claims=[
                claim("a"),
                claim("b", None, 0, display=[{"locale": "en", "label": "B", "description": "d"}], mandatory=True,
                      sd="always", svg_id="_b1"),
            ]
        ).claims  # fmt: skip
        assert (plain.path, plain.display, plain.mandatory, plain.sd, plain.svg_id) == (
            ("a",),
            (),
            False,
            "allowed",
            None,
        )
        assert (full.path, full.mandatory, full.sd, full.svg_id) == (("b", None, 0), True, "always", "_b1")
        assert (full.display[0].label, full.display[0].description) == ("B", "d")

    @pytest.mark.parametrize(
        ("claims", "code"),
        [
            ([{}], "json.missing"),
            ([claim()], "type_metadata.path_step"),
            ([claim(-1)], "type_metadata.path_step"),
            ([claim(True)], "type_metadata.path_step"),
            ([claim(1.0)], "type_metadata.path_step"),
            ([claim({})], "type_metadata.path_step"),
            ([claim("a"), claim("a")], "type_metadata.path_twice"),
            ([claim("a", sd="sometimes")], "type_metadata.sd"),
            ([claim("a", sd=1)], "json.wrong_type"),
            ([claim("a", mandatory="true")], "json.wrong_type"),
            ([claim("a", svg_id="1a")], "type_metadata.svg_id"),
            ([claim("a", svg_id="a-b")], "type_metadata.svg_id"),
            ([claim("a", svg_id="")], "type_metadata.svg_id"),
            ([claim("a", svg_id="x"), claim("b", svg_id="x")], "type_metadata.svg_id_twice"),
            ([claim("a", display=[{"locale": "en"}])], "json.missing"),
            ([claim("a", display=[{"locale": "en", "label": "1"}, {"locale": "en", "label": "2"}])],
             "type_metadata.locale_twice"),
        ],
    )  # fmt: skip
    def test_forms_that_are_none(self, claims: Any, code: str) -> None:
        refused(code, claims=claims)


def merged(parent: list[dict[str, Any]], child: list[dict[str, Any]]) -> dict[Any, ClaimMetadata]:
    whole = type_metadata.merge(
        type_metadata.read(document(claims=child, extends=B), A), type_metadata.read(document(B, claims=parent), B)
    )
    return {item.path: item for item in whole.claims}


class TestExtending:
    """§5.4, §5.5.2, §5.6.5."""

    def test_display_is_replaced_whole_or_inherited(self) -> None:
        parent = type_metadata.read(
            document(B, display=[{"locale": "en", "name": "p"}, {"locale": "de", "name": "q"}]), B
        )
        own = type_metadata.merge(read(extends=B, display=[{"locale": "en", "name": "c"}]), parent)
        assert [item.name for item in own.display or ()] == ["c"]
        inherited = type_metadata.merge(read(extends=B), parent)
        assert [item.name for item in inherited.display or ()] == ["p", "q"]
        assert type_metadata.merge(read(extends=B, display=[]), parent).display == ()
        assert (own.vct, own.chain, own.extends) == (A, (A, B), None)

    def test_claims_are_inherited_and_combined_member_by_member(self) -> None:
        label = [{"locale": "en", "label": "parent"}]
        found = merged(
            [claim("a", display=label, sd="always", mandatory=True, svg_id="a"), claim("b")],
            [claim("a", display=[{"locale": "de", "label": "child"}]), claim("c", sd="never")],
        )
        assert set(found) == {("a",), ("b",), ("c",)}
        assert [item.label for item in found[("a",)].display] == ["child"]
        assert (found[("a",)].sd, found[("a",)].mandatory, found[("a",)].svg_id) == ("always", True, "a")

    @pytest.mark.parametrize(
        ("parent", "child", "code"),
        [
            ({}, {"sd": "always"}, None),
            ({}, {"sd": "never"}, None),
            ({"sd": "allowed"}, {"sd": "never"}, None),
            ({"sd": "always"}, {"sd": "always"}, None),
            ({"sd": "always"}, {}, None),
            ({"sd": "always"}, {"sd": "never"}, "type_metadata.sd_changed"),
            ({"sd": "always"}, {"sd": "allowed"}, "type_metadata.sd_changed"),
            ({"sd": "never"}, {"sd": "allowed"}, "type_metadata.sd_changed"),
            ({"mandatory": False}, {"mandatory": True}, None),
            ({"mandatory": False}, {"mandatory": False}, None),
            ({}, {"mandatory": False}, None),
            ({"mandatory": True}, {"mandatory": True}, None),
            ({"mandatory": True}, {}, None),
            ({"mandatory": True}, {"mandatory": False}, "type_metadata.mandatory_changed"),
        ],
    )
    def test_a_child_narrows_and_nothing_else(self, parent: Any, child: Any, code: str | None) -> None:
        if code is None:
            found = merged([claim("a", **parent)], [claim("a", **child)])[("a",)]
            assert (found.sd, found.mandatory) == (
                child.get("sd", parent.get("sd", "allowed")), child.get("mandatory", parent.get("mandatory", False)),
            )  # fmt: skip
        else:
            with pytest.raises(Refused) as caught:
                merged([claim("a", "b", 0, None, **parent)], [claim("a", "b", 0, None, **child)])
            assert caught.value.code == code
            assert caught.value.problem.facts["path"] == "a.b[0][]"

    def test_svg_ids_stay_unique(self) -> None:
        with pytest.raises(Malformed, match=r"type_metadata\.svg_id_twice"):
            merged([claim("a", svg_id="x")], [claim("b", svg_id="x")])

    def test_a_grandchild_is_held_to_what_its_parent_narrowed(self) -> None:
        known = {
            A: document(A, extends=B, claims=[claim("a", sd="never")]),
            B: document(B, extends=C, claims=[claim("a", sd="always")]),
            C: document(C, claims=[claim("a")]),
        }
        with pytest.raises(Refused, match=r"type_metadata\.sd_changed"):
            type_metadata.fetch(A, known=known).run(offline)
