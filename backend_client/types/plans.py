"""Plans as data: what a plan version charges, includes and allows."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from backend_client.types.charges import (
    Charge,
    FlatCharge,
    Id,
    Price,
    PricedBy,
    TimeWindow,
    UsageCharge,
    check_limits,
    check_tiers,
    refuse,
)
from backend_client.types.common import Answer, Currency, Instant, Wire
from backend_client.types.events import Name
from backend_client.types.limits import ModelLimitsList, RateLimits
from backend_client.types.plan_terms import (
    Discount,
    GrantTerms,
    IncludedPool,
    OwnPrice,
    PriceList,
    Proration,
    Quota,
    TrialQuota,
)
from backend_client.types.texts import Prose, Title

_LISTED: Final[Mapping[PricedBy, str]] = {
    "price": "a price",
    "tiers": "tiers",
    "percent": "neither price nor tiers",
}
"""What a price list in another currency must have of a charge."""


def _alike(labels: Mapping[str, str], others: Mapping[str, str]) -> bool:
    """Say whether usage could have both sets of labels, and neither set says more."""
    return len(labels) == len(others) and all(
        labels.get(name, value) == value for name, value in others.items()
    )


class PlanDefinition(Wire):
    """A plan version's content. Immutable once published.

    ``minimum`` is the least that a period on the plan costs, after discounts; prorated like a fee.
    ``maximum`` is the most, also of a period in part. A yearly fee counts towards both with the
    part of its year that the period is.
    Only the operator puts a tenant on a plan that is ``by_contract``. With ``prepaid`` each call is
    paid from the wallet at once. A tenant's first subscription to the plan begins with
    ``trial_days`` on trial; then it goes on, or with ``trial_ends`` the catalog's default plan
    follows. No call on trial passes the ``trial_quotas``, and none begins once usage on trial is
    worth ``trial_amount`` by the plan's prices. ``price_lists`` are the prices in other currencies
    than ``currency``.

    What the plan entitles to: calls of ``models`` only (null: of all on sale), within the
    ``limits`` of all the tenant's calls together, the ``model_limits`` of those of some models, and
    the ``quotas``; and ``features``, which are
    words for the operator's own programs to ask for.
    """

    id: Id = Field(description="What the plan is known by: subscriptions and the catalog name it.")
    name: Title = Field(min_length=1, max_length=200, description="What people read it as.")
    description: Prose = Field(
        "", description="What the plan is for, shown to those who choose one."
    )
    currency: Currency = "USD"
    windows: list[TimeWindow] = Field(
        [], description="Hours of the day with prices of their own, which charges name."
    )
    charges: list[Charge] = Field([], description="What is asked for: fees, and prices of usage.")
    pools: list[IncludedPool] = Field([], description="Free units that several charges share.")
    discounts: list[Discount] = Field(
        [], description="What is taken off charges, or off the whole."
    )
    minimum: Price | None = Field(
        None,
        description="The least that a period costs after discounts, prorated like a fee; null "
        "for none.",
    )
    maximum: Price | None = Field(
        None,
        description="The most that a period costs, of a period in part too; null for no bound.",
    )
    quotas: list[Quota] = Field([], description="How many units a period allows.")
    models: list[Name] | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="The models that may be called; null for all on sale.",
    )
    limits: RateLimits = Field(
        RateLimits(), description="What all calls of the tenant together may do at a time."
    )
    model_limits: ModelLimitsList = []
    features: list[Id] = Field(
        [],
        max_length=100,
        description="Words for the seller's own programs, which ask by `/v1/entitlements` "
        "whether a tenant has them.",
    )
    grants: list[GrantTerms] = Field(
        [], description="Credit that the plan brings, with each period or once."
    )
    prepaid: bool = Field(
        False,
        description="Whether each call is paid from the wallet at once, and refused without "
        "enough credit in it.",
    )
    by_contract: bool = Field(
        False,
        description="Whether only the operator can put a tenant on it; it is not offered to "
        "choose.",
    )
    proration: Proration = Field(
        Proration.SECOND,
        description="How a fee is divided over part of a period: by the `second`, or by the `day`.",
    )
    trial_days: int = Field(
        0,
        ge=0,
        le=366,
        description="How many days a tenant's first subscription to it is on trial, which "
        "asks for no money; 0 for no trial.",
    )
    trial_ends: bool = Field(
        False,
        description="What follows a trial: true moves the tenant to the catalog's default "
        "plan, false lets this one go on.",
    )
    trial_quotas: list[TrialQuota] = Field([], description="How many units a trial allows in all.")
    trial_amount: Annotated[Price, Field(gt=0)] | None = Field(
        None,
        description="What usage on trial may be worth by the plan's prices; then calls are "
        "refused. Null for no bound.",
    )
    price_lists: list[PriceList] = Field(
        [], description="All of its prices in other currencies than `currency`."
    )

    @model_validator(mode="after")
    def _charges_do_not_overlap(self) -> Self:
        ids: set[str] = set()
        seen: defaultdict[tuple[str, str | None, str | None], list[UsageCharge]] = defaultdict(list)
        windows = {window.id for window in self.windows}
        for index, charge in enumerate(self.charges):
            if charge.id in ids:
                refuse(f"another charge has the id {charge.id!r}", "charges", index, "id")
            ids.add(charge.id)
            if isinstance(charge, FlatCharge):
                continue
            if charge.window is not None and charge.window not in windows:
                at = ("charges", index, "window")
                refuse(f"there is no window {charge.window!r} in this plan", *at)
            models: Sequence[str | None] = charge.models or (None,)
            for meter, model in itertools.product(charge.meters, models):
                others = seen[meter, model, charge.window]
                for other in others:
                    if other.id != charge.id and _alike(other.labels, charge.labels):
                        of = f" of {model}" if model else ""
                        refuse(f"charge {other.id!r} prices {meter}{of} too", "charges", index)
                others.append(charge)
        return self

    def allows(self, model: str) -> bool:
        """Tell whether the plan lets a model be called."""
        return self.models is None or model in self.models

    @property
    def priced_labels(self) -> frozenset[str]:
        """Names of the labels that usage must be counted by for this plan to price it."""
        return frozenset(
            name
            for charge in self.charges
            if not isinstance(charge, FlatCharge)
            for name in charge.labels
        )

    @model_validator(mode="after")
    def _pools_and_discounts_name_charges(self) -> Self:
        usage = {charge.id for charge in self.charges if not isinstance(charge, FlatCharge)}
        pooled: set[str] = set()
        for index, pool in enumerate(self.pools):
            for place, charge_id in enumerate(pool.charges):
                at = ("pools", index, "charges", place)
                if charge_id not in usage:
                    refuse(f"there is no usage charge {charge_id!r} in this plan", *at)
                if charge_id in pooled:
                    refuse(f"charge {charge_id!r} draws on a pool already", *at)
                pooled.add(charge_id)
        every = {charge.id for charge in self.charges}
        for index, discount in enumerate(self.discounts):
            for place, charge_id in enumerate(discount.charges or ()):
                if charge_id not in every:
                    at = ("discounts", index, "charges", place)
                    refuse(f"there is no charge {charge_id!r} in this plan", *at)
        for field in ("windows", "pools", "discounts", "grants"):
            ids = [part.id for part in getattr(self, field)]
            for index, part_id in enumerate(ids):
                if part_id in ids[:index]:
                    refuse(f"the id {part_id!r} is given twice", field, index, "id")
        return self

    @model_validator(mode="after")
    def _models_and_features_are_named_once(self) -> Self:
        for field, names in (("models", self.models or []), ("features", self.features)):
            for index, name in enumerate(names):
                if name in names[:index]:
                    refuse(f"{name!r} is given twice", field, index)
        return self

    @model_validator(mode="after")
    def _price_lists_are_whole(self) -> Self:
        """A list that forgot a price would sell for nothing: each must have them all."""
        seen = {self.currency}
        for index, prices in enumerate(self.price_lists):
            at = ("price_lists", index)
            if prices.currency in seen:
                refuse(f"there are prices in {prices.currency} already", *at, "currency")
            seen.add(prices.currency)
            self._check_price_list(prices, at)
        return self

    @model_validator(mode="after")
    def _minimum_is_below_maximum(self) -> Self:
        check_limits(self.minimum, self.maximum)
        for index, prices in enumerate(self.price_lists):
            check_limits(prices.minimum, prices.maximum, "price_lists", index)
        return self

    @model_validator(mode="after")
    def _trial_quotas_have_a_trial(self) -> Self:
        if self.trial_quotas and not self.trial_days:
            refuse("this plan has no trial: give trial_days too", "trial_quotas")
        if self.trial_amount is not None and not self.trial_days:
            refuse("this plan has no trial: give trial_days too", "trial_amount")
        return self

    def _check_price_list(self, prices: PriceList, at: tuple[str, int]) -> None:
        given = {listed.id: (place, listed) for place, listed in enumerate(prices.charges)}
        for charge in self.charges:
            place, listed = given.pop(charge.id, (None, None))
            if charge.priced_by == "percent" and listed is None:
                continue
            if listed is None or place is None:
                refuse(f"charge {charge.id!r} has no price in {prices.currency}", *at, "charges")
            if (listed.tiers is not None, listed.price is not None) != (
                charge.priced_by == "tiers",
                charge.priced_by == "price",
            ):
                what = _LISTED[charge.priced_by]
                refuse(f"charge {charge.id!r} needs {what}", *at, "charges", place)
            if listed.tiers is not None:
                size = getattr(charge, "package_size", None)
                check_tiers(listed.tiers, size, *at, "charges", place)
            for field in ("minimum", "maximum"):
                own: Decimal | None = getattr(charge, field, None)
                if (own is None) != (getattr(listed, field) is None):
                    refuse(f"give a {field} in both currencies or in none", *at, "charges", place)
        for charge_id, (place, _) in given.items():
            refuse(f"there is no charge {charge_id!r} in this plan", *at, "charges", place)
        for field in ("minimum", "maximum", "trial_amount"):
            if (getattr(self, field) is None) != (getattr(prices, field) is None):
                refuse(f"give a {field} in both currencies or in none", *at, field)
        if set(prices.discounts) != {
            discount.id for discount in self.discounts if discount.amount is not None
        }:
            refuse("give the amounts of the discounts that have one", *at, "discounts")
        if set(prices.grants) != {grant.id for grant in self.grants}:
            refuse("give the amount of every grant", *at, "grants")

    @model_validator(mode="after")
    def _prepaid_calls_have_a_price(self) -> Self:
        """A call is paid at once, so its price can't depend on the rest of its period."""
        if not self.prepaid:
            return self
        for index, charge in enumerate(self.charges):
            if (
                isinstance(charge, FlatCharge)
                or not charge.priced_at_once
                or charge.included
                or charge.included_per_seat
                or charge.minimum
                or charge.maximum
            ):
                detail = "a prepaid plan has per_unit and percentage charges without limits only"
                refuse(detail, "charges", index)
        limited = self.minimum is not None or self.maximum is not None
        if self.pools or self.discounts or limited:
            refuse("a prepaid plan has no pools, discounts, minimum or maximum", "prepaid")
        return self


class Plan(Answer):
    """A plan's published version.

    One that was made for a single tenant has the ``own_prices`` that were agreed with it, and is
    otherwise the version ``base_version``; its prices are in the tenant's currency alone.
    """

    definition: PlanDefinition = Field(
        description="What the version charges, includes and allows. It never changes."
    )
    version: int = Field(description="Which version it is, counted from 1 for each plan.")
    published_at: Instant = Field(description="When it was published.")
    own_prices: list[OwnPrice] = Field(
        [],
        description="What was agreed with the one tenant that this version was made for; "
        "empty for one on sale.",
    )
    base_version: int | None = Field(
        None,
        description="The version on sale that one with `own_prices` was made of; null for one "
        "on sale.",
    )
