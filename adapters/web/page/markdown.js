// CommonMark as models write it, as nodes. Nothing of HTML passes: what is not Markdown is text.
import { copy, icon, link, make, safeLink } from "./dom.js";
import { say } from "./sentences.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^`\s]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const QUOTE = /^ {0,3}>[ ]?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:[ \t]+(?=\S)|$)/;
const TABLE = /^ *\|? *:?-+:? *(?:\| *:?-+:? *)*\|? *$/;
const sources = new WeakMap();

/** Make `box` show `text`; what has not changed stays as it is, so that growing is cheap. */
export function render(box, text) {
  const wanted = blocks(text.split(/\r?\n/));
  wanted.forEach(([source, build], n) => {
    const there = box.children[n];
    if (there && sources.get(there) === source) return;
    const node = build();
    sources.set(node, source);
    node.dir = "auto";
    there ? there.replaceWith(node) : box.append(node);
  });
  while (box.children.length > wanted.length) box.lastElementChild.remove();
}

/** [source, build] for each block. */
function blocks(lines, depth = 0) {
  const found = [];
  for (let at = 0; at < lines.length; ) {
    if (!lines[at].trim()) { at += 1; continue; }
    const [end, build] = block(lines, at, depth);
    found.push([lines.slice(at, end).join("\n") + (end < lines.length ? "\n" : ""), build]);
    at = end;
  }
  return found;
}

function block(lines, at, depth) {
  const line = lines[at];
  let match = FENCE.exec(line);
  if (match) return fence(lines, at, match);
  match = HEADING.exec(line);
  if (match) return [at + 1, () => inline(make("h" + Math.min(match[1].length + 2, 6)), match[2])];
  if (RULE.test(line)) return [at + 1, () => make("hr")];
  if (depth < 8 && QUOTE.test(line)) return quote(lines, at, depth);
  if (depth < 8 && ITEM.test(line)) return list(lines, at, depth);
  if (isTable(lines, at)) return table(lines, at);
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !startsBlock(lines, end)) end += 1;
  return [end, () => inline(make("p"), lines.slice(at, end).join("\n").trim())];
}

function startsBlock(lines, at) {
  const line = lines[at];
  const item = ITEM.exec(line);
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) ||
    (item && /^([-*+]|1[.)])$/.test(item[2])) || isTable(lines, at);
}

const isTable = (lines, at) => lines[at].includes("|") && at + 1 < lines.length && TABLE.test(lines[at + 1]) && lines[at + 1].includes("-");

function fence(lines, at, [, mark, kind]) {
  let end = at + 1;
  while (end < lines.length && !(lines[end].trim().startsWith(mark) && !lines[end].trim().replaceAll(mark[0], ""))) end += 1;
  return [Math.min(end + 1, lines.length), () => code(lines.slice(at + 1, end).join("\n"), kind)];
}

function code(text, kind) {
  const name = make("span", {}, say("copy"));
  const button = make("button", { className: "copy" }, icon("copy"), name);
  button.onclick = async () => {
    await copy(text);
    name.textContent = say("copied");
    setTimeout(() => { name.textContent = say("copy"); }, 2000);
  };
  return make("figure", { className: "code" }, make("figcaption", {}, make("span", {}, kind || say("code")), button),
    make("pre", { tabIndex: 0 }, make("code", {}, text)));
}

function quote(lines, at, depth) {
  let end = at;
  while (end < lines.length && lines[end].trim() && (QUOTE.test(lines[end]) || !startsBlock(lines, end))) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [end, () => fill(make("blockquote"), inner, depth + 1)];
}

function list(lines, at, depth) {
  const [, indent, first] = ITEM.exec(lines[at]);
  const ordered = /\d/.test(first);
  const items = [];
  let end = at;
  while (end < lines.length) {
    const match = ITEM.exec(lines[end]);
    const sibling = match && match[1].length < indent.length + 2 && /\d/.test(match[2]) === ordered && !RULE.test(lines[end]);
    if (!sibling) break;
    const width = Math.max(match[0].length, 2);
    const item = [lines[end].slice(match[0].length)];
    for (end += 1; end < lines.length; end += 1) {
      const line = lines[end];
      const deep = /^ */.exec(line)[0].length;
      if (!line.trim()) {
        const next = lines[end + 1] ?? "";
        if (!next.trim() || !(/^ */.exec(next)[0].length >= Math.min(width, indent.length + 2) || ITEM.test(next))) break;
      } else if (deep < indent.length + 2 && (ITEM.test(line) || !item.at(-1).trim() || startsBlock(lines, end))) break;
      item.push(line.slice(Math.min(deep, width)));
    }
    items.push(item);
  }
  return [Math.max(end, at + 1), () => {
    const box = make(ordered ? "ol" : "ul");
    if (ordered && parseInt(first, 10) !== 1) box.start = parseInt(first, 10);
    box.append(...items.map((item) => fill(make("li"), item, depth + 1)));
    return box;
  }];
}

