// What the official OpenAI SDK for Node throws where the simulator validates as the provider does: OpenAI and Azure.
import OpenAI, { AzureOpenAI } from "openai";
import { SENTENCE, STRICT, check, equal, main, test, thrown } from "./cases.mjs";

const maxRetries = 0;
const messages = [{ role: "user", content: SENTENCE }];
const client = (apiKey = "sk-none-at-all") => new OpenAI({ apiKey, baseURL: `${STRICT}/api.openai.com/v1`, maxRetries });
const endpoint = `${STRICT}/conformance.openai.azure.com`;
const azure = (apiKey = "0".repeat(32), apiVersion = "2024-10-21") => new AzureOpenAI({ endpoint, apiKey, apiVersion, maxRetries });

async function refused(kind, asked, code, options = {}) {
  const call = () => asked.chat.completions.create({ model: "gpt-4o-mini", messages, ...options });
  const error = await thrown(kind, call);
  equal(error.code, code);
  check(error.message && (error.requestID || error.headers.get("apim-request-id")), error.message);
}

test("openai.chat.completions", "provider validation: accepted", async () => {
  check((await client().chat.completions.create({ model: "gpt-4o-mini", messages })).choices.length);
});
test("openai.chat.completions", "provider validation: wrong key", () => refused(OpenAI.AuthenticationError, client("wrong"), "invalid_api_key"));
test("openai.chat.completions", "provider validation: unknown model", () => refused(OpenAI.NotFoundError, client(), "model_not_found", { model: "no-such-model" }));
test("openai.chat.completions", "provider validation: out of range", () => refused(OpenAI.BadRequestError, client(), "decimal_above_max_value", { temperature: 3 }));
test("openai.chat.completions", "provider validation: context window", () => {
  const long = [{ role: "user", content: "sea ".repeat(140_000) }];
  return refused(OpenAI.BadRequestError, client(), "context_length_exceeded", { messages: long });
});
test("openai.chat.completions", "provider validation: unknown parameter", () => refused(OpenAI.BadRequestError, client(), null, { no_such: 1 }));
test("openai.responses.create", "provider validation: unknown model", async () => {
  const call = () => client().responses.create({ model: "no-such-model", input: SENTENCE });
  equal((await thrown(OpenAI.BadRequestError, call)).code, "model_not_found"); // 400 there, not 404
});
test("openai.embeddings", "provider validation: unknown model", async () => {
  const call = () => client().embeddings.create({ model: "no-such-model", input: "cat" });
  equal((await thrown(OpenAI.NotFoundError, call)).code, "model_not_found");
});
test("azure.chat", "provider validation: accepted", async () => {
  check((await azure().chat.completions.create({ model: "gpt-4o", messages })).choices.length);
});
test("azure.chat", "provider validation: wrong key", () => refused(OpenAI.AuthenticationError, azure("wrong"), "401", { model: "gpt-4o" }));
test("azure.chat", "provider validation: unknown deployment", () => refused(OpenAI.NotFoundError, azure(), "DeploymentNotFound", { model: "no-such-deployment" }));
test("azure.chat", "provider validation: unsupported api-version", () => refused(OpenAI.BadRequestError, azure("0".repeat(32), "2019-01-01"), "BadRequest", { model: "gpt-4o" }));
test("azure.chat", "provider validation: content filter", () => {
  const told = [{ role: "user", content: "trigger_content_filter" }];
  return refused(OpenAI.BadRequestError, azure(), "content_filter", { model: "gpt-4o", messages: told });
});

await main();
