// What somebody presses before the page is alive: it is there as text before its scripts are, and a
// press in between would be lost. It is kept, and done once they have come.
(() => {
  let last = null; // somebody who presses again and again means it once

  const keep = (event, act) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    last = act;
  };
  // Links and forms that the browser sends work without scripts
  const onClick = (event) => {
    const pressed = event.target.closest?.("a[href], button, [role=button]");
    if (pressed?.matches("a[href], [type=submit]") === false) {
      keep(event, () => pressed.isConnected && pressed.click());
    }
  };
  // The palette's keys, which browsers have a use of their own for
  const onKey = (event) => {
    if (event.key.toLowerCase() === "k" && (event.metaKey || event.ctrlKey) && !event.altKey) {
      keep(event, () => window.dispatchEvent(new Event("fb-palette-open")));
    }
  };
  window.addEventListener("click", onClick, true);
  window.addEventListener("keydown", onKey, true);
  window.addEventListener(
    "fb-alive",
    () => {
      window.removeEventListener("click", onClick, true);
      window.removeEventListener("keydown", onKey, true);
      // What else comes to life with this does first
      setTimeout(() => last?.());
    },
    { once: true },
  );
})();

// As modes.js left it; before the first paint
try {
  if (localStorage.getItem("fb-operates")) {
    document.documentElement.dataset.operates = "";
  }
} catch {
  // Storage is forbidden
}

// Changes that are not saved. Reflex closes its connection when a page may be left, also where
// somebody then stays; it hears of it in the order in which listeners came
window.addEventListener("beforeunload", (event) => {
  if (!window.dispatchEvent(new Event("fb-leaving", { cancelable: true }))) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
});
