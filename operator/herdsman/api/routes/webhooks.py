"""`/v1/webhooks/{provider}`: a Git server says that there is news. What is new is asked of the repository, never of
what was sent; so whoever knows the secret can cause a look, and nothing else."""

from fastapi import APIRouter, HTTPException, Request

from herdsman.api.schemas import Schema
from herdsman.core.webhooks import PROVIDERS, header_of

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

LARGEST = 25 * 1024 * 1024
"""Bytes of a payload that are read at most: as many as GitHub sends."""


class WebhookOut(Schema):
    """The webhook was understood."""

    looked: bool


@router.post("/{provider}", status_code=202)
async def webhook(request: Request, provider: str) -> WebhookOut:
    """Look at the source now. The sender proves that it knows the secret, as its provider does that."""
    if provider not in PROVIDERS:
        raise HTTPException(404, f"no provider is called {provider!r}: there are {', '.join(PROVIDERS)}")
    body = await _body(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    if not request.app.state.hooks.take(provider, headers, body):
        raise HTTPException(
            401, f"the signature in {header_of(provider)} does not fit the webhook's secret, or there is none"
        )
    return WebhookOut(looked=True)


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST:
            raise HTTPException(413, "no webhook is as large as that")
        parts.append(part)
    return b"".join(parts)
