"""Tokens, policies and roles; and who the bearer of a secret is."""

import base64
import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from herdsman.devnomad.acl import rules as policy_rules
from herdsman.devnomad.acl.access import Access, Everything
from herdsman.devnomad.acl.reader import RulesError
from herdsman.devnomad.acl.rights import Rights
from herdsman.devnomad.acl.rules import Rules
from herdsman.devnomad.clock import HOUR, MINUTE, SECOND, duration_text, now_ns, parse_rfc3339, rfc3339
from herdsman.devnomad.durations import DurationError, as_ns
from herdsman.devnomad.errors import BadRequest, Denied, NotFound
from herdsman.devnomad.ids import is_uuid, new_id
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.structs.errors import error_text
from herdsman.devnomad.types import Row

ANONYMOUS: Final = "anonymous"
_NAME: Final = re.compile(r"[a-zA-Z0-9-]{1,128}")
_ROLE_NAME: Final = re.compile(r"[a-zA-Z0-9-_]{1,128}")
_SHORTEST_LIFE: Final = MINUTE
_LONGEST_LIFE: Final = 24 * HOUR
_ONE_TIME_TTL: Final = 600_000_000_000
_STUB: Final = (
    "AccessorID", "Name", "Type", "Policies", "Roles", "Global", "Hash", "CreateTime", "ExpirationTime",
    "CreateIndex", "ModifyIndex",
)  # fmt: skip


def token_stub(row: Row) -> Row:
    """A token as a list shows it: without its secret."""
    return {field: row[field] for field in _STUB}


def policy_stub(row: Row) -> Row:
    """A policy as a list shows it."""
    return {field: row[field] for field in ("Name", "Description", "Hash", "CreateIndex", "ModifyIndex")}


