// Edits a note with stock Yjs through the HTTP API, while others edit it, until it has what they wrote, too.
//
//   node edit.js URL COLLECTION KEY WORDS EXPECTED
//
// Types words, one key at a time, each followed by a space; ends when the text has EXPECTED characters, and prints it.

import * as Y from "yjs";
import { AnabranchProvider } from "./provider.js";

const [url, collection, key, words, expected] = process.argv.slice(2);
const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));

const doc = new Y.Doc();
const text = doc.getText("text");
const provider = new AnabranchProvider(url, collection, key, doc, Y, { interval: 20 });
let failed = null;
provider.onError = (error) => (failed = error);

// Behind what this editor wrote last: others write before and after it.
const end = () => {
  const last = text.toString().lastIndexOf("🙂 ");
  return last < 0 ? 0 : last + "🙂 ".length;
};
for (let n = 0; n < Number(words); n++) {
  let at = end();
  for (const char of `browser${n} 🙂 `) {
    text.insert(at, char);
    at += char.length;
  }
  await pause(5);
}

const deadline = Date.now() + 30_000;
while ([...text.toString()].length < Number(expected) && Date.now() < deadline) await pause(20);
await provider.stop();
if ([...text.toString()].length !== Number(expected)) {
  console.error(`the text has ${[...text.toString()].length} characters, not ${expected}`, failed ?? "");
  process.exit(1);
}
process.stdout.write(text.toString());
