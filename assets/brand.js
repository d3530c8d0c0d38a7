// The seller's own pages, such as terms and support: asked for once, shown on every page.
import { createElement as el, useEffect, useState } from "react";

let asked = null;

export function BrandLinks() {
  const [links, setLinks] = useState([]);
  useEffect(() => {
    asked ??= fetch("/brand/links.json").then((answer) => (answer.ok ? answer.json() : []));
    let left = false;
    asked
      .then((listed) => left || setLinks(listed))
      .catch(() => {
        asked = null; // the next page asks again
      });
    return () => {
      left = true;
    };
  }, []);
  if (links.length === 0) {
    return null;
  }
  return el(
    "ul",
    { className: "fb-brand-links", "aria-label": "Of the provider" },
    links.map(({ name, href }) => el("li", { key: name }, el("a", { href }, name))),
  );
}
