// The official Anthropic SDK for Node: messages, token counts, message batches, models.
import Anthropic, { toFile } from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";
import { PNG, SENTENCE, TOLD, TOOL, TOOL_SCHEMA, TOOL_TEXT, all, at, check, checkToolInput, equal, main, several, test, thrown } from "./cases.mjs";

const client = new Anthropic({ apiKey: "sk-ant-none", baseURL: at("api.anthropic.com"), maxRetries: 0 });
const model = "claude-sonnet-5";
const messages = [{ role: "user", content: SENTENCE }];
const tools = [{ name: TOOL, description: TOOL_TEXT, input_schema: TOOL_SCHEMA }];
const usual = { model, max_tokens: 1000, messages };
const Person = z.object({ name: z.string(), age: z.number().int(), mood: z.enum(["glad", "sad"]) });

function checkWhole(message) {
  check(/^msg_01\w{22}$/.test(message.id), message.id);
  equal([message.type, message.role, message.stop_reason], ["message", "assistant", "end_turn"]);
  check(message.content[0].text && message.usage.input_tokens > 0 && message.usage.output_tokens > 0, message);
}

test("anthropic.messages", "whole", async () => checkWhole(await client.messages.create({ ...usual, system: "Be brief." })));

test("anthropic.messages", "streaming", async () => {
  const events = await all(await client.messages.create({ ...usual, stream: true }));
  const kinds = events.map((event) => event.type);
  equal(kinds.slice(0, 2), ["message_start", "content_block_start"]);
  equal(kinds.slice(-3), ["content_block_stop", "message_delta", "message_stop"]);
  several(events.map((event) => event.delta?.text));
});

test("anthropic.messages", "streaming, gathered", async () => {
  checkWhole(await client.messages.stream(usual).finalMessage());
});

test("anthropic.messages", "tool loop", async () => {
  const turns = [...messages];
  for (let rounds = 0; ; rounds++) {
    check(rounds < 5, "the loop does not end");
    const message = await client.messages.create({ ...usual, messages: turns, tools, tool_choice: { type: "any" } });
    turns.push({ role: "assistant", content: message.content });
    const calls = message.content.filter((block) => block.type === "tool_use");
    if (!calls.length) {
      check(rounds >= 1 && message.content.at(-1).text, message.content);
      return;
    }
    for (const call of calls) checkToolInput(call.name, call.input);
    turns.push({ role: "user", content: calls.map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: TOLD })) });
  }
});

test("anthropic.messages", "tool streaming", async () => {
  const stream = client.messages.stream({ ...usual, tools, tool_choice: { type: "tool", name: TOOL } });
  const calls = (await stream.finalMessage()).content.filter((block) => block.type === "tool_use");
  check(calls.length >= 1);
  for (const call of calls) checkToolInput(call.name, call.input);
});

test("anthropic.messages", "tool runner", async () => {
  const seen = [];
  const inputSchema = z.object({ city: z.string(), days: z.number().int() });
  const tool = betaZodTool({ name: TOOL, description: TOOL_TEXT, inputSchema, run: ({ city }) => (seen.push(city), TOLD) });
  const message = await client.beta.messages.toolRunner({ ...usual, tools: [tool], tool_choice: { type: "any" } });
  check(seen.length >= 1);
  equal(message.content.at(-1).type, "text");
});

test("anthropic.messages", "structured output, typed", async () => {
  const message = await client.messages.parse({ ...usual, output_config: { format: zodOutputFormat(Person) } });
  Person.parse(message.parsed_output);
});

test("anthropic.messages", "structured output, streaming", async () => {
  const stream = client.messages.stream({ ...usual, output_config: { format: zodOutputFormat(Person) } });
  Person.parse((await stream.finalMessage()).parsed_output);
});

test("anthropic.messages", "thinking", async () => {
  const thinking = { type: "enabled", budget_tokens: 2000 };
  const message = await client.messages.create({ ...usual, max_tokens: 4000, thinking });
  equal(message.content.map((block) => block.type), ["thinking", "text"]);
  check(message.content[0].signature);
});

test("anthropic.messages", "images and documents in", async () => {
  const picture = { type: "base64", media_type: "image/png", data: PNG.toString("base64") };
  const text = { type: "text", media_type: "text/plain", data: "The sea is salt." };
  const content = [{ type: "image", source: picture }, { type: "document", source: text }, { type: "text", text: "What?" }];
  checkWhole(await client.messages.create({ ...usual, messages: [{ role: "user", content }] }));
});

test("anthropic.messages", "prompt cache usage", async () => {
  const system = [{ type: "text", text: "The sea is wide. ".repeat(2000), cache_control: { type: "ephemeral" } }];
  const { usage } = await client.messages.create({ ...usual, system });
  check(usage.cache_creation_input_tokens + usage.cache_read_input_tokens > 1000, usage);
});