function fill(box, lines, depth) {
  box.append(...blocks(lines, depth).map(([, build]) => build()));
  const first = box.firstElementChild;
  // A tight item is its text, not a paragraph
  if (box.localName === "li" && first?.localName === "p") first.replaceWith(...first.childNodes);
  return box;
}

function table(lines, at) {
  let end = at + 2;
  while (end < lines.length && lines[end].includes("|")) end += 1;
  return [end, () => {
    const sides = cells(lines[at + 1]).map((cell) => (/:$/.test(cell) ? (/^:/.test(cell) ? "center" : "right") : ""));
    const row = (line, name) => make("tr", {}, ...sides.map((side, n) => inline(make(name, { className: side }), cells(line)[n] ?? "")));
    return make("div", { className: "scroll", tabIndex: 0 }, make("table", {}, make("thead", {}, row(lines[at], "th")),
      make("tbody", {}, ...lines.slice(at + 2, end).map((line) => row(line, "td")))));
  }];
}

const cells = (line) => line.trim().replaceAll("\\|", "\0").replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim().replaceAll("\0", "|"));

// ---- inside a block ------------------------------------------------------------------------

const WORD = /[\p{L}\p{N}]/u;
const RUN = /([`*_~])\1*/y;
const END = "\\s<>()\"'`，。；：！？、）】》」』";
const INNER = "\\([^\\s()]*\\)";
// By first character: the rule, what becomes of it, and how long the mark is whose end may be missing
const STRONG = [/(.)\1(?=\S)([^]*?\S)\1\1(?!\1)/y, (m, deep) => inline(make("strong"), m[2], deep), 2];
const EM = [/(.)(?=[^\s*_])([^]*?[^\s*_]|)\1(?!\1)/y, (m, deep) => inline(make("em"), m[2], deep), 1];
const RULES = {
  "*": [STRONG, EM],
  "_": [STRONG, EM],
  "~": [[/~~(?=\S)([^]*?\S)~~/y, (m, deep) => inline(make("del"), m[1], deep), 2]],
  "\\": [[/\\([!-/:-@[-`{-~]|(?=\n))/y, (m) => m[1]]],
  "`": [[/(`+)(?!`)([^]*?[^`])\1(?!`)/y, (m) => make("code", {}, m[2].replace(/^ (.*) $/s, "$1"))]],
  "<": [[/<((?:https?:\/\/|mailto:)[^\s<>]+)>/y, (m) => anchor(m[1])]],
  "[": [[new RegExp(`\\[((?:[^[\\]\\\\]|\\\\.|\\[[^\\]]*\\])+)\\]\\( *<?((?:[^\\s()<>]|${INNER})+)>?(?: +"[^"]*")? *\\)`, "y"), (m, deep) => anchor(m[2], m[1], deep)]],
  "h": [[new RegExp(`https?://(?:[^${END}]|${INNER})*(?:[^${END}.,;:!?*_~\\]]|${INNER})`, "y"), (m) => anchor(m[0])]],
};

/** Fill `box` with the text's emphasis, code and links. */
function inline(box, text, depth = 0) {
  let plain = "";
  const hopeless = new Set();
  const put = (node) => { box.append(...(plain ? [plain, node] : [node])); plain = ""; };
  for (let at = 0; at < text.length; ) {
    const [node, length] = span(text, at, depth + 1, hopeless);
    if (typeof node === "string") plain += node;
    else put(node);
    at += length;
  }
  put("");
  return box;
}

function span(text, at, depth, hopeless) {
  const char = text[at];
  const near = (place) => WORD.test(text[place] ?? "");
  if (char === "\n") return [make("br"), 1];
  const rules = depth > 8 || ((char === "_" || char === "h") && near(at - 1)) ? [] : RULES[char] ?? [];
  for (const [rule, build, mark] of rules) {
    rule.lastIndex = at;
    const match = !hopeless.has(char + mark) && rule.exec(text);
    if (match && !(char === "_" && near(rule.lastIndex))) return [build(match, depth), match[0].length];
    // Looking for an end that is not there would cost the whole rest each time
    if (!match && mark && text[at + mark - 1] === char && /[^\s*_~]/.test(text[at + mark])) hopeless.add(char + mark);
  }
  RUN.lastIndex = at;
  const run = RUN.exec(text)?.[0] ?? char;
  return [run, run.length];
}

function anchor(address, label = address, depth = 9) {
  const href = safeLink(address);
  return inline(href ? link(href) : make("span"), label, depth);
}
