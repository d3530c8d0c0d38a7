"""Rules of FOCUS 1.2 for a row, as its specification words them; held against what we write.

From the FinOps Open Cost and Usage Specification, version 1.2: nulls, types and allowed values of
the columns, and the conditions between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

Row = Mapping[str, str]

UNCONDITIONAL = frozenset(
    [
        "BilledCost",
        "BillingAccountId",
        "BillingAccountName",
        "BillingCurrency",
        "BillingPeriodEnd",
        "BillingPeriodStart",
        "ChargeCategory",
        "ChargeClass",
        "ChargeDescription",
        "ChargePeriodEnd",
        "ChargePeriodStart",
        "ContractedCost",
        "EffectiveCost",
        "InvoiceIssuerName",
        "ListCost",
        "PricingQuantity",
        "PricingUnit",
        "ProviderName",
        "PublisherName",
        "ServiceCategory",
        "ServiceName",
    ]
)
"""Columns that every dataset has."""

NOT_NULL = UNCONDITIONAL - {"ChargeClass", "PricingQuantity", "PricingUnit"}
DECIMAL = re.compile(r"-?\d+(\.\d+)?")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
DECIMALS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost", "PricingQuantity")
DECIMALS += ("ConsumedQuantity",)
TIMES = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"", "Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"", "Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {"AI and Machine Learning"},
    "ServiceSubcategory": {"Generative AI"},
}


def _priced(row: Row) -> bool:
    priced = row["ChargeCategory"] in ("Usage", "Purchase")
    return priced and row["ChargeClass"] != "Correction"


CONDITIONS: Mapping[str, Callable[[Row], bool]] = {
    "PricingQuantity MUST be null when ChargeCategory is Tax": lambda row: (
        row["ChargeCategory"] != "Tax" or not row["PricingQuantity"]
    ),
    "PricingQuantity MUST NOT be null for Usage and Purchase but corrections": lambda row: (
        not _priced(row) or bool(row["PricingQuantity"])
    ),
    "PricingUnit MUST be null when PricingQuantity is, and only then": lambda row: (
        bool(row["PricingUnit"]) == bool(row["PricingQuantity"])
    ),
    "PricingCategory MUST be null when ChargeCategory is Tax": lambda row: (
        row["ChargeCategory"] != "Tax" or not row["PricingCategory"]
    ),
    "PricingCategory MUST NOT be null for Usage and Purchase but corrections": lambda row: (
        not _priced(row) or bool(row["PricingCategory"])
    ),
    "ConsumedQuantity MUST be null when ChargeCategory is not Usage": lambda row: (
        row["ChargeCategory"] == "Usage" or not row["ConsumedQuantity"]
    ),
    "ConsumedQuantity MUST NOT be null for Usage but corrections": lambda row: (
        not (_priced(row) and row["ChargeCategory"] == "Usage") or bool(row["ConsumedQuantity"])
    ),
    "ConsumedUnit MUST be null when ConsumedQuantity is, and only then": lambda row: (
        bool(row["ConsumedUnit"]) == bool(row["ConsumedQuantity"])
    ),
    "ChargeFrequency MUST NOT be Usage-Based when ChargeCategory is Purchase": lambda row: (
        row["ChargeCategory"] != "Purchase" or row["ChargeFrequency"] != "Usage-Based"
    ),
    "SkuId MUST be null when ChargeCategory is Tax": lambda row: (
        row["ChargeCategory"] != "Tax" or not row["SkuId"]
    ),
    "SkuId MUST NOT be null for Usage and Purchase but corrections": lambda row: (
        not _priced(row) or bool(row["SkuId"])
    ),
    "SkuPriceId MUST have one parent SkuId": lambda row: (
        bool(row["SkuId"]) == bool(row["SkuPriceId"])
    ),
    "SkuMeter MUST be null when SkuId is": lambda row: bool(row["SkuId"]) or not row["SkuMeter"],
    "SubAccountName and SubAccountType MUST be null when SubAccountId is": lambda row: (
        bool(row["SubAccountId"]) == bool(row["SubAccountName"]) == bool(row["SubAccountType"])
    ),
    "ContractedCost, EffectiveCost and ListCost of credits MUST match BilledCost": lambda row: (
        row["ChargeCategory"] != "Credit"
        or row["ContractedCost"] == row["EffectiveCost"] == row["ListCost"] == row["BilledCost"]
    ),
    "The charge period MUST end after it starts": lambda row: (
        row["ChargePeriodStart"] < row["ChargePeriodEnd"]
    ),
}


def broken(row: Row) -> list[str]:
    """The rules that a row breaks."""
    faults = [f"{name} MUST be present" for name in UNCONDITIONAL - row.keys()]
    faults += [f"{name} MUST NOT be null" for name in NOT_NULL if not row[name]]
    faults += [
        f"{name} MUST be a decimal: {row[name]}"
        for name in DECIMALS
        if row[name] and not DECIMAL.fullmatch(row[name])
    ]
    faults += [f"{name} MUST be a time" for name in TIMES if not TIME.fullmatch(row[name])]
    faults += [
        f"{name} MUST be one of the allowed values: {row[name]}"
        for name, values in ALLOWED.items()
        if row[name] not in values
    ]
    faults += [name for name in row if not re.fullmatch(r"(x_)?[A-Z][A-Za-z]+", name)]
    return faults + [rule for rule, holds in CONDITIONS.items() if not holds(row)]


def billed(rows: list[Row], column: str) -> dict[str, Decimal]:
    """The sums of ``BilledCost`` by a column."""
    sums: dict[str, Decimal] = {}
    for row in rows:
        sums[row[column]] = sums.get(row[column], Decimal(0)) + Decimal(row["BilledCost"])
    return sums
