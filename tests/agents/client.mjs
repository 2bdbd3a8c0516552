// The client of version 2 of the TypeScript SDK against `countersign mcp` and `serve --mcp`, with the version that it finds out and
// with the one that has no handshake.
//
// usage: node client.mjs COUNTERSIGN URL TOKEN

import assert from "node:assert/strict";
import path from "node:path";
import { pathToFileURL } from "node:url";

const modules = path.join(process.env.AGENTS_TOOLS, "node_modules/@modelcontextprotocol/client/dist");
const load = (name) => import(pathToFileURL(path.join(modules, name)).href);
const { Client, StreamableHTTPClientTransport } = await load("index.mjs");
const { StdioClientTransport } = await load("stdio.mjs");

const [program, url, token] = process.argv.slice(2);
const transports = {
  stdio: () =>
    new StdioClientTransport({
      command: program,
      args: ["mcp", "--hold-seconds", "20"],
      env: { COUNTERSIGN_URL: url, COUNTERSIGN_TOKEN: token, HOME: process.env.HOME },
    }),
  http: () =>
    new StreamableHTTPClientTransport(new URL(`${url}/mcp`), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    }),
};

async function journey(kind, name, mode) {
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(transports[kind]());
  const { tools } = await client.listTools();
  assert.equal(tools.length, 9);
  const call = (tool, args, options) => client.callTool({ name: tool, arguments: args }, options);
  const body = (parameters) => ({
    operation_type: "create_snapshot",
    instance_id: "production-db-01",
    environment: "production",
    parameters: { client: "typescript 2", kind, name, ...parameters },
    justification: "a test with a client of others",
  });
  const news = [];
  const options = { timeout: 30000, onprogress: (progress) => news.push(progress.progress) };
  const approved = await call("request_approval", body({ after: 6 }), options);
  assert.equal(approved.structuredContent.status, "approved", JSON.stringify(approved));
  assert.ok(news.length > 0 && news.every((value, index) => index === 0 || value > news[index - 1]), `${news}`);
  const named = { request_id: approved.structuredContent.request_id };
  const digest = approved.structuredContent.content_digest;
  const started = await call("start_execution", { ...named, content_digest: digest });
  const report = { ...named, execution_id: started.structuredContent.execution_id, outcome: "succeeded" };
  assert.equal((await call("finish_execution", report)).structuredContent.status, "executed");
  const rejected = await call("request_approval", body({ verdict: "reject" }), options);
  assert.ok(rejected.isError && rejected.structuredContent.code === "rejected", JSON.stringify(rejected));
  const version = client.getNegotiatedProtocolVersion?.();
  await client.close();
  console.log(`typescript 2 ${kind} ${name}: ${version}, ${news.length} times news`);
}

const modes = { legacy: "legacy", auto: "auto", pinned: { pin: "2026-07-28" } };
const journeys = Object.keys(transports).flatMap((kind) =>
  Object.entries(modes).map(([name, mode]) => journey(kind, name, mode)),
);
await Promise.all(journeys);
