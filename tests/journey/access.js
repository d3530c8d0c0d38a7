// What a page lacks for people who see it badly or don't point: a list of sentences, empty if none.
() => {
  const lacks = [];
  const say = (what, element) =>
    lacks.push(`${what}: ${element.outerHTML.replace(/\s+/g, " ").slice(0, 160)}`);
  const seen = (element) => element.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true });

  if (document.documentElement.lang !== "en") lacks.push("The page doesn't say its language.");
  if (!document.title.includes("Farebox")) lacks.push(`The title is ${document.title}.`);
  const headings = [...document.querySelectorAll("h1, h2, h3, h4")].filter(seen);
  const levels = headings.map((heading) => Number(heading.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) lacks.push(`Headings are ${levels}.`);
  levels.forEach((level, at) => {
    if (at > 0 && level > levels[at - 1] + 1) say("A heading skips a level", headings[at]);
  });
  if (document.querySelectorAll("main").length !== 1) lacks.push("There is not one main.");
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => lacks.push(`Two have the id ${id}.`));
  for (const image of document.querySelectorAll("img:not([alt])")) say("An image has no alt", image);
  // Drawn anew in each frame, which without a graphics card takes a third of a second
  for (const element of document.querySelectorAll("main *")) {
    for (const part of [null, "::before", "::after"]) {
      const blur = getComputedStyle(element, part).backdropFilter;
      if (blur && blur !== "none") say("What is behind is blurred", element);
    }
  }

  // Contrast as WCAG 2.2 defines it, 4.5 to 1 and 3 to 1 for large text; a canvas reads any colour
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (...colours) => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
    }
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue]
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      layers.unshift(getComputedStyle(at).backgroundColor);
    }
    return layers;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const disabled = element.closest("[disabled], [data-disabled], .fb-unseen, .rt-Skeleton, svg");
    if (!walker.currentNode.data.trim() || disabled || !seen(element)) continue;
    const style = getComputedStyle(element);
    const layers = behind(element);
    const [light, dark] = [paint(...layers, style.color), paint(...layers)]
      .map(luminance)
      .sort((one, other) => other - one);
    const ratio = (light + 0.05) / (dark + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) say(`Contrast is ${ratio.toFixed(2)}`, element);
  }
  return lacks;
}
