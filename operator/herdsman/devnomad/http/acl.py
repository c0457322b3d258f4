"""`/v1/acl/…`: tokens, policies, roles."""

from herdsman.devnomad.errors import BadRequest, NotFound, NotSimulated
from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.lists import blocking, by_id, by_name, by_token, page
from herdsman.devnomad.http.reply import Reply, Value, nothing
from herdsman.devnomad.http.routing import exact, under
from herdsman.devnomad.rpc.acl import policy_stub, token_stub
from herdsman.devnomad.types import Row


def _manage(call: Call) -> None:
    call.agent.acl.require_enabled()
    call.require(call.access.everything)


def bootstrap(call: Call) -> Reply:
    """Make the first management token."""
    body = call.request("structs.ACLTokenBootstrapRequest", optional=True)
    token = call.agent.acl.bootstrap(body.get("BootstrapSecret") or "")
    return Value(token, token["ModifyIndex"])


# -- tokens --------------------------------------------------------------------------------------------------------
async def list_tokens(call: Call) -> Reply:
    """All tokens, without their secrets."""
    _manage(call)
    store, prefix = call.agent.store, call.prefix
    only_global = call.flag("global")

    def read() -> Value:
        rows = [
            row for row in store.tokens if row["AccessorID"].startswith(prefix) and (not only_global or row["Global"])
        ]
        rows.sort(key=lambda row: row["CreateIndex"], reverse=call.backwards)
        return page(
            call,
            rows,
            index=max(store.tokens.index, 1),
            order=by_token,
            descending=call.backwards,
            show=token_stub,
        )

    return await blocking(call, read, ("tokens",))


def put_token(call: Call) -> Reply:
    """Make or change a token."""
    _manage(call)
    body = call.request("structs.ACLToken")
    if call.between and body.get("AccessorID") != call.between:
        raise BadRequest("ACL token accessor ID does not match request path")
    if not call.between and body.get("AccessorID"):
        raise BadRequest("ACL token AccessorID must not be set when creating a token")
    token = call.agent.acl.upsert_token(body, call.between)
    return Value(token, token["ModifyIndex"])


def read_token(call: Call) -> Reply:
    """One token; its bearer may always."""
    call.agent.acl.require_enabled()
    token = call.agent.store.tokens.get(call.between)
    call.require(call.access.everything or (token is not None and token["SecretID"] == call.secret))
    if token is None:
        raise NotFound("ACL token not found")
    return Value(token, token["ModifyIndex"])


def self_token(call: Call) -> Reply:
    """The caller's own token."""
    token = call.agent.acl.self_token(call.secret)
    return Value(token, token["ModifyIndex"])


def delete_token(call: Call) -> Reply:
    """Remove a token."""
    _manage(call)
    return nothing(call.agent.acl.delete_token(call.between))


def one_time(call: Call) -> Reply:
    """A token to be exchanged for the real one."""
    call.require(call.secret)
    answer = call.agent.acl.one_time(call.secret)
    return Value(answer, answer["Index"])


def exchange(call: Call) -> Reply:
    """The real token for a one-time token."""
    answer = call.agent.acl.exchange(call.request("structs.OneTimeTokenExchangeRequest").get("OneTimeSecretID") or "")
    return Value(answer, answer["Index"])


# -- policies ------------------------------------------------------------------------------------------------------
async def list_policies(call: Call) -> Reply:
    """All policies; without a management token, the caller's own."""
    call.agent.acl.require_enabled()
    store, prefix, access = call.agent.store, call.prefix, call.access

    def read() -> Value:
        rows = (
            row
            for row in store.policies.ordered()
            if row["Name"].startswith(prefix) and (access.everything or row["Name"] in access.policies)
        )
        return page(call, rows, index=max(store.policies.index, 1), order=by_name, show=policy_stub)

    return await blocking(call, read, ("policies",))


