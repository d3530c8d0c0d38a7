"""A rehearsal: what would be sent to Stripe, and nothing is.

What exists is read; what would be made is answered as Stripe would, as far as the next request
depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.platforms.adapter import Rehearsed
from backend.platforms.stripe.calls import Json, StripeCalls
from backend.platforms.stripe.forms import Form, encode


@dataclass(slots=True)
class _Pretended:
    objects: dict[str, Json] = field(default_factory=dict)
    requests: list[Rehearsed] = field(default_factory=list)


class RehearsedCalls(StripeCalls):
    """Calls that read and note, and change nothing."""

    def __init__(self, calls: StripeCalls) -> None:
        vars(self).update(vars(calls))  # over the same connections, for what is read
        self._pretended = _Pretended()

    @property
    def requests(self) -> list[Rehearsed]:
        """The requests that would have been sent, in order."""
        return self._pretended.requests

    async def get(self, path: str, form: Form | None = None) -> Json:
        """Read what exists, or would by now."""
        for object_id, pretended in self._pretended.objects.items():
            if path.endswith(f"/{object_id}"):
                return pretended
            if f"/{object_id}/" in path:
                return {"data": [], "has_more": False}
        if any(object_id in str(form) for object_id in self._pretended.objects):
            return {"data": [], "has_more": False}
        return await super().get(path, form)

    async def create(self, path: str, form: Form, key: str | None) -> tuple[Json, bool]:
        """Note a request; answer as if it had been done."""
        self._note("POST", path, form)
        return self._answer_to(path, form), True

    async def delete(self, path: str, form: Form | None = None) -> Json:
        """Note a deletion."""
        self._note("DELETE", path, form or {})
        return {}

    async def post_usage(self, form: Form) -> Json:
        """Note a meter event."""
        self._note("POST", "/v1/billing/meter_events", form)
        return {}

    async def post_json(
        self, path: str, body: Mapping[str, Any], *, token: str | None = None
    ) -> Json:
        """Note a request to v2; a session for the stream is pretended."""
        if not path.endswith("_session"):
            self._note("POST", path, body)
        return {"authentication_token": "none", "expires_at": "2999-01-01T00:00:00Z"}

    def _note(self, method: str, path: str, parameters: Mapping[str, Any]) -> None:
        lines = tuple(filter(None, encode(parameters).split("&")))
        self.requests.append(Rehearsed(method, path, lines))

    def _answer_to(self, path: str, form: Form) -> Json:
        *_, last = parts = path.split("/")
        objects = self._pretended.objects
        if len(parts) > 4 and parts[3] in objects:
            return self._moved(objects[parts[3]], last, form)
        new_id = f"new-{len(objects) + 1}"
        objects[new_id] = {
            **form,
            "id": new_id,
            "status": "draft",
            "url": "",
            "total": 0,
            "amount_remaining": 0,
            "total_taxes": [],
        }
        return objects[new_id]

    def _moved(self, pretended: Json, verb: str, form: Form) -> Json:
        if verb == "add_lines":
            lines: Any = form["lines"]
            pretended["total"] += sum(line["amount"] for line in lines)
            taxes = [tax for line in lines for tax in line["tax_amounts"] or []]
            on_top = sum(tax["amount"] for tax in taxes if not tax["tax_rate_data"]["inclusive"])
            pretended["total"] += on_top
            tax = {"amount": on_top, "tax_behavior": "exclusive"}
            pretended["total_taxes"] = [*pretended["total_taxes"], tax]
        elif verb == "finalize":
            pretended |= {"status": "open", "amount_remaining": pretended["total"]}
        return pretended
