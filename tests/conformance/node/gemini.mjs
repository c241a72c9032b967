// The official Google SDK for Node: the Gemini API (v1 and v1beta) and Vertex (by API key: Node's SDK wants real credentials else).
import { ApiError, FinishReason, FunctionCallingConfigMode, GoogleGenAI, Type } from "@google/genai";
import { PNG, SENTENCE, TOLD, TOOL, TOOL_SCHEMA, TOOL_TEXT, all, at, check, checkToolInput, equal, main, several, test, thrown } from "./cases.mjs";

const baseUrl = at("generativelanguage.googleapis.com");
const apiKey = "AIza-none";
const V1 = new GoogleGenAI({ apiKey, httpOptions: { baseUrl } });
const BETA = new GoogleGenAI({ apiKey, httpOptions: { baseUrl, apiVersion: "v1beta" } });
const VERTEX = new GoogleGenAI({ vertexai: true, apiKey, httpOptions: { baseUrl: at("aiplatform.googleapis.com") } });
const model = "gemini-2.5-flash";
const contents = SENTENCE;
const { additionalProperties, ...parametersJsonSchema } = TOOL_SCHEMA;
const calling = {
  tools: [{ functionDeclarations: [{ name: TOOL, description: TOOL_TEXT, parametersJsonSchema }] }],
  toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } },
};

async function whole(client) {
  const config = { systemInstruction: "Be brief.", temperature: 0.5 };
  const answer = await client.models.generateContent({ model, contents, config });
  check(answer.text && answer.responseId && answer.modelVersion.startsWith(model), answer);
  equal(answer.candidates[0].finishReason, FinishReason.STOP);
  check(answer.usageMetadata.totalTokenCount > answer.usageMetadata.promptTokenCount, answer.usageMetadata);
}
test("gemini.generateContent", "whole", whole, V1);
test("gemini.generateContent", "whole, v1beta", whole, BETA);
test("vertex.generateContent", "whole", whole, VERTEX);

async function streaming(client) {
  const chunks = await all(await client.models.generateContentStream({ model, contents }));
  several(chunks.map((chunk) => chunk.text));
  equal(chunks.at(-1).candidates[0].finishReason, FinishReason.STOP);
  check(chunks.every((chunk) => chunk.usageMetadata));
}
test("gemini.streamGenerateContent", "streaming", streaming, V1);
test("gemini.streamGenerateContent", "streaming, v1beta", streaming, BETA);
test("vertex.streamGenerateContent", "streaming", streaming, VERTEX);

async function toolLoop(client) {
  const turns = [{ role: "user", parts: [{ text: SENTENCE }] }];
  for (let rounds = 0; ; rounds++) {
    check(rounds < 5, "the loop does not end");
    const answer = await client.models.generateContent({ model, contents: turns, config: calling });
    const calls = answer.functionCalls ?? [];
    if (!calls.length) {
      check(rounds >= 1 && answer.text, answer);
      return;
    }
    for (const call of calls) checkToolInput(call.name, call.args);
    turns.push(answer.candidates[0].content);
    const parts = calls.map(({ name }) => ({ functionResponse: { name, response: { result: TOLD } } }));
    turns.push({ role: "user", parts });
  }
}
test("gemini.generateContent", "tool loop", toolLoop, V1);
test("vertex.generateContent", "tool loop", toolLoop, VERTEX);

test("gemini.streamGenerateContent", "tool streaming", async () => {
  const chunks = await all(await V1.models.generateContentStream({ model, contents, config: calling }));
  const calls = chunks.flatMap((chunk) => chunk.functionCalls ?? []);
  check(calls.length >= 1);
  for (const call of calls) checkToolInput(call.name, call.args);
});

const responseSchema = {
  type: Type.OBJECT,
  properties: { name: { type: Type.STRING }, age: { type: Type.INTEGER }, mood: { type: Type.STRING, enum: ["glad", "sad"] } },
  required: ["name", "age", "mood"],
};

function checkPerson(text) {
  const person = JSON.parse(text);
  check(typeof person.name === "string" && Number.isInteger(person.age) && ["glad", "sad"].includes(person.mood), person);
}

async function structured(client) {
  const config = { responseMimeType: "application/json", responseSchema };
  checkPerson((await client.models.generateContent({ model, contents, config })).text);
}
test("gemini.generateContent", "structured output, typed", structured, V1);
test("vertex.generateContent", "structured output, typed", structured, VERTEX);

test("gemini.generateContent", "responseJsonSchema", async () => {
  const config = { responseMimeType: "application/json", responseJsonSchema: parametersJsonSchema };
  checkToolInput(TOOL, (await V1.models.generateContent({ model, contents, config })).text);
});

test("gemini.streamGenerateContent", "structured output, streaming", async () => {
  const config = { responseMimeType: "application/json", responseSchema };
  const chunks = await all(await V1.models.generateContentStream({ model, contents, config }));
  checkPerson(chunks.map((chunk) => chunk.text ?? "").join(""));
});

test("gemini.generateContent", "thoughts", async () => {
  const config = { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } };
  const answer = await V1.models.generateContent({ model, contents, config });
  check(answer.usageMetadata.thoughtsTokenCount > 0, answer.usageMetadata);
  check(answer.candidates[0].content.parts.some((part) => part.thought && part.text));
});

