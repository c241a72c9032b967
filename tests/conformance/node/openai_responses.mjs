// The official OpenAI SDK for Node on Responses (OpenAI, Azure in both forms) and on legacy completions.
import OpenAI, { AzureOpenAI } from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { SENTENCE, TOLD, TOOL, TOOL_SCHEMA, TOOL_TEXT, all, at, check, checkToolInput, equal, main, several, test, thrown } from "./cases.mjs";

const maxRetries = 0;
const client = new OpenAI({ apiKey: "sk-none", baseURL: `${at("api.openai.com")}/v1`, maxRetries });
const OPENAI = [client, "gpt-4o-mini"];
const endpoint = at("conformance.openai.azure.com");
const apiKey = "0".repeat(32);
const AZURE = [new AzureOpenAI({ endpoint, apiKey, apiVersion: "2025-03-01-preview", maxRetries }), "gpt-4o"];
const AZURE_V1 = [new OpenAI({ apiKey, baseURL: `${endpoint}/openai/v1/`, maxRetries }), "gpt-4o"];
const tools = [{ type: "function", name: TOOL, description: TOOL_TEXT, parameters: TOOL_SCHEMA, strict: true }];
const Person = z.object({ name: z.string(), age: z.number().int(), mood: z.enum(["glad", "sad"]) });

function checkWhole(answer, model) {
  equal([answer.object, answer.status], ["response", "completed"]);
  check(answer.model.startsWith(model), answer.model);
  check(/^resp_[0-9a-f]{48,50}$/.test(answer.id), answer.id);
  check(answer.output_text, answer);
  equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
}

async function whole(client, model) {
  checkWhole(await client.responses.create({ model, input: SENTENCE, instructions: "Be brief." }), model);
}
test("openai.responses.create", "whole", whole, ...OPENAI);
test("azure.responses", "whole", whole, ...AZURE);
test("azure.v1.responses", "whole", whole, ...AZURE_V1);

async function streaming(client, model) {
  const events = await all(await client.responses.create({ model, input: SENTENCE, stream: true }));
  const kinds = events.map((event) => event.type);
  equal(kinds.slice(0, 2), ["response.created", "response.in_progress"]);
  equal(kinds.at(-1), "response.completed");
  several(events.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta));
  equal(events.map((event) => event.sequence_number), [...events.keys()]);
}
test("openai.responses.create", "streaming", streaming, ...OPENAI);
test("azure.responses", "streaming", streaming, ...AZURE);
test("azure.v1.responses", "streaming", streaming, ...AZURE_V1);

async function toolLoop(client, model) {
  const input = [{ role: "user", content: SENTENCE }];
  for (let rounds = 0; ; rounds++) {
    check(rounds < 5, "the loop does not end");
    const answer = await client.responses.create({ model, input, tools, tool_choice: "required" });
    const calls = answer.output.filter((item) => item.type === "function_call");
    if (!calls.length) {
      check(rounds >= 1 && answer.output_text, answer.output);
      return;
    }
    input.push(...answer.output);
    for (const call of calls) {
      checkToolInput(call.name, call.arguments);
      input.push({ type: "function_call_output", call_id: call.call_id, output: TOLD });
    }
  }
}
test("openai.responses.create", "tool loop", toolLoop, ...OPENAI);
test("azure.responses", "tool loop", toolLoop, ...AZURE);
test("azure.v1.responses", "tool loop", toolLoop, ...AZURE_V1);

async function toolStreaming(client, model) {
  const options = { model, input: SENTENCE, tools, tool_choice: { type: "function", name: TOOL } };
  const answer = await client.responses.stream(options).finalResponse();
  const calls = answer.output.filter((item) => item.type === "function_call");
  check(calls.length >= 1);
  for (const call of calls) checkToolInput(call.name, call.arguments);
}
test("openai.responses.create", "tool streaming", toolStreaming, ...OPENAI);
test("azure.responses", "tool streaming", toolStreaming, ...AZURE);

async function structured(client, model) {
  const text = { format: zodTextFormat(Person, "person") };
  Person.parse((await client.responses.parse({ model, input: SENTENCE, text })).output_parsed);
}
test("openai.responses.create", "structured output, typed", structured, ...OPENAI);
test("azure.responses", "structured output, typed", structured, ...AZURE);

test("openai.responses.create", "structured output, streaming", async (client, model) => {
  const stream = client.responses.stream({ model, input: SENTENCE, text: { format: zodTextFormat(Person, "person") } });
  Person.parse((await stream.finalResponse()).output_parsed);
}, ...OPENAI);

test("openai.responses.create", "reasoning summary", async (client) => {
  const reasoning = { effort: "medium", summary: "auto" };
  const answer = await client.responses.create({ model: "o4-mini", input: SENTENCE, reasoning });
  check(answer.output.some((item) => item.type === "reasoning" && item.summary[0]?.text), answer.output);
  check(answer.usage.output_tokens_details.reasoning_tokens > 0, answer.usage);
}, ...OPENAI);

