// The comparison for who is not signed in: compares while one types, and keeps it in the address.
const THEME = "theme"; // the portal's own
const form = document.getElementById("workload");
const WAIT_MS = 350;
let waiting;
let asked = 0;

// The theme
const dark = matchMedia("(prefers-color-scheme: dark)");
try {
  const chosen = localStorage.getItem(THEME);
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is closed to this page: it follows the browser
}
document.getElementById("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(THEME, document.documentElement.dataset.theme);
  } catch {
    // It holds for this page alone
  }
});

async function compare() {
  const mine = ++asked;
  const result = document.getElementById("result");
  result.setAttribute("aria-busy", "true");
  let text;
  try {
    text = await (await fetch(`/plans?${new URLSearchParams(new FormData(form))}`)).text();
  } catch {
    form.submit(); // the browser says what is wrong with the connection
    return;
  }
  if (mine !== asked) return; // a later question is under way
  const page = new DOMParser().parseFromString(text, "text/html");
  const fresh = page.getElementById("result");
  result.replaceWith(fresh);
  history.replaceState(null, "", `/plans?${fresh.dataset.query}`);
  for (const link of document.querySelectorAll("[data-export]")) {
    link.href = `${new URL(link.href).pathname}?${fresh.dataset.query}`;
  }
}

form.addEventListener("input", ({ target }) => {
  const part = target.labels?.[0]?.querySelector("output");
  if (part) part.value = target.value;
  clearTimeout(waiting);
  waiting = setTimeout(compare, WAIT_MS);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  compare();
});

const copy = document.getElementById("copy-link");
copy.addEventListener("click", async () => {
  const { query } = document.getElementById("result").dataset;
  await navigator.clipboard.writeText(`${location.origin}/plans?${query}`);
  copy.textContent = "Copied";
  setTimeout(() => (copy.textContent = "Copy link"), 2000);
});

const full = document.getElementById("full-screen");
full.addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
});
document.addEventListener("fullscreenchange", () => {
  const on = document.fullscreenElement !== null;
  document.body.classList.toggle("alone", on);
  full.textContent = on ? "Leave full screen" : "Full screen";
});
