"""Changes of usage as the API's type, for previews."""

from __future__ import annotations

import msgspec

from backend.metering.counting.deltas import RollupDeltas
from backend_client.types.corrections import UsageChange

_labels = msgspec.json.Decoder(dict[str, str])


def usage_changes(deltas: RollupDeltas) -> list[UsageChange]:
    """Return the additions to the rollups and subtractions from them, in their order."""
    return [
        UsageChange(
            start=bucket,
            application=application,
            key=key or None,
            model=model,
            upstream=upstream or None,
            meter=meter,
            labels=_labels.decode(labels),
            quantity=quantity,
            event_count=count,
        )
        for (_, bucket, application, key, model, upstream, meter, labels), quantity, count in deltas
    ]
