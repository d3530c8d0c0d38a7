// What is cut off or reaches over its place at this width: a list of sentences, empty if nothing.
() => {
  const lacks = [];
  const say = (what, element) =>
    lacks.push(`${what}: ${element.outerHTML.replace(/\s+/g, " ").slice(0, 160)}`);
  const seen = (element) => element.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true });

  if (document.documentElement.scrollWidth > innerWidth) {
    lacks.push(`The page scrolls sideways: ${document.documentElement.scrollWidth} px.`);
  }
  for (const rows of document.querySelectorAll("main .rt-TableRoot tbody")) {
    const shown = rows.closest(".rt-TableRoot").getBoundingClientRect().height;
    if (seen(rows) && rows.getBoundingClientRect().height > shown + 1) say("Rows are cut off", rows);
  }
  for (const place of document.querySelectorAll(":is(main, [role=dialog]) .rt-ScrollAreaViewport:has(table)")) {
    // What is meant to scroll can be reached by keyboard, and has a name
    const meant = place.closest("[role=region][tabindex]");
    if (seen(place) && !meant && place.scrollWidth > place.clientWidth + 1) {
      say(`A table scrolls sideways, ${place.scrollWidth} px in ${place.clientWidth}`, place.querySelector("table"));
    }
  }
  for (const chart of document.querySelectorAll(".fb-chart svg")) {
    const place = chart.closest(".fb-chart").getBoundingClientRect();
    if (chart.getBoundingClientRect().right > place.right + 1) say("A chart is wider than its place", chart);
  }
  return lacks;
}
