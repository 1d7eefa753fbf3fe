// Building nodes: text only ever becomes text, never markup.
export const $ = (id) => document.getElementById(id);

/** make("p", {className: "x", onclick: f}, "text", node, …) */
export function make(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((each) => each != null && each !== ""));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "#i-" + name);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Only what a person may safely follow; null for everything else. */
export function safeLink(address) {
  try {
    const url = new URL(address);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch { return null; }
}

export const link = (address) => make("a", { href: address, target: "_blank", rel: "noopener noreferrer" });

export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Plain http has no clipboard
  const field = make("textarea", { value: text, className: "unseen" });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

export function kept(name, value) {
  try {
    if (value !== undefined) localStorage.setItem("parley." + name, value);
    return localStorage.getItem("parley." + name);
  } catch { return null; }
}
