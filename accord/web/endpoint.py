"""A policy behind an address: any server that speaks the chat completions of OpenAI.

``POST {url}/chat/completions`` with ``stream: true``; the pieces come as server-sent events.
"""

import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from accord.config import InputError
from accord.records import Message, Sampling

PATIENCE = httpx2.Timeout(10.0, read=120.0)  # seconds to connect, and between two pieces
END = "[DONE]"
CUT = ("length", "content_filter")  # reasons to end that are not the response's own
SHOWN = 200  # characters of what a server says that does not answer


@dataclass(frozen=True)
class Endpoint:
    """Writes responses with a model of a server elsewhere.

    Attributes:
        name: as the ledger calls it.
        url: up to where ``/chat/completions`` begins, ``http://localhost:11434/v1`` for example.
        model: as the server calls it.
        sampling: ``top_k`` is not part of the protocol and must be 0.
        key: sent as ``Authorization: Bearer``; None where the server asks for none.
    """

    name: str
    url: str
    model: str
    sampling: Sampling
    key: SecretStr | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"`{self.url}` is no address; write `http://localhost:11434/v1`")
        if self.sampling.top_k:
            raise InputError(f"`{self.name}`: an endpoint cannot be asked for `top_k`; leave it 0")

    @property
    def digest(self) -> str:
        """SHA-256 of the address and the model: what it runs cannot be seen from here."""
        return hashlib.sha256(f"{self.url}\0{self.model}".encode()).hexdigest()

    def stream(self, messages: Sequence[Message], *, seed: int) -> Generator[str, None, bool]:
        """The response to a conversation, piece by piece.

        Returns:
            At its end, True; False when the server says that it was cut off.

        Raises:
            RuntimeError: the server refused, sent what is no completion, or stopped in the middle.
            httpx2.TransportError: it cannot be reached, or fell silent.
        """
        body = {
            "model": self.model,
            "messages": [message.model_dump() for message in messages],
            "stream": True,
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "max_tokens": self.sampling.max_tokens,
            "seed": seed,
        }
        key = {} if self.key is None else {"Authorization": f"Bearer {self.key.get_secret_value()}"}
        address = f"{self.url.rstrip('/')}/chat/completions"
        with (
            httpx2.Client(timeout=PATIENCE, headers=key) as client,
            client.stream("POST", address, json=body) as reply,
        ):
            if not reply.is_success:
                said = reply.read().decode(errors="replace")[:SHOWN]
                raise RuntimeError(f"`{self.name}` answered {reply.status_code}: {said}")
            reason = ""
            for line in reply.iter_lines():
                field, _, value = line.partition(":")
                if field != "data":
                    continue
                if value.strip() == END:
                    return reason not in CUT
                piece, why = self._piece(value)
                reason = why or reason
                if piece:
                    yield piece
        if not reason:
            raise RuntimeError(f"`{self.name}` stopped in the middle of a response")
        return reason not in CUT

    def _piece(self, data: str) -> tuple[str, str]:
        """A piece of text, and the reason to end; either may be empty."""
        try:
            choices = json.loads(data)["choices"]
            piece = choices[0]["delta"].get("content") if choices else None
            reason = choices[0].get("finish_reason") if choices else None
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise RuntimeError(f"`{self.name}` sent no completion: {data[:SHOWN]}") from error
        return str(piece or ""), str(reason or "")