class Acl:
    """Requests about access control."""

    def __init__(self, store: Store, *, enabled: bool) -> None:
        self._store, self.enabled = store, enabled
        self._one_time: dict[str, tuple[str, int]] = {}
        self._known: dict[str, Access] = {}
        self._known_at = -1

    def require_enabled(self) -> None:
        """Refuse where access control is off."""
        if not self.enabled:
            raise BadRequest("ACL support disabled")

    # -- who -------------------------------------------------------------------------------------------------------
    def access_of(self, secret: str) -> Access:
        """What the bearer of a secret may do; without one, what anybody may."""
        if not self.enabled:
            return _EVERYTHING
        at = self._store.table_index(self._store.tokens, self._store.policies, self._store.roles)
        if at != self._known_at:
            self._known, self._known_at = {}, at
        token = self._token_of(secret)
        known = self._known.get(secret)
        if known is None:
            known = self._known[secret] = self._rights(token)
        return known

    def _token_of(self, secret: str) -> Row | None:
        if not secret:
            return None
        found = self._store.tokens.find("secret", secret)
        if not found or _expired(found[0]):
            raise Denied
        return found[0]

    def _rights(self, token: Row | None) -> Access:
        if token is not None and token["Type"] == "management":
            return Everything(token["AccessorID"])
        names = set(token["Policies"] or ()) if token else {ANONYMOUS}
        for link in (token["Roles"] or ()) if token else ():
            role = self._store.roles.get(link["ID"])
            names |= {each["Name"] for each in (role or {"Policies": ()})["Policies"] or ()}
        return Rights(
            self._rules(names), accessor=token["AccessorID"] if token else ANONYMOUS, policies=frozenset(names)
        )

    def _rules(self, names: Iterable[str]) -> list[Rules]:
        rows = (self._store.policies.get(name) for name in sorted(names))
        return [policy_rules.parse(row["Rules"]) for row in rows if row is not None]

    # -- tokens ----------------------------------------------------------------------------------------------------
    def bootstrap(self, secret: str) -> Row:
        """Make the first management token; once only."""
        self.require_enabled()
        done = self._store.setting("bootstrap")
        if done is not None:
            raise BadRequest(f"ACL bootstrap already done (reset index: {done})")
        if secret and not is_uuid(secret):
            raise BadRequest("invalid acl token")
        token = self._put_token(
            {"Name": "Bootstrap Token", "Type": "management", "Global": True, "Policies": None, "Roles": None},
            secret=secret,
        )
        with self._store.write("", index=token["CreateIndex"]) as txn:
            txn.put(self._store.settings, "bootstrap", {"Name": "bootstrap", "Value": token["CreateIndex"]})
        return token

    def upsert_token(self, body: Row, accessor: str) -> Row:
        """Make or change a token."""
        self.require_enabled()
        old = self._store.tokens.get(accessor) if accessor else None
        if accessor and old is None:
            raise NotFound(f"cannot find token {accessor}")
        roles = self._role_links(body.get("Roles") or ())
        policies = sorted(set(body.get("Policies") or ())) or None
        self._check_token(body, policies, roles)
        if old is not None and bool(body.get("Global")) != old["Global"]:
            raise BadRequest("cannot toggle global mode of a token")
        wanted = {
            "Name": body.get("Name") or "",
            "Type": body.get("Type") or "",
            "Policies": policies,
            "Roles": roles or None,
            "Global": bool(body.get("Global")),
            "ExpirationTime": body.get("ExpirationTime"),
            "ExpirationTTL": body.get("ExpirationTTL") or "",
        }
        return self._put_token(wanted, old=old)

    @staticmethod
    def _check_token(body: Row, policies: list[str] | None, roles: list[Row]) -> None:
        errors = []
        if len(body.get("Name") or "") > 256:
            errors.append("token name too long")
        if body.get("Type") == "client":
            if not policies and not roles:
                errors.append("client token missing policies or roles")
        elif body.get("Type") == "management":
            if policies or roles:
                errors.append("management token cannot be associated with policies or roles")
        else:
            errors.append("token type must be client or management")
        if errors:
            raise BadRequest(f"token 0 invalid: {error_text(errors)}")

    def _role_links(self, links: Iterable[Row]) -> list[Row]:
        found = []
        for link in links:
            by_name = self._store.roles.find("name", link.get("Name") or "")
            role = self._store.roles.get(link.get("ID") or "") or (by_name[0] if by_name else None)
            if role is None:
                raise BadRequest(f"cannot find role {link.get('ID') or link.get('Name')}")
            found.append({"ID": role["ID"], "Name": role["Name"]})
        return found

    def _put_token(self, wanted: Row, *, old: Row | None = None, secret: str = "") -> Row:
        now = now_ns()
        expires = None if old is not None else _expiry(wanted, now)
        with self._store.write("ACLTokenUpserted") as txn:
            row = {
                "AccessorID": old["AccessorID"] if old else new_id(),
                "SecretID": old["SecretID"] if old else secret or new_id(),
                "Name": wanted["Name"],
                "Type": wanted["Type"],
                "Policies": wanted["Policies"],
                "Roles": wanted["Roles"],
                "Global": wanted["Global"],
                "Hash": _token_hash(wanted),
                "CreateTime": old["CreateTime"] if old else rfc3339(now),
                "ExpirationTime": old["ExpirationTime"] if old else expires,
                "ExpirationTTL": "",
                "CreateIndex": old["CreateIndex"] if old else txn.index,
                "ModifyIndex": txn.index,
            }
            txn.put(self._store.tokens, row["AccessorID"], row)
        return row

    def delete_token(self, accessor: str) -> int:
        """Remove a token."""
        self.require_enabled()
        if accessor not in self._store.tokens:
            raise BadRequest(f"Cannot delete nonexistent tokens: {accessor}")
        with self._store.write("ACLTokenDeleted") as txn:
            txn.delete(self._store.tokens, accessor)
        return txn.index

    def self_token(self, secret: str) -> Row:
        """The token that a request came with."""
        self.require_enabled()
        token = self._token_of(secret)
        if token is None:
            raise NotFound("ACL token not found")
        return token

    def one_time(self, secret: str) -> Row:
        """A token that can be exchanged for the real one, once and soon."""
        token = self.self_token(secret)
        one_time, expires = new_id(), now_ns() + _ONE_TIME_TTL
        self._one_time[one_time] = (token["AccessorID"], expires)
        index = self._store.index
        return {
            "OneTimeToken": {
                "OneTimeSecretID": one_time,
                "AccessorID": token["AccessorID"],
                "ExpiresAt": rfc3339(expires),
                "CreateIndex": index,
                "ModifyIndex": index,
            },
            "Index": index,
        }

    def exchange(self, one_time: str) -> Row:
        """The real token for a one-time token."""
        self.require_enabled()
        accessor, expires = self._one_time.pop(one_time, ("", 0))
        token = self._store.tokens.get(accessor)
        if token is None or expires < now_ns():
            raise Denied
        return {"Token": token, "Index": self._store.index}

    # -- policies --------------------------------------------------------------------------------------------------
    def upsert_policy(self, body: Row, name: str) -> int:
        """Make or change a policy; answers the index."""
        self.require_enabled()
        if body.get("Name") != name:
            raise BadRequest("ACL policy name does not match request path")
        errors = _policy_errors(body)
        if errors:
            raise BadRequest(f"policy 0 invalid: {error_text(errors)}")
        old = self._store.policies.get(name)
        with self._store.write("ACLPolicyUpserted") as txn:
            row = {
                "Name": name,
                "Description": body.get("Description") or "",
                "Rules": body.get("Rules") or "",
                "RulesJSON": None,
                "JobACL": body.get("JobACL"),
                "Hash": _digest(name, body.get("Description") or "", body.get("Rules") or ""),
                "CreateIndex": old["CreateIndex"] if old else txn.index,
                "ModifyIndex": txn.index,
            }
            txn.put(self._store.policies, name, row)
        return txn.index

    def delete_policy(self, name: str) -> int:
        """Remove a policy."""
        self.require_enabled()
        with self._store.write("ACLPolicyDeleted") as txn:
            txn.delete(self._store.policies, name)
        return txn.index

    # -- roles -----------------------------------------------------------------------------------------------------
    def upsert_role(self, body: Row, role_id: str) -> Row:
        """Make or change a role."""
        self.require_enabled()
        if role_id and body.get("ID") != role_id:
            raise BadRequest("ACL role ID does not match request path")
        old = self._store.roles.get(role_id) if role_id else None
        if role_id and old is None:
            raise NotFound(f"cannot find role {role_id}")
        name, links = body.get("Name") or "", body.get("Policies") or []
        errors = []
        if not _ROLE_NAME.fullmatch(name):
            errors.append(f"invalid name '{name}'")
        if not links:
            errors.append("at least one policy should be specified")
        if errors:
            raise BadRequest(f"role 0 invalid: {error_text(errors)}")
        if any(role["ID"] != role_id for role in self._store.roles.find("name", name)):
            raise BadRequest(f"role with name {name} already exists")
        for link in links:
            if link.get("Name") not in self._store.policies:
                raise BadRequest(f"cannot find policy {link.get('Name')}")
        with self._store.write("ACLRoleUpserted") as txn:
            row: Row = {
                "ID": old["ID"] if old else new_id(),
                "Name": name,
                "Description": body.get("Description") or "",
                "Policies": [{"Name": link["Name"]} for link in links],
                "Hash": _digest(name, body.get("Description") or "", *(link["Name"] for link in links)),
                "CreateIndex": old["CreateIndex"] if old else txn.index,
                "ModifyIndex": txn.index,
            }
            txn.put(self._store.roles, row["ID"], row)
        return row

    def delete_role(self, role_id: str) -> int:
        """Remove a role."""
        self.require_enabled()
        if role_id not in self._store.roles:
            raise NotFound("ACL role not found")
        with self._store.write("ACLRoleDeleted") as txn:
            txn.delete(self._store.roles, role_id)
        return txn.index


