// The messages that webhooks.py has collected, verified by `standardwebhooks` of npm.
//
// Usage: node webhooks.mjs MODULE MESSAGES
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [module, messages] = process.argv.slice(2);
const { Webhook } = createRequire(import.meta.url)(module);
const all = JSON.parse(readFileSync(messages, "utf8"));
for (const { secret, headers, body } of all) {
  const webhook = new Webhook(secret);
  assert.deepStrictEqual(webhook.verify(body, headers), JSON.parse(body));
  assert.throws(() => webhook.verify(`${body} `, headers));
  assert.throws(() => webhook.verify(body, { ...headers, "webhook-id": `${headers["webhook-id"]}0` }));
  assert.throws(() => new Webhook(`whsec_${Buffer.alloc(32, 1).toString("base64")}`).verify(body, headers));
}
console.log(`standardwebhooks of npm believes ${all.length} messages, and none that was changed`);
