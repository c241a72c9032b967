// The official OpenAI SDK for Node on what is not text generation.
import OpenAI, { AzureOpenAI, toFile } from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import net from "node:net";
import { PNG, all, at, check, equal, main, several, test, thrown, wav } from "./cases.mjs";

const maxRetries = 0;
const OPENAI = new OpenAI({ apiKey: "sk-none", baseURL: `${at("api.openai.com")}/v1`, maxRetries });
const endpoint = at("conformance.openai.azure.com");
const apiKey = "0".repeat(32);
const AZURE = new AzureOpenAI({ endpoint, apiKey, apiVersion: "2024-10-21", maxRetries });
const AZURE_V1 = new OpenAI({ apiKey, baseURL: `${endpoint}/openai/v1/`, maxRetries });
const compatible = `${at("generativelanguage.googleapis.com")}/v1beta/openai/`;
const COMPAT = new OpenAI({ apiKey: "AIza-none", baseURL: compatible, maxRetries });

const length = (vector) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));

async function embeddings(client, model, dimensions) {
  const answer = await client.embeddings.create({ model, input: ["a grey cat", "stock prices"] });
  equal(answer.data.map((item) => item.embedding.length), [dimensions, dimensions]);
  for (const item of answer.data) check(Math.abs(length(item.embedding) - 1) < 1e-3, length(item.embedding));
  check(answer.usage.prompt_tokens > 0);
}
test("openai.embeddings", "base64 (the SDK's own choice)", embeddings, OPENAI, "text-embedding-3-small", 1536);
test("azure.embeddings", "base64 (the SDK's own choice)", embeddings, AZURE, "text-embedding-3-small", 1536);
test("azure.v1.embeddings", "base64 (the SDK's own choice)", embeddings, AZURE_V1, "text-embedding-3-large", 3072);
test("gemini.openai_compat.embeddings", "base64 (the SDK's own choice)", embeddings, COMPAT, "gemini-embedding-001", 3072);

async function embeddingsFloat(client, model) {
  const options = { model, input: "cat", encoding_format: "float", dimensions: 256 };
  equal((await client.embeddings.create(options)).data[0].embedding.length, 256);
}
test("openai.embeddings", "float and dimensions", embeddingsFloat, OPENAI, "text-embedding-3-small");
test("azure.embeddings", "float and dimensions", embeddingsFloat, AZURE, "text-embedding-3-small");

test("openai.embeddings", "error: broken structure", async () => {
  const call = () => OPENAI.embeddings.create({ model: "text-embedding-3-small", input: { not: "text" } });
  const error = await thrown(OpenAI.BadRequestError, call);
  check(error.requestID && error.message.includes("input"), error.message);
});

async function models(client, named) {
  const ids = (await all(client.models.list())).map((model) => model.id);
  check(ids.length && (!named || ids.some((id) => id.endsWith(named))), ids.length);
}
test("openai.models.list", "whole", models, OPENAI, "gpt-4o-mini");
test("azure.models", "whole", models, AZURE);
test("azure.v1.models", "whole", models, AZURE_V1);
test("gemini.openai_compat.models", "whole", models, COMPAT, "gemini-2.5-flash");

test("openai.models.retrieve", "whole", async () => equal((await OPENAI.models.retrieve("gpt-4o-mini")).id, "gpt-4o-mini"));

test("openai.models.retrieve", "error: unknown model", async () => {
  const error = await thrown(OpenAI.NotFoundError, () => OPENAI.models.retrieve("no-such-model"));
  equal(error.code, "model_not_found");
  check(error.requestID);
});

test("openai.models.delete", "whole", async () => check((await OPENAI.models.delete("ft:gpt-4o-mini:ours::abc")).deleted));

test("openai.moderations", "whole", async () => {
  const answer = await OPENAI.moderations.create({ model: "omni-moderation-latest", input: ["I like cats.", "Good day."] });
  equal(answer.results.map((result) => result.flagged), [false, false]);
});

