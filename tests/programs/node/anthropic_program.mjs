import Anthropic from "@anthropic-ai/sdk";
import { PROMPTS, eight, say } from "./transcript.mjs";

const client = new Anthropic();
const user = (content) => ({ model: "claude-sonnet-4-5", max_tokens: 1000, messages: [{ role: "user", content }] });

async function ask(prompt) {
  const answer = await client.messages.create(user(prompt));
  return answer.content[0].text;
}

say("plain", await ask(PROMPTS.plain));
let text = "", pieces = 0;
for await (const event of await client.messages.create({ ...user(PROMPTS.stream), stream: true })) {
  if (event.type !== "content_block_delta") continue;
  text += event.delta.text;
  pieces += 1;
}
say("stream", text, { many: pieces > 1 });
say("gzip", await ask(PROMPTS.gzip));
say("limited", await ask(PROMPTS.limited));
await eight(ask);
