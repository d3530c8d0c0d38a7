// A model's answer: Markdown, as it comes in and when it is whole.
import { createElement, useEffect, useRef, useState } from "react";
import Markdown from "react-markdown";
import remarkGfm from "remark-gfm";
import { CopyButton } from "$/public/copy_button";

// HTML in an answer stays text, and addresses with another scheme than the web's are dropped:
// react-markdown makes elements and never markup. What a model wrote loads nothing from anywhere.
const ELEMENTS = {
  a: ({ href, children }) =>
    createElement("a", { href, rel: "noopener noreferrer nofollow", target: "_blank" }, children),
  img: ({ src, alt }) =>
    createElement("a", { href: src, rel: "noopener noreferrer nofollow", target: "_blank" },
      alt || "picture"),
  pre: ({ node, children }) => createElement(Code, { node }, children),
  table: ({ children }) =>
    createElement("div", { className: "fb-wide", tabIndex: 0, role: "region", "aria-label": "Table" },
      createElement("table", null, children)),
};

function Code({ node, children }) {
  const code = node?.children?.[0];
  const text = textOf(code);
  const language = /language-(\S+)/.exec(code?.properties?.className?.join(" ") ?? "")?.[1] ?? "";
  return createElement("div", { className: "fb-block" },
    createElement("div", { className: "fb-block-top" },
      createElement("span", null, language || "text"),
      createElement(CopyButton, { text, variant: "ghost", size: "1", color: "gray" })),
    createElement("pre", { className: "fb-code", tabIndex: 0, "aria-label": `Code: ${language}` },
      children));
}

function textOf(node) {
  if (!node) {
    return "";
  }
  return node.type === "text" ? node.value : (node.children ?? []).map(textOf).join("");
}

// The pieces of an answer that comes in, read from where only this session can: each ends
// with a unit separator
async function follow(ticket, signal, show) {
  const response = await fetch(`/downloads/answers/${encodeURIComponent(ticket)}`, { signal });
  if (!response.ok || response.status === 204) {
    return; // It has ended: the page has it whole in a moment
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return;
    }
    const pieces = (rest + value).split("\u001f");
    rest = pieces.pop();
    if (pieces.length) {
      show(pieces);
    }
  }
}

const NOTHING = { text: "", pieces: 0 };

export function Answer({ text, ticket, price, currency = "$" }) {
  const [came, setCame] = useState(NOTHING);
  const began = useRef(0);
  useEffect(() => {
    if (!ticket) {
      return undefined;
    }
    const leaving = new AbortController();
    began.current = performance.now();
    setCame(NOTHING);
    follow(ticket, leaving.signal, (pieces) =>
      setCame((before) => ({
        text: before.text + pieces.join(""),
        pieces: before.pieces + pieces.length,
      })),
    ).catch((problem) => {
      if (!leaving.signal.aborted) {
        console.info("The answer is shown when it is whole.", problem);
      }
    });
    return () => leaving.abort();
  }, [ticket]);

  const shown = ticket ? came.text : text;
  return createElement("div", null,
    createElement("div",
      {
        className: ticket ? "fb-said fb-markdown fb-typing" : "fb-said fb-markdown",
        "data-letters": shown.length,
      },
      createElement(Markdown, { remarkPlugins: [remarkGfm], components: ELEMENTS }, shown)),
    ticket
      ? createElement("div", { className: "fb-measures", "aria-hidden": true },
          createElement("span", null, `${came.pieces} tokens`),
          Number(price) > 0 && came.pieces
            ? createElement("span", null, `${currency}${(came.pieces * Number(price)).toPrecision(2)}`)
            : null)
      : null);
}

// A text with its tokens side by side, each in a ground of its own
export function TokenText({ pieces }) {
  return createElement("div", { className: "fb-tokens", tabIndex: 0, "aria-label": "Text by token" },
    pieces.map((piece, place) =>
      createElement("span",
        { key: place, className: `fb-token fb-token-${place % 5}`, title: `${place + 1}: ${JSON.stringify(piece)}` },
        piece.replaceAll("\n", "⏎\n"))));
}
