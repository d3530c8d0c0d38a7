// Arriving at a page by a click: its heading takes the focus, and its title is said.
import { useEffect } from "react";

let before = null; // the path of the page before, in this tab

// The document's title is the page's with the seller's name, which brand.css has
export function Arrival({ page }) {
  useEffect(() => {
    const entitle = () => {
      const brand = getComputedStyle(document.documentElement).getPropertyValue("--brand-name");
      const name = brand.trim().slice(1, -1);
      const title = name ? `${page} · ${name}` : page;
      if (document.title !== title) {
        document.title = title;
      }
    };
    entitle();
    // React writes the page's own title into the head, now and then later than this
    const watch = new MutationObserver(entitle);
    watch.observe(document.head, { characterData: true, childList: true, subtree: true });
    return () => watch.disconnect();
  }, [page]);
  useEffect(() => {
    // What was pressed before can be done now
    window.dispatchEvent(new Event("fb-alive"));
    const here = window.location.pathname.replace(/\/$/, "");
    const moved = before !== null && before !== here;
    before = here;
    if (moved) {
      arrive();
    }
  }, []);
  return null;
}

function arrive() {
  // A menu that was left gives the focus back first
  setTimeout(() => {
    const main = document.getElementById("content");
    const heading = main?.querySelector("h1");
    if (heading && !main.contains(document.activeElement)) {
      heading.tabIndex = -1;
      heading.focus({ preventScroll: true });
    }
    announcer().textContent = document.title;
  }, 50);
}

// Outlives the pages: what is in a region from its beginning is not said
function announcer() {
  const there = document.getElementById("arrival");
  if (there) {
    return there;
  }
  const region = document.createElement("div");
  region.id = "arrival";
  region.className = "fb-unseen";
  region.setAttribute("role", "status");
  document.body.append(region);
  return region;
}
