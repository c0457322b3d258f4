"""The dashboard's own files, kept in memory and served under names that hold a digest of their content.

A name never stands for two contents, so a browser may keep what it has for ever, and a new version is fetched at once.
"""

from hashlib import blake2s
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Assets:
    """All files of *folder* that have a known type, below the path *root*."""

    def __init__(self, folder: Traversable | None = None, *, root: str = "") -> None:
        self._addresses: dict[str, str] = {}
        self._files: dict[str, tuple[bytes, str]] = {}
        for file in (folder or files("herdsman.dashboard") / "static").iterdir():
            name = PurePosixPath(file.name)
            if name.suffix in _TYPES:
                data = file.read_bytes()
                served = f"{name.stem}.{blake2s(data, digest_size=6).hexdigest()}{name.suffix}"
                self._addresses[file.name] = f"{root}/static/{served}"
                self._files[served] = (data, _TYPES[name.suffix])

    def address(self, name: str) -> str:
        """Where the file *name* is served."""
        return self._addresses[name]

    def serve(self, request: Request) -> Response:
        """The endpoint of `/static/{file}`."""
        data, media_type = self._files.get(request.path_params["file"], (b"", ""))
        if not media_type:
            return PlainTextResponse("There is no such file. Reload the page that asked for it.\n", status_code=404)
        return Response(data, media_type=media_type, headers={"Cache-Control": "public, max-age=31536000, immutable"})
