startTheme();
if (table) {
  startTable();
  startSections();
}
// Two frames on, what is in view has been drawn.
requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("ready")));
