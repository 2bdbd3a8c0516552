"""The client of the Python SDK against `countersign mcp` and `serve --mcp`, in both lifecycles of the protocol.

usage: client.py COUNTERSIGN URL TOKEN
"""

import asyncio
import os
import sys

import httpx2
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

PROGRAM, URL, TOKEN = sys.argv[1:]


def server(kind):
    if kind == "stdio":
        environment = {"COUNTERSIGN_URL": URL, "COUNTERSIGN_TOKEN": TOKEN, "HOME": os.environ["HOME"]}
        return StdioServerParameters(command=PROGRAM, args=["mcp", "--hold-seconds", "20"], env=environment)
    client = httpx2.AsyncClient(headers={"authorization": f"Bearer {TOKEN}"}, timeout=40)
    return streamable_http_client(f"{URL}/mcp", http_client=client)


def body(kind, mode, **parameters):
    return {
        "operation_type": "create_snapshot",
        "instance_id": "production-db-01",
        "environment": "production",
        "parameters": {"client": "python", "kind": kind, "mode": mode, **parameters},
        "justification": "a test with a client of others",
    }


async def journey(kind, mode):
    told = []

    async def progress(value, total, message):
        told.append((value, message))

    async with Client(server(kind), mode=mode, read_timeout_seconds=45) as client:
        tools = await client.list_tools()
        assert len(tools.tools) == 9, tools
        request = body(kind, mode, after=6)
        approved = await client.call_tool("request_approval", request, progress_callback=progress)
        assert not approved.is_error, approved
        values = [value for value, _ in told]
        assert values and values == sorted(set(values)), told
        assert all("0 of 1 approval" in message for _, message in told), told
        document = approved.structured_content
        assert document["status"] == "approved", document
        named = {"request_id": document["request_id"]}
        started = await client.call_tool("start_execution", {**named, "content_digest": document["content_digest"]})
        execution = started.structured_content
        assert execution["parameters"] == request["parameters"], execution
        report = {**named, "execution_id": execution["execution_id"], "outcome": "succeeded", "result": {"ok": True}}
        finished = await client.call_tool("finish_execution", report)
        assert finished.structured_content["status"] == "executed", finished
        # The SDK holds answers against their schemas by itself.
        for name, arguments in [("simulate_request", body(kind, mode)), ("get_request", named), ("list_my_requests", {})]:
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result
        rejected = await client.call_tool("request_approval", body(kind, mode, verdict="reject"))
        assert rejected.is_error and rejected.structured_content["code"] == "rejected", rejected
        await client.call_tool("wait_for_decision", {**named, "seconds": 1})
        version = client.session.protocol_version
    print(f"python {kind} {mode}: {version}, {len(told)} times news")
    return version


async def main():
    journeys = [(kind, mode) for kind in ("stdio", "http") for mode in ("legacy", "2026-07-28")]
    versions = await asyncio.gather(*(journey(*each) for each in journeys))
    assert versions == ["2025-11-25", "2026-07-28"] * 2, versions


asyncio.run(main())
