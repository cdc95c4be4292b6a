// <run-log src="/runs/<id>/events">: steps and log lines over server-sent events.
//
// Events (data is JSON; ids let the browser resume with Last-Event-ID):
//   step   {"id", "state": waiting|running|succeeded|failed|skipped|cancelled, "duration": text?, "title"?, "note"?}
//   log    {"n": line number, "step": id, "time": "14:02:11", "text": "…"}
//   state  {"state": dot state, "word": "Running", "elapsed": seconds?, "progress": 0-100?, "done": bool}
//   end    {}  nothing follows; the stream is closed for good
import { all, one } from "./dom.js";
import { LogView } from "./log-view.js";
import { toast } from "./toast.js";

const STALLED_MS = 120_000;
const HIDDEN_MS = 60_000;
const TONES = { healthy: "ok", degraded: "warn", down: "bad" };
const WORDS = {
  waiting: "waiting",
  running: "running",
  succeeded: "succeeded",
  failed: "failed",
  skipped: "skipped",
  cancelled: "cancelled",
};

class RunLog extends HTMLElement {
  connectedCallback() {
    if (this.view) {
      // moved within the page: what is shown stays, the stream goes on
      document.addEventListener("visibilitychange", this.visibility);
      if (this.hasAttribute("src") && !this.stream && !this.ended) this.connect();
      return;
    }
    this.view = new LogView(one(".p-log", this));
    // Lines that the page brought along are not drawn again when the stream repeats them.
    this.seen = new Set(all(".p-line[id]", this).map((line) => Number(line.id.slice(1))));
    this.headed = new Set(all(".p-line-head", this).map((line) => line.dataset.step));
    this.controls();
    this.view.selectFromAddress();
    this.visibility = () => this.onVisibility();
    document.addEventListener("visibilitychange", this.visibility);
    if (this.hasAttribute("src")) this.connect();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.visibility);
    clearTimeout(this.rest);
    this.finish();
  }

  connect() {
    this.stream = new EventSource(this.address());
    this.stream.addEventListener("open", () => this.bar(""));
    this.stream.addEventListener("error", () => this.onError());
    this.listen("step", (data) => this.onStep(data));
    this.listen("log", (data) => this.onLog(data));
    this.listen("state", (data) => this.onState(data));
    this.stream.addEventListener("end", () => {
      this.ended = true;
      this.finish();
    });
    this.clock = setInterval(() => this.tick(), 1000);
    this.lastOutput = Date.now();
  }

  /** The browser resumes a broken stream by itself; a stream that we open anew tells the last id in the address. */
  address() {
    const address = new URL(this.getAttribute("src"), location.href);
    if (this.lastId) address.searchParams.set("last_event_id", this.lastId);
    return address;
  }

  /** A hidden tab gives its connection back: a browser has only six per host without HTTP/2. */
  onVisibility() {
    clearTimeout(this.rest);
    if (document.hidden) {
      this.rest = setTimeout(() => this.pause(), HIDDEN_MS);
    } else if (this.paused) {
      this.paused = false;
      this.connect();
    }
  }

  pause() {
    if (!this.stream) return;
    this.finish();
    this.paused = true;
  }

  listen(type, handler) {
    this.stream.addEventListener(type, (event) => {
      this.lastOutput = Date.now();
      this.lastId = event.lastEventId || this.lastId;
      handler(JSON.parse(event.data));
    });
  }

  finish() {
    clearInterval(this.clock);
    this.stream?.close();
    this.stream = null;
    this.bar("");
  }

  onError() {
    if (!this.stream) return;
    if (this.stream.readyState === EventSource.CLOSED) {
      // The server refused (not a lost line): EventSource gives up, so ask again slowly.
      this.bar("The log is not available. Trying again…");
      clearInterval(this.clock);
      this.stream = null;
      setTimeout(() => this.isConnected && !this.stream && this.connect(), 5000);
    } else {
      this.bar("Reconnecting. What is shown stays.");
    }
  }

  bar(text) {
    const bar = one("[data-reconnect]", this);
    if (!bar) return;
    bar.hidden = !text;
    bar.textContent = text;
  }

  step(id) {
    return one(`.p-run-steps > li[data-step="${CSS.escape(id)}"]`, this);
  }

  /** A step that was not known before: one turn of an `each`. It takes the place of the step that it is a turn of. */
  newStep(data) {
    const base = this.step(data.id.replace(/\[[^[]*\]$/, ""));
    const turns = all(`.p-run-steps > li[data-turn-of="${CSS.escape(base?.dataset.step ?? "")}"]`, this);
    const pattern = base ?? one(".p-run-steps > li", this);
    if (!pattern || !data.title) return null;
    const item = pattern.cloneNode(true);
    item.hidden = false;
    item.dataset.step = data.id;
    one("b", item).textContent = data.title;
    one("time", item).textContent = "";
    if (one("small", item)) one("small", item).textContent = data.note ?? "";
    one("button", item).addEventListener("click", () => {
      this.view.follow = false;
      this.view.jumpToStep(data.id);
    });
    if (base) {
      item.dataset.turnOf = base.dataset.step;
      base.hidden = true;
      (turns.at(-1) ?? base).after(item);
    } else {
      pattern.parentElement.append(item);
    }
    return item;
  }

  onStep(data) {
    const item = this.step(data.id) ?? this.newStep(data);
    if (!item) return;
    item.dataset.state = data.state;
    one("[data-step-state]", item).textContent = WORDS[data.state] ?? data.state;
    if (data.duration !== undefined) one("time", item).textContent = data.duration;
    for (const other of all(".p-run-steps > li.p-cur", this)) other.classList.remove("p-cur");
    item.classList.add("p-cur");
  }

  onLog(data) {
    if (this.seen.has(data.n)) return;
    this.seen.add(data.n);
    if (!this.headed.has(data.step)) {
      this.headed.add(data.step);
      const item = this.step(data.step);
      this.view.heading(data.step, item ? one("b", item).textContent : data.step);
    }
    this.view.line(data.n, data.step, data.time, data.text);
  }

  onState(data) {
    const state = one("[data-run-state]");
    if (state && data.word) {
      one(".p-dot", state).className = `p-dot p-st-${data.state}`;
      one("[data-run-word]", state).textContent = data.word;
    }
    const progress = one("[data-run-progress]");
    if (progress && data.progress !== undefined) progress.value = data.progress;
    if (progress && data.state) progress.dataset.tone = TONES[data.state] ?? "info";
    if (data.elapsed !== undefined) this.started = Date.now() - data.elapsed * 1000;
    if (!data.done) return;
    this.started = undefined;
    // Links, outputs and buttons of a finished run are the server's to draw.
    this.dispatchEvent(new CustomEvent("run-finished", { bubbles: true, detail: data }));
  }

  tick() {
    const elapsed = one("[data-run-elapsed]");
    if (elapsed && this.started) elapsed.textContent = readable(Math.round((Date.now() - this.started) / 1000));
    const quiet = Date.now() - this.lastOutput;
    if (this.started && quiet > STALLED_MS) this.bar(`No output for ${Math.floor(quiet / 60_000)} min.`);
  }

  controls() {
    const log = this.view.element;
    const follow = one("[data-follow]", this);
    const stopFollowing = () => {
      this.view.follow = false;
      if (follow) follow.checked = false;
    };
    follow?.addEventListener("change", () => {
      this.view.follow = follow.checked;
      if (follow.checked) log.scrollTop = log.scrollHeight;
    });
    log.addEventListener("wheel", (event) => event.deltaY < 0 && stopFollowing(), { passive: true });
    log.addEventListener("keydown", (event) => ["ArrowUp", "PageUp", "Home"].includes(event.key) && stopFollowing());
    log.addEventListener("click", (event) => {
      const line = event.target.matches(".p-line > i") && event.target.parentElement;
      if (!line?.id) return;
      history.replaceState(history.state, "", `#${line.id}`);
      this.view.select(line);
      stopFollowing();
    });
    one("[data-find]", this)?.addEventListener("input", (event) => {
      const left = this.view.find(event.target.value);
      one("[data-find-count]", this).textContent = event.target.value ? `${left} line${left === 1 ? "" : "s"}` : "";
    });
    one("[data-times]", this)?.addEventListener("click", (event) => {
      const shown = log.classList.toggle("p-times");
      event.currentTarget.setAttribute("aria-pressed", String(shown));
    });
    one("[data-copy-log]", this)?.addEventListener("click", () => {
      navigator.clipboard?.writeText(this.view.text()).then(() => toast("Log copied"));
    });
    for (const button of all(".p-run-steps button", this)) {
      button.addEventListener("click", () => {
        stopFollowing();
        this.view.jumpToStep(button.closest("li").dataset.step);
      });
    }
  }
}

function readable(seconds) {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

customElements.define("run-log", RunLog);
