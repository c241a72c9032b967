// What the official Google SDK for Node throws where the simulator validates as the provider does.
import { ApiError, GoogleGenAI } from "@google/genai";
import { SENTENCE, STRICT, check, equal, main, test, thrown } from "./cases.mjs";

const baseUrl = `${STRICT}/generativelanguage.googleapis.com`;

function ask({ apiKey = "AIza-none-at-all", model = "gemini-2.5-flash", ...config } = {}) {
  return new GoogleGenAI({ apiKey, httpOptions: { baseUrl } }).models.generateContent({ model, contents: SENTENCE, config });
}

async function refused(status, words, options) {
  const error = await thrown(ApiError, () => ask(options));
  equal(error.status, status);
  check(error.message.includes(words), error.message);
}

test("gemini.generateContent", "provider validation: accepted", async () => check((await ask()).text));
test("gemini.generateContent", "provider validation: wrong key", () => refused(400, "API key not valid", { apiKey: "wrong" }));
test("gemini.generateContent", "provider validation: unknown model", () => refused(404, "NOT_FOUND", { model: "no-such-model" }));
test("gemini.generateContent", "provider validation: out of range", () => refused(400, "INVALID_ARGUMENT", { temperature: 3 }));

await main();
