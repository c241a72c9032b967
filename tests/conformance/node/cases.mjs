// The same contract as clients/cases.py: a program declares its cases with `test`, and `main` prints one JSON line for each.
export const [LENIENT, STRICT] = process.argv.slice(2);
export const at = (host) => `${LENIENT}/${host}`;
const NOT_SERVED = "not_simulated";
const declared = [];

// Literal strings on one line: the runner reads them. The other arguments go to the function.
export function test(endpoint, feature, run, ...given) {
  declared.push({ endpoint, feature, run: () => run(...given) });
}

export async function main() {
  for (const { endpoint, feature, run } of declared) {
    const [outcome, detail] = await told(run);
    console.log(JSON.stringify([endpoint, feature, outcome, detail]));
  }
  process.exit(0); // some SDKs keep their sockets open
}

async function told(run) {
  try {
    await run();
    return ["passed", ""];
  } catch (error) {
    for (let cause = error; cause; cause = cause.cause) {
      const said = `${cause} ${JSON.stringify(cause.error ?? cause.body ?? "")}`;
      if (said.includes(NOT_SERVED) || said.includes("response: 501")) return ["not served", ""];
    }
    return ["failed", String(error?.stack ?? error).slice(0, 3000)];
  }
}

export function check(fact, ...shown) {
  if (!fact) throw new Error(`not so: ${shown.map((value) => JSON.stringify(value)).join(" ")}`);
}

export function equal(given, expected) {
  check(JSON.stringify(given) === JSON.stringify(expected), given, "expected", expected);
}

// The error of exactly that class which the call throws.
export async function thrown(kind, call) {
  let result;
  try {
    result = await call();
  } catch (error) {
    if (error.constructor === kind) return error;
    throw error;
  }
  throw new Error(`no ${kind.name}, but ${JSON.stringify(result)}`);
}

export async function all(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

// The text of a stream; it must have come in more than one piece.
export function several(pieces) {
  const parts = pieces.filter(Boolean);
  check(parts.length > 1, parts);
  return parts.join("");
}

export const SENTENCE = "Write two or three sentences about the sea.";
export const TOOL = "read_thermometer";
export const TOOL_TEXT = "Reads the thermometer of a city.";
export const TOOL_SCHEMA = {
  type: "object",
  properties: {
    city: { type: "string" },
    unit: { type: "string", enum: ["celsius", "fahrenheit"] },
    days: { type: "integer", minimum: 1, maximum: 7 },
  },
  required: ["city", "unit", "days"],
  additionalProperties: false,
};
export const TOLD = '{"degrees": 18}';

export function checkToolInput(name, given) {
  const input = typeof given === "string" ? JSON.parse(given) : given;
  check(name === TOOL, name);
  equal(Object.keys(input).sort(), ["city", "days", "unit"]);
  check(typeof input.city === "string" && TOOL_SCHEMA.properties.unit.enum.includes(input.unit), input);
  check(Number.isInteger(input.days) && input.days >= 1 && input.days <= 7, input);
}

export const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==",
  "base64",
);

export function wav() {
  const data = Buffer.alloc(16000);
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE(16000, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}
