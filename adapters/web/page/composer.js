// Where a person writes.
import { $, kept } from "./dom.js";

const LINES = 6;

export class Composer {
  /** `on` has send(text), stop(), and said(): what was sent before. */
  constructor(on) {
    this.on = on;
    this.field = $("field");
    this.back = 0;
    this.field.value = kept("unsent") ?? "";
    this.field.addEventListener("input", () => { this.back = 0; this.changed(); });
    this.field.addEventListener("keydown", (event) => this.key(event));
    $("composer").addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
    $("stop").onclick = () => on.stop();
    addEventListener("resize", () => this.fit());
    this.changed();
  }

  key(event) {
    // An Enter that ends a composition belongs to the input method; Safari says so by 229 only
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); this.send(); }
    else if (event.key === "Escape" && !$("stop").hidden) this.on.stop();
    else if (event.key === "ArrowUp" && (!this.field.value || this.back)) this.recall(event, 1);
    else if (event.key === "ArrowDown" && this.back) this.recall(event, -1);
  }

  recall(event, step) {
    const said = this.on.said();
    const back = this.back + step;
    if (back < 0 || back > said.length) return;
    event.preventDefault();
    this.put(back ? said[said.length - back] : "");
    this.back = back;
  }

  put(text) {
    this.field.value = text;
    this.field.setSelectionRange(text.length, text.length);
    this.changed();
    this.field.focus();
  }

  send() {
    const text = this.field.value.trim();
    if (!text) return;
    this.back = 0;
    this.put("");
    this.on.send(text);
  }

  changed() {
    kept("unsent", this.field.value);
    $("send").disabled = !this.field.value.trim();
    this.fit();
  }

  fit() {
    const style = getComputedStyle(this.field);
    this.field.style.height = "auto";
    const most = LINES * parseFloat(style.lineHeight) + parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
    this.field.style.height = Math.min(this.field.scrollHeight, most) + "px";
    this.field.style.overflowY = this.field.scrollHeight > most + 1 ? "auto" : "hidden";
  }
}