test("openai.responses.create", "previous_response_id", async (client, model) => {
  const first = await client.responses.create({ model, input: SENTENCE });
  const second = await client.responses.create({ model, input: "Go on.", previous_response_id: first.id });
  equal(second.previous_response_id, first.id);
  check(second.usage.input_tokens > first.usage.input_tokens);
}, ...OPENAI);

test("openai.responses.create", "request id", async (client, model) => {
  const { request_id } = await client.responses.create({ model, input: SENTENCE }).withResponse();
  check(/^req_[0-9a-f]{32}$/.test(request_id), request_id);
}, ...OPENAI);

async function broken(client, model) {
  const error = await thrown(OpenAI.BadRequestError, () => client.responses.create({ model, input: 17 }));
  equal([error.status, error.type], [400, "invalid_request_error"]);
  check(error.headers.get("apim-request-id") ?? error.requestID, error.headers);
  check(error.message.includes("input"), error.message);
}
test("openai.responses.create", "error: broken structure", broken, ...OPENAI);
test("azure.responses", "error: broken structure", broken, ...AZURE);
test("azure.v1.responses", "error: broken structure", broken, ...AZURE_V1);

test("openai.responses.retrieve", "whole", async (client, model) => {
  const made = await client.responses.create({ model, input: SENTENCE });
  equal((await client.responses.retrieve(made.id)).output_text, made.output_text);
}, ...OPENAI);

test("openai.responses.retrieve", "error: unknown id", async (client) => {
  const call = () => client.responses.retrieve(`resp_${"0".repeat(48)}`);
  check((await thrown(OpenAI.NotFoundError, call)).requestID);
}, ...OPENAI);

test("openai.responses.delete", "whole", async (client, model) => {
  const made = await client.responses.create({ model, input: SENTENCE });
  await client.responses.delete(made.id);
  await thrown(OpenAI.NotFoundError, () => client.responses.retrieve(made.id));
}, ...OPENAI);

test("openai.responses.cancel", "whole", async (client, model) => {
  const made = await client.responses.create({ model, input: SENTENCE, background: true });
  equal((await client.responses.cancel(made.id)).status, "cancelled");
}, ...OPENAI);

test("openai.responses.create", "background", async (client, model) => {
  let answer = await client.responses.create({ model, input: SENTENCE, background: true });
  for (let n = 0; n < 10 && answer.status !== "completed"; n++) answer = await client.responses.retrieve(answer.id);
  checkWhole(answer, model);
}, ...OPENAI);

test("openai.responses.input_items", "whole", async (client, model) => {
  const made = await client.responses.create({ model, input: SENTENCE });
  const items = await all(client.responses.inputItems.list(made.id));
  equal(items.map((item) => item.content[0].text), [SENTENCE]);
}, ...OPENAI);

test("openai.responses.input_tokens", "whole", async (client, model) => {
  check((await client.responses.inputTokens.count({ model, input: SENTENCE })).input_tokens > 0);
}, ...OPENAI);

test("openai.responses.compact", "whole", async (client, model) => {
  check((await client.responses.compact({ model, input: SENTENCE })).output);
}, ...OPENAI);

test("openai.conversations.create", "with responses, items, delete", async (client, model) => {
  const { id } = await client.conversations.create({ metadata: { topic: "sea" } });
  check(id.startsWith("conv_"), id);
  await client.responses.create({ model, input: SENTENCE, conversation: id });
  check((await client.responses.create({ model, input: "Go on.", conversation: id })).output_text);
  equal((await all(client.conversations.items.list(id))).length, 4);
  check((await client.conversations.delete(id)).deleted);
}, ...OPENAI);

async function completion(client, model) {
  const answer = await client.completions.create({ model, prompt: ["Once", "Twice"], n: 2, max_tokens: 20 });
  equal(answer.object, "text_completion");
  equal(answer.choices.map((choice) => choice.index), [0, 1, 2, 3]);
  check(answer.choices.every((choice) => choice.text));
}
test("openai.completions", "whole", completion, client, "gpt-3.5-turbo-instruct");
test("azure.completions", "whole", completion, AZURE[0], "gpt-35-turbo-instruct");

async function completionStreaming(client, model) {
  const chunks = await all(await client.completions.create({ model, prompt: "Once", max_tokens: 50, stream: true }));
  several(chunks.map((chunk) => chunk.choices[0]?.text));
  check(chunks.some((chunk) => chunk.choices[0]?.finish_reason));
}
test("openai.completions", "streaming", completionStreaming, client, "gpt-3.5-turbo-instruct");
test("azure.completions", "streaming", completionStreaming, AZURE[0], "gpt-35-turbo-instruct");

test("openai.completions", "error: broken structure", async (client, model) => {
  const call = () => client.completions.create({ model, prompt: { not: "a prompt" } });
  check((await thrown(OpenAI.BadRequestError, call)).requestID);
}, client, "gpt-3.5-turbo-instruct");

await main();
