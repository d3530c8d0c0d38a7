// What the documentation's pages do beyond being read: tabs, copying, search, a first call, the theme.
const LANGUAGE = "docs-language";
const THEME = "theme"; // the portal's own

function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage is closed to this page
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // It holds for this page alone
  }
}

// The theme
const dark = matchMedia("(prefers-color-scheme: dark)");
const chosen = kept(THEME);
if (chosen === "light" || chosen === "dark") {
  document.documentElement.dataset.theme = chosen;
}
document.getElementById("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  keep(THEME, next);
  document.dispatchEvent(new CustomEvent("themechange", { detail: next }));
});

// Samples in several languages: one choice for all of them
function show(language) {
  for (const samples of document.querySelectorAll(".samples")) {
    const tabs = [...samples.querySelectorAll("[role=tab]")];
    if (!tabs.some((tab) => tab.textContent === language)) {
      continue;
    }
    for (const tab of tabs) {
      const selected = tab.textContent === language;
      tab.setAttribute("aria-selected", selected);
      tab.tabIndex = selected ? 0 : -1;
    }
    for (const panel of samples.querySelectorAll("[role=tabpanel]")) {
      panel.hidden = panel.dataset.language !== language;
    }
  }
}

for (const samples of document.querySelectorAll(".samples")) {
  const tabs = [...samples.querySelectorAll("[role=tab]")];
  show(tabs[0].textContent);
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => {
      keep(LANGUAGE, tab.textContent);
      show(tab.textContent);
    });
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) {
        const next = tabs[(place + step + tabs.length) % tabs.length];
        next.click();
        next.focus();
      }
    });
  });
}
if (kept(LANGUAGE)) {
  show(kept(LANGUAGE));
}

// Copying
for (const button of document.querySelectorAll(".copy")) {
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}

// Search: all of it is small enough to look through here
const field = document.getElementById("search");
const results = document.getElementById("results");
let entries = null;

async function look() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) {
    results.hidden = true;
    field.setAttribute("aria-expanded", "false");
    return;
  }
  try {
    entries ??= fetch("/docs/search.json").then((answer) => answer.json());
    await entries;
  } catch {
    entries = null;
    return;
  }
  const rank = (entry) => {
    const title = `${entry.title} ${entry.of}`.toLowerCase();
    const all = `${title} ${entry.text.toLowerCase()}`;
    return words.every((word) => all.includes(word))
      ? 1 + words.filter((word) => title.includes(word)).length
      : 0;
  };
  const found = (await entries)
    .map((entry) => [rank(entry), entry])
    .filter(([score]) => score)
    .sort(([one], [other]) => other - one)
    .slice(0, 12);
  results.replaceChildren(
    ...found.map(([, entry]) => {
      const item = document.createElement("li");
      item.setAttribute("role", "option");
      const link = document.createElement("a");
      link.href = entry.at;
      link.tabIndex = -1;
      const of = document.createElement("small");
      of.textContent = entry.of;
      link.append(entry.title, of);
      item.append(link);
      return item;
    }),
  );
  if (!found.length) {
    const none = document.createElement("li");
    none.className = "none";
    none.textContent = "Nothing has these words.";
    results.append(none);
  }
  results.hidden = false;
  field.setAttribute("aria-expanded", "true");
}

field.addEventListener("input", look);
field.addEventListener("keydown", (event) => {
  const items = [...results.querySelectorAll("[role=option]")];
  const place = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
  if (event.key === "Escape") {
    results.hidden = true;
    field.setAttribute("aria-expanded", "false");
  } else if (event.key === "Enter" && items.length) {
    items[Math.max(place, 0)].querySelector("a").click();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const next = Math.min(Math.max(place + (event.key === "ArrowDown" ? 1 : -1), 0), items.length - 1);
    items.forEach((item, at) => {
      item.id = `result-${at}`;
      item.setAttribute("aria-selected", at === next);
    });
    if (items[next]) {
      field.setAttribute("aria-activedescendant", `result-${next}`);
      items[next].scrollIntoView({ block: "nearest" });
    }
  }
});
document.addEventListener("keydown", (event) => {
  const writes = event.target.closest?.("input, textarea, [contenteditable]");
  if ((event.key === "/" && !writes) || (event.key === "k" && (event.metaKey || event.ctrlKey))) {
    event.preventDefault();
    field.focus();
  }
});
document.addEventListener("click", (event) => {
  if (!event.target.closest(".search")) {
    results.hidden = true;
    field.setAttribute("aria-expanded", "false");
  }
});

// A first call, with the reader's own session
for (const trial of document.querySelectorAll(".trial")) {
  const { signedIn, api, model } = trial.closest("article").dataset;
  const note = trial.querySelector(".trial-note");
  const button = trial.querySelector("button");
  if (signedIn !== "yes") {
    button.disabled = true;
    const link = document.createElement("a");
    link.href = `/sign-in?next=${encodeURIComponent(location.pathname)}`;
    link.textContent = "Sign in";
    note.append(link, " to run it here.");
    continue;
  }
  trial.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    note.textContent = "Asking…";
    const output = trial.querySelector("output");
    output.hidden = false;
    output.textContent = "";
    try {
      note.textContent = await ask(api, model, trial.elements.question.value, (text) =>
        output.append(text),
      );
    } catch (problem) {
      note.textContent = problem.message;
    }
    button.disabled = false;
  });
}

async function ask(api, model, question, show) {
  const began = performance.now();
  const target = encodeURIComponent(`${api}/v1/chat/completions`);
  const answer = await fetch(`/docs/call?scalar_url=${target}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      model,
      messages: [{ role: "user", content: question }],
      max_tokens: 40,
      stream: true,
      stream_options: { include_usage: true },
    }),
  });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.error?.message ?? problem.detail ?? `It failed with ${answer.status}.`);
  }
  let rest = "";
  let used = null;
  const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await text.read(); !piece.done; piece = await text.read()) {
    const lines = (rest + piece.value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data: ") && line !== "data: [DONE]") {
        const chunk = JSON.parse(line.slice("data: ".length));
        show(chunk.choices?.[0]?.delta?.content ?? "");
        used = chunk.usage ?? used;
      }
    }
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const tokens = used ? ` · ${used.prompt_tokens} tokens in, ${used.completion_tokens} out` : "";
  return `${model} · ${seconds} s${tokens}`;
}
