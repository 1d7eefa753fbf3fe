// The line to the server: what grows and what is said. It mends itself and asks for what it missed.
const WAITS = [100, 500, 1000, 2000, 4000, 8000];
const EVENTS = ["accepted", "status", "draft", "snapshot", "message", "ended"];

/** `on` has opened(), lost(), and heard(name, data). */
export class Stream {
  constructor(base, on) {
    this.address = base + "events";
    this.on = on;
    this.tries = 0;
    addEventListener("online", () => this.restart());
    addEventListener("offline", () => this.fail());
    // Silent for longer than two beats of the server: the line is dead without saying so
    setInterval(() => {
      if (this.source && performance.now() - this.at > 40e3) this.restart();
    }, 5e3);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && (this.away || !this.source)) this.restart();
    });
  }

  restart() {
    this.tries = 0;
    this.away = false;
    this.start();
  }

  start() {
    this.close();
    const source = new EventSource(this.last ? `${this.address}?last=${encodeURIComponent(this.last)}` : this.address);
    this.source = source;
    const alive = () => { this.at = performance.now(); };
    alive();
    source.addEventListener("beat", alive);
    source.onopen = () => { this.tries = Math.min(this.tries, 2); this.on.opened(); };
    source.onerror = () => { if (source === this.source) this.fail(); };
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        if (source !== this.source) return;
        alive();
        if (event.lastEventId) this.last = event.lastEventId;
        this.tries = 0;
        this.on.heard(name, JSON.parse(event.data));
      });
    }
    // Too many pages of this visitor are open: this one rests until it is looked at
    source.addEventListener("away", () => { this.away = true; this.close(); });
  }

  fail() {
    this.close();
    this.on.lost();
    const wait = WAITS[this.tries++] ?? 15e3;
    this.timer = setTimeout(() => this.start(), wait * (.75 + Math.random() / 2));
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
