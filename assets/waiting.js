// Says that a page takes long: after three seconds, and in other words after ten, with a way to
// ask anew.
import { createElement as el, useEffect, useState } from "react";

const SLOW_MS = 3_000;
const SLOWER_MS = 10_000;

// The region stands from the beginning, so that what comes into it is read out
export function Waiting({ waiting }) {
  const [text, setText] = useState("");
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!waiting) {
      return undefined;
    }
    const timers = [
      setTimeout(() => setText("Still loading…"), SLOW_MS),
      setTimeout(() => {
        setText(
          "This takes longer than usual: the server is slow to answer. " +
            "The page goes on by itself once it does.",
        );
        setLate(true);
      }, SLOWER_MS),
    ];
    return () => {
      timers.forEach(clearTimeout);
      setText("");
      setLate(false);
    };
  }, [waiting]);
  return el(
    "div",
    { role: "status" },
    text
      ? el(
          "p",
          { className: "fb-waiting", id: "waiting" },
          text,
          late
            ? el("button", { type: "button", onClick: () => location.reload() }, "Reload")
            : null,
        )
      : null,
  );
}
