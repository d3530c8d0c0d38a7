// Says that a page takes long: after three seconds, and in other words after ten.
import { createElement as el, useEffect, useState } from "react";

const SLOW_MS = 3_000;
const SLOWER_MS = 10_000;

// The region stands from the beginning, so that what comes into it is read out
export function Waiting({ waiting }) {
  const [text, setText] = useState("");
  useEffect(() => {
    if (!waiting) {
      return undefined;
    }
    const timers = [
      setTimeout(() => setText("Still loading…"), SLOW_MS),
      setTimeout(
        () =>
          setText(
            "This takes longer than usual: the server is slow to answer. " +
              "The page goes on by itself once it does.",
          ),
        SLOWER_MS,
      ),
    ];
    return () => {
      timers.forEach(clearTimeout);
      setText("");
    };
  }, [waiting]);
  return el(
    "div",
    { role: "status" },
    text ? el("p", { className: "fb-waiting", id: "waiting" }, text) : null,
  );
}
