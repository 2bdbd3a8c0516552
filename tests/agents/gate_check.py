"""Runs `countersign gate` between clients and servers of others: clients of Python and TypeScript, and servers for files, for all
features of the protocol, and one in Python.

usage: gate_check.py COUNTERSIGN NODE MODULES [CASE ...]

NODE is a program, MODULES a directory `node_modules`. What runs this has `mcp` of PyPI.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.server.mcpserver import MCPServer

COUNTERSIGN, NODE, MODULES = sys.argv[1:4] if len(sys.argv) > 3 else ("", "", "")
HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGURATION = """
server = "{server}"
hold_silent_seconds = 20
linger_seconds = 10
{more}
"""
FILES = """
[tools.read_text_file]
operation = "read_file"
instance = "/path"
[tools.list_directory]
operation = "read_file"
instance = "/path"
[tools.write_file]
operation = "write_file"
instance = "/path"
"""
EVERYTHING = """
[tools.echo]
operation = "read_file"
[tools.get-sum]
operation = "write_file"
[tools.get-env]
operation = "read_file"
[tools.get-structured-content]
operation = "read_file"
[tools.trigger-long-running-operation]
operation = "read_file"
[tools.trigger-sampling-request]
operation = "read_file"
"""
PYTHON = """
[tools.add]
operation = "write_file"
[tools.read]
operation = "read_file"
"""


class Service:
    """A service, an agent, and an approver that approves whatever waits."""

    def __init__(self, directory):
        self.directory, self.data = directory, os.path.join(directory, "data")
        arguments = [COUNTERSIGN, "serve", "--listen", "127.0.0.1:0", "--data-dir", self.data]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(arguments, text=True, **pipes)
        self.base = self.process.stdout.readline().split()[-1]
        self.agent, self.approver = self.token("bot", "agent,developer"), self.token("bob", "approver")
        self.approves, self.over = threading.Event(), threading.Event()
        self.approves.set()
        threading.Thread(target=self.approve_all, daemon=True).start()

    def token(self, name, groups):
        command = [COUNTERSIGN, "token", f"{name}@example.com", "--groups", groups, "--data-dir", self.data]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.approver}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.base}{path}", data, headers, method=method)
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def listed(self, status):
        return self.call("GET", f"/v1/approvals?status={status}")["items"]

    def approve_all(self):
        while not self.over.is_set():
            time.sleep(0.1)
            if not self.approves.is_set():
                continue
            with contextlib.suppress(OSError, ValueError):
                for item in self.listed("pending"):
                    request = self.call("GET", f"/v1/approvals/{item['request_id']}")
                    body = {"content_digest": request["content_digest"]}
                    self.call("POST", f"/v1/approvals/{item['request_id']}/approve", body)

    def stop(self):
        self.over.set()
        self.process.terminate()
        self.process.wait()

    def gate(self, server, more, words):
        """The words and variables that start a gate."""
        path = os.path.join(self.directory, f"{server}.toml")
        with open(path, "w") as file:
            file.write(CONFIGURATION.format(server=server, more=more))
        state = os.path.join(self.directory, "state")
        environment = {
            "COUNTERSIGN_URL": self.base,
            "COUNTERSIGN_TOKEN": self.agent,
            "PATH": os.environ["PATH"],
            "HOME": self.directory,
            "SECRET_OF_AGENT": "x",
        }
        return [COUNTERSIGN, "gate", "--config", path, "--state-directory", state, *words], environment


def parameters(command, environment):
    return StdioServerParameters(command=command[0], args=command[1:], env=environment)


def text(result):
    return "".join(content.text for content in result.content if content.type == "text")


def module(*path):
    return os.path.join(MODULES, *path)


def expect(is_so, what):
    if not is_so:
        raise AssertionError(what)


async def filesystem(service):
    """The server for files: reads pass, writes are approved, and what is outside its directory stays so."""
    place = os.path.join(service.directory, "files")
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, "a.txt"), "w") as file:
        file.write("content")
    program = module("@modelcontextprotocol", "server-filesystem", "dist", "index.js")
    command, environment = service.gate("files", FILES, ["--", NODE, program, place])
    for mode in ["legacy", "auto"]:
        async with Client(parameters(command, environment), mode=mode) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            expect("write_file" in tools and "read_text_file" in tools, tools)
            result = await client.call_tool("read_text_file", {"path": os.path.join(place, "a.txt")})
            expect("content" in text(result), result)
            path = os.path.join(place, f"{mode}.txt")
            result = await client.call_tool("write_file", {"path": path, "content": "größe\u202e"})
            expect(not result.is_error, result)
            with open(path) as file:
                expect(file.read() == "größe\u202e", path)
            result = await client.call_tool("read_text_file", {"path": "/etc/passwd"})
            expect(result.is_error and "denied" in text(result).lower(), result)
    written = [item for item in service.listed("executed") if item["operation_type"] == "write_file"]
    expect(len(written) == 2, written)
    expect({os.path.basename(item["instance_id"]) for item in written} == {"legacy.txt", "auto.txt"}, written)


async def everything(service, words=None, name="everything"):
    """The server with all features: what passes, what is refused, and what its child gets."""
    program = module("@modelcontextprotocol", "server-everything", "dist", "index.js")
    command, environment = service.gate(name, EVERYTHING, words or ["--", NODE, program, "stdio"])
    heard = []

    async def hear(progress, total, message):
        heard.append(progress)

    async def sample(_context, _params):
        raise AssertionError("the server has reached the model")

    async with Client(parameters(command, environment), mode="legacy", sampling_callback=sample) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        expect("echo" in tools and "get-sum" in tools, list(tools))
        expect("trigger-sampling-request" not in tools, "it has heard of a model")
        result = await client.call_tool("echo", {"message": "hello"})
        expect("hello" in text(result), result)
        result = await client.call_tool("get-sum", {"a": 2, "b": 40})
        expect("42" in text(result), result)
        if words is None:
            variables = json.loads(text(await client.call_tool("get-env", {})))
            expect("PATH" in variables, variables)
            expect(not [name for name in variables if "COUNTERSIGN" in name or "SECRET" in name], variables)
        result = await client.call_tool("get-structured-content", {"location": "New York"})
        expect(result.structured_content is not None and not result.is_error, result)
        duration = {"duration": 2, "steps": 4}
        result = await client.call_tool("trigger-long-running-operation", duration, progress_callback=hear)
        expect(heard == [1, 2, 3, 4], heard)
        prompts = await client.list_prompts()
        expect(prompts.prompts, prompts)
        resources = await client.list_resources()
        content = await client.read_resource(resources.resources[0].uri)
        expect(content.contents, content)
        unmapped = next(name for name in tools if name not in EVERYTHING)
        expect(unmapped, "every tool is mapped")


async def everything_http(service):
    """The same over HTTP."""
    program = module("@modelcontextprotocol", "server-everything", "dist", "index.js")
    port = "39417"
    environment = {**os.environ, "PORT": port}
    process = subprocess.Popen([NODE, program, "streamableHttp"], env=environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/mcp", timeout=1)
                break
            if process.poll() is not None:
                raise AssertionError("the server has ended")
            await asyncio.sleep(0.1)
            with contextlib.suppress(OSError):
                import socket

                socket.create_connection(("127.0.0.1", int(port)), 1).close()
                break
        await everything(service, ["--upstream", f"http://127.0.0.1:{port}/mcp"], "everything-http")
    finally:
        process.terminate()
        process.wait()


async def python(service):
    """A server in Python with both protocols, and agents over HTTP."""
    command, environment = service.gate("python", PYTHON, ["--", sys.executable, os.path.abspath(__file__), "--serve"])
    for mode in ["legacy", "2026-07-28", "auto"]:
        async with Client(parameters(command, environment), mode=mode) as client:
            result = await client.call_tool("add", {"a": 1, "b": len(mode)})
            expect(result.structured_content == {"result": 1 + len(mode)}, result)
            expect(result.meta and result.meta.get("countersign/request_id"), result)
    command = [*command[:2], "--listen", "127.0.0.1:0", *command[2:]]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        line = ""
        while "listening on" not in line:
            line = process.stderr.readline()
            expect(line, "it does not listen")
        url = line.split()[-1]
        threading.Thread(target=process.stderr.read, daemon=True).start()
        for mode in ["legacy", "2026-07-28", "auto"]:
            async with Client(url, mode=mode) as client:
                results = await asyncio.gather(*[client.call_tool("read", {"name": str(number)}) for number in range(8)])
                expect([text(result) for result in results] == [str(number) for number in range(8)], results)
                result = await client.call_tool("add", {"a": 2, "b": len(mode)})
                expect(result.structured_content == {"result": 2 + len(mode)}, result)
    finally:
        process.terminate()
        process.wait()


async def giving_up(service):
    """A client in TypeScript that gives up and repeats: its request is one, and runs once."""
    service.approves.clear()
    command, environment = service.gate("python", PYTHON, ["--", sys.executable, os.path.abspath(__file__), "--serve"])
    client = subprocess.Popen(
        [NODE, os.path.join(HERE, "gate_client.mjs"), MODULES, *command], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        expect(client.stdout.readline().strip() == "gave up", "it has not given up")
        expect(client.stdout.readline().strip() == "calling again", "it does not call again")
        time.sleep(0.5)
        pending = service.listed("pending")
        expect(len(pending) == 1, pending)
        service.approves.set()
        expect(client.stdout.readline().strip() == "42", "it has another result")
        expect(client.wait(timeout=20) == 0, "it has failed")
        request = service.call("GET", f"/v1/approvals/{pending[0]['request_id']}")
        expect(request["status"] == "executed", request)
    finally:
        service.approves.set()
        client.kill()


async def inspector(service):
    """Inspector, from its command line."""
    command, environment = service.gate("python", PYTHON, ["--", sys.executable, os.path.abspath(__file__), "--serve"])
    program = module("@modelcontextprotocol", "inspector", "cli", "build", "cli.js")
    if not os.path.exists(program):
        program = module(".bin", "mcp-inspector")
    # Inspector takes what is behind the first -- as the server's; a gate has one of its own.
    script = os.path.join(service.directory, "gate.sh")
    with open(script, "w") as file:
        variables = " ".join(f"{name}='{value}'" for name, value in environment.items())
        file.write(f"#!/bin/sh\nexec env {variables} " + " ".join(f"'{word}'" for word in command) + "\n")
    os.chmod(script, 0o700)
    environment = {**os.environ, "PATH": os.path.dirname(NODE) + os.pathsep + os.environ["PATH"]}
    for method in [["tools/list"], ["tools/call", "--tool-name", "add", "--tool-arg", "a=20", "--tool-arg", "b=22"]]:
        words = [NODE, program, "--cli", script, "--method", *method]
        output = subprocess.run(words, capture_output=True, text=True, timeout=50, env=environment)
        expect(output.returncode == 0, output)
        expect(("add" if method == ["tools/list"] else "42") in output.stdout, output)


def serve():
    server = MCPServer("python")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    @server.tool()
    def read(name: str) -> str:
        """Reads a name."""
        return name

    server.run("stdio")


CASES = [filesystem, everything, everything_http, python, giving_up, inspector]


def main():
    names = sys.argv[4:] or [case.__name__ for case in CASES]
    with tempfile.TemporaryDirectory() as directory:
        service = Service(directory)
        try:
            for case in CASES:
                if case.__name__ in names:
                    began = time.monotonic()
                    asyncio.run(asyncio.wait_for(case(service), 55))
                    print(f"{case.__name__}: {time.monotonic() - began:.1f} s", flush=True)
            expect(not service.listed("executing"), "a call has not been reported")
        finally:
            service.stop()


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["--serve"] else main()
