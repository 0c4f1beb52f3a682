// The worker as an object to ask. It is ended when nothing was read for 30 seconds; another one takes its place.

const SILENT = 30_000;

export class Reader {
  /** `progress` is called with the bytes that were read since the last question. */
  constructor(progress) {
    this.progress = progress;
    this.number = 0;
    this.waiting = new Map();
    this.source = null;
    this.begin();
  }

  begin() {
    this.worker = new Worker("worker.js", { type: "module" });
    this.worker.onmessage = ({ data }) => this.settle(data);
    this.worker.onerror = () => this.end("the worker ended");
  }

  /** Opens an archive: {base} of a server, {files}, or {url}. */
  async open(source) {
    this.source = null; // what does not open is not opened again
    const found = await this.ask("open", { source });
    this.source = source;
    return found;
  }

  ask(cmd, more = {}) {
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.listen();
      this.worker.postMessage({ id, cmd, ...more });
    });
  }

  /** Waits for answers, from the start again after everything that the worker reads. */
  listen() {
    clearTimeout(this.timer);
    if (this.waiting.size) this.timer = setTimeout(() => this.end(`nothing was read for ${SILENT / 1000} seconds`), SILENT);
  }

  settle({ id, error, alive, ...answer }) {
    if (alive) this.progress(alive);
    const asked = this.waiting.get(id);
    if (asked) this.waiting.delete(id);
    this.listen();
    if (!asked) return;
    if (error === undefined) asked.resolve(answer);
    else asked.reject(new Error(error));
  }

  /** Ends the worker; another one opens the archive again before it is asked for anything else. */
  end(reason) {
    this.worker.terminate();
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    this.listen();
    for (const { reject } of waiting) reject(new Error(reason));
    this.begin();
    if (this.source) this.open(this.source).catch(() => {});
  }
}
