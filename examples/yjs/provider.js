// Keeps a Yjs document and a text of Anabranch in step, over the HTTP API. Plain JavaScript, for browsers and Node.
//
//   const provider = new AnabranchProvider("http://127.0.0.1:7501", "notes", "trip", doc, Y)
//
// The text is the document's root `text`: doc.getText("text").

const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const fromBase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

export class AnabranchProvider {
  constructor(url, collection, key, doc, Y, { interval = 500 } = {}) {
    Object.assign(this, { doc, Y, interval });
    this.path = `${url}/v1/data/${encodeURIComponent(collection)}/${encodeURIComponent(key)}`;
    this.unsent = []; // what was edited here and is not known to be there
    this.token = null;
    this.stopped = false;
    this.onUpdate = (update, origin) => {
      if (origin !== this) this.unsent.push(update);
    };
    doc.on("update", this.onUpdate);
    // What the document had before.
    const before = Y.encodeStateAsUpdate(doc);
    if (before.length > 2) this.unsent.push(before);
    this.running = this.run();
  }

  async run() {
    while (!this.stopped) {
      // A node that is away is asked again: what is not sent stays here.
      await this.sync().catch((error) => this.onError?.(error));
      if (!this.stopped) await new Promise((wake) => (this.timer = setTimeout((this.wake = wake), this.interval)));
    }
  }

  /// Sends what was edited here, then takes in what came from elsewhere.
  async sync() {
    if (this.unsent.length > 0) {
      const sending = this.unsent.length;
      const update = this.Y.mergeUpdates(this.unsent.slice(0, sending));
      // An update that arrives twice changes nothing, so sending again after a failure is safe.
      const sent = await this.request("POST", "?return=none", JSON.stringify({ yjs: toBase64(update) }));
      if (!sent.ok) throw new Error(`the update was not taken: ${sent.status} ${await sent.text()}`);
      this.unsent.splice(0, sending);
    }
    const since = encodeURIComponent(toBase64(this.Y.encodeStateVector(this.doc)));
    const got = await this.request("GET", `?format=yjs&since=${since}`);
    if (got.status === 404) return; // nobody has written yet
    if (!got.ok) throw new Error(`the text cannot be had: ${got.status} ${await got.text()}`);
    this.Y.applyUpdate(this.doc, fromBase64((await got.json()).yjs), this);
  }

  /// The causal token goes along, so that this document never goes back in time, whichever node answers.
  async request(method, query, body) {
    const headers = this.token ? { "Anabranch-Token": this.token } : {};
    if (body) headers["Content-Type"] = "application/json";
    const answer = await fetch(this.path + query, { method, headers, body });
    this.token = answer.headers.get("Anabranch-Token") ?? this.token;
    return answer;
  }

  /// Stops, and sends what is left.
  async stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.wake?.();
    this.doc.off("update", this.onUpdate);
    await this.running;
    await this.sync();
  }
}
