// Whether anybody sees the page: a tab that is hidden or was left alone asks for little.
import { useEffect, useRef } from "react";

const ALONE_MS = 60_000;
const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"];

// `onChange` is told "seen", "alone" or "hidden" when that changes; a page that is loaded is seen
export function Presence({ onChange }) {
  const told = useRef("seen");
  const tell = useRef(onChange);
  tell.current = onChange;
  useEffect(() => {
    let timer = null;
    let left = false; // a page that is left is hidden last, and the next one is seen
    const leave = () => (left = true);
    const say = (presence) => {
      if (!left && told.current !== presence) {
        told.current = presence;
        tell.current(presence);
      }
    };
    const look = () => {
      clearTimeout(timer);
      const hidden = document.visibilityState === "hidden";
      if (!hidden) {
        timer = setTimeout(() => say("alone"), ALONE_MS);
      }
      say(hidden ? "hidden" : "seen");
    };
    const back = () => (left = false);
    look();
    window.addEventListener("pagehide", leave);
    window.addEventListener("pageshow", back);
    document.addEventListener("visibilitychange", look);
    for (const sign of SIGNS) {
      window.addEventListener(sign, look, { passive: true });
    }
    return () => {
      clearTimeout(timer);
      window.removeEventListener("pagehide", leave);
      window.removeEventListener("pageshow", back);
      document.removeEventListener("visibilitychange", look);
      for (const sign of SIGNS) {
        window.removeEventListener(sign, look);
      }
    };
  }, []);
  return null;
}
