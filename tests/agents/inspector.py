"""The Inspector's command line against `countersign mcp` and `serve --mcp`.

usage: inspector.py NODE COUNTERSIGN URL TOKEN
"""

import json
import os
import subprocess
import sys

NODE, PROGRAM, URL, TOKEN = sys.argv[1:]
LAUNCHER = os.path.join(os.environ["AGENTS_TOOLS"], "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js")
STDIO = ["-e", f"COUNTERSIGN_URL={URL}", "-e", f"COUNTERSIGN_TOKEN={TOKEN}", PROGRAM, "mcp", "--hold-seconds", "2"]
HTTP = [f"{URL}/mcp", "--transport", "http", "--header", f"Authorization: Bearer {TOKEN}"]


def ask(target, *arguments):
    command = [NODE, LAUNCHER, "--cli", *target, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if ended.returncode != 0 and "tools/list" in arguments:
        sys.exit(f"{arguments}: {ended.stderr}")
    try:
        return json.loads(ended.stdout[ended.stdout.index("{") :]), ended.stderr
    except ValueError:
        sys.exit(f"{arguments}: {ended.stdout} {ended.stderr}")


for name, target in [("stdio", STDIO), ("http", HTTP)]:
    listed, said = ask(target, "--method", "tools/list", "--strict")
    tools = {tool["name"] for tool in listed["tools"]}
    assert len(tools) == 9 and "request_approval" in tools, listed
    # Schemas that some clients do not understand are warnings.
    assert "outputSchema" not in said and "inputSchema" not in said, said
    arguments = [
        "operation_type=create_snapshot",
        "instance_id=production-db-01",
        "environment=production",
        'parameters={"client":"inspector","verdict":"none"}',
        "justification=a test with a client of others",
    ]
    called, _ = ask(target, "--method", "tools/call", "--tool-name", "simulate_request", "--tool-arg", *arguments)
    assert called["structuredContent"]["approvals_required"] == 1, called
    called, _ = ask(target, "--method", "tools/call", "--tool-name", "list_my_requests")
    assert isinstance(called["structuredContent"]["items"], list), called
    print(f"inspector {name}: {len(tools)} tools")
