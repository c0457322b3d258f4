"""Claims to roles: what each way of saying it grants, and that nothing else grants anything."""

from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herdsman.core.access import (
    AccessRules,
    Entitlement,
    Grant,
    decode,
    grants,
    group_path,
    identity,
    parse_entitlement,
    values,
)
from herdsman.model.identity import ANYWHERE, Identity, Role, slug

ISSUER = "https://login.example.org"
RULES = AccessRules(
    vos={"vo.ai4eosc.eu": "ai4eosc", "vo.imagine-ai.eu": "imagine", "vo.ai4eosc.eu:gpu": "gpu", "a%3Ab": "colon"},
    roles={"": Role.USER, "member": Role.USER, "manager": Role.ADMIN, "guest": Role.VIEWER},
    trusted={"urn:mace:egi.eu": frozenset({"aai.egi.eu"}), "urn:geant:eosc.eu": frozenset({""})},
    groups={"/ai/ops": Grant("ai4eosc", Role.ADMIN)},
    admins=frozenset({f"root@{ISSUER}"}),
    admin_values=frozenset({"herdsman-admin"}),
)
EGI = "urn:mace:egi.eu:group:"


def claims(*, roles: Any = (), entitlements: Any = (), **more: Any) -> dict[str, Any]:
    """Claims as Keycloak and Check-in write them."""
    return {"sub": "ada", "realm_access": {"roles": roles}, "eduperson_entitlement": entitlements, **more}


@pytest.mark.parametrize(
    ("roles", "granted"),
    [
        (["access:vo.ai4eosc.eu:ap-u"], {"ai4eosc": Role.USER}),
        (["access:vo.ai4eosc.eu:ap-a"], {"ai4eosc": Role.TRY_ME}),
        (["access:vo.ai4eosc.eu:ap-a", "access:vo.ai4eosc.eu:ap-d"], {"ai4eosc": Role.USER}),
        (["access:vo.ai4eosc.eu:ap-d", "access:vo.ai4eosc.eu:ap-a"], {"ai4eosc": Role.USER}),
        (
            ["access:vo.ai4eosc.eu:ap-b", "access:vo.imagine-ai.eu:ap-u", "offline_access"],
            {"ai4eosc": Role.TRY_ME, "imagine": Role.USER},
        ),
        (["access:vo.unknown:ap-u"], {}),
        (["access:vo.ai4eosc.eu:ap-z"], {}),
        (["access:vo.ai4eosc.eu"], {}),
        (["access:vo.ai4eosc.eu:ap-u:"], {}),
        (["access:vo.ai4eosc.eu:gpu:ap-u"], {}),
        (["Access:vo.ai4eosc.eu:ap-u", "access:VO.AI4EOSC.EU:ap-u"], {}),
        (["xaccess:vo.ai4eosc.eu:ap-u", " access:vo.ai4eosc.eu:ap-u"], {}),
        ([None, 1, {}, ["access:vo.ai4eosc.eu:ap-u"]], {}),
        ("access:vo.ai4eosc.eu:ap-u", {"ai4eosc": Role.USER}),
        ({"access:vo.ai4eosc.eu:ap-u": True}, {}),
        (None, {}),
    ],
)
def test_realm_roles(roles: Any, granted: dict[str, Role]) -> None:
    """`access:<vo>:<level>` grants the highest level held in a VO that is known; all else is passed over."""
    assert grants(claims(roles=roles), RULES) == granted


