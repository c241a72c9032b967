// The official OpenAI SDK for Node on chat completions: OpenAI, Azure in both forms, and Gemini's OpenAI-compatible path.
import OpenAI, { AzureOpenAI } from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { PNG, SENTENCE, TOLD, TOOL, TOOL_SCHEMA, TOOL_TEXT, all, at, check, checkToolInput, equal, main, several, test, thrown } from "./cases.mjs";

const maxRetries = 0;
const OPENAI = [new OpenAI({ apiKey: "sk-none", baseURL: `${at("api.openai.com")}/v1`, maxRetries }), "gpt-4o-mini"];
const endpoint = at("conformance.openai.azure.com");
const apiKey = "0".repeat(32);
const AZURE = [new AzureOpenAI({ endpoint, apiKey, apiVersion: "2024-10-21", maxRetries }), "gpt-4o"];
const AZURE_V1 = [new OpenAI({ apiKey, baseURL: `${endpoint}/openai/v1/`, maxRetries }), "gpt-4o"];
const compatible = `${at("generativelanguage.googleapis.com")}/v1beta/openai/`;
const COMPAT = [new OpenAI({ apiKey: "AIza-none", baseURL: compatible, maxRetries }), "gemini-2.5-flash"];

const messages = [{ role: "system", content: "Be brief." }, { role: "user", content: SENTENCE }];
const tools = [{ type: "function", function: { name: TOOL, description: TOOL_TEXT, parameters: TOOL_SCHEMA, strict: true } }];
const Person = z.object({ name: z.string(), age: z.number().int(), mood: z.enum(["glad", "sad"]) });

async function whole(client, model) {
  const answer = await client.chat.completions.create({ model, messages });
  equal([answer.object, answer.choices.length], ["chat.completion", 1]);
  check(answer.model.startsWith(model), answer.model);
  check(answer.choices[0].message.content && answer.choices[0].finish_reason === "stop", answer.choices);
  check(answer.usage.total_tokens >= answer.usage.prompt_tokens + answer.usage.completion_tokens, answer.usage);
}
test("openai.chat.completions", "whole", whole, ...OPENAI);
test("azure.chat", "whole", whole, ...AZURE);
test("azure.v1.chat", "whole", whole, ...AZURE_V1);
test("gemini.openai_compat.chat", "whole", whole, ...COMPAT);

async function streaming(client, model) {
  const options = { model, messages, stream: true, stream_options: { include_usage: true } };
  const chunks = await all(await client.chat.completions.create(options));
  const choices = chunks.filter((chunk) => chunk.choices.length).map((chunk) => chunk.choices[0]);
  equal(choices[0].delta.role, "assistant");
  several(choices.map((choice) => choice.delta.content));
  equal(choices.map((choice) => choice.finish_reason).filter(Boolean), ["stop"]);
  check(chunks.some((chunk) => chunk.usage?.completion_tokens > 0), chunks.at(-1));
}
test("openai.chat.completions", "streaming", streaming, ...OPENAI);
test("azure.chat", "streaming", streaming, ...AZURE);
test("azure.v1.chat", "streaming", streaming, ...AZURE_V1);
test("gemini.openai_compat.chat", "streaming", streaming, ...COMPAT);

async function annotations(client, model) {
  const answer = await client.chat.completions.create({ model, messages });
  check(answer.prompt_filter_results && answer.choices[0].content_filter_results, answer);
}
test("azure.chat", "content filter annotations", annotations, ...AZURE);
test("azure.v1.chat", "content filter annotations", annotations, ...AZURE_V1);

async function toolLoop(client, model) {
  const turns = [...messages];
  for (let rounds = 0; ; rounds++) {
    check(rounds < 5, "the loop does not end");
    const answer = await client.chat.completions.create({ model, messages: turns, tools, tool_choice: "required" });
    const { message } = answer.choices[0];
    turns.push(message);
    if (!message.tool_calls?.length) {
      check(rounds >= 1 && message.content, message);
      return;
    }
    for (const call of message.tool_calls) {
      checkToolInput(call.function.name, call.function.arguments);
      turns.push({ role: "tool", tool_call_id: call.id, content: TOLD });
    }
  }
}
test("openai.chat.completions", "tool loop", toolLoop, ...OPENAI);
test("azure.chat", "tool loop", toolLoop, ...AZURE);
test("azure.v1.chat", "tool loop", toolLoop, ...AZURE_V1);
test("gemini.openai_compat.chat", "tool loop", toolLoop, ...COMPAT);

async function toolStreaming(client, model) {
  const tool_choice = { type: "function", function: { name: TOOL } };
  const stream = client.chat.completions.stream({ model, messages, tools, tool_choice });
  const { tool_calls } = (await stream.finalChatCompletion()).choices[0].message;
  check(tool_calls.length >= 1);
  for (const call of tool_calls) checkToolInput(call.function.name, call.function.arguments);
}
test("openai.chat.completions", "tool streaming", toolStreaming, ...OPENAI);
test("azure.chat", "tool streaming", toolStreaming, ...AZURE);
test("azure.v1.chat", "tool streaming", toolStreaming, ...AZURE_V1);
test("gemini.openai_compat.chat", "tool streaming", toolStreaming, ...COMPAT);

