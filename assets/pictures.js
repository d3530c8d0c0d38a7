// A question's pictures: chosen, pasted or dropped, and uploaded once.
import { createElement, Fragment, useEffect, useRef, useState } from "react";
import { Button, Text } from "@radix-ui/themes";

const KINDS = ["image/png", "image/jpeg", "image/webp", "image/gif"];

async function upload(file, mostBytes, onAttach) {
  if (!KINDS.includes(file.type)) {
    return "It is no PNG, JPEG, WebP or GIF.";
  }
  if (file.size > mostBytes) {
    return `It has more than ${mostBytes / 1e6} MB.`;
  }
  try {
    const response = await fetch("/uploads/pictures", { method: "POST", body: file });
    if (!response.ok) {
      return await response.text();
    }
    onAttach((await response.json()).id, file.name);
    return "";
  } catch {
    return "The upload broke off. Try again.";
  }
}

export function PictureInput({ attached, most, mostBytes, disabled, onAttach, children }) {
  const field = useRef(null);
  const [uploading, setUploading] = useState("");
  const [problems, setProblems] = useState([]);
  const take = useRef(null);
  take.current = async (files) => {
    if (disabled || !files.length) {
      return;
    }
    const failed = [];
    for (const [place, file] of files.entries()) {
      if (attached + place >= most) {
        failed.push(`A question has ${most} pictures at most.`);
        break;
      }
      setUploading(file.name);
      const problem = await upload(file, mostBytes, onAttach);
      if (problem) {
        failed.push(`${file.name}: ${problem}`);
      }
    }
    setUploading("");
    setProblems(failed);
  };

  useEffect(() => {
    const form = field.current.closest("form");
    const bench = form.parentElement;
    const leave = () => bench.removeAttribute("data-drop");
    const listeners = [
      [form, "paste", (event) => {
        const { files, types } = event.clipboardData;
        // A table that is copied comes as a picture too
        if (files.length && !types.includes("text/plain")) {
          event.preventDefault();
          take.current([...files]);
        }
      }],
      [bench, "dragover", (event) => {
        if (event.dataTransfer.types.includes("Files")) {
          event.preventDefault();
          bench.setAttribute("data-drop", "");
        }
      }],
      [bench, "dragleave", (event) => bench.contains(event.relatedTarget) || leave()],
      [bench, "drop", (event) => {
        if (event.dataTransfer.files.length) {
          event.preventDefault();
          leave();
          take.current([...event.dataTransfer.files]);
        }
      }],
    ];
    for (const [target, name, listen] of listeners) {
      target.addEventListener(name, listen);
    }
    return () => {
      for (const [target, name, listen] of listeners) {
        target.removeEventListener(name, listen);
      }
    };
  }, []);

  return createElement(Fragment, null,
    createElement("input", {
      ref: field,
      type: "file",
      accept: KINDS.join(","),
      multiple: true,
      hidden: true,
      "aria-label": "Pictures",
      onChange: (event) => {
        take.current([...event.target.files]);
        event.target.value = ""; // the same file again is a change too
      },
    }),
    createElement(Button,
      {
        type: "button",
        variant: "ghost",
        color: "gray",
        size: "1",
        disabled,
        "aria-label": "Attach pictures",
        title: `PNG, JPEG, WebP or GIF: up to ${most}, ${mostBytes / 1e6} MB together. ` +
          "Paste or drop them, too.",
        onClick: () => field.current.click(),
      },
      children),
    createElement(Text, { size: "1", color: "gray", role: "status", className: "fb-uploading" },
      uploading && `Uploading ${uploading}…`),
    problems.length
      ? createElement(Text, { size: "1", color: "red", role: "alert" }, problems.join(" "))
      : null);
}
