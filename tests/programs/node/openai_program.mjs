import OpenAI from "openai";
import { PROMPTS, eight, say } from "./transcript.mjs";

const client = new OpenAI();
const user = (content) => ({ model: "gpt-4o-mini", messages: [{ role: "user", content }] });

async function ask(prompt) {
  const answer = await client.chat.completions.create(user(prompt));
  return answer.choices[0].message.content;
}

say("plain", await ask(PROMPTS.plain));
let text = "", pieces = 0;
for await (const chunk of await client.chat.completions.create({ ...user(PROMPTS.stream), stream: true })) {
  const piece = chunk.choices[0]?.delta.content ?? "";
  text += piece;
  pieces += piece ? 1 : 0;
}
say("stream", text, { many: pieces > 1 });
say("gzip", await ask(PROMPTS.gzip));
say("limited", await ask(PROMPTS.limited));
await eight(ask);
