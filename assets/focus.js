// Where the keyboard is, when what it was at comes or goes.
import { createElement, useEffect, useLayoutEffect, useRef } from "react";

// In a dialog that no trigger opens: gives the focus back to what had it before, as others do
export function ReturnFocus() {
  useLayoutEffect(() => {
    const before = document.activeElement;
    // Once the dialog has let go of the focus
    return () => setTimeout(() => before?.isConnected && before.focus(), 0);
  }, []);
  return null;
}

// Around what has taken the place of what was pressed: it takes the focus, and comes into view
export function FocusHere({ children, label }) {
  const box = useRef(null);
  useEffect(() => box.current?.focus(), []);
  return createElement(
    "section",
    { ref: box, tabIndex: -1, "aria-label": label, className: "fb-here" },
    children,
  );
}
