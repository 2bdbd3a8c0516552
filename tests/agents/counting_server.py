"""A small MCP server for tests: it counts the calls of its tools in a file, and does what a test tells it to.

Usage: counting_server.py DIRECTORY [--http PORT]

Each call appends a line to DIRECTORY/calls. What is in DIRECTORY/behaviour.json changes what the server does:
  description: the description of the tool `count`
  delay: seconds between the counting of a call and its answer
  exit: "before" ends the process before a call is counted, "after" ends it after that
  ask: true makes `count` ask for input (protocol 2026-07-28) before it answers
  list_delay: seconds that a list of tools takes
  long_list: true makes a list of tools that never ends in bytes
  meta: `_meta` of results
  error: the error that a call is answered with, in place of a result
  status: the status of HTTP that a call is answered with, once it has been counted and asked
  elicit: true makes `count` ask the client by elicitation/create before it answers
"""

import json
import os
import sys
import threading
import time

DIRECTORY = sys.argv[1]
LOCK = threading.Lock()
ANSWERS = {}


def behaviour():
    try:
        with open(os.path.join(DIRECTORY, "behaviour.json")) as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def tools():
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    count = {"name": "count", "description": behaviour().get("description", "Counts."), "inputSchema": schema}
    count["annotations"] = {"readOnlyHint": True}
    structured = {"name": "structured", "description": "Counts too.", "inputSchema": schema}
    structured["outputSchema"] = {"type": "object", "required": ["count"], "properties": {"count": {"type": "number"}}}
    look = {"name": "look", "description": "Reads.", "inputSchema": schema}
    odd = {"name": "odd name", "description": "No operation has such a name.", "inputSchema": schema}
    return [count, structured, look, odd]


def counted(name, arguments):
    with LOCK:
        path = os.path.join(DIRECTORY, "calls")
        with open(path, "a") as file:
            file.write(json.dumps({"tool": name, "arguments": arguments}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with open(path) as file:
            return len(file.readlines())


def called(params, send):
    does = behaviour()
    if does.get("exit") == "before":
        os._exit(3)
    state = params.get("requestState")
    if does.get("ask") and state is None:
        question = {"method": "elicitation/create", "params": {"message": "Sure?", "requestedSchema": {"type": "object"}}}
        return {"resultType": "input_required", "inputRequests": {"sure": question}, "requestState": "here"}
    if does.get("elicit"):
        answered = threading.Event()
        ANSWERS["ask-1"] = answered
        send({"jsonrpc": "2.0", "id": "ask-1", "method": "elicitation/create", "params": {"message": "Sure?"}})
        answered.wait(20)
    number = counted(params["name"], params.get("arguments"))
    token = params.get("_meta", {}).get("progressToken")
    if token is not None:
        send({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 99}})
    time.sleep(does.get("delay", 0))
    if does.get("exit") == "after":
        os._exit(4)
    seen = {"meta": params.get("_meta", {}), "state": state, "input": params.get("inputResponses")}
    seen["answer"] = getattr(ANSWERS.get("ask-1"), "answer", None)
    text = json.dumps({"count": number, "arguments": params.get("arguments"), "seen": seen})
    result = {"content": [{"type": "text", "text": text}], "isError": False}
    if params["name"] == "structured":
        result["structuredContent"] = {"count": number}
    if "io.modelcontextprotocol/protocolVersion" in params.get("_meta", {}):
        result["resultType"] = "complete"
    if "meta" in does:
        result["_meta"] = does["meta"]
    return result


def answered(message, send):
    method, params = message["method"], message.get("params") or {}
    if method == "initialize":
        capabilities = {"tools": {"listChanged": True}, "resources": {}, "tasks": {"list": {}}}
        version = params.get("protocolVersion", "2025-06-18")
        info = {"name": "counting", "version": "1"}
        result = {"protocolVersion": version, "capabilities": capabilities, "serverInfo": info}
        result["_meta"] = {"seen": params.get("capabilities")}
        return result
    if method == "server/discover":
        return {"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "ttlMs": 0}
    if method == "ping":
        return {}
    if method == "tools/list":
        with LOCK, open(os.path.join(DIRECTORY, "lists"), "a") as file:
            file.write(json.dumps(params) + "\n")
        time.sleep(behaviour().get("list_delay", 0))
        listed = tools()
        if behaviour().get("long_list"):
            return {"tools": [{"name": "a", "description": "x" * (1 << 20)}], "nextCursor": "more"}
        # Two pages, as some servers have.
        if params.get("cursor") == "2":
            return {"tools": listed[1:], "resultType": "complete"}
        return {"tools": listed[:1], "nextCursor": "2", "resultType": "complete"}
    if method == "resources/read":
        number = counted("resources/read", params)
        return {"contents": [{"uri": params["uri"], "text": str(number)}]}
    if method == "tools/call":
        return called(params, send)
    if method == "environment":
        return {"names": sorted(os.environ)}
    return None


def take(message, send):
    if "method" not in message:
        with LOCK, open(os.path.join(DIRECTORY, "answers"), "a") as file:
            file.write(json.dumps(message) + "\n")
        event = ANSWERS.get(message.get("id"))
        if event is not None:
            event.answer = message.get("result") or message.get("error")
            event.set()
        return
    if "id" not in message:
        with LOCK, open(os.path.join(DIRECTORY, "notifications"), "a") as file:
            file.write(json.dumps(message) + "\n")
        return

    def work():
        result = answered(message, send)
        error = behaviour().get("error") if message["method"] == "tools/call" else None
        if error is not None:
            send({"jsonrpc": "2.0", "id": message["id"], "error": error})
        elif result is None:
            send({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no such method"}})
        else:
            send({"jsonrpc": "2.0", "id": message["id"], "result": result})

    threading.Thread(target=work, daemon=True).start()


def serve_stdio():
    writing = threading.Lock()

    def send(message):
        with writing:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()

    for line in sys.stdin:
        take(json.loads(line), send)


def serve_http(port):
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with LOCK, open(os.path.join(DIRECTORY, "headers"), "a") as file:
                file.write(json.dumps({key.lower(): value for key, value in self.headers.items()}) + "\n")
            if "method" not in message or "id" not in message:
                take(message, lambda _: None)
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            does = behaviour()
            state = message.get("params", {}).get("requestState")
            if message["method"] == "tools/call" and "status" in does and (state or not does.get("ask")):
                counted("status", {})
                self.send_response(does["status"])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if message["method"] == "tools/call":
                # Asked for as a stream, with what comes before the answer.
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()

                def send(event):
                    self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
                    self.wfile.flush()

                result = answered(message, send)
                send({"jsonrpc": "2.0", "id": message["id"], "result": result})
                self.close_connection = True
                return
            result = answered(message, lambda _: None)
            body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            if result is None:
                body = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no such method"}}
            body = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            if message["method"] == "initialize":
                self.send_header("Mcp-Session-Id", "session-1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.send_response(405)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_DELETE = do_GET

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    if "--http" in sys.argv:
        serve_http(int(sys.argv[sys.argv.index("--http") + 1]))
    else:
        serve_stdio()
