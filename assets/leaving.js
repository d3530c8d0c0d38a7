// Changes that are not saved: the browser asks before they are left.
import { useEffect } from "react";

const QUESTION = "Leave the page? Your changes are not saved, and will be gone.";

export function UnsavedChanges() {
  useEffect(() => {
    const onUnload = (event) => event.preventDefault();
    // Links within the portal load no page: they are asked for before the router sees them
    const onClick = (event) => {
      const link = event.target.closest?.("a[href]");
      const here = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey);
      if (!link || !here || link.target === "_blank" || link.hasAttribute("download")) return;
      if (link.pathname === location.pathname && link.origin === location.origin) return;
      // What loads a page is asked for by the browser itself
      if (link.origin === location.origin && !window.confirm(QUESTION)) {
        event.preventDefault();
        event.stopPropagation();
      }
    };
    addEventListener("beforeunload", onUnload);
    document.addEventListener("click", onClick, true);
    return () => {
      removeEventListener("beforeunload", onUnload);
      document.removeEventListener("click", onClick, true);
    };
  }, []);
  return null;
}
