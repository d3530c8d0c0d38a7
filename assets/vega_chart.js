// A Vega-Lite chart. The spec says how it looks and the rows what it shows: a new spec builds the
// view anew, new rows go through the view's change set, so that a live chart doesn't flicker.
// Expressions are interpreted, not compiled, so that no page needs 'unsafe-eval'.
import { createElement, useEffect, useRef } from "react";
import embed, { vega } from "vega-embed";
import { expressionInterpreter } from "vega-interpreter";

const OPTIONS = {
  actions: false,
  ast: true,
  defaultStyle: false,
  expr: expressionInterpreter,
  logLevel: 1, // errors; that there are no rows before the first arrive is no news
  renderer: "svg",
  tooltip: { disableDefaultStyle: true, theme: "farebox" },
};

export function VegaChart({ spec, rows, description }) {
  const box = useRef(null);
  const view = useRef(null);
  const latest = useRef(rows);
  const wanted = JSON.stringify(spec);
  latest.current = rows;

  useEffect(() => {
    let left = false;
    let finalize = null;
    // Vega looks at its place's width when the window changes, which is not all that moves it: a
    // scrollbar comes when the page below grows
    const resized = new ResizeObserver(() => fit(view.current, box.current));
    resized.observe(box.current);
    embed(box.current, JSON.parse(wanted), OPTIONS)
      .then((embedded) => {
        if (left) {
          embedded.finalize();
          return undefined;
        }
        finalize = () => embedded.finalize();
        view.current = embedded.view;
        return show(embedded.view, latest.current);
      })
      .catch((problem) => console.error("The chart could not be drawn.", problem));
    return () => {
      left = true;
      resized.disconnect();
      view.current = null;
      finalize?.();
    };
  }, [wanted]);

  useEffect(() => {
    if (view.current) {
      show(view.current, rows);
    }
  }, [rows]);

  return createElement("div", { "aria-label": description, className: "fb-chart", role: "img" },
    // The description says all of it: Vega's own marks have no names
    createElement("div", { "aria-hidden": true, ref: box, style: { height: "100%", width: "100%" } }));
}

function fit(view, box) {
  const width = box.clientWidth;
  if (view && width && view.signal("width") !== width) {
    view.signal("width", width).runAsync();
  }
}

// They come in columns: a name, values, and which of them each row has, if not the next one
function unpacked(columns) {
  const number = columns?.length ? (columns[0][2] ?? columns[0][1]).length : 0;
  return Array.from({ length: number }, (_, row) =>
    Object.fromEntries(
      columns.map(([name, values, which]) => [name, values[which ? which[row] : row]])));
}

function show(view, rows) {
  const changes = vega.changeset().remove(vega.truthy).insert(unpacked(rows));
  // Laid out anew, for the new rows' labels may take more of the width
  return view.change("rows", changes).resize().runAsync();
}