@pytest.mark.parametrize(
    ("text", "granted"),
    [
        (f"{EGI}vo.ai4eosc.eu:role=member#aai.egi.eu", {"ai4eosc": Role.USER}),
        (f"{EGI}vo.ai4eosc.eu#aai.egi.eu", {"ai4eosc": Role.USER}),
        (f"{EGI}vo.ai4eosc.eu:role=manager#aai.egi.eu", {"ai4eosc": Role.ADMIN}),
        (f"{EGI}vo.ai4eosc.eu:role=vm_operator#aai.egi.eu", {}),
        (f"{EGI}vo.ai4eosc.eu:gpu:role=guest#aai.egi.eu", {"gpu": Role.VIEWER}),
        (f"{EGI}vo.ai4eosc.eu:other:role=manager#aai.egi.eu", {}),
        (f"{EGI}gpu:role=member#aai.egi.eu", {}),
        (f"{EGI}vo%2Eai4eosc.eu:role=%6Dember#aai.egi.eu", {"ai4eosc": Role.USER}),
        (f"{EGI}a%3ab#aai.egi.eu", {"colon": Role.USER}),
        (f"{EGI}vo.ai4eosc.eu%3Agpu#aai.egi.eu", {}),
        (f"{EGI}vo.ai4eosc.eu%253Agpu#aai.egi.eu", {}),
        (f"{EGI}vo.ai4eosc.eu%3Arole%3Dmanager#aai.egi.eu", {}),
        (f"{EGI}vo.ai4eosc.eu:role=manager%23aai.egi.eu", {}),
        (f"{EGI}vo.ai4eosc.eu:role=member#evil.example", {}),
        (f"{EGI}vo.ai4eosc.eu:role=member", {}),
        (f"{EGI}vo.ai4eosc.eu:role=member#aai.egi.eu#evil", {}),
        (f"{EGI}vo.ai4eosc.eu:role=member#", {}),
        ("urn:mace:evil.eu:group:vo.ai4eosc.eu:role=member#aai.egi.eu", {}),
        ("urn:mace:egi.eu:sub:group:vo.ai4eosc.eu:role=member#aai.egi.eu", {}),
        ("URN:MACE:egi.eu:group:vo.ai4eosc.eu#aai.egi.eu", {"ai4eosc": Role.USER}),
        ("urn:mace:EGI.EU:group:vo.ai4eosc.eu#aai.egi.eu", {}),
        ("urn:geant:eosc.eu:group:vo.ai4eosc.eu", {"ai4eosc": Role.USER}),
        ("urn:geant:eosc.eu:group:vo.ai4eosc.eu#anybody", {}),
        ("urn:mace:egi.eu:res:vo.ai4eosc.eu#aai.egi.eu", {}),
    ],
)
def test_entitlements(text: str, granted: dict[str, Role]) -> None:
    """A group of a trusted namespace, by a trusted authority, grants what its role does; encoding hides nothing."""
    assert grants(claims(entitlements=[text]), RULES) == granted
    assert grants(claims(entitlements=text), RULES) == granted
    assert grants(claims() | {"entitlements": [text]}, RULES) == granted


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("urn:geant:h-df.de:group:team:ops:role=dev#login", ("urn:geant:h-df.de", ("team", "ops"), "dev", "login")),
        ("urn:x:y:z:group:a", ("urn:x:y:z", ("a",), "", "")),
        ("urn:x:y:group:group", ("urn:x:y", ("group",), "", "")),
        ("urn:x:y:group:caf%C3%A9#a", ("urn:x:y", ("café",), "", "a")),
        ("urn:x:y:group:a+b/c", ("urn:x:y", ("a+b/c",), "", "")),
    ],
)  # fmt: skip
def test_entitlements_are_read_by_their_grammar(text: str, parsed: tuple[Any, ...]) -> None:
    """Namespace, groups, role and authority come apart where AARC-G069 divides them."""
    assert parse_entitlement(text) == Entitlement(*parsed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "urn:x:y:group:",
        "urn:x:y:group",
        "urn:x:group:a",
        "urn::y:group:a",
        "urx:x:y:group:a",
        "urn:x:y:group:a::b",
        "urn:x:y:group:a:role=",
        "urn:x:y:group:role=a",
        "urn:x:y:group:a:role=b:c",
        "urn:x:y:group:a:role=b:role=c",
        "urn:x:y:group:a%",
        "urn:x:y:group:a%2",
        "urn:x:y:group:a%zz",
        "urn:x:y:group:a%00",
        "urn:x:y:group:a%0A",
        "urn:x:y:group:a%C3",
        "urn:x:y:group:a%ED%A0%80",
        "urn:x:y:group:a%E2%80%AE",
        "urn:x:y:group:a b",
        "urn:x:y:group:a\n",
        "urn:x:y:group:café",
        "urn:x:y:group:a?+r",
        "urn:x:y:group:" + "a" * 3000,
    ],
)
def test_what_is_no_entitlement_is_none(text: str) -> None:
    """Empty parts, bad encoding, invisible letters and roles in the wrong place make none."""
    assert parse_entitlement(text) is None


_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.isprintable)


