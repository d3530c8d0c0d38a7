"""The plans of the year of credit: two prepaid ones and one that is invoiced, in two currencies."""

from __future__ import annotations

SPOT = {
    "USD": {
        "input": "3.1",
        "cached": "0.775",
        "small-input": "0.2",
        "output": "12.5",
        "night-output": "9.999999",
        "thinking": "14.25",
        "requests": "0.0005",
    },
    "JPY": {
        "input": "465",
        "cached": "116.25",
        "small-input": "30",
        "output": "1875",
        "night-output": "1499.5",
        "thinking": "2137.5",
        "requests": "0.075",
    },
}
PRO = {
    "USD": {"tokens": "2.4", "requests": "0.002"},
    "JPY": {"tokens": "360", "requests": "0.3"},
}
METERED = {
    "USD": {"fee": "24.90", "input": "3.333333", "low": "15", "high": "11", "step": "0.40"},
    "JPY": {"fee": "3735", "input": "499.99995", "low": "2250", "high": "1650", "step": "60"},
}
INCLUDED, EDGE = 50_000, 200_000
"""Output tokens that are free on the invoiced plan, and the last unit of its first tier."""

GRANTS: dict[str, list[dict[str, object]]] = {
    "spot": [
        {"id": "monthly", "name": "Monthly", "amount": "6", "rollover_cap": "2.5"},
        {
            "id": "small-only",
            "name": "For the small model",
            "amount": "1.5",
            "priority": 10,
            "models": ["small"],
        },
        {
            "id": "hello",
            "name": "Hello",
            "amount": "3",
            "recurs": False,
            "expires_after_days": 45,
            "priority": 50,
        },
    ],
    "pro": [{"id": "monthly", "name": "Monthly", "amount": "11", "rollover_cap": "20"}],
    "metered": [{"id": "monthly", "name": "Monthly", "amount": "4.005", "rollover_cap": "1.25"}],
}
IN_YEN: dict[str, dict[str, str]] = {
    "spot": {"monthly": "900", "small-only": "225", "hello": "450"},
    "pro": {"monthly": "1650"},
    "metered": {"monthly": "600.75"},
}
CAPS_IN_YEN = {"spot": "375", "pro": "3000", "metered": "187.5"}
"""How much of the monthly grant is carried on."""
TRIAL_DAYS = {"pro": 9}
PREPAID = frozenset({"spot", "pro"})


def _per_unit(name: str, price: str, meters: list[str], **more: object) -> dict[str, object]:
    charge: dict[str, object] = {"id": name, "name": name, "kind": "per_unit", "meters": meters}
    return charge | {"price": price} | more


def _tiers(prices: dict[str, str]) -> list[dict[str, object]]:
    return [
        {"up_to": EDGE, "price": prices["low"]},
        {"up_to": None, "price": prices["high"], "flat_fee": prices["step"]},
    ]


def _yen(plan: str, prices: dict[str, str]) -> list[dict[str, object]]:
    charges: list[dict[str, object]] = [
        {"id": name, "price": price}
        for name, price in prices.items()
        if name not in {"low", "high", "step"}
    ]
    if plan == "metered":
        charges.append({"id": "output", "tiers": _tiers(prices)})
    caps = {"monthly": CAPS_IN_YEN[plan]}
    return [{"currency": "JPY", "charges": charges, "grants": IN_YEN[plan], "rollover_caps": caps}]


PLANS: list[dict[str, object]] = [
    {
        "id": "spot",
        "name": "Spot",
        "prepaid": True,
        "windows": [
            {
                "id": "night",
                "name": "Night",
                "time_zone": "Asia/Tokyo",
                "start": "22:00",
                "end": "06:00",
            }
        ],
        "charges": [
            _per_unit("input", SPOT["USD"]["input"], ["input_tokens"], models=["large"]),
            _per_unit("cached", SPOT["USD"]["cached"], ["cached_input_tokens"], models=["large"]),
            _per_unit(
                "small-input", SPOT["USD"]["small-input"], ["input_tokens"], models=["small"]
            ),
            _per_unit("output", SPOT["USD"]["output"], ["output_tokens"]),
            _per_unit(
                "night-output", SPOT["USD"]["night-output"], ["output_tokens"], window="night"
            ),
            _per_unit("thinking", SPOT["USD"]["thinking"], ["reasoning_tokens"]),
            _per_unit("requests", SPOT["USD"]["requests"], ["requests"], unit_size=1),
        ],
        "grants": GRANTS["spot"],
        "price_lists": _yen("spot", SPOT["JPY"]),
    },
    {
        "id": "pro",
        "name": "Pro",
        "prepaid": True,
        "trial_days": TRIAL_DAYS["pro"],
        "charges": [
            _per_unit("tokens", PRO["USD"]["tokens"], ["input_tokens", "output_tokens"]),
            _per_unit("requests", PRO["USD"]["requests"], ["requests"], unit_size=1),
        ],
        "grants": GRANTS["pro"],
        "price_lists": _yen("pro", PRO["JPY"]),
    },
    {
        "id": "metered",
        "name": "Metered",
        "charges": [
            {"id": "fee", "name": "Fee", "kind": "flat", "price": METERED["USD"]["fee"]},
            _per_unit("input", METERED["USD"]["input"], ["input_tokens"]),
            {
                "id": "output",
                "name": "Output",
                "kind": "graduated",
                "meters": ["output_tokens"],
                "included": INCLUDED,
                "tiers": _tiers(METERED["USD"]),
            },
        ],
        "grants": GRANTS["metered"],
        "price_lists": _yen("metered", METERED["JPY"]),
    },
]
