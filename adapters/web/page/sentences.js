// Everything that the page says, in both languages.
export const ALL = {
  en: {
    language: "中文", other: "zh",
    theme: "Light or dark", log: "Conversation", label: "Your message", placeholder: "Write a message",
    send: "Send", stop: "Stop the answer", newer: "New", earlier: "Show earlier messages",
    greeting: "Hello! What can I do for you?", help: "What can you do?",
    sending: "Sending…", stored: "Received", failed: "Not sent yet; it is kept here.", retry: "Try again", edit: "Edit",
    tooLong: "This is too long to send.", notHere: "This page may not send messages here.",
    thinking: "Thinking…", interrupted: "This answer was interrupted.",
    lost: "Connection lost. Reconnecting…",
    cookies: "Your browser refuses this site’s cookie, so answers cannot reach you. Allow cookies, or use https.",
    noModel: "No language model is connected yet. To add one, set OPENAI_API_KEY and start again.",
    copy: "Copy", copied: "Copied", code: "Code",
    you: "You", it: "Answer",
    tool: { running: (name) => `Using ${name}`, done: (name) => `Used ${name}`, failed: (name) => `${name} did not work` },
    given: "Given", found: "Result",
  },
  zh: {
    language: "English", other: "en",
    theme: "浅色或深色", log: "对话", label: "您的消息", placeholder: "输入消息",
    send: "发送", stop: "停止回答", newer: "新消息", earlier: "查看更早的消息",
    greeting: "您好！有什么可以帮您？", help: "你能做什么？",
    sending: "正在发送…", stored: "已收到", failed: "还未发送，内容已保留。", retry: "重试", edit: "修改",
    tooLong: "内容太长，无法发送。", notHere: "此页面不能在这里发送消息。",
    thinking: "正在思考…", interrupted: "这条回答中断了。",
    lost: "连接已断开，正在重新连接…",
    cookies: "浏览器拒绝了本站的 Cookie，因此收不到回答。请允许 Cookie，或使用 https。",
    noModel: "尚未接入语言模型。设置 OPENAI_API_KEY 后重新启动即可接入。",
    copy: "复制", copied: "已复制", code: "代码",
    you: "您", it: "回答",
    tool: { running: (name) => `正在使用 ${name}`, done: (name) => `使用了 ${name}`, failed: (name) => `${name} 没有成功` },
    given: "输入", found: "结果",
  },
};

export const language = () => document.documentElement.lang;
export const say = (name) => ALL[language()][name];

/** A time for people, in their zone. */
export function time(iso) {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  return at.toLocaleString(language(), today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
}
