// Written by `countersign hook install --agent opencode`: each tool waits for `countersign hook` before it runs.
// A tool runs only if the hook says so in so many words; whatever else happens is a refusal.
import { spawn } from "node:child_process";

const BEFORE = [/* BEFORE */];
const AFTER = [/* AFTER */];
const LIMIT_SECONDS = 0 /* LIMIT */;

function run(words, input, seconds) {
  return new Promise((resolve) => {
    let child;
    try {
      child = spawn(words[0], words.slice(1), { stdio: ["pipe", "pipe", "ignore"] });
    } catch (error) {
      resolve({ fault: "countersign cannot be started" });
      return;
    }
    let text = "";
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      resolve({ fault: "countersign has not answered in time" });
    }, seconds * 1000);
    const end = (answer) => {
      clearTimeout(timer);
      resolve(answer);
    };
    child.on("error", () => end({ fault: "countersign cannot be started" }));
    child.stdin.on("error", () => {});
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (part) => {
      text += part;
    });
    child.on("close", (code) => end(code === 0 ? { text } : { fault: "countersign has failed" }));
    child.stdin.end(JSON.stringify(input));
  });
}

async function decide(use) {
  const answer = await run(BEFORE, use, LIMIT_SECONDS);
  if (answer.fault !== undefined) throw new Error(answer.fault);
  let decision;
  try {
    decision = JSON.parse(answer.text);
  } catch (error) {
    throw new Error("countersign has answered nothing that can be read");
  }
  if (decision?.decision !== "allow") {
    throw new Error(String(decision?.reason ?? "countersign has refused without a reason"));
  }
}

/** Arguments that no plugin that runs later can change: it throws, and so the tool does not run. */
function frozen(value) {
  if (typeof value !== "object" || value === null) return value;
  Object.freeze(value);
  Object.values(value).forEach(frozen);
  return value;
}

/** What is asked before a use, and reported after it. */
function hooks(directory) {
  // Ids are those of one session: another session of the same directory may have the same.
  const asked = new Map();
  const key = (session, id) => JSON.stringify([session, id]);
  return {
    before: async (tool, session, id, args) => {
      const use = { tool, arguments: structuredClone(frozen(args ?? {})), cwd: directory, session, tool_use_id: id };
      await decide(use);
      asked.set(key(session, id), use);
    },
    // The arguments are those that the tool was run with, if the agent says so.
    after: async (session, id, result, isError, args) => {
      const use = asked.get(key(session, id));
      asked.delete(key(session, id));
      if (use === undefined) return;
      await run(AFTER, { ...use, arguments: args ?? use.arguments, result: result ?? null, is_error: isError }, 30);
    },
  };
}

export default {
  id: "countersign",
  // opencode 1.17 and later.
  server: async ({ directory }) => {
    const { before, after } = hooks(directory);
    return {
      "tool.execute.before": (input, output) => before(input.tool, input.sessionID, input.callID, output.args),
      // The result of a tool of an MCP server has no `output` of its own.
      "tool.execute.after": (input, output) => after(input.sessionID, input.callID, output?.output ?? output, false, input.args),
      // A use that fails has no event of its own.
      event: async ({ event }) => {
        const part = event?.type === "message.part.updated" ? event.properties?.part : undefined;
        if (part?.type === "tool" && part.state?.status === "error")
          await after(part.sessionID, part.callID, part.state.error, true);
      },
    };
  },
  // opencode 2, some versions of which call the id of a use `callID`.
  setup: async (context) => {
    const { before, after } = hooks(context.location.directory);
    const id = (event) => event.id ?? event.callID;
    await context.tool.hook("execute.before", (event) => before(event.tool, event.sessionID, id(event), event.input));
    await context.tool.hook("execute.after", (event) =>
      after(event.sessionID, id(event), event.result ?? event.error ?? null, event.status === "error", event.input),
    );
  },
};
