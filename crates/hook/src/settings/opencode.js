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

export const Countersign = async ({ directory }) => {
  // The tool may be given other arguments by a plugin that runs later; the report names those that were asked for.
  const asked = new Map();
  const described = (input, args) => ({
    tool: input.tool,
    arguments: args ?? {},
    cwd: directory,
    session: input.sessionID,
    tool_use_id: input.callID,
  });
  return {
    "tool.execute.before": async (input, output) => {
      const use = described(input, output.args);
      await decide(use);
      asked.set(input.callID, use);
    },
    "tool.execute.after": async (input, output) => {
      const use = asked.get(input.callID);
      asked.delete(input.callID);
      if (use === undefined) return;
      await run(AFTER, { ...use, result: output?.output ?? null }, 30);
    },
  };
};
