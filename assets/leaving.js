// Changes that are not saved: the browser asks before they are left, whichever way one goes.
import { useEffect } from "react";
import { useBlocker } from "react-router";

const QUESTION = "Leave the page? Your changes are not saved, and will be gone.";

let held = 0; // changes that the page holds, and no form
const edited = new Set(); // forms that somebody has written in and not sent
const sent = new Set(); // forms that were sent; they stay unsaved while something is said to be wrong
const PICKED = "[role=checkbox], [role=switch], [role=radio]:not([aria-checked=true])";

// While it is there, the page holds changes
export function UnsavedChanges() {
  useEffect(() => {
    held += 1;
    return () => {
      held -= 1;
    };
  }, []);
  return null;
}

// Asks, on every page. A form that looks for something keeps nothing
export function Leaving() {
  const blocker = useBlocker(
    ({ currentLocation, nextLocation }) =>
      bare(currentLocation.pathname) !== bare(nextLocation.pathname) && isUnsaved(),
  );
  useEffect(() => {
    if (blocker.state === "blocked") {
      if (window.confirm(QUESTION)) {
        blocker.proceed();
      } else {
        blocker.reset();
      }
    }
  }, [blocker]);
  useEffect(() => {
    const edit = (form) => {
      if (form && !form.closest("[role=search]")) {
        sent.delete(form);
        edited.add(form);
      }
    };
    const onInput = (event) => edit(event.isTrusted && event.target.form);
    // Radix's lists and boxes are buttons, whose fields are changed by scripts. That of a list lets
    // its event out only where a person has chosen
    const onChange = (event) => edit(event.target.matches("select") && event.target.form);
    const onPick = (event) => edit(event.target.closest?.(PICKED)?.form);
    const onSubmit = (event) => {
      if (edited.delete(event.target)) {
        sent.add(event.target);
      }
    };
    // To a place of the same page. The router warns of an address that it did not make itself
    const onClick = (event) => {
      const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
      const to = !elsewhere && event.target.closest?.('a[href^="#"]');
      const place = to && document.getElementById(to.hash.slice(1));
      if (place) {
        event.preventDefault();
        place.tabIndex = -1;
        place.scrollIntoView();
        place.focus({ preventScroll: true });
      }
    };
    const onLeaving = (event) => isUnsaved() && event.preventDefault();
    document.addEventListener("click", onClick);
    document.addEventListener("click", onPick, true);
    document.addEventListener("change", onChange);
    document.addEventListener("input", onInput, true);
    document.addEventListener("submit", onSubmit, true);
    window.addEventListener("fb-leaving", onLeaving);
    return () => {
      document.removeEventListener("click", onClick);
      document.removeEventListener("click", onPick, true);
      document.removeEventListener("change", onChange);
      document.removeEventListener("input", onInput, true);
      document.removeEventListener("submit", onSubmit, true);
      window.removeEventListener("fb-leaving", onLeaving);
    };
  }, []);
  return null;
}

function isUnsaved() {
  for (const form of [...edited, ...sent]) {
    if (!form.isConnected) {
      edited.delete(form);
      sent.delete(form);
    }
  }
  return held + edited.size > 0 || [...sent].some(isRefused);
}

// At a field, for the form's whole beside it, or in the notice of what did not happen
function isRefused(form) {
  const place = form.closest("[role=dialog], [role=alertdialog]") ?? form;
  return (
    place.querySelector("[aria-invalid=true], [role=alert]:not(:empty)") ||
    document.querySelector(".fb-notice")
  );
}

function bare(path) {
  return path.replace(/\/$/, "");
}