async function toolRunner(client, model) {
  const seen = [];
  const tool = zodFunction({
    name: TOOL,
    parameters: z.object({ city: z.string() }),
    function: ({ city }) => (seen.push(city), TOLD),
  });
  const runner = client.chat.completions.runTools({ model, messages, tools: [tool], tool_choice: "required" });
  check(await runner.finalContent());
  check(seen.length >= 1);
}
test("openai.chat.completions", "tool runner", toolRunner, ...OPENAI);

async function structured(client, model) {
  const response_format = zodResponseFormat(Person, "person");
  const answer = await client.chat.completions.parse({ model, messages, response_format });
  Person.parse(answer.choices[0].message.parsed);
}
test("openai.chat.completions", "structured output, typed", structured, ...OPENAI);
test("azure.chat", "structured output, typed", structured, ...AZURE);
test("azure.v1.chat", "structured output, typed", structured, ...AZURE_V1);
test("gemini.openai_compat.chat", "structured output, typed", structured, ...COMPAT);

async function structuredStreaming(client, model) {
  const stream = client.chat.completions.stream({ model, messages, response_format: zodResponseFormat(Person, "person") });
  Person.parse((await stream.finalChatCompletion()).choices[0].message.parsed);
}
test("openai.chat.completions", "structured output, streaming", structuredStreaming, ...OPENAI);
test("azure.chat", "structured output, streaming", structuredStreaming, ...AZURE);

test("openai.chat.completions", "JSON mode", async (client, model) => {
  const answer = await client.chat.completions.create({ model, messages, response_format: { type: "json_object" } });
  check(typeof JSON.parse(answer.choices[0].message.content) === "object");
}, ...OPENAI);

async function image(client, model) {
  const url = `data:image/png;base64,${PNG.toString("base64")}`;
  const content = [{ type: "text", text: "What is this?" }, { type: "image_url", image_url: { url } }];
  const answer = await client.chat.completions.create({ model, messages: [{ role: "user", content }] });
  check(answer.choices[0].message.content);
}
test("openai.chat.completions", "image input", image, ...OPENAI);
test("azure.chat", "image input", image, ...AZURE);

test("openai.chat.completions", "n, logprobs, max_tokens, stop", async (client, model) => {
  const options = { n: 3, logprobs: true, top_logprobs: 2, max_tokens: 5, stop: ["###"], seed: 7 };
  const answer = await client.chat.completions.create({ model, messages, ...options });
  equal(answer.choices.map((choice) => choice.index), [0, 1, 2]);
  for (const choice of answer.choices) {
    equal((choice.logprobs?.content ?? []).map((token) => token.token).join(""), choice.message.content);
  }
}, ...OPENAI);

test("openai.chat.completions", "reasoning tokens", async (client) => {
  const answer = await client.chat.completions.create({ model: "o4-mini", messages, reasoning_effort: "medium" });
  check(answer.usage.completion_tokens_details.reasoning_tokens > 0, answer.usage);
}, ...OPENAI);

async function headers(client, model) {
  const { response, request_id } = await client.chat.completions.create({ model, messages }).withResponse();
  check(request_id);
  check(Number(response.headers.get("x-ratelimit-limit-tokens")) > 0);
}
test("openai.chat.completions", "request id and rate limits", headers, ...OPENAI);
test("azure.chat", "request id and rate limits", headers, ...AZURE);

test("openai.chat.completions.retrieve", "whole", async (client, model) => {
  const made = await client.chat.completions.create({ model, messages, store: true });
  equal((await client.chat.completions.retrieve(made.id)).choices[0].message.content, made.choices[0].message.content);
}, ...OPENAI);

async function broken(client, model) {
  const error = await thrown(OpenAI.BadRequestError, () => client.chat.completions.create({ model, messages: "not a list" }));
  equal([error.status, error.type], [400, "invalid_request_error"]);
  check(error.headers.get("apim-request-id") ?? error.requestID, error.headers);
  check(error.message.includes("messages"), error.message);
}
test("openai.chat.completions", "error: broken structure", broken, ...OPENAI);
test("azure.chat", "error: broken structure", broken, ...AZURE);
test("azure.v1.chat", "error: broken structure", broken, ...AZURE_V1);

test("gemini.openai_compat.chat", "error: broken structure", async (client, model) => {
  const error = await thrown(OpenAI.BadRequestError, () => client.chat.completions.create({ model, messages: "not a list" }));
  equal(error.status, 400);
}, ...COMPAT);

test("openai.chat.completions", "error: broken structure, streaming", async (client, model) => {
  const call = () => client.chat.completions.create({ model, messages: [], stream: true });
  check((await thrown(OpenAI.BadRequestError, call)).requestID);
}, ...OPENAI);

await main();
