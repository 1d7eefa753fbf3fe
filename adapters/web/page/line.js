// One message on the page.
import { icon, make } from "./dom.js";
import { render } from "./markdown.js";
import { say, time } from "./sentences.js";

/**
 * `data` is {key, role, text, at?, seq, state, turn?, activities, choices, under?}; states are
 * sending, stored, failed, done, growing, interrupted; `under` is what a press names.
 * `on` has retry(line), edit(line), choose(text, under).
 */
export class Line {
  constructor(data, on) {
    Object.assign(this, { seq: 0, activities: [], choices: [] }, data);
    this.on = on;
    this.touched = performance.now();
    this.reach = 0;
    this.spoken = 0;
    this.speaker = make("span", { className: "unseen" });
    this.body = make("div", { className: "body", dir: "auto" });
    this.tools = make("div", { className: "tools" });
    this.extra = make("div", { className: "choices" });
    this.meta = make("div", { className: "meta" });
    this.node = make("li", { className: `line ${this.role}` }, this.speaker, this.tools, this.body, this.extra, this.meta);
    this.node.onclick = (event) => {
      if (!event.target.closest("a, button, summary, pre, .scroll") && !String(getSelection())) this.node.classList.toggle("open");
    };
    this.draw();
  }

  get mine() { return this.role === "user"; }
  get growing() { return this.state === "growing"; }

  /** Take what is new about it and show that. */
  update(data) {
    const { activities, choices } = this;
    Object.assign(this, data, { touched: performance.now() });
    // The history knows no choices, and a draft may name its tools later
    if (!this.activities.length) this.activities = activities;
    if (!this.choices.length) this.choices = choices;
    this.draw();
  }

  draw() {
    this.speaker.textContent = this.mine ? say("you") : say("it");
    this.node.dataset.state = this.state;
    if (!this.growing) this.reach = this.text.length;
    this.drawText();
    this.drawTools();
    this.drawChoices();
    this.drawMeta();
  }

  drawText() {
    if (this.mine) this.body.textContent = this.text;
    else render(this.body, this.text.slice(0, this.reach));
  }

  /** Let more of a growing text be seen; true while there is more to come. */
  step(all) {
    const left = this.text.length - this.reach;
    if (left <= 0) { this.reach = this.text.length; return false; }
    this.reach += all ? left : Math.max(1, Math.ceil(left / 6));
    if (/[\ud800-\udbff]/.test(this.text[this.reach - 1])) this.reach += 1;
    this.drawText();
    return this.reach < this.text.length;
  }

  /** What is new up to the last end of a sentence, for people who listen. */
  sentences() {
    const rest = this.text.slice(this.spoken);
    const end = this.growing ? Math.max(...[...rest.matchAll(/[.!?]\s|[。！？\n]/g)].map((each) => each.index + 1), 0) : rest.length;
    this.spoken += end;
    return rest.slice(0, end).replace(/[*_`#>|~]+/g, "").trim();
  }

  drawTools() {
    const drawn = JSON.stringify(this.activities) + say("found");
    if (drawn === this.drawnTools) return;
    this.drawnTools = drawn;
    const open = Array.from(this.tools.children, (each) => each.open);
    this.tools.replaceChildren(...this.activities.map((each, n) => toolLine(each, open[n])));
  }

  drawChoices() {
    if (this.drawnChoices === this.choices) return;
    this.drawnChoices = this.choices;
    this.extra.replaceChildren(...this.choices.map(({ label, value }) => make("button", { onclick: () => {
      this.choices = [];
      this.drawChoices();
      this.on.choose(value, this.under);
    } }, label)));
  }

  drawMeta() {
    const parts = [];
    if (this.state === "sending") parts.push(say("sending"));
    if (this.state === "stored") parts.push(icon("done"), say("stored"));
    if (this.state === "failed") parts.push(make("span", { className: "bad" }, say(this.why ?? "failed")), this.button(this.why === "tooLong" ? "edit" : "retry"));
    if (this.state === "interrupted") parts.push(say("interrupted"));
    if (this.state === "done" && this.at) parts.push(make("time", { dateTime: this.at }, time(this.at)));
    this.meta.replaceChildren(...parts);
  }

  button(name) {
    return make("button", { onclick: () => this.on[name](this) }, say(name));
  }
}

function toolLine({ tool, arguments: given, state, result }, open) {
  const name = tool.replaceAll("_", " ");
  const told = [icon(state), make("span", {}, say("tool")[state](name)), make("span", { className: "about" }, about(given))];
  if (!given && !result) return make("div", { className: `tool ${state}` }, ...told);
  const box = make("details", { className: `tool ${state}`, open: Boolean(open) }, make("summary", {}, ...told, icon("open")));
  for (const [label, text] of [[say("given"), pretty(given)], [say("found"), result]]) {
    if (text) box.append(make("p", {}, label), make("pre", { tabIndex: 0 }, text));
  }
  return box;
}

function about(given) {
  try { return Object.values(JSON.parse(given)).filter((each) => typeof each !== "object").join(", ").slice(0, 80); } catch { return ""; }
}

function pretty(given) {
  try {
    const value = JSON.parse(given);
    return Object.keys(value).length ? JSON.stringify(value, null, 2) : "";
  } catch { return given; }
}
