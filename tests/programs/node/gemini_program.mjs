import { GoogleGenAI } from "@google/genai";
import { PROMPTS, eight, say } from "./transcript.mjs";

// Unlike the other SDKs this one tries once only, unless it is told otherwise.
const retryOptions = { attempts: 3, initialDelay: 0.02, maxDelay: 0.1 };
const client = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY, httpOptions: { retryOptions } });
const user = (contents) => ({ model: "gemini-2.5-flash", contents });

async function ask(prompt) {
  const answer = await client.models.generateContent(user(prompt));
  return answer.text;
}

say("plain", await ask(PROMPTS.plain));
let text = "", pieces = 0;
for await (const chunk of await client.models.generateContentStream(user(PROMPTS.stream))) {
  text += chunk.text ?? "";
  pieces += 1;
}
say("stream", text, { many: pieces > 1 });
say("gzip", await ask(PROMPTS.gzip));
say("limited", await ask(PROMPTS.limited));
await eight(ask);
