// The official Cohere SDK for Node: v2 and v1.
import { CohereClient, CohereClientV2, CohereError, Cohere } from "cohere-ai";
import { SENTENCE, TOLD, TOOL, TOOL_SCHEMA, TOOL_TEXT, all, at, check, checkToolInput, equal, main, several, test, thrown } from "./cases.mjs";

const environment = at("api.cohere.com");
const client = new CohereClientV2({ token: "none", environment });
const first = new CohereClient({ token: "none", environment });
const once = { maxRetries: 0 };
const model = "command-a-03-2025";
const messages = [{ role: "system", content: "Be brief." }, { role: "user", content: SENTENCE }];
const tools = [{ type: "function", function: { name: TOOL, description: TOOL_TEXT, parameters: TOOL_SCHEMA } }];

function checkWhole(answer) {
  equal([answer.finishReason, answer.message.role], ["COMPLETE", "assistant"]);
  check(answer.id && answer.message.content[0].text && answer.usage.tokens.inputTokens > 0, answer);
}

test("cohere.v2.chat", "whole", async () => checkWhole(await client.chat({ model, messages }, once)));

test("cohere.v2.chat", "streaming", async () => {
  const events = await all(await client.chatStream({ model, messages }));
  const kinds = events.map((event) => event.type);
  equal([kinds[0], kinds.at(-1)], ["message-start", "message-end"]);
  const texts = events.filter((event) => event.type === "content-delta").map((event) => event.delta.message.content.text);
  several(texts);
  equal(events.at(-1).delta.finishReason, "COMPLETE");
});

test("cohere.v2.chat", "tool loop", async () => {
  const turns = [...messages];
  for (let rounds = 0; ; rounds++) {
    check(rounds < 5, "the loop does not end");
    const { message } = await client.chat({ model, messages: turns, tools, toolChoice: "REQUIRED" }, once);
    turns.push(message);
    if (!message.toolCalls?.length) {
      check(rounds >= 1 && message.content[0].text, message);
      return;
    }
    for (const call of message.toolCalls) {
      checkToolInput(call.function.name, call.function.arguments);
      turns.push({ role: "tool", toolCallId: call.id, content: TOLD });
    }
  }
});

test("cohere.v2.chat", "tool streaming", async () => {
  const events = await all(await client.chatStream({ model, messages, tools, toolChoice: "REQUIRED" }));
  const start = events.find((event) => event.type === "tool-call-start").delta.message.toolCalls;
  const pieces = events.filter((event) => event.type === "tool-call-delta" && event.index === 0);
  const rest = pieces.map((event) => event.delta.message.toolCalls.function.arguments).join("");
  checkToolInput(start.function.name, (start.function.arguments ?? "") + rest);
});

test("cohere.v2.chat", "structured output, typed", async () => {
  const responseFormat = { type: "json_object", jsonSchema: TOOL_SCHEMA };
  const answer = await client.chat({ model, messages, responseFormat }, once);
  checkToolInput(TOOL, answer.message.content[0].text);
});

test("cohere.v2.chat", "documents", async () => {
  checkWhole(await client.chat({ model, messages, documents: ["The sea is salt."] }, once));
});

test("cohere.v2.chat", "max_tokens", async () => {
  equal((await client.chat({ model, messages, maxTokens: 5 }, once)).finishReason, "MAX_TOKENS");
});

test("cohere.v2.chat", "headers", async () => {
  const { rawResponse } = await client.chat({ model, messages }, once).withRawResponse();
  check(/^[0-9a-f]{32}$/.test(rawResponse.headers.get("x-debug-trace-id")));
});

test("cohere.v2.chat", "error: broken structure", async () => {
  const error = await thrown(Cohere.BadRequestError, () => client.chat({ model, messages: [] }, once));
  check(error instanceof CohereError && error.statusCode === 400 && error.body.message, error.body);
});

test("cohere.v1.chat", "whole", async () => {
  const answer = await first.chat({ model, message: SENTENCE }, once);
  check(answer.text && answer.generationId, answer);
  equal(answer.finishReason, "COMPLETE");
});

test("cohere.v1.chat", "streaming", async () => {
  const events = await all(await first.chatStream({ model, message: SENTENCE }));
  equal([events[0].eventType, events.at(-1).eventType], ["stream-start", "stream-end"]);
  several(events.filter((event) => event.eventType === "text-generation").map((event) => event.text));
});

test("cohere.v2.embed", "all types", async () => {
  const answer = await client.embed({
    model: "embed-v4.0",
    inputType: "search_document",
    texts: ["cat", "sea"],
    embeddingTypes: ["float", "int8", "ubinary", "base64"],
    outputDimension: 256,
  });
  equal(answer.embeddings.float.map((vector) => vector.length), [256, 256]);
  equal(answer.embeddings.ubinary.map((vector) => vector.length), [32, 32]);
});

test("cohere.v1.embed", "whole", async () => {
  const answer = await first.embed({ model: "embed-english-v3.0", inputType: "search_query", texts: ["cat", "sea"] });
  equal(answer.embeddings.map((vector) => vector.length), [1024, 1024]);
});

test("cohere.v2.rerank", "whole", async () => {
  const documents = ["stock prices", "the salt of the sea", "cats"];
  const { results } = await client.rerank({ model: "rerank-v3.5", query: "salt sea", documents, topN: 2 });
  equal([results.length, results[0].index], [2, 1]);
});

test("cohere.v1.rerank", "whole", async () => {
  const asked = { model: "rerank-v3.5", query: "sea", documents: ["cats", "the sea"], returnDocuments: true };
  equal((await first.rerank(asked)).results[0].document.text, "the sea");
});

test("cohere.tokenize", "whole", async () => {
  const answer = await first.tokenize({ model, text: "The sea is salt." });
  equal(answer.tokenStrings.join(""), "The sea is salt.");
});

test("cohere.detokenize", "whole", async () => {
  const { tokens } = await first.tokenize({ model, text: "The sea is salt." });
  equal((await first.detokenize({ model, tokens })).text, "The sea is salt.");
});

test("cohere.models.list", "whole", async () => {
  check((await client.models.list({ pageSize: 1000 })).models.some((found) => found.name === model));
});

test("cohere.models.get", "whole", async () => equal((await client.models.get(model)).name, model));

test("cohere.models.get", "error: unknown model", async () => {
  await thrown(Cohere.NotFoundError, () => client.models.get("no-such-model", once));
});

test("cohere.check_api_key", "whole", async () => check((await first.checkApiKey()).valid));

await main();
