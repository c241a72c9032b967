// Asks for every condition that standard input lists, through the official SDKs for Node, and prints what they throw.
// Started by tests/wire/test_conditions_node.py: the argument is the base URL, each call names its condition as its session.
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI, { AzureOpenAI, toFile } from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

// The SDKs' pauses between attempts are skipped; the time that they give a request is not.
const later = globalThis.setTimeout;
globalThis.setTimeout = (call, wait, ...rest) => {
  const pause = wait < 350_000 && new Error().stack.includes("/node_modules/");
  return later(call, pause ? 1 : wait, ...rest);
};

const base = process.argv[2];
const messages = [{ role: "user", content: "Hi" }];
const image = { model: "gpt-image-1", prompt: "Hi" };
const file = () => toFile(Buffer.from("RIFF"), "a.wav");
const openai = (at) => new OpenAI({ apiKey: "sk-test", baseURL: `${at}/api.openai.com/v1` });
const azure = (at) => new AzureOpenAI({ apiKey: "k", endpoint: `${at}/x.openai.azure.com`, apiVersion: "2024-10-21" });
const anthropic = (at) => new Anthropic({ apiKey: "sk-ant-test", baseURL: `${at}/api.anthropic.com` });
const genai = (at) => new GoogleGenAI({ apiKey: "AIza", httpOptions: { baseUrl: `${at}/generativelanguage.googleapis.com` } });
const google = { model: "gemini-2.5-flash", contents: "Hi" };
const interaction = { model: "gemini-2.5-flash", input: "Hi" };
const message = { model: "claude-opus-5", max_tokens: 10, messages };

async function all(stream) {
  const events = [];
  for await (const event of await stream) events.push(event);
  return events;
}

const probes = {
  "openai.chat": (at) => openai(at).chat.completions.create({ model: "gpt-4o", messages }),
  "openai.chat_stream": (at) => all(openai(at).chat.completions.create({ model: "gpt-4o", messages, stream: true })),
  "openai.chat_parse": (at) => {
    const response_format = zodResponseFormat(z.object({ a: z.string() }), "answer");
    return openai(at).chat.completions.parse({ model: "gpt-4o", messages, response_format });
  },
  "openai.responses": (at) => openai(at).responses.create({ model: "gpt-4o", input: "Hi" }),
  "openai.responses_stream": (at) => all(openai(at).responses.create({ model: "gpt-4o", input: "Hi", stream: true })),
  "openai.images": (at) => openai(at).images.generate(image),
  "openai.embeddings": (at) => openai(at).embeddings.create({ model: "text-embedding-3-small", input: "Hi" }),
  "openai.completions": (at) => openai(at).completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Hi" }),
  "openai.speech": (at) => openai(at).audio.speech.create({ model: "tts-1", voice: "alloy", input: "Hi" }),
  "openai.transcriptions": async (at) => openai(at).audio.transcriptions.create({ model: "whisper-1", file: await file() }),
  "openai.models_retrieve": (at) => openai(at).models.retrieve("ft:123"),
  "openai.responses_retrieve": (at) => openai(at).responses.retrieve("resp_abc"),
  "openai.files_retrieve": (at) => openai(at).files.retrieve("file-abc"),
  "openai.batches_retrieve": (at) => openai(at).batches.retrieve("batch_abc"),
  "openai.batches_cancel": (at) => openai(at).batches.cancel("batch_abc"),
  "azure.chat": (at) => azure(at).chat.completions.create({ model: "dep", messages }),
  "azure.chat_stream": (at) => all(azure(at).chat.completions.create({ model: "dep", messages, stream: true })),
  "azure.images": (at) => azure(at).images.generate({ model: "dep", prompt: "Hi" }),
  "azure.v1_chat": (at) => {
    const client = new OpenAI({ apiKey: "k", baseURL: `${at}/x.openai.azure.com/openai/v1` });
    return client.chat.completions.create({ model: "dep", messages });
  },
  "anthropic.messages": (at) => anthropic(at).messages.create(message),
  "anthropic.messages_stream": (at) => all(anthropic(at).messages.create({ ...message, stream: true })),
  "anthropic.models_retrieve": (at) => anthropic(at).models.retrieve("claude-none"),
  "anthropic.batches_cancel": (at) => anthropic(at).messages.batches.cancel("msgbatch_2"),
  "anthropic.batch_results": (at) => all(anthropic(at).messages.batches.results("msgbatch_1")),
  "gemini.generate": (at) => genai(at).models.generateContent(google),
  "gemini.generate_stream": (at) => all(genai(at).models.generateContentStream(google)),
  "gemini.count": (at) => genai(at).models.countTokens(google),
  "gemini.models_get": (at) => genai(at).models.get({ model: "gemini-none" }),
  "gemini.openai_compat": (at) => {
    const client = new OpenAI({ apiKey: "AIza", baseURL: `${at}/generativelanguage.googleapis.com/v1beta/openai` });
    return client.chat.completions.create({ model: "gemini-2.5-flash", messages });
  },
  "gemini.interactions": (at) => genai(at).interactions.create(interaction),
  "gemini.interactions_stream": (at) => all(genai(at).interactions.create({ ...interaction, stream: true })),
};

async function seen({ id, probe }) {
  try {
    await probes[probe](`${base}/session/${id}`);
    return { name: null };
  } catch (error) {
    return { name: error.constructor.name, message: String(error.message), request: error.requestID ?? null };
  }
}

let given = "";
for await (const piece of process.stdin) given += piece;
const left = JSON.parse(given);
const found = {};
await Promise.all(
  Array.from({ length: 16 }, async () => {
    for (let entry = left.pop(); entry; entry = left.pop()) found[entry.id] = await seen(entry);
  }),
);
console.log(JSON.stringify(found));
