// Keeps an open page true. It follows the server's event stream; when something happened that concerns the page, it
// fetches the page again and puts in what differs. Without this script a reload does the same.
"use strict";

(() => {
  const SOON = 300; // ms from an event to the first look at the page, so that events that come together count as one
  const LATER = 1500; // ms between looks while events keep coming
  const SILENCE = 45_000; // ms without a word, after which the server is dead: a stream says something every 15 s
  const RETRIES = [1000, 2000, 5000, 10_000]; // ms

  const page = document.body.dataset;
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  // -- the page --

  const UNITS = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];

  /** Times that say how long ago they were. */
  function dress(root, now = Date.now()) {
    for (const time of root.querySelectorAll("time[data-ago]")) {
      const seconds = Math.max(0, Math.round((now - Date.parse(time.dateTime)) / 1000));
      const [unit, size] = UNITS.find(([, s]) => seconds >= s) ?? ["s", 1];
      time.title ||= time.textContent;
      time.textContent = `${Math.floor(seconds / size)} ${unit} ago`;
    }
  }

  /** Make *old* what *next* is, touching only what differs: focus, selection and scroll stay where they are. */
  function morph(old, next) {
    if (old.isEqualNode(next)) return;
    if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== next.nodeName) return old.replaceWith(next);
    for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    morphChildren(old, next);
    if (old.matches("tr[id]")) flash(old);
  }

  /** Children with an id are matched by it, the others by their place. */
  function morphChildren(old, next) {
    const kept = new Map([...old.children].filter((c) => c.id).map((c) => [c.id, c]));
    const wanted = new Set([...next.children].map((c) => c.id));
    for (const [id, child] of kept) if (!wanted.has(id)) child.remove();
    let at = old.firstChild;
    for (const child of [...next.childNodes]) {
      const twin = child.id ? kept.get(child.id) : at;
      if (!twin || (twin.id || "") !== (child.id || "")) {
        old.insertBefore(child, at);
        if (child.id) flash(child);
      } else {
        if (twin === at) at = at.nextSibling;
        else old.insertBefore(twin, at);
        morph(twin, child);
      }
    }
    while (at) {
      const rest = at.nextSibling;
      at.remove();
      at = rest;
    }
  }

  function flash(row) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const colour = getComputedStyle(document.documentElement).getPropertyValue("--flash");
    row.animate([{ backgroundColor: colour }, {}], { duration: 2000 });
  }

  async function refresh() {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(SILENCE) });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.status === 404) return location.reload(); // what the page shows is gone: let the server say so
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const now = Date.now();
    dress(document, now);
    dress(fresh, now);
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      part.removeAttribute("aria-busy");
      if (next) morph(part, next);
    }
    document.title = fresh.title;
    page.seen = fresh.body.dataset.seen;
  }

  // -- the stream --

  let stream = null; // its AbortController while it is wanted
  let failures = 0; // to follow, in a row
  let due = false;
  let looking = false;

  async function refreshSoon() {
    due = true;
    if (looking) return;
    looking = true;
    for (let wait = SOON; due; wait = LATER) {
      await pause(wait);
      due = false;
      await refresh().catch(() => stream?.abort()); // following anew says what is wrong, and looks again
    }
    looking = false;
  }

  function concerns({ key }) {
    return !page.name || !key || (key.kind === page.kind && key.namespace === page.namespace && key.name === page.name);
  }

  function take(frame) {
    const data = frame.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
    if (data && concerns(JSON.parse(data))) refreshSoon();
  }

  // Not EventSource: it hears only the names of events that it was told of, and takes a dead stream for a silent one.
  async function follow(controller) {
    let watchdog = 0;
    const heard = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => controller.abort(), SILENCE);
    };
    try {
      heard();
      const answer = await fetch(`${document.body.dataset.root}/v1/events/stream?after=${page.seen}`, { signal: controller.signal, cache: "no-store" });
      if (!answer.ok) return;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        heard();
        failures = 0;
        say("Live", false);
        const frames = (rest + part.value).split("\n\n");
        rest = frames.pop();
        frames.forEach(take);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  /** Follow until the page is hidden; a hidden page holds no connection, for a browser has only six of them. */
  async function keepFollowing(stale) {
    const own = () => !document.hidden && stream === controller; // else another call follows by now, or none should
    let controller = (stream = new AbortController());
    for (; own(); stale = true) {
      try {
        if (stale) await refresh();
        await follow(controller);
      } catch {
        // the server is away, or the stream was cut: both are said below
      }
      if (!own()) return;
      say("Connection lost; trying again", true);
      await pause(RETRIES[Math.min(failures++, RETRIES.length - 1)]);
      if (own()) controller = stream = new AbortController();
    }
  }

  function say(words, lost) {
    const live = document.getElementById("live");
    live.hidden = false;
    live.classList.toggle("lost", lost);
    if (live.textContent !== words) live.textContent = words;
  }

  // -- beginning --

  const address = new URL(location.href);
  if (address.searchParams.has("done")) {
    // a notice is said once
    address.searchParams.delete("done");
    history.replaceState(null, "", address);
  }

  dress(document);
  setInterval(() => dress(document), 30_000);
  if (!page.seen) return;

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-load]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.replaceState(null, "", link.href);
    document.getElementById("plan-shown").setAttribute("aria-busy", "true");
    document.getElementById("plan").scrollIntoView({ block: "nearest" });
    refresh().catch(() => location.reload());
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stream?.abort();
    } else {
      keepFollowing(true);
    }
  });

  keepFollowing(false);
})();
