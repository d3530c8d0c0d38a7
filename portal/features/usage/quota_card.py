"""The card with the quotas of the plan; not there without one."""

from __future__ import annotations

import reflex as rx

from portal.features.usage.quota_state import Quotas
from portal.features.usage.quotas import QUOTA_HEIGHT
from portal.kit.blocks import card
from portal.kit.fields import choice
from portal.kit.vars import each, length
from portal.kit.vega_chart import vega_chart


def quota_card() -> rx.Component:
    """What was used of a quota, what will be, and its limit."""
    return rx.cond(
        length(Quotas.quotas) > 0,
        card(
            rx.text(Quotas.note, size="2", color_scheme="gray", margin_bottom="var(--space-3)"),
            vega_chart(
                spec=Quotas.spec, rows=Quotas.rows, description=Quotas.note, height=QUOTA_HEIGHT
            ),
            heading="Quota",
            aside=choice(
                "Quota",
                Quotas.place,
                Quotas.choose,
                each(Quotas.quotas, lambda quota: rx.select.item(quota.name, value=quota.id)),
                width="auto",
            ),
            id="usage-quota",
        ),
    )
