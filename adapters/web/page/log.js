// The conversation as it stands on the page: lines in order, what grows, and where the reader is.
import { $, make } from "./dom.js";
import { Line } from "./line.js";
import { say } from "./sentences.js";

const NEAR = 48;

export class Log {
  /** `on` has retry, edit and choose for lines, changed(), and unread(key). */
  constructor(on) {
    this.on = on;
    this.lines = new Map();
    // In the order in which they stand
    this.all = [];
    this.following = true;
    this.oldest = 0;
    this.top = 0;
    this.box = $("scroller");
    this.list = $("lines");
    this.thinking = make("li", { className: "thinking" }, make("i"), make("i"), make("i"));
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.follow()).observe(this.list);
    new ResizeObserver(() => this.follow()).observe(this.box);
    $("newer").onclick = () => this.toEnd();
  }

  get growing() { return this.all.find((line) => line.growing); }
  /** Something was said that has no answer yet. */
  get waiting() { return this.all.some((line) => line.mine && line.state === "stored"); }
  get said() { return this.all.flatMap((line) => (line.mine ? line.text : [])); }

  put(data) {
    let line = this.lines.get(data.key);
    if (line) line.update(data);
    else line = new Line(data, this.on);
    // A question may have been heard of after its answer; everything else stays where it was said
    const first = this.all.find((each) => each === line || (line.seq && line.mine && !each.mine && each.seq > line.seq));
    if (first !== line) this.place(line);
    this.changed();
    return line;
  }

  /** At the end; what the history brings, after all that is stored before it. */
  place(line) {
    this.remove(line);
    this.lines.set(line.key, line);
    const { all } = this;
    let at = all.length;
    if (line.seq) {
      at = all.findLastIndex(({ seq }) => seq && seq < line.seq) + 1;
      // Commands and their answers are not in the history: they belong to what stands above them
      while (all[at]?.seq === 0 && all[at].state === "done") at += 1;
    }
    if (at) all[at - 1].node.after(line.node);
    else this.list.prepend(line.node);
    all.splice(at, 0, line);
  }

  remove(line) {
    this.lines.delete(line.key);
    this.all = this.all.filter((each) => each !== line);
    line.node.remove();
    this.changed();
  }

  changed() {
    if (!this.waiting || this.growing) this.thinking.remove();
    else if (!this.thinking.isConnected) this.list.append(this.thinking);
    this.thinking.ariaLabel = say("thinking");
    this.on.changed();
  }

  // ---- what the stream tells ---------------------------------------------------------------

  accepted({ id, text, at }) {
    const line = this.lines.get(id);
    if (!line || line.state === "sending" || line.state === "failed") this.put({ key: id, role: "user", text, at, state: "stored" });
  }

  grow({ turn, text = "", activities }, whole) {
    const line = this.lines.get(turn);
    if (line && !line.growing && !whole && line.state !== "interrupted") return;
    const before = whole ? "" : line?.text ?? "";
    const more = activities ? { activities } : {};
    this.news(this.put({ key: turn, role: "assistant", text: before + text, state: "growing", ...more }));
    this.animate();
  }

  message({ seq, id, turn, text, ...data }) {
    const parts = { ...this.lines.get(turn)?.parts, [id]: text };
    const line = this.put({ ...data, key: turn, under: id, parts, text: Object.values(parts).join("\n\n") });
    this.speak(line);
    this.news(line);
  }

  ended({ turn, state }) {
    const line = this.lines.get(turn);
    if (state === "interrupted" && line?.growing) line.update({ state: "interrupted" });
    this.changed();
  }

  // ---- history -----------------------------------------------------------------------------

  /** A page of history that was asked for at `asked`; `newest` unless it is an older one. */
  merge({ messages, more }, asked, newest) {
    const newestKnown = Math.max(0, ...this.all.map((line) => line.seq));
    const first = messages[0]?.seq || 0;
    const keys = new Set();
    const fresh = messages.filter((each) => {
      const key = each.key = (each.role === "assistant" && each.turn) || each.id;
      keys.add(key);
      const line = this.lines.get(key);
      // What stands there already, first: among it the others find their place
      if (line) line.seq = each.seq;
      return !line?.growing || line.touched <= asked;
    });
    if (newest) {
      // What is gone from the history was forgotten or recalled
      for (const line of this.all.filter((each) => each.touched < asked && !keys.has(each.key))) {
        if (line.seq && (line.seq > first || !more)) this.remove(line);
        else if (line.state === "stored") line.update({ state: "done" });
      }
    }
    for (const each of fresh) this.put(each);
    // A newest page that begins after all that is known leaves a gap, which is read from there on
    if (!newest || first > newestKnown) this.oldest = more ? first : 0;
    $("earlier").hidden = !this.oldest;
  }

  /** Nothing grows on the server and nothing waits: what looks as if it grew was cut off. */
  interrupt(asked) {
    const line = this.growing;
    if (line && line.touched < asked && !this.waiting) line.update({ state: "interrupted" });
    this.changed();
  }

  // ---- growing, reading along, listening along ---------------------------------------------

  animate() {
    if (this.moving) return;
    this.moving = true;
    const frame = () => {
      const line = this.growing;
      this.moving = Boolean(line?.step(this.calm.matches || document.hidden));
      if (line) this.speak(line);
      if (this.moving) document.hidden ? setTimeout(frame, 200) : requestAnimationFrame(frame);
    };
    frame();
  }

  speak(line) {
    const text = line.sentences();
    if (!text) return;
    const box = $("said");
    box.append(make("span", {}, text + " "));
    if (box.children.length > 20) box.firstElementChild.remove();
  }

  news({ key }) {
    if (document.hidden) this.on.unread(key);
    if (!this.following) $("newer").hidden = false;
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    // A text that grew by itself is no reason to stop reading along: only going up is
    if (scrollHeight - scrollTop - clientHeight < NEAR) this.following = true;
    else if (scrollTop < this.top) this.following = false;
    this.top = scrollTop;
    if (this.following) $("newer").hidden = true;
  }

  follow() {
    if (this.following) this.box.scrollTop = this.box.scrollHeight;
  }

  toEnd() {
    this.following = true;
    $("newer").hidden = true;
    this.follow();
    $("field").focus();
  }

  redraw() {
    for (const line of this.all) line.draw();
    this.changed();
  }
}
