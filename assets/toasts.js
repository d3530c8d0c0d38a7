// What was just done, said for a moment at the corner; the region that holds it is read out.
import { createElement as el, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { refs } from "$/utils/state";

const LAST = "fb-toast";
const SHOWN_MS = 4_000;
const MOST = 3; // at a time; the oldest goes
const LOST = "The connection to the server is lost. The page goes on by itself once it is back.";

let toasts = []; // the newest is the last
let number = 0;
const watchers = new Set();

function set(next) {
  toasts = next.slice(-MOST);
  watchers.forEach((watcher) => watcher());
}

function show(toast) {
  set([...toasts.filter(({ id }) => id !== toast.id), toast]);
}

function dismiss(id) {
  set(toasts.filter((toast) => toast.id !== id));
}

function watch(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

// What Reflex calls where the connection is lost, and when it is back. Its own words name addresses
refs.__toast = {
  error: (text, { id, duration, onDismiss }) =>
    show({ id, text: id === "websocket-error" ? LOST : text, wrong: true, ms: duration, onDismiss }),
  dismiss,
};

// `stamp` is another for each toast. The last is kept for the tab: a page that is loaded anew gets
// the state of before, and has nothing new to say
export function Toasts({ stamp, text }) {
  useEffect(() => {
    if (stamp && text && sessionStorage.getItem(LAST) !== stamp) {
      sessionStorage.setItem(LAST, stamp);
      number += 1;
      show({ id: number, text, ms: SHOWN_MS });
    }
  }, [stamp, text]);
  return null;
}

// Alt+T goes to the toasts, and Escape back to where one was; none goes while one is at them
export function ToastRegion() {
  const shown = useSyncExternalStore(watch, () => toasts, () => toasts);
  const [held, setHeld] = useState(false);
  const list = useRef(null);
  const before = useRef(null);
  useEffect(() => {
    const onKey = (event) => {
      if (event.altKey && event.code === "KeyT" && toasts.length) {
        before.current = document.activeElement;
        list.current.focus();
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  const back = () => {
    before.current?.focus();
    before.current = null;
  };
  useEffect(() => setHeld((was) => was && shown.length > 0), [shown]);
  const close = (toast) => {
    dismiss(toast.id);
    toast.onDismiss?.();
    if (!toasts.length) {
      back();
    } else if (list.current.contains(document.activeElement)) {
      list.current.focus();
    }
  };
  return el(
    "section",
    { "aria-label": "Notifications, Alt+T", "aria-live": "polite", "aria-relevant": "additions" },
    shown.length
      ? el(
          "ol",
          {
            className: "fb-toasts",
            ref: list,
            tabIndex: -1,
            onPointerEnter: () => setHeld(true),
            onPointerLeave: () => setHeld(false),
            onFocus: () => setHeld(true),
            onBlur: () => setHeld(false),
            onKeyDown: (event) => event.key === "Escape" && back(),
          },
          shown.map((toast) => el(Toast, { key: toast.id, toast, held, close: () => close(toast) })),
        )
      : null,
  );
}

function Toast({ toast, held, close }) {
  useEffect(() => {
    if (held || toast.ms === Infinity) {
      return undefined;
    }
    const timer = setTimeout(() => dismiss(toast.id), toast.ms);
    return () => clearTimeout(timer);
  }, [held, toast]);
  return el(
    "li",
    { className: toast.wrong ? "fb-toast fb-wrong" : "fb-toast" },
    toast.text,
    el("button", { type: "button", "aria-label": "Close toast", onClick: close }, "×"),
  );
}
