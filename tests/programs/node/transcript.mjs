// The prompts that the stand-in knows (tests/programs/transcript.py), and the lines that the programs print.
export const PROMPTS = {
  plain: "Say hello. #plain",
  stream: "Count in German. #stream",
  gzip: "Write at length. #gzip",
  limited: "Are you busy? #limited",
};

export function say(step, text, more = {}) {
  console.log(JSON.stringify({ step, text, ...more }));
}

// Eight calls with different prompts at once, told in the order of their numbers.
export async function eight(call) {
  const numbers = [...Array(8).keys()];
  const texts = await Promise.all(numbers.map((n) => call(`Think of number ${n}. #call${n}`)));
  texts.forEach((text, n) => say(`call${n}`, text));
}