const LINES = [0, 1, 2].map((n) => ({
  custom_id: `line-${n}`,
  method: "POST",
  url: "/v1/chat/completions",
  body: { model: "gpt-4o-mini", messages: [{ role: "user", content: `Number ${n}` }] },
}));
const DATA = LINES.map((line) => `${JSON.stringify(line)}\n`).join("");

async function upload(client) {
  return client.files.create({ file: await toFile(Buffer.from(DATA), "lines.jsonl"), purpose: "batch" });
}

async function fileMade(client) {
  const made = await upload(client);
  equal([made.object, made.filename, made.purpose, made.bytes], ["file", "lines.jsonl", "batch", DATA.length]);
}
test("openai.files.create", "whole", fileMade, OPENAI);
test("azure.files", "create", fileMade, AZURE);

async function files(client) {
  const made = await upload(client);
  check((await all(client.files.list())).some((file) => file.id === made.id));
}
test("openai.files.list", "whole", files, OPENAI);
test("azure.files", "list", files, AZURE);

test("openai.files.retrieve", "whole", async () => {
  equal((await OPENAI.files.retrieve((await upload(OPENAI)).id)).filename, "lines.jsonl");
});

test("openai.files.retrieve", "error: unknown id", async () => {
  check((await thrown(OpenAI.NotFoundError, () => OPENAI.files.retrieve("file-unknown"))).requestID);
});

async function content(client) {
  equal(await (await client.files.content((await upload(client)).id)).text(), DATA);
}
test("openai.files.content", "whole", content, OPENAI);
test("azure.files", "content", content, AZURE);

test("openai.files.delete", "whole", async () => {
  const made = await upload(OPENAI);
  check((await OPENAI.files.delete(made.id)).deleted);
  await thrown(OpenAI.NotFoundError, () => OPENAI.files.retrieve(made.id));
});

async function batchOf(client) {
  const { id } = await upload(client);
  return client.batches.create({ input_file_id: id, endpoint: "/v1/chat/completions", completion_window: "24h" });
}

async function batchMade(client) {
  const made = await batchOf(client);
  check(made.id.startsWith("batch_") && ["validating", "in_progress"].includes(made.status), made);
}
test("openai.batches.create", "whole", batchMade, OPENAI);
test("azure.batches", "create", batchMade, AZURE);

async function lifecycle(client) {
  let batch = await batchOf(client);
  for (let n = 0; n < 10 && batch.status !== "completed"; n++) batch = await client.batches.retrieve(batch.id);
  equal(batch.request_counts, { total: 3, completed: 3, failed: 0 });
  const text = await (await client.files.content(batch.output_file_id)).text();
  const lines = text.trim().split("\n").map((line) => JSON.parse(line));
  equal(lines.map((line) => line.custom_id).sort(), ["line-0", "line-1", "line-2"]);
  check(lines.every((line) => line.response.body.choices[0].message.content), lines);
}
test("openai.batches.retrieve", "lifecycle to the output file", lifecycle, OPENAI);
test("azure.batches", "lifecycle to the output file", lifecycle, AZURE);

test("openai.batches.cancel", "whole", async () => {
  const { status } = await OPENAI.batches.cancel((await batchOf(OPENAI)).id);
  check(["cancelling", "cancelled"].includes(status), status);
});

async function batches(client) {
  const made = await batchOf(client);
  check((await all(client.batches.list({ limit: 100 }))).some((batch) => batch.id === made.id));
}
test("openai.batches.list", "whole", batches, OPENAI);
test("azure.batches", "list", batches, AZURE);

const isPng = (text) => Buffer.from(text, "base64").subarray(1, 4).toString() === "PNG";

async function image(client, model) {
  const answer = await client.images.generate({ model, prompt: "a cat", n: 2, size: "1024x1024" });
  equal(answer.data.map((picture) => isPng(picture.b64_json)), [true, true]);
}
test("openai.images.generations", "base64", image, OPENAI, "gpt-image-1");
test("azure.images", "base64", image, AZURE, "gpt-image-1");

test("openai.images.generations", "URL", async () => {
  const answer = await OPENAI.images.generate({ model: "dall-e-3", prompt: "a cat", response_format: "url" });
  check(answer.data[0].url.startsWith("http"), answer.data);
});

