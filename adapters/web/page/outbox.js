// What was written and is not stored yet: it survives a reload and goes out in order, each under one id.
import { kept } from "./dom.js";
import { language } from "./sentences.js";

export const newId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

export function post(address, body) {
  return fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...body, lang: language() }),
    signal: AbortSignal.timeout?.(20000),
  });
}

/** `on(letter)` hears of every change; a letter is {id, text, under, at, state, why}. */
export class Outbox {
  constructor(base, on) {
    this.address = base + "messages";
    this.on = on;
    this.letters = this.read();
  }

  read() {
    try { return JSON.parse(kept("outbox")) ?? []; } catch { return []; }
  }

  /** Another page of this visitor may have letters of its own there. */
  write(gone) {
    const mine = [gone, ...this.letters.map(({ id }) => id)];
    kept("outbox", JSON.stringify([...this.read().filter(({ id }) => !mine.includes(id)), ...this.letters]));
  }

  add(text, under) {
    const letter = { id: newId(), text, under, at: new Date().toISOString(), state: "sending" };
    this.letters.push(letter);
    this.write();
    this.on(letter);
    this.retry();
  }

  /** Send again what failed for want of a connection, or the one that a person asks for. */
  retry(id) {
    for (const letter of this.letters) {
      if (letter.state === "failed" && (id ? letter.id === id : !letter.why)) this.change(letter, "sending");
    }
    this.run();
  }

  /** It is in the history, or the person took it back. */
  drop(id) {
    const left = this.letters.filter((letter) => letter.id !== id);
    if (left.length === this.letters.length) return;
    this.letters = left;
    this.write(id);
  }

  change(letter, state, why) {
    letter.state = state;
    letter.why = why;
    this.write();
    this.on(letter);
  }

  async run() {
    if (this.running) return;
    this.running = true;
    let letter;
    // What comes after one that could not be sent waits for it
    while ((letter = this.letters.find((each) => each.state === "sending"))) {
      if (await this.send(letter) === "later") break;
    }
    this.running = false;
  }

  async send(letter) {
    let answer;
    try {
      answer = await post(this.address, letter);
    } catch {
      return this.fail();
    }
    if (answer.status === 202) {
      this.drop(letter.id);
      letter.state = "stored";
      return this.on(letter);
    }
    if (answer.status === 429) {
      return new Promise((done) => setTimeout(done, (answer.headers.get("Retry-After") || 2) * 1000));
    }
    // Anything else that is no refusal is not from us: the page of somebody's sign-in, say
    if (answer.status < 400 || answer.status >= 500) return this.fail();
    this.change(letter, "failed", { 403: "notHere", 413: "tooLong" }[answer.status] ?? "failed");
  }

  /** Not for good, nor what is behind it: it is tried again when the line is mended, and now and then. */
  fail() {
    for (const letter of this.letters) if (letter.state === "sending") this.change(letter, "failed");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.retry(), 20000);
    return "later";
  }
}