@given(groups=st.lists(_names, min_size=1, max_size=4), role=st.none() | _names, authority=st.sampled_from(["", "a.b"]))
@settings(deadline=None)
def test_any_name_survives_its_encoding(groups: list[str], role: str | None, authority: str) -> None:
    """Whatever a group is called, encoded as the guideline says it comes out as it went in."""
    parts = ["urn:mace:x", "group", *(quote(g, safe="") for g in groups)]
    if role is not None:
        parts.append(f"role={quote(role, safe='')}")
    text = ":".join(parts) + (f"#{authority}" if authority else "")

    assert parse_entitlement(text) == Entitlement("urn:mace:x", tuple(groups), role or "", authority)
    assert group_path(":".join(parts[2 : 2 + len(groups)])) == tuple(groups)


_pieces = st.sampled_from([*"urn:mace.gi#%=3AaG", "group", "role=", "vo.ai4eosc.eu", "urn:mace:egi.eu:group:"])
_texts = st.lists(_pieces, max_size=20).map("".join)


@given(text=_texts | st.text())
@settings(deadline=None)
def test_no_text_breaks_the_parser(text: str) -> None:
    """Every text is an entitlement or none; one that is has printable parts, and written anew is the same one."""
    found = parse_entitlement(text)
    if found is not None:
        assert found.group
        assert all(g.isprintable() and g for g in found.group)
        assert text.lower().startswith("urn:")
        again = ":".join([found.namespace, "group", *(quote(g, safe="") for g in found.group)])
        again += f":role={quote(found.role, safe='')}" if found.role else ""
        assert parse_entitlement(again + (f"#{found.authority}" if found.authority else "")) == found


@given(text=st.text())
@settings(deadline=None)
def test_decoding_is_that_of_the_standard_library(text: str) -> None:
    """What is decoded at all is decoded as everybody does."""
    plain = decode(quote(text, safe=""))
    if text and text.isprintable():
        assert plain == text == unquote(quote(text, safe=""))
    else:
        assert plain is None


_claims = st.sampled_from(
    ["sub", "name", "email", "email_verified", "realm_access", "roles", "groups", "eduperson_entitlement"]
)
_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=10) | st.sampled_from(["access:vo.ai4eosc.eu:ap-u"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | _claims, inner, max_size=4),
    max_leaves=12,
)


@given(said=st.dictionaries(_claims | st.text(max_size=5), _json, max_size=8))
@settings(deadline=None)
def test_no_claims_break_anything_or_grant_what_they_do_not_say(said: dict[str, Any]) -> None:
    """Any JSON object is somebody or nobody; roles come from what names a VO, and nobody is admin by accident."""
    found = identity(said, issuer=ISSUER, rules=RULES)

    if found is not None:
        assert found.subject == said["sub"]
        assert set(found.grants) <= {"ai4eosc"}
        assert not found.admin
        assert found.name.isprintable()
        assert not found.email or said["email_verified"] is True


_three = ["access:vo.ai4eosc.eu:ap-a", "access:vo.ai4eosc.eu:ap-u", "access:vo.imagine-ai.eu:ap-b"]


@given(order=st.permutations(_three))
@settings(deadline=None)
def test_order_means_nothing(order: list[str]) -> None:
    """Roles are the same in whatever order, and however often, they are told."""
    assert grants(claims(roles=order * 2), RULES) == {"ai4eosc": Role.USER, "imagine": Role.TRY_ME}


def test_groups_and_everyone() -> None:
    """Plain groups grant what their rule says; a role for everyone counts everywhere and lowers nothing."""
    rules = AccessRules(groups=RULES.groups, everyone=Role.VIEWER)

    assert grants({"groups": ["/ai/ops", "/ai/ops/x"]}, rules) == {"ai4eosc": Role.ADMIN, ANYWHERE: Role.VIEWER}
    who = Identity(subject="a", issuer="b", grants=grants({"groups": ["/ai/ops"]}, rules))
    assert who.role("ai4eosc") is Role.ADMIN
    assert who.role("elsewhere") is Role.VIEWER


@pytest.mark.parametrize(
    ("said", "admin"),
    [
        ({"sub": "root"}, True),
        ({"sub": "ROOT"}, False),
        ({"sub": f"root@{ISSUER}"}, False),
        ({"sub": "ada", "realm_access": {"roles": ["herdsman-admin"]}}, True),
        ({"sub": "ada", "groups": ["herdsman-admin"]}, True),
        ({"sub": "ada", "name": "herdsman-admin"}, False),
        ({"sub": "ada", "groups": [f"root@{ISSUER}"]}, False),
        ({"sub": "ada", "roles": ["herdsman-admin"]}, False),
    ],
)
def test_only_the_setting_makes_an_administrator(said: dict[str, Any], admin: bool) -> None:
    """An owner that is named, or a value of a claim that is read for roles; nothing that people choose themselves."""
    found = identity(said, issuer=ISSUER, rules=RULES)

    assert found is not None
    assert found.admin is admin


