// The client of the TypeScript SDK before version 2 against `countersign mcp` and `serve --mcp`: it gives up after a time of its own,
// asks again, and gets the same request.
//
// usage: node client-legacy.mjs COUNTERSIGN URL TOKEN

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(process.env.AGENTS_TOOLS, "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = await load("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { ErrorCode } = await load("@modelcontextprotocol/sdk/types.js");

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

const body = (kind, parameters) => ({
  operation_type: "create_snapshot",
  instance_id: "production-db-01",
  environment: "production",
  parameters: { client: "typescript", kind, ...parameters },
  justification: "a test with a client of others",
});

async function journey(kind) {
  const client = new Client({ name: "test", version: "1" });
  await client.connect(transports[kind]());
  // It keeps the schemas of answers, and holds answers against them.
  const { tools } = await client.listTools();
  assert.equal(tools.length, 9);
  const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);
  // It gives up, and calls once more.
  const late = call("request_approval", body(kind, { after: 4 }), { timeout: 1500 });
  await assert.rejects(late, (error) => error.code === ErrorCode.RequestTimeout);
  const news = [];
  const options = { timeout: 30000, onprogress: (progress) => news.push(progress.progress) };
  const approved = await call("request_approval", body(kind, { after: 4 }), options);
  assert.equal(approved.structuredContent.status, "approved", JSON.stringify(approved));
  const named = { request_id: approved.structuredContent.request_id };
  const listed = await call("list_my_requests", { instance_id: "production-db-01" });
  const ids = [];
  for (const item of listed.structuredContent.items) {
    const request = await call("get_request", { request_id: item.request_id });
    const { client: by, kind: of } = request.structuredContent.parameters;
    if (by === "typescript" && of === kind) ids.push(item.request_id);
  }
  assert.deepEqual(ids, [named.request_id], "asked twice, it is one request");
  const digest = approved.structuredContent.content_digest;
  const started = await call("start_execution", { ...named, content_digest: digest });
  const report = { ...named, execution_id: started.structuredContent.execution_id, outcome: "succeeded" };
  const finished = await call("finish_execution", report);
  assert.equal(finished.structuredContent.status, "executed");
  const refused = await call("start_execution", { ...named, content_digest: digest });
  assert.ok(refused.isError && refused.structuredContent.next_step, JSON.stringify(refused));
  const rejected = await call("request_approval", body(kind, { verdict: "reject" }), options);
  assert.equal(rejected.structuredContent.code, "rejected");
  assert.ok(rejected.isError);
  await client.close();
  console.log(`typescript ${kind}: ${news.length} times news`);
}

await Promise.all(Object.keys(transports).map(journey));