test("gemini.generateContent", "image input", async () => {
  const inlineData = { data: PNG.toString("base64"), mimeType: "image/png" };
  const answer = await V1.models.generateContent({ model, contents: [{ inlineData }, "What is this?"] });
  check(answer.text);
});

test("gemini.generateContent", "candidateCount, maxOutputTokens", async () => {
  const config = { candidateCount: 2, maxOutputTokens: 5, thinkingConfig: { thinkingBudget: 0 } };
  const { candidates } = await V1.models.generateContent({ model, contents, config });
  equal(candidates.map((candidate) => candidate.finishReason), [FinishReason.MAX_TOKENS, FinishReason.MAX_TOKENS]);
});

test("gemini.generateContent", "chat session", async () => {
  const chat = V1.chats.create({ model });
  check((await chat.sendMessage({ message: "Hello" })).text);
  several((await all(await chat.sendMessageStream({ message: SENTENCE }))).map((chunk) => chunk.text));
});

const wrong = { temperature: 0.5, httpOptions: { extraBody: { generationConfig: { temperature: "warm" } } } };

async function broken(client) {
  const error = await thrown(ApiError, () => client.models.generateContent({ model, contents, config: wrong }));
  equal(error.status, 400);
  check(error.message.includes("INVALID_ARGUMENT"), error.message);
}
test("gemini.generateContent", "error: broken structure", broken, V1);
test("vertex.generateContent", "error: broken structure", broken, VERTEX);

test("gemini.streamGenerateContent", "error: broken structure", async () => {
  const call = () => V1.models.generateContentStream({ model, contents, config: wrong });
  equal((await thrown(ApiError, call)).status, 400);
});

async function count(client) {
  check((await client.models.countTokens({ model, contents })).totalTokens > 0);
}
test("gemini.countTokens", "whole", count, V1);
test("vertex.countTokens", "whole", count, VERTEX);

async function embed(client) {
  const texts = ["a grey cat", "stock prices"];
  const answer = await client.models.embedContent({ model: "gemini-embedding-001", contents: texts });
  equal(answer.embeddings.map((item) => item.values.length), [3072, 3072]);
  const config = { outputDimensionality: 768 };
  const other = await client.models.embedContent({ model: "gemini-embedding-001", contents: "cat", config });
  equal(other.embeddings[0].values.length, 768);
}
test("gemini.batchEmbedContents", "whole", embed, V1);
test("vertex.embeddings", "whole", embed, VERTEX);

async function models(client) {
  const names = (await all(await client.models.list({ config: { pageSize: 10 } }))).map((found) => found.name);
  check(names.includes(`models/${model}`) && names.length > 10, names.length);
}
test("gemini.models.list", "whole", models, V1);
test("gemini.models.list", "whole, v1beta", models, BETA);

test("gemini.models.get", "whole", async () => equal((await V1.models.get({ model })).name, `models/${model}`));

test("gemini.models.get", "error: unknown model", async () => {
  equal((await thrown(ApiError, () => V1.models.get({ model: "no-such-model" }))).status, 404);
});

test("gemini.interactions.create", "whole", async () => {
  const made = await V1.interactions.create({ model, input: SENTENCE });
  equal(made.status, "completed");
  equal((await V1.interactions.get(made.id)).id, made.id);
});

test("gemini.interactions.create", "streaming", async () => {
  const events = await all(await V1.interactions.create({ model, input: SENTENCE, stream: true }));
  const kinds = events.map((event) => event.event_type);
  equal([kinds[0], kinds.at(-1)], ["interaction.created", "interaction.completed"]);
  several(events.map((event) => (event.delta?.type === "text" ? event.delta.text : "")));
});

test("gemini.files.list", "upload, get, list, use, delete", async () => {
  const file = new Blob(["The sea is salt."], { type: "text/plain" });
  const made = await BETA.files.upload({ file, config: { mimeType: "text/plain", displayName: "sea" } });
  equal((await BETA.files.get({ name: made.name })).state, "ACTIVE");
  check((await all(await BETA.files.list())).some((found) => found.name === made.name));
  const fileData = { fileUri: made.uri, mimeType: made.mimeType };
  check((await BETA.models.generateContent({ model, contents: [{ fileData }, "What is this?"] })).text);
  await BETA.files.delete({ name: made.name });
});

test("gemini.cachedContents.list", "create, use, update, list, delete", async () => {
  const config = { contents: "The sea is wide. ".repeat(2000), ttl: "600s" };
  const { name } = await BETA.caches.create({ model, config });
  const answer = await BETA.models.generateContent({ model, contents, config: { cachedContent: name } });
  check(answer.usageMetadata.cachedContentTokenCount > 1000, answer.usageMetadata);
  await BETA.caches.update({ name, config: { ttl: "700s" } });
  check((await all(await BETA.caches.list())).some((found) => found.name === name));
  await BETA.caches.delete({ name });
});

test("gemini.batches.list", "create, lifecycle, results, list, delete", async () => {
  const src = [0, 1].map((n) => ({ contents: `Number ${n}` }));
  let batch = await BETA.batches.create({ model, src });
  for (let n = 0; n < 10 && batch.state !== "JOB_STATE_SUCCEEDED"; n++) batch = await BETA.batches.get({ name: batch.name });
  equal(batch.dest.inlinedResponses.map(({ response }) => Boolean(response.candidates[0].content)), [true, true]);
  check((await all(await BETA.batches.list())).some((found) => found.name === batch.name));
  await BETA.batches.delete({ name: batch.name });
});

await main();
