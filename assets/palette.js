// The command palette: what the portal has, found by typing. A combobox with a listbox, as ARIA's
// authoring practices have it: the focus stays in the field, the arrows move through the options.
import { createElement as el, useEffect, useId, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { Dialog } from "@radix-ui/themes";

const OPEN = "fb-palette-open";
const PAUSE_MS = 160; // in typing, before the server is asked
const MAC = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);

// Opens the palette: with a word and the keys in the sidebar, as an icon in the bar of a phone
export function PaletteButton({ compact }) {
  const [keys, setKeys] = useState("Ctrl K");
  useEffect(() => setKeys(MAC ? "⌘K" : "Ctrl K"), []);
  const open = () => window.dispatchEvent(new Event(OPEN));
  const icon = el(
    "svg",
    { width: 16, height: 16, viewBox: "0 0 24 24", fill: "none", stroke: "currentColor",
      strokeWidth: 2, strokeLinecap: "round", "aria-hidden": true },
    el("circle", { cx: 11, cy: 11, r: 7 }),
    el("path", { d: "m20 20-3.8-3.8" }),
  );
  const props = { type: "button", onClick: open, "aria-haspopup": "dialog" };
  if (compact) {
    return el("button", { ...props, className: "fb-search-icon", "aria-label": "Search" }, icon);
  }
  return el(
    "button",
    { ...props, className: "fb-search", "aria-keyshortcuts": "Control+K Meta+K" },
    icon,
    el("span", null, "Search"),
    el("kbd", { "aria-hidden": true }, keys),
  );
}

// `pages` are known here; models, keys, docs and invoices come from the server, as the person may
// see them
export function Palette({ pages }) {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const show = () => setOpen(true);
    const press = (event) => {
      if (event.key.toLowerCase() === "k" && (event.metaKey || event.ctrlKey) && !event.altKey) {
        event.preventDefault();
        setOpen((shown) => !shown);
      }
    };
    window.addEventListener(OPEN, show);
    window.addEventListener("keydown", press);
    return () => {
      window.removeEventListener(OPEN, show);
      window.removeEventListener("keydown", press);
    };
  }, []);
  return el(
    Dialog.Root,
    { open, onOpenChange: setOpen },
    el(
      Dialog.Content,
      { align: "start", className: "fb-palette", "aria-describedby": undefined, maxWidth: "38rem",
        size: "1" },
      el(Dialog.Title, { className: "fb-unseen" }, "Search"),
      el(Search, { pages, close: () => setOpen(false) }),
    ),
  );
}

function Search({ pages, close }) {
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const { results, state } = useResults(text.trim());
  const navigate = useNavigate();
  const list = useRef(null);
  const id = useId();

  const options = useMemo(
    () => [...matching(pages, text.trim()), ...results],
    [pages, text, results],
  );
  const at = Math.min(active, options.length - 1);
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [at, options]);

  const go = (option, elsewhere) => {
    if (elsewhere) {
      window.open(option.href, "_blank", "noopener");
      return;
    }
    close();
    if (option.outside) {
      window.location.assign(option.href);
    } else {
      navigate(option.href);
    }
  };
  const press = (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      setActive(options.length ? (at + step + options.length) % options.length : 0);
    } else if (event.key === "Enter" && options[at]) {
      event.preventDefault();
      go(options[at], event.ctrlKey || event.metaKey);
    }
  };

  const groups = [...new Set(options.map((option) => option.group))];
  const name = (place) => `${id}-${place}`;
  return el(
    "div",
    null,
    el("input", {
      type: "text", role: "combobox", className: "fb-palette-field", autoFocus: true, value: text,
      placeholder: "Search pages, models, keys, docs, invoices…",
      "aria-label": "Search pages, models, keys, documentation and invoices",
      "aria-autocomplete": "list", "aria-controls": `${id}-list`, "aria-haspopup": "listbox",
      "aria-expanded": options.length > 0, maxLength: 100, autoComplete: "off", spellCheck: false,
      "aria-activedescendant": options[at] ? name(at) : undefined,
      onKeyDown: press,
      onChange: (event) => {
        setText(event.target.value);
        setActive(0);
      },
    }),
    el(
      "div",
      { role: "listbox", id: `${id}-list`, "aria-label": "Results", ref: list,
        className: "fb-palette-list" },
      groups.map((group) =>
        el(
          "div",
          { key: group, role: "group", "aria-label": group },
          el("div", { className: "fb-palette-group", "aria-hidden": true }, group),
          options.map((option, place) =>
            option.group === group
              ? el(
                  "div",
                  { key: option.href + option.title, id: name(place), role: "option",
                    "aria-selected": place === at, className: "fb-palette-option",
                    onPointerMove: () => place !== at && setActive(place),
                    onClick: (event) => go(option, event.ctrlKey || event.metaKey) },
                  el("span", null, option.title),
                  option.detail ? el("small", null, option.detail) : null,
                )
              : null,
          ),
        ),
      ),
    ),
    el("p", { role: "status", className: "fb-palette-state" }, told(state, options.length)),
  );
}

function told(state, count) {
  if (state === "failed") {
    return "Only pages are searched: the rest can’t be reached at present.";
  }
  if (state === "searching") {
    return "Searching…";
  }
  return count === 0 ? "Nothing matches." : `${count} ${count === 1 ? "result" : "results"}`;
}

// All words have to be somewhere in the title, the group or what else people call the page
function matching(pages, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return pages.filter((page) => {
    const within = `${page.title} ${page.group} ${page.words}`.toLowerCase();
    return words.every((word) => within.includes(word));
  });
}

// What the server finds once typing rests; an answer that a later question overtook is dropped
function useResults(text) {
  const [answer, setAnswer] = useState({ results: [], state: "ready" });
  useEffect(() => {
    if (text.length < 2) {
      setAnswer({ results: [], state: "ready" });
      return undefined;
    }
    const asking = new AbortController();
    const timer = setTimeout(async () => {
      setAnswer((before) => ({ ...before, state: "searching" }));
      try {
        const query = new URLSearchParams({ q: text });
        const answered = await fetch(`/search.json?${query}`, { signal: asking.signal });
        if (!answered.ok) {
          throw new Error(`${answered.status}`);
        }
        setAnswer({ results: await answered.json(), state: "ready" });
      } catch (problem) {
        if (problem.name !== "AbortError") {
          setAnswer({ results: [], state: "failed" });
        }
      }
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      asking.abort();
    };
  }, [text]);
  return answer;
}