@pytest.mark.parametrize(
    ("said", "email"),
    [
        ({"email": "ada@example.org", "email_verified": True}, "ada@example.org"),
        ({"email": "ada@example.org"}, ""),
        ({"email": "ada@example.org", "email_verified": False}, ""),
        ({"email": "ada@example.org", "email_verified": "true"}, ""),
        ({"email": "ada@example.org", "email_verified": 1}, ""),
        ({"email": "ada", "email_verified": True}, ""),
        ({"email": "a@b@c", "email_verified": True}, ""),
        ({"email": "ada@example.org>\nx", "email_verified": True}, ""),
        ({"email": "<ada@example.org>", "email_verified": True}, ""),
        ({"email": ["ada@example.org"], "email_verified": True}, ""),
    ],
)
def test_only_a_verified_address_is_one(said: dict[str, Any], email: str) -> None:
    """The issuer has to say in so many words that it verified it, and it has to be one."""
    found = identity({"sub": "ada", **said}, issuer=ISSUER, rules=RULES)

    assert found is not None
    assert found.email == email


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"name": "Ada Lovelace"}, "Ada Lovelace"),
        ({"name": " Ada\n\tLovelace <root@x> "}, "Ada Lovelace root@x"),
        ({"name": "\u202eadA", "preferred_username": "ada"}, "adA"),
        ({"name": "\x00", "preferred_username": "ada1"}, "ada1"),
        ({"name": "\ud800x"}, "x"),
        ({"name": 7}, "ada"),
        ({"name": "x" * 1000}, "x" * 200),
        ({}, "ada"),
    ],
)
def test_a_name_is_one_line_that_can_be_shown(said: dict[str, Any], name: str) -> None:
    """Names author commits and stand on pages: no line ends, brackets or invisible letters."""
    found = identity({"sub": "ada", **said}, issuer=ISSUER, rules=RULES)

    assert found is not None
    assert found.name == name


def test_a_claim_is_found_by_name_before_path() -> None:
    """A claim may be called like a path, as addresses are."""
    assert values({"https://x.y/roles": ["a"], "https://x": {"y/roles": ["b"]}}, "https://x.y/roles") == ["a"]
    assert values({"resource_access": {"herdsman": {"roles": ["a", 1]}}}, "resource_access.herdsman.roles") == ["a"]
    assert values({"a": "b"}, "a.b.c") == []


@pytest.mark.parametrize("role", list(Role))
def test_roles_are_ordered_and_have_words(role: Role) -> None:
    """viewer < try-me < user < admin; each word is read back."""
    assert Role.of(role.label) is role
    assert [r.label for r in sorted(Role)] == ["viewer", "try-me", "user", "admin"]
    who = Identity(subject="a", issuer="b", grants={"n": role})
    assert [who.may(r, "n") for r in Role] == [r <= role for r in Role]
    assert not who.may(Role.VIEWER, "m")
    assert who.namespaces(role) == {"n"}
    with pytest.raises(ValueError, match="is no role"):
        Role.of(role.label.upper())


def test_an_administrator_may_everything() -> None:
    """Whatever the grants say."""
    who = Identity(subject="a", issuer="b", grants={"n": Role.VIEWER}, admin=True)

    assert who.role("n") is who.role("m") is who.highest() is Role.ADMIN
    assert ANYWHERE in who.namespaces(Role.ADMIN)
    assert Identity(subject="a", issuer="b").highest() is None


@given(owners=st.sets(st.text(max_size=30), min_size=2, max_size=20))
@settings(deadline=None)
def test_no_two_owners_share_a_slug(owners: set[str]) -> None:
    """Slugs fit files, labels and host names, and differ as owners do, even where letter case does not count."""
    made = {slug(o.encode(errors="replace").decode()) for o in owners}

    assert len(made) == len({o.encode(errors="replace") for o in owners})
    assert all(len(s) <= 51 and s.replace("-", "").isalnum() and s == s.lower() and s.isascii() for s in made)
    assert not any(s.startswith("-") or s.endswith("-") for s in made)


def test_a_slug_stays_what_it_is() -> None:
    """It is written into files and labels, so it may never change."""
    assert slug("ada@https://login.example.org") == "ada-ow5xhmr4mbfkyrwi5wlh3cduyy"
