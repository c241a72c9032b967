// What the official Cohere SDK for Node throws where the simulator validates as the provider does.
import { Cohere, CohereClientV2 } from "cohere-ai";
import { SENTENCE, STRICT, check, main, test, thrown } from "./cases.mjs";

function ask(options, token = "none-at-all") {
  const client = new CohereClientV2({ token, environment: `${STRICT}/api.cohere.com` });
  const asked = { model: "command-a-03-2025", messages: [{ role: "user", content: SENTENCE }], ...options };
  return client.chat(asked, { maxRetries: 0 });
}

async function refused(kind, options = {}, token) {
  check((await thrown(kind, () => ask(options, token))).body.message);
}

test("cohere.v2.chat", "provider validation: accepted", async () => check((await ask()).message.content[0].text));
test("cohere.v2.chat", "provider validation: wrong key", () => refused(Cohere.UnauthorizedError, {}, "wrong"));
test("cohere.v2.chat", "provider validation: unknown model", () => refused(Cohere.NotFoundError, { model: "no-such-model" }));
test("cohere.v2.chat", "provider validation: out of range", () => refused(Cohere.BadRequestError, { temperature: -1 }));

await main();