_EVERYTHING: Final = Everything()


def _expiry(wanted: Row, now: int) -> str | None:
    """When a new token ends, the way Nomad writes times: it lives for a minute at least, and for a day at most."""
    if wanted.get("ExpirationTime"):
        moment = _moment(wanted["ExpirationTime"])
    elif wanted.get("ExpirationTTL"):
        try:
            moment = now + as_ns(wanted["ExpirationTTL"])
        except DurationError as error:
            raise BadRequest(str(error)) from error
    else:
        return None
    left = moment - now
    for limit, word in ((_SHORTEST_LIFE, "less"), (_LONGEST_LIFE, "more")):
        if left < limit if word == "less" else left > limit:
            text = (
                f"expiration time cannot be {word} than {duration_text(limit)} in the future "
                f"(was {duration_text(left)})"
            )
            raise BadRequest(f"token 0 invalid: {error_text([text])}")
    return rfc3339(moment)


def _moment(text: str) -> int:
    try:
        given = datetime.fromisoformat(text)
        return int(given.timestamp()) * SECOND + given.microsecond * 1_000
    except (ValueError, OverflowError) as error:
        raise BadRequest(f'parsing time "{text}": it must look like 2006-01-02T15:04:05Z') from error


def _expired(token: Row) -> bool:
    return token["ExpirationTime"] is not None and parse_rfc3339(token["ExpirationTime"]) < now_ns()


def _digest(*parts: str) -> str:
    return base64.b64encode(hashlib.blake2b("".join(parts).encode(), digest_size=32).digest()).decode()


def _token_hash(token: Row) -> str:
    scope = "global" if token["Global"] else "local"
    roles = (role["ID"] for role in token["Roles"] or ())
    return _digest(token["Name"], token["Type"], *(token["Policies"] or ()), scope, *roles)


def _policy_errors(body: Row) -> list[str]:
    errors = []
    if not _NAME.fullmatch(body.get("Name") or ""):
        errors.append(f"invalid name '{body.get('Name') or ''}'")
    if len(body.get("Description") or "") > 256:
        errors.append("description longer than 256")
    try:
        policy_rules.parse(body.get("Rules") or "")
    except RulesError as error:
        errors.append(f"failed to parse rules: {error}")
    return errors
