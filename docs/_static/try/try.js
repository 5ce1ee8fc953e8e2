// The page "Try it": draws the form that try_page.py describes, sends what is filled in to it, and shows its answer.
// Everything that is decided or put into words is decided there; here are only controls and places.
"use strict";

(() => {
  const PATIENCE = 60_000; // milliseconds without a sign of life before the page says that something is wrong
  const PAUSE = 150; // milliseconds after a key before the answer is asked for
  const FEW = 3; // up to so many options, of so many letters together, stand side by side; more are a list to choose from
  const SHORT = 20;
  const FIRST = 6; // how many questions are shown before the rest is folded away
  const SIGNS = { yes: "✓", no: "✗", part: "◐", open: "?", note: "•" };
  const STAGES = { planned: "planned", delivered: "given", billed: "billed" };
  const UNUSABLE = "Some answers cannot be used and count as not known; they are marked below.";
  const KINDS = { "": "The base", plans: "Plans", policies: "Medical policies", mandates: "State mandates" };

  const here = new URL("./", document.currentScript.src);
  const top_ = new URL("../../", here);
  const state = { ruleset: "medical-massage", stage: "planned", facts: {}, notes: [] };
  let manifest, place, form, fields, last;

  // --- small helpers ------------------------------------------------------------------------------------------

  // Make an element: attributes by name (`on...` are listeners, null is left out), then what is in it.
  function make(name, attributes = {}, ...inner) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value === true) element.setAttribute(key, "");
      else if (value !== null && value !== false && value !== undefined) element.setAttribute(key, value);
    }
    element.append(...inner.flat().filter((each) => each !== null));
    return element;
  }

  const sign = (mark) => make("span", { class: `try-sign try-${mark}`, "aria-hidden": "true" }, SIGNS[mark]);
  const heading = (text) => make("h3", {}, text);
  const rulePage = (each, text) => make("a", { href: new URL(each.page, top_).href }, text);

  function options(pairs, chosen) {
    return pairs.map(([value, label]) => make("option", { value, selected: value === chosen }, label));
  }

  // --- the worker ---------------------------------------------------------------------------------------------

  let worker, patience, sent = 0, running = false;
  const waiting = new Map();

  function send(message) {
    sent += 1;
    const id = sent;
    worker.postMessage({ id, ...message });
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  }

  const ask = (request) => send({ request });

  function beginToWait() {
    clearTimeout(patience);
    patience = setTimeout(() => fail("Nothing has been heard from it for a minute."), PATIENCE);
  }

  function heard({ data }) {
    if (data.progress) {
      beginToWait();
      say(data.progress);
      return;
    }
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error === undefined) resolve(data.answer);
    else reject(new Error(data.error));
  }

  // --- starting -----------------------------------------------------------------------------------------------

  const TO_RUN = "A server must send .wasm files as application/wasm and .mjs files as JavaScript, and a content security "
    + "policy must allow scripts of this site, workers, and 'wasm-unsafe-eval' and 'unsafe-eval' for them. A browser must be "
    + "recent enough to run WebAssembly in module workers.";
  const TO_REPORT = "This is a defect of covrules: please report it with this message.";

  let failed = false;

  function say(text) {
    if (!failed) place.status.textContent = text;
  }

  // Say what went wrong, and what to do: about the server and the browser until the library runs, then about us.
  function fail(reason) {
    failed = true;
    clearTimeout(patience);
    place.root.classList.add("try-failed");
    place.root.removeAttribute("aria-busy");
    place.status.setAttribute("role", "alert");
    const said = `${reason.replace(/\.?$/, ".")} ${running ? TO_REPORT : TO_RUN}`;
    place.status.replaceChildren(make("strong", {}, "The library could not be run in this page. "), said);
  }

  function explainFile() {
    place.status.replaceChildren(
      make("strong", {}, "This page was opened as a file, and browsers do not run a library from files. "),
      "Serve the folder, which needs no network, and open the address it prints:",
      make("pre", {}, "python -m http.server -d docs/_build"),
    );
  }

  async function start() {
    const root = document.getElementById("try-page");
    place = { root, status: make("div", { class: "try-status", role: "status" }) };
    root.append(place.status);
    if (location.protocol === "file:") {
      explainFile();
      return;
    }
    try {
      root.setAttribute("aria-busy", "true");
      say("Fetching Python and the rules: about 14 MB, the first time.");
      const response = await fetch(new URL("manifest.json", here), { cache: "no-cache" });
      if (!response.ok) throw new Error(`manifest.json: ${response.status} ${response.statusText}.`);
      manifest = await response.json();
      draw();
      worker = new Worker(new URL(`worker.mjs?v=${manifest.worker}`, here), { type: "module" });
      worker.addEventListener("message", heard);
      worker.addEventListener("error", (event) => fail(event.message || "The worker did not start."));
      beginToWait();
      await send({ manifest });
      running = true;
      clearTimeout(patience);
      await readAddress();
      say("");
      root.removeAttribute("aria-busy");
      window.addEventListener("hashchange", () => readAddress().catch((error) => fail(error.message)));
    } catch (error) {
      fail(error.message);
    }
  }

  // Fill the form as the address says; without anything in it, with a case that shows something.
  async function readAddress() {
    const text = location.hash.slice(1);
    state.notes = [];
    if (text.includes("=")) {
      const rulesets = manifest.rulesets.map((each) => each.id);
      const link = await ask({ do: "read_link", text, rulesets });
      Object.assign(state, { facts: link.facts, notes: link.notes });
      state.ruleset = link.ruleset ?? "medical-massage";
      state.stage = link.stage ?? "planned";
      await redraw();
      return;
    }
    if (form && (text === "" || document.getElementById(text))) return; // a jump within the page
    if (text && !document.getElementById(text)) state.notes = ["The address holds no case that can be read."];
    await chooseRuleset();
    fill(manifest.cases[place.cases.value]);
    await answer();
  }

  // --- the frame ----------------------------------------------------------------------------------------------

  function draw() {
    const byKind = Object.entries(KINDS).map(([layer, label]) => {
      const fitting = manifest.rulesets.filter((each) => each.layer === layer);
      return make("optgroup", { label }, options(fitting.map((each) => [each.id, each.title]), state.ruleset));
    });
    place.ruleset = make("select", { id: "try-ruleset", onchange: (event) => choose("ruleset", event) }, byKind);
    place.stage = make("select", { id: "try-stage", onchange: (event) => choose("stage", event) },
      options(Object.entries(STAGES), state.stage));
    const shown = manifest.cases.findIndex((each) => each.title.startsWith("Ninety minutes"));
    place.cases = make("select", { id: "try-case" },
      options(manifest.cases.map((each, number) => [String(number), each.title]), String(Math.max(0, shown))));
    place.copied = make("span", { role: "status", class: "try-copied" });
    place.live = make("p", { class: "try-live", role: "status", "aria-live": "polite", "aria-atomic": "true" });
    place.headline = make("h2", { id: "try-verdict-title", tabindex: "-1" });
    place.verdict = make("section", { class: "try-verdict", "aria-labelledby": "try-verdict-title" });
    place.about = make("p", { class: "try-about" });
    place.filter = make("input", { id: "try-filter", type: "search", autocomplete: "off", oninput: filter });
    place.only = make("input", { id: "try-only", type: "checkbox", onchange: filter });
    place.count = make("span", { role: "status", class: "try-count" });
    place.groups = make("div", { class: "try-groups" });
    place.bar = make("div", { class: "try-bar", hidden: true });
    place.app = make("div", { class: "try-app", hidden: true },
      make("div", { class: "try-choices" },
        labelled("Rules", place.ruleset),
        labelled("The visit is", place.stage),
        make("div", { class: "try-start" },
          labelled("Start from a case", place.cases),
          make("button", { type: "button", class: "try-button", onclick: () => take(manifest.cases[place.cases.value]) }, "Start")),
        make("div", { class: "try-actions" },
          make("button", { type: "button", class: "try-button", onclick: copyLink }, "Copy link to this case"),
          make("button", { type: "button", class: "try-button try-quiet", onclick: () => take({ facts: {} }) }, "Clear all answers"),
          place.copied)),
      place.live,
      place.verdict,
      make("section", { "aria-labelledby": "try-form-title" },
        make("h2", { id: "try-form-title" }, "What is known"),
        place.about,
        make("div", { class: "try-find" },
          labelled("Find a fact", place.filter),
          make("label", { class: "try-tick", for: "try-only" }, place.only, "Only what is still asked"),
          place.count),
        place.groups),
      place.bar);
    place.root.append(place.app);
    new IntersectionObserver(([entry]) => { place.bar.hidden = entry.isIntersecting; }).observe(place.headline);
  }

  const labelled = (text, control) =>
    make("div", { class: "try-labelled" }, make("label", { for: control.id }, text), control);

  async function choose(what, event) {
    state[what] = event.target.value;
    state.notes = [];
    if (what === "ruleset") await chooseRuleset();
    answerStep();
  }

  async function chooseRuleset() {
    form = await ask({ do: "form", ruleset: state.ruleset });
    place.ruleset.value = state.ruleset;
    place.stage.value = state.stage;
    drawForm();
  }

  async function redraw() {
    await chooseRuleset();
    await answer();
  }

  // Fill the form with the facts of a case that bear on the ruleset.
  function fill({ facts }) {
    const read = new Set(form.groups.flatMap((group) => group.facts.map((fact) => fact.path)));
    state.facts = Object.fromEntries(Object.entries(facts).filter(([path]) => read.has(path)));
    putAll();
  }

  function take(known) {
    state.notes = [];
    fill(known);
    answerStep();
  }

  async function copyLink() {
    try {
      await navigator.clipboard.writeText(location.href);
      place.copied.textContent = "Link copied.";
    } catch {
      const field = make("input", { type: "text", readonly: true, value: location.href, "aria-label": "Link to this case" });
      place.copied.replaceChildren("Copy it from here: ", field);
      field.select();
    }
  }

  // --- the form -----------------------------------------------------------------------------------------------

  function drawForm() {
    fields = new Map();
    const roomy = window.matchMedia("(min-width: 40rem)").matches;
    place.about.textContent = `${form.about}.`;
    place.groups.replaceChildren(...form.groups.map((group) => {
      const grid = make("div", { class: "try-facts" }, group.facts.map((fact) => drawFact(fact).box));
      const known = make("span", { class: "try-known" });
      const box = make("details", { class: "try-group", open: roomy },
        make("summary", {}, make("span", { class: "try-group-title" }, group.title), known),
        make("p", { class: "try-group-about" }, group.about), grid);
      Object.assign(group, { box, known });
      return box;
    }));
    putAll();
    filter();
  }

  function drawFact(fact) {
    const id = fact.path.replace(".", "-");
    const names = { label: `label-${id}`, ask: `ask-${id}`, problem: `problem-${id}` };
    const control = { choice: drawChoice, many: drawMany, value: drawValue }[fact.draw](fact, names);
    const field = {
      fact, control, group: null,
      problem: make("p", { class: "try-problem", id: names.problem, hidden: true }),
      fixed: make("p", { class: "try-fixed", hidden: true }),
      box: null,
    };
    field.box = make("div", { class: "try-fact", "data-path": fact.path },
      make("div", { class: "try-label", id: names.label }, fact.label),
      make("div", { class: "try-ask", id: names.ask }, fact.derived ?? fact.ask),
      make("div", { class: "try-control" }, control.parts), field.fixed, field.problem);
    fields.set(fact.path, field);
    return field;
  }

  const described = (names) => ({ "aria-labelledby": names.label, "aria-describedby": `${names.ask} ${names.problem}` });

  // One of a few: radio buttons; one of many: a list. Either way, not known is the first.
  function drawChoice(fact, names) {
    const pairs = [["", fact.unknown], ...fact.options];
    const changed = () => change(fact.path);
    const letters = fact.options.map(([, label]) => label).join("").length;
    if (fact.options.length > FEW || letters > SHORT) {
      const select = make("select", { ...described(names), onchange: changed }, options(pairs));
      return { parts: [select], first: select, get: () => select.value, put: (text) => { select.value = text; } };
    }
    const radios = pairs.map(([value]) => make("input", { type: "radio", name: fact.path, value, onchange: changed }));
    const group = make("div", { class: "try-radios", role: "radiogroup", ...described(names) },
      radios.map((radio, number) => make("label", {}, radio, make("span", {}, pairs[number][1]))));
    return {
      parts: [group],
      get first() { return radios.find((radio) => radio.checked) ?? radios[0]; },
      get: () => radios.find((radio) => radio.checked).value,
      put: (text) => radios.forEach((radio) => { radio.checked = radio.value === text; }),
    };
  }

  // Whether it is known, as a list to choose from: not known, what is given beside it, or a word that stands alone.
  function drawMode(fact, names, changed) {
    const pairs = [["", fact.unknown], ["given", fact.given], ...fact.words];
    return make("select", {
      "aria-label": `${fact.label}: what is known`, "aria-describedby": `${names.ask} ${names.problem}`, onchange: changed,
    }, options(pairs));
  }

  function drawValue(fact, names) {
    const changed = () => {
      if (mode.value !== "given") input.value = "";
      change(fact.path);
    };
    const mode = drawMode(fact, names, changed);
    const typed = () => {
      mode.value = input.value || input.validity.badInput ? "given" : "";
      change(fact.path, PAUSE);
    };
    const type = fact.input;
    const input = make("input", {
      type, ...described(names), min: fact.least ?? null, step: type === "number" ? 1 : null, autocomplete: "off",
      list: type === "text" ? suggestions(fact.path) : null, placeholder: fact.hint ?? null, spellcheck: "false", oninput: typed,
    });
    const unit = fact.unit ? make("span", { class: "try-unit" }, fact.unit) : null;
    return {
      parts: [make("div", { class: "try-value" }, make("span", { class: "try-input" }, input, unit), mode)],
      first: input,
      // What the browser cannot read as a number or a day is sent as it is refused, not as nothing.
      get: () => (mode.value === "given" ? (input.validity.badInput ? "?" : input.value) : mode.value),
      put: (text) => {
        const word = fact.words.some(([value]) => value === text);
        mode.value = word ? text : text ? "given" : "";
        input.value = word ? "" : text;
      },
    };
  }

  function drawMany(fact, names) {
    const changed = () => {
      boxes.hidden = mode.value !== "given";
      change(fact.path);
    };
    const mode = drawMode(fact, names, changed);
    const ticks = fact.options.map(([value]) => make("input", { type: "checkbox", value, onchange: changed }));
    const boxes = make("div", { class: "try-ticks", role: "group", ...described(names), hidden: true },
      ticks.map((tick, number) => make("label", {}, tick, make("span", {}, fact.options[number][1]))));
    return {
      parts: [mode, boxes],
      first: mode,
      get: () => (mode.value === "given" ? ticks.filter((tick) => tick.checked).map((tick) => tick.value).join(", ") : mode.value),
      put: (text) => {
        const word = fact.words.some(([value]) => value === text);
        const chosen = new Set(word ? [] : text.split(",").map((part) => part.trim()));
        mode.value = word ? text : text ? "given" : "";
        ticks.forEach((tick) => { tick.checked = chosen.has(tick.value); });
        boxes.hidden = mode.value !== "given";
      },
    };
  }

  // The id of a list of what the cases to start from have typed for a fact.
  function suggestions(path) {
    const id = `suggested-${path.replace(".", "-")}`;
    const typed = new Set(manifest.cases.map((each) => each.facts[path]).filter((text) => text && text !== "none" && text !== "any"));
    if (!typed.size) return null;
    if (!document.getElementById(id)) {
      place.root.append(make("datalist", { id }, [...typed].map((value) => make("option", { value }))));
    }
    return id;
  }

  function putAll() {
    for (const [path, field] of fields) field.control.put(state.facts[path] ?? "");
  }

  let pausing;
  function change(path, pause = 0) {
    const text = fields.get(path).control.get();
    if (text === "") delete state.facts[path];
    else state.facts[path] = text;
    state.notes = [];
    clearTimeout(pausing);
    pausing = setTimeout(answer, pause);
  }

  function filter() {
    const words = place.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const asked = new Set((last?.asked ?? []).flatMap((person) => person.questions.map((question) => question.fact)));
    let shown = 0;
    for (const group of form.groups) {
      let any = false;
      for (const { path, label, ask: question } of group.facts) {
        const text = `${label} ${question} ${path}`.toLowerCase();
        const fits = words.every((word) => text.includes(word)) && (!place.only.checked || asked.has(path));
        fields.get(path).box.hidden = !fits;
        shown += fits ? 1 : 0;
        any ||= fits;
      }
      group.box.hidden = !any;
      if (any && words.length) group.box.open = true;
    }
    place.count.textContent = words.length || place.only.checked ? `${shown} of ${fields.size} facts` : "";
  }

  // Lead to the control of a fact, wherever it is hidden.
  function lead(path) {
    const field = fields.get(path);
    if (!field) return;
    if (field.box.hidden) {
      place.filter.value = "";
      place.only.checked = false;
      filter();
    }
    field.box.closest("details").open = true;
    field.box.scrollIntoView({ block: "center" });
    field.control.first.focus({ preventScroll: true });
  }

  // --- the answer ---------------------------------------------------------------------------------------------

  let busy = false, again = false, step = false;

  // Answer what changed more than one fact: the browser's way back takes it back.
  function answerStep() {
    step = true;
    return answer();
  }

  async function answer() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      do {
        again = false;
        const { ruleset, stage, facts } = state;
        last = await ask({ do: "answer", ruleset, stage, facts });
      } while (again);
      show();
    } catch (error) {
      fail(error.message);
    } finally {
      busy = false;
    }
  }

  function show() {
    const address = `#${last.link}`;
    history[step && address !== location.hash ? "pushState" : "replaceState"](null, "", address);
    step = false;
    place.copied.replaceChildren();
    for (const [path, field] of fields) {
      const problem = last.problems[path], fixed = last.fixed[path];
      field.problem.textContent = problem ?? "";
      field.problem.hidden = !problem;
      field.fixed.textContent = fixed ?? "";
      field.fixed.hidden = !fixed;
      field.box.classList.toggle("try-is-fixed", fixed !== undefined);
      field.box.classList.toggle("try-wrong", problem !== undefined);
      field.box.querySelector(".try-control").hidden = fixed !== undefined;
      if (problem) field.control.first.setAttribute("aria-invalid", "true");
      else field.control.first.removeAttribute("aria-invalid");
    }
    for (const group of form.groups) {
      const known = group.facts.filter(({ path }) =>
        (path in state.facts && !(path in last.problems)) || path in last.fixed).length;
      group.known.textContent = `${known} of ${group.facts.length} known`;
    }
    filter();
    const notes = [...state.notes, ...last.notes];
    if (last.verdict && Object.keys(last.problems).length) notes.push(UNUSABLE);
    const title = place.headline;
    const mark = last.verdict ? last.mark : "open";
    title.className = `try-headline try-${mark}`;
    title.replaceChildren(sign(mark), last.verdict ? last.headline : "No verdict yet.");
    const said = last.verdict ? drawVerdict() : drawRefusal();
    place.verdict.replaceChildren(...notes.map((note) => make("p", { class: "try-note" }, note)), title, ...said);
    const refused = last.verdict ? [] : Object.values(last.problems);
    const spoken = [last.verdict ? last.announced : "No verdict yet.", ...refused, ...notes].join(" ");
    if (place.live.textContent !== spoken) place.live.textContent = spoken;
    drawBar(mark);
    place.app.hidden = false;
  }

  // What stands in the way of a verdict, each leading to its control.
  function drawRefusal() {
    const lines = Object.entries(last.problems).map(([path, problem]) =>
      make("li", {}, question(path, fields.get(path)?.fact.label ?? path), ` ${problem}`));
    return [make("ul", { class: "try-list" }, lines)];
  }

  const question = (path, text) => make("button", { type: "button", class: "try-ask-button", onclick: () => lead(path) }, text);

  function drawVerdict() {
    return [
      make("p", { class: "try-tally" }, last.tally, " ", last.acceptance),
      ...listed("Why", last.reasons.map(drawReason)),
      ...listed("At this clinic", last.clinic.map(drawReason)),
      ...listed("What would change this", [...drawBarred(), ...last.remedies.map(drawRemedy)]),
      ...drawQuestions(),
      ...listed("Good to know", last.advice.map((text) => make("li", {}, sign("note"), text))),
      folded("try-rules", `What became of each of the ${last.rules.length} rules`,
        make("ul", { class: "try-list" }, last.rules.map((each) =>
          make("li", {}, sign(each.mark), rulePage(each, each.title), `: ${each.status}`)))),
      make("div", { class: "try-foot" }, last.foot.map((text) => make("p", {}, text))),
    ];
  }

  // What is folded away, until somebody opens it: then it stays open whatever is answered.
  function folded(name, summary, ...inner) {
    const open = place.verdict.querySelector(`.${name}`)?.open;
    return make("details", { class: name, open }, make("summary", {}, summary), ...inner);
  }

  const listed = (text, lines) => (lines.length ? [heading(text), make("ul", { class: "try-list" }, lines)] : []);

  const drawReason = (reason) =>
    make("li", {}, sign(reason.mark), reason.text, " ", make("span", { class: "try-rule" }, "Rule: ", rulePage(reason, reason.title)));

  const drawBarred = () => (last.barred.length
    ? [make("li", {}, sign("no"), last.barred[0], " In the way: ", last.barred.slice(1).join(" "))] : []);

  function drawRemedy(remedy) {
    const steps = remedy.steps.map((step) => `${step.who}: ${step.action}.`).join(" ");
    const apply = () => {
      for (const [path, text] of Object.entries(remedy.set)) {
        if (text === null) delete state.facts[path];
        else state.facts[path] = text;
      }
      state.notes = [];
      putAll();
      answerStep().then(() => place.headline.focus());
    };
    return make("li", {}, sign("note"), steps, ` Then: ${remedy.then}. `,
      make("button", { type: "button", class: "try-button try-small", onclick: apply, "aria-label": `Try it: ${steps}` }, "Try it"));
  }

  function drawQuestions() {
    if (!last.asked.length) return [];
    const line = (each) => make("li", {}, sign("open"), question(each.fact, each.ask),
      each.decides.length ? make("span", { class: "try-decides" }, ` ${each.decides.join(" ")}`) : null);
    let left = FIRST;
    const first = [], rest = [];
    for (const { heading: who, questions } of last.asked) {
      const now = questions.slice(0, left), later = questions.slice(left);
      left -= now.length;
      if (now.length) first.push(make("h4", {}, who), make("ul", { class: "try-list" }, now.map(line)));
      if (later.length) rest.push(make("h4", {}, who), make("ul", { class: "try-list" }, later.map(line)));
    }
    const many = last.asked.reduce((sum, { questions }) => sum + questions.length, 0);
    const more = rest.length ? [folded("try-more", `${many - FIRST} more that may matter`, rest)] : [];
    return [heading("Still to be asked, the most telling first"), ...first, ...more];
  }

  // The verdict in one line, at the foot of the window while the whole of it is out of sight.
  function drawBar(mark) {
    const next = (last.asked ?? []).flatMap(({ questions }) => questions).find((each) => each.first);
    const small = (text, onclick) => make("button", { type: "button", class: "try-button try-small", onclick }, text);
    place.bar.replaceChildren(
      make("span", { class: "try-bar-text" }, sign(mark), ` ${place.headline.lastChild.textContent}`),
      make("span", { class: "try-bar-buttons" },
        next ? small("Next question", () => lead(next.fact)) : null,
        small("See why", () => {
          place.headline.scrollIntoView({ block: "start" });
          place.headline.focus({ preventScroll: true });
        })));
  }

  start();
})();
