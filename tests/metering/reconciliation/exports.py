"""Exports in the providers' documented shapes, made of invented figures."""

from __future__ import annotations

import io
import json
from typing import Any

from backend.metering.reconciliation.exports.formats import read_export
from backend.metering.reconciliation.exports.parsing import Export
from backend_client.types.reconciliation import ReconciliationOptions

DAY_ONE = 1_759_622_400  # 2025-10-05T00:00:00Z
DAY_SECONDS = 86_400

OPENAI_USAGE_CSV = """\
start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,\
model,batch,service_tier,input_tokens,output_tokens,input_cached_tokens,input_uncached_tokens,\
input_text_tokens,output_text_tokens,input_cached_text_tokens,input_audio_tokens,\
input_cached_audio_tokens,output_audio_tokens,input_image_tokens,input_cached_image_tokens,\
output_image_tokens
1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,proj_a,10.0,user-a,key_a,\
gpt-4o-2024-08-06,FALSE,default,59200.0,10646.0,5760.0,53440.0,53440.0,10646.0,5760.0,0.0,0.0,0.0,\
0.0,0.0,0.0
1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,proj_b,2.0,user-a,key_b,\
gpt-4o-2024-08-06,FALSE,default,800.0,354.0,0.0,800.0,800.0,354.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0
1759708800,1759795200,2025-10-06T00:00:00+00:00,2025-10-07T00:00:00+00:00,,,,,,,,,,,,,,,,,,,,
"""
OPENAI_COSTS_CSV = """\
start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id,\
organization_id,organization_name
1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,0.13360000000000000000,\
usd,"gpt-4o-2024-08-06, input",,org-a,Personal
1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,0.1065,usd,,,org-a,\
Personal
1759708800,1759795200,2025-10-06T00:00:00+00:00,2025-10-07T00:00:00+00:00,,,,,,
"""


def openai_usage(*results: dict[str, Any], day: int = 0, **page: Any) -> dict[str, Any]:
    """A page of the usage API with one bucket of a day."""
    start = DAY_ONE + day * DAY_SECONDS
    rows = [
        {
            "object": "organization.usage.completions.result",
            "input_tokens": 1000,
            "output_tokens": 500,
            "input_cached_tokens": 800,
            "num_model_requests": 5,
            "project_id": None,
            "user_id": None,
            "api_key_id": None,
            "model": "gpt-4o-2024-08-06",
            "batch": None,
            **result,
        }
        for result in results
    ]
    bucket = {
        "object": "bucket",
        "start_time": start,
        "end_time": start + DAY_SECONDS,
        "results": rows,
    }
    return {"object": "page", "data": [bucket], "has_more": False, "next_page": None, **page}


def openai_costs(*results: dict[str, Any]) -> dict[str, Any]:
    """A page of the costs API with one bucket of a day."""
    rows = [
        {
            "object": "organization.costs.result",
            "amount": {"value": 0.06, "currency": "usd"},
            "line_item": "gpt-4o-2024-08-06, input",
            "project_id": None,
            **result,
        }
        for result in results
    ]
    page = openai_usage()
    page["data"][0]["results"] = rows
    return page


def anthropic_report(*results: dict[str, Any]) -> dict[str, Any]:
    """A page of one of Anthropic's reports with one bucket of a day."""
    bucket = {
        "starting_at": "2025-10-05T00:00:00Z",
        "ending_at": "2025-10-06T00:00:00Z",
        "results": list(results),
    }
    return {"data": [bucket], "has_more": False, "next_page": None}


ANTHROPIC_USAGE = {
    "uncached_input_tokens": 1500,
    "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
    "cache_read_input_tokens": 200,
    "output_tokens": 500,
    "server_tool_use": {"web_search_requests": 10},
    "api_key_id": None,
    "workspace_id": None,
    "model": "claude-sonnet-4-5-20250929",
    "service_tier": "standard",
    "context_window": "0-200k",
    "inference_geo": "not_available",
}
ANTHROPIC_COST = {
    "currency": "USD",
    "amount": "123.45",
    "workspace_id": None,
    "description": "Claude Sonnet 4.5 Usage - Input Tokens",
    "cost_type": "tokens",
    "context_window": "0-200k",
    "model": "claude-sonnet-4-5-20250929",
    "service_tier": "standard",
    "token_type": "uncached_input_tokens",
}


def read(content: Any, **options: Any) -> tuple[str, Export]:
    """Read an export from text, bytes or a document."""
    if isinstance(content, str):
        content = content.encode()
    elif not isinstance(content, bytes):
        content = json.dumps(content).encode()
    chosen, export = read_export(
        io.BytesIO(content), ReconciliationOptions(provider="test", **options)
    )
    return chosen.value, export
