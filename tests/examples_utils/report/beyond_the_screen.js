// Elements that stand out to the right, but for those in boxes that scroll by themselves.
() => {
  const allowed = ".scroll *, pre, pre *, svg *, .skip, .visually-hidden";
  return [...document.querySelectorAll("body *")]
    .filter((element) => !element.closest(allowed) && element.checkVisibility())
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
    .map((element) => element.outerHTML.slice(0, 120));
}
