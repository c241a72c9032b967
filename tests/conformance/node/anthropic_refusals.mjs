// What the official Anthropic SDK for Node throws where the simulator validates as the provider does.
import Anthropic from "@anthropic-ai/sdk";
import { SENTENCE, STRICT, TOLD, check, equal, main, test, thrown } from "./cases.mjs";

const usual = { model: "claude-sonnet-5", max_tokens: 100, messages: [{ role: "user", content: SENTENCE }] };

function create(options, apiKey = "sk-ant-none-at-all") {
  return new Anthropic({ apiKey, baseURL: `${STRICT}/api.anthropic.com`, maxRetries: 0 }).messages.create({ ...usual, ...options });
}

async function refused(kind, type, options = {}, apiKey) {
  const error = await thrown(kind, () => create(options, apiKey));
  equal(error.type, type);
  check(error.requestID?.startsWith("req_") && error.message, error.message);
}

test("anthropic.messages", "provider validation: accepted", async () => check((await create()).content.length));
test("anthropic.messages", "provider validation: wrong key", () => refused(Anthropic.AuthenticationError, "authentication_error", {}, "wrong"));
test("anthropic.messages", "provider validation: unknown model", () => refused(Anthropic.NotFoundError, "not_found_error", { model: "no-such-model" }));
test("anthropic.messages", "provider validation: out of range", () => refused(Anthropic.BadRequestError, "invalid_request_error", { max_tokens: 0 }));
test("anthropic.messages", "provider validation: missing max_tokens", () => refused(Anthropic.BadRequestError, "invalid_request_error", { max_tokens: undefined }));
test("anthropic.messages", "provider validation: tool result without a call", () => {
  const content = [{ type: "tool_result", tool_use_id: "toolu_01none", content: TOLD }];
  const messages = [...usual.messages, { role: "assistant", content: "Well." }, { role: "user", content }];
  return refused(Anthropic.BadRequestError, "invalid_request_error", { messages });
});

await main();