test("openai.images.generations", "streaming", async () => {
  const options = { model: "gpt-image-1", prompt: "a cat", stream: true, partial_images: 2 };
  const kinds = (await all(await OPENAI.images.generate(options))).map((event) => event.type);
  equal(kinds.at(-1), "image_generation.completed");
});

test("openai.images.edits", "whole", async () => {
  const cat = await toFile(PNG, "cat.png", { type: "image/png" });
  const answer = await OPENAI.images.edit({ model: "gpt-image-1", image: cat, prompt: "greyer" });
  check(isPng(answer.data[0].b64_json));
});

async function speech(client) {
  const options = { model: "tts-1", voice: "alloy", input: "Good day." };
  const mp3 = Buffer.from(await (await client.audio.speech.create(options)).arrayBuffer());
  check(mp3.subarray(0, 3).toString() === "ID3" || mp3[0] === 0xff, mp3.length);
  const sound = await client.audio.speech.create({ ...options, response_format: "wav" });
  equal(Buffer.from(await sound.arrayBuffer()).subarray(0, 4).toString(), "RIFF");
}
test("openai.audio.speech", "mp3, wav", speech, OPENAI);
test("azure.speech", "mp3, wav", speech, AZURE);

const sound = () => toFile(wav(), "silence.wav", { type: "audio/wav" });

test("openai.audio.transcriptions", "json, verbose_json, text", async () => {
  const model = "whisper-1";
  check((await OPENAI.audio.transcriptions.create({ model, file: await sound() })).text);
  const options = { model, file: await sound(), response_format: "verbose_json" };
  check((await OPENAI.audio.transcriptions.create(options)).segments.length);
  const text = await OPENAI.audio.transcriptions.create({ model, file: await sound(), response_format: "text" });
  check(typeof text === "string" && text, text);
});

test("azure.transcriptions", "json", async () => {
  check((await AZURE.audio.transcriptions.create({ model: "whisper-1", file: await sound() })).text);
});

test("openai.audio.transcriptions", "streaming", async () => {
  const options = { model: "gpt-4o-mini-transcribe", file: await sound(), stream: true };
  const events = await all(await OPENAI.audio.transcriptions.create(options));
  const deltas = events.filter((event) => event.type === "transcript.text.delta").map((event) => event.delta);
  equal(events.at(-1).text, several(deltas));
});

test("openai.audio.translations", "json", async () => {
  check((await OPENAI.audio.translations.create({ model: "whisper-1", file: await sound() })).text);
});

// The SDK always asks for wss; the simulator's base URL has no TLS, so the socket is a plain one (an option of `ws`).
const createConnection = ({ host, port }) => net.connect({ host, port });

async function realtime(client, model) {
  const socket = new OpenAIRealtimeWS({ model, options: { createConnection } }, client);
  const kinds = [];
  let text = "";
  await new Promise((done, fail) => {
    socket.on("error", fail);
    socket.socket.on("unexpected-response", (_, response) => fail(new Error(`response: ${response.statusCode}`)));
    socket.on("event", (event) => {
      kinds.push(event.type);
      if (event.type === "session.created") {
        const item = { type: "message", role: "user", content: [{ type: "input_text", text: "Hello" }] };
        socket.send({ type: "conversation.item.create", item });
        socket.send({ type: "response.create", response: { output_modalities: ["text"] } });
      }
      if (event.type === "response.output_text.delta") text += event.delta;
      if (event.type === "response.done") done();
    });
  });
  socket.close();
  equal(kinds[0], "session.created");
  check(text);
}
test("openai.realtime", "text conversation", realtime, OPENAI, "gpt-realtime");
test("azure.realtime", "text conversation", realtime, AZURE_V1, "gpt-realtime");

test("openai.realtime.client_secrets", "whole", async () => {
  const session = { type: "realtime", model: "gpt-realtime" };
  check((await OPENAI.realtime.clientSecrets.create({ session })).value);
});

await main();
