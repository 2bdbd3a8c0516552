// Loads the plugin file of opencode as opencode does, and uses tools through it: node hook_plugin.check.mjs PROGRAM.
//
// Starts `countersign serve` on a directory of its own. The plugin must let a tool run only after its approval was spent,
// and throw whatever else happens.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const program = process.argv[2];
const home = mkdtempSync(join(tmpdir(), "countersign-plugin-"));
const data = join(home, "data");
const run = (words, token) =>
  execFileSync(program, words, { env: { ...process.env, COUNTERSIGN_TOKEN: token ?? process.env.COUNTERSIGN_TOKEN }, encoding: "utf8" });

async function started() {
  const serve = spawn(program, ["serve", "--data-dir", data, "--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "ignore"] });
  serve.stdout.setEncoding("utf8");
  const line = await new Promise((resolve) => serve.stdout.once("data", resolve));
  return { serve, url: line.trim().split("\n")[0].replace("listening on ", "") };
}

/** The hooks of a plugin file, as opencode 1 and opencode 2 get them. */
async function loaded(file) {
  const { default: definition, ...others } = await import(pathToFileURL(file));
  assert.deepEqual(Object.keys(others), [], "opencode 1 takes other exports for plugins");
  const second = {};
  const hook = async (name, callback) => {
    second[name] = callback;
  };
  await definition.setup({ location: { directory: "/srv/shop" }, tool: { hook } });
  return { hooks: await definition.server({ directory: "/srv/shop" }), second };
}

/** The plugin, as it is installed with these words. */
async function plugin(name, ...words) {
  const file = join(home, `${name}.mjs`);
  run(["hook", "install", "--agent", "opencode", "--settings", file, "--as-human", ...words]);
  return { file, ...(await loaded(file)) };
}

const { serve, url } = await started();
try {
  Object.assign(process.env, { HOME: home, COUNTERSIGN_URL: url });
  const token = (name, groups) => run(["token", `${name}@example.com`, "--groups", groups, "--data-dir", data]).trim();
  process.env.COUNTERSIGN_TOKEN = token("ann", "developer");
  const approvers = ["bob", "carol"].map((name) => token(name, "approver"));
  const list = (statuses) => JSON.parse(run(["list", "--status", statuses, "--json"])).items;

  // What takes no approval runs at once, and its end is reported.
  const { file, hooks, second } = await plugin("countersign", "--limit", "20");
  const use = { tool: "read", sessionID: "ses_1", callID: "call_1" };
  const args = { filePath: "README.md" };
  await hooks["tool.execute.before"](use, { args });
  assert.deepEqual(args, { filePath: "README.md" }, "arguments are not rewritten");
  assert.equal(list("executing").length, 1);
  await hooks["tool.execute.after"]({ ...use, args }, { title: "", output: "# Shop", metadata: {} });
  assert.equal(list("executed").length, 1);

  // A plugin that runs later cannot change what was approved.
  const approved = { filePath: "README.md", range: { from: 1 } };
  await hooks["tool.execute.before"]({ ...use, callID: "call_9" }, { args: approved });
  assert.throws(() => (approved.filePath = "/etc/passwd"), TypeError);
  assert.throws(() => (approved.range.from = 2), TypeError);
  // One that runs earlier may have put others in their place: what was run is reported as a failure.
  await hooks["tool.execute.after"]({ ...use, callID: "call_9", args: { filePath: "/etc/passwd" } }, { output: "x" });
  const [other] = list("failed");
  const shown = JSON.parse(run(["get", other.request_id, "--json"]));
  assert.equal(shown.execution_result.error, "other_arguments");
  // A tool that fails has no event of its own, and that of a server no `output`.
  await hooks["tool.execute.before"]({ ...use, callID: "call_10" }, { args: { filePath: "missing" } });
  const state = { status: "error", error: "file not found" };
  const failed = { type: "message.part.updated", properties: { part: { type: "tool", sessionID: "ses_1", callID: "call_10", state } } };
  const ofAnother = { ...failed, properties: { part: { ...failed.properties.part, sessionID: "ses_9" } } };
  await hooks.event({ event: ofAnother });
  assert.equal(list("failed").length, 1);
  await hooks.event({ event: failed });
  await hooks.event({ event: failed });
  await hooks.event({ event: { type: "session.idle" } });
  assert.equal(list("failed").length, 2);
  await hooks["tool.execute.before"]({ ...use, callID: "call_11" }, { args: { filePath: "b" } });
  await hooks["tool.execute.after"]({ ...use, callID: "call_11", args: { filePath: "b" } }, { content: [{ type: "text" }] });
  const ended = list("executed").map(({ request_id }) => JSON.parse(run(["get", request_id, "--json"])).execution_result.bytes);
  assert.ok(ended.includes(JSON.stringify({ content: [{ type: "text" }] }).length), `${ended}`);

  // The same in opencode 2, which says too if a tool has failed.
  const event = { tool: "read", sessionID: "ses_2", agent: "build", messageID: "msg_1", id: "call_1", input: { path: "a" } };
  await second["execute.before"](event);
  await second["execute.after"]({ ...event, status: "completed", result: { output: "text" } });
  assert.equal(list("executed").length, 3);
  await second["execute.before"]({ ...event, id: "call_2" });
  await second["execute.after"]({ ...event, id: "call_2", status: "error", error: { message: "no such file" } });
  assert.equal(list("failed").length, 3);

  // What takes two approvals waits for them.
  const shell = { tool: "bash", sessionID: "ses_1", callID: "call_2" };
  const waiting = hooks["tool.execute.before"](shell, { args: { command: "true" } });
  let pending = [];
  while (pending.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    pending = list("pending");
  }
  for (const approver of approvers) run(["approve", pending[0].request_id, "--yes"], approver);
  await waiting;
  assert.equal(list("executing").length, 1);

  // Whatever else happens is a refusal.
  const refused = async ({ hooks, second }, reason) => {
    await assert.rejects(hooks["tool.execute.before"]({ ...shell, callID: "call_3" }, { args: { command: "false" } }), reason);
    await assert.rejects(second["execute.before"]({ ...event, tool: "shell", id: "call_4", input: { command: "false" } }), reason);
  };
  await refused(await plugin("pending", "--limit", "6"), /approval_pending/);
  await refused(await plugin("down", "--limit", "20", "--url", "http://127.0.0.1:1"), /service_unavailable/);
  const odd = (name, to) => {
    const other = join(home, `${name}.mjs`);
    const text = readFileSync(file, "utf8").replaceAll(JSON.stringify(program), to);
    assert.notEqual(text, readFileSync(file, "utf8"));
    writeFileSync(other, text.replace(/LIMIT_SECONDS = \d+/, "LIMIT_SECONDS = 1"));
    return loaded(other);
  };
  await refused(await odd("missing", '"/nonexistent/countersign"'), /cannot be started/);
  await refused(await odd("silent", '"/bin/true"'), /nothing that can be read/);
  await refused(await odd("failing", '"/bin/false"'), /has failed/);
  await refused(await odd("hanging", '"/bin/sh", "-c", "exec sleep 60"'), /not answered in time/);
  await refused(await odd("other", '"/bin/echo", "{}"'), /nothing that can be read|refused/);
  console.log("ok: the plugin of opencode");
} finally {
  serve.kill();
  rmSync(home, { recursive: true, force: true });
}
