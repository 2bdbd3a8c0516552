// A client of @modelcontextprotocol/sdk that gives up after two seconds and calls again with the same arguments.
//
// usage: gate_client.mjs MODULES COMMAND ...

import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, command, ...args] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(modules), "x.js"));
const load = (name) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${name}`)));
const { Client } = await load("client/index.js");
const { StdioClientTransport } = await load("client/stdio.js");

const transport = new StdioClientTransport({ command, args, env: process.env, stderr: "ignore" });
const client = new Client({ name: "gives-up", version: "1" });
await client.connect(transport);
const call = { name: "add", arguments: { a: 19, b: 23 } };
try {
  await client.callTool(call, undefined, { timeout: 2000 });
  throw new Error("it has not been held");
} catch (error) {
  if (error.code !== -32001) throw error;
  console.log("gave up");
}
console.log("calling again");
const result = await client.callTool(call, undefined, { timeout: 30000 });
console.log(result.content[0].text);
await client.close();
