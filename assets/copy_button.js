// A button that copies a text and says that it has.
import { createElement, useEffect, useState } from "react";
import { Button } from "@radix-ui/themes";

export function CopyButton({ text, label = "Copy", done = "Copied", ...look }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) {
      return undefined;
    }
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () =>
    write(text).then(() => setCopied(true), (problem) => console.error("Not copied.", problem));
  return createElement(
    Button,
    { ...look, onClick: copy, type: "button" },
    createElement("span", { "aria-live": "polite" }, copied ? done : label),
  );
}

// The clipboard is closed to pages that are not served over https or from this machine
function write(text) {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text);
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.setAttribute("readonly", "");
  field.style.position = "fixed";
  field.style.opacity = "0";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done ? Promise.resolve() : Promise.reject(new Error("The browser refused."));
}
