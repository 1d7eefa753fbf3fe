// The page: one conversation, its line to the server, and the few switches around it.
import { Composer } from "./composer.js";
import { $, icon, kept, make } from "./dom.js";
import "./line.js";
import { Log } from "./log.js";
import "./markdown.js";
import { newId, Outbox, post } from "./outbox.js";
import { language, say } from "./sentences.js";
import { Stream } from "./stream.js";

const root = document.documentElement;
const base = root.dataset.base;
const title = document.title;
const icons = document.querySelector("link[rel=icon]");
let config = { examples: {} };
let loaded;
const unread = new Set();
let heard = performance.now();

const log = new Log({
  retry: (line) => outbox.retry(line.key),
  edit: (line) => { outbox.drop(line.key); log.remove(line); composer.put([line.text, composer.field.value].join("\n").trim()); },
  choose: send,
  changed: () => drawState(),
  unread: (key) => drawUnread(unread.add(key)),
});
const outbox = new Outbox(base, ({ id, text, at, state, why }) => {
  // The stream may know it already, or even its answer
  if (state !== "stored" || ["sending", "failed", undefined].includes(log.lines.get(id)?.state)) {
    log.put({ key: id, role: "user", text, at, state, why });
  }
});
const composer = new Composer({ send, stop, said: () => log.said });
const stream = new Stream(base, {
  opened: refresh,
  lost: () => warn("lost", 1500),
  heard(name, data) {
    heard = performance.now();
    if (name === "accepted") { outbox.drop(data.id); log.accepted(data); }
    else if (name === "message") log.message(data);
    else if (name === "ended") { stopping = false; log.ended(data); refresh(); }
    else log.grow(data, name === "snapshot");
  },
});
let stopping;

function send(text, under) {
  log.toEnd();
  outbox.add(text, under);
}

async function stop() {
  stopping = true;
  drawState();
  // Without a connection the banner says so, and the button is there again
  stopping = await post(base + "stop", { id: newId() }).then(({ ok }) => ok, () => false);
  drawState();
}

// ---- history -------------------------------------------------------------------------------

async function history(query = "") {
  const answer = await fetch(base + "messages" + query);
  if (!answer.ok) throw new Error("no history");
  return answer.json();
}

/** Read the newest page again: after every answer, and whenever the line was mended. */
async function refresh() {
  const asked = performance.now();
  try {
    const page = await history();
    for (const { id } of page.messages) outbox.drop(id);
    log.merge(page, asked, true);
    loaded = true;
    calm();
    outbox.retry();
    // A snapshot comes with the stream, long before this
    setTimeout(() => log.interrupt(asked), 3e3);
  } catch {
    if (!loaded || log.waiting || warning) setTimeout(() => stream.fail(), 500);
  }
  drawState();
}

async function earlier() {
  if (!log.oldest || earlier.busy) return;
  earlier.busy = true;
  const { box } = log;
  const below = box.scrollHeight - box.scrollTop;
  try {
    log.merge(await history(`?before=${log.oldest}`), performance.now(), false);
    box.scrollTop = box.scrollHeight - below;
  } catch { warn("lost"); refresh(); }
  earlier.busy = false;
}

// Nothing heard for long while an answer is due: the history knows better than a line that is dead
setInterval(() => {
  if ((log.waiting || log.growing) && performance.now() - heard > 12e3) { heard = performance.now(); refresh(); }
}, 3e3);

// ---- what stands around the conversation ---------------------------------------------------

let warning;

function warn(name, after = 0) {
  if (warning) return;
  warning = setTimeout(() => {
    $("banner").dataset.say = name;
    $("banner").textContent = say(name);
    root.dataset.banner = name;
  }, after);
}

function calm() {
  if (!config.known) return;
  clearTimeout(warning);
  warning = undefined;
  delete root.dataset.banner;
}

function drawState() {
  const busy = log.growing || log.waiting;
  // The answer may have ended before the word came back that it is to stop
  stopping &&= busy;
  $("stop").hidden = !busy;
  $("stop").disabled = stopping;
  $("empty").hidden = !loaded || log.lines.size > 0;
}

function drawUnread() {
  document.title = (unread.size ? `(${unread.size}) ` : "") + title;
  icons.href = icons.href.replace(/favicon|unread/, unread.size ? "unread" : "favicon");
}

document.addEventListener("visibilitychange", () => drawUnread(unread.clear()));

function drawEmpty() {
  $("greeting").textContent = config.greeting ?? say("greeting");
  const known = config.examples[language()] ?? config.examples.en ?? [];
  const examples = known.length ? known.slice(0, 3) : [say("help")];
  $("examples").replaceChildren(...examples.map((text) =>
    make("li", {}, make("button", { onclick: () => send(text) }, text, icon("open")))));
}

function drawWords() {
  for (const node of document.querySelectorAll("[data-say]")) node.textContent = say(node.dataset.say);
  for (const id of ["theme", "send", "stop"]) $(id).ariaLabel = $(id).title = say(id);
  for (const id of ["log", "scroller"]) $(id).ariaLabel = say("log");
  $("field").placeholder = say("placeholder");
  $("language").textContent = say("language");
  $("language").lang = say("other");
  drawEmpty();
}

$("language").onclick = () => {
  root.lang = say("other");
  kept("lang", root.lang);
  drawWords();
  log.redraw();
};
$("theme").onclick = () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  kept("theme", root.dataset.theme);
};
$("earlier").onclick = earlier;
new IntersectionObserver(([seen]) => { if (seen.isIntersecting) earlier(); }, { root: $("scroller") }).observe($("earlier"));
// Safari leaves dvh alone when the keyboard comes
visualViewport?.addEventListener("resize", ({ target: it }) => root.style.setProperty("--height", it.height * it.scale + "px"));

async function start() {
  const ask = async () => { config = await (await fetch(base + "config")).json(); };
  try {
    await ask();
    if (!config.known) await ask();
  } catch {
    warn("lost");
    return setTimeout(start, 2e3);
  }
  drawWords();
  if (!config.known) warn("cookies");
  stream.start();
}

drawWords();
for (const letter of outbox.letters) outbox.on(letter);
start();