test("anthropic.messages", "max_tokens, stop_sequences", async () => {
  const message = await client.messages.create({ ...usual, max_tokens: 5, stop_sequences: ["###"] });
  equal(message.stop_reason, "max_tokens");
});

test("anthropic.messages", "request id and rate limits", async () => {
  const { response, request_id } = await client.messages.create(usual).withResponse();
  check(/^req_011C\w{20}$/.test(request_id), request_id);
  check(Number(response.headers.get("anthropic-ratelimit-requests-limit")) > 0);
});

test("anthropic.messages", "error: broken structure", async () => {
  const error = await thrown(Anthropic.BadRequestError, () => client.messages.create({ ...usual, messages: "not a list" }));
  equal([error.status, error.type], [400, "invalid_request_error"]);
  check(error.requestID && error.message.includes("messages"), error.message);
});

test("anthropic.messages", "error: broken structure, streaming", async () => {
  const call = () => client.messages.create({ ...usual, messages: "not a list", stream: true });
  check((await thrown(Anthropic.BadRequestError, call)).requestID);
});

test("anthropic.messages.count_tokens", "whole", async () => {
  const plain = await client.messages.countTokens({ model, messages });
  const more = await client.messages.countTokens({ model, messages, tools, system: "Be brief." });
  check(0 < plain.input_tokens && plain.input_tokens < more.input_tokens, plain, more);
});

test("anthropic.messages.count_tokens", "error: broken structure", async () => {
  const call = () => client.messages.countTokens({ model, messages: "not a list" });
  check((await thrown(Anthropic.BadRequestError, call)).requestID);
});

const batch = () =>
  client.messages.batches.create({ requests: [0, 1, 2].map((n) => ({ custom_id: `line-${n}`, params: usual })) });

async function ended(made) {
  for (let n = 0; n < 10 && made.processing_status !== "ended"; n++) made = await client.messages.batches.retrieve(made.id);
  equal([made.processing_status, made.request_counts.succeeded], ["ended", 3]);
  return made;
}

test("anthropic.batches.create", "whole", async () => {
  const made = await batch();
  check(/^msgbatch_01\w{22}$/.test(made.id), made.id);
  equal([made.processing_status, made.request_counts.processing], ["in_progress", 3]);
});

test("anthropic.batches.create", "error: broken structure", async () => {
  check((await thrown(Anthropic.BadRequestError, () => client.messages.batches.create({ requests: [] }))).requestID);
});

test("anthropic.batches.retrieve", "lifecycle", async () => {
  check((await ended(await batch())).results_url.startsWith("http://127.0.0.1:"));
});

test("anthropic.batches.results", "whole", async () => {
  const lines = await all(await client.messages.batches.results((await ended(await batch())).id));
  equal(lines.map((line) => line.custom_id).sort(), ["line-0", "line-1", "line-2"]);
  check(lines.every((line) => line.result.message.content[0].text), lines);
});

test("anthropic.batches.list", "whole", async () => {
  const made = await batch();
  check((await all(client.messages.batches.list({ limit: 1 }))).some((found) => found.id === made.id));
});

test("anthropic.batches.cancel", "whole", async () => {
  check((await client.messages.batches.cancel((await batch()).id)).cancel_initiated_at);
});

test("anthropic.batches.delete", "whole", async () => {
  const { id } = await ended(await batch());
  equal((await client.messages.batches.delete(id)).id, id);
  await thrown(Anthropic.NotFoundError, () => client.messages.batches.retrieve(id));
});

test("anthropic.batches.retrieve", "error: unknown id", async () => {
  const error = await thrown(Anthropic.NotFoundError, () => client.messages.batches.retrieve("msgbatch_01unknown"));
  equal(error.type, "not_found_error");
});

test("anthropic.models.list", "whole", async () => {
  const ids = (await all(client.models.list({ limit: 3 }))).map((found) => found.id);
  check(ids.length > 3 && ids.includes(model), ids);
});

test("anthropic.models.retrieve", "whole", async () => equal((await client.models.retrieve(model)).id, model));

test("anthropic.models.retrieve", "error: unknown model", async () => {
  equal((await thrown(Anthropic.NotFoundError, () => client.models.retrieve("no-such-model"))).type, "not_found_error");
});

const upload = async () =>
  client.files.upload({ file: await toFile(Buffer.from("The sea is salt."), "sea.txt", { type: "text/plain" }) });

test("anthropic.files.upload", "upload, use, delete", async () => {
  const { id } = await upload();
  check(id.startsWith("file_"), id);
  const content = [{ type: "document", source: { type: "file", file_id: id } }, { type: "text", text: "What is this?" }];
  checkWhole(await client.messages.create({ ...usual, messages: [{ role: "user", content }] }));
  await client.files.delete(id);
  await thrown(Anthropic.NotFoundError, () => client.files.retrieveMetadata(id));
});

test("anthropic.files.list", "whole", async () => {
  const { id } = await upload();
  check((await all(client.files.list({ limit: 1 }))).some((found) => found.id === id));
});

await main();