def read_policy(call: Call) -> Reply:
    """One policy."""
    call.agent.acl.require_enabled()
    call.require(call.access.everything or call.between in call.access.policies)
    row = call.agent.store.policies.get(call.between)
    if row is None:
        raise NotFound("ACL policy not found")
    return Value(row, row["ModifyIndex"])


def put_policy(call: Call) -> Reply:
    """Make or change a policy."""
    _manage(call)
    return nothing(call.agent.acl.upsert_policy(call.request("structs.ACLPolicy"), call.between))


def delete_policy(call: Call) -> Reply:
    """Remove a policy."""
    _manage(call)
    return nothing(call.agent.acl.delete_policy(call.between))


# -- roles ---------------------------------------------------------------------------------------------------------
def _own_roles(call: Call) -> set[str]:
    if not call.secret:
        return set()
    return {link["ID"] for link in call.agent.acl.self_token(call.secret)["Roles"] or ()}


async def list_roles(call: Call) -> Reply:
    """All roles; without a management token, the caller's own."""
    call.agent.acl.require_enabled()
    store, prefix = call.agent.store, call.prefix
    own = None if call.access.everything else _own_roles(call)

    def read() -> Value:
        rows = (
            row for row in store.roles.ordered() if row["ID"].startswith(prefix) and (own is None or row["ID"] in own)
        )
        return page(call, rows, index=max(store.roles.index, 1), order=by_id, show=lambda row: row)

    return await blocking(call, read, ("roles",))


def _shown(call: Call, role: Row | None) -> Reply:
    if role is None:
        call.require(call.access.everything)
        raise NotFound("ACL role not found")
    call.require(call.access.everything or role["ID"] in _own_roles(call))
    return Value(role, role["ModifyIndex"])


def read_role(call: Call) -> Reply:
    """One role."""
    call.agent.acl.require_enabled()
    return _shown(call, call.agent.store.roles.get(call.between))


def read_role_by_name(call: Call) -> Reply:
    """One role, by its name."""
    call.agent.acl.require_enabled()
    found = call.agent.store.roles.find("name", call.between)
    return _shown(call, found[0] if found else None)


def put_role(call: Call) -> Reply:
    """Make or change a role."""
    _manage(call)
    role = call.agent.acl.upsert_role(call.request("structs.ACLRole"), call.between)
    return Value(role, role["ModifyIndex"])


def delete_role(call: Call) -> Reply:
    """Remove a role."""
    _manage(call)
    return nothing(call.agent.acl.delete_role(call.between))


def sign_in(_call: Call) -> Reply:
    """Logins by other parties."""
    raise NotSimulated("Signing in by an auth method")


ROUTES = (
    exact("/v1/acl/bootstrap", put=bootstrap),
    exact("/v1/acl/tokens", get=list_tokens),
    exact("/v1/acl/token", put=put_token),
    exact("/v1/acl/token/self", get=self_token),
    exact("/v1/acl/token/onetime", put=one_time),
    exact("/v1/acl/token/onetime/exchange", put=exchange),
    under("/v1/acl/token/", get=read_token, put=put_token, delete=delete_token),
    exact("/v1/acl/policies", get=list_policies),
    under("/v1/acl/policy/", get=read_policy, put=put_policy, delete=delete_policy),
    exact("/v1/acl/roles", get=list_roles),
    exact("/v1/acl/role", put=put_role),
    under("/v1/acl/role/name/", get=read_role_by_name),
    under("/v1/acl/role/", get=read_role, put=put_role, delete=delete_role),
    exact("/v1/acl/auth-methods", get=sign_in),
    exact("/v1/acl/auth-method", put=sign_in),
    under("/v1/acl/auth-method/", get=sign_in, put=sign_in, delete=sign_in),
    exact("/v1/acl/binding-rules", get=sign_in),
    exact("/v1/acl/binding-rule", put=sign_in),
    under("/v1/acl/binding-rule/", get=sign_in, put=sign_in, delete=sign_in),
    exact("/v1/acl/login", put=sign_in),
    under("/v1/acl/oidc/", put=sign_in),
)
