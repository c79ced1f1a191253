// What a screen reader or a keyboard would stumble over.
() => {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const refuse = (elements, why) => faults.push(...elements.map((element) => `${why}: ${element.outerHTML.slice(0, 120)}`));
  const ids = all("[id]").map((element) => element.id);
  faults.push(...ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => `two elements are ${id}`));
  for (const name of ["aria-labelledby", "aria-describedby", "for"]) {
    const leads = (element) => element.getAttribute(name).split(" ").every((id) => document.getElementById(id));
    refuse(all(`[${name}]`).filter((element) => !leads(element)), `${name} leads nowhere`);
  }
  const links = all("a");
  refuse(links.filter((link) => !document.getElementById(decodeURIComponent(link.hash.slice(1)))), "link leads nowhere");
  refuse(links.filter((link) => !(link.ariaLabel ?? link.textContent).trim()), "no name");
  refuse(all("input, select").filter((control) => !control.labels.length), "no label");
  refuse(all("button, summary").filter((control) => !control.textContent.trim()), "no name");
  const named = (element) => element.ariaLabel || element.hasAttribute("aria-labelledby");
  refuse(all("[role=slider], [role=img], [role=region], section, article").filter((element) => !named(element)), "no name");
  refuse(all("[role=slider]").filter((plot) => !plot.getAttribute("aria-valuetext")), "no value");
  refuse(all("svg:not([aria-hidden=true])"), "a drawing without words");
  refuse(all("th:not([scope])"), "a header of nothing");
  const scrolls = (box) => /auto|scroll/.test(getComputedStyle(box).overflowY) && box.scrollHeight > box.clientHeight + 1;
  refuse(all("body *").filter((box) => box.checkVisibility() && scrolls(box) && box.tabIndex < 0), "scrolls, but not by keys");
  return faults;
}
