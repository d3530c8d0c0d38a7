// The API reference, drawn by Scalar from the API's own OpenAPI document.
const theme = () =>
  document.documentElement.dataset.theme ??
  (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

const place = document.getElementById("reference");
const DOCUMENT = "/reference/openapi.json";

// A sentence of ours, and not the library's view of an answer that is no document
function fail(sentence) {
  const problem = document.createElement("p");
  problem.setAttribute("role", "alert");
  problem.className = "problem";
  problem.textContent = `This could not be loaded. ${sentence}`;
  const retry = document.createElement("button");
  retry.type = "button";
  retry.textContent = "Try again";
  retry.addEventListener("click", () => location.reload());
  place.replaceChildren(problem, retry);
}

// An example shows what an optional parameter may hold; a call that is tried out is without it, as
// an answer of another month, or none at all, would be no answer to what was asked
function leaveOut(content) {
  for (const operations of Object.values(content.paths)) {
    for (const operation of Object.values(operations)) {
      for (const parameter of operation.parameters ?? []) {
        const example = parameter.schema?.examples?.[0];
        if (!parameter.required && example !== undefined) {
          parameter.examples = { default: { value: example, "x-disabled": true } };
        }
      }
    }
  }
  return content;
}

async function load() {
  try {
    const answer = await fetch(DOCUMENT);
    if (answer.ok) {
      draw(leaveOut(await answer.json()));
    } else {
      const said = (await answer.text()).trim();
      fail(said && !said.startsWith("<") ? said : "The API can't be reached. Try again shortly.");
    }
  } catch {
    fail("The API can't be reached. Try again shortly.");
  }
}

function draw(content) {
  place.replaceChildren();
Scalar.createApiReference(place, {
  content,
  // Calls go by the portal, which no policy of the API lets browsers past
  proxyUrl: "/docs/call",
  // Nothing is fetched from or sent to another host
  agent: { disabled: true },
  mcp: { disabled: true },
  telemetry: false,
  withDefaultFonts: false,
  showDeveloperTools: "never",
  hideClientButton: true,
  // Each operation shows the types that it takes; a list of all of them helps nobody
  hideModels: true,
  authentication: { preferredSecurityScheme: "bearer" },
  // A key that is written here goes with the page
  persistAuth: false,
  hideDarkModeToggle: true,
  darkMode: theme() === "dark",
  forceDarkModeState: theme(),
  defaultHttpClient: { targetKey: "shell", clientKey: "curl" },
  hiddenClients: {
    c: true, clojure: true, csharp: true, dart: true, fsharp: true, http: true, julia: true,
    kotlin: true, objc: true, ocaml: true, php: true, powershell: true, r: true, ruby: true,
    rust: true, swift: true,
    js: ["axios", "ofetch", "jquery", "xhr"],
    node: ["axios", "ofetch", "undici"],
    python: ["requests", "aiohttp"],
    shell: ["wget", "httpie"],
    java: ["asynchttp", "okhttp", "unirest"],
  },
  customCss: `
    .scalar-app {
      --scalar-custom-header-height: 3.5rem;
      --scalar-font: "Geist Variable", system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
      --scalar-font-code: "Geist Mono Variable", ui-monospace, Menlo, Consolas, monospace;
      --scalar-color-accent: var(--accent);
    }
  `,
});
}

load();
document.addEventListener("themechange", () => location.reload());
