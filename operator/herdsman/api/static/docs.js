// Reads openapi.json, shows every operation, and sends requests. All text is set as text, never as markup.
"use strict";

(() => {
  const LONGEST = 262144; // characters of an answer that are shown
  const DEEPEST = 6; // levels of a schema that are written out
  const base = location.pathname.replace(/\/docs\/?$/, "");
  let token = ""; // here, and nowhere else
  let api = {};

  /** An element with properties and children; strings among these become text. */
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return element;
  }

  /** Prose: what stands between backticks is code. */
  const prose = (text) => (text ?? "").split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part));

  const byId = (id) => document.getElementById(id);

  /** What a `$ref` points to. */
  function resolved(schema) {
    let found = schema ?? {};
    for (let hops = 0; found.$ref && hops < 20; hops++) {
      found = found.$ref.split("/").slice(1)
        .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
        .reduce((at, part) => at?.[part], api) ?? {};
    }
    return found;
  }

  const nameOf = (schema) => schema?.$ref?.split("/").pop();

  /** A schema in a few words. */
  function words(schema) {
    if (nameOf(schema)) return nameOf(schema);
    const of = schema ?? {};
    const choices = of.anyOf ?? of.oneOf ?? of.allOf;
    if (choices) return choices.map(words).join(" or ");
    if ("const" in of) return JSON.stringify(of.const);
    if (of.enum) return of.enum.map((value) => JSON.stringify(value)).join(" or ");
    if (of.type === "array") return `list of ${words(of.items)}`;
    if (of.type === "object" && typeof of.additionalProperties === "object") {
      return `mapping to ${words(of.additionalProperties)}`;
    }
    const bounds = [["minimum", "≥"], ["exclusiveMinimum", ">"], ["maximum", "≤"], ["exclusiveMaximum", "<"],
      ["minLength", "length ≥"], ["maxLength", "length ≤"]]
      .filter(([name]) => of[name] !== undefined).map(([name, sign]) => `${sign} ${of[name]}`);
    return [of.format ?? of.type ?? "anything", ...bounds].join(", ");
  }

  /** A value as it could be sent or answered: examples and defaults where there are some. */
  function example(schema, depth = 0) {
    const of = resolved(schema);
    if (of.example !== undefined) return of.example;
    if (of.examples?.length) return of.examples[0];
    if (of.default !== undefined) return of.default;
    if ("const" in of) return of.const;
    if (of.enum) return of.enum[0];
    const choices = of.anyOf ?? of.oneOf ?? of.allOf;
    if (choices) return example(choices.find((one) => one.type !== "null") ?? {}, depth);
    if (of.type === "array") return depth < DEEPEST ? [example(of.items, depth + 1)] : [];
    if (of.type === "object" || of.properties) {
      if (depth >= DEEPEST) return {};
      return Object.fromEntries(Object.entries(of.properties ?? {}).map(([name, one]) => [name, example(one, depth + 1)]));
    }
    return { integer: 0, number: 0, boolean: false, null: null, string: "" }[of.type] ?? null;
  }

  const pretty = (value) => JSON.stringify(value, null, 2);

  /** The fields of a schema, one line each, those of its parts below them. */
  function fields(schema, seen = []) {
    const of = resolved(schema);
    const item = of.type === "array" ? of.items : of;
    const shape = resolved(item);
    const name = nameOf(item) ?? nameOf(schema);
    if (!shape.properties || seen.includes(name) || seen.length >= DEEPEST) return [];
    const below = Object.entries(shape.properties).flatMap(([field, one]) => [
      make("tr", {},
        make("td", {}, make("code", {}, `${"    ".repeat(seen.length)}${field}`),
          shape.required?.includes(field) ? " *" : ""),
        make("td", {}, words(one)),
        make("td", {}, ...prose(resolved(one).description))),
      ...fields(firstShape(one), [...seen, name]),
    ]);
    return below;
  }

  /** The part of a choice that has fields. */
  function firstShape(schema) {
    const choices = resolved(schema).anyOf ?? resolved(schema).oneOf;
    return choices?.find((one) => nameOf(one)) ?? schema;
  }

  function schemaTable(schema) {
    const rows = fields(firstShape(schema));
    return rows.length ? make("table", {}, ...rows) : null;
  }

  function control(parameter) {
    const of = resolved(parameter.schema);
    const single = of.anyOf?.find((one) => one.type !== "null") ?? of;
    const many = resolved(single).type === "array";
    const known = resolved(many ? single.items : single);
    const options = known.type === "boolean" ? ["true", "false"] : known.enum;
    const label = `${parameter.in} parameter ${parameter.name}`;
    if (options && !many) {
      return make("select", { ariaLabel: label }, make("option", { value: "" }, ""),
        ...options.map((value) => make("option", { value }, String(value))));
    }
    const shown = parameter.example ?? of.examples?.[0] ?? known.examples?.[0];
    return make("input", {
      ariaLabel: label,
      placeholder: many ? "several: separated by commas" : shown !== undefined ? String(shown) : "",
      required: parameter.in === "path",
    });
  }

  /** What the form says, as a request. */
  function request(method, path, controls, body) {
    let filled = path;
    const query = new URLSearchParams();
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    for (const [parameter, input] of controls) {
      const text = input.value;
      if (parameter.in === "path") {
        if (["", ".", ".."].includes(text)) throw new Error(`say which ${parameter.name}`);
        filled = filled.replace(`{${parameter.name}}`, () => encodeURIComponent(text));
      } else if (text !== "" && parameter.in === "query") {
        const single = resolved(parameter.schema).anyOf?.find((one) => one.type !== "null") ?? resolved(parameter.schema);
        const values = single.type === "array" ? text.split(",").map((part) => part.trim()) : [text];
        for (const value of values) query.append(parameter.name, value);
      } else if (text !== "" && parameter.in === "header") {
        headers[parameter.name] = text;
      }
    }
    const options = { method, headers, credentials: "omit", cache: "no-store", redirect: "error" };
    if (body && body.value.trim()) {
      JSON.parse(body.value);
      headers["Content-Type"] = "application/json";
      options.body = body.value;
    }
    return [`${base}${filled}${query.size ? `?${query}` : ""}`, options];
  }

  /** The same for a shell; the token is left for the reader to fill in. */
  function curl(url, options) {
    const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
    const headers = Object.entries(options.headers)
      .map(([name, value]) => (name === "Authorization" ? `-H "Authorization: Bearer $HERDSMAN_TOKEN"` : `-H ${quoted(`${name}: ${value}`)}`));
    const parts = ["curl", options.method === "GET" ? "" : `-X ${options.method}`, quoted(location.origin + url), ...headers,
      options.body ? `-d ${quoted(options.body)}` : ""];
    return parts.filter(Boolean).join(" ");
  }

  /** Send it, and show the answer as it comes. */
  async function send(prepare, out, stopper) {
    const abort = new AbortController();
    stopper.hidden = false;
    stopper.onclick = () => abort.abort();
    const status = make("p", {}, "…");
    const shown = make("pre", { tabIndex: 0 });
    out.replaceChildren(status, shown);
    let text = "";
    try {
      const [url, options] = prepare();
      out.prepend(make("pre", { className: "curl" }, curl(url, options)));
      const answer = await fetch(url, { ...options, signal: abort.signal });
      const told = ["etag", "location", "retry-after", "x-total-count", "x-next-cursor"]
        .filter((name) => answer.headers.has(name)).map((name) => `${name}: ${answer.headers.get(name)}`);
      status.textContent = [`${answer.status} ${answer.statusText}`.trim(), ...told].join(" · ");
      status.className = answer.ok ? "" : "bad";
      if (answer.body) {
        const decoder = new TextDecoder();
        const reader = answer.body.getReader();
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
          text += decoder.decode(part.value, { stream: true });
          if (text.length > LONGEST) {
            text = `${text.slice(0, LONGEST)}\n… and more`;
            abort.abort();
            break;
          }
          shown.textContent = text;
        }
      }
      shown.textContent = /json/.test(answer.headers.get("content-type") ?? "") ? pretty(JSON.parse(text)) : text;
    } catch (error) {
      if (abort.signal.aborted) shown.textContent = text;
      else {
        status.textContent = error instanceof SyntaxError ? "what is written or answered there is no JSON" : error.message;
        status.className = "bad";
      }
    }
    stopper.hidden = true;
  }

  function operation(method, path, of, shared) {
    const parameters = [...(shared ?? []), ...(of.parameters ?? [])].map(resolved);
    const controls = parameters.map((parameter) => [parameter, control(parameter)]);
    const content = resolved(of.requestBody).content?.["application/json"];
    const body = content
      ? make("textarea", { ariaLabel: "body", spellcheck: false, value: pretty(content.example ?? example(content.schema)) })
      : null;
    const out = make("div", { className: "answer", ariaLive: "polite" });
    const stopper = make("button", { type: "button", hidden: true }, "Stop");
    const form = make("form", {}, make("button", { type: "submit" }, "Send"), stopper);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(() => request(method, path, controls, body), out, stopper);
    });
    const rows = controls.map(([parameter, input]) => make("tr", {},
      make("td", {}, make("code", {}, parameter.name), parameter.required ? " *" : ""),
      make("td", {}, parameter.in),
      make("td", {}, words(parameter.schema)),
      make("td", {}, ...prose(parameter.description)),
      make("td", {}, input)));
    const answers = Object.entries(of.responses ?? {}).map(([status, one]) => {
      const answer = resolved(one);
      const [type, media] = Object.entries(answer.content ?? {})[0] ?? [];
      const shown = media ? media.example ?? example(media.schema) : undefined;
      return make("details", {},
        make("summary", {}, make("strong", {}, status), " ", ...prose(answer.description), type ? ` (${type})` : ""),
        media?.schema ? schemaTable(media.schema) : null,
        shown === undefined || shown === null ? null : make("pre", {}, typeof shown === "string" ? shown : pretty(shown)));
    });
    const inside = make("div", {},
      make("p", {}, ...prose(of.description)),
      rows.length ? make("h3", {}, "Parameters") : null,
      rows.length ? make("table", {}, ...rows) : null,
      content ? make("h3", {}, "Body") : null,
      content ? schemaTable(content.schema) : null,
      body,
      form, out,
      make("h3", {}, "Answers"), ...answers);
    return make("details", { className: "operation", id: of.operationId ?? `${method} ${path}` },
      make("summary", {}, make("span", { className: "method" }, method), make("span", { className: "path" }, path),
        make("span", { className: "summary" }, of.summary ?? "")),
      inside);
  }

  const METHODS = ["get", "post", "put", "patch", "delete"];

  function show() {
    const groups = new Map();
    for (const [path, item] of Object.entries(api.paths ?? {})) {
      for (const method of METHODS.filter((name) => item[name])) {
        const tag = item[method].tags?.[0] ?? "other";
        if (!groups.has(tag)) groups.set(tag, []);
        groups.get(tag).push(operation(method.toUpperCase(), path, item[method], item.parameters));
      }
    }
    byId("title").textContent = `${api.info?.title ?? "API"} ${api.info?.version ?? ""}`;
    byId("about").textContent = api.info?.description ?? "";
    document.title = `API · ${api.info?.title ?? ""}`;
    byId("operations").replaceChildren(...[...groups].map(([tag, operations]) =>
      make("section", { id: `tag-${tag.replaceAll(" ", "-")}` }, make("h2", {}, tag), ...operations)));
    byId("tags").replaceChildren(...[...groups.keys()].map((tag) =>
      make("a", { href: `#tag-${tag.replaceAll(" ", "-")}` }, tag)));
    narrow(byId("search").value);
    open(location.hash);
  }

  /** Open what the address points to. */
  function open(hash) {
    const found = hash ? byId(decodeURIComponent(hash.slice(1))) : null;
    if (found instanceof HTMLDetailsElement) found.open = true;
    found?.scrollIntoView();
  }

  function narrow(text) {
    const wanted = text.trim().toLowerCase();
    for (const section of document.querySelectorAll("main > section")) {
      const all = [...section.querySelectorAll("details.operation")];
      const tag = section.querySelector("h2").textContent.toLowerCase();
      for (const one of all) {
        one.hidden = !(tag.includes(wanted) || one.querySelector("summary").textContent.toLowerCase().includes(wanted));
      }
      section.hidden = all.every((one) => one.hidden);
    }
  }

  /** Take a token, and say whose it is. */
  async function authorize(given) {
    const who = byId("who");
    token = given.trim().replace(/^Bearer\s+/i, "");
    byId("token").value = "";
    byId("forget").hidden = !token;
    if (!/^[\x21-\x7e]*$/.test(token)) {
      token = "";
      byId("forget").hidden = true;
      who.textContent = "that is no token: it holds characters that no header may carry";
      return;
    }
    try {
      const headers = token ? { Authorization: `Bearer ${token}` } : {};
      const answer = await fetch(`${base}/v1/whoami`, { headers, credentials: "omit", cache: "no-store", redirect: "error" });
      const said = await answer.json();
      who.textContent = answer.ok ? `you are ${said.owner}` : said.detail || said.title;
    } catch {
      who.textContent = "the server does not answer";
    }
  }

  byId("authorize").addEventListener("submit", (event) => {
    event.preventDefault();
    authorize(byId("token").value);
  });
  byId("forget").addEventListener("click", () => {
    token = "";
    byId("forget").hidden = true;
    byId("who").textContent = "forgotten";
  });
  byId("search").addEventListener("input", (event) => narrow(event.target.value));
  addEventListener("hashchange", () => open(location.hash));

  fetch(`${base}/openapi.json`, { credentials: "omit" })
    .then((answer) => answer.json())
    .then((found) => { api = found; show(); })
    .catch(() => { byId("operations").replaceChildren(make("p", { className: "bad" }, "openapi.json cannot be read; reload the page")); });
})();
